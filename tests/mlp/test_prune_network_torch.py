"""Torch networks, pruned: as scikit-learn's are, on their device, in their dtype, and with all that stands between."""

import pickle
from collections import OrderedDict
from itertools import pairwise

import naive
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from torch import nn

from sklearn_gfs import prune_network
from sklearn_gfs.mlp._layers import RIDGES

from .trained import inputs, trained_mlp

ACTIVATIONS = {"GELU": nn.GELU, "Identity": nn.Identity, "ReLU": nn.ReLU, "SiLU": nn.SiLU, "Sigmoid": nn.Sigmoid}
ACTIVATIONS |= {
    "Tanh": nn.Tanh,
    "GELU by tanh": lambda: nn.GELU("tanh"),
    "ReLU in place": lambda: nn.ReLU(inplace=True),
}


def sequential(*widths, activation=nn.ReLU, seed=0, dtype=torch.float64):
    """Return linear layers of these widths with activations between."""
    generator = torch.Generator().manual_seed(seed)
    layers = []
    for n_inputs, n_outputs in pairwise(widths):
        linear = nn.utils.skip_init(nn.Linear, n_inputs, n_outputs, dtype=torch.float64)
        for parameter in linear.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) / n_inputs**0.5
        layers += [linear.to(dtype), activation()]
    return nn.Sequential(*layers[:-1])


def evaluated(network, X):
    """Outputs without dropout, whatever the mode; the mode stays."""
    modes = [module.training for module in network.modules()]
    with torch.no_grad():
        outputs = network.eval()(torch.as_tensor(X, dtype=next(network.parameters()).dtype))
    for module, mode in zip(network.modules(), modes, strict=True):
        module.training = mode
    return outputs.to(torch.float64).numpy()


def fingerprint(network):
    return [(name, value.clone()) for name, value in network.state_dict().items()], [
        m.training for m in network.modules()
    ]


def assert_same(one, other):
    assert [name for name, _ in one[0]] == [name for name, _ in other[0]]
    assert all(torch.equal(first, second) for (_, first), (_, second) in zip(one[0], other[0], strict=True))
    assert one[1] == other[1]


@pytest.mark.parametrize(("name", "activation"), [("ReLU", "relu"), ("Tanh", "tanh"), ("Sigmoid", "logistic")])
@pytest.mark.parametrize("options", [{}, {"corrective": False}, {"sample_weight": np.arange(80.0)}])
def test_the_same_as_of_scikit_learn(name, activation, options):
    X = inputs()
    mlp = trained_mlp(X, "numbers", (12, 9), activation)
    network = sequential(4, 12, 9, 2, activation=getattr(nn, name))
    for linear, coef, intercept in zip(network[::2], mlp.coefs_, mlp.intercepts_, strict=True):
        linear.weight.data, linear.bias.data = torch.tensor(coef.T), torch.tensor(intercept)
    expected = prune_network(mlp, X, k=[5, 3], **options)
    small = prune_network(network, X, k=[5, 3], **options)
    np.testing.assert_allclose(evaluated(small, X), expected.predict(X), rtol=1e-6, atol=1e-9)
    assert [linear.out_features for linear in small[::2]] == [*expected.hidden_layer_sizes, 2]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_agrees_with_plain_loops(activation):
    X, make = inputs(), ACTIVATIONS[activation]
    network = sequential(4, 12, 9, 2, activation=make)
    small = prune_network(network, X, k=4)
    coefs, intercepts = naive.pruned_network(
        [linear.weight.detach().numpy().T for linear in network[::2]],
        [linear.bias.detach().numpy() for linear in network[::2]],
        lambda values: make()(torch.tensor(values)).numpy(),
        X,
        [4, 4],
        RIDGES,
    )
    expected = naive.layered_outputs(coefs, intercepts, lambda values: make()(torch.tensor(values)).numpy(), X)
    np.testing.assert_allclose(evaluated(small, X), expected, atol=2e-4 * np.ptp(expected))


@given(st.lists(st.integers(1, 8), min_size=1, max_size=3), st.floats(0.1, 1.0), st.booleans(), st.integers(0, 2**16))
def test_what_is_left_is_smaller_and_its_neurons_are_those_of_the_network(sizes, k, corrective, seed):
    X = inputs(30, 3, seed)
    network = sequential(3, *sizes, 2, activation=nn.SiLU, seed=seed)
    small = prune_network(network, X, k=k, corrective=corrective)
    linears = list(small[::2])
    asked = [max(round(k * size), 1) for size in sizes]
    assert all(1 <= linear.out_features <= most for linear, most in zip(linears[:-1], asked, strict=True))
    assert [linear.weight.shape for linear in linears] == [
        (linear.out_features, linear.in_features) for linear in linears
    ]
    assert evaluated(small, X).shape == (30, 2)
    rows = torch.hstack([network[0].weight, network[0].bias[:, None]])
    assert all((rows == neuron).all(1).any() for neuron in torch.hstack([linears[0].weight, linears[0].bias[:, None]]))


