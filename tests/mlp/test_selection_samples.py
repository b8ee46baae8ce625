"""Neurons are selected on a sample of many samples, and what the picks are worth is said of all, or of many."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.metrics import log_loss

from mlp.small import SMALL, blobs
from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.mlp import _pruning, _searches

NOT_RETRAINED = {**SMALL, "n_retrain": 0, "early_stopping": False}


def loss_of(model, X, targets, weight=None):
    """Return half the mean squared error of the outputs."""
    outputs = model._outputs(X).reshape(len(X), -1)
    return 0.5 * np.average(np.sum((outputs - targets.reshape(len(X), -1)) ** 2, axis=1), weights=weight)


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_sample_that_holds_all_is_all(loss, early_stopping):
    X, y = blobs(300)
    settings = {**SMALL, "loss": loss, "early_stopping": early_stopping}
    whole = GreedyPrunedMLPClassifier(**settings, selection_samples=None).fit(X, y)
    for n_samples in (300, 10**6):
        model = GreedyPrunedMLPClassifier(**settings, selection_samples=n_samples).fit(X, y)
        np.testing.assert_array_equal(model.selection_path_, whole.selection_path_)
        np.testing.assert_array_equal(model.coefs_[0], whole.coefs_[0])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("working_memory", [1024, 0.01])
def test_losses_and_gaps_are_of_all_samples(weighted, working_memory):
    X, y = blobs(300)
    weight = np.arange(300) % 3 + 0.5 if weighted else None
    model = GreedyPrunedMLPClassifier(**NOT_RETRAINED, loss="squared_error", selection_samples=40)
    with config_context(working_memory=working_memory):
        model.fit(X, y, weight)
    targets = np.eye(3)[np.searchsorted(model.classes_, y)]
    assert model.selection_losses_[-1] == pytest.approx(loss_of(model, X, targets, weight), rel=1e-5)
    whole = GreedyPrunedMLPClassifier(**NOT_RETRAINED, loss="squared_error", selection_samples=None).fit(X, y, weight)
    assert model.dense_loss_ == pytest.approx(whole.dense_loss_, rel=1e-6)
    # No gap may promise more than the best mean of neurons keeps.
    least = (whole.selection_losses_ - whole.duality_gaps_).max()
    assert (model.duality_gaps_ >= 0).all()
    assert (model.selection_losses_ >= least - 1e-6).all()
    assert (model.selection_losses_ - model.duality_gaps_ <= whole.selection_losses_.min() + 1e-6).all()


def test_the_default_looks_at_some_of_many_samples(monkeypatch):
    X, y = blobs(300)
    seen, draw = [], _searches.draw
    monkeypatch.setattr(_searches, "_LEAST_SAMPLES", 20)
    monkeypatch.setattr(_searches, "_MOST_SAMPLES", 60)
    monkeypatch.setattr(_pruning, "_MEASURED", 100)
    monkeypatch.setattr(_searches, "draw", lambda *a: seen.append(draw(*a)[0]) or draw(*a))
    GreedyPrunedMLPClassifier(**SMALL, loss="squared_error").fit(X, y)
    assert {len(rows) for rows in seen} == {60, 100}
    seen.clear()
    GreedyPrunedMLPClassifier(**SMALL, loss="squared_error", selection_samples=None).fit(X, y)
    assert {len(rows) for rows in seen} <= {300, 210}


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("selection_samples", ["auto", 40, 150, None])
def test_losses_are_measured_on_some_of_many_samples(monkeypatch, loss, selection_samples):
    X, y = blobs(300)
    weight = np.arange(300) % 3 + 0.5
    for name in ("_SAMPLES", "_SAMPLES_BY_GRADIENT"):
        monkeypatch.setattr(_searches, f"_LEAST{name}", 20)
        monkeypatch.setattr(_searches, f"_MOST{name}", 60)
    monkeypatch.setattr(_pruning, "_MEASURED", 100)
    seen, draw = [], _searches.draw

    def seen_draw(*arguments):
        drawn = draw(*arguments)
        seen.append((drawn.rows, np.ones(len(drawn.rows)) if drawn.weight is None else drawn.weight))
        return drawn

    monkeypatch.setattr(_searches, "draw", seen_draw)
    model = GreedyPrunedMLPClassifier(**NOT_RETRAINED, loss=loss, selection_samples=selection_samples)
    model.fit(X, y, weight)
    rows, counts = max(seen, key=lambda drawn: drawn[1].sum())
    if selection_samples is None:
        assert len(rows) == 300
    else:
        assert counts.sum() == {"auto": 100, 40: 100, 150: 150}[selection_samples]
    if loss == "log_loss":
        expected = log_loss(y[rows], model.predict_proba(X[rows]), sample_weight=counts)
    else:
        expected = loss_of(model, X[rows], np.eye(3)[y[rows]], counts)
    assert model.selection_losses_[-1] == pytest.approx(expected, rel=1e-5)
    assert (model.duality_gaps_ >= 0).all()
    # A bound for one mean of neurons, the dense network, that belongs to the same samples.
    assert (model.selection_losses_ - model.duality_gaps_ <= model.dense_loss_ + 1e-6).all()


def test_no_range_of_numbers_is_left_out():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(2000, 2))
    y = np.where(X[:, 0] > 0.98, 50.0, X[:, 1])  # one sample in a hundred
    model = GreedyPrunedMLPRegressor(100, 10, n_hidden=100, n_retrain=0, random_state=0, selection_samples=200)
    whole = GreedyPrunedMLPRegressor(100, 10, n_hidden=100, n_retrain=0, random_state=0, selection_samples=None)
    assert model.fit(X, y).selection_losses_[-1] < 1.3 * whole.fit(X, y).selection_losses_[-1]
