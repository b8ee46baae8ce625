"""
The claim: the search costs little more than one dense training run per fold, whatever the grid.

On digits, 12 values of n_pretrain up to 600 and 5 of k, scored on the same folds: the search against GridSearchCV over
the same grid and against HalvingGridSearchCV with n_pretrain as the resource, with pruning only and with re-training;
what it adds to its training run; its scaling over processes and over the size of the grid. Every part writes a page of
its own, docs/benchmarks/search_*.md, and can be run alone.

``--folds`` takes the first few of the five folds only: the ratios are the same, and GridSearchCV's hundreds of fits
take their time. With one process, times are processor time, which other load on the machine leaves alone.
"""

import argparse
import itertools
import os
import statistics
import time
import warnings

# Before torch and NumPy start: one thread in every process, so that processes are what is compared.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from _common import publish, table, versions
from sklearn.datasets import load_digits
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, StratifiedKFold

from sklearn_gfs import GreedyPrunedMLPClassifier, PretrainThresholdSearch

SIZES = [10, 20, 50, 100, 200]
MOST = 600
# Twelve values each. A search that shares its training saves the more, the smaller the last one's share of their sum.
GRIDS = {
    "50, 100, ..., 600": list(range(50, MOST + 1, 50)),
    "0, 55, ..., 600": np.linspace(0, MOST, 12).round().astype(int).tolist(),
    "0, 19, 27, ..., 600": [0, *(MOST / 2 ** (np.arange(10, -1, -1) / 2)).round().astype(int).tolist()],
}
EVEN = "50, 100, ..., 600"
# By the squared error picks come from inner products, by the log loss, the default, from one gradient after the other.
LOSSES = ("squared_error", "log_loss")
# Updates of re-training: the default, which depends on the data, and a fraction of what it comes to here.
N_RETRAIN, FEW = GreedyPrunedMLPClassifier().n_retrain, 4000


class Digits:
    """The data, the folds, and how a search is timed."""

    def __init__(self, n_folds, n_jobs, grids):
        self.X, self.y = load_digits(return_X_y=True)
        self.folds = list(StratifiedKFold(5).split(self.X, self.y))[:n_folds]
        self.n_jobs = n_jobs
        self.grids = grids
        self.clock = time.process_time if n_jobs == 1 else time.perf_counter

    @property
    def common(self):
        return {"cv": self.folds, "n_jobs": self.n_jobs, "refit": False}

    def seconds(self, search):
        start = self.clock()
        search.fit(self.X, self.y)
        taken = self.clock() - start
        print(f"{type(search).__name__}: {taken:.2f} s", flush=True)
        return taken

    def in_turns(self, own, *rivals):
        """Time a search before, between and after the others; return its median and their times."""
        times, taken = [self.seconds(own)], []
        for rival in rivals:
            taken.append(self.seconds(rival))
            if own.estimator.n_retrain == 0:
                times.append(self.seconds(own))
        return statistics.median(times), taken


def network(n_retrain, loss=LOSSES[0]):
    return GreedyPrunedMLPClassifier(n_retrain=n_retrain, loss=loss, random_state=0)


def against_grid(digits, n_retrain):
    """Yield two rows for each loss and grid."""
    for loss, name in itertools.product(LOSSES, digits.grids):
        model, budgets = network(n_retrain, loss), GRIDS[name]
        own = PretrainThresholdSearch(model, n_pretrain=budgets, k=SIZES, **digits.common)
        grid = GridSearchCV(model, {"n_pretrain": budgets, "k": SIZES}, **digits.common)
        seconds, (grid_seconds,) = digits.in_turns(own, grid)
        columns = [f"split{fold}_test_score" for fold in range(len(digits.folds))]
        same = all(np.array_equal(own.cv_results_[column], grid.cv_results_[column]) for column in columns)
        n_updates = len(SIZES) * sum(budgets)
        yield [loss, name, type(own).__name__, 60, max(budgets), len(budgets), seconds, 1.0, 1.0, ""]
        ratios = [grid_seconds / seconds, n_updates / max(budgets)]
        yield [loss, name, type(grid).__name__, 60, n_updates, 60, grid_seconds, *ratios, "yes" if same else "NO"]


def against_halving(digits):
    """Yield three rows with pruning only, and three with re-training."""
    for n_retrain in (0, N_RETRAIN):
        own = PretrainThresholdSearch(network(n_retrain), n_pretrain=GRIDS[EVEN], k=SIZES, **digits.common)
        # By default the last round has all resources, which gives those of the first round; 50 is the least on the
        # grid.
        starts = ("exhaust", 50)
        rivals = [
            HalvingGridSearchCV(
                network(n_retrain), {"k": SIZES}, resource="n_pretrain", min_resources=start, max_resources=MOST,
                **digits.common,
            )
            for start in starts
        ]  # fmt: skip
        seconds, taken = digits.in_turns(own, *rivals)
        yield [n_retrain, type(own).__name__, "", 60, MOST, seconds, 1.0, 1.0]
        for start, rival, rival_seconds in zip(starts, rivals, taken, strict=True):
            resources = rival.cv_results_["n_resources"]
            ratios = [rival_seconds / seconds, resources.sum() / MOST]
            rounds = ", ".join(f"{(resources == size).sum()} at {size}" for size in np.unique(resources))
            name = f"{type(rival).__name__}({start!r})"
            yield [n_retrain, name, rounds, len(resources), resources.sum(), rival_seconds, *ratios]


