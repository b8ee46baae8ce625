"""
The claim: the search costs little more than one dense training run per fold, whatever the grid.

On digits, 12 values of n_pretrain up to 600 and 5 of k: the search against GridSearchCV over the same grid and against
HalvingGridSearchCV with n_pretrain as the resource, with and without re-training; then its own parts, and its scaling
over processes and over the size of the grid. Writes docs/benchmarks/search*.md. All searches see the same folds.

``--folds`` takes the first few of the five folds only: the ratios are the same, and GridSearchCV's hundreds of fits
take their time. With one process, times are processor time, which other load on the machine leaves alone.
"""

import argparse
import os
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

BUDGETS, SIZES = list(range(50, 601, 50)), [10, 20, 50, 100, 200]


def seconds(call, clock=time.process_time):
    start = clock()
    call()
    taken = clock() - start
    print(f"{taken:.1f} s", flush=True)
    return taken


def folds_of(X, y, n_folds):
    return list(StratifiedKFold(5).split(X, y))[:n_folds]


def rivals(X, y, folds, n_jobs):
    """Yield a row for each search, once pruning only and once with re-training."""
    for n_retrain in (0, GreedyPrunedMLPClassifier().n_retrain):
        network = GreedyPrunedMLPClassifier(n_retrain=n_retrain, random_state=0)
        common = {"cv": folds, "n_jobs": n_jobs, "refit": False}
        search = PretrainThresholdSearch(network, n_pretrain=BUDGETS, k=SIZES, **common)
        grid = GridSearchCV(network, {"n_pretrain": BUDGETS, "k": SIZES}, **common)
        halving = HalvingGridSearchCV(
            network, {"k": SIZES}, resource="n_pretrain", min_resources=50, max_resources=600, **common
        )
        clock = time.process_time if n_jobs == 1 else time.perf_counter
        searches = {"PretrainThresholdSearch": search, "GridSearchCV": grid, "HalvingGridSearchCV": halving}
        taken = {name: seconds(lambda rival=rival: rival.fit(X, y), clock) for name, rival in searches.items()}
        own = [search.cv_results_[f"split{fold}_test_score"] for fold in range(len(folds))]
        theirs = [grid.cv_results_[f"split{fold}_test_score"] for fold in range(len(folds))]
        equal = np.array_equal(own, theirs)
        points = dict.fromkeys(taken, 60) | {"HalvingGridSearchCV": len(halving.cv_results_["params"])}
        for name, time_taken in taken.items():
            ratio = time_taken / taken["PretrainThresholdSearch"]
            same = "" if name != "GridSearchCV" else ("yes" if equal else "NO")
            yield [n_retrain, name, points[name], time_taken, ratio, same]


def parts(X, y, folds):
    """Yield a row for each setting: one fold's dense training run, and what the search adds to it."""
    train, test = folds[0]
    for n_retrain in (0, GreedyPrunedMLPClassifier().n_retrain):
        network = GreedyPrunedMLPClassifier(n_retrain=n_retrain, random_state=0)
        dense, whole = [], []
        for _ in range(3):
            # The first point of the path is the dense network: no selection, no re-training.
            dense.append(seconds(lambda network=network: next(network.fit_path(X[train], y[train], n_pretrain=[600]))))
            search = PretrainThresholdSearch(network, n_pretrain=BUDGETS, k=SIZES, cv=[(train, test)], refit=False)
            whole.append(seconds(lambda search=search: search.fit(X, y)))
        training, total = np.median(dense), np.median(whole)
        yield [n_retrain, training, total, (total - training) / training]


def scaling(X, y, folds):
    """Yield a row for each number of processes and size of the grid."""
    network = GreedyPrunedMLPClassifier(n_retrain=0, random_state=0)
    for n_jobs in (1, 2):
        # Workers start and import before anything is timed.
        PretrainThresholdSearch(network, n_pretrain=[1], k=[1], cv=folds, n_jobs=n_jobs, refit=False).fit(X, y)
        for n_budgets in (3, 12, 48):
            budgets = np.linspace(0, 600, n_budgets + 1, dtype=int)[1:].tolist()
            search = PretrainThresholdSearch(network, n_pretrain=budgets, k=SIZES, cv=folds, n_jobs=n_jobs, refit=False)
            yield [n_jobs, n_budgets * len(SIZES), seconds(lambda search=search: search.fit(X, y), time.perf_counter)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--part", choices=["rivals", "parts", "scaling"], default=None, help="one table only")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message="No point reached the target")
    X, y = load_digits(return_X_y=True)
    folds = folds_of(X, y, arguments.folds)
    GreedyPrunedMLPClassifier(n_pretrain=1, n_retrain=1).fit(X, y)  # kernels compiled before anything is timed
    command = f"python benchmarks/search.py --folds {arguments.folds} --jobs {arguments.jobs}"
    machine = f"One thread in each process. {versions('torch')}."
    if arguments.part in {None, "rivals"}:
        publish(
            "search",
            "The search against searches that fit every point",
            command,
            f"Digits, {len(BUDGETS)} values of n_pretrain up to 600, {len(SIZES)} of k, {len(folds)} of 5 folds, "
            f"{arguments.jobs} process(es). {machine}",
            "The ratio is to PretrainThresholdSearch with the same n_retrain. HalvingGridSearchCV fits few points.",
            table(
                ["n_retrain", "search", "points", "seconds", "ratio", "equal scores"],
                rivals(X, y, folds, arguments.jobs),
            ),
        )
    if arguments.part in {None, "parts"}:
        publish(
            "search_parts",
            "What the search adds to one training run",
            command,
            "One fold of digits: the dense training run of 600 iterations alone, the whole search of 60 points, and "
            f"what it adds as a share of the training run. Medians of 3, processor time. {machine}",
            table(["n_retrain", "training run (s)", "search (s)", "added"], parts(X, y, folds)),
        )
    if arguments.part in {None, "scaling"}:
        publish(
            "search_scaling",
            "The search over processes and sizes of the grid",
            command,
            f"Digits, {len(folds)} folds, no re-training, elapsed time. {machine}",
            table(["processes", "points", "seconds"], scaling(X, y, folds)),
        )


if __name__ == "__main__":
    main()
