"""
Corrective selection: times against the paper's selection, and against scikit-learn and FastCan.

Run from the repository: ``python benchmarks/corrective.py [time] [pursuit] [features]``, one page each. FastCan (``pip
install fastcan``) may be missing: then its columns stay empty.
"""

from __future__ import annotations

import importlib.util
import shlex
import sys

import numpy as np
from _common import publish, seconds, table, versions
from selection import KINDS, LIMIT_SIZES, neurons
from sklearn.base import BaseEstimator
from sklearn.datasets import load_diabetes, load_wine, make_classification, make_regression
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.linear_model import LinearRegression, OrthogonalMatchingPursuit, orthogonal_mp_gram
from sklearn.utils.validation import validate_data
from threadpoolctl import threadpool_limits

from sklearn_gfs import GreedyForwardSelector, SelectionStatistics, greedy_forward_selection

HAS_FASTCAN = importlib.util.find_spec("fastcan") is not None
RIVALS = {
    "pursuit": "OMP",
    "sequential": "SFS",
    "fastcan": "FastCan",
}
ABSENT = {"pursuit": "picks for each target", "sequential": "too slow", "fastcan": "not installed"}


def against_the_paper(make, name, size):
    """Return the rows of one size; the corrective selection makes as many picks as the paper's has distinct ones."""
    n_samples, n_atoms, n_outputs, k = size
    H, B, y = make(n_samples, n_atoms, n_outputs, np.float32)
    paper = greedy_forward_selection(H, y, k, output_weights=B)
    n_distinct = int(np.count_nonzero(paper.counts))
    corrective = greedy_forward_selection(H, y, n_distinct, output_weights=B, corrective=True)
    losses = [float(path.losses[-1]) for path in (paper, corrective)]
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            one, other = seconds(
                lambda: greedy_forward_selection(H, y, k, output_weights=B),
                lambda: greedy_forward_selection(H, y, n_distinct, output_weights=B, corrective=True),
                repeats=3,
                rest=0.15 * (n_threads - 1),
            )
        yield [name, str(size), n_threads, n_distinct, 1e3 * one, 1e3 * other, other / one, *losses]


def time():
    """Times against the paper's selection."""
    rows = [row for name, make in KINDS.items() for size in LIMIT_SIZES for row in against_the_paper(make, name, size)]
    header = ["neurons", "(samples, atoms, outputs, picks)", "threads", "distinct picks of the paper's"]
    header += ["paper's, ms", "corrective with as many, ms", "ratio", "paper's loss", "corrective loss"]
    note = (
        "float32; medians of three interleaved runs. The corrective selection makes as many picks as the paper's "
        "selection has distinct ones; the ratio is that of the times."
    )
    title = "Corrective selection and the paper's"
    publish("corrective", title, command("time"), versions(), note, table(header, rows))


def pursuit():
    """Against orthogonal matching pursuit from the same inner products, one output."""
    rows = []
    for n_samples, n_atoms, k in ((2000, 1000, 50), (10_000, 1000, 100), (10_000, 3000, 100)):
        H, _, y = neurons(n_samples, n_atoms, 1, np.float64)
        H, y = (H - H.mean(axis=0)) / H.std(axis=0), y[:, 0] - y.mean()
        gram, c = H.T @ H, H.T @ y
        statistics = SelectionStatistics().update(H, y)
        ours, theirs = seconds(
            lambda: statistics.select(k, corrective=True),  # noqa: B023
            lambda: orthogonal_mp_gram(gram, c, n_nonzero_coefs=k),  # noqa: B023
        )
        ours_whole, theirs_whole = seconds(
            lambda: greedy_forward_selection(H, y, k, corrective=True),  # noqa: B023
            lambda: orthogonal_mp_gram(H.T @ H, H.T @ y, n_nonzero_coefs=k),  # noqa: B023
            repeats=3,
        )
        path = greedy_forward_selection(H, y, k, corrective=True)
        coefs = orthogonal_mp_gram(gram, c, n_nonzero_coefs=k)
        loss = 0.5 * float(np.mean((H @ coefs - y) ** 2))
        row = [f"({n_samples}, {n_atoms}, 1, {k})", 1e3 * ours, 1e3 * theirs, 1e3 * ours_whole, 1e3 * theirs_whole]
        rows.append([*row, len(set(path.picks) & set(np.flatnonzero(coefs))), float(path.losses[-1]), loss])
    header = ["(samples, atoms, outputs, picks)", "from sums, ms", "orthogonal_mp_gram from the Gram matrix, ms"]
    header += ["from samples, ms", "Gram matrix and orthogonal_mp_gram, ms", "same picks", "loss", "its loss"]
    note = (
        "One output. Orthogonal matching pursuit picks by correlation, the corrective selection by what the loss then "
        "is, so that picks differ where columns are correlated. Both re-solve the weights."
    )
    title = "Corrective selection and orthogonal matching pursuit"
    publish("corrective_pursuit", title, command("pursuit"), versions(), note, table(header, rows))


