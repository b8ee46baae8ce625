"""A network in parts: it computes what the network in one does, and the number of threads changes no bit of it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from network.small import LOG_LOSS, SETTINGS, SQUARED_ERROR, make_network, make_samples
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network import _parts, _torch_updates
from sklearn_gfs.network._parts import NetworkInParts, n_parts_of
from sklearn_gfs.network._solvers import SOLVERS
from sklearn_gfs.network._training import Training
from sklearn_gfs.network._two_layer import TorchNetwork


@pytest.fixture
def in_three_parts(monkeypatch):
    monkeypatch.setattr(_torch_updates, "n_parts_of", lambda *_: 3)


def train(network, samples, n_iterations, *, n_threads=2, **settings):
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        training = Training(network, samples, SETTINGS._replace(**settings), 0, name="training")
        training.advance(n_iterations)
    finally:
        torch.set_num_threads(before)
    return training


@given(
    seed=st.integers(0, 2**31 - 1),
    n_parts=st.integers(2, 4),
    n_features=st.sampled_from([3, 40]),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    loss=st.sampled_from([SQUARED_ERROR, LOG_LOSS]),
    weighted=st.booleans(),
    alpha=st.sampled_from([0.0, 0.5]),
)
def test_loss_gradient_penalty_and_descent_are_those_of_one_network(
    seed, n_parts, n_features, activation, loss, weighted, alpha
):
    rng = np.random.default_rng(seed)
    network = make_network(rng, n_features=n_features, n_hidden=9, activation=activation)
    X, y = torch.from_numpy(rng.normal(size=(7, n_features))), torch.from_numpy(rng.dirichlet(np.ones(2), size=7).T)
    weight = torch.from_numpy(rng.uniform(0.5, 2, size=7)) if weighted else None
    whole = TorchNetwork(network, ACTIVATIONS[activation], loss, alpha)
    parts = NetworkInParts(network, ACTIVATIONS[activation], loss, alpha, n_parts)
    assert parts.loss_and_gradient(X, y, weight) == pytest.approx(whole.loss_and_gradient(X, y, weight))
    np.testing.assert_allclose(parts.whole(parts.gradient), whole.gradient.numpy(), rtol=1e-9, atol=1e-12)
    assert parts.penalty() == pytest.approx(whole.penalty())
    assert parts.descent() == pytest.approx(whole.descent())
    assert parts.loss(X, y, weight) == pytest.approx(whole.loss(X, y, weight))
    for ours, theirs in zip(parts.to_network(), network, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(n_features=st.sampled_from([3, 40]), n_hidden=st.integers(4, 12), n_parts=st.integers(2, 4))
def test_a_vector_can_be_put_in_pieces_and_back(n_features, n_hidden, n_parts):
    network = make_network(np.random.default_rng(0), n_features=n_features, n_hidden=n_hidden)
    parts = NetworkInParts(network, ACTIVATIONS["relu"], SQUARED_ERROR, 0.0, n_parts)
    whole = TorchNetwork(network, ACTIVATIONS["relu"], SQUARED_ERROR)
    np.testing.assert_array_equal(parts.whole(parts.parameters), whole.parameters.numpy())
    np.testing.assert_array_equal(parts.in_pieces(whole.whole(whole.parameters)).numpy(), parts.parameters.numpy())


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.usefixtures("in_three_parts")
def test_the_number_of_threads_changes_no_bit(solver):
    rng = np.random.default_rng(1)
    network, samples = make_network(rng, n_hidden=11), make_samples(rng)
    one, two, many = (train(network, samples, 12, n_threads=n, solver=SOLVERS[solver], alpha=0.1) for n in (1, 2, 5))
    assert one.losses == two.losses == many.losses
    for first, second in zip(one.network(), two.network(), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_training_in_parts_is_training(monkeypatch, solver):
    rng = np.random.default_rng(2)
    network, samples = make_network(rng, n_hidden=11), make_samples(rng)
    whole = train(network, samples, 12, solver=SOLVERS[solver], alpha=0.1)
    monkeypatch.setattr(_torch_updates, "n_parts_of", lambda *_: 3)
    parts = train(network, samples, 12, solver=SOLVERS[solver], alpha=0.1)
    np.testing.assert_allclose(parts.losses, whole.losses, rtol=1e-9)
    # A later training may fall into another number of parts.
    gone_on = Training(parts.state(), samples, SETTINGS._replace(solver=SOLVERS[solver], alpha=0.1), 0, name="training")
    monkeypatch.setattr(_torch_updates, "n_parts_of", lambda *_: 1)
    in_one = Training(parts.state(), samples, SETTINGS._replace(solver=SOLVERS[solver], alpha=0.1), 0, name="training")
    for training in (gone_on, in_one, whole):
        training.advance(5)
    np.testing.assert_allclose(gone_on.losses, whole.losses, rtol=1e-9)
    np.testing.assert_allclose(in_one.losses, whole.losses, rtol=1e-9)


@pytest.mark.usefixtures("in_three_parts")
def test_an_error_in_a_thread_is_the_callers():
    rng = np.random.default_rng(3)
    training = train(make_network(rng, n_hidden=11), make_samples(rng), 1)

    def fail(part):
        if part == 1:
            raise MemoryError("in a thread")

    with pytest.raises(MemoryError, match="in a thread"), training._engine.trained.threads():
        training._engine.trained.in_parts(fail)
    training.advance(1)
    assert len(training.losses) == 2


def test_parts_depend_on_the_size_of_an_update():
    assert n_parts_of(64, 1000, 10, 128) == 1
    assert n_parts_of(784, 1000, 10, 128) == 4
    assert n_parts_of(10**6, 100, 1, 10**4) == 1  # too few neurons
    assert n_parts_of(10**4, 10**5, 10, 10**4) == _parts._MOST_PARTS
    sizes = [n_parts_of(n_features, 1000, 10, 128) for n_features in range(10, 3000, 10)]
    assert sizes == sorted(sizes)
