"""
The claim: a wide network is trained and pruned faster on a GPU than on the processor.

Runs the tests of devices first, then MNIST at three widths on the GPU and, with two threads, on the processor. Writes
docs/benchmarks/gpu.md, in five minutes at most: as few iterations are made as tell their rate, each network is pruned
once, and what the processor has no time left for stays out of the table. Without a GPU the page is left as it is.

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
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from sklearn_gfs import GreedyPrunedMLPClassifier

TITLE, COMMAND = "Training on a GPU", "python benchmarks/gpu.py --mnist mnist.npz"
_FOLDER = Path(__file__).resolve().parent.parent / "tests"
TESTS = [str(_FOLDER / "mlp" / "test_device.py"), str(_FOLDER / "network" / "test_recorded.py")]
# For each width: number of neurons, of pre-training iterations on the GPU and on the processor, and the largest ratio
# of the processor's time to its time for the width before.
WIDTHS = ((1_000, 2000, 300, 1), (10_000, 1000, 50, 6), (50_000, 300, 10, 4))
# Number of training samples.
N_SAMPLES = 20_000
# Number of picks.
K = 200
# Number of threads on the processor.
N_THREADS = 2
# Largest time for the tests, in seconds.
MOST_FOR_TESTS = 100
# Time from the start until the last timing must end, in seconds.
MOST = 270


def mnist(path):
    """Return images of digits, with values from 0 to 1, and their labels."""
    with np.load(path) as file:
        X = file["x_train"][:N_SAMPLES].reshape(N_SAMPLES, -1).astype(np.float32) / 255
        return X, file["y_train"][:N_SAMPLES]


def run_tests():
    """Return what became of the tests of devices, in a sentence; what failed is printed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", *TESTS]
    try:
        run = subprocess.run(
            command, check=False, timeout=MOST_FOR_TESTS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except subprocess.TimeoutExpired:
        return f"The tests of devices were not over after {MOST_FOR_TESTS} s."
    if run.returncode:
        print(run.stdout, file=sys.stderr)
    return f"Tests of devices: {(run.stdout.strip().splitlines() or ['no output'])[-1]}."


def measure(X, y, n_hidden, n_pretrain, device):
    """Return seconds of a pre-training iteration, and of the selection."""
    model = GreedyPrunedMLPClassifier(
        n_hidden=n_hidden, k=K, n_retrain=0, early_stopping=False, device=device, random_state=0
    )
    moments, path = [], model.fit_path(X, y, n_pretrain=[1, n_pretrain + 1])
    for _ in range(3):  # dense, pruned, and dense again, which is in main memory
        next(path)
        moments.append(time.perf_counter())
    path.close()
    return (moments[2] - moments[1]) / n_pretrain, moments[1] - moments[0]


def seconds_of_fit(X, y, n_hidden, device):
    """Return seconds of a fit with default parameters at this width."""
    start = time.perf_counter()
    GreedyPrunedMLPClassifier(k=50, n_hidden=n_hidden, device=device, random_state=0).fit(X, y)
    return time.perf_counter() - start


def fits(X, y, until):
    """Return a table of whole fits; the processor makes those only that are over in time."""
    X_digits, y_digits = load_digits(return_X_y=True)
    rows, taken, size = [], 0.0, 0
    for name, X_of, y_of, n_hidden in (
        ("digits", X_digits / 16, y_digits, 1000),
        ("digits", X_digits / 16, y_digits, 10_000),
        ("MNIST", X, y, 1000),
        ("MNIST", X, y, 10_000),
    ):
        gpu = seconds_of_fit(X_of, y_of, n_hidden, "cuda")
        # The last fit tells how long this one takes at most, by the number of samples and neurons.
        ratio = len(X_of) * n_hidden / size if size else 1.0
        here: list[float | str] = ["", ""]
        if time.perf_counter() + taken * ratio < until:
            taken, size = seconds_of_fit(X_of, y_of, n_hidden, "cpu"), len(X_of) * n_hidden
            here = [taken, taken / gpu]
        rows.append([name, n_hidden, gpu, *here])
        print(*rows[-1], flush=True)
    return table(("data", "neurons", "on the GPU, s", "on the processor, s", "ratio"), rows)


def main():
    start = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", default=os.environ.get("SKLEARN_GFS_MNIST"), help="MNIST's npz file")
    path = parser.parse_args().mnist
    import torch

    if not torch.cuda.is_available():
        raise SystemExit("no GPU that torch can use; docs/benchmarks/gpu.md is left as it is")
    if path is None:
        raise SystemExit("name MNIST's npz file: --mnist PATH, or the environment variable SKLEARN_GFS_MNIST")
    tests = run_tests()
    print(tests, flush=True)
    warnings.simplefilter("ignore")
    X, y = mnist(path)
    torch.set_num_threads(N_THREADS)
    with threadpool_limits(N_THREADS):
        measure(X[:1000], y[:1000], 100, 5, "cuda")  # what is loaded and compiled on first use
        there = [measure(X, y, n_hidden, n_iterations, "cuda") for n_hidden, n_iterations, _, _ in WIDTHS]
        here, taken = [], 0.0
        for n_hidden, _, n_iterations, times in WIDTHS:
            before = time.perf_counter()
            if before + times * taken > start + MOST:
                break
            here.append(measure(X, y, n_hidden, n_iterations, "cpu"))
            taken = time.perf_counter() - before
            print(n_hidden, *there[len(here) - 1], *here[-1], flush=True)
        whole = fits(X, y, start + MOST)
        system = versions("torch")
    rows = []
    for (n_hidden, *_), gpu, cpu in zip(WIDTHS, there, [*here, *[None] * (len(there) - len(here))], strict=True):
        on_processor = ["", "", "", ""] if cpu is None else [1e3 * cpu[0], cpu[0] / gpu[0], cpu[1], cpu[1] / gpu[1]]
        rows.append([n_hidden, 1e3 * gpu[0], *on_processor[:2], gpu[1], *on_processor[2:]])
    header = (
        "neurons",
        "an iteration on the GPU, ms",
        "on the processor, ms",
        "ratio",
        "the selection on the GPU, s",
        "on the processor, s",
        "ratio",
    )
    text = (
        f"{N_SAMPLES} samples of MNIST, batches of 128, {K} picks, {N_THREADS} threads. GPU: "
        f"{torch.cuda.get_device_name()}. {tests}"
    )
    of_fits = (
        "Whole fits with default parameters and 50 picks. Updates of a small network are made on the processor on "
        "either device. The first of these fits compiles what is compiled on first use."
    )
    publish("gpu", TITLE, COMMAND, system, text, table(header, rows), of_fits, whole)


if __name__ == "__main__":
    main()
