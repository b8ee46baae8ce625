"""
How long the prediction of one row takes: by scikit-learn's interface, by NumPy, by ONNX, in C.

    python benchmarks/latency.py

Needs skl2onnx, onnxruntime, emlearn and a C compiler. Medians of seven rounds in turns, in microseconds.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnxruntime
import skl2onnx
from _common import publish, seconds, table, versions
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLPClassifier, register_onnx_converters

with np.errstate():  # emlearn changes NumPy's error settings when it is imported
    import emlearn

# Number of calls that are timed together.
CALLS = 300
# Number of repeats of each timing.
ROUNDS = 7

MAIN = """
#include <stdio.h>
#include <time.h>
#include "digits.h"

int main(void) {
    float row[64];
    for (int i = 0; i < 64; i++) if (scanf("%f", &row[i]) != 1) return 1;
    volatile int label = 0;
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < 100000; i++) { row[i % 64] += 1e-6f; label += digits_predict(row, 64); }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%g\\n", ((end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec)) / 100000);
}
"""


def in_c(model, row):
    """Return the microseconds of one call in C: the median of the rounds."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # where emlearn leaves its own files
        emlearn.convert(model.to_sklearn(), method="inline").save(name="digits", file=f"{folder}/digits.h")
        Path(folder, "main.c").write_text(MAIN, encoding="utf-8")
        command = ["cc", "-O2", f"-I{emlearn.includedir}", "main.c", "-o", "digits", "-lm"]
        subprocess.run(command, check=True, cwd=folder)
        text = " ".join(map(str, row))
        printed = [subprocess.check_output([f"{folder}/digits"], input=text, text=True) for _ in range(ROUNDS)]
    return float(np.median([float(nanoseconds) for nanoseconds in printed])) / 1000


def by_arrays(model, row):
    """Return a call that makes the prediction with the four arrays alone."""
    (first, second), (offset, last) = model.coefs_, model.intercepts_
    return lambda: model.classes_[(np.maximum(row @ first + offset, 0) @ second + last).argmax()]


def in_onnx(model, X):
    """Return a call of the runtime, on one thread."""
    register_onnx_converters()
    converted = skl2onnx.to_onnx(model, X[:1], options={"zipmap": False})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(converted.SerializeToString(), options)
    return lambda: session.run(None, {"X": X[:1]})


def many(call):
    def calls():
        for _ in range(CALLS):
            call()

    return calls


def main() -> None:
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    row = X[:1]
    model = GreedyPrunedMLPClassifier(k=50, loss="log_loss", random_state=0).fit(X, y)
    mlp = make_pipeline(StandardScaler(), MLPClassifier(50, random_state=0, max_iter=500)).fit(X, y)
    calls = {
        "`predict`": lambda: model.predict(row),
        "`StandardScaler` and `MLPClassifier(50)`, `predict`": lambda: mlp.predict(row),
        "NumPy, the four arrays": by_arrays(model, row[0]),
        "onnxruntime": in_onnx(model, X),
    }
    taken = seconds(*map(many, calls.values()), repeats=ROUNDS)
    rows = [(name, 1e6 * each / CALLS) for name, each in zip(calls, taken, strict=True)]
    rows.append(("C, by emlearn", in_c(model, row[0])))
    publish(
        "latency",
        "One row at a time",
        "python benchmarks/latency.py",
        f"Digits, 64 features, 10 classes, {model.n_units_} neurons; float32, one thread.",
        table(["how", "microseconds for one row"], rows),
        versions("onnxruntime", "skl2onnx", "emlearn"),
    )


if __name__ == "__main__":
    main()