def feature_sets():
    """Feature matrices, among them those of FastCan's own examples, and how many columns to select."""
    diabetes, wine = load_diabetes(return_X_y=True), load_wine(return_X_y=True)
    return {
        "diabetes, 442 x 10": (*diabetes, 5),
        "wine, 178 x 13, labels": (wine[0], wine[1], 5),
        "make_regression, 3000 x 20": (*make_regression(3000, 20, random_state=0), 10),
        "make_regression, 1000 x 100": (*make_regression(1000, 100, n_informative=20, noise=20, random_state=0), 15),
        "make_regression, 10000 x 500, 5 targets": (
            *make_regression(10_000, 500, n_informative=50, n_targets=5, noise=50, random_state=0),
            30,
        ),
        "make_classification, 2000 x 200": (*make_classification(2000, 200, n_informative=20, random_state=0), 20),
    }


def features():
    """Feature selection against scikit-learn's and FastCan's: time and the share of variance explained."""
    kinds, took, explained = ("ours", *RIVALS), [], []
    for name, (X, y, n) in feature_sets().items():
        ours = GreedyForwardSelector(n_features_to_select=n, corrective=True, target_type="continuous")
        pursuit = OrthogonalMatchingPursuit(n_nonzero_coefs=n)
        folds = [(np.arange(len(y)), np.arange(len(y)))]  # by training error, as the others
        sequential = SequentialFeatureSelector(LinearRegression(), n_features_to_select=n, cv=folds)
        Z = (X - X.mean(axis=0)) / X.std(axis=0)
        rivals = {"ours": lambda: ours.fit(X, y)}  # noqa: B023
        supports = {"ours": lambda: ours.support_}  # noqa: B023
        if y.ndim == 1:
            rivals["pursuit"] = lambda: pursuit.fit(Z, y)  # noqa: B023
            supports["pursuit"] = lambda: pursuit.coef_ != 0  # noqa: B023
        if X.shape[1] <= 20:
            rivals["sequential"] = lambda: sequential.fit(X, y)  # noqa: B023
            supports["sequential"] = lambda: sequential.support_  # noqa: B023
        if HAS_FASTCAN:
            from fastcan import FastCan

            can = FastCan(n, verbose=0)
            rivals["fastcan"] = lambda: can.fit(X, y)  # noqa: B023
            supports["fastcan"] = can.get_support
        rivals["validation"] = lambda: validate_data(BaseEstimator(), X, y, multi_output=True)  # noqa: B023
        times = dict(
            zip(rivals, seconds(*rivals.values(), repeats=3 if len(X) * X.shape[1] > 10**5 else 25), strict=True)
        )
        chosen = {kind: support() for kind, support in supports.items()}
        scores = {kind: LinearRegression().fit(X[:, s], y).score(X[:, s], y) for kind, s in chosen.items()}
        took.append(
            [
                name,
                n,
                *(1e3 * times[kind] if kind in times else ABSENT[kind] for kind in kinds),
                1e3 * times["validation"],
            ]
        )
        shared = {kind: int((chosen["ours"] & chosen[kind]).sum()) for kind in chosen}
        r2 = [float(scores[kind]) if kind in scores else "" for kind in kinds]
        explained.append([name, *r2, *(shared.get(kind, "") for kind in RIVALS)])
    names = list(RIVALS.values())
    package = ["fastcan"] if HAS_FASTCAN else []
    publish(
        "corrective_features",
        "Feature selection with corrective=True",
        command("features"),
        versions(*package),
        "Ours is `GreedyForwardSelector(corrective=True)`, OMP `OrthogonalMatchingPursuit`, SFS "
        "`SequentialFeatureSelector` by the training error. The last column is what scikit-learn's validation of X and "
        "y takes by itself: no estimator that validates can be faster. Milliseconds:",
        table(["data", "columns", "ours", *names, "validation alone"], took),
        "R2 of a linear regression on the chosen columns of the training data, and how many of these ours has too:",
        table(["data", "R2: ours", *names, *(f"same as {name}" for name in names)], explained),
    )


def command(page):
    """What repeats a page."""
    return shlex.join(["python", "benchmarks/corrective.py", page])


if __name__ == "__main__":
    for page in sys.argv[1:] or ("time", "pursuit", "features"):
        {"time": time, "pursuit": pursuit, "features": features}[page]()
