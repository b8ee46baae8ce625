"""The losses: equal in NumPy and torch, and least where constant outputs begin."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from memory import peak
from naive import network_outputs

from network.small import LOG_LOSS, SQUARED_ERROR, make_network
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network._losses import log_odds
from sklearn_gfs.network._two_layer import TorchNetwork


@given(
    seed=st.integers(0, 2**31 - 1),
    n_outputs=st.integers(1, 3),
    loss=st.sampled_from([SQUARED_ERROR, LOG_LOSS]),
    weighted=st.booleans(),
)
def test_losses_in_numpy_and_torch_agree(seed, n_outputs, loss, weighted):
    rng = np.random.default_rng(seed)
    network = make_network(rng, n_outputs=n_outputs)
    X = rng.normal(size=(6, 4))
    targets = np.eye(max(n_outputs, 2))[rng.integers(0, max(n_outputs, 2), size=6)][:, :n_outputs]
    weight = rng.integers(1, 4, size=6).astype(float) if weighted else None
    expected = loss.mean(network_outputs(X, network, "relu"), targets, weight)
    scaled = None if weight is None else torch.from_numpy(weight / weight.mean())
    model = TorchNetwork(network, ACTIVATIONS["relu"], loss)
    assert model.loss(torch.from_numpy(X), torch.from_numpy(targets.T), scaled) == pytest.approx(expected)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("loss", [SQUARED_ERROR, LOG_LOSS, LOG_LOSS.for_labels(several=True)])
def test_losses_of_samples_are_the_same_in_the_memory_of_the_outputs(loss, n_outputs):
    outputs, y = torch.randn(n_outputs, 4, 5, generator=torch.Generator().manual_seed(0)), torch.ones(n_outputs, 1, 5)
    expected = loss.each(outputs, y)
    np.testing.assert_array_equal(loss.each_in_place(outputs.clone(), y), expected)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_constant_outputs_start_at_the_least_log_loss(n_classes):
    rng = np.random.default_rng(14)
    codes = rng.choice(n_classes, p=np.arange(1, n_classes + 1) / np.arange(1, n_classes + 1).sum(), size=300)
    targets = np.eye(n_classes)[codes] if n_classes > 2 else codes[:, None].astype(float)
    weight = rng.uniform(1, 2, size=300)
    best = log_odds(targets, weight, np.arange(300))
    assert log_odds(np.tile(targets, (100, 1)), np.tile(weight, 100), np.arange(30_000)) == pytest.approx(best)

    def loss(outputs):
        return LOG_LOSS.mean(np.tile(outputs, (300, 1)), targets, weight)

    for _ in range(20):
        assert loss(best) <= loss(best + 0.1 * rng.normal(size=best.shape))


@pytest.mark.parametrize("loss", [SQUARED_ERROR, LOG_LOSS])
def test_no_loss_copies_the_targets_at_the_start(loss):
    targets = np.eye(10)[np.arange(100_000) % 10]
    rows = np.arange(1, 100_000)
    most, intercept = peak(loss.initial_intercept, targets, None, rows)
    assert most < 0.5 * targets.nbytes
    np.testing.assert_allclose(intercept, 0, atol=1e-3)
