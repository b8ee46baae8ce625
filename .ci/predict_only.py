"""
Fitted models where torch and numba are not installed: fit some (save FOLDER), use them elsewhere (load FOLDER).

What is loaded must give what was saved, to the last digit, and fit must say what to install.
"""

import importlib.util
import pickle
import pkgutil
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import make_friedman1, make_multilabel_classification
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_gfs
from sklearn_gfs import (
    GreedyEnsembleClassifier,
    GreedyForwardSelector,
    GreedyPrunedMLP,
    GreedyPrunedMLPClassifier,
    GreedyPrunedMLPRegressor,
    PretrainThresholdSearch,
)

ADVICE = 'pip install "sklearn-gfs[train]"'
METHODS = ("predict", "predict_proba", "decision_function", "transform")


def models():
    """Return, by name, an unfitted estimator of every kind and its data."""
    X, y = make_friedman1(120, random_state=0)
    labels = np.array(["low", "mid", "high"])[np.digitize(y, np.quantile(y, [0.3, 0.6]))]
    sets = make_multilabel_classification(120, n_features=10, random_state=0)[1]
    small = {"n_pretrain": 20, "k": 8, "n_hidden": 30, "n_retrain": 10, "random_state": 0}
    return {
        "classes": (GreedyPrunedMLPClassifier(**small), X, labels),
        "logits": (GreedyPrunedMLPClassifier(**small, loss="log_loss"), X, labels),
        "labels": (GreedyPrunedMLPClassifier(**small, loss="log_loss"), X, sets),
        "numbers": (GreedyPrunedMLPRegressor(**small), X, np.column_stack([y, -y])),
        "inferred": (GreedyPrunedMLP(**small), X, labels),
        "warm": (GreedyPrunedMLPRegressor(**small, warm_start=True), X, y),
        "pipeline": (
            make_pipeline(StandardScaler(), GreedyForwardSelector(4), GreedyPrunedMLPRegressor(**small)),
            X,
            y,
        ),
        "columns": (GreedyForwardSelector(4), X, y),
        "ensemble": (
            GreedyEnsembleClassifier([("network", GreedyPrunedMLPClassifier(**small)), ("ridge", RidgeClassifier())]),
            X,
            labels,
        ),
        "search": (
            PretrainThresholdSearch(GreedyPrunedMLPRegressor(**small), n_pretrain=[5, 20], k=[4, 8], cv=2),
            X,
            y,
        ),
    }


def uses(model, X, y):
    """Return all that a fitted model can be asked for, by method."""
    found = {name: getattr(model, name)(X) for name in METHODS if hasattr(model, name)}
    return found | ({"score": model.score(X, y)} if hasattr(model, "score") else {})


def save(folder):
    """Fit every model and keep it beside its answers."""
    chosen = {name: (model.fit(X, y), X, y) for name, (model, X, y) in models().items()}
    selector, X, y = GreedyForwardSelector(4), *chosen["columns"][1:]
    chosen["chunks"] = (selector.partial_fit(X[:60], y[:60]).partial_fit(X[60:], y[60:]), X, y)
    for name, (model, X, y) in chosen.items():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps((model, X, y, uses(model, X, y))))


def refusal(call, *arguments):
    """Return what the call that can't be made says."""
    try:
        call(*arguments)
    except (ImportError, ValueError) as error:  # the search says in a ValueError why all its fits failed
        return str(error)
    return "nothing"


def load(folder):
    """Use every model, and try to fit it."""
    for package in ("torch", "numba"):
        if package in sys.modules or importlib.util.find_spec(package):
            raise SystemExit(f"{package} is there, so that nothing is shown")
    for module in pkgutil.walk_packages(sklearn_gfs.__path__, "sklearn_gfs."):
        importlib.import_module(module.name)
    files = sorted(folder.glob("*.pkl"))
    if {file.stem for file in files} != {*models(), "chunks"}:
        raise SystemExit(f"{folder} holds {[file.stem for file in files]}, which are not all the models")
    for file in files:
        model, X, y, expected = pickle.loads(file.read_bytes())
        found = uses(model, X, y)
        if found.keys() != expected.keys():
            raise SystemExit(f"{file.stem} has {sorted(found)}, not {sorted(expected)}")
        for method, values in expected.items():
            np.testing.assert_array_equal(found[method], values, err_msg=f"{file.stem}: {method}")
        calls = [(name, getattr(model, name), (X, y)) for name in ("fit", "partial_fit") if hasattr(model, name)]
        if hasattr(model, "to_torch"):
            calls.append(("to_torch", model.to_torch, ()))
        for name, call, arguments in calls:
            said = refusal(call, *arguments)
            if ADVICE not in said:
                raise SystemExit(f"{file.stem}: {name} does not say what to install, but {said}")
        print(f"{file.stem}: {', '.join(found)}")


if __name__ == "__main__":
    action, where = sys.argv[1:]
    Path(where).mkdir(parents=True, exist_ok=True)
    {"save": save, "load": load}[action](Path(where))
