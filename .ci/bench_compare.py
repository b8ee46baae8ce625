"""Time the working tree against another revision in one run; fail on slow-downs that are large in both senses."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# A slow-down counts where the shortest call takes so many times as long, by default, and this many seconds longer,
RATIO, SECONDS = 1.2, 0.02
# and where so many repeats find the task slower again.
REPEATS = 2
# A task is called until its calls took so many seconds.
ENOUGH = 0.3


def cases():
    """Yield the name of each task and a function without arguments that does it; what both revisions can do."""
    import numpy as np
    from sklearn.datasets import load_digits, load_wine, make_classification, make_regression

    from sklearn_gfs import (
        GreedyPrunedMLPClassifier,
        GreedyPrunedMLPRegressor,
        PretrainThresholdSearch,
        greedy_forward_selection,
    )

    rng = np.random.default_rng(0)
    H, B = np.maximum(rng.normal(size=(2000, 1000)), 0), rng.normal(size=(1000, 10))
    Y = rng.normal(size=(2000, 10))
    X, y = load_digits(return_X_y=True)
    X_numbers, y_numbers = make_regression(1000, 20, random_state=0)
    # What a revision changes of the defaults is no slow-down: all that decides on the work is named.
    work = {"n_pretrain": 320, "n_retrain": 4000, "random_state": 0}
    classifier = GreedyPrunedMLPClassifier(loss="squared_error", **work)
    regressor = GreedyPrunedMLPRegressor(**work | {"n_retrain": "auto"}, activation="tanh")
    fitted = GreedyPrunedMLPClassifier(**work).fit(X, y)
    X_large, y_large = make_classification(100_000, 54, n_informative=20, n_classes=7, random_state=0)
    by_log_loss = GreedyPrunedMLPClassifier(loss="log_loss", **work)
    search = PretrainThresholdSearch(
        GreedyPrunedMLPClassifier(n_retrain=0, early_stopping=False, loss="squared_error", random_state=0),
        n_pretrain=[50, 100, 200],
        cv=2,
    )
    path = {"n_pretrain": [0, 50, 100, 200], "k": [10, 20, 50]}
    yield "select 100 of 1000 neurons, 10 outputs", lambda: greedy_forward_selection(H, Y, 100, output_weights=B)
    yield "select 100 of 1000 columns", lambda: greedy_forward_selection(H, Y[:, 0], 100)
    yield "fit the classifier to the digits", lambda: classifier.fit(X, y)
    yield "fit the classifier to the digits, log loss", lambda: by_log_loss.fit(X, y)
    yield "fit the classifier to wine", lambda: classifier.fit(*load_wine(return_X_y=True))
    yield "fit the classifier to 100 000 samples", lambda: classifier.fit(X_large, y_large)
    yield "fit the regressor", lambda: regressor.fit(X_numbers, y_numbers)
    yield "search 3 numbers of iterations, 2 folds", lambda: search.fit(X, y)
    yield "fit a path of 12 subnetworks", lambda: list(classifier.fit_path(X, y, **path))
    yield "predict 100 000 digits", lambda: fitted.predict(np.tile(X, (56, 1)))


def measure(names):
    """Print the seconds of each task named, or of all, as JSON: the shortest call after the first, which compiles."""
    seconds = {}
    for name, task in cases():
        if names and name not in names:
            continue
        task()
        calls = []
        while len(calls) < 2 or sum(calls) < ENOUGH:
            start = time.perf_counter()
            task()
            calls.append(time.perf_counter() - start)
        seconds[name] = min(calls)
    json.dump(seconds, sys.stdout)


def run(tree, names):
    """Return the seconds of the tasks with the package of that tree."""
    command = [sys.executable, "-P", __file__, "--measure", *names]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def slower_tasks(base, names, rounds, ratio):
    """Print the shortest times of both trees, and return the tasks that the working tree takes longer for."""
    found = {base: [], ROOT: []}
    for turn in range(rounds):
        # Each goes first in turn, so that whatever else the machine does falls on both.
        for tree in (base, ROOT) if turn % 2 == 0 else (ROOT, base):
            found[tree].append(run(tree, names))
    slower = []
    print(f"{'task':42} {'base s':>8} {'tree s':>8} {'ratio':>6}")
    for name in found[ROOT][0]:
        # Other programs only ever add to a time: the shortest says most about the code.
        before, after = (min(seconds[name] for seconds in found[tree]) for tree in (base, ROOT))
        print(f"{name:42} {before:8.3f} {after:8.3f} {after / before:6.2f}", flush=True)
        if after > ratio * before and after - before > SECONDS:
            slower.append(name)
    return slower


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="HEAD", help="the revision to compare with")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is timed, in turn")
    parser.add_argument("--ratio", type=float, default=RATIO, help="what counts as slower: so many times as long")
    parser.add_argument("--measure", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        return measure(arguments.measure)
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", arguments.base, "sklearn_gfs"], cwd=ROOT, check=True, capture_output=True
        ).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        slower = slower_tasks(Path(folder), [], arguments.rounds, arguments.ratio)
        for _ in range(REPEATS):
            if slower:
                print("again, what seems slower:")
                slower = slower_tasks(Path(folder), slower, arguments.rounds, arguments.ratio)
    return f"slower: {', '.join(slower)}" if slower else 0


if __name__ == "__main__":
    sys.exit(main())
