"""What `classes` of partial_fit may name, and when it may name others than before."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_multilabel_classification

from mlp.small import SMALL, assert_equal_fits, problem
from sklearn_gfs import GreedyForwardSelector, GreedyPrunedMLP, GreedyPrunedMLPClassifier

X, Y = problem()
WRONG = [
    ([0, 1, np.nan], ValueError, "classes holds missing values; each class must be a label"),
    ([0, 1, None], ValueError, "classes holds missing values; each class must be a label"),
    (pd.Series([0, 1, pd.NA], dtype="Int64"), ValueError, "classes holds missing values; each class must be a label"),
    (np.array(["2020", "NaT"], dtype="M8[D]"), ValueError, "classes holds missing values"),
    ([0, np.inf], ValueError, "classes holds inf; a label is a whole number, text or a truth value"),
    ([0.5, 1.5], ValueError, "classes holds 0.5; a label is a whole number"),
    ([0, "a"], ValueError, "classes holds values of several kinds, number and str"),
    (np.array([0, "a"], dtype=object), ValueError, "classes holds values of several kinds, number and str"),
    ([{}, {}], ValueError, r"classes holds \{\}; a label is a whole number"),
    ([0, 1j], ValueError, "Complex data not supported: classes"),
    (np.ma.masked_array([0, 1, 2], [0, 0, 1]), ValueError, "classes holds masked values"),
    ([[0, 1], [2]], ValueError, "classes must be one list of labels"),
    ({0, 1}, TypeError, r"classes must be a list or an array of labels, got \{0, 1\}"),
    ({0: 1, 1: 2}, TypeError, "classes must be a list or an array"),
    (iter([0, 1]), TypeError, "classes must be a list or an array"),
    ("ab", TypeError, "classes must be a list or an array of labels, got 'ab'"),
    (3, TypeError, "classes must be a list or an array of labels, got 3"),
    (np.array(3), TypeError, "classes must be a list or an array"),
]


def begun(cls):
    """Return a model that knows classes and keeps its dense network."""
    if cls is GreedyForwardSelector:
        return cls().partial_fit(X, Y)
    return cls(**SMALL).partial_fit(X, Y, classes=[0, 1, 2])


@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyForwardSelector])
@pytest.mark.parametrize(("classes", "error", "message"), WRONG)
@pytest.mark.parametrize("again", [False, True])
def test_what_names_no_classes_is_refused_by_name(cls, classes, error, message, again):
    model = begun(cls) if again else cls(**({} if cls is GreedyForwardSelector else SMALL))
    with pytest.raises(error, match=message):
        model.partial_fit(X, Y, classes=classes)


@pytest.mark.parametrize(
    "classes",
    [
        range(3),
        (2, 1, 0, 1),
        [0.0, 1.0, 2.0],
        pd.Series([0, 1, 2], dtype="Int64"),
        pd.Categorical([0, 1, 2]),
        np.array([0, 1, 2], dtype=object),
    ],
)
def test_what_names_classes_is_taken(classes):
    model = GreedyPrunedMLPClassifier(**SMALL).partial_fit(X, Y, classes=classes)
    assert model.classes_.tolist() == [0, 1, 2]
    model.partial_fit(X, Y, classes=classes)


def test_labels_of_another_kind_are_shown_beside_the_classes():
    with pytest.raises(ValueError, match=r"not in classes_: \[0, 1, 2\]. classes_ holds \['0', '1', '2'\]"):
        GreedyPrunedMLPClassifier(**SMALL).partial_fit(X, Y, classes=["0", "1", "2"])


def test_names_of_labels_have_a_number():
    labels = make_multilabel_classification(90, n_classes=2, random_state=0)[1]
    with pytest.raises(TypeError, match="classes must be a list or an array of labels, got 3"):
        GreedyPrunedMLPClassifier(**SMALL).partial_fit(X, labels, classes=3)


@pytest.mark.parametrize("first", ["fit", "partial_fit"])
def test_a_dense_network_that_is_kept_keeps_its_classes(first):
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True)
    getattr(model, first)(X, Y, **({} if first == "fit" else {"classes": [0, 1, 2]}))
    with pytest.raises(ValueError, match=r"classes=\[0, 1\] is not what the dense network was trained on, \[0, 1, 2\]"):
        model.partial_fit(X, Y, classes=[0, 1])


@pytest.mark.filterwarnings("ignore:partial_fit begins with a new dense network")
@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier])
def test_a_new_dense_network_may_have_other_classes(cls):
    model = cls(**SMALL).fit(X, Y).partial_fit(X, Y, classes=[0, 1, 2, 3])
    assert_equal_fits(model, cls(**SMALL).partial_fit(X, Y, classes=[0, 1, 2, 3]))
    assert model.partial_fit(X, Y + 1).classes_.tolist() == [0, 1, 2, 3]
    names = np.array(["a", "b", "c"])
    assert set(cls(**SMALL).fit(X, Y).partial_fit(X, names[Y], classes=names).predict(X)) <= set(names)
    with pytest.raises(ValueError, match="X has 3 features"):
        cls(**SMALL).fit(X, Y).partial_fit(X[:, :3], Y, classes=[0, 1, 2])


@pytest.mark.filterwarnings("ignore:partial_fit begins with a new dense network")
def test_a_new_dense_network_may_have_classes_after_numbers_or_labels():
    known = GreedyPrunedMLP(**SMALL).partial_fit(X, Y, classes=[0, 1, 2])
    labels = np.column_stack([Y > 0, Y > 1]).astype(int)
    for before in (X[:, 0], labels):
        assert_equal_fits(GreedyPrunedMLP(**SMALL).fit(X, before).partial_fit(X, Y, classes=[0, 1, 2]), known)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = GreedyPrunedMLP(**SMALL, warm_start=True).fit(X, X[:, 0])
        with pytest.raises(ValueError, match=r"classes must not be passed here: .* numbers"):
            kept.partial_fit(X, Y, classes=[0, 1, 2])
