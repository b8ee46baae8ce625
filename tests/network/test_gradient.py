"""Outputs, gradient and curvature of the network, against formulas and finite differences."""

import numpy as np
import pytest
import torch
from naive import network_outputs
from scipy import sparse

from network.small import LOG_LOSS, SQUARED_ERROR, batch_of, make_network, make_samples
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network import _two_layer
from sklearn_gfs.network._two_layer import TorchNetwork, hidden_activations


def weights_of_parameters(model):
    """Return the weight of the neuron that each parameter belongs to, in the order of the parameters."""
    flat = torch.ones_like(model.parameters)
    coef, intercept, out_coef, _ = model.layout.views(flat)
    coef *= model._weights[:, None]
    intercept *= model._weights[:, None]
    out_coef *= model._weights
    return flat.numpy()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_outputs_are_those_of_the_formula(activation):
    rng = np.random.default_rng(0)
    network = make_network(rng, activation=activation)
    X = rng.normal(size=(5, 4))
    expected = network_outputs(X, network, activation)
    hidden = hidden_activations(X, network.hidden_coef, network.hidden_intercept, ACTIVATIONS[activation])
    np.testing.assert_allclose(
        hidden @ (network.output_coef * network.weights[:, None]) + network.output_intercept, expected
    )
    torch_outputs = TorchNetwork(network, ACTIVATIONS[activation], SQUARED_ERROR).forward(torch.from_numpy(X))[1]
    np.testing.assert_allclose(torch_outputs.numpy().T, expected)
    from_sparse = hidden_activations(
        sparse.csr_array(X), network.hidden_coef, network.hidden_intercept, ACTIVATIONS[activation]
    )
    np.testing.assert_allclose(from_sparse, hidden)


@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["squared_error", "softmax", "logistic"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.usefixtures("order_in_memory")
def test_gradient_agrees_with_finite_differences(activation, kind, weighted, alpha):
    rng = np.random.default_rng(1)
    n_outputs = 1 if kind == "logistic" else 2
    network = make_network(rng, activation=activation, n_outputs=n_outputs)
    X, targets, _ = batch_of(make_samples(rng, n_outputs=n_outputs))
    if kind == "softmax":
        targets = torch.softmax(targets, 0).round()
    elif kind == "logistic":
        targets = (targets > 0).double()
    weight = torch.from_numpy(rng.integers(0, 3, size=len(X)).astype(float)) if weighted else None
    model = TorchNetwork(
        network,
        ACTIVATIONS[activation],
        SQUARED_ERROR if kind == "squared_error" else LOG_LOSS,
        alpha,
    )
    model.loss_and_gradient(X, targets, weight)
    # The gradient of a neuron is divided by the neuron's weight.
    gradient = model.gradient.numpy() * weights_of_parameters(model)
    step = 1e-6
    numeric = np.empty_like(gradient)
    for i in range(len(gradient)):
        value = float(model.parameters[i])
        losses = []
        for shifted in (value + step, value - step):
            model.parameters[i] = shifted
            losses.append(model.loss_and_gradient(X, targets, weight) + model.penalty())
        model.parameters[i] = value
        numeric[i] = (losses[0] - losses[1]) / (2 * step)
    np.testing.assert_allclose(gradient, numeric, atol=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.usefixtures("order_in_memory")
def test_largest_curvature_is_the_top_eigenvalue(activation, weighted, monkeypatch):
    monkeypatch.setattr(_two_layer, "_POWER_STEPS", 3000)
    rng = np.random.default_rng(2)
    network = make_network(rng, n_hidden=5, activation=activation)
    X, _, _ = batch_of(make_samples(rng, n_samples=8))
    model = TorchNetwork(network, ACTIVATIONS[activation], SQUARED_ERROR)
    n_parameters = len(model.parameters)
    jacobian = np.empty((16, n_parameters))
    for i in range(n_parameters):
        value = float(model.parameters[i])
        outputs = []
        for shifted in (value + 1e-6, value - 1e-6):
            model.parameters[i] = shifted
            outputs.append(model.forward(X)[1].numpy().T.ravel())
        model.parameters[i] = value
        jacobian[:, i] = (outputs[0] - outputs[1]) / 2e-6
    weights = weights_of_parameters(model)
    sample_weight = rng.integers(1, 4, size=(8, 1)).astype(float) if weighted else np.ones((8, 1))
    roots = np.repeat(np.sqrt(sample_weight), 2, axis=0)
    expected = np.linalg.eigvalsh((roots * jacobian / weights) @ (roots * jacobian).T / 8)[-1]
    start = torch.from_numpy(rng.normal(size=n_parameters))
    given = torch.from_numpy(sample_weight[:, 0]) if weighted else None
    assert model.largest_curvature(X, start, given) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("equal", [False, True])
@pytest.mark.usefixtures("order_in_memory")
def test_descent_is_the_slope_of_the_loss_along_the_gradient(equal):
    rng = np.random.default_rng(13)
    samples, network = make_samples(rng), make_network(rng)
    if equal:
        network = network._replace(weights=np.full(6, 1 / 6))
    model = TorchNetwork(network, ACTIVATIONS["tanh"], SQUARED_ERROR)
    before = model.loss_and_gradient(*batch_of(samples))
    slope = model.descent()
    model.parameters -= 1e-7 * model.gradient
    assert (before - model.loss(*batch_of(samples))) / 1e-7 == pytest.approx(slope, rel=1e-5)
