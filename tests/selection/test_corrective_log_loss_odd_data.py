"""Corrective selection for the log loss: outliers, atoms far from zero, and very large or small atoms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from sklearn_gfs import greedy_forward_selection

OPTIONS = {"loss": "log_loss", "corrective": True}


def log_losses(y, z):
    """Mean log loss of two classes at these logits of the second, and its slopes by the logits."""
    return np.mean(np.logaddexp(0.0, z) - y * z), (0.5 + 0.5 * np.tanh(z / 2.0) - y) / len(y)


def least_loss(columns, y, *, penalty=0.0, intercept=False):
    """Least penalised loss that BFGS finds, in coordinates in which the columns are orthogonal and of length one."""
    columns = columns - columns.mean(axis=0) * intercept
    left, sizes, _ = np.linalg.svd(columns / np.sqrt(len(y)), full_matrices=False)
    left, penalties = left * np.sqrt(len(y)), penalty / sizes**2
    if intercept:
        left, penalties = np.column_stack([left, np.ones(len(y))]), np.append(penalties, 0.0)

    def penalised(v):
        loss, slopes = log_losses(y, left @ v)
        return loss + 0.5 * penalties @ v**2, left.T @ slopes + penalties * v

    return minimize(penalised, np.zeros(left.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-10}).fun


@pytest.mark.parametrize("neurons", [False, True])
@pytest.mark.parametrize("ridge", [0.0, 1e-12])
@pytest.mark.parametrize("distance", [5.0, 20.0, 40.0, 1e3, 1e6])
def test_the_weight_of_an_outlier_of_the_wrong_class_is_solved_for(distance, ridge, neurons):
    """Its curvature is next to nothing at first, so that Newton's step along its own atom is far too long."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000)
    y = (x + 0.7 * rng.normal(size=2000) > 0).astype(int)
    atoms = np.zeros((2000, 2))
    atoms[:, 0], atoms[0] = x, [distance, 1.0]
    y[0] = 0
    options = OPTIONS | ({"output_weights": np.ones((2, 1))} if neurons else {})
    path = greedy_forward_selection(atoms, y, 2, ridge=ridge, **options)
    centred = atoms - atoms.mean(axis=0) * neurons
    penalty = ridge * np.mean(centred**2)
    penalised = path.losses + [0.0, 0.5 * penalty * np.sum(path.weights**2)]
    least = least_loss(atoms, y, penalty=penalty, intercept=neurons)
    # The weight of the outlier's atom has no end without a ridge.
    assert penalised[-1] <= least + 1e-9
    assert (penalised - path.gaps <= least + 1e-9).all()


@pytest.mark.parametrize("distance", [5.0, 20.0, 40.0, 1e3])
def test_outliers_of_three_classes_are_solved_for(distance):
    rng = np.random.default_rng(1)
    y = rng.integers(3, size=600)
    x = np.eye(3)[y] + rng.normal(size=(600, 3))
    y[:3], x[:3] = [1, 2, 0], distance * np.eye(3)
    atoms = np.zeros((600, 6))
    atoms[:, :3], atoms[:3, 3:] = x, np.eye(3)
    path = greedy_forward_selection(atoms, y, 6, output_weights=np.ones((6, 3)), **OPTIONS)
    z = path.intercept + atoms @ path.weights
    losses = np.log(np.exp(z - z.max(axis=1, keepdims=True)).sum(axis=1)) + z.max(axis=1) - z[np.arange(600), y]
    np.testing.assert_allclose(losses.mean(), path.losses[-1], rtol=1e-9)
    np.testing.assert_allclose(losses[:3], 0.0, atol=1e-6)
    rest = greedy_forward_selection(atoms[3:, :3], y[3:], 3, output_weights=np.ones((3, 3)), **OPTIONS)
    np.testing.assert_allclose(path.losses[-1], rest.losses[-1] * 597 / 600, rtol=1e-7)
