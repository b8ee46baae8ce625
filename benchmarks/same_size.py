"""
The claim: at equal size, the pruned network is the best, whatever the data.

Default parameters, 5 x 2 repeated splits. Writes docs/benchmarks/same_size.md. MNIST takes part where --data or
SKLEARN_GFS_MNIST names its npz file.
"""

from __future__ import annotations

import argparse
import os
import warnings
from unittest import mock

import numpy as np
from _common import publish, table, versions
from scipy.stats import rankdata
from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs._path import TrainingPath
from sklearn_gfs._typing import GreedyPath

K = 50
# Those of equal size come first: they are ranked against each other.
EQUAL_SIZE = ("pruned", "pruned, auto", "MLP", "MLP, same updates", "by magnitude", "at random")
BEYOND = ("dense",)


def load_all(mnist):
    """Return name -> (X, y, whether y holds classes)."""
    found = {}
    for name in ("iris", "wine", "breast_cancer", "digits"):
        found[name] = (*getattr(datasets, f"load_{name}")(return_X_y=True), True)
    found["diabetes"] = (*datasets.load_diabetes(return_X_y=True), False)
    found["friedman1"] = (*datasets.make_friedman1(1000, noise=1.0, random_state=0), False)
    found["friedman2"] = (*datasets.make_friedman2(1000, noise=50.0, random_state=0), False)
    found["friedman3"] = (*datasets.make_friedman3(1000, noise=0.1, random_state=0), False)
    found["regression"] = (*datasets.make_regression(300, 50, n_informative=10, noise=20, random_state=0), False)
    found["hastie"] = (*datasets.make_hastie_10_2(4000, random_state=0), True)
    found["moons"] = (*datasets.make_moons(1000, noise=0.25, random_state=0), True)
    X, y = datasets.make_classification(2000, 20, n_informative=8, n_classes=4, random_state=0)
    found["classification"] = (X, y, True)
    if mnist:
        with np.load(mnist) as data:
            images, labels = data["x_train"].reshape(60_000, -1).astype(np.float32), data["y_train"]
        for n_samples in (1000, 10_000):
            rows = np.random.default_rng(0).permutation(60_000)[: 2 * n_samples]  # half of them train
            found[f"mnist, {n_samples}"] = (images[rows], labels[rows], True)
    return found


def chosen_otherwise(how, seed):
    """Return a training path that keeps neurons by magnitude or at random, each once, in place of the selection."""

    class OtherPath(TrainingPath):
        def _select(self, _hidden, _targets, _weight, network, k):
            k = min(k, len(network.weights))
            strength = np.linalg.norm(network.hidden_coef, axis=0) * np.linalg.norm(network.output_coef, axis=1)
            if how == "at random":
                strength = np.random.default_rng(seed).uniform(size=len(strength))
            picks = np.argsort(-strength, kind="stable")[:k]
            counts = np.bincount(picks, minlength=len(strength))
            return GreedyPath(picks, np.zeros(k), np.zeros(k), counts, counts / k)

    return mock.patch("sklearn_gfs._mlp_base.TrainingPath", OtherPath)


def scikit_learn_scores(data, classes, n_units, n_updates, seed):
    """Score the MLP of this size with its defaults, and after so many updates."""
    X, y, X_test, y_test = data
    cls = MLPClassifier if classes else MLPRegressor

    def scaled(model):
        model = model if classes else TransformedTargetRegressor(model, transformer=StandardScaler())
        return make_pipeline(StandardScaler(), model).fit(X, y).score(X_test, y_test)

    n_epochs = max(1, round(n_updates / np.ceil(len(X) / min(128, len(X)))))
    same = cls(n_units, batch_size=min(128, len(X)), max_iter=n_epochs, n_iter_no_change=n_epochs, random_state=seed)
    return {"MLP": scaled(cls(n_units, random_state=seed)), "MLP, same updates": scaled(same)}


def scores(data, classes, seed):
    """Return the test score of every network on one split, and the size that they share."""
    X, y, X_test, y_test = data
    model = (GreedyPrunedMLPClassifier if classes else GreedyPrunedMLPRegressor)(k=K, random_state=seed)
    dense, pruned = model.fit_path(X, y, n_pretrain=[model.n_pretrain])
    found = {"pruned": pruned.estimator.score(X_test, y_test), "dense": dense.estimator.score(X_test, y_test)}
    n_units = pruned.estimator.n_units_
    for how in ("by magnitude", "at random"):
        with chosen_otherwise(how, seed):
            other = model.__class__(k=n_units, random_state=seed).fit(X, y)
        found[how] = other.score(X_test, y_test)
    model.set_params(n_pretrain="auto").fit(X, y)
    found["pruned, auto"] = model.score(X_test, y_test)
    tried = 20 * max(len(pruned.estimator.validation_loss_curve_) - 1, 0)
    n_updates = pruned.estimator.n_pretrain_ + tried + pruned.estimator.n_retrain_
    return found | scikit_learn_scores(data, classes, n_units, n_updates, seed)


def measure(X, y, classes, n_repeats):
    """Return method -> scores over the splits."""
    splitter = (RepeatedStratifiedKFold if classes else RepeatedKFold)(n_splits=2, n_repeats=n_repeats, random_state=0)
    runs = [
        scores((X[train], y[train], X[test], y[test]), classes, seed)
        for seed, (train, test) in enumerate(splitter.split(X, y))
    ]
    return {name: np.array([run[name] for run in runs]) for name in (*EQUAL_SIZE, *BEYOND)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("SKLEARN_GFS_MNIST"), help="MNIST's npz file")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="names of data sets")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows, ranks = [], []
    for name, (X, y, classes) in load_all(arguments.data).items():
        if arguments.only and name not in arguments.only:
            continue
        found = measure(X, y, classes, arguments.repeats)
        ranks.append(rankdata([-found[method].mean() for method in EQUAL_SIZE]))
        rows.append([name, *(f"{found[m].mean():.3f} ± {found[m].std():.3f}" for m in (*EQUAL_SIZE, *BEYOND))])
        print(*rows[-1], sep=" | ", flush=True)
    rows.append(["mean rank", *(f"{rank:.2f}" for rank in np.mean(ranks, axis=0)), ""])
    about = (
        f"Test accuracy, or R² where y holds numbers: mean ± standard deviation over {arguments.repeats} x 2 splits, "
        "half of the samples training each time. All but the dense network have the neurons that "
        f"{K} picks left. scikit-learn's MLP gets standardised features and targets: with its defaults, and with as "
        "many updates of 128 samples as pre-training, the trial and the re-training took together. Pruning by "
        "magnitude and at random starts from the same dense network and re-trains in the same way."
    )
    header = ["data", *EQUAL_SIZE, *BEYOND]
    command = f"python benchmarks/same_size.py --repeats {arguments.repeats}"
    publish("same_size", "Networks of the same size", command, about, table(header, rows), versions("torch"))


if __name__ == "__main__":
    main()
