"""Targets that are objects: what is missing, or of several kinds, is named wherever targets come in."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import sklearn_gfs as gfs

X, CODES = make_classification(60, 4, random_state=0)
NAMES = np.array(["a", "b"], dtype=object)[CODES]
SMALL = {"n_pretrain": 3, "k": 3, "n_hidden": 10, "n_retrain": 0, "random_state": 0}
SEVERAL, MISSING = "y holds values of several kinds, number and str; they must be of one", "y holds missing values"


def instead_of_b(value):
    """Return labels in which this takes the place of "b"; the first is text."""
    return pd.Series(["a", *(value if code else "a" for code in CODES[1:])], dtype=object)


TARGETS = {
    "numbers": (instead_of_b(1), SEVERAL),
    "numbers in a list": (list(instead_of_b(1)), SEVERAL),
    "nan in a list": (list(instead_of_b(float("nan"))), MISSING),
    "None": (instead_of_b(None), MISSING),
    "nan": (instead_of_b(float("nan")), MISSING),
    "NA": (pd.Series([pd.NA, *NAMES[1:]], dtype="string"), MISSING),
    "of categories": (pd.Series(pd.Categorical([None, *NAMES[1:]])), MISSING),
}
CALLS = {
    "classifier": lambda y: gfs.GreedyPrunedMLPClassifier(**SMALL).fit(X, y),
    "partial_fit": lambda y: gfs.GreedyPrunedMLPClassifier(**SMALL).partial_fit(X, y, classes=["a", "b"]),
    "inferred": lambda y: gfs.GreedyPrunedMLP(**SMALL).fit(X, y),
    "search": lambda y: gfs.PretrainThresholdSearch(gfs.GreedyPrunedMLPClassifier(**SMALL), n_pretrain=[1, 2]).fit(
        X, y
    ),
    "curve": lambda y: gfs.pretrain_threshold_curve(gfs.GreedyPrunedMLPClassifier(**SMALL), X, y, n_pretrain=[1, 2]),
    "selector": lambda y: gfs.GreedyForwardSelector(n_features_to_select=2).fit(X, y),
    "selection": lambda y: gfs.greedy_forward_selection(X, y, 3, loss="log_loss"),
    "ensemble": lambda y: gfs.GreedyEnsembleClassifier([("one", LogisticRegression())]).fit(X, y),
    "forest": lambda y: gfs.prune_forest(RandomForestClassifier(3, random_state=0).fit(X, NAMES), X, y, k=2),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(("y", "message"), TARGETS.values(), ids=TARGETS)
def test_what_is_missing_or_of_another_kind_is_named(call, y, message):
    with pytest.raises(ValueError, match=message):
        call(y)


def test_samples_held_out_are_asked_alike():
    classifier = gfs.GreedyPrunedMLPClassifier(**{**SMALL, "n_retrain": 2})
    with pytest.raises(ValueError, match="y_val holds missing values"):
        classifier.fit(X, NAMES, X_val=X, y_val=instead_of_b(None))


@pytest.mark.filterwarnings("ignore:.*reached the target at no n_pretrain")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_objects_of_one_kind_are_taken(call):
    call(pd.Series(NAMES))
    call([np.str_(name) if code else name for name, code in zip(NAMES, CODES, strict=True)])
