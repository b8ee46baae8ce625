"""
Other packages' networks on the splits of same_size.py: hpelm, pyscnn and pytabkit, in an environment of their own.

The claim is that of same_size.py, whose table shows these rows too when it is given the same --out. A package that is
not installed is left out.

    python -m venv rivals && rivals/bin/pip install hpelm pyscnn pytabkit threadpoolctl
    rivals/bin/python benchmarks/_same_size_rivals.py --out FILE
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
import warnings

import numpy as np
from _quality import Rows, halves, load_all
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


def real_mlp(data, classes, seed):
    """Dense network of three wide layers with defaults tuned on many data sets."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    X, y, X_test = data
    model = (RealMLP_TD_Classifier if classes else RealMLP_TD_Regressor)(random_state=seed, device="cpu", n_threads=1)
    return np.asarray(model.fit(X, y).predict(X_test)).ravel(), None


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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("SKLEARN_GFS_MNIST"), help="MNIST's npz file")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=METHODS, default=list(METHODS))
    parser.add_argument("--out", required=True, help="file that keeps finished fits, that of same_size.py")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = Rows(arguments.out, ("data", "method", "split"))
    methods = [method for method in arguments.only if importlib.util.find_spec(METHODS[method][0])]
    for seed in range(2 * arguments.repeats):
        for name, (X, y, classes) in load_all(arguments.data).items():
            *_, data = halves(X, y, classes, seed + 1, random_state=0)
            for method in methods:
                if seed < FEWER.get((method, name), seed + 1) and not rows.has(name, method, seed):
                    found = measure(method, data, classes, seed)
                    rows.add({"data": name, "method": method, "split": seed} | found)
                    print(name, method, seed, found, flush=True)


if __name__ == "__main__":
    main()
