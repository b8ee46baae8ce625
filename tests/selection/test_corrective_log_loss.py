"""Corrective selection for the log loss: against general optimisation, and what is true at the least loss."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches

from sklearn_gfs import greedy_forward_selection
from sklearn_gfs.selection import _logit_atoms, _penalised_logits
from sklearn_gfs.selection._logit_atoms import LogitAtoms
from sklearn_gfs.selection._penalised_logits import PenalisedLogits

KINDS = ["neurons", "one neuron output", "columns", "outputs"]


def problem(kind, seed=0, n_samples=60, n_atoms=7):
    """Atoms, classes, what the function and the oracle are to be told, for classes that overlap."""
    rng = np.random.default_rng(seed)
    n_outputs = 3 if kind in ("neurons", "outputs") else 1
    H = rng.standard_normal((n_samples, n_atoms)) + 0.5
    logits = H[:, :3] @ rng.standard_normal((3, max(n_outputs, 2)))
    y = (logits + 2.0 * rng.gumbel(size=logits.shape)).argmax(axis=1)
    y[: max(n_outputs, 2)] = np.arange(max(n_outputs, 2))
    options, told = {"loss": "log_loss", "corrective": True}, {"n_outputs": n_outputs}
    if "neuron" in kind:
        options["output_weights"], told["intercept"] = np.ones((n_atoms, n_outputs)), True
    atoms = H[:, :, None] * rng.standard_normal((n_atoms, 3)) if kind == "outputs" else H
    return atoms, y, options, told


def outputs_of(atoms, path):
    if atoms.ndim == 3:
        return path.intercept + np.einsum("sno,n->so", atoms, path.weights)
    return path.intercept + atoms @ path.weights.reshape(atoms.shape[1], -1)


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.03, 0.5]), st.booleans())
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_general_optimisation(kind, seed, ridge, weighted):
    atoms, y, options, told = problem(kind, seed)
    weight = np.random.default_rng(seed).uniform(0.1, 2.0, len(y)) if weighted else None
    path = greedy_forward_selection(atoms, y, 3, ridge=ridge, sample_weight=weight, **options)
    picks, losses, weights, z = naive.corrective_log_loss(atoms, y, 3, ridge=ridge, weight=weight, **told)
    np.testing.assert_array_equal(path.picks, picks)
    np.testing.assert_allclose(path.losses, losses, rtol=1e-5)
    np.testing.assert_allclose(path.weights[picks].reshape(weights.shape), weights, atol=1e-3)
    found = outputs_of(atoms, path)
    if found.shape[1] > 1:  # a constant on all logits changes nothing
        found, z = found - found.mean(axis=1, keepdims=True), z - z.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found, z, atol=1e-3)


@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS), st.sampled_from([0.0, 1e-3, 0.3]))
def test_no_weights_of_the_picks_are_better_by_more_than_the_tolerance(seed, kind, ridge):
    atoms, y, options, told = problem(kind, seed, n_samples=200)
    path = greedy_forward_selection(atoms, y, 4, ridge=ridge, **options)
    centred = atoms - atoms.mean(axis=0) if told.get("intercept") else atoms
    penalty = ridge * np.mean((centred**2).mean(axis=0).reshape(atoms.shape[1], -1).sum(axis=1))
    rng = np.random.default_rng(seed)

    def penalised(some):
        loss = naive.mean_loss(outputs_of(atoms, some), y, np.ones(len(y)), "log_loss")
        return loss + 0.5 * penalty * np.sum(some.weights**2)

    np.testing.assert_allclose(path.losses[-1], penalised(path) - 0.5 * penalty * np.sum(path.weights**2), rtol=1e-9)
    for scale in (1e-5, 1e-3, 1e-1):
        moved = np.zeros_like(path.weights)
        moved[path.picks] = scale * rng.standard_normal(moved[path.picks].shape)
        shift = scale * rng.standard_normal(len(path.intercept)) if told.get("intercept") else 0.0
        other = path._replace(weights=path.weights + moved, intercept=path.intercept + shift)
        assert penalised(path) <= penalised(other) + 1e-9
        other = path._replace(weights=path.weights + scale * rng.standard_normal(moved.shape))
        assert penalised(path) - path.gaps[-1] <= penalised(other) + 1e-9
    assert (np.diff(path.losses) <= 1e-9).all() or ridge


@pytest.mark.parametrize("kind", KINDS)
def test_fitted_samples_do_not_end_the_path(kind):
    """Where probabilities are near one the loss is nearly straight, so that small slopes are worth a step."""
    rng = np.random.default_rng(2)
    y = np.arange(12) % (3 if kind in ("neurons", "outputs") else 2)
    atoms, n_outputs = rng.normal(size=(12, 8)), 3 if kind in ("neurons", "outputs") else 1
    atoms[:, 0] += y
    options = {"loss": "log_loss", "corrective": True, "ridge": 1e-8}
    if "neuron" in kind:
        options["output_weights"] = np.ones((8, n_outputs))
    if kind == "outputs":
        atoms = atoms[:, :, None] * rng.normal(size=(8, 3)) + np.eye(3)[y][:, None]
    path = greedy_forward_selection(atoms, y, 8, **options)
    assert len(path.picks) == 8
    # The picks go on as long as they lower the loss.
    assert (path.losses[1:] <= path.losses[:-1] * (1 + 1e-9)).all()
    assert path.losses[-1] < 0.9 * path.losses[3]


@pytest.mark.parametrize("kind", KINDS)
def test_float32_and_prefixes_and_an_offset(kind):
    atoms, y, options, told = problem(kind, n_samples=150)
    atoms = atoms.astype(np.float32)
    path = greedy_forward_selection(atoms, y, 5, ridge=0.01, **options)
    wide = greedy_forward_selection(atoms.astype(float), y, 5, ridge=0.01, **options)
    np.testing.assert_array_equal(path.picks, wide.picks)
    np.testing.assert_allclose(path.losses, wide.losses, rtol=1e-7)
    short = greedy_forward_selection(atoms, y, 3, ridge=0.01, **options)
    np.testing.assert_array_equal(short.picks, path.picks[:3])
    np.testing.assert_allclose(short.losses, path.losses[:3], rtol=1e-9)
    offset = np.linspace(-0.5, 1.0, told["n_outputs"]) + 0.1
    moved = greedy_forward_selection(atoms, y, 5, ridge=0.01, offset=offset, **options)
    if told.get("intercept"):
        np.testing.assert_allclose(moved.losses, path.losses, rtol=1e-7)
    else:
        np.testing.assert_allclose(moved.intercept, offset)


@pytest.mark.parametrize("kind", KINDS)
def test_classes_that_can_be_separated_end_the_path_with_finite_weights(kind):
    atoms, _, options, told = problem(kind)
    y = (atoms[:, 1] > 0.5).astype(int) if atoms.ndim == 2 else atoms[:, 1].argmax(axis=1)
    if told["n_outputs"] == 3 and atoms.ndim == 2:
        y += (atoms[:, 1] > 1.0).astype(int)
    if kind == "columns":
        atoms = atoms - 0.5  # no intercept
    with pytest.warns(ConvergenceWarning, match="separate the classes"):
        path = greedy_forward_selection(atoms, y, 7, **options)
    assert len(path.picks) < 7
    assert np.isfinite(path.weights).all()
    assert path.losses[-1] < 1e-6
    penalised = greedy_forward_selection(atoms, y, 7, ridge=0.1, **options)  # a warning would be an error
    assert len(penalised.picks) == 7


@pytest.mark.parametrize("seed", [7, 10])
def test_probabilities_next_to_zero_and_one_leave_a_curvature(seed):
    """One iris species can be separated from the others, so its probabilities reach zero and one soon."""
    X, y = load_iris(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    rng = np.random.default_rng(seed)
    H = np.tanh(X @ rng.normal(size=(4, 60)) * 0.5 + rng.normal(size=60))
    with pytest.warns(ConvergenceWarning, match="separate the classes"):
        path = greedy_forward_selection(H, y, 15, output_weights=np.ones((60, 3)), loss="log_loss", corrective=True)
    assert (outputs_of(H, path).argmax(axis=1) == y).all()
    assert np.isfinite(path.weights).all()
    assert path.losses[-1] < 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("distance", [0.0, 20.0, 40.0])
def test_the_curvature_is_exact_next_to_zero_and_one(kind, distance):
    """It is a sum over pairs of classes, none of whose terms is negative."""
    atoms, y, options, _ = problem(kind)
    free, n_outputs = "output_weights" in options, 1 if kind in ("one neuron output", "columns") else 3
    share, offset = np.full(len(y), 1.0 / len(y)), distance * np.eye(n_outputs)[0]
    z = offset if n_outputs > 1 else np.array([0.0, *offset])
    y = np.full(len(y), z.argmax())  # of samples of the wrong class the steps follow another curvature
    logits = PenalisedLogits(LogitAtoms.of(atoms, y, share, offset, free_intercept=free), 0.0)
    assert all(logits.add(pick) for pick in range(3))
    p = np.exp(z) / np.exp(z).sum()
    rows = logits.design.reshape(len(y), -1, logits.design.shape[1])
    expected = np.zeros((logits.at.weights.size,) * 2)
    for i in range(len(p)):
        for j in range(i):
            signs = (np.eye(len(p))[i] - np.eye(len(p))[j])[len(p) - n_outputs :]
            # Derivatives of the difference of two logits by all weights.
            slopes = signs @ rows if atoms.ndim == 3 else np.kron(signs, rows[:, 0])
            expected += p[i] * p[j] * slopes.T @ slopes / len(y)
    np.testing.assert_allclose(logits._curvature(slice(None)), expected, rtol=1e-10, atol=1e-12 * expected.max())


def test_dependent_and_constant_atoms_are_not_picked():
    atoms, y, options, _ = problem("neurons", n_samples=200)
    atoms = np.concatenate([np.ones((200, 1)), atoms, atoms[:, :2] @ [[1.0], [2.0]]], axis=1)
    options["output_weights"] = np.ones((9, 3))
    path = greedy_forward_selection(atoms, y, 9, **options)
    assert len(path.picks) == 7
    assert 0 not in path.picks
    assert len(greedy_forward_selection(atoms, y, 9, ridge=0.01, **options).picks) == 8


def test_tol_ends_the_path_at_the_first_gap_at_most_tol():
    atoms, y, options, _ = problem("neurons")
    full = greedy_forward_selection(atoms, y, 7, ridge=0.5, **options)
    short = greedy_forward_selection(atoms, y, 7, ridge=0.5, tol=full.gaps[3], **options)
    np.testing.assert_array_equal(short.picks, full.picks[:4])


def test_probabilities_are_refused():
    rng = np.random.default_rng(0)
    P, y = rng.dirichlet(np.ones(3), (20, 4)), np.arange(20) % 3
    with pytest.raises(ValueError, match="corrective=True needs from_logits=True"):
        greedy_forward_selection(P, y, 2, loss="log_loss", from_logits=False, corrective=True)


@pytest.mark.parametrize("ridge", [0.5, 0.01])
@pytest.mark.parametrize("kind", KINDS)
def test_the_path_of_fewer_picks_is_a_prefix(kind, ridge):
    atoms, y, options, _ = problem(kind)
    whole = greedy_forward_selection(atoms, y, 4, ridge=ridge, **options)
    for k in range(1, 5):
        short = greedy_forward_selection(atoms, y, k, ridge=ridge, **options)
        assert np.flatnonzero(short.counts).tolist() == sorted(short.picks) == sorted(whole.picks[:k])
        np.testing.assert_array_equal(short.losses, whole.losses[:k])
        np.testing.assert_array_equal(short.gaps, whole.gaps[:k])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("whole", [True, False])
def test_the_curvature_is_that_of_the_products_with_it(kind, whole, monkeypatch):
    atoms, y, options, _ = problem(kind)
    kept, descend = [], PenalisedLogits.descend

    def descended(logits):
        descend(logits)
        kept.append(logits)

    monkeypatch.setattr(PenalisedLogits, "descend", descended)
    monkeypatch.setattr(_penalised_logits, "_WHOLE", 10**6 if whole else 0)
    if not whole:
        for module in (_logit_atoms, _penalised_logits):
            monkeypatch.setattr(module, "row_chunks", lambda n_rows, *_: gen_batches(n_rows, 7))
    weight = np.random.default_rng(0).uniform(0.1, 2.0, len(y))
    expected = greedy_forward_selection(atoms, y, 4, sample_weight=weight, ridge=1e-2, **options)
    logits = kept[-1]
    (n_columns, n_targets), eye = logits.at.weights.shape, np.eye(logits.at.weights.size)
    every = range(n_targets) if not whole else [slice(0, n_targets)]
    for targets in every:
        targets = slice(targets, targets + 1) if isinstance(targets, int) else targets
        places = np.arange(logits.at.weights.size).reshape(n_targets, n_columns)[targets].ravel()
        columns = [logits._curved(unit.reshape(n_targets, n_columns).T).T.ravel()[places] for unit in eye[places]]
        penalties = np.diag(np.tile(logits._penalties, len(places) // n_columns))
        np.testing.assert_allclose(logits._curvature(targets) + penalties, columns, atol=1e-12)
    monkeypatch.undo()
    path = greedy_forward_selection(atoms, y, 4, sample_weight=weight, ridge=1e-2, **options)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_allclose(path.losses, expected.losses, atol=1e-9)


def test_newton_steps_take_few_products_where_classes_can_nearly_be_separated(monkeypatch):
    X, y = load_digits(return_X_y=True)
    H = np.maximum(X[:400] / 16 @ np.random.default_rng(0).standard_normal((64, 60)) / 4, 0.0)
    curved, n_products = PenalisedLogits._curved, []
    monkeypatch.setattr(PenalisedLogits, "_curved", lambda self, step: n_products.append(1) or curved(self, step))
    newton, n_steps = PenalisedLogits._newton_step, []
    monkeypatch.setattr(PenalisedLogits, "_newton_step", lambda self, rest: n_steps.append(1) or newton(self, rest))
    greedy_forward_selection(H, y[:400], 8, output_weights=np.ones((60, 10)), loss="log_loss", corrective=True)
    assert len(n_products) < 5 * len(n_steps)
