"""Automatic penalties of gradient updates: larger ones where held-out samples say that others are fitted closely."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_gfs import GreedyPrunedMLPClassifier
from sklearn_gfs.mlp import _other_trials
from sklearn_gfs.mlp._trainer import Trainer
from sklearn_gfs.network import _step_cost

SETTINGS = {"k": 20, "n_hidden": 100, "random_state": 0}


def noisy_classes(n_samples):
    """Return four classes of two features among twenty; of the labels two fifths are drawn at random."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 20))
    y = (X[:, 0] > 0) + 2 * (X[:, 1] > 0)
    return X, np.where(rng.uniform(size=n_samples) < 0.6, y, rng.integers(4, size=n_samples))


@pytest.fixture
def alphas(monkeypatch):
    """Record the penalties of all re-trainings."""
    found, original = [], Trainer.retraining

    def record(self, *args, **how):
        training = original(self, *args, **how)
        found.append((how["name"], training._settings.alpha * len(training._samples.rows)))
        return training

    monkeypatch.setattr(Trainer, "retraining", record)
    return found


def test_noise_is_penalised_more(alphas, monkeypatch):
    X, y = noisy_classes(1300)
    model = GreedyPrunedMLPClassifier(**SETTINGS).fit(X, y)
    *trials, (_, final) = [(name, round(alpha, 6)) for name, alpha in alphas]
    assert [alpha for _, alpha in trials] == [4.0**place for place in range(len(trials))]
    assert len(trials) > 2
    assert final == trials[-2][1]  # the last was no better
    alphas.clear()
    monkeypatch.setattr(_other_trials, "_EARLY", 0)
    plain = GreedyPrunedMLPClassifier(**SETTINGS).fit(X, y)
    assert len(alphas) == 2
    assert min(model.validation_loss_curve_) < min(plain.validation_loss_curve_) - 0.03


@pytest.mark.parametrize(
    "fixed", [{"alpha": 1e-3}, {"n_retrain": 40}, {"early_stopping": False}, {"loss": "squared_error"}]
)
def test_what_is_asked_for_is_not_changed(alphas, fixed):
    X, y = noisy_classes(1300)
    GreedyPrunedMLPClassifier(**SETTINGS | fixed).fit(X, y)
    assert len(alphas) == (1 if fixed.get("early_stopping") is False else 2)
    alphas.clear()
    GreedyPrunedMLPClassifier(**SETTINGS).fit(X[:900], y[:900])  # so few are no judges
    assert len(alphas) == 2


def test_what_is_learnt_nearly_without_error_has_one_trial(alphas, monkeypatch):
    monkeypatch.setattr(_step_cost, "_MOST_TRIED_OF_MANY", 0.0)  # steps would be a trial of their own
    X, _ = noisy_classes(1300)
    GreedyPrunedMLPClassifier(**SETTINGS).fit(X[:, :3], np.digitize(X[:, 0], [0, 1]))
    assert len(alphas) == 2


def test_rare_words_have_one_trial(alphas):
    rng = np.random.default_rng(0)
    y = rng.integers(4, size=1300)
    words = np.where(rng.uniform(size=(1300, 5)) < 0.5, 4 * rng.integers(100, size=(1300, 5)) + y[:, None], 400)
    X = sparse.csr_array((np.ones(6500), (np.repeat(np.arange(1300), 5), words.ravel())), shape=(1300, 401))
    GreedyPrunedMLPClassifier(**SETTINGS).fit(X, np.where(rng.uniform(size=1300) < 0.6, y, rng.integers(4, size=1300)))
    assert len(alphas) == 2
