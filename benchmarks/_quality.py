"""Data sets, splits, finished rows and paired comparisons of the benchmarks on quality; no claim of its own."""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import log_loss
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

BATCH = 128
# Number of samples above which nine tenths of a data set train, and not half.
LARGE = 4500
# Smaller data sets of which nine tenths train, because they have few samples for each class.
KEPT = ("airfoil", "segment", "vowel", "abalone")


def load_all(mnist: str | None) -> dict[str, tuple[Any, Any, bool]]:
    """Return name -> (X, y, whether y holds classes); MNIST's where its npz file is named."""
    found = {}
    for name in ("iris", "wine", "breast_cancer", "digits"):
        found[name] = (*getattr(datasets, f"load_{name}")(return_X_y=True), True)
    found["diabetes"] = (*datasets.load_diabetes(return_X_y=True), False)
    found["friedman1"] = (*datasets.make_friedman1(1000, noise=1.0, random_state=0), False)
    found["friedman2"] = (*datasets.make_friedman2(1000, noise=50.0, random_state=0), False)
    found["friedman3"] = (*datasets.make_friedman3(1000, noise=0.1, random_state=0), False)
    found["regression"] = (*datasets.make_regression(300, 50, n_informative=10, noise=20, random_state=0), False)
    found["hastie"] = (*datasets.make_hastie_10_2(4000, random_state=0), True)
    found["moons"] = (*datasets.make_moons(1000, noise=0.25, random_state=0), True)
    X, y = datasets.make_classification(2000, 20, n_informative=8, n_classes=4, random_state=0)
    found["classification"] = (X, y, True)
    if mnist:
        with np.load(mnist) as data:
            images, labels = data["x_train"].reshape(60_000, -1).astype(np.float32), data["y_train"]
        for n_samples in (1000, 10_000):
            rows = np.random.default_rng(0).permutation(60_000)[: 2 * n_samples]  # half of them train
            found[f"mnist, {n_samples}"] = (images[rows], labels[rows], True)
    return found


def load_tabular(path: str) -> dict[str, tuple[Any, Any, bool]]:
    """Return scikit-learn's data sets and those of this npz file, as `load_all` does."""
    found = load_all(None)
    with np.load(path, allow_pickle=True) as file:
        for name in sorted({key.split("/")[0] for key in file.files}):
            y = file[f"{name}/y"]
            found[name] = (file[f"{name}/X"], y, y.dtype.kind == "U")
    return found


def split_off(name: str, X: Any, y: Any, classes: bool, seed: int) -> tuple[Any, Any, Any, Any]:
    """Return X, y, X_test, y_test with a tenth for testing, of small data sets a half; classes stratified."""
    test_size = 0.1 if len(X) > LARGE or name in KEPT else 0.5
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=test_size, random_state=seed, stratify=y if classes else None
    )
    return X, y, X_test, y_test


def halves(X: Any, y: Any, classes: bool, n_splits: int, random_state: int) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Yield X, y, X_test, y_test of repeated splits into halves, each of which trains once; classes stratified."""
    splitter = RepeatedStratifiedKFold if classes else RepeatedKFold
    splits = splitter(n_splits=2, n_repeats=(n_splits + 1) // 2, random_state=random_state).split(X, y)
    for _, (train, test) in zip(range(n_splits), splits, strict=False):
        yield X[train], y[train], X[test], y[test]


def quality(model: Any, X_test: Any, y_test: Any) -> dict[str, float]:
    """Return the score of a fitted model, and for classes the Brier score and the log loss of its probabilities."""
    row = {"score": float(model.score(X_test, y_test))}
    if hasattr(model, "classes_"):
        shares = model.predict_proba(X_test)
        row["brier"] = float(np.mean(np.sum((shares - (y_test[:, None] == model.classes_)) ** 2, axis=1)))
        row["log_loss"] = float(log_loss(y_test, shares, labels=model.classes_))
    return row


def standardised_mlp(classes: bool, n_units: int, seed: int, **parameters: Any) -> Any:
    """Return scikit-learn's MLP with one hidden layer; features are standardised, and targets that are numbers."""
    network = (MLPClassifier if classes else MLPRegressor)(
        hidden_layer_sizes=(n_units,), random_state=seed, **parameters
    )
    network = network if classes else TransformedTargetRegressor(network, transformer=StandardScaler())
    return make_pipeline(StandardScaler(), network)


def epochs_within(seconds: float, X: Any, y: Any, classes: bool, n_units: int) -> dict[str, int]:
    """Return parameters of the MLP with which a fit takes about `seconds` of processor time."""
    tried = {"batch_size": min(BATCH, len(X)), "max_iter": 3, "n_iter_no_change": 3}
    start = time.process_time()
    standardised_mlp(classes, n_units, 0, **tried).fit(X, y)
    n_epochs = max(1, round(3 * seconds / (time.process_time() - start)))
    return tried | {"max_iter": n_epochs, "n_iter_no_change": n_epochs}


def data_folder(parser: argparse.ArgumentParser, folder: str | None, package: str, inside: str) -> Path:
    """Return the folder that was named, or that inside of an installed package; end the command where there is none."""
    if folder is not None:
        return Path(folder)
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        parser.error(f"{package} is not installed; install it, or name the folder of its data by --folder")
    return Path(spec.origin).parent / inside


class Rows:
    """
    Finished rows, one line of JSON each, so that an interrupted run goes on where it was.

    A row is a dictionary; `key` names the entries that tell rows apart.
    """

    def __init__(self, path: str | None, key: tuple[str, ...]) -> None:
        self._path = None if path is None else Path(path)
        self._key = key
        self._rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        if self._path is not None and self._path.is_file():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                self._rows[self._of(row)] = row

    def _of(self, row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in self._key)

    def has(self, *key: Any) -> bool:
        """Say whether this row was finished."""
        return key in self._rows

    def finished(self) -> list[tuple[Any, ...]]:
        """Return what tells the finished rows apart, in order."""
        return sorted(self._rows)

    def get(self, *key: Any) -> dict[str, Any]:
        """Return a finished row."""
        return self._rows[key]

    def add(self, row: dict[str, Any]) -> None:
        """Keep a finished row."""
        self._rows[self._of(row)] = row
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

    def column(self, name: str, **having: Any) -> dict[int, float]:
        """Return split -> the entry of this name, of the rows that have it and these other entries."""
        return {
            row["split"]: row[name]
            for row in self._rows.values()
            if name in row and all(row[other] == value for other, value in having.items())
        }


def paired(ours: dict[int, float], others: dict[int, float]) -> tuple[float, float]:
    """
    Return the mean of ours - others over the splits that both have, and its standard error.

    Two splits of one repeat share their samples and different repeats overlap, so the error is somewhat too small.
    """
    differences = np.array([ours[split] - others[split] for split in ours if split in others])
    error = differences.std(ddof=1) / np.sqrt(len(differences)) if len(differences) > 1 else np.inf
    return float(differences.mean()), float(error)
