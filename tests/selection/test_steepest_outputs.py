"""The mean of picks by the compiled loop: losses and residuals are those of torch, but for the rounding of float32."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from selection.test_steepest import by_torch, problem
from sklearn_gfs.network._losses import LabelwiseLogLoss, LogLoss, SquaredError
from sklearn_gfs.selection import pick_steepest
from sklearn_gfs.selection._steepest_neurons import neurons_of
from sklearn_gfs.selection._steepest_outputs import CompiledMeanOutputs, MeanOutputs, mean_outputs

LOSSES = st.sampled_from([LogLoss(), LabelwiseLogLoss()])


def targets_of(loss, n_samples, n_outputs, rng):
    """Return indicators of classes or of labels, or shares of classes."""
    if isinstance(loss, LabelwiseLogLoss) or n_outputs == 1:
        return rng.integers(0, 2, (n_samples, n_outputs)).astype(float)
    if rng.random() < 0.3:
        return rng.dirichlet(np.ones(n_outputs), n_samples)
    return np.eye(n_outputs)[rng.integers(0, n_outputs, n_samples)]


@given(
    st.integers(0, 10**6),
    LOSSES,
    st.integers(1, 70),
    st.integers(1, 20),
    st.integers(0, 5),
    st.booleans(),
    st.sampled_from([1e-3, 1.0, 30.0, 1000.0]),
)
@example(0, LogLoss(), 64, 3, 2, True, 1.0)  # whole vectors
@example(0, LabelwiseLogLoss(), 1, 1, 0, False, 1000.0)
def test_losses_and_residuals_are_those_of_torch(seed, loss, n_samples, n_outputs, n_picks, weighted, scale):
    hidden, _, weight, layer = problem(seed, n_outputs, weighted=weighted, n_samples=n_samples)
    layer = layer._replace(coef=scale * layer.coef)
    targets = targets_of(loss, n_samples, n_outputs, np.random.default_rng(seed))
    found, tried = [], np.array([0, 3, 24])
    for kind, dtype in ((CompiledMeanOutputs, np.float32), (MeanOutputs, np.float64)):
        mean = kind(targets, weight, layer, loss, dtype)
        neurons = neurons_of(hidden, mean.dtype, mean.width)
        for pick in range(n_picks):
            mean.add(pick, neurons.rows(np.array([pick]))[0])
        found.append((mean.losses(tried, neurons.rows(tried)), mean.residuals().copy()))
    (losses, residuals), (expected, expected_residuals) = found
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-6 * scale)
    np.testing.assert_allclose(residuals, expected_residuals, atol=1e-5 * max(scale, 1))
    assert residuals.shape == (n_outputs, n_samples)


def test_blocks_of_samples_are_added_up():
    hidden, targets, weight, layer = problem(1, 4, weighted=True, n_samples=2500)
    losses = []
    for kind, dtype in ((CompiledMeanOutputs, np.float32), (MeanOutputs, np.float64)):
        mean = kind(targets, weight, layer, LogLoss(), dtype)
        every = np.arange(25)
        losses.append(mean.losses(every, neurons_of(hidden, mean.dtype, mean.width).rows(every)))
    np.testing.assert_allclose(*losses, rtol=1e-5)


@given(st.integers(0, 10**6), st.integers(1, 4), st.booleans())
def test_both_ways_pick_equally_well(seed, n_outputs, weighted):
    arguments = (*problem(seed, n_outputs, weighted=weighted), LogLoss(), 12)
    picks, losses = pick_steepest(*arguments)
    with by_torch():
        others, expected = pick_steepest(*arguments)
    if picks.tolist() == others.tolist():
        np.testing.assert_allclose(losses, expected, rtol=1e-5)
    else:  # until two neurons are as good as each other
        n = int(np.argmax(picks != others)) + 1
        np.testing.assert_allclose(losses[:n], expected[:n], rtol=1e-5)


def test_a_loss_that_the_loop_does_not_know_is_computed_by_torch():
    class Own(LogLoss):
        pass

    hidden, targets, _, layer = problem(0, 3, weighted=False)
    assert type(mean_outputs(hidden, targets, None, layer, LogLoss())) is CompiledMeanOutputs
    for loss in (Own(), SquaredError()):
        assert type(mean_outputs(hidden, targets, None, layer, loss)) is MeanOutputs


def test_numbers_beyond_float32_are_torchs():
    hidden, targets, _, layer = problem(0, 3, weighted=False)
    mean = mean_outputs(1e35 * hidden, targets, None, layer, LogLoss())
    assert type(mean) is MeanOutputs
    assert mean.dtype == np.float64


def test_without_compiled_loops_torch_computes(monkeypatch):
    numba = pytest.importorskip("numba")
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    hidden, targets, _, layer = problem(0, 3, weighted=False)
    assert type(mean_outputs(hidden, targets, None, layer, LogLoss())) is MeanOutputs
