"""Automatic pre-training: where it stops, and what it never does."""

import numpy as np
import pytest
from sklearn.base import clone

from mlp.small import SMALL, blobs
from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.network import Training


@pytest.mark.parametrize("early_stopping", [False, True])
def test_automatic_pretraining_equals_the_best_checkpoint(early_stopping):
    X, y = blobs(200)
    model = GreedyPrunedMLPClassifier(**SMALL, early_stopping=early_stopping)
    chosen = clone(model).set_params(n_pretrain="auto").fit(X, y)
    assert chosen.n_pretrain_ in [20, 80, 320, 1280]
    assert len(chosen.loss_curve_) == chosen.n_pretrain_
    fixed = clone(model).set_params(n_pretrain=chosen.n_pretrain_).fit(X, y)
    np.testing.assert_array_equal(chosen.predict_proba(X), fixed.predict_proba(X))
    np.testing.assert_array_equal(chosen.selection_path_, fixed.selection_path_)


@pytest.mark.parametrize("frequency", [0.3, 1, 3])
@pytest.mark.parametrize("noise", [0, 1])
def test_automatic_pretraining_stops_when_the_subnetwork_no_longer_improves_enough(frequency, noise):
    X, _ = blobs(200)
    y = np.sin(frequency * X[:, 0]) + noise * np.random.default_rng(0).normal(size=200)
    model = GreedyPrunedMLPRegressor(**SMALL, early_stopping=False).set_params(n_retrain=0)
    points = clone(model).fit_path(X, y, n_pretrain=[20, 80, 320])
    losses = {p.n_pretrain: p.estimator.selection_losses_[-1] for p in points if p.k is not None}
    # Every iteration has to lower the loss by 0.03 % of itself, and the last ones must give hope that the next will.
    expected = 20
    if losses[80] < (1 - 60 * 3e-4) * losses[20]:
        expected = 80
        if losses[80] <= (1 - 240 * 3e-4) * losses[20] and losses[320] < (1 - 240 * 3e-4) * losses[80]:
            expected = 320
    auto = clone(model).set_params(n_pretrain="auto").fit(X, y)
    assert auto.n_pretrain_ == expected
    assert auto.selection_losses_[-1] == pytest.approx(losses[expected])


def test_automatic_pretraining_never_tries_what_it_cannot_choose(monkeypatch):
    X, _ = blobs(200)
    n_made = 0

    def advance(training, n_iterations):
        nonlocal n_made
        n_made += n_iterations
        training.losses.extend([1.0] * n_iterations)

    halved = iter(0.5 ** np.arange(20))
    monkeypatch.setattr("sklearn_gfs.network._training.Training.advance", advance)
    monkeypatch.setattr("sklearn_gfs.mlp._path.TrainingPath._pruned_losses", lambda *_: (next(halved), None))
    model = GreedyPrunedMLPRegressor(**SMALL).set_params(n_pretrain="auto", n_retrain=0).fit(X, X[:, 0])
    assert model.n_pretrain_ == n_made == 320


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("corrective", [True, "auto"])
@pytest.mark.parametrize("n_retrain", [10, 0])
def test_what_resolved_weights_hide_of_pretraining_is_seen_where_a_subnetwork_is_retrained(
    monkeypatch, loss, corrective, n_retrain
):
    X, y = blobs(200)
    halved, seen = iter(0.5 ** np.arange(40)), []

    def score(candidates, k, judge, *, worth):
        # The loss of re-solved weights never falls, that of the mean of the picks always does.
        ridges = [candidate.ridge for candidate in candidates]
        seen.append(ridges)
        return candidates[0], next(halved) if ridges == [None] else 1.0

    monkeypatch.setattr("sklearn_gfs.mlp._path.choose", score)
    settings = {"n_pretrain": "auto", "n_retrain": n_retrain, "corrective": corrective, "loss": loss}
    settings["learning_rate_init"] = 1e-3
    model = GreedyPrunedMLPClassifier(**SMALL | settings).fit(X, y)
    assert model.n_pretrain_ == (320 if n_retrain else 20)
    assert ([None] in seen) == (n_retrain > 0)


def test_automatic_pretraining_listens_to_validation_data():
    X, y = blobs(200)
    model = GreedyPrunedMLPClassifier(**SMALL).set_params(n_pretrain="auto")
    model.fit(X[:150], y[:150], X_val=X[150:], y_val=(y[150:] + 1) % 3)
    assert model.n_pretrain_ <= 20  # the more it learns, the worse it does on these


@pytest.mark.parametrize("warm_start", [False, True])
def test_what_the_solver_remembers_is_copied_only_to_be_kept(monkeypatch, warm_start):
    X, y = blobs()
    kept = []
    original = Training.state
    monkeypatch.setattr(Training, "state", lambda *a, **k: kept.append(original(*a, **k).moments) or original(*a, **k))
    GreedyPrunedMLPClassifier(**SMALL | {"n_pretrain": "auto"}, warm_start=warm_start).fit(X, y)
    assert kept
    assert all((moments is not None) == warm_start for moments in kept)
