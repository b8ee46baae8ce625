"""Iterations of a training: which batches they see, what they leave, and what may be asked between them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from naive import moving_average

from network.small import SETTINGS, SQUARED_ERROR, make_network, make_samples
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network._parameters import Network
from sklearn_gfs.network._samples import HeldOut, Samples
from sklearn_gfs.network._solvers import SOLVERS
from sklearn_gfs.network._standardisation import Standardisation
from sklearn_gfs.network._training import Training
from sklearn_gfs.network._two_layer import TorchNetwork, mean_loss


@given(
    n_samples=st.integers(2, 30),
    batch_size=st.integers(1, 40),
    first=st.integers(0, 15),
    more=st.integers(1, 15),
    solver=st.sampled_from([SOLVERS["adam"], SOLVERS["sgd"]]),
    seed=st.integers(0, 2**31 - 1),
)
def test_fewer_iterations_are_a_prefix_of_more(n_samples, batch_size, first, more, solver, seed):
    settings = SETTINGS._replace(batch_size=batch_size, solver=solver)

    def train(*steps):
        rng = np.random.default_rng(seed)
        samples = make_samples(rng, n_samples=n_samples)
        training = Training(make_network(rng), samples, settings, seed % 1000, name="training")
        networks = []
        for step in steps:
            training.advance(step)
            networks.append(training.network())
        return training.losses, networks

    losses, (at_first,) = train(first)
    all_losses, (also_at_first, at_end) = train(first, more)
    straight_losses, (straight,) = train(first + more)
    assert losses == all_losses[:first]
    assert all_losses == straight_losses
    for name in Network._fields:
        np.testing.assert_array_equal(getattr(at_first, name), getattr(also_at_first, name))
        np.testing.assert_array_equal(getattr(at_end, name), getattr(straight, name))


@given(n_samples=st.integers(2, 30), batch_size=st.integers(1, 29), seed=st.integers(0, 1000))
def test_every_sample_is_used_equally_often(n_samples, batch_size, seed):
    X = np.arange(n_samples, dtype=float)[:, None]
    samples = Samples(X, np.zeros((n_samples, 1)), Standardisation(np.zeros(1), np.ones(1)), np.arange(n_samples))
    network = make_network(np.random.default_rng(seed), n_features=1, n_outputs=1)
    training = Training(network, samples, SETTINGS._replace(batch_size=batch_size), seed, name="training")
    used = []
    update = training._engine.trained.loss_and_gradient
    training._engine.trained.loss_and_gradient = lambda X, y, weight: (
        used.extend(X[:, 0].int().tolist()) or update(X, y, weight)
    )
    training.advance(n_samples)
    if batch_size < n_samples:
        assert len(used) == n_samples * batch_size
        np.testing.assert_array_equal(np.bincount(used, minlength=n_samples), batch_size)
    else:
        assert used == list(range(n_samples)) * n_samples


@pytest.mark.parametrize("solver", SOLVERS.values())
def test_averaged_weights_forget_the_beginning_and_then_all_but_a_hundred_iterations(solver):
    rng = np.random.default_rng(6)
    network, samples = make_network(rng), make_samples(rng)
    settings = SETTINGS._replace(batch_size=8, solver=solver)
    plain = Training(network, samples, settings, 0, name="training")
    averaged = Training(network, samples, settings, 0, name="training", averaged=True)
    for one, other in zip(averaged.network(), network, strict=True):
        np.testing.assert_array_equal(one, other)
    visited = []
    for t in range(1, 501):
        plain.advance(1)
        averaged.advance(1)
        visited.append(np.concatenate([np.ravel(array) for array in plain.network()]))
        if t in {1, 2, 10, 500}:
            found = np.concatenate([np.ravel(array) for array in averaged.network()])
            np.testing.assert_allclose(found, moving_average(visited), rtol=1e-9, atol=1e-12)
    assert averaged.losses == plain.losses  # of the batches, under the weights that are trained
    held_out = HeldOut(samples)
    expected = TorchNetwork(averaged.network(), ACTIVATIONS["relu"], SQUARED_ERROR).loss(*samples.everything())
    np.testing.assert_allclose(averaged.loss(held_out), expected)
    assert averaged.loss(held_out) != plain.loss(held_out)


def test_a_loss_on_a_batch_of_the_same_size_may_be_asked_for_between_iterations():
    rng = np.random.default_rng(15)
    network, samples = make_network(rng), make_samples(rng)
    asked, silent = (Training(network, samples, SETTINGS, 0, name="training") for _ in range(2))
    held_out = HeldOut(make_samples(rng, n_samples=16))
    for _ in range(3):
        asked.advance(2)
        model = TorchNetwork(asked.network(), ACTIVATIONS["relu"], SQUARED_ERROR)
        assert asked.loss(held_out) == mean_loss(model, held_out)
        assert not torch.is_inference_mode_enabled()
    silent.advance(6)
    assert asked.losses == silent.losses


def test_a_loss_that_is_not_finite_is_an_error():
    rng = np.random.default_rng(8)
    settings = SETTINGS._replace(learning_rate_init=1e200)
    training = Training(make_network(rng), make_samples(rng), settings, 0, name="pre-training")
    with pytest.raises(ValueError, match=r"loss became (inf|nan) at iteration \d of pre-training.*learning_rate_init"):
        training.advance(5)
