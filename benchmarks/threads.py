"""
The claim: a fit takes no more threads than pay, whatever else the machine does.

Whole fits with the threads that the package takes, against one thread, on idle cores and beside busy processes; and
updates of a wide network. Writes docs/benchmarks/threads.md. The machine must have two cores or more.

    python benchmarks/threads.py
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import warnings

import numpy as np
import torch
from _common import publish, seconds, table, versions
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from sklearn_gfs import GreedyPrunedMLPClassifier

REPEATS = 5


@contextlib.contextmanager
def beside(n_processes):
    """Return a context with `n_processes` other processes, each of which keeps a core busy."""
    command = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(command) for _ in range(n_processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def in_one_thread(call):
    """Return the call with one thread, as where OMP_NUM_THREADS is 1."""

    def limited():
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with threadpool_limits(1):
                call()
        finally:
            torch.set_num_threads(before)

    return limited


def tasks():
    """Yield what is timed, under its name."""
    X, y = load_digits(return_X_y=True)
    many = np.tile(X, (60, 1))
    rng = np.random.default_rng(0)
    wide, classes = rng.normal(size=(4000, 784)).astype(np.float32), rng.integers(0, 10, 4000)
    pruned = GreedyPrunedMLPClassifier(n_pretrain=300, k=50, loss="squared_error", random_state=0)
    log_loss = GreedyPrunedMLPClassifier(n_pretrain=300, k=50, loss="log_loss", random_state=0)
    dense = GreedyPrunedMLPClassifier(n_pretrain=300, k=50, n_retrain=0, early_stopping=False, random_state=0)
    fitted = GreedyPrunedMLPClassifier(n_pretrain=20, k=50, random_state=0).fit(X, y)
    yield "fit, digits", lambda: pruned.fit(X, y)
    yield "fit, digits, log loss", lambda: log_loss.fit(X, y)
    yield "300 updates of 1000 neurons, 784 features", lambda: dense.fit(wide, classes)
    yield "predict 108 000 digits", lambda: fitted.predict(many)
    yield "MLPClassifier(50), digits", lambda: MLPClassifier(50, random_state=0).fit(X, y)


def main():
    warnings.simplefilter("ignore")
    rows = []
    for name, call in tasks():
        limited = in_one_thread(call)
        idle, alone = seconds(call, limited, repeats=REPEATS)
        row = [name, 1e3 * alone, idle / alone]
        for n_processes in (1, 2):
            with beside(n_processes):
                row.append(seconds(call, repeats=REPEATS)[0] / alone)
        rows.append(row)
    header = ("task", "one thread, idle, ms", "default, idle", "beside one busy process", "beside two")
    text = "Medians of five. The last three columns are multiples of the first; the fair share beside two is 2."
    title = "Threads, on idle cores and beside other programs"
    publish("threads", title, "python benchmarks/threads.py", versions("torch"), text, table(header, rows))


if __name__ == "__main__":
    main()
