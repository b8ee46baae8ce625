"""
Fast doubles of the estimators, for the search's tests: linear models trained by gradient descent.

They keep the contract of ``fit_path``: "dense" is the model after n_pretrain iterations, "sub" its k
largest coefficients, trained a little more. NumPy only, so that thousands of fits cost nothing.
"""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from sklearn_gfs import PathPoint


class _PathDouble(BaseEstimator):
    def __init__(self, n_pretrain=20, k=3, *, n_retrain=3, random_state=None):
        self.n_pretrain = n_pretrain
        self.k = k
        self.n_retrain = n_retrain
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        *_, point = self.fit_path(X, y, n_pretrain=[self.n_pretrain], sample_weight=sample_weight)
        vars(self).update({name: value for name, value in vars(point.estimator).items() if name.endswith("_")})
        return self

    def fit_path(self, X, y, *, n_pretrain, k=None, sample_weight=None):
        sizes = [self.k] if k is None else sorted(k)
        if min(sizes) < 1:
            raise ValueError(f"k must be at least 1, got {min(sizes)}")
        several = get_tags(self).target_tags.multi_output
        X, y = validate_data(self, X, y, multi_output=several, y_numeric=several)
        weight = _check_sample_weight(sample_weight, X)
        weight = weight / weight.sum()
        targets = self._targets(y)
        shift, scale = weight @ X, np.sqrt(weight @ (X - weight @ X) ** 2)
        scale[scale == 0] = 1
        Z = (X - shift) / scale
        center = weight @ targets
        coef = np.zeros((X.shape[1], targets.shape[1]))
        rng = np.random.default_rng(self.random_state if self.random_state is not None else 0)
        coef += 0.1 * rng.normal(size=coef.shape)
        rate = 1 / max(1.0, np.linalg.norm(Z * np.sqrt(weight)[:, None], 2) ** 2)
        done = 0
        for budget in n_pretrain:
            for _ in range(budget - done):
                coef = coef - rate * Z.T @ (weight[:, None] * (Z @ coef - targets + center))
            done = budget
            yield PathPoint(budget, None, self._fitted(budget, self.k, coef, shift, scale, center))
            for size in sizes:
                keep = np.argsort(-np.abs(coef).sum(axis=1), kind="stable")[:size]
                small = np.zeros_like(coef)
                small[keep] = coef[keep]
                for _ in range(self.n_retrain):
                    small[keep] -= rate * Z[:, keep].T @ (weight[:, None] * (Z @ small - targets + center))
                yield PathPoint(budget, size, self._fitted(budget, size, small, shift, scale, center))

    def _fitted(self, budget, size, coef, shift, scale, center):
        model = clone(self).set_params(n_pretrain=budget, k=size)
        vars(model).update({name: value for name, value in vars(self).items() if name.endswith("_")})
        model.coef_ = coef / scale[:, None]
        model.intercept_ = center - shift @ model.coef_
        return model

    def _output(self, X):
        check_is_fitted(self)
        return validate_data(self, X, reset=False) @ self.coef_ + self.intercept_


class PathRegressor(RegressorMixin, _PathDouble):
    def _targets(self, y):
        self.flat_ = y.ndim == 1
        return np.asarray(y, dtype=float).reshape(len(y), -1)

    def predict(self, X):
        output = self._output(X)
        return output[:, 0] if self.flat_ else output

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class PathClassifier(ClassifierMixin, _PathDouble):
    def _targets(self, y):
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("The labels hold one class only; a classifier needs two.")
        return np.eye(len(self.classes_))[codes]

    def predict(self, X):
        return self.classes_[self._output(X).argmax(axis=1)]

    def predict_proba(self, X):
        output = 3 * self._output(X)
        output = np.exp(output - output.max(axis=1, keepdims=True))
        return output / output.sum(axis=1, keepdims=True)

    def decision_function(self, X):
        output = self._output(X)
        return output[:, 1] - output[:, 0] if len(self.classes_) == 2 else output


class OnlyFit(PathClassifier):
    """The same model without ``fit_path``: the search has to fit it once for each point."""

    def fit(self, X, y, sample_weight=None):
        *_, point = PathClassifier.fit_path(self, X, y, n_pretrain=[self.n_pretrain], sample_weight=sample_weight)
        vars(self).update({name: value for name, value in vars(point.estimator).items() if name.endswith("_")})
        return self

    @property
    def fit_path(self):
        raise AttributeError("fit_path")
