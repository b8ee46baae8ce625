"""Warm starts: a fit that goes on with the dense network of the one before."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from mlp import small
from mlp.small import assert_equal_fits, problem
from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

SMALL = {**small.SMALL, "n_pretrain": 30}


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"batch_size": 16},
        {"batch_size": None, "early_stopping": False},
        {"solver": "sgd", "batch_size": 7},
        {"solver": "sgd", "batch_size": None},
        {"loss": "log_loss", "batch_size": 16},
        {"activation": "tanh", "learning_rate_init": 0.003, "n_retrain": 0},
    ],
    ids=str,
)
def test_a_warm_start_equals_one_fit_with_as_many_iterations(parameters):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**{**SMALL, **parameters})
    at_once = clone(model).set_params(n_pretrain=90).fit(X, y)
    in_steps = clone(model).set_params(warm_start=True, k=3, n_pretrain=0)
    for n_pretrain in (0, 17, 17, 60):
        in_steps.set_params(n_pretrain=n_pretrain).fit(X, y)
        assert in_steps.n_pretrain_ == n_pretrain
    in_steps = pickle.loads(pickle.dumps(in_steps)).set_params(n_pretrain=90, k=8).fit(X, y)
    assert_equal_fits(in_steps, at_once)


def test_a_warm_start_of_numbers_and_float32():
    X, _ = problem()
    X, y = X.astype(np.float32), np.stack([X[:, 0] ** 2, 1e4 * X[:, 1]], axis=1)
    model = GreedyPrunedMLP(**SMALL, batch_size=16)
    warm = clone(model).set_params(warm_start=True).fit(X, y)
    assert_equal_fits(warm.set_params(n_pretrain=50).fit(X, y), clone(model).set_params(n_pretrain=50).fit(X, y))


def test_a_warm_start_without_random_state_keeps_its_seeds():
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True).set_params(random_state=None).fit(X, y)
    coefs = model.coefs_[0]
    np.testing.assert_array_equal(model.fit(X, y).coefs_[0], coefs)  # no iteration is left to be made


def test_a_warm_start_only_prunes_anew_where_only_that_has_changed(monkeypatch):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**{**SMALL, "n_retrain": 0}, warm_start=True).fit(X, y)
    monkeypatch.setattr("sklearn_gfs.network._training.Training._update", None)  # any update would fail
    model.set_params(k=20).fit(X, y)
    assert len(model.selection_path_) == 20


def test_a_warm_start_of_automatic_pretraining():
    X, y = problem(200)
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True).set_params(n_pretrain="auto").fit(X, y)
    again = clone(model).fit(X, y).fit(X, y)
    assert_equal_fits(again, model)
    more = model.n_pretrain_ + 50
    fresh = clone(model).set_params(n_pretrain=more).fit(X, y)
    assert_equal_fits(model.set_params(n_pretrain=more).fit(X, y), fresh)


def test_a_warm_start_on_other_samples_keeps_the_network():
    X, y = problem()
    more_X, more_y = problem(140, seed=1)
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True).fit(X, y)
    curve = model.loss_curve_
    model.set_params(n_pretrain=60).fit(5 + more_X, more_y)
    assert model.loss_curve_[:30] == curve
    assert model.n_pretrain_ == 60


def test_without_warm_start_an_earlier_fit_is_forgotten():
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True).fit(X, y)
    size = len(pickle.dumps(model))
    model.set_params(warm_start=False, n_pretrain=10).fit(X, y)
    assert_equal_fits(model, GreedyPrunedMLPClassifier(**{**SMALL, "n_pretrain": 10}).fit(X, y))
    assert len(pickle.dumps(model)) < 0.7 * size  # the dense network is gone
    assert vars(clone(model)).keys() == vars(GreedyPrunedMLPClassifier()).keys()


@pytest.mark.parametrize("n_done", [2000, 1280])
def test_an_automatic_choice_that_comes_too_late_trains_no_more(monkeypatch, n_done):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL | {"n_pretrain": n_done, "n_hidden": 5, "n_retrain": 0}, warm_start=True)
    model.fit(X, y)
    monkeypatch.setattr("sklearn_gfs.network._training.Training._update", None)
    assert model.set_params(n_pretrain="auto").fit(X, y).n_pretrain_ == n_done


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_pretrain": 29}, "n_pretrain=29 is less than the 30 iterations"),
        ({"n_hidden": 41}, "n_hidden=41 differs from 40"),
        ({"activation": "tanh"}, "activation='tanh' differs from 'relu'"),
        ({"loss": "squared_error"}, "loss='squared_error' differs"),
        ({"solver": "sgd"}, "solver='sgd' differs"),
    ],
)
def test_what_a_warm_start_cannot_change_is_refused(changed, message):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=message):
        model.set_params(**changed).fit(X, y)
    model.set_params(**{**changed, "warm_start": False}).fit(X, y)


@pytest.mark.parametrize("named", [{"loss": "log_loss"}, {"activation": "relu"}])
def test_a_warm_start_goes_on_where_auto_means_the_same(named):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**{**SMALL, "loss": "auto", "activation": "auto"}, warm_start=True)
    at_once = clone(model).set_params(n_pretrain=40).fit(X, y)
    for before, after in [({}, named), (named, dict.fromkeys(named, "auto"))]:
        in_steps = clone(model).set_params(**before).fit(X, y)
        assert_equal_fits(in_steps.set_params(**after, n_pretrain=40).fit(X, y), at_once)


def test_a_warm_start_wants_the_same_features_and_outputs():
    X, y = problem()
    model = GreedyPrunedMLPRegressor(**SMALL, warm_start=True).fit(X, X[:, :2])
    with pytest.raises(ValueError, match="X has 3 features"):
        model.fit(X[:, :3], X[:, :2])
    with pytest.raises(ValueError, match="y has 1 outputs, but the network has 2"):
        model.fit(X, y.astype(float))


@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier])
@pytest.mark.parametrize("labels", [np.array([0, 1, 2]), np.array(["a", "b", "c"])], ids=["numbers", "text"])
def test_a_warm_start_wants_every_class(cls, labels):
    X, y = problem()
    model = cls(**SMALL, warm_start=True).fit(X, labels[y])
    before, rows = dict(vars(model)), y != 1
    with pytest.raises(
        ValueError, match=rf"y lacks the classes \[{labels[1:2].tolist()[0]!r}\].*partial_fit.*warm_start"
    ):
        model.fit(X[rows], labels[y[rows]])
    assert vars(model) == before
    model.partial_fit(X[rows], labels[y[rows]])  # parts may lack some
    np.testing.assert_array_equal(model.classes_, labels)
    assert cls(**SMALL).fit(X, labels[y]).fit(X[rows], labels[y[rows]]).classes_.tolist() == labels[[0, 2]].tolist()


def test_a_warm_start_wants_every_label_to_have_a_column_only():
    X, y = problem()
    Y = np.eye(3, dtype=int)[y]
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True).fit(X, Y)
    assert model.fit(X, np.where([True, False, True], Y, 0)).n_outputs_ == 3
    with pytest.raises(ValueError, match="y must hold a column of 0 and 1 for each of 3 labels"):
        model.fit(X, Y[:, :2])


def test_warm_starts_in_a_grid_search_are_separate_fits():
    X, y = problem()
    grid = {"n_pretrain": [30, 5]}
    warm = GridSearchCV(GreedyPrunedMLPClassifier(**SMALL, warm_start=True), grid, cv=2).fit(X, y)
    cold = GridSearchCV(GreedyPrunedMLPClassifier(**SMALL), grid, cv=2).fit(X, y)
    np.testing.assert_array_equal(warm.cv_results_["mean_test_score"], cold.cv_results_["mean_test_score"])


@pytest.mark.parametrize("cls", [GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor])
def test_a_path_keeps_no_dense_state(cls):
    X, y = problem()
    model = cls(**SMALL, warm_start=True)
    for point in model.fit_path(X, y, n_pretrain=[5, 10], k=[2]):
        assert not hasattr(point.estimator, "_dense_state")


def test_skops_keeps_what_it_takes_to_go_on():
    skops_io = pytest.importorskip("skops.io")
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True, batch_size=16).fit(X, y)
    content = skops_io.dumps(model)
    trusted = skops_io.get_untrusted_types(data=content)
    assert all(name.startswith("sklearn_gfs.") for name in trusted)
    loaded = skops_io.loads(content, trusted=trusted)
    assert_equal_fits(loaded.set_params(n_pretrain=60).fit(X, y), model.set_params(n_pretrain=60).fit(X, y))
