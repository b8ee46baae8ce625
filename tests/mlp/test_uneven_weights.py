"""Weights that differ: which ones take no samples from early stopping, and steps of gradient descent."""

import numpy as np
import pytest

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.network._training import Training

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


def descent(n_heavy, weight, n_samples=1000, seed=0, **parameters):
    """Return the weighted score of gradient descent where a few samples have a large weight."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 5))
    y = X[:, 0] + X[:, 1] ** 2
    weights = np.ones(n_samples)
    weights[rng.permutation(n_samples)[:n_heavy]] = weight
    parameters = {"n_pretrain": 200, "n_hidden": 60, "k": 10, "n_retrain": 0, "random_state": seed} | parameters
    model = GreedyPrunedMLPRegressor(solver="sgd", **parameters).fit(X, y, sample_weight=weights)
    return model.score(X, y, sample_weight=weights)


@pytest.mark.parametrize(("n_heavy", "weight"), [(5, 1e4), (1, 1e6), (2, 1e5)])
@pytest.mark.parametrize("parameters", [{}, {"n_hidden": 1500}, {"momentum": 0.0}, {"n_retrain": 40}])
def test_gradient_descent_bears_a_few_heavy_samples(n_heavy, weight, parameters):
    scores = [descent(n_heavy, weight, seed=seed, **parameters) for seed in range(3)]
    assert min(scores) > -0.1


def test_the_last_samples_of_a_shuffle_may_be_the_heavy_ones():
    assert min(descent(1, 1e6, n_samples=255, batch_size=128, seed=seed) for seed in range(6)) > -0.1


def test_even_weights_do_not_change_the_step_size(monkeypatch):
    steps, chosen = [], Training._choose_step_size

    def record(training, batch):
        chosen(training, batch)
        steps.append(training.step_size)

    monkeypatch.setattr(Training, "_choose_step_size", record)
    for weight in (1.0, 3.0):
        descent(1000, weight)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 5))
    model = GreedyPrunedMLPRegressor(solver="sgd", n_pretrain=1, n_hidden=60, k=10, n_retrain=0, random_state=0)
    model.fit(X, X[:, 0] + X[:, 1] ** 2)
    assert len(set(steps)) == 1