def added(digits):
    """Yield a row for each setting: one fold's dense training run, and what the search adds to it."""
    train, test = digits.folds[0]
    for n_retrain in (0, FEW, N_RETRAIN):
        dense, whole = [], []
        search = PretrainThresholdSearch(
            network(n_retrain), n_pretrain=GRIDS[EVEN], k=SIZES, cv=[(train, test)], refit=False
        )
        for _ in range(1 if n_retrain else 3):  # with re-training once is long enough to be exact
            start = time.process_time()
            # The first point of the path is the dense network: no selection, no re-training.
            next(network(n_retrain).fit_path(digits.X[train], digits.y[train], n_pretrain=[MOST]))
            dense.append(time.process_time() - start)
            whole.append(digits.seconds(search))
        training, total = statistics.median(dense), statistics.median(whole)
        yield [n_retrain, training, total, (total - training) / training]


def scaling(digits):
    """Yield a row for each number of processes and size of the grid."""
    for n_jobs in (1, 2):
        # Workers start and import before anything is timed.
        warm = PretrainThresholdSearch(network(0), n_pretrain=[1], k=[1], cv=digits.folds, n_jobs=n_jobs, refit=False)
        warm.fit(digits.X, digits.y)
        for n_budgets in (3, 12, 48):
            budgets = np.linspace(0, MOST, n_budgets + 1, dtype=int)[1:].tolist()
            start = time.perf_counter()
            warm.set_params(n_pretrain=budgets, k=SIZES).fit(digits.X, digits.y)
            yield [n_jobs, n_budgets, time.perf_counter() - start]


COUNTED = (
    'The ratio is to PretrainThresholdSearch. Updates are those of the dense network, in each fold; "of updates" is '
    "their ratio: what the ratio would be if nothing but pre-training took any time."
)


def pruning(digits):
    text = f"12 values of n_pretrain, k in {SIZES}, no re-training. {COUNTED}"
    return "The search against GridSearchCV, with pruning only", text, against_grid(digits, 0)


def retraining(digits):
    text = (
        f"12 values of n_pretrain, k in {SIZES}; at each point up to 12 000 updates of re-training to find out how "
        f"many are of use, then so many on all samples: 60 times a fold in both searches. {COUNTED}"
    )
    return "The search against GridSearchCV, with re-training", text, against_grid(digits, N_RETRAIN)


def halving(digits):
    text = (
        f"The search over {EVEN} and k in {SIZES}, by the squared error; the halving of k with n_pretrain as the "
        f"resource. {COUNTED}"
    )
    return "The search against HalvingGridSearchCV", text, against_halving(digits)


def adding(digits):
    text = (
        f"One fold: the dense training run of {MOST} updates alone; the whole search over {EVEN} and k in {SIZES}; "
        "what it adds as a share of the training run. The squared error; processor time, medians of 3 without "
        "re-training."
    )
    return "What the search adds to one training run", text, added(digits)


def sizing(digits):
    text = f"{MOST} updates in evenly spaced pieces, k in {SIZES}, no re-training, the squared error; elapsed time."
    return "The search over processes and sizes of the grid", text, scaling(digits)


PARTS = {"pruning": pruning, "retraining": retraining, "halving": halving, "added": adding, "scaling": sizing}
COLUMNS = {
    "pruning": [
        "loss",
        "n_pretrain",
        "search",
        "points",
        "updates",
        "selections",
        "seconds",
        "ratio",
        "of updates",
        "equal",
    ],
    "halving": ["n_retrain", "search", "n_pretrain", "points", "updates", "seconds", "ratio", "of updates"],
    "added": ["n_retrain", "training run (s)", "search (s)", "added"],
    "scaling": ["processes", "values of n_pretrain", "seconds"],
}
COLUMNS["retraining"] = COLUMNS["pruning"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--part", choices=list(PARTS), help="one page only")
    parser.add_argument("--grid", choices=list(GRIDS), help="one grid only, of those that GridSearchCV goes through")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message="No point reached the target")
    digits = Digits(arguments.folds, arguments.jobs, list(GRIDS) if arguments.grid is None else [arguments.grid])
    for loss in LOSSES:  # kernels compiled before anything is timed
        network(1, loss).set_params(n_pretrain=1).fit(digits.X, digits.y)
    clock = "Processor time" if arguments.jobs == 1 else "Elapsed time"
    for name in PARTS if arguments.part is None else [arguments.part]:
        title, text, rows = PARTS[name](digits)
        setting = f"Digits, {len(digits.folds)} of 5 folds; one thread in each process. {versions('torch')}."
        if name not in {"added", "scaling"}:
            setting += f" {clock}."
        command = f"python benchmarks/search.py --part {name} --folds {arguments.folds} --jobs {arguments.jobs}"
        publish(f"search_{name}", title, command, setting, text, table(COLUMNS[name], rows))


if __name__ == "__main__":
    main()
