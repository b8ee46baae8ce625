"""Logarithms of probabilities."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor, PretrainThresholdSearch

SMALL = {"n_pretrain": 20, "k": 8, "n_hidden": 40, "n_retrain": 40, "random_state": 0}


def targets(kind):
    X, y = (load_breast_cancer if kind == "two classes" else load_wine)(return_X_y=True)
    return X, np.eye(3, dtype=int)[y] if kind == "labels" else y


@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("kind", ["two classes", "classes", "labels"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_they_are_the_logarithms(cls, loss, kind, dtype):
    X, y = targets(kind)
    model = cls(**SMALL, loss=loss).fit(X.astype(dtype), y)
    probabilities, logs = model.predict_proba(X.astype(dtype)), model.predict_log_proba(X.astype(dtype))
    assert logs.dtype == probabilities.dtype
    assert logs.shape == probabilities.shape
    np.testing.assert_allclose(np.exp(logs), probabilities, rtol=1e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("kind", ["two classes", "classes"])
def test_those_of_zero_are_minus_infinity(kind):
    X, y = targets(kind)
    model = GreedyPrunedMLPClassifier(**SMALL, loss="squared_error").fit(X, y)
    zero = model.predict_proba(X) == 0
    assert zero.any()
    np.testing.assert_array_equal(np.isneginf(model.predict_log_proba(X)), zero)  # no warning, which would be an error


@pytest.mark.parametrize("kind", ["two classes", "classes"])
def test_those_of_the_log_loss_are_finite_where_the_probability_underflows(kind):
    X, y = targets(kind)
    model = GreedyPrunedMLPClassifier(**SMALL, loss="log_loss").fit(X, y)
    far = 1e4 * X
    assert (model.predict_proba(far) == 0).any()
    assert np.isfinite(model.predict_log_proba(far)).all()


def test_who_has_them():
    X, y = targets("classes")
    assert not hasattr(GreedyPrunedMLPRegressor(), "predict_log_proba")
    assert hasattr(GreedyPrunedMLP(), "predict_log_proba")
    assert not hasattr(GreedyPrunedMLP(**SMALL).fit(X, X[:, 0]), "predict_log_proba")
    pipeline = make_pipeline(StandardScaler(), GreedyPrunedMLPClassifier(**SMALL))
    search = PretrainThresholdSearch(pipeline, n_pretrain=[5, 20], target="best", cv=2).fit(X, y)
    np.testing.assert_array_equal(search.predict_log_proba(X), search.best_estimator_.predict_log_proba(X))
