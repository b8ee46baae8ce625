"""Validation data, limits of time, and what is told meanwhile."""

import re
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.exceptions import ConvergenceWarning

from mlp.small import SMALL, an_update_a_second, blobs
from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.mlp._path import TrainingPath
from sklearn_gfs.network._training import Training


def test_validation_data_decide_how_long_to_retrain():
    X, y = blobs(120)
    order = np.random.default_rng(3).permutation(120)
    train, val = order[:80], order[80:]
    model = GreedyPrunedMLPClassifier(**SMALL)
    model.fit(X[train], y[train], X_val=X[val], y_val=y[val])
    held_out = clone(model).fit(X[train], y[train])
    assert len(model.validation_loss_curve_) == 3
    assert model.loss_curve_ != held_out.loss_curve_  # no training sample was held out
    pure = clone(model).set_params(early_stopping=False).fit(X[train], y[train])
    assert model.loss_curve_ == pure.loss_curve_
    np.testing.assert_array_equal(model.selection_path_, pure.selection_path_)

    noise = clone(model).fit(X[train], y[train], X_val=X[val], y_val=(y[val] + 1) % 3)
    assert noise.n_retrain_ == 0


def test_with_validation_data_nothing_is_retrained_twice(monkeypatch):
    X, y = blobs(120)
    update, calls = Training._update, []
    monkeypatch.setattr(Training, "_update", lambda by, n: calls.extend([by.name] * n) or update(by, n))
    model = GreedyPrunedMLPClassifier(**SMALL).fit(X[:80], y[:80], X_val=X[80:], y_val=y[80:])
    assert 0 < model.n_retrain_ <= calls.count("re-training") <= 40
    assert len(calls) == 20 + calls.count("re-training")
    told = clone(model).set_params(early_stopping=False, n_retrain=model.n_retrain_).fit(X[:80], y[:80])
    np.testing.assert_array_equal(model.predict_proba(X), told.predict_proba(X))
    assert model.retrain_loss_curve_ == told.retrain_loss_curve_


@pytest.mark.parametrize("data", [load_diabetes, load_wine])
def test_the_trial_ends_some_time_after_its_last_record(monkeypatch, data):
    X, y = data(return_X_y=True)
    model = GreedyPrunedMLP(**SMALL | {"n_retrain": 800}, loss="squared_error")
    monkeypatch.setattr("sklearn_gfs.mlp._schedule._PATIENCE", 800)
    patient = model.fit(X, y).validation_loss_curve_
    assert len(patient) == 41  # before, and after every 20 of 800
    monkeypatch.setattr("sklearn_gfs.mlp._schedule._PATIENCE", 60)
    curve = model.fit(X, y).validation_loss_curve_
    record = last = 0
    while last < record + 3:
        last += 1
        if 1.01 * patient[last] < patient[record]:
            record = last
    assert curve == patient[: last + 1]
    assert len(curve) < len(patient)
    assert model.n_retrain_ == 20 * max(place for place, loss in enumerate(curve) if loss <= 1.01 * min(curve))


