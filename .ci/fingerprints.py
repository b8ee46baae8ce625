"""
Hash what some dozens of configurations learn, to compare two trees of the package bit by bit.

`python .ci/fingerprints.py` prints a line for each; the lines of two trees on one machine are equal where nothing that
is computed has changed. Arrays are hashed, not pickles: names of modules don't count.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning

from sklearn_gfs import (
    GreedyForwardSelector,
    GreedyPrunedMLP,
    GreedyPrunedMLPClassifier,
    GreedyPrunedMLPRegressor,
    PretrainThresholdSearch,
    SelectionStatistics,
    greedy_forward_selection,
    pretrain_threshold_curve,
    theory,
)

SMALL = {"n_pretrain": 60, "k": 12, "n_hidden": 80, "n_retrain": 80, "random_state": 0}


def numbers(value: Any) -> Iterator[np.ndarray]:
    """Yield every number that hangs on a fitted object, in the order of attributes' names; times are left out."""
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            if "time" not in str(key):
                yield from numbers(value[key])
    elif isinstance(value, list | tuple):
        for part in value:
            yield from numbers(part)
    elif isinstance(value, np.ndarray | np.generic | int | float | bool):
        array = np.asarray(value)
        yield array.astype(str) if array.dtype.kind in "OU" else array
    elif hasattr(value, "get_params"):
        yield from numbers({name: part for name, part in vars(value).items() if name.endswith("_") and name[0] != "_"})


def digest(value: Any) -> str:
    """Return a hash of all numbers, their types and shapes."""
    found = hashlib.sha256()
    for array in numbers(value):
        found.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def networks() -> Iterator[tuple[str, Any]]:
    """Yield fitted networks, by name."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:600], y[:600]
    weight = np.random.default_rng(0).uniform(0.5, 2, size=600)
    numbers_X, numbers_y = load_diabetes(return_X_y=True)
    labels_X, labels = make_multilabel_classification(300, random_state=0)
    for solver in ("adam", "sgd"):
        for activation in ("relu", "tanh", "logistic", "identity"):
            model = GreedyPrunedMLPRegressor(**SMALL, solver=solver, activation=activation)
            yield f"numbers, {solver}, {activation}", model.fit(numbers_X, numbers_y)
    for loss in ("squared_error", "log_loss"):
        model = GreedyPrunedMLPClassifier(**SMALL, loss=loss)
        yield f"classes, {loss}", model.fit(X, y)
        yield f"classes, {loss}, weights", model.fit(X, y, weight)
        yield f"classes, {loss}, sparse", model.fit(sparse.csr_array(X), y)
        yield f"classes, {loss}, float32", model.fit(X.astype(np.float32), y)
        yield (
            f"classes, {loss}, balanced, full batch",
            model.set_params(batch_size=None, class_weight="balanced").fit(X, y),
        )
        yield f"multilabel, {loss}", GreedyPrunedMLPClassifier(**SMALL, loss=loss).fit(labels_X, labels)
    model = GreedyPrunedMLP(**SMALL | {"n_pretrain": "auto"}, warm_start=True)
    yield "automatic", model.fit(X, y)
    yield "warm start", model.set_params(n_pretrain=400).fit(X, y)
    for part in range(3):
        model.partial_fit(X[part::3], y[part::3])
    yield "parts", model
    yield "path", [point.estimator for point in model.fit_path(X, y, n_pretrain=[0, 30], k=[3, 9])]


def selections() -> Iterator[tuple[str, Any]]:
    """Yield selections, by name."""
    rng = np.random.default_rng(1)
    H, B, Y = np.maximum(rng.normal(size=(2000, 200)), 0), rng.normal(size=(200, 3)), rng.normal(size=(2000, 3))
    weight = rng.uniform(0.5, 2, size=2000)
    for dtype in (np.float32, np.float64):
        for given in (None, weight):
            name = f"{np.dtype(dtype)}, {'equal' if given is None else 'own'} weights"
            atoms = H.astype(dtype)
            yield f"neurons, {name}", greedy_forward_selection(atoms, Y, 40, output_weights=B, sample_weight=given)
            yield f"atoms, {name}", greedy_forward_selection(atoms, Y[:, 0], 40, sample_weight=given)
            yield f"l1, {name}", greedy_forward_selection(atoms, Y, 20, hull="l1", sample_weight=given)
            labels = Y.argmax(axis=1)
            yield (
                f"log loss, {name}",
                greedy_forward_selection(atoms, labels, 10, output_weights=B, loss="log_loss", sample_weight=given),
            )
    shares = rng.dirichlet(np.ones(3), size=(2000, 50))
    labels = Y.argmax(axis=1)
    yield "probabilities", greedy_forward_selection(shares, labels, 30, loss="log_loss", from_logits=False)
    statistics = SelectionStatistics()
    for part in range(4):
        statistics.update(H[part::4], Y[part::4])
    yield "statistics", statistics.select(40, output_weights=B)
    yield "selector", GreedyForwardSelector(30).fit(H, Y)
    yield "selector, sparse", GreedyForwardSelector(30).fit(sparse.csr_array(H), Y)
    yield "selector, parts", GreedyForwardSelector(30).partial_fit(H[:900], Y[:900]).partial_fit(H[900:], Y[900:])


def searches() -> Iterator[tuple[str, Any]]:
    """Yield searches, and what else is measured, by name."""
    X, y = load_iris(return_X_y=True)
    model = GreedyPrunedMLPClassifier(n_hidden=50, n_retrain=20, random_state=0)
    yield "search", PretrainThresholdSearch(model, n_pretrain=[0, 10, 40], k=[3, 6], cv=3, target="best").fit(X, y)
    yield "search, automatic", PretrainThresholdSearch(model, cv=2, return_train_score=True).fit(X, y)
    yield "curve", pretrain_threshold_curve(model, X, y, n_repeats=2, random_state=0, target="best")
    rng = np.random.default_rng(2)
    atoms, target = rng.normal(size=(20, 8)), rng.normal(size=20)
    yield "hull", theory.hull_optimum(atoms, target)


def main() -> None:
    """Print a line for each configuration."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.simplefilter("ignore", UserWarning)
    for group in (networks, selections, searches):
        for name, value in group():
            print(f"{digest(value)}  {name}", flush=True)


if __name__ == "__main__":
    main()
