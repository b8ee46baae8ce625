"""
The claim: no single parameter of the estimators has a better default for these data.

Every variant changes one thing of a base and is fitted on the same splits of ten small data sets (other splits than
those of same_size.py). Writes docs/benchmarks/defaults.md. With --out, finished fits are kept and not repeated.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from unittest import mock

import numpy as np
from _common import publish, table, versions
from _quality import Rows, halves, load_all, paired, quality

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

DATA = (
    "iris",
    "wine",
    "breast_cancer",
    "digits",
    "moons",
    "classification",
    "hastie",
    "diabetes",
    "friedman1",
    "friedman3",
)
BASE = "base"
# Name -> parameters; those with a module before their name are constants of the package.
VARIANTS = {
    BASE: {},
    "n_pretrain 100": {"n_pretrain": 100},
    "n_pretrain 300": {"n_pretrain": 300},
    "n_pretrain 1000": {"n_pretrain": 1000},
    "n_retrain 500": {"n_retrain": 500},
    "n_retrain 1000": {"n_retrain": 1000},
    "n_retrain 2000": {"n_retrain": 2000},
    "n_retrain 8000": {"n_retrain": 8000},
    "retrain_solver adam": {"retrain_solver": "adam"},
    "retrain_solver lbfgs": {"retrain_solver": "lbfgs"},
    "trial ends 200 after its last record": {"mlp._schedule._PATIENCE": 200},
    "trial ends 1000 after its last record": {"mlp._schedule._PATIENCE": 1000},
    "re-trained weights not averaged": {"network._training._LEAST_SHARE": 1.0},
    "re-trained weights averaged over 30": {"network._training._LEAST_SHARE": 0.03},
    "loss squared_error": {"loss": "squared_error"},
    "alpha 0.0003": {"alpha": 3e-4},
    "alpha 0.003": {"alpha": 3e-3},
    "learning_rate_init 0.003": {"learning_rate_init": 0.003},
    "learning_rate_init 0.02": {"learning_rate_init": 0.02},
    "solver sgd": {"solver": "sgd"},
    "batch_size 32": {"batch_size": 32},
    "batch_size 64": {"batch_size": 64},
    "n_hidden 200": {"n_hidden": 200},
    "n_hidden 500": {"n_hidden": 500},
    "no early stopping": {"early_stopping": False},
    "validation_fraction 0.1": {"validation_fraction": 0.1},
    "validation_fraction 0.2": {"validation_fraction": 0.2},
    "validation_fraction 0.3": {"validation_fraction": 0.3},
    "initial output weights 0.1": {"network._parameters._OUTPUT_SPREAD": 0.1},
    "initial output weights 0.25": {"network._parameters._OUTPUT_SPREAD": 0.25},
    "initial output weights 1": {"network._parameters._OUTPUT_SPREAD": 1.0},
    "initial intercepts 1": {"network._parameters._INTERCEPT_SPREAD": 1.0},
}
ONLY_CLASSES = {"loss squared_error"}


def fit(data, classes, changes, seed):
    """Fit one variant on one split and return what is measured."""
    X, y, X_test, y_test = data
    parameters = {name: value for name, value in changes.items() if "." not in name}
    estimator = GreedyPrunedMLPClassifier if classes else GreedyPrunedMLPRegressor
    with contextlib.ExitStack() as patched:
        for name in changes.keys() - parameters.keys():
            patched.enter_context(mock.patch(f"sklearn_gfs.{name}", changes[name]))
        start = time.process_time()
        model = estimator(random_state=seed, **parameters).fit(X, y)
        row = {"seconds": time.process_time() - start}
    row |= {"n_units": model.n_units_, **quality(model, X_test, y_test)}
    row["updates"] = model.n_pretrain_ + model.n_retrain_ + max(model.validation_iterations_, default=0)
    return row


def changes_of_score(rows, variant, names):
    """Return the mean change of the score, and the data sets that are better and worse by over a standard error."""
    differences = [
        paired(rows.column("score", variant=variant, data=name), rows.column("score", variant=BASE, data=name))
        for name in names
    ]
    better = [name for name, (mean, error) in zip(names, differences, strict=True) if mean > error]
    worse = [name for name, (mean, error) in zip(names, differences, strict=True) if -mean > error]
    return float(np.mean([mean for mean, _ in differences])), better, worse


def mean_of(rows, entry, variant, names):
    return float(np.mean([np.mean(list(rows.column(entry, variant=variant, data=name).values())) for name in names]))


def median_seconds(rows, variant, name):
    return np.median(list(rows.column("seconds", variant=variant, data=name).values()))


def line_of(rows, variant, of_classes, of_numbers):
    cells, better, worse = [variant], [], []
    for names in (of_classes, () if variant in ONLY_CLASSES else of_numbers):
        if not names:
            cells.append("")
            continue
        change, gained, lost = changes_of_score(rows, variant, names)
        cells.append("" if variant == BASE else f"{change:+.4f}")
        better, worse = better + gained, worse + lost
    names = of_classes if variant in ONLY_CLASSES else of_classes + of_numbers
    seconds = np.mean([median_seconds(rows, variant, name) / median_seconds(rows, BASE, name) for name in names])
    cells += [", ".join(better), ", ".join(worse)]
    return [
        *cells,
        *(f"{mean_of(rows, entry, variant, of_classes):.3f}" for entry in ("brier", "log_loss")),
        f"{seconds:.2f}",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--out", help="file that keeps finished fits")
    parser.add_argument("--only", nargs="*", help="names of variants")
    arguments = parser.parse_args()
    rows = Rows(arguments.out, ("data", "variant", "split"))
    found = {name: data for name, data in load_all(None).items() if name in DATA}
    variants = {n: v for n, v in VARIANTS.items() if n == BASE or not arguments.only or n in arguments.only}
    for seed in range(arguments.splits):
        for name, (X, y, classes) in found.items():
            *_, data = halves(X, y, classes, seed + 1, random_state=1)
            for variant, changes in variants.items():
                if not rows.has(name, variant, seed) and (classes or variant not in ONLY_CLASSES):
                    rows.add({"data": name, "variant": variant, "split": seed} | fit(data, classes, changes, seed))
    of_classes = [name for name, (_, _, classes) in found.items() if classes]
    of_numbers = [name for name in found if name not in of_classes]
    header = [
        "variant", "accuracy", "R²", "better by over a standard error", "worse by as much", "Brier", "log loss", "time"
    ]  # fmt: skip
    about = (
        f"Mean change of the test score against the base, on {len(of_classes)} data sets with classes and "
        f"{len(of_numbers)} with numbers, {arguments.splits} splits into halves each; the data sets that got better "
        "or worse by more than one standard error of the paired differences (of so many comparisons a good many do by "
        "chance); mean Brier score and log loss of the probabilities; processor time as a multiple of the base's, of "
        "medians over the splits. The base is the defaults."
    )
    lines = [line_of(rows, variant, of_classes, of_numbers) for variant in variants]
    command = f"python benchmarks/defaults.py --splits {arguments.splits}"
    publish(
        "defaults",
        "Default parameters and what else was tried",
        command,
        about,
        table(header, lines),
        versions("torch"),
    )


if __name__ == "__main__":
    main()
