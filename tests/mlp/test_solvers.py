"""A solver is one class: a new one is added from outside, and every part of the package takes it."""

import numpy as np
import pytest
from sklearn.datasets import make_friedman1

from sklearn_gfs import GreedyPrunedMLPRegressor
from sklearn_gfs.network._solvers import SOLVERS, Solver


class SignDescent(Solver):
    """Steps along the signs of a running mean of gradients, the simplest solver with a state."""

    name = "sign"

    @staticmethod
    def default_step_size(momentum, curvature):
        assert curvature() > 0
        return 0.005

    def step(self, step_size, loss):
        self.moments[0].lerp_(self._network.gradient, 0.3)
        self._network.parameters.sub_(self.moments[0].sign(), alpha=step_size)


def test_a_solver_from_outside_is_fitted(monkeypatch):
    monkeypatch.setitem(SOLVERS, "sign", SignDescent)
    X, y = make_friedman1(400, random_state=0)
    parameters = {"n_pretrain": 100, "k": 20, "n_hidden": 100, "n_retrain": 100, "random_state": 0, "solver": "sign"}
    model = GreedyPrunedMLPRegressor(**parameters).fit(X, y)
    assert model.score(X, y) > 0.8
    # Its state is kept: a warm start goes on where it was.
    warm = GreedyPrunedMLPRegressor(**parameters | {"n_pretrain": 40}, warm_start=True).fit(X, y)
    warm.set_params(n_pretrain=100).fit(X, y)
    for one, other in zip(model.coefs_, warm.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_solver_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"'solver' parameter of .* must be a str among .*'sgd'"):
        GreedyPrunedMLPRegressor(solver="sign").fit([[0.0], [1.0]], [0.0, 1.0])
