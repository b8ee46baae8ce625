"""
The claim: classes whose boundaries wind are learnt, because re-training may begin from other picks.

Spirals, chessboards, rings and the sign of a sine have one or two features. The pruned network is fitted with its
defaults, without other picks, and with the picks of the corrective selection, beside scikit-learn's MLP of as many
neurons. Writes docs/benchmarks/winding.md. The rule was made for spirals, chessboards of 4 x 4 and the sine.
"""

from __future__ import annotations

import time
import warnings
from unittest import mock

import numpy as np
from _common import publish, table, versions
from _quality import standardised_mlp
from sklearn.exceptions import ConvergenceWarning

from sklearn_gfs import GreedyPrunedMLPClassifier
from sklearn_gfs.mlp._searches import SearchByGradient

N_TEST, SEEDS, SIZES = 4000, 3, (500, 3000)


def spirals(n_samples, rng, n_classes=2):
    """Two or more arms of one and a half turns around the origin, with noise."""
    y, along = rng.integers(0, n_classes, n_samples), 3 * np.pi * rng.random(n_samples)
    angle = along + 2 * np.pi * y / n_classes
    return np.c_[along * np.cos(angle), along * np.sin(angle)] + 0.2 * rng.normal(size=(n_samples, 2)), y


def board(n_samples, rng, size=4):
    """Squares of two colours."""
    X = size * rng.random((n_samples, 2))
    return X, X.astype(int).sum(axis=1) % 2


def sine(n_samples, rng):
    """The sign of sin(5 x), of one normal feature."""
    X = rng.normal(size=(n_samples, 1))
    return X, (np.sin(5 * X[:, 0]) > 0).astype(int)


def rings(n_samples, rng):
    """Rings of equal width in the squared distance."""
    X = 1.3 * rng.normal(size=(n_samples, 2))
    return X, (X**2).sum(axis=1).astype(int) % 2


DATA = {
    "two spirals": spirals,
    "three spirals": lambda n_samples, rng: spirals(n_samples, rng, 3),
    "chessboard, 4 x 4": board,
    "chessboard, 8 x 8": lambda n_samples, rng: board(n_samples, rng, 8),
    "sign of a sine": sine,
    "rings": rings,
}
METHODS = ("pruned, 50", "without other picks", "corrective", "MLP(50)")


def fitted(method, X, y, seed):
    """Fit one method; return the model and the processor's seconds."""
    parameters = {"corrective": True} if method == "corrective" else {}
    model = standardised_mlp(True, 50, seed)
    if method != "MLP(50)":
        model = GreedyPrunedMLPClassifier(random_state=seed, **parameters)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the default MLP stops after 200 epochs
        if method == "without other picks":
            with mock.patch.object(SearchByGradient, "by_squares", return_value=None):
                model.fit(X, y)
        else:
            model.fit(X, y)
    return model, time.process_time() - start


def line_of(name, make, n_samples):
    """Return the mean accuracies and times of all methods, and the least accuracy of the defaults."""
    X, y = make(n_samples + N_TEST, np.random.default_rng(0))
    X, y, X_test, y_test = X[:n_samples], y[:n_samples], X[n_samples:], y[n_samples:]
    scores, seconds = np.empty((2, len(METHODS), SEEDS))
    for place, method in enumerate(METHODS):
        for seed in range(SEEDS):
            model, seconds[place, seed] = fitted(method, X, y, seed)
            scores[place, seed] = model.score(X_test, y_test)
    means = [f"{score:.3f}" for score in scores.mean(axis=1)]
    least = [f"{score:.3f}" for score in scores[:2].min(axis=1)]
    return [name, n_samples, *means, *least, *(f"{value:.2f}" for value in seconds.mean(axis=1))]


def main():
    fitted(METHODS[0], *board(300, np.random.default_rng(0)), 0)  # compiles
    rows = [line_of(name, make, n_samples) for name, make in DATA.items() for n_samples in SIZES]
    least = [f"least, {method}" for method in METHODS[:2]]
    publish(
        "winding",
        "Classes whose boundaries wind",
        "OMP_NUM_THREADS=1 python benchmarks/winding.py",
        f"Accuracy on {N_TEST} samples, mean and least of {SEEDS} seeds of the network, and seconds of the processor. "
        "All parameters are the defaults, but for `corrective=True`. The MLP gets standardised features. The rule for "
        "other picks was made for two spirals, chessboards of 4 x 4 and the sine. The other rows came afterwards.",
        table(["data", "samples", *METHODS, *least, *(f"seconds, {m}" for m in METHODS)], rows),
        versions(),
    )


if __name__ == "__main__":
    main()