@pytest.mark.parametrize("corrective", [True, False])
def test_with_all_neurons_the_network_is_the_same(corrective):
    network = sequential(4, 12, 9, 2)
    small = prune_network(network, inputs(), k=1.0, corrective=corrective)
    assert_same(fingerprint(small), fingerprint(network))


@pytest.mark.parametrize("training", [True, False])
def test_the_old_network_is_untouched_and_nothing_random_is_used(training):
    network = sequential(4, 12, 9, 2)
    network.insert(2, nn.Dropout(0.7))
    network.train(training)[2].train(not training)
    network(torch.tensor(inputs())).sum().backward()
    gradients = [parameter.grad.clone() for parameter in network.parameters()]
    before, state = fingerprint(network), torch.get_rng_state()
    small = prune_network(network, inputs(), k=4)
    assert torch.equal(torch.get_rng_state(), state)
    assert_same(fingerprint(network), before)
    assert all(torch.equal(p.grad, g) for p, g in zip(network.parameters(), gradients, strict=True))
    assert [module.training for module in small.modules()] == before[1]
    assert all(parameter.grad is None for parameter in small.parameters())
    for other in (small, prune_network(network, inputs(), k=[1.0, 4]), prune_network(network, inputs(), k=1.0)):
        for parameter in other.parameters():
            parameter.data.zero_()
    assert_same(fingerprint(network), before)


@pytest.mark.parametrize("activation", [nn.ELU, nn.Hardtanh])
def test_an_activation_of_the_inputs_may_work_in_place(activation):
    X = torch.as_tensor(inputs(80, 4))
    given, pruned = X.clone(), []
    for inplace in (False, True):
        network = nn.Sequential(nn.Flatten(), activation(inplace=inplace), *sequential(4, 20, 2))
        pruned.append(prune_network(network, X, k=6))
    assert torch.equal(X, given)
    first, second = (evaluated(network, X.clone()) for network in pruned)
    np.testing.assert_array_equal(first, second)


def test_dropout_is_off_and_kept():
    network = sequential(4, 12, 9, 2)
    without = prune_network(network, inputs(), k=4)
    network.insert(2, nn.Dropout(0.7))
    network.insert(0, nn.AlphaDropout(0.3))
    small = prune_network(network, inputs(), k=4)
    assert isinstance(small[0], nn.AlphaDropout)
    assert small[3].p == 0.7
    np.testing.assert_array_equal(evaluated(small, inputs()), evaluated(without, inputs()))


@pytest.mark.filterwarnings("ignore:You are using `torch.load`:FutureWarning")  # old versions, of their own pickles
def test_it_can_be_trained_on_and_saved():
    X = torch.tensor(inputs())
    y = X[:, :1] - X[:, 1:2]
    small = prune_network(sequential(4, 12, 9, 1), X, k=4)
    optimiser = torch.optim.Adam(small.parameters(), 0.05)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = ((small(X) - y) ** 2).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    loaded = pickle.loads(pickle.dumps(small))
    assert torch.equal(loaded(X), small(X))
    fresh = prune_network(sequential(4, 12, 9, 1), X, k=4)
    fresh.load_state_dict(small.state_dict())
    assert torch.equal(fresh(X), small(X))
    assert all(parameter.is_contiguous() for parameter in small.parameters())


def test_names_nesting_and_what_is_frozen_are_kept():
    flat = sequential(4, 12, 9, 2)
    head = nn.Sequential(OrderedDict(activation=flat[3], out=flat[4]))
    network = nn.Sequential(OrderedDict(body=nn.Sequential(*flat[:3]), nothing=nn.Sequential(), head=head))
    network.body[0].weight.requires_grad_(False)
    small = prune_network(network, inputs(), k=4)
    assert [name for name, _ in small.named_parameters()] == [name for name, _ in network.named_parameters()]
    assert [p.requires_grad for p in small.parameters()] == [p.requires_grad for p in network.parameters()]
    np.testing.assert_array_equal(evaluated(small, inputs()), evaluated(prune_network(flat, inputs(), k=4), inputs()))


