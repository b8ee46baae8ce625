"""
Other packages' networks on the splits of same_size.py or default_fits.py, in an environment of their own.

The claims are those of these two, whose tables show the rows of here too when they are given the same --out. With
--tabular the splits are those of default_fits.py, and RealMLP is fitted alone. A package that is not installed is left
out.

    python -m venv rivals && rivals/bin/pip install hpelm pyscnn pytabkit threadpoolctl
    rivals/bin/python benchmarks/_rivals.py --out FILE
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
import warnings

import numpy as np
from _quality import Rows, halves, load_all, load_tabular, quality, split_off
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

K = 50
# Penalties of the convex network, the best on held-out samples of which is used: the package recommends none.
PENALTIES = (1e-3, 1e-4, 1e-5, 1e-6)
# Splits where all would cost too much.
FEWER = {("convex", "mnist, 10000"): 0, ("RealMLP", "mnist, 1000"): 4, ("RealMLP", "mnist, 10000"): 2}


def numeric(y, classes):
    """Return targets as columns of numbers, and the function that turns outputs into predictions."""
    if classes:
        labels = np.unique(y)
        return (y[:, None] == labels).astype(np.float32), lambda outputs: labels[outputs.argmax(axis=1)]
    mean, scale = y.mean(), y.std()
    return ((y - mean) / scale)[:, None].astype(np.float32), lambda outputs: outputs.ravel() * scale + mean


def op_elm(data, classes, seed):
    """Optimally pruned extreme learning machine: many random neurons, of which the best up to K are kept."""
    from hpelm import ELM

    X, y, X_test = data
    targets, decode = numeric(y, classes)
    np.random.seed(seed)  # noqa: NPY002 - the package knows no other
    model = ELM(X.shape[1], targets.shape[1])
    model.add_neurons(min(300, len(X) // 2), "tanh")
    model.train(X, targets, "OP", "LOO", *("c" if classes else ""), kmax=K)
    return decode(model.predict(X_test)), model.nnet.L


def convex(data, classes, seed):
    """Two-layer network by its convex reformulation with K gates; the penalty is chosen on a fifth of the samples."""
    from scnn.optimize import optimize
    from scnn.regularizers import NeuronGL1

    X, y, X_test = (np.asarray(part, dtype=np.float32) if part.ndim == 2 else part for part in data)

    def train(rows, penalty):
        model, _ = optimize(
            "gated_relu", K, X[rows], targets[rows], regularizer=NeuronGL1(penalty), bias=True, seed=seed
        )
        return model

    targets, decode = numeric(y, classes)
    rows, held_out = train_test_split(
        np.arange(len(X)), test_size=0.2, random_state=seed, stratify=y if classes else None
    )
    score = accuracy_score if classes else r2_score
    scores = [score(y[held_out], decode(np.asarray(train(rows, p)(X[held_out])))) for p in PENALTIES]
    model = train(np.arange(len(X)), PENALTIES[int(np.argmax(scores))])
    return decode(np.asarray(model(X_test))), model.parameters[0].shape[0]


def network_of_pytabkit(classes, seed):
    """Return a dense network of three wide layers with defaults tuned on many data sets."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    return (RealMLP_TD_Classifier if classes else RealMLP_TD_Regressor)(random_state=seed, device="cpu", n_threads=1)


def real_mlp(data, classes, seed):
    X, y, X_test = data
    return np.asarray(network_of_pytabkit(classes, seed).fit(X, y).predict(X_test)).ravel(), None


METHODS = {"OP-ELM": ("hpelm", op_elm), "convex": ("scnn", convex), "RealMLP": ("pytabkit", real_mlp)}


def measure(method, data, classes, seed):
    """Return score and processor time of one method on one split of standardised features."""
    X, y, X_test, y_test = data
    scaler = StandardScaler().fit(X)
    start = time.process_time()
    predicted, n_units = METHODS[method][1]((scaler.transform(X), y, scaler.transform(X_test)), classes, seed)
    row = {"seconds": time.process_time() - start}
    row["score"] = float((accuracy_score if classes else r2_score)(y_test, predicted))
    return row if n_units is None else row | {"n_units": int(n_units)}


def measure_default(data, classes, seed):
    """Return the quality and the processor time of pytabkit's network on one split."""
    X, y, X_test, y_test = data
    model = network_of_pytabkit(classes, seed)
    start = time.process_time()
    model.fit(X, y)
    return {"seconds": time.process_time() - start, **quality(model, X_test, y_test)}


def on_default_fits(rows, tabular, n_splits):
    """Fit pytabkit's network on the splits of default_fits.py, small data sets first."""
    found = sorted(load_tabular(tabular).items(), key=lambda item: item[1][0].size)
    for seed in range(n_splits):
        for name, (X, y, classes) in found:
            if not rows.has(name, "RealMLP", seed):
                row = measure_default(split_off(name, X, y, classes, seed), classes, seed)
                rows.add({"data": name, "method": "RealMLP", "split": seed} | row)
                print(name, seed, row, flush=True)


def on_same_size(rows, mnist, n_splits, methods):
    """Fit the methods on the splits of same_size.py."""
    for seed in range(n_splits):
        for name, (X, y, classes) in load_all(mnist).items():
            *_, data = halves(X, y, classes, seed + 1, random_state=0)
            for method in methods:
                if seed < FEWER.get((method, name), seed + 1) and not rows.has(name, method, seed):
                    found = measure(method, data, classes, seed)
                    rows.add({"data": name, "method": method, "split": seed} | found)
                    print(name, method, seed, found, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("SKLEARN_GFS_MNIST"), help="MNIST's npz file")
    parser.add_argument("--tabular", help="the npz file of default_fits.py")
    parser.add_argument("--repeats", type=int, default=5, help="of two splits each; with --tabular, splits")
    parser.add_argument("--only", nargs="*", choices=METHODS, default=list(METHODS))
    parser.add_argument("--out", required=True, help="file that keeps finished fits, that of the benchmark")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = Rows(arguments.out, ("data", "method", "split"))
    if arguments.tabular:
        return on_default_fits(rows, arguments.tabular, arguments.repeats)
    methods = [method for method in arguments.only if importlib.util.find_spec(METHODS[method][0])]
    return on_same_size(rows, arguments.data, 2 * arguments.repeats, methods)


if __name__ == "__main__":
    main()
