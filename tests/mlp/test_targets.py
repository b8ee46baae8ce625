"""Targets of every kind: labels, several labels, numbers, and what is predicted of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import peak
from scipy import sparse
from sklearn.base import is_classifier, is_regressor
from sklearn.datasets import load_diabetes, load_linnerud
from sklearn.metrics import log_loss
from sklearn.preprocessing import LabelBinarizer

from mlp.small import SMALL, blobs
from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.mlp._links import project_to_simplex
from sklearn_gfs.mlp._targets import _encode_labels


@pytest.mark.parametrize(
    "labels", [np.array([3, -1]), np.array(["no", "yes"]), np.array(["a", "b", "c"]), np.array([7, 8, 9, 4])]
)
def test_labels_of_any_type(labels):
    X, y = blobs(n_classes=len(labels))
    model = GreedyPrunedMLPClassifier(**SMALL | {"n_pretrain": 100}).fit(X, labels[y])
    np.testing.assert_array_equal(model.classes_, np.unique(labels))
    assert model.score(X, labels[y]) > 0.8
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (len(X), len(labels))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities >= 0).all()
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(X))


def test_multilabel():
    X, y = blobs()
    Y = np.stack([y == 0, y != 1], axis=1).astype(int)
    for targets in (Y, sparse.csr_array(Y)):
        model = GreedyPrunedMLP(**SMALL).fit(X, targets)
        assert model.predict_proba(X).shape == (60, 2)
        predicted = model.predict(X)
        predicted = predicted.toarray() if sparse.issparse(predicted) else predicted
        assert np.mean(predicted == Y) > 0.85


@pytest.mark.parametrize("weighted", [False, True])
def test_log_loss_of_several_labels(weighted):
    X, y = blobs(150)
    Y = np.stack([y == 0, y != 1, X[:, 3] > 0], axis=1).astype(int)
    weight = np.random.default_rng(0).integers(1, 4, size=150) if weighted else None
    model = GreedyPrunedMLP(**{**SMALL, "n_retrain": 0}, loss="log_loss", early_stopping=False).fit(X, Y, weight)
    assert model.out_activation_ == "logistic"
    probabilities, logits = model.predict_proba(X), model.decision_function(X)
    np.testing.assert_allclose(np.log(probabilities / (1 - probabilities)), logits)
    np.testing.assert_array_equal(model.predict(X), logits > 0)
    # The selection's loss is the sum over labels of their log losses.
    losses = -np.sum(np.log(np.where(Y, probabilities, 1 - probabilities)), axis=1)
    assert model.selection_losses_[-1] == pytest.approx(np.average(losses, weights=weight), rel=1e-6)
    assert np.mean(model.set_params(n_retrain=60).fit(X, Y, weight).predict(X) == Y) > 0.8


def test_several_numbers():
    X, _ = blobs()
    Y = np.stack([X[:, 0], 1e3 * X[:, 1] - 5e3], axis=1)
    model = GreedyPrunedMLP(**SMALL).fit(X, Y)
    assert model.predict(X).shape == (60, 2)
    assert model.score(X, Y) > 0.5
    assert model.coefs_[1].shape == (model.n_units_, 2)


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (np.arange(60) % 3, "classifier"),
        (np.arange(60) % 3 * 1.0, "classifier"),
        (np.array(["a", "b"] * 30), "classifier"),
        (np.linspace(0, 1, 60), "regressor"),
        (load_diabetes().target[:60], "regressor"),  # whole numbers stored as floats, hardly any twice
        (np.stack([np.arange(60), np.arange(60)], axis=1), "regressor"),
        (load_linnerud().target[np.arange(60) % 20], "regressor"),
        (np.stack([np.arange(60) % 2, np.arange(60) % 3 == 0], axis=1).astype(int), "classifier"),
    ],
)
def test_the_task_is_inferred(y, kind):
    X, _ = blobs()
    model = GreedyPrunedMLP(**SMALL)
    assert is_classifier(model)
    model.fit(X, y)
    assert is_classifier(model) == (kind == "classifier") == hasattr(model, "predict_proba")
    assert is_regressor(model) == (kind == "regressor")
    reference = GreedyPrunedMLPClassifier if kind == "classifier" else GreedyPrunedMLPRegressor
    np.testing.assert_array_equal(model.predict(X), reference(**SMALL).fit(X, y).predict(X))
    assert model.score(X, y) == reference(**SMALL).fit(X, y).score(X, y)


def test_the_task_can_change_from_fit_to_fit():
    X, y = blobs()
    model = GreedyPrunedMLP(**SMALL).fit(X, y).fit(X, X[:, 0])
    assert not hasattr(model, "classes_")
    assert not hasattr(model, "predict_proba")
    assert model.fit(X, y).predict(X).dtype == y.dtype


@given(seed=st.integers(0, 2**31 - 1), n_classes=st.integers(2, 6))
def test_simplex_projection(seed, n_classes):
    rng = np.random.default_rng(seed)
    outputs = 2 * rng.normal(size=(5, n_classes))
    projected = project_to_simplex(outputs)
    assert (projected >= 0).all()
    np.testing.assert_allclose(projected.sum(axis=1), 1)
    # Nearest: the residual makes no acute angle with the way to any other point of the simplex.
    for corner in np.eye(n_classes):
        assert (np.sum((outputs - projected) * (corner - projected), axis=1) <= 1e-9).all()
    np.testing.assert_allclose(project_to_simplex(projected), projected, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPClassifier])
def test_log_loss(cls, n_classes):
    X, y = blobs(n_classes=n_classes)
    model = cls(**SMALL, loss="log_loss").fit(X, y)
    assert model.out_activation_ == ("logistic" if n_classes == 2 else "softmax")
    probabilities, logits = model.predict_proba(X), model.decision_function(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    if n_classes == 2:
        np.testing.assert_allclose(np.log(probabilities[:, 1] / probabilities[:, 0]), logits)
    else:
        np.testing.assert_allclose(np.log(probabilities) - np.log(probabilities[:, :1]), logits - logits[:, :1])
    np.testing.assert_array_equal(probabilities.argmax(axis=1), model.predict(X))
    assert model.score(X, y) > 0.8
    assert not hasattr(cls(**SMALL, loss="squared_error").fit(X, y), "decision_function")


def test_log_loss_of_the_selection_is_that_of_the_probabilities():
    X, y = blobs()
    model = GreedyPrunedMLPClassifier(**{**SMALL, "n_retrain": 0}, loss="log_loss").fit(X, y)
    assert model.selection_losses_[-1] == pytest.approx(log_loss(y, model.predict_proba(X)), rel=1e-9)


@pytest.mark.parametrize(
    ("parameters", "y", "message"),
    [
        ({"loss": "log_loss"}, np.linspace(0, 1, 60), "loss='log_loss' is for classes, and y holds numbers"),
        ({"class_weight": "balanced"}, np.linspace(0, 1, 60), "class_weight='balanced' is for classes"),
        ({"loss": "hinge"}, np.arange(60) % 2, "'loss' parameter of .* must be a str among"),
        ({"class_weight": "even"}, np.arange(60) % 2, "'class_weight' parameter of"),
    ],
)
def test_what_goes_with_classes_only_is_refused_for_others(parameters, y, message):
    with pytest.raises(ValueError, match=message):
        GreedyPrunedMLP(**SMALL, **parameters).fit(blobs()[0], y)


def test_labels_are_encoded_in_a_byte_for_each_class():
    y = np.arange(20_000) % 7
    model = GreedyPrunedMLPClassifier()
    model._label_binarizer = LabelBinarizer().fit(y)
    most, targets = peak(_encode_labels, model, y, "y", "unknown")
    np.testing.assert_array_equal(targets, model._label_binarizer.transform(y))
    assert most < y.nbytes * 4
