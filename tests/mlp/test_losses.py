"""A loss is one object: a new one is added from outside, and every part of the package takes it."""

import numpy as np
import pytest
from sklearn.datasets import load_iris

from sklearn_gfs import GreedyPrunedMLPClassifier
from sklearn_gfs.network._losses import LOSSES, LogLoss, SquaredError

SMALL = {"n_pretrain": 60, "k": 10, "n_hidden": 50, "n_retrain": 60, "random_state": 0}


class CautiousLogLoss(LogLoss):
    """Log loss of targets that are a tenth less certain, selected by the exact log loss."""

    name = "cautious_log_loss"

    @staticmethod
    def softened(y):
        return 0.9 * y + 0.1 / max(len(y), 2)

    def value_and_residual(self, outputs, y, weight):
        return super().value_and_residual(outputs, self.softened(y), weight)

    def values(self, outputs, targets):
        return super().values(outputs, self.softened(targets.T).T)


class TwiceTheSquaredError(SquaredError):
    """The same minimiser at another height."""

    name = "twice"

    def value_and_residual(self, outputs, y, weight):
        value, residual = super().value_and_residual(outputs, y, weight)
        return 2 * value, 2 * residual

    def values(self, outputs, targets):
        return 2 * super().values(outputs, targets)


@pytest.fixture(params=[CautiousLogLoss(), TwiceTheSquaredError()], ids=lambda loss: loss.name)
def loss(request, monkeypatch):
    monkeypatch.setitem(LOSSES, request.param.name, request.param)
    return request.param


def test_a_loss_from_outside_is_fitted(loss):
    X, y = load_iris(return_X_y=True)
    model = GreedyPrunedMLPClassifier(**SMALL, loss=loss.name).fit(X, y)
    assert model.score(X, y) > 0.9
    assert hasattr(model, "decision_function") == loss.gives_logits
    assert model.out_activation_ == loss.out_activation(3)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    # The dense network's loss is the one from outside.
    model.set_params(n_retrain=0, early_stopping=False, n_pretrain=0).fit(X, y)
    constant = loss.mean(np.zeros((150, 3)), np.eye(3)[y], None)
    if loss.gives_logits:
        assert model.dense_loss_ == pytest.approx(constant, rel=0.05)
    assert np.isfinite(model.dense_loss_)


def test_a_loss_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"'loss' parameter of .* must be a str among .*'log_loss'"):
        GreedyPrunedMLPClassifier(loss="twice").fit([[0.0], [1.0]], [0, 1])
    assert not hasattr(GreedyPrunedMLPClassifier(loss="twice"), "decision_function")
