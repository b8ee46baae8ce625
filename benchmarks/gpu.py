"""
The claim: a wide network is trained and pruned faster on a GPU than on the processor.

Runs the tests of devices first, then fits of MNIST at three widths on the GPU and on the processor, in turns. Writes
docs/benchmarks/gpu.md, in five minutes at most: a fit is made of as few iterations as tell its rate. Without a GPU the
page says that nothing has been measured.

    python benchmarks/gpu.py --mnist mnist.npz
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from _common import publish, table, versions

from sklearn_gfs import GreedyPrunedMLPClassifier

TITLE, COMMAND = "Training on a GPU", "python benchmarks/gpu.py --mnist mnist.npz"
TESTS = Path(__file__).resolve().parent.parent / "tests" / "mlp" / "test_device.py"
# Number of neurons and of pre-training iterations on the GPU and on the processor.
WIDTHS = ((1_000, 2000, 500), (10_000, 1000, 100), (50_000, 500, 20))
N_SAMPLES, K = 20_000, 200


def mnist(path):
    """Return images of digits as numbers from 0 to 1, and their labels."""
    with np.load(path) as file:
        X = file["x_train"][:N_SAMPLES].reshape(N_SAMPLES, -1).astype(np.float32) / 255
        return X, file["y_train"][:N_SAMPLES]


def fit(X, y, n_hidden, n_pretrain, device):
    """Return seconds of pre-training an iteration, and of everything else."""
    settings = {"n_hidden": n_hidden, "k": K, "n_retrain": 0, "early_stopping": False, "device": device}
    taken = []
    for iterations in (1, n_pretrain + 1):
        model = GreedyPrunedMLPClassifier(iterations, random_state=0, **settings)
        start = time.perf_counter()
        model.fit(X, y)
        taken.append(time.perf_counter() - start)
    return (taken[1] - taken[0]) / n_pretrain, taken[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", default=os.environ.get("SKLEARN_GFS_MNIST"), help="MNIST's npz file")
    path = parser.parse_args().mnist
    import torch

    if not torch.cuda.is_available():
        publish("gpu", TITLE, COMMAND, "Not measured yet: the machine of the other pages has no GPU.")
        return
    if path is None:
        raise SystemExit("name MNIST's npz file: --mnist PATH, or the environment variable SKLEARN_GFS_MNIST")
    subprocess.run([sys.executable, "-m", "pytest", "-q", str(TESTS)], check=True)
    warnings.simplefilter("ignore")
    X, y = mnist(path)
    fit(X[:1000], y[:1000], 100, 5, "cuda")  # what is loaded and compiled on first use
    rows = []
    for n_hidden, on_gpu, on_processor in WIDTHS:
        there = fit(X, y, n_hidden, on_gpu, "cuda")
        here = fit(X, y, n_hidden, on_processor, "cpu")
        rows.append([n_hidden, 1e3 * there[0], 1e3 * here[0], here[0] / there[0], *there[1:], *here[1:]])
    header = (
        "neurons",
        "an iteration on the GPU, ms",
        "on the processor, ms",
        "ratio",
        "the rest of a fit on the GPU, s",
        "on the processor, s",
    )
    text = f"{N_SAMPLES} samples of MNIST, batches of 128, {K} picks. GPU: {torch.cuda.get_device_name()}."
    publish("gpu", TITLE, COMMAND, versions("torch"), text, table(header, rows))


if __name__ == "__main__":
    main()