def test_layers_without_a_bias_get_one_where_weights_are_solved_for():
    network = sequential(4, 12, 2)
    network[0].bias = network[2].bias = None
    small = prune_network(network, inputs(), k=5)
    assert small[0].bias is None
    assert small[2].bias.requires_grad
    assert prune_network(network, inputs(), k=5, corrective=False)[2].bias is None
    network[0].bias, network[2].bias = (nn.Parameter(torch.zeros(n, dtype=torch.float64)) for n in (12, 2))
    np.testing.assert_allclose(evaluated(small, inputs()), evaluated(prune_network(network, inputs(), k=5), inputs()))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_in_its_own_precision(dtype):
    X = inputs().astype(np.float32)
    expected = evaluated(prune_network(sequential(4, 12, 2), X, k=11), X)
    small = prune_network(sequential(4, 12, 2, dtype=dtype), X, k=11)
    assert {parameter.dtype for parameter in small.parameters()} == {dtype}
    np.testing.assert_allclose(evaluated(small, X), expected, atol=30 * torch.finfo(dtype).eps * np.ptp(expected))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int32])
def test_targets_and_weights_of_every_precision(dtype):
    X, network = torch.tensor(inputs()).to(torch.bfloat16), sequential(4, 12, 2)
    y, weight = (4 * torch.tensor(inputs()[:, :2])).to(dtype), torch.arange(1, len(X) + 1).to(dtype)
    y = (y > 0).to(dtype) if dtype == torch.int32 else y.requires_grad_()
    small = prune_network(network, X, y, k=5, sample_weight=weight)
    kind = np.int64 if dtype == torch.int32 else np.float64
    expected = prune_network(network, X, y.detach().double().numpy().astype(kind), k=5, sample_weight=weight.tolist())
    np.testing.assert_array_equal(evaluated(small, inputs()), evaluated(expected, inputs()))
    with pytest.raises(TypeError, match="y is a sparse tensor"):
        prune_network(network, X, y.detach().to_sparse(), k=5)


def test_a_network_of_scikit_learn_takes_tensors():
    X, y = torch.tensor(inputs()).to(torch.bfloat16).requires_grad_(), torch.tensor(inputs()[:, 0]).to(torch.bfloat16)
    mlp = trained_mlp(inputs(), "number", (12,))
    small = prune_network(mlp, X, y, k=5)
    expected = prune_network(mlp, X.detach().double().numpy(), y.double().numpy(), k=5)
    np.testing.assert_array_equal(small.predict(inputs()), expected.predict(inputs()))


def test_inputs_of_all_kinds():
    X = inputs() * (inputs(seed=1) > 0)
    network = sequential(4, 12, 9, 2)
    expected = evaluated(prune_network(network, X, k=4), X)
    for other in (sparse.csr_array(X), torch.tensor(X), torch.tensor(X, requires_grad=True), np.asfortranarray(X)):
        np.testing.assert_allclose(evaluated(prune_network(network, other, k=4), X), expected, rtol=1e-9)
    images = nn.Sequential(nn.Flatten(), *network)
    for other in (X.reshape(-1, 2, 2), torch.tensor(X).reshape(-1, 1, 2, 2)):
        np.testing.assert_allclose(evaluated(prune_network(images, other, k=4), other), expected, rtol=1e-9)
    read_only = X.copy()
    read_only.flags.writeable = False
    np.testing.assert_array_equal(evaluated(prune_network(network, read_only, k=4), X), expected)


@pytest.mark.parametrize("last", [nn.Softmax(1), nn.LogSoftmax(1), nn.Sigmoid(), nn.Tanh()])
def test_what_follows_the_outputs_is_kept(last):
    network = sequential(4, 12, 9, 3)
    small = prune_network(nn.Sequential(*network, last), inputs(), k=4)
    assert type(small[-1]) is type(last)
    np.testing.assert_array_equal(
        evaluated(small[:-1], inputs()), evaluated(prune_network(network, inputs(), k=4), inputs())
    )


@pytest.mark.parametrize("distance", [1e5, 1e7, 1e10])
def test_neurons_of_float64_far_from_zero_for_their_spread_vary(distance):
    X = inputs()
    network = sequential(4, 20, 3, activation=nn.Identity)
    near = prune_network(network, X, k=6)
    with torch.no_grad():
        network[0].bias += distance
        network[2].bias -= distance * network[2].weight.sum(dim=1)
    small = prune_network(network, X, k=6)
    np.testing.assert_allclose(evaluated(small, X), evaluated(near, X), atol=1e-13 * distance)
