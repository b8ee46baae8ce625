"""Libraries for the tests of ensembles: models whose predictions are stored, and small sets of data."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin


class Told(ClassifierMixin, BaseEstimator):
    """Says what it was told, of the samples whose numbers are in X; counts how often it is fitted and asked."""

    def __init__(self, table=None, labels=None):
        self.table = table
        self.labels = labels

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y) if self.labels is None else self.labels
        self.n_features_in_ = X.shape[1]
        return self

    def predict_proba(self, X):
        self.n_asked_ = getattr(self, "n_asked_", 0) + 1
        return self.table[np.asarray(X)[:, 0].astype(int)]

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class ToldNumbers(RegressorMixin, BaseEstimator):
    """The same of numbers."""

    def __init__(self, table=None):
        self.table = table

    def fit(self, X, y, sample_weight=None):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return self.table[np.asarray(X)[:, 0].astype(int)]


def rows(n_samples):
    """Return the X from which such models read their samples."""
    return np.arange(n_samples)[:, None]


def named(models):
    """Return the models with names."""
    return [(f"m{i}", model) for i, model in enumerate(models)]


@st.composite
def libraries(draw, *, classes=True, max_models=8):
    """Draw outputs (n_models, n_samples, n_columns), targets, weights and a number of picks."""
    n_models, n_samples = draw(st.integers(1, max_models)), draw(st.integers(4, 25))
    n_columns = draw(st.integers(2, 3)) if classes else draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    oddity = draw(st.sampled_from(["none", "zero", "duplicate", "rounded"]))
    if classes:
        outputs = rng.dirichlet(np.ones(n_columns), (n_models, n_samples))
        y = np.resize(np.arange(n_columns), n_samples)
    else:
        outputs = rng.standard_normal((n_models, n_samples, n_columns))
        y = rng.standard_normal((n_samples, n_columns))
    model, other = rng.integers(n_models, size=2)
    if oddity == "duplicate":
        outputs[model] = outputs[other]
    elif oddity == "zero":  # a model that holds a class impossible, or says nothing
        outputs[model] = np.eye(n_columns)[0] if classes else 0.0
    elif oddity == "rounded" and classes:
        outputs = np.eye(n_columns)[outputs.argmax(axis=2)]
    elif oddity == "rounded":
        outputs = np.round(outputs)
    return outputs, y, rng.uniform(0.1, 2.0, n_samples), draw(st.integers(1, 9))
