"""
The claim: the time of a fit grows no faster than the samples, and beside X a fit holds little.

Fits with default parameters in processes of their own, over numbers of samples, precisions, orders in memory, a
DataFrame and a sparse matrix. Writes docs/benchmarks/scale.md. Memory is read from Linux's /proc.

    python benchmarks/scale.py
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from _common import publish, table, versions
from scipy import sparse
from sklearn.datasets import load_iris, make_classification
from sklearn.neural_network import MLPClassifier

from sklearn_gfs import GreedyPrunedMLPClassifier

# Number of test samples.
N_TEST = 100_000
# Number of features.
N_FEATURES = 54
CASES = [
    (5_000, "float64", "C"),
    (50_000, "float64", "C"),
    (500_000, "float64", "C"),
    (500_000, "float32", "C"),
    (500_000, "float64", "F"),
    (500_000, "float32", "F"),
    (500_000, "float64", "DataFrame"),
    (500_000, "float64", "CSR, a tenth"),
]


def data(n_samples, dtype, kind):
    """Return training and test data; of sparse ones nine tenths are zero."""
    X, y = make_classification(
        n_samples + N_TEST,
        N_FEATURES,
        n_informative=20,
        n_classes=7,
        n_clusters_per_class=3,
        random_state=0,
    )
    X_test, y_test = X[n_samples:].astype(dtype), y[n_samples:]
    X = np.array(X[:n_samples], dtype=dtype, order="F" if kind == "F" else "C")
    if kind == "DataFrame":
        import pandas as pd

        X = pd.DataFrame(X)
    elif kind.startswith("CSR"):
        rng = np.random.default_rng(0)
        X = sparse.csr_array(np.where(rng.random(X.shape) < 0.1, X, 0))
        X_test = sparse.csr_array(np.where(rng.random(X_test.shape) < 0.1, X_test, 0))
    return X, y[:n_samples].copy(), X_test, y_test


def resident():
    """Return the memory that the process holds, in MiB."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 2**20


class Peak(threading.Thread):
    """Watches the memory of the process until it is told to end."""

    def __init__(self):
        super().__init__()
        self.start_memory = self.most = resident()
        self.ends = threading.Event()

    def run(self):
        while not self.ends.wait(0.002):
            self.most = max(self.most, resident())


def measure(n_samples, dtype, kind):
    """Return seconds, test score and MiB beyond X of one fit."""
    X, y, X_test, y_test = data(n_samples, dtype, kind)
    GreedyPrunedMLPClassifier(5, 3, n_hidden=20, n_retrain=5).fit(*load_iris(return_X_y=True))  # imports and compiles
    model = GreedyPrunedMLPClassifier(random_state=0)
    peak = Peak()
    peak.start()
    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    peak.ends.set()
    peak.join()
    arrays = (X.data, X.indices, X.indptr) if sparse.issparse(X) else (np.asarray(X),)
    size = sum(array.nbytes for array in arrays)
    return seconds, model.score(X_test, y_test), peak.most - peak.start_memory, size / 2**20


def five_epochs():
    """Return seconds and test score of scikit-learn's MLP after five epochs on half a million samples."""
    X, y, X_test, y_test = data(500_000, "float64", "C")
    model = MLPClassifier(50, max_iter=5, random_state=0)
    start = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - start, model.score(X_test, y_test)


def main():
    if len(sys.argv) > 1:
        return print(json.dumps(measure(int(sys.argv[1]), *sys.argv[2:])))
    rows = []
    for case in CASES:
        command = [sys.executable, __file__, *map(str, case)]
        seconds, score, beyond, size = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        rows.append([*case, seconds, f"{score:.3f}", size, beyond, beyond / size])
    header = ("samples", "precision", "layout", "fit, s", "accuracy", "X, MiB", "beyond X, MiB", "in units of X")
    text = (
        "One fit each, default parameters, 54 features, 7 classes. Memory is the most that the process held during the "
        "fit, less what it held before."
    )
    seconds, score = five_epochs()
    beside = f"MLPClassifier(50), five epochs, 500 000 samples in float64: {seconds:.1f} s, accuracy {score:.3f}."
    title = "Many samples: time and memory"
    publish("scale", title, "python benchmarks/scale.py", versions("torch"), text, table(header, rows), beside)
    return None


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    main()
