"""The steps of the solvers: those of their formulas, short enough, and downhill."""

import numpy as np
import pytest
import torch

from network.small import SETTINGS, SQUARED_ERROR, batch_of, make_network, make_samples
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network._parameters import Network
from sklearn_gfs.network._samples import Samples
from sklearn_gfs.network._solvers import SOLVERS
from sklearn_gfs.network._standardisation import Standardisation
from sklearn_gfs.network._training import Training, TrainingSettings
from sklearn_gfs.network._two_layer import TorchNetwork


def test_gradient_descent_steps_are_those_of_the_formula():
    rng = np.random.default_rng(4)
    network, samples = make_network(rng), make_samples(rng)
    settings = SETTINGS._replace(solver=SOLVERS["sgd"], learning_rate_init=1e-3, batch_size=None, momentum=0.5)
    training = Training(network, samples, settings, 0, name="training")
    training.advance(3)
    model = TorchNetwork(network, ACTIVATIONS["relu"], SQUARED_ERROR)
    velocity = torch.zeros_like(model.parameters)
    for loss in training.losses:
        assert model.loss_and_gradient(*batch_of(samples)) == loss
        velocity = 0.5 * velocity + 1e-3 * model.gradient
        model.parameters -= velocity
    np.testing.assert_allclose(training.network().hidden_coef, model.to_network().hidden_coef, rtol=1e-12)


@pytest.mark.usefixtures("order_in_memory")
def test_adam_agrees_with_torch():
    rng = np.random.default_rng(5)
    network, samples = make_network(rng), make_samples(rng)
    settings = SETTINGS._replace(learning_rate_init=0.02, batch_size=None)
    training = Training(network, samples, settings, 0, name="training")
    training.advance(20)
    model = TorchNetwork(network, ACTIVATIONS["relu"], SQUARED_ERROR)
    parameter = torch.nn.Parameter(model.parameters)
    parameter.grad = model.gradient
    optimizer = torch.optim.Adam([parameter], lr=0.02)
    for _ in range(20):
        model.loss_and_gradient(*batch_of(samples))
        optimizer.step()
    for name in Network._fields:
        np.testing.assert_allclose(
            getattr(training.network(), name), getattr(model.to_network(), name), rtol=1e-8, atol=1e-10
        )


@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_no_step_is_longer_than_twice_the_loss_over_the_descent(alpha):
    rng = np.random.default_rng(6)
    X, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    network = make_network(rng)
    settings = TrainingSettings(ACTIVATIONS["tanh"], SQUARED_ERROR, SOLVERS["sgd"], 1e6, 0.0, None, alpha)
    samples = Samples(X, y, Standardisation(np.zeros(4), np.ones(4)), np.arange(30))
    training = Training(network, samples, settings, 0, name="training")
    training.advance(1)
    # The same step by hand. The penalty is a part of what falls.
    model = TorchNetwork(network, ACTIVATIONS["tanh"], SQUARED_ERROR, alpha)
    loss = model.loss_and_gradient(torch.from_numpy(X), torch.from_numpy(y.T.copy()))
    penalty = 0.5 * alpha * network.weights @ (np.sum(network.hidden_coef**2, 0) + np.sum(network.output_coef**2, 1))
    coef, intercept, out_coef, out_intercept = (view.numpy() for view in model._gradients)
    squares = np.sum(coef**2, 1) + intercept[:, 0] ** 2 + np.sum(out_coef**2, 0)
    step = 2 * (loss + penalty) / (network.weights @ squares + np.sum(out_intercept**2))
    after = training.network()
    np.testing.assert_allclose(after.hidden_coef, network.hidden_coef - step * coef.T, rtol=1e-10)
    np.testing.assert_allclose(after.output_intercept, network.output_intercept - step * out_intercept[:, 0])


def test_the_limit_on_steps_does_not_bind_below_the_safe_step():
    rng = np.random.default_rng(14)
    training = Training(
        make_network(rng, n_hidden=40),
        make_samples(rng),
        SETTINGS._replace(solver=SOLVERS["sgd"], batch_size=None, momentum=0.0),
        0,
        name="training",
    )
    training.advance(1)
    model = TorchNetwork(make_network(np.random.default_rng(14), n_hidden=40), ACTIVATIONS["relu"], SQUARED_ERROR)
    model.loss_and_gradient(*batch_of(training._samples))
    moved = model.parameters - TorchNetwork(training.network(), ACTIVATIONS["relu"], SQUARED_ERROR).parameters
    step = float(moved.norm() / model.gradient.norm())
    assert step == pytest.approx(training._step_size, rel=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_full_batch_descent_with_the_default_step_lowers_the_loss(momentum):
    rng = np.random.default_rng(6)
    settings = SETTINGS._replace(solver=SOLVERS["sgd"], batch_size=None, momentum=momentum)
    training = Training(make_network(rng, n_hidden=40), make_samples(rng), settings, 0, name="training")
    training.advance(200)
    assert training.losses[-1] < 0.5 * training.losses[0]
    if momentum == 0:
        # Before the curvature has moved far from where the step size was measured, no step goes up.
        assert (np.diff(training.losses[:50]) < 0).all()


def test_no_gradient_step_diverges():
    rng = np.random.default_rng(7)
    settings = SETTINGS._replace(solver=SOLVERS["sgd"], learning_rate_init=1e6, momentum=0.0)
    training = Training(make_network(rng, n_hidden=40), make_samples(rng), settings, 0, name="training")
    training.advance(300)
    assert np.isfinite(training.losses).all()
    assert max(training.losses) < 1e3 * training.losses[0]
