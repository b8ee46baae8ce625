"""
What the first fit ever takes beyond the second one: each in a fresh process, the first with an empty numba cache.

    python benchmarks/first_call.py

Medians of three pairs of processes, in seconds. A fit includes the imports that it makes, torch and numba among them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import numpy as np
from _common import publish, table, versions

PAIRS = 3

# Everything is measured from a process that has imported NumPy, SciPy and scikit-learn only.
CALL = """
import time, warnings
import numpy as np
from sklearn.datasets import load_diabetes, load_digits
from sklearn.preprocessing import StandardScaler
import sklearn_gfs as gfs

warnings.simplefilter("ignore")
digits, classes = load_digits(return_X_y=True)
diabetes, progress = load_diabetes(return_X_y=True)
digits, diabetes = digits / 16, StandardScaler().fit_transform(diabetes)
progress = (progress - progress.mean()) / progress.std()
rng = np.random.default_rng(0)
atoms, labels = rng.normal(size=(1000, 100, 3)), rng.integers(0, 3, 1000)
shares = np.exp(atoms) / np.exp(atoms).sum(axis=2, keepdims=True)
options = {"n_pretrain": 300, "k": 50, "random_state": 0}
start = time.perf_counter()
"""

CALLS = {
    "classifier, squared error": "gfs.GreedyPrunedMLPClassifier(loss='squared_error', **options).fit(digits, classes)",
    "classifier, log loss": "gfs.GreedyPrunedMLPClassifier(loss='log_loss', **options).fit(digits, classes)",
    "regressor": "gfs.GreedyPrunedMLPRegressor(**options).fit(diabetes, progress)",
    "search": (
        "gfs.PretrainThresholdSearch(gfs.GreedyPrunedMLPRegressor(k=50, random_state=0), n_pretrain=[50, 300])"
        ".fit(diabetes, progress)"
    ),
    "selector": "gfs.GreedyForwardSelector().fit(diabetes, progress)",
    "selection, squared error": "gfs.greedy_forward_selection(atoms, labels, 20)",
    "selection, logits": "gfs.greedy_forward_selection(atoms, labels, 20, loss='log_loss')",
    "selection, probabilities": (
        "gfs.greedy_forward_selection(shares, labels, 20, loss='log_loss', from_logits=False)"
    ),
}


def seconds(call: str, cache: str) -> float:
    """Time one call in a process of its own, with a numba cache of its own."""
    script = f"{CALL}{call}\nprint(time.perf_counter() - start)"
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache, "OMP_NUM_THREADS": "1"}
    result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment)
    return float(result.stdout)


def pair(call: str) -> tuple[float, float]:
    """Time a call with an empty cache, and again with what that left in the cache."""
    with tempfile.TemporaryDirectory() as cache:
        return seconds(call, cache), seconds(call, cache)


def main() -> None:
    """Print the table and write its page."""
    rows = []
    for name, call in CALLS.items():
        firsts, seconds_ = np.array([pair(call) for _ in range(PAIRS)]).T
        rows.append([name, *(float(np.median(times)) for times in (firsts, seconds_, firsts - seconds_))])
    note = (
        "Each number is the median of three processes. The first call finds an empty numba cache and compiles its "
        "loops; the second one, in another process, reads them. Both import what they need, torch and numba included, "
        "and use one thread."
    )
    header = ["call", "first, s", "second, s", "difference, s"]
    publish(
        "first_call",
        "The first call ever",
        "python benchmarks/first_call.py",
        versions("torch"),
        note,
        table(header, rows),
    )


if __name__ == "__main__":
    main()
