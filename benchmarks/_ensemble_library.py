"""
A library of 40 models for ``ensemble.py``: out-of-fold and test predictions, kept on disk model by model.

What is finished is not repeated, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn import datasets
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import ElasticNetCV, HuberRegressor, LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

# Largest number of training samples.
N_TRAIN = 1500
# Largest number of test samples.
N_TEST = 3000
# Number of folds, on which the models of a library are fitted.
N_FOLDS = 5


class Predictions(NamedTuple):
    """Predictions of a library, (n_models, n_samples, n_classes) or (n_models, n_samples), and the targets."""

    names: list[str]
    out_of_fold: np.ndarray
    test: np.ndarray
    y: np.ndarray  # indices of classes, or numbers
    y_test: np.ndarray


def load(tabular: str | None) -> dict[str, tuple[Any, Any]]:
    """Return name -> X, y of scikit-learn's own sets and of those in the npz file; only y of floats holds numbers."""
    found = {name: getattr(datasets, f"load_{name}")(return_X_y=True) for name in ("breast_cancer", "digits", "wine")}
    X, y = datasets.load_diabetes(return_X_y=True)
    found["diabetes"] = (X, y.astype(float))
    found["friedman1"] = datasets.make_friedman1(2000, noise=1.0, random_state=0)
    if tabular:
        with np.load(tabular) as data:
            names = sorted({name.partition("/")[0] for name in data.files})
            found |= {name: (data[f"{name}/X"], data[f"{name}/y"]) for name in names}
    return found


def scaled(model: Any) -> Any:
    """Return the model after standardisation."""
    return make_pipeline(StandardScaler(), model)


def kernel(gamma: float, model: Any) -> Any:
    """Return a linear model on 200 random features of a Gaussian kernel, of this width on standardised features."""

    class Scaled(Nystroem):
        def fit(self, X: Any, y: Any = None) -> Any:
            self.gamma = gamma / X.shape[1]
            return super().fit(X, y)

    return make_pipeline(StandardScaler(), Scaled(n_components=200, random_state=0), model)


def spline(model: Any) -> Any:
    """Return a linear model on splines of the features."""
    return make_pipeline(StandardScaler(), SplineTransformer(5, extrapolation="constant"), StandardScaler(), model)


def shared(classes: bool) -> dict[str, Any]:
    """Return the models that there are for both tasks, by name."""

    def kind(classifier: Any, regressor: Any) -> Any:
        return classifier if classes else regressor

    boosting = kind(HistGradientBoostingClassifier, HistGradientBoostingRegressor)
    forest = kind(RandomForestClassifier, RandomForestRegressor)
    extra = kind(ExtraTreesClassifier, ExtraTreesRegressor)
    neighbours = kind(KNeighborsClassifier, KNeighborsRegressor)
    network = kind(MLPClassifier, MLPRegressor)
    pruned = kind(GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor)
    tree = kind(DecisionTreeClassifier, DecisionTreeRegressor)
    bagging = kind(BaggingClassifier, BaggingRegressor)
    linear = kind(lambda c: LogisticRegression(C=c, max_iter=300), lambda c: Ridge(1 / c))
    found: dict[str, Any] = {}
    for rate, leaves in ((0.1, 31), (0.05, 15), (0.2, 7), (0.1, 4)):
        found[f"boosting {rate} {leaves}"] = boosting(
            learning_rate=rate, max_leaf_nodes=leaves, max_iter=60, random_state=0
        )
    for leaf, share in ((1, "sqrt"), (5, "sqrt"), (1, 0.5), (20, 0.5)):
        found[f"forest {leaf} {share}"] = forest(60, min_samples_leaf=leaf, max_features=share, random_state=0)
        found[f"extra trees {leaf} {share}"] = extra(60, min_samples_leaf=leaf, max_features=share, random_state=0)
    for n, weights in ((1, "uniform"), (5, "uniform"), (10, "distance"), (20, "distance"), (50, "uniform")):
        found[f"neighbours {n} {weights}"] = scaled(neighbours(n, weights=weights))
    for c in (0.01, 1.0, 100.0):
        found[f"linear {c}"] = scaled(linear(c))
    for c in (0.01, 1.0):
        found[f"spline {c}"] = spline(linear(c))
    for gamma in (0.1, 0.5, 2.0):
        found[f"kernel {gamma}"] = kernel(gamma, linear(10.0))
    for size, alpha in ((20, 1e-4), (100, 1e-4), (100, 1.0)):
        found[f"network {size} {alpha}"] = scaled(
            network(hidden_layer_sizes=(size,), alpha=alpha, learning_rate_init=0.01, max_iter=40, random_state=0)
        )
    for k in (10, 50):
        found[f"pruned network {k}"] = pruned(k=k, n_hidden=500, n_retrain=500, random_state=0)
    for depth in (3, 6, None):
        found[f"tree {depth}"] = tree(max_depth=depth, random_state=0)
    found["bagged trees"] = bagging(tree(max_depth=8), 30, random_state=0)
    found["bagged neighbours"] = scaled(bagging(neighbours(10), 10, max_features=0.7, random_state=0))
    return found


