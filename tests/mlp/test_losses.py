"""A loss is one object: a new one is added from outside, and every part of the package takes it."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

from sklearn_gfs import GreedyPrunedMLPClassifier
from sklearn_gfs.network._losses import LOSSES, LabelwiseLogLoss, LogLoss, SquaredError

SMALL = {"n_pretrain": 60, "k": 10, "n_hidden": 50, "n_retrain": 60, "random_state": 0}


class CautiousLogLoss(LogLoss):
    """Log loss of targets that are a tenth less certain."""

    name = "cautious_log_loss"

    @staticmethod
    def softened(y):
        return 0.9 * y + 0.1 / max(len(y), 2)

    def total_and_residual(self, outputs, y, weight):
        return super().total_and_residual(outputs, self.softened(y), weight)

    def each(self, outputs, y):
        return super().each(outputs, self.softened(y))

    def values(self, outputs, targets):
        return super().values(outputs, self.softened(targets.T).T)


class TwiceTheSquaredError(SquaredError):
    """The same minimiser at another height."""

    name = "twice"

    def total_and_residual(self, outputs, y, weight):
        total, residual = super().total_and_residual(outputs, y, weight)
        return 2 * total, 2 * residual

    def each(self, outputs, y):
        return 2 * super().each(outputs, y)

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


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("loss", [SquaredError(), LogLoss(), LabelwiseLogLoss()], ids=lambda loss: type(loss).__name__)
def test_a_loss_says_the_same_in_numpy_and_in_torch(loss, n_outputs):
    rng = np.random.default_rng(0)
    outputs = 3 * rng.normal(size=(40, n_outputs))
    several = loss.out_activation(n_outputs) != "softmax"
    targets = rng.integers(0, 2, outputs.shape) if several else np.eye(n_outputs)[rng.integers(0, n_outputs, 40)]
    rows, y = torch.from_numpy(outputs.T.copy()), torch.from_numpy(targets.T.astype(float))
    expected = loss.values(outputs, targets)
    np.testing.assert_allclose(loss.each(rows, y), expected, rtol=1e-12)
    np.testing.assert_allclose(loss.each(torch.stack([rows, rows], 1), y[:, None]), [expected, expected], rtol=1e-12)
    assert loss.value_and_residual(rows, y, None)[0] == pytest.approx(expected.mean(), rel=1e-12)


def test_a_loss_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"'loss' parameter of .* must be a str among .*'log_loss'"):
        GreedyPrunedMLPClassifier(loss="twice").fit([[0.0], [1.0]], [0, 1])
    assert not hasattr(GreedyPrunedMLPClassifier(loss="twice"), "decision_function")
