"""
This package's estimators behind the signatures that scikit-learn's own tests call.

A stand-in translates parameters, and nothing else: what is asserted is asserted of this package's fit and predictions.
A parameter that has no counterpart is an error, unless scikit-learn's tests set it only to make a fit short or silent.
"""

import numpy as np
import pandas as pd
from sklearn.datasets import make_regression

from sklearn_gfs import (
    GreedyEnsembleClassifier,
    GreedyEnsembleRegressor,
    GreedyForwardSelector,
    GreedyPrunedMLPClassifier,
    GreedyPrunedMLPRegressor,
    PretrainThresholdSearch,
)

# Parameters of scikit-learn's MLPs that say how long and by which variant of a solver to train.
_OF_SOLVERS = {
    "beta_1",
    "beta_2",
    "epsilon",
    "learning_rate",
    "max_fun",
    "n_iter_no_change",
    "nesterovs_momentum",
    "power_t",
    "shuffle",
    "tol",
}


def _translated(given):
    """
    Return the parameters of a network of this package for those of an MLP.

    Of several hidden layers the first is taken, passes over the data become updates, and an iteration of L-BFGS ten of
    them on all the samples at once.
    """
    own = {"k": 30, "n_hidden": 100, "n_pretrain": 200, "n_retrain": 50, "early_stopping": False}
    for name, value in given.items():
        if name == "hidden_layer_sizes":
            own["n_hidden"] = int(np.ravel(value)[0])
        elif name not in _OF_SOLVERS and (name, value) not in (("solver", "lbfgs"), ("batch_size", "auto")):
            own["n_pretrain" if name == "max_iter" else name] = value
    if given.get("solver") == "lbfgs":
        own |= {"batch_size": None, "n_pretrain": 10 * own["n_pretrain"], "n_retrain": 500}
    return own


def mlp_classifier(**given):
    """Stand in for MLPClassifier."""
    return GreedyPrunedMLPClassifier(**_translated(given), loss="log_loss")


def mlp_regressor(*, loss="squared_error", **given):
    """Stand in for MLPRegressor."""
    if loss != "squared_error":
        raise NotImplementedError(f"GreedyPrunedMLPRegressor has the squared error, not {loss}")
    return GreedyPrunedMLPRegressor(**_translated(given))


def _ensemble(kind, estimators, *, final_estimator=None, passthrough=False, **given):  # noqa: ARG001
    """Return an ensemble; its selection is in the place of a final estimator, which therefore is not taken."""
    if passthrough:
        raise NotImplementedError("an ensemble combines predictions of the models, not the features")
    return kind(estimators, k=10, **given)


def stacking_classifier(estimators, final_estimator=None, **given):
    """Stand in for StackingClassifier."""
    return _ensemble(GreedyEnsembleClassifier, estimators, final_estimator=final_estimator, **given)


def stacking_regressor(estimators, final_estimator=None, **given):
    """Stand in for StackingRegressor."""
    return _ensemble(GreedyEnsembleRegressor, estimators, final_estimator=final_estimator, **given)


def grid_search(estimator, param_grid, *, pre_dispatch=None, **given):  # noqa: ARG001 when folds are started
    """Stand in for GridSearchCV, for grids that are a budget: one parameter with integers that increase."""
    if isinstance(param_grid, list) and len(param_grid) == 1:
        (param_grid,) = param_grid
    if not isinstance(param_grid, dict) or len(param_grid) != 1:
        raise NotImplementedError(f"the grid {param_grid} has not one parameter")
    ((param, values),) = param_grid.items()
    return PretrainThresholdSearch(estimator, n_pretrain=values, param=param, target="best", tol=0.0, **given)


def routed_search(estimator, param_grid, **given):  # noqa: ARG001 its values are no integers
    """Stand in for GridSearchCV where scikit-learn's tests route metadata through it."""
    return PretrainThresholdSearch(estimator, n_pretrain=[1, 2], param="alpha", **given)


# The tests name their cases by it.
routed_search.__name__ = "PretrainThresholdSearch"


def sequential_selector(estimator, *, n_features_to_select="auto", direction="forward", cv=None, tol=None):  # noqa: ARG001
    """Stand in for SequentialFeatureSelector, which scores an estimator where this package asks y itself."""
    if direction != "forward":
        raise NotImplementedError("the selection goes forward")
    n_features = {} if n_features_to_select == "auto" else {"n_features_to_select": n_features_to_select}
    return GreedyForwardSelector(tol=tol, **n_features)


class StepSelector(GreedyForwardSelector):
    """Stand in for the tests' transformer that keeps every so many columns: fitted on data that make it keep those."""

    def __init__(self, step=2):
        self.step = step
        super().__init__(hull="convex")

    def fit(self, X, y=None):  # noqa: ARG002 the tests' own y is of no use
        """Fit on columns of which the mean of every so many is y."""
        columns = np.eye(np.shape(X)[1])
        if hasattr(X, "columns"):
            columns = pd.DataFrame(columns, columns=X.columns)
        self.k = len(range(0, columns.shape[1], self.step))
        return super().fit(columns, np.asarray(columns)[:, :: self.step].mean(axis=1))


class MaxIterEstimator(GreedyPrunedMLPRegressor):
    """Stand in for the callback tests' estimator with a known number of iterations, and data of its own."""

    def __init__(self, max_iter=20, computation_intensity=0.001):
        self.max_iter = max_iter
        self.computation_intensity = computation_intensity
        super().__init__(k=3, n_hidden=10, n_retrain=25, random_state=0)

    def fit(self, X=None, y=None, *, sample_weight=None):
        """Pre-train for as many iterations."""
        if X is None:
            X, y = make_regression(n_samples=30, n_features=2, random_state=0)
        self.n_pretrain = self.max_iter
        return super().fit(X, y, sample_weight=sample_weight)
