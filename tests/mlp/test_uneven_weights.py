"""Weights that tell nothing of the classes take no samples from early stopping."""

import numpy as np
import pytest

from sklearn_gfs import GreedyPrunedMLPClassifier

FAST = {"n_pretrain": 20, "k": 5, "n_hidden": 30, "random_state": 0}


def held_out_losses(y, weight, **parameters):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(len(y), 3)) + y.reshape(len(y), -1)[:, :1]
    model = GreedyPrunedMLPClassifier(**FAST, n_retrain=40, retrain_solver="adam", **parameters).fit(X, y, weight)
    return model.validation_loss_curve_


def labels(kind):
    y = np.arange(600) % 3
    return {"two": y % 2, "three": y, "multilabel": np.c_[y == 0, y > 1].astype(int)}[kind]


@pytest.mark.parametrize("kind", ["two", "three", "multilabel"])
def test_uneven_weights_of_samples_leave_some_held_out(kind):
    weight = np.random.default_rng(1).lognormal(sigma=1.5, size=600)
    assert weight.sum() ** 2 / np.sum(weight**2) < 0.5 * 600
    assert len(held_out_losses(labels(kind), weight)) > 1


@pytest.mark.parametrize("kind", ["two", "three"])
def test_uneven_weights_of_classes_leave_none(kind):
    y = labels(kind)
    y[np.flatnonzero(y == 1)[20:]] = 0
    assert len(held_out_losses(y, None, class_weight="balanced")) == 0
    noise = np.random.default_rng(1).lognormal(sigma=0.3, size=600)
    assert len(held_out_losses(y, noise, class_weight="balanced")) == 0
