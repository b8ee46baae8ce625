"""Corrective selection for the log loss: outliers, atoms far from zero, and very large or small atoms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
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
    """Its curvature is about 1e-16 or less at first, so that Newton's step along its own atom is far too long."""
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
    penalised = path.losses + np.array([0.0, 0.5 * penalty * np.sum(path.weights**2)])
    least = least_loss(atoms, y, penalty=penalty, intercept=neurons)
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


def overlapping(seed):
    """Atoms of which some depend on classes that overlap, and the classes."""
    rng = np.random.default_rng(seed)
    atoms = rng.normal(size=(200, 6)) + 0.7
    return atoms, (atoms[:, 2] - 0.4 + 0.8 * rng.normal(size=200) > 1.0).astype(int)


@pytest.mark.parametrize("neurons", [False, True])
@pytest.mark.parametrize("ridge", [0.0, 0.01])
@pytest.mark.parametrize("power", [-100, -60, -20, 0, 10, 20, 60, 100])
def test_the_scale_of_the_atoms_changes_nothing(power, ridge, neurons):
    atoms, y = overlapping(0)
    options = OPTIONS | {"ridge": ridge} | ({"output_weights": np.ones((6, 1))} if neurons else {})
    path = greedy_forward_selection(atoms * 10.0**power, y, 3, **options)
    penalty = ridge * np.mean((atoms - atoms.mean(axis=0) * neurons) ** 2)
    squares = np.sum((path.weights[path.picks] * 10.0**power) ** 2)
    least = least_loss(atoms[:, path.picks], y, penalty=penalty, intercept=neurons)
    np.testing.assert_allclose(path.losses[-1] + 0.5 * penalty * squares, least, atol=1e-9)
    np.testing.assert_allclose(path.losses, greedy_forward_selection(atoms, y, 3, **options).losses, rtol=1e-7)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_each_atom_may_have_a_scale_of_its_own(seed, neurons):
    atoms, y = overlapping(seed)
    options = OPTIONS | ({"output_weights": np.ones((6, 1))} if neurons else {})
    scales = 10.0 ** np.random.default_rng(seed).uniform(-60.0, 60.0, 6)
    path = greedy_forward_selection(atoms * scales, y, 6, **options)
    assert len(path.picks) == 6
    assert path.losses[-1] <= least_loss(atoms, y, intercept=neurons) + 1e-9


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 4.0))
@example(0, 4.0)
def test_atoms_far_from_zero_do_not_end_the_path(seed, power):
    """Without a free intercept the picks leave a small part of such an atom, which is what lowers the loss."""
    atoms, y = overlapping(seed)
    atoms += 10.0**power
    path = greedy_forward_selection(atoms, y, 6, **OPTIONS)
    least = least_loss(atoms, y)
    assert path.losses[-1] <= least + 6e-10
    assert len(path.picks) == 6 or least_loss(atoms[:, path.picks], y) <= least + 6e-10


@pytest.mark.parametrize("kind", ["columns", "outputs", "neurons"])
@pytest.mark.parametrize("ridge", [0.0, 1e-12])
def test_atoms_far_from_zero_of_fitted_samples_do_not_end_the_path(kind, ridge):
    """Most samples are fitted by the first picks; the others say little about atoms far from zero."""
    rng = np.random.default_rng(3)
    y = np.arange(300) % 2
    atoms = rng.normal(size=(300, 4))
    atoms[:, 0] += 10.0 * y - 5.0
    atoms[:8] = 0.3 * rng.normal(size=(8, 4))
    atoms += 1e4
    options = OPTIONS | ({"output_weights": np.ones((4, 1))} if kind == "neurons" else {})
    given_atoms = np.stack([-atoms, atoms], axis=2) / 2.0 if kind == "outputs" else atoms
    before = given_atoms.copy()
    path = greedy_forward_selection(given_atoms, y, 4, ridge=ridge, **options)
    np.testing.assert_array_equal(given_atoms, before)
    assert len(path.picks) == 4
    least = least_loss(atoms, y, intercept=kind == "neurons")
    if ridge:
        assert path.losses[-1] < 1.5 * least
    else:
        assert path.losses[-1] <= least + 1e-9