def models(classes: bool) -> dict[str, Any]:
    """Return the 40 models by name."""
    found = shared(classes)
    if classes:
        found["bayes"] = GaussianNB()
        found["discriminant"] = scaled(LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1))
        found["quadratic discriminant"] = scaled(QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.2))
        found["balanced forest"] = RandomForestClassifier(60, class_weight="balanced", random_state=0)
        found["balanced linear"] = scaled(LogisticRegression(class_weight="balanced", max_iter=300))
    else:
        found["support vectors 1"] = scaled(SVR(C=1.0))
        found["support vectors 10"] = scaled(SVR(C=10.0))
        found["elastic net"] = scaled(ElasticNetCV(cv=3))
        found["huber"] = scaled(HuberRegressor(max_iter=300))
        found["adaboost"] = AdaBoostRegressor(DecisionTreeRegressor(max_depth=4), n_estimators=30, random_state=0)
    return found


def split(X: Any, y: Any, seed: int) -> tuple[Any, Any, Any, Any]:
    """
    Return X, X_test, y, y_test of a data set, with at most N_TRAIN and N_TEST samples.

    Labels are indices, continuous targets are standardised. Classes that are too rare for all folds are left out.
    """
    classes = y.dtype.kind != "f"
    rows = np.random.default_rng(seed).permutation(len(y))[: N_TRAIN + N_TEST]
    X, y = X[rows], y[rows]
    if classes:
        counts = dict(zip(*np.unique(y, return_counts=True), strict=True))
        frequent = np.array([counts[label] >= 2 * N_FOLDS for label in y])
        X, y = X[frequent], np.unique(y[frequent], return_inverse=True)[1]
    size = min(N_TRAIN, round(0.6 * len(y)))
    X, X_test, y, y_test = train_test_split(X, y, train_size=size, stratify=y if classes else None, random_state=seed)
    if classes:
        return X, X_test, y, y_test
    mean, scale = y.mean(), y.std()
    return X, X_test, (y - mean) / scale, (y_test - mean) / scale


def predictions(name: str, X: Any, y: Any, seed: int, cache: Path) -> Predictions:
    """Return what the library says of a data set, from the cache as far as it is there."""
    classes = y.dtype.kind != "f"
    X, X_test, y, y_test = split(X, y, seed)
    folds = (StratifiedKFold if classes else KFold)(N_FOLDS, shuffle=True, random_state=seed)
    method = "predict_proba" if classes else "predict"
    library = models(classes)
    found = []
    for model, estimator in library.items():
        file = cache / f"{name}-{seed}-{model.replace(' ', '_')}.npz"
        if not file.is_file():
            start = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                out_of_fold = cross_val_predict(estimator, X, y, cv=folds, method=method)
                test = getattr(clone(estimator).fit(X, y), method)(X_test)
            partial = file.with_suffix(".partial.npz")
            np.savez(partial, out_of_fold=out_of_fold, test=test)
            partial.rename(file)
            print(f"{file.stem}: {time.perf_counter() - start:.1f} s", flush=True)
        with np.load(file) as data:
            found.append((data["out_of_fold"], data["test"]))
    out_of_fold, test = (np.stack(parts) for parts in zip(*found, strict=True))
    return Predictions(list(library), out_of_fold, test, y, y_test)