def test_weights_of_validation_samples_count():
    X, y = blobs(120)
    weight = (np.arange(40) % 2).astype(float)
    model = GreedyPrunedMLPRegressor(**SMALL)
    model.fit(X[:80], X[:80, 0], X_val=X[80:], y_val=X[80:, 0], sample_weight_val=weight)
    half = clone(model).fit(X[:80], X[:80, 0], X_val=X[81::2], y_val=X[81::2, 0])
    np.testing.assert_allclose(model.validation_loss_curve_, half.validation_loss_curve_)
    assert y.shape == (120,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X_val": np.ones((3, 4))}, "X_val was passed without y_val"),
        ({"y_val": np.ones(3)}, "y_val was passed without X_val"),
        ({"X_val": np.ones((3, 4)), "y_val": [0, 1, 7]}, r"y_val holds classes that y does not: \[7\]"),
        ({"X_val": np.ones((3, 4)), "y_val": [0, 1]}, "X_val has 3 samples, but y_val has 2"),
        ({"X_val": np.ones((3, 5)), "y_val": [0, 1, 2]}, "X_val has 5 features, but X has 4"),
        ({"X_val": np.ones(3), "y_val": [0, 1, 2]}, "X_val: Expected 2D array"),
        ({"X_val": np.full((3, 4), np.nan), "y_val": [0, 1, 2]}, "Input X_val contains NaN"),
        ({"X_val": sparse.csr_array(np.full((3, 4), np.inf)), "y_val": [0, 1, 2]}, "Input X_val contains infinity"),
        ({"X_val": [["a"] * 4] * 3, "y_val": [0, 1, 2]}, "X_val: could not convert string to float: 'a'"),
        (
            {"X_val": np.ones((3, 4)), "y_val": np.eye(3, dtype=int)},
            "y_val has 3 columns, but the labels of this fit are one",
        ),
        ({"X_val": np.ones((3, 4)), "y_val": [0, 1, np.nan]}, "Input y_val contains NaN"),
        ({"X_val": np.ones((3, 4)), "y_val": [0, 1, np.inf]}, "Input y_val contains infinity"),
        ({"X_val": np.ones((3, 4)), "y_val": [None, "a", 1]}, "y_val holds missing values"),
        ({"X_val": np.full((3, 4), 1e300), "y_val": [0, 1, 2]}, "held out of training became .* X_val and y_val"),
    ],
)
def test_impossible_validation_data_are_refused(arguments, message):
    X, y = blobs()
    with pytest.raises(ValueError, match=message):
        GreedyPrunedMLPClassifier(**SMALL, loss="squared_error").fit(X, y, **arguments)


def test_names_of_validation_features_are_those_of_the_training():
    X, y = blobs()
    frame = pytest.importorskip("pandas").DataFrame(X, columns=list("abcd"))
    for wrong in (frame[["a", "b", "d", "c"]], frame.rename(columns={"a": "z"})):
        with pytest.raises(ValueError, match="X_val: The feature names should match those that were passed during fit"):
            GreedyPrunedMLPClassifier(**SMALL).fit(frame, y, X_val=wrong, y_val=y)
    with pytest.raises(ValueError, match="X_val has 3 features, but X has 4"):
        GreedyPrunedMLPClassifier(**SMALL).fit(frame, y, X_val=frame[["a", "b", "c"]], y_val=y)


@pytest.mark.parametrize("kind", [np.nan, np.inf])
def test_missing_validation_labels_of_several_are_refused(kind):
    X, y = blobs()
    Y = np.eye(3)[y]
    wrong = np.where(Y == 1, kind, 0.0)
    for convert in (np.asarray, sparse.csr_array):
        with pytest.raises(ValueError, match=r"Input y_val contains (NaN|infinity)"):
            GreedyPrunedMLPClassifier(**SMALL).fit(X, Y, X_val=X, y_val=convert(wrong))


@pytest.mark.parametrize("text", [["1.5"] * 60, np.array(["a"] * 60), np.array(["1"] * 60, dtype=object)])
def test_text_is_no_validation_target_of_numbers(text):
    X, _ = blobs()
    with pytest.raises(ValueError, match=r"y_val holds text, for instance .*; a regressor needs numbers"):
        GreedyPrunedMLPRegressor(**SMALL).fit(X, X[:, 0], X_val=X, y_val=text)


@pytest.mark.parametrize(
    "y_val", [np.zeros(60, dtype=int), 7 * np.eye(3)[np.arange(60) % 3], np.full((60, 3), "a"), np.ones((60, 2))]
)
def test_validation_labels_of_another_kind_are_refused(y_val):
    X, y = blobs()
    Y = np.eye(3, dtype=int)[y]
    with pytest.raises(ValueError, match="y_val must hold a column of 0 and 1 for each of 3 labels"):
        GreedyPrunedMLPClassifier(**SMALL).fit(X, Y, X_val=X, y_val=y_val)
    with pytest.raises(ValueError, match="y must hold a column of 0 and 1 for each of 3 labels"):
        GreedyPrunedMLPClassifier(**SMALL).partial_fit(X, Y).partial_fit(X, y)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok"])
