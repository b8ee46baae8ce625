"""The networks of the paper's experiment, trained and pruned side by side, against plain ways to do each part."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from sklearn_gfs import greedy_forward_selection
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network import LOSSES, Network
from sklearn_gfs.network._two_layer import TorchNetwork

torch = pytest.importorskip("torch")

_FILE = Path(__file__).parent.parent / "examples" / "3_paper" / "_stack.py"


def _load():
    spec = importlib.util.spec_from_file_location("paper_stack", _FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


paper = _load()
SIZES, BATCH, UPDATES, N_HIDDEN, STEPS = (20, 30, 50), 8, 12, 15, (0.01, 0.05, 0.2)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4)).astype(np.float32)
    return X, (X[:, 0] * X[:, 1] > 0).astype(np.float32)


def _stack(data, which=range(3)):
    rows = [np.random.default_rng(network).permutation(60)[: SIZES[network]] for network in which]
    starts = [paper.draw(4, N_HIDDEN, network) for network in which]
    places = np.stack([paper.batches(SIZES[network], UPDATES, BATCH, network) for network in which])
    return paper.Stack(*data, starts, rows, [STEPS[network] for network in which], 0.9, "cpu"), places


def test_batches_are_pieces_of_shuffles_one_after_the_other():
    places = paper.batches(10, 5, 4, seed=3)
    assert places.shape == (5, 4)
    for start in (0, 10):
        assert sorted(places.ravel()[start : start + 10]) == list(range(10))


def test_networks_side_by_side_do_what_each_does_alone(data):
    together, places = _stack(data)
    together.advance(places)
    for network in range(3):
        alone, places = _stack(data, [network])
        alone.advance(places)
        torch.testing.assert_close(together.hidden[network], alone.hidden[0])
        torch.testing.assert_close(together.output[network], alone.output[0])


def test_updates_are_those_of_torch(data):
    stack, places = _stack(data)
    X, y = torch.from_numpy(data[0]), torch.from_numpy(data[1])
    for network, rows in enumerate(stack.rows):
        layers = [torch.nn.Linear(4, N_HIDDEN, bias=False), torch.nn.Linear(N_HIDDEN, 1, bias=False)]
        with torch.no_grad():
            layers[0].weight.copy_(stack.hidden[network].T)
            layers[1].weight.copy_(stack.output[network].T)
        model = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1])
        solver = torch.optim.SGD(model.parameters(), lr=STEPS[network], momentum=0.9)
        for batch in rows[torch.from_numpy(places[network])]:
            solver.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(model(X[batch])[:, 0], y[batch]).backward()
            solver.step()
        alone, own = _stack(data, [network])
        alone.advance(own)
        torch.testing.assert_close(alone.hidden[0], layers[0].weight.T.detach(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(alone.output[0], layers[1].weight.T.detach(), rtol=1e-4, atol=1e-5)


def test_an_update_is_the_one_of_the_package(data):
    """Where both layers are the package's over the root of N, one step size is the same step for both."""
    stack, places = _stack(data, [0])
    root = N_HIDDEN**0.5
    network = Network(
        hidden_coef=stack.hidden[0].numpy() * root,
        hidden_intercept=np.zeros(N_HIDDEN, dtype=np.float32),
        output_coef=stack.output[0].numpy() * root,
        output_intercept=np.zeros(1, dtype=np.float32),
        weights=np.full(N_HIDDEN, 1 / N_HIDDEN, dtype=np.float32),
    )
    own = TorchNetwork(network, ACTIVATIONS["relu"], LOSSES["log_loss"], 0.0, "cpu")
    batch = stack.rows[0][torch.from_numpy(places[0, 0])]
    own.loss_and_gradient(stack.X[batch], stack.y[None, batch])
    coef, _, out_coef, _ = own.layout.views(own.gradient)
    before = stack.hidden[0].clone(), stack.output[0].clone()
    stack.advance(places[:, :1])
    moved = [(was - now) * root / STEPS[0] for was, now in zip(before, (stack.hidden[0], stack.output[0]), strict=True)]
    torch.testing.assert_close(moved[0], coef.T, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(moved[1], out_coef.T, rtol=1e-3, atol=1e-4)


def _outputs(data, network):
    """What each neuron alone gives, in float64."""
    stack, places = _stack(data)
    stack.advance(places)
    hidden = np.maximum(data[0].astype(float) @ stack.hidden[network].double().numpy(), 0)
    return stack, hidden * (N_HIDDEN * stack.output[network, :, 0].double().numpy())


@pytest.mark.parametrize("network", range(3))
def test_picks_on_mini_batches_are_the_best_of_all(data, network):
    stack, outputs = _outputs(data, network)
    batches = [paper.batches(n, 6, BATCH, [network, 1]) for n in SIZES]
    found = stack.picked_on_batches(np.stack(batches))
    for through_sigmoid, counts in zip((True, False), found[:, network], strict=True):
        total, expected = np.zeros(60), np.zeros(N_HIDDEN)
        for pick, places in enumerate(batches[network], start=1):
            rows = stack.rows[network].numpy()[places]
            losses = []
            for neuron in range(N_HIDDEN):
                mean = (total + outputs[:, neuron])[rows] / pick
                error = 1 / (1 + np.exp(-mean)) - data[1][rows] if through_sigmoid else mean - (2 * data[1][rows] - 1)
                losses.append(np.sum(error**2))
            best = int(np.argmin(losses))
            total += outputs[:, best]
            expected[best] += 1
        np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("network", range(3))
def test_picks_on_all_samples_are_the_package_s(data, network):
    stack, outputs = _outputs(data, network)
    rows = stack.rows[network].numpy()
    expected = greedy_forward_selection(outputs[rows], 2.0 * data[1][rows] - 1, 10).picks
    np.testing.assert_array_equal(paper.picked(*stack.neurons(network), 10), expected)
    np.testing.assert_array_equal(stack.picked_by_package(network, 10), expected)


@pytest.mark.parametrize("n_tried", [1, 4, N_HIDDEN])
def test_picks_by_the_log_loss_are_the_best_of_the_steepest(data, n_tried):
    stack, outputs = _outputs(data, 2)
    rows = stack.rows[2].numpy()
    outputs, y, total, expected = outputs[rows], data[1][rows], np.zeros(len(rows)), []
    for pick in range(1, 9):
        residual = 1 / (1 + np.exp(-total / max(pick - 1, 1))) - y
        steepest = sorted(range(N_HIDDEN), key=lambda neuron: outputs[:, neuron] @ residual)[:n_tried]
        losses = {}
        for neuron in steepest:
            logits = (total + outputs[:, neuron]) / pick
            losses[neuron] = np.mean(np.logaddexp(0, logits) - y * logits)
        expected.append(min(losses, key=losses.get))
        total += outputs[:, expected[-1]]
    assert paper.picked_by_log_loss(*stack.neurons(2), 8, n_tried).tolist() == expected


def test_accuracies_are_those_of_the_network_and_of_the_weighted_neurons(data):
    stack, outputs = _outputs(data, 1)
    counts = np.random.default_rng(0).integers(0, 3, size=(2, N_HIDDEN))
    for rows in (stack.rows[1].numpy(), np.arange(5, 40)):
        found = paper.accuracies(*stack.neurons(1, rows), counts)
        for weights, accuracy in zip([np.ones(N_HIDDEN), *counts], found, strict=True):
            assert accuracy == np.mean((outputs[rows] @ weights > 0) == (data[1][rows] > 0.5))
