"""
The claim: fits beside each other, in two processes or two threads of one, take half of the time in turns.

A grid search over the digits, one fit at a time and two at a time, by every backend of joblib; and what a pipeline adds
to a fit. Writes docs/benchmarks/parallel.md. The machine must have two cores or more, and `distributed` be installed.

    python benchmarks/parallel.py
"""

from __future__ import annotations

import warnings

from _common import publish, seconds, table, versions
from distributed import Client, LocalCluster
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLPClassifier

REPEATS = 3


def main():
    warnings.simplefilter("ignore")
    X, y = load_digits(return_X_y=True)
    model = GreedyPrunedMLPClassifier(n_pretrain=300, k=50, random_state=0)
    grid = {"n_pretrain": [100, 200, 300], "k": [20, 50]}

    def search(n_jobs=None):
        GridSearchCV(model, grid, cv=2, refit=False, n_jobs=n_jobs).fit(X, y)

    def by(backend):
        with parallel_config(backend, n_jobs=2):
            search()

    calls = {
        "in turns": search,
        "two processes (loky)": lambda: search(2),
        "two threads": lambda: by("threading"),
    }
    taken = seconds(*calls.values(), repeats=REPEATS)
    rows = [[name, time, time / taken[0]] for name, time in zip(calls, taken, strict=True)]
    # Its scheduler runs in this process.
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        in_turns, by_dask = seconds(search, lambda: by("dask"), repeats=REPEATS)
    rows.append(["Dask, two workers of one thread", by_dask, by_dask / in_turns])
    pipeline = make_pipeline(StandardScaler(), model)
    alone, piped = seconds(lambda: model.fit(X, y), lambda: pipeline.fit(X, y), repeats=REPEATS)
    text = (
        "GridSearchCV over six points and two folds of the digits, twelve fits; processes and workers had been started "
        f"and warmed up by a search before. Medians of {REPEATS}."
    )
    beside = f"One fit takes {1e3 * alone:.0f} ms, {piped / alone:.2f} times that as a pipeline with a StandardScaler."
    title, command = "Fits beside each other", "python benchmarks/parallel.py"
    publish(
        "parallel", title, command, versions("torch", "distributed"), text,
        table(("fits", "seconds", "of the time in turns"), rows), beside,
    )  # fmt: skip


if __name__ == "__main__":
    main()