@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier])
def test_labels_may_be_sparse(cls, form):
    X, y = blobs()
    Y = np.eye(3)[y]
    expected = cls(**SMALL).fit(X, Y, X_val=X, y_val=Y).predict_proba(X)
    stored = sparse.coo_array(Y).asformat(form)
    np.testing.assert_array_equal(cls(**SMALL).fit(X, stored, X_val=X, y_val=stored).predict_proba(X), expected)


@pytest.mark.parametrize(("n_outputs", "n_val_outputs"), [(2, 1), (1, 2), (3, 2)])
def test_validation_targets_have_as_many_outputs(n_outputs, n_val_outputs):
    X, _ = blobs()
    message = f"y_val has {n_val_outputs} outputs, but y has {n_outputs}"
    with pytest.raises(ValueError, match=message):
        GreedyPrunedMLPRegressor(**SMALL).fit(X, X.T[:n_outputs].T.squeeze(), X_val=X, y_val=X[:, :n_val_outputs])


def test_validation_data_without_early_stopping_are_refused():
    X, y = blobs()
    with pytest.raises(ValueError, match="X_val needs early_stopping=True"):
        GreedyPrunedMLPClassifier(**SMALL, early_stopping=False).fit(X, y, X_val=X, y_val=y)


@pytest.mark.parametrize("max_time", [1e-9, 20, 60])
def test_max_time_leaves_a_usable_model(monkeypatch, max_time):
    X, y = blobs()
    an_update_a_second(monkeypatch)
    model = GreedyPrunedMLP(**{**SMALL, "n_pretrain": 10**9}, max_time=max_time)
    with pytest.warns(ConvergenceWarning, match="max_time was over.*can be used"):
        model.fit(X, y)
    # Half of it is for pre-training, with a look at the clock after every update in full batch.
    assert model.n_pretrain_ == max(max_time // 2, 1)
    assert np.isfinite(model.predict_proba(X)).all()


def test_max_time_is_that_of_the_clock():
    X, y = blobs()
    start = time.monotonic()
    with pytest.warns(ConvergenceWarning, match="max_time was over"):
        GreedyPrunedMLP(**{**SMALL, "n_pretrain": 10**9}, max_time=0.05).fit(X, y)
    assert time.monotonic() - start >= 0.025  # half of it is for pre-training; a busy machine may take any longer


def test_the_clock_starts_when_torch_is_there():
    code = """
        import sys
        from sklearn_gfs import GreedyPrunedMLPRegressor
        from sklearn_gfs.mlp import _base

        class Watch(_base.Watch):
            def __init__(self, *arguments, **names):
                assert "torch" in sys.modules
                super().__init__(*arguments, **names)

        _base.Watch = Watch
        assert "torch" not in sys.modules
        GreedyPrunedMLPRegressor(5, 2, n_hidden=5, n_retrain=0, max_time=100).fit([[0.0], [1.0]], [0.0, 1.0])
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


@pytest.mark.parametrize(("max_time", "n_retrained"), [(80, 40), (300, 150)])
def test_half_of_max_time_is_left_for_retraining(monkeypatch, max_time, n_retrained):
    X, _ = blobs(200)
    y = np.sin(X[:, 0])
    made = an_update_a_second(monkeypatch)
    parameters = SMALL | {"n_pretrain": 10**9, "n_retrain": 100}
    with pytest.warns(ConvergenceWarning, match="max_time was over"):
        model = GreedyPrunedMLPRegressor(**parameters, max_time=max_time).fit(X, y)
    # Of the updates that were made for re-training 100 were the trial's.
    n_pretrained = made.count("pre-training")
    assert (n_pretrained, len(made) - n_pretrained) == (max_time // 2, n_retrained)
    assert model.n_pretrain_ == max_time // 2
    assert 0 < model.n_retrain_ == len(model.retrain_loss_curve_)
    assert model.n_units_ == len(set(model.selection_path_))
    untrained = GreedyPrunedMLPRegressor(**parameters | {"n_pretrain": max_time // 2, "n_retrain": 0}).fit(X, y)
    assert model.score(X, y) > untrained.score(X, y)


def test_warnings_name_the_line_of_the_call():
    X, y = blobs()
    model = GreedyPrunedMLPClassifier(**SMALL, max_time=1e-9)
    with pytest.warns(ConvergenceWarning, match="max_time was over") as of_fit:
        model.fit(X, y)
    with pytest.warns((UserWarning, ConvergenceWarning)) as of_part:
        model.partial_fit(X, y)
    assert [warning.category for warning in of_part] == [UserWarning, ConvergenceWarning]
    assert {warning.filename for warning in (*of_fit, *of_part)} == {__file__}


def test_automatic_pretraining_that_is_stopped_keeps_what_it_has(monkeypatch):
    X, y = blobs(120)
    selected = []
    look = TrainingPath._pruned_losses
    monkeypatch.setattr(TrainingPath, "_pruned_losses", lambda *a: selected.append(1) or look(*a))
    an_update_a_second(monkeypatch)
    model = GreedyPrunedMLPClassifier(**SMALL | {"n_pretrain": "auto", "n_retrain": 0, "max_time": 120})
    with pytest.warns(ConvergenceWarning, match="max_time was over"):
        model.fit(X, y)
    # The first checkpoint was looked at; between it and the next there is nothing to be selected.
    assert (model.n_pretrain_, len(selected)) == (60, 1)


def test_a_path_of_one_number_is_refused_by_name():
    X, y = blobs()
    with pytest.raises(TypeError, match="n_pretrain of fit_path must be a sequence of integers, got 'auto'"):
        GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain="auto")
    with pytest.raises(TypeError, match="n_pretrain of fit_path must be a sequence of integers, got 5"):
        GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=5)
    with pytest.raises(TypeError, match="k of fit_path must be a sequence of integers, got 3"):
        GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=[5], k=3)


@pytest.mark.parametrize("value", [2.5, np.array(3), None])
def test_a_path_of_what_is_no_sequence_is_refused_by_name(value):
    X, y = blobs()
    with pytest.raises(TypeError, match="n_pretrain of fit_path must be a sequence of integers, got"):
        GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=value)
    if value is not None:
        with pytest.raises(TypeError, match="k of fit_path must be a sequence of integers, got"):
            GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=[5], k=value)


@pytest.mark.parametrize("value", [1.5, "auto", True, np.True_, np.array(1.5)])
def test_a_path_of_what_are_no_integers_is_refused_by_name(value):
    X, y = blobs()
    with pytest.raises(TypeError, match=re.escape(f"n_pretrain of fit_path must hold integers, got {value!r}")):
        list(GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=[value]))
    with pytest.raises(TypeError, match="k of fit_path must hold integers, got"):
        GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=[5], k=[value])


@pytest.mark.parametrize("empty", [[], range(0), iter(())], ids=["list", "range", "iterator"])
def test_a_path_of_no_iterations_is_refused(empty):
    X, y = blobs()
    with pytest.raises(ValueError, match="n_pretrain is empty"):
        list(GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=empty))


def test_sparse_numbers_are_no_target():
    X, _ = blobs()
    with pytest.raises(TypeError, match="y is sparse"):
        GreedyPrunedMLPRegressor(**SMALL).fit(X, sparse.csr_array(X[:, :2]))


def test_parts_of_numbers_have_no_classes():
    X, _ = blobs()
    with pytest.raises(ValueError, match="classes must not be passed here"):
        GreedyPrunedMLP(**SMALL).partial_fit(X, X[:, 0]).partial_fit(X, X[:, 0], classes=[0, 1])


def test_text_is_no_target_of_a_regressor():
    X, _ = blobs()
    with pytest.raises(ValueError, match="y holds text, for instance 'a'; a regressor needs numbers"):
        GreedyPrunedMLPRegressor(**SMALL).fit(X, ["a", "b"] * 30)


def test_a_missing_method_says_when_it_is_there():
    X, y = blobs()
    with pytest.raises(AttributeError, match="no attribute 'predict_proba'") as of_numbers:
        GreedyPrunedMLP(**SMALL).fit(X, X[:, 0]).predict_proba  # noqa: B018 the access is the test
    assert "was fitted on numbers" in str(of_numbers.value.__cause__)
    with pytest.raises(AttributeError, match="no attribute 'decision_function'") as of_squares:
        GreedyPrunedMLPClassifier(**SMALL, loss="squared_error").fit(X, y).decision_function  # noqa: B018
    assert "needs loss='log_loss'" in str(of_squares.value.__cause__)
