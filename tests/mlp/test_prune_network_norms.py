"""Torch networks with functions of each neuron that have numbers of their own: batch normalisation and PReLU."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_gfs import prune_network
from sklearn_gfs.mlp._layers import _importances
from sklearn_gfs.mlp._trained_torch import TorchLayers

from .test_prune_network_torch import assert_same, evaluated, fingerprint, sequential
from .trained import inputs


def normalising(width, seed=0, **options):
    """Return a batch normalisation that has seen some batches, with weights that are not its first ones."""
    rng = np.random.default_rng(seed)
    norm = nn.BatchNorm1d(width, **options).double()
    norm.running_mean += torch.tensor(rng.normal(size=width))
    norm.running_var *= torch.tensor(rng.uniform(0.2, 5, size=width))
    if norm.affine:
        norm.weight.data *= torch.tensor(rng.choice([-1, 1], size=width) * rng.uniform(0.5, 2, size=width))
        norm.bias.data += torch.tensor(rng.normal(size=width))
    return norm


def folded(network):
    """Return the network with every batch normalisation that follows a linear layer made part of this layer."""
    modules = []
    for module in network:
        if isinstance(module, nn.BatchNorm1d):
            factor = (module.weight / torch.sqrt(module.running_var + module.eps)).detach()
            linear = modules[-1]
            linear.weight.data = linear.weight * factor[:, None]
            linear.bias.data = (linear.bias - module.running_mean) * factor + module.bias
        else:
            modules.append(module)
    return nn.Sequential(*modules)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", [{"k": 5}, {"k": [5, 12]}, {"k": [12, 4]}, {"k": 5, "corrective": False}])
def test_batch_normalisation_is_that_of_its_running_statistics(training, options):
    X = inputs()
    flat = sequential(4, 12, 12, 2)
    network = nn.Sequential(flat[0], normalising(12, 1), flat[1], flat[2], normalising(12, 2), flat[3], flat[4])
    network.train(training)
    before = fingerprint(network)
    small = prune_network(network, X, **options)
    assert_same(fingerprint(network), before)
    expected = prune_network(folded(network.eval()), X, **options)
    np.testing.assert_allclose(evaluated(small, X), evaluated(expected, X), rtol=1e-5, atol=1e-7)
    for linear, norm in ((small[0], small[1]), (small[3], small[4])):
        width = linear.out_features
        assert norm.num_features == width
        numbers = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        assert {tuple(values.shape) for values in numbers} == {(width,)}
    assert [module.training for module in small] == [training] * 7


def test_pre_activations_count_by_what_is_made_of_them():
    flat = sequential(4, 12, 9, 7, 2)
    norms = normalising(9, 1), normalising(7, 2, affine=False)
    network = nn.Sequential(*flat[:3], norms[0], flat[3], flat[4], norms[1], *flat[5:])
    dense = TorchLayers(network)
    assert dense.gains(0).tolist() == [1.0] * 12
    first = norms[0].weight.detach().abs() / torch.sqrt(norms[0].running_var + norms[0].eps)
    second = 1 / torch.sqrt(norms[1].running_var + norms[1].eps)
    np.testing.assert_allclose(dense.gains(1), first)
    of_second = torch.linalg.norm(flat[6].weight.detach(), dim=0) * second
    of_second = of_second / of_second.max()
    of_first = torch.linalg.norm(flat[4].weight.detach() * of_second[:, None], dim=0) * first
    np.testing.assert_allclose(_importances(dense, 1), of_second)
    np.testing.assert_allclose(_importances(dense, 0), of_first / of_first.max())


@pytest.mark.parametrize("affine", [True, False])
def test_normalisation_stands_anywhere_and_can_be_trained_on(affine):
    X = torch.tensor(inputs())
    y = X[:, :1] - X[:, 1:2]
    flat = sequential(4, 12, 9, 1)
    norms = (normalising(width, affine=affine) for width in (4, 12, 9, 1))
    network = nn.Sequential(next(norms), *flat[:2], next(norms), *flat[2:4], next(norms), flat[4], next(norms))
    small = prune_network(network, X, k=5)
    assert [norm.num_features for norm in small if isinstance(norm, nn.BatchNorm1d)] == [4, 5, 5, 1]
    expected = evaluated(network, X)
    assert np.corrcoef(evaluated(small, X).ravel(), expected.ravel())[0, 1] > 0.8
    optimiser, losses = torch.optim.Adam(small.train().parameters(), 0.05), []
    for _ in range(40):
        optimiser.zero_grad()
        loss = ((small(X) - y) ** 2).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert small[3].num_batches_tracked == 40


@pytest.mark.parametrize("n_slopes", [1, 12])
def test_slopes_are_those_of_the_neurons_that_are_kept(n_slopes):
    X, flat = inputs(), sequential(4, 12, 2)
    slopes = nn.PReLU(n_slopes).double()
    slopes.weight.data = torch.linspace(-0.3, 0.6, n_slopes, dtype=torch.float64)
    slopes.weight.requires_grad_(False)
    network = nn.Sequential(flat[0], slopes, flat[2])
    small = prune_network(network, X, k=5)
    assert small[1].num_parameters == len(small[1].weight) == min(n_slopes, 5)
    assert not small[1].weight.requires_grad
    neurons = [int(torch.nonzero((flat[0].weight == row).all(1))) for row in small[0].weight]
    if n_slopes > 1:
        assert small[1].weight.tolist() == slopes.weight[neurons].tolist()
    hidden = np.asarray(evaluated(network[:2], X))[:, neurons]
    coef, *_ = np.linalg.lstsq(np.c_[np.ones(80), hidden], evaluated(network, X), rcond=None)
    np.testing.assert_allclose(evaluated(small, X), np.c_[np.ones(80), hidden] @ coef, atol=0.05)


@pytest.mark.parametrize(
    "activation", ["CELU", "ELU", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid", "Mish", "ReLU6"]
)
def test_functions_of_one_neuron_are_taken_as_they_are(activation):
    X, make = inputs(), getattr(nn, activation)
    network = sequential(4, 12, 9, 2, activation=make)
    whole = evaluated(network, X)
    np.testing.assert_array_equal(evaluated(prune_network(network, X, k=1.0), X), whole)
    small = prune_network(network, X, k=8)
    assert np.mean((evaluated(small, X) - whole) ** 2) < 0.1 * np.var(whole)


def test_modules_that_do_not_fit_are_refused():
    flat = sequential(4, 12, 9, 2)
    for module, named in ((nn.BatchNorm1d(9), "BatchNorm1d takes 9"), (nn.PReLU(9), "PReLU takes 9")):
        network = nn.Sequential(flat[0], module.double(), *flat[1:])
        with pytest.raises(ValueError, match=rf"modules 0 and 1 of network do not fit: Linear gives 12.*{named}"):
            prune_network(network, inputs(), k=5)
    network = nn.Sequential(flat[0], nn.BatchNorm1d(12, track_running_stats=False).double(), *flat[1:])
    with pytest.raises(ValueError, match="module 1 of network keeps no running statistics"):
        prune_network(network, inputs(), k=5)
    network = nn.Sequential(flat[0], nn.BatchNorm1d(12), *flat[1:])
    with pytest.raises(ValueError, match="must share a device and a floating dtype"):
        prune_network(network, inputs(), k=5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_must_be_finite(value):
    flat, norm = sequential(4, 12, 9, 2), normalising(12)
    norm.running_mean[3] = value
    with pytest.raises(ValueError, match="module 1 of network, BatchNorm1d, holds numbers that are NaN or infinite"):
        prune_network(nn.Sequential(flat[0], norm, *flat[1:]), inputs(), k=5)


def test_numbers_of_neurons_belong_to_one_layer():
    flat = sequential(4, 12, 12, 2)
    for module in (normalising(12), nn.PReLU(12).double()):
        with pytest.raises(ValueError, match="same weights in two places"):
            prune_network(nn.Sequential(flat[0], module, flat[2], module, flat[4]), inputs(), k=5)
    slope = nn.PReLU().double()
    small = prune_network(nn.Sequential(flat[0], slope, flat[2], slope, flat[4]), inputs(), k=5)
    assert small[1] is small[3]
