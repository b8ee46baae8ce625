"""Wrong input is refused with an error that names it; odd input gives a finite model."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from mlp.small import ALL, SMALL, blobs
from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"k": 0}, r"'k' parameter of .* must be an int in the range \[1, inf\)\. Got 0"),
        ({"k": 2.5}, "'k' parameter of .* must be an int"),
        (
            {"n_pretrain": -1},
            r"'n_pretrain' parameter of .* must be an int in the range \[0, inf\) or .*'auto'.* Got -1",
        ),
        ({"n_retrain": -5}, "'n_retrain' parameter"),
        ({"n_hidden": 0}, "'n_hidden' parameter"),
        ({"activation": "swish"}, "'activation' parameter of .* must be a str among .*'relu'.* Got 'swish'"),
        ({"solver": "lbfgs"}, "'solver' parameter of .* must be a str among"),
        ({"learning_rate_init": 0.0}, "'learning_rate_init' parameter"),
        ({"momentum": 1.0}, "'momentum' parameter"),
        ({"batch_size": 0}, "'batch_size' parameter"),
        ({"alpha": -1e-3}, "'alpha' parameter"),
        ({"validation_fraction": 1.0}, "'validation_fraction' parameter"),
        ({"selection_samples": 0}, "'selection_samples' parameter"),
        ({"early_stopping": "yes"}, "'early_stopping' parameter"),
        ({"random_state": "zero"}, "'random_state' parameter"),
    ],
)
def test_impossible_parameters_are_named(cls, parameters, message):
    X, y = blobs()
    with pytest.raises(ValueError, match=message):
        cls(**{**SMALL, **parameters}).fit(X, y)


@pytest.mark.parametrize("value", [True, np.True_])
@pytest.mark.parametrize(
    "name",
    [
        "n_pretrain",
        "k",
        "n_hidden",
        "n_retrain",
        "learning_rate_init",
        "momentum",
        "batch_size",
        "alpha",
        "validation_fraction",
        "selection_samples",
        "max_time",
    ],
)
def test_a_truth_value_is_no_number(name, value):
    X, y = blobs()
    with pytest.raises(ValueError, match=f"'{name}' parameter of .* must be .* Got True instead"):
        GreedyPrunedMLPClassifier(**{**SMALL, name: value}).fit(X, y)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (np.where(X > 1, np.nan, X), y), "Input X contains NaN"),
        (lambda X, y: (np.where(X > 1, np.inf, X), y), "Input X contains infinity"),
        (lambda X, y: (X[:0], y[:0]), "0 sample"),
        (lambda X, y: (X[:, :0], y), "0 feature"),
        (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
        (lambda X, y: (X[:, 0], y), "Expected 2D array"),
        (lambda X, _: (X, None), "requires y to be passed"),
    ],
)
def test_impossible_data_are_refused(cls, change, message):
    with pytest.raises(ValueError, match=message):
        cls(**SMALL).fit(*change(*blobs()))


@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier])
def test_one_class_is_refused(cls):
    X, _ = blobs()
    with pytest.raises(ValueError, match="one class, 'only'; a classifier needs at least two"):
        cls(**SMALL).fit(X, ["only"] * len(X))


@pytest.mark.parametrize(("huge", "factor"), [("X", 1e200), ("y", 1e200), ("y", 4e307)])
def test_numbers_that_overflow_are_refused(huge, factor):
    X, _ = blobs()
    y = X[:, 0].copy()
    (X if huge == "X" else y)[...] *= factor
    with pytest.raises(ValueError, match=f"{huge} holds values so large|not finite in the units"):
        GreedyPrunedMLPRegressor(**SMALL).fit(X, y)


@pytest.mark.parametrize("factor", [1e-165, 1e-200, 1e-300])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_targets_whose_variance_is_no_number_are_refused(factor, n_outputs):
    X, _ = blobs()
    y = X[:, 0] if n_outputs == 1 else X[:, :2] * [1, 1 / factor]
    with pytest.raises(ValueError, match="y holds values so small that a variance underflows; scale y up"):
        GreedyPrunedMLPRegressor(**SMALL).fit(X, factor * y)


TINY = [(np.float64, 1e-155), (np.float64, 1e-162), (np.float64, 1e-250), (np.float32, 1e-39), (np.float32, 1e-42)]


@pytest.mark.parametrize(("dtype", "factor"), TINY)
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("share", [1.0, 0.05])
def test_features_whose_variance_is_no_number_are_refused(dtype, factor, convert, share):
    X, y = blobs()
    rare = np.random.default_rng(0).random((2, len(X))) < share
    X[:, :2] *= factor * rare.T
    X = convert(X.astype(dtype))
    named = r"Columns 0, 1 of X hold values so small that a variance underflows in float(32|64)\. Scale them up"
    for fit in (GreedyPrunedMLPClassifier(**SMALL).fit, GreedyPrunedMLPRegressor(**SMALL).fit):
        with pytest.raises(ValueError, match=named):
            fit(X, y)
    with pytest.raises(ValueError, match=named):
        GreedyPrunedMLPRegressor(**SMALL).partial_fit(X, y)


def test_stored_features_keep_their_names():
    X = sparse.random(60, 100_000, 0.001, format="lil", random_state=0)
    X[:30, 99_999] = 1e-300
    with pytest.raises(ValueError, match="Columns 99999 of X hold values so small"):
        GreedyPrunedMLPRegressor(**SMALL).fit(X.tocsr(), np.arange(60.0))


@pytest.mark.parametrize("value", [0.0, 5e-324, 1e-300, 1.0, 1e100])
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array])
def test_constant_features_of_any_size_have_no_effect(value, convert):
    X, y = blobs()
    X[:, 1] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GreedyPrunedMLPRegressor(**SMALL).fit(convert(X), y)
    assert not model.coefs_[0][1].any()


@pytest.mark.parametrize("offset", [1.0, 1e-100])
def test_noise_of_rounding_around_a_constant_has_no_effect(offset):
    X, y = blobs()
    X[:, 1] = offset * (1 + np.finfo(float).eps * (np.arange(len(X)) % 3))
    assert not GreedyPrunedMLPRegressor(**SMALL).fit(X, y).coefs_[0][1].any()


@pytest.mark.parametrize("factor", [1e-150, 1e150])
def test_the_unit_of_features_does_not_matter(factor):
    X, y = blobs()
    factor = 2.0 ** np.rint(np.log2(factor))
    expected = GreedyPrunedMLPRegressor(**SMALL).fit(X, y).predict(X)
    found = GreedyPrunedMLPRegressor(**SMALL).fit(factor * X, y).predict(factor * X)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("factor", [0.0, 1e-300])
def test_constant_targets_of_any_size_are_fitted(factor):
    X, _ = blobs()
    model = GreedyPrunedMLPRegressor(**SMALL, early_stopping=False).fit(X, np.full(len(X), factor))
    np.testing.assert_allclose(model.predict(X), factor, atol=0.01)


@pytest.mark.parametrize("kind", ["datetime64[D]", "timedelta64[s]"])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_times_are_no_numbers(n_outputs, kind):
    X, _ = blobs()
    y = X[:, 0] if n_outputs == 1 else X[:, :2]
    times = np.arange(y.size).reshape(y.shape).astype(kind)
    model = GreedyPrunedMLPRegressor(**SMALL)
    with pytest.raises(ValueError, match=r"y holds dates or times.*a regressor needs numbers"):
        model.fit(X, times)
    with pytest.raises(ValueError, match=r"y_val holds dates or times.*a regressor needs numbers"):
        model.fit(X, y, X_val=X, y_val=times)


def test_a_step_that_explodes_leaves_no_model():
    X, y = blobs()
    model = GreedyPrunedMLPClassifier(**SMALL).set_params(learning_rate_init=1e200)
    with pytest.raises(ValueError, match=r"learning_rate_init \(it was 1e\+200\) or look for"):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")


def test_a_penalty_that_explodes_is_named():
    X, y = blobs()
    with pytest.raises(ValueError, match=r"a smaller learning_rate_init .* or alpha \(it was 1e\+300\), or look for"):
        GreedyPrunedMLPClassifier(**SMALL, alpha=1e300).fit(X, y)


@pytest.mark.filterwarnings("ignore:.*ended at a training loss:sklearn.exceptions.ConvergenceWarning")
@settings(max_examples=100)
@given(data=st.data(), seed=st.integers(0, 2**31 - 1))
def test_small_problems_give_a_finite_model(data, seed):
    rng = np.random.default_rng(seed)
    n_samples, n_features = data.draw(st.integers(2, 12)), data.draw(st.integers(1, 4))
    X = rng.normal(size=(n_samples, n_features)) * 10.0 ** rng.integers(-6, 7, size=n_features)
    X[:, data.draw(st.integers(0, n_features - 1))] = data.draw(st.sampled_from([0.0, 1e6, X[0, 0]]))
    model = GreedyPrunedMLPRegressor(
        n_pretrain=data.draw(st.integers(0, 5)),
        k=data.draw(st.sampled_from([1, 3, 40])),
        n_hidden=data.draw(st.integers(1, 6)),
        n_retrain=data.draw(st.integers(0, 25)),
        activation=data.draw(st.sampled_from(["identity", "logistic", "relu", "tanh"])),
        solver=data.draw(st.sampled_from(["adam", "sgd"])),
        batch_size=data.draw(st.sampled_from([None, 1, 4, 100])),
        alpha=data.draw(st.sampled_from([0.0, 0.1])),
        early_stopping=data.draw(st.booleans()),
        random_state=seed % 1000,
    )
    n_outputs = data.draw(st.integers(1, 9))
    model.fit(X, np.squeeze(rng.normal(size=(n_samples, n_outputs)), axis=1 if n_outputs == 1 else ()))
    assert np.isfinite(model.predict(X)).all()
    assert np.isfinite(model.selection_losses_).all()
    assert (model.duality_gaps_ >= -1e-9).all()
