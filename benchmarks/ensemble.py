"""
The goals: the selection is as good as AutoGluon's on the same predictions and 200 times as fast; a pruned forest of 50
trees is as good as one of 500. The page counts the data sets on which that is so.

Libraries of 40 models on scikit-learn's own data sets and those of the file that --tabular (or SKLEARN_GFS_TABULAR)
names. What the models say is kept in --cache, model by model, so that an interrupted run goes on where it was. Writes
docs/benchmarks/ensemble.md; AutoGluon's columns need autogluon.core.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from pathlib import Path

import numpy as np
from _common import publish, seconds, table, versions
from _ensemble_library import Predictions, load, predictions, split
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits

from sklearn_gfs import GreedyEnsembleClassifier, GreedyEnsembleRegressor, greedy_forward_selection, prune_forest

K = 50
SINGLE, UNIFORM, STACKING, AUTOGLUON, OURS = "best single", "uniform mean", "stacking", "AutoGluon", "greedy"
VARIANTS = {
    OURS: {},
    "not calibrated": {"calibrate": False},
    "bagged": {"n_bags": 10, "random_state": 0},
    "no repeats": {"replace": False},
    "corrective": {"loss": "squared_error", "corrective": True},
}
TREES = (50, 20)


class Stored(BaseEstimator):
    """Says what is stored of the samples whose numbers are in X."""

    def __init__(self, outputs=None, classes=None):
        self.outputs = outputs
        self.classes = classes

    def fit(self, X, y):  # noqa: ARG002 - what makes an estimator of it
        return self

    @property
    def classes_(self):
        return self.classes

    def __sklearn_is_fitted__(self):
        return True


class StoredClassifier(ClassifierMixin, Stored):
    """Of classes."""

    def predict_proba(self, X):
        return self.outputs[X[:, 0]]


class StoredRegressor(RegressorMixin, Stored):
    """Of numbers."""

    def predict(self, X):
        return self.outputs[X[:, 0]]


def loss_of(found: Predictions, mean):
    """Log loss of probabilities, or mean squared error, on the test samples."""
    if mean.ndim == 1:
        return float(np.mean((mean - found.y_test) ** 2))
    return float(log_loss(found.y_test, np.clip(mean, 1e-15, 1), labels=range(mean.shape[1])))


def selected(found: Predictions, options):
    """Return test predictions and the number of models of the ensemble that the package selects."""
    classes = found.test.ndim == 3
    both = np.concatenate([found.out_of_fold, found.test], axis=1)
    numbers = np.arange(both.shape[1])[:, None]
    n = len(found.y)
    kind, whole = (
        (GreedyEnsembleClassifier, StoredClassifier) if classes else (GreedyEnsembleRegressor, StoredRegressor)
    )
    labels = np.arange(found.test.shape[2]) if classes else None
    models = [(f"m{i}", whole(outputs, labels)) for i, outputs in enumerate(both)]
    if not classes:
        options = {name: value for name, value in options.items() if name != "loss"}
    ensemble = kind(models, K, cv="prefit", **options).fit(numbers[:n], found.y)
    mean = ensemble.predict_proba(numbers[n:]) if classes else ensemble.predict(numbers[n:])
    return mean, len(ensemble.estimators_)


def stacked(found: Predictions):
    """Return what stacking with scikit-learn's default final estimator says."""

    def columns(outputs):
        if outputs.ndim == 2:
            return outputs.T
        outputs = outputs[:, :, 1:] if outputs.shape[2] == 2 else outputs
        return np.concatenate(list(outputs), axis=1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if found.test.ndim == 2:
            return RidgeCV().fit(columns(found.out_of_fold), found.y).predict(columns(found.test))
        final = LogisticRegression().fit(columns(found.out_of_fold), found.y)
        return final.predict_proba(columns(found.test))


def autogluon_weights(found: Predictions):
    """Return the weights of AutoGluon's selection, or None where the package is not installed."""
    try:
        from autogluon.core.metrics import log_loss as ag_log_loss
        from autogluon.core.metrics import mean_squared_error
        from autogluon.core.models.greedy_ensemble.ensemble_selection import EnsembleSelection
    except ImportError:
        return None
    outputs, kind, metric = list(found.out_of_fold), "regression", mean_squared_error
    if found.test.ndim == 3:
        binary = found.test.shape[2] == 2
        outputs = [np.ascontiguousarray(output[:, 1]) if binary else output for output in outputs]
        kind, metric = "binary" if binary else "multiclass", ag_log_loss
    return EnsembleSelection(ensemble_size=K, problem_type=kind, metric=metric).fit(outputs, found.y).weights_


def ours(found: Predictions):
    """Make the package's selection alone, from predictions."""
    options = {"loss": "log_loss", "from_logits": False} if found.test.ndim == 3 else {}
    return greedy_forward_selection(list(found.out_of_fold), found.y, K, **options)


def compare(found: Predictions):
    """Return, for one library, losses and numbers of models by method."""
    alone = [loss_of(found._replace(y_test=found.y), output) for output in found.out_of_fold]
    methods = {
        SINGLE: (loss_of(found, found.test[int(np.argmin(alone))]), 1),
        UNIFORM: (loss_of(found, found.test.mean(axis=0)), len(found.test)),
        STACKING: (loss_of(found, stacked(found)), len(found.test)),
    }
    weights = autogluon_weights(found)
    if weights is not None:
        methods[AUTOGLUON] = (loss_of(found, np.tensordot(weights, found.test, axes=1)), int((weights > 0).sum()))
    for name, options in VARIANTS.items():
        mean, n_models = selected(found, options)
        methods[name] = (loss_of(found, mean), n_models)
    return {
        "losses": {name: values[0] for name, values in methods.items()},
        "models": {name: values[1] for name, values in methods.items()},
    }


def speed(found: Predictions):
    """Return the seconds of the two selections, from predictions; AutoGluon's are of one run."""
    (own,) = seconds(lambda: ours(found), repeats=7)
    start = time.perf_counter()
    there = autogluon_weights(found) is not None
    return {OURS: own} | ({AUTOGLUON: time.perf_counter() - start} if there else {})


def forests(X, y, seed):
    """Return squared errors on new samples: of 500 trees, of the first ones, of chosen ones, and of weighted ones."""
    X, X_test, y, y_test = split(X, y, seed)
    kind = RandomForestRegressor if y.dtype.kind == "f" else RandomForestClassifier

    def errors(model):
        if y.dtype.kind == "f":
            return (model.predict(X_test) - y_test) ** 2
        return np.sum((model.predict_proba(X_test) - np.eye(len(model.classes_))[y_test]) ** 2, axis=1)

    forest = kind(500, random_state=seed).fit(X, y)
    whole = errors(forest)
    row = {"500": float(whole.mean())}
    for k in TREES:
        chosen = errors(prune_forest(forest, X, y, k))
        row[f"first {k}"] = float(errors(kind(k, random_state=seed).fit(X, y)).mean())
        row[f"chosen {k}"] = float(chosen.mean())
        row[f"weighted {k}"] = float(errors(prune_forest(forest, X, y, k, replace=True)).mean())
        row[f"standard error {k}"] = float((chosen - whole).std(ddof=1) / np.sqrt(len(whole)))
    return row


def kept(file: Path, make):
    """Return the row in the file, or make it and keep it."""
    if not file.is_file():
        file.write_text(json.dumps(make()), encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


def losses_page(rows, classes):
    """Return the table of the losses on the data sets of one kind."""
    names = sorted({name for name, _, row in rows if row["classes"] == classes})
    methods = list(rows[0][2]["losses"])
    lines, ranks = [], []
    for name in names:
        own = [row for other, _, row in rows if other == name]
        losses = np.array([[row["losses"][method] for method in methods] for row in own])
        ranks.append(np.mean([rankdata(some.round(6)) for some in losses], axis=0))
        kept = np.mean([row["models"][OURS] for row in own])
        lines.append([name, *losses.mean(axis=0).tolist(), float(kept)])
    return table(["data", *methods, "models"], [*lines, ["mean rank", *np.mean(ranks, axis=0).tolist(), ""]])


def times_page(rows):
    """Return the table of times, and in how many libraries AutoGluon takes 200 times as long."""
    lines, n_fast = [], 0
    for name in sorted({name for name, _, _ in rows}):
        own = [row for other, _, row in rows if other == name]
        ratios = [row[AUTOGLUON] / row[OURS] for row in own if AUTOGLUON in row]
        n_fast += sum(ratio >= 200 for ratio in ratios)
        taken = 1e3 * float(np.median([row[OURS] for row in own]))
        lines.append([name, taken, float(np.median(ratios)) if ratios else ""])
    n_measured = sum(AUTOGLUON in row for _, _, row in rows)
    said = f"at least 200 times AutoGluon's speed in {n_fast} of {n_measured} libraries"
    return table(["data", "greedy, ms", "times AutoGluon's speed"], lines), said


def forests_page(rows):
    """Return the table on forests, and how many of the small ones are within a standard error."""
    columns = ["500", *(f"{what} {k}" for k in TREES for what in ("first", "chosen", "weighted"))]
    lines, within = [], dict.fromkeys(TREES, 0)
    names = sorted({name for name, _, _ in rows})
    for name in names:
        own = [row for other, _, row in rows if other == name]
        mean = {column: float(np.mean([row[column] for row in own])) for column in columns}
        lines.append([name, *mean.values()])
        for k in TREES:
            error = np.sqrt(np.mean([row[f"standard error {k}"] ** 2 for row in own]))
            within[k] += mean[f"chosen {k}"] <= mean["500"] + error
    said = "; ".join(f"{n} of {len(names)} chosen forests of {k} trees" for k, n in within.items())
    return table(["data set", *columns], lines), f"Not worse than 500 trees by more than a standard error: {said}."


def page(machine, n_splits, libraries, speeds, pruned):
    """Return what is published."""
    forest_table, said = forests_page(pruned)
    times, fast = times_page(speeds)
    told = (
        f"On new samples, {n_splits} split(s), at most 1500 training samples. All methods combine the same "
        "predictions, of five folds; those for new samples are of models fitted on all training samples. "
        f"{K} picks; the last column is the number of models of greedy. Greedy calibrates the models and their mean, "
        "but for one column. The uniform mean is that of VotingClassifier. Stacking has scikit-learn's default final "
        "estimator."
    )
    return (
        "ensemble",
        "Ensembles of a few of 40 models, and small forests",
        f"python benchmarks/ensemble.py --splits {n_splits}",
        machine,
        told,
        "Log loss of classes:",
        losses_page(libraries, classes=True),
        "Mean squared error of standardised numbers:",
        losses_page(libraries, classes=False),
        f"Times are of one thread, from predictions to weights: {fast}.",
        times,
        f"Squared errors on new samples (of classes: Brier scores) of random forests. {said}",
        forest_table,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tabular", default=os.environ.get("SKLEARN_GFS_TABULAR"), help="npz file of data sets")
    parser.add_argument("--cache", type=Path, default=Path("out") / "ensemble", help="folder of what is finished")
    parser.add_argument("--splits", type=int, default=1, help="number of splits of each data set")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    libraries, speeds, pruned = [], [], []
    with threadpool_limits(1):
        for seed in range(arguments.splits):
            for name, (X, y) in load(arguments.tabular).items():
                classes = y.dtype.kind != "f"

                def told(name=name, X=X, y=y, seed=seed):
                    return predictions(name, X, y, seed, arguments.cache)

                works = {
                    "library": (libraries, lambda told=told, classes=classes: {"classes": classes} | compare(told())),
                    "speed": (speeds, lambda told=told: speed(told())),
                    "forest": (pruned, lambda X=X, y=y, seed=seed: forests(X, y, seed)),
                }
                for what, (rows, make) in works.items():
                    rows.append((name, seed, kept(arguments.cache / f"{what}-{name}-{seed}.json", make)))
                print(name, seed, flush=True)
        machine = versions(*(["autogluon.core"] if AUTOGLUON in libraries[0][2]["losses"] else []))
    publish(*page(machine, arguments.splits, libraries, speeds, pruned))


if __name__ == "__main__":
    main()
