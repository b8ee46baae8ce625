"""The network's gradient, the batches, the solvers and the training path, below the estimators."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from naive import moving_average, network_outputs
from scipy import sparse
from sklearn import config_context

from sklearn_gfs import GreedyPrunedMLP
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.mlp._path import TrainingPath
from sklearn_gfs.mlp._trainer import PathData, PathSettings
from sklearn_gfs.network._data import by_rows
from sklearn_gfs.network._losses import LOSSES, log_odds
from sklearn_gfs.network._parameters import Network, initial_network, prune
from sklearn_gfs.network._scaling import measure_moments, scaling_of
from sklearn_gfs.network._solvers import SOLVERS
from sklearn_gfs.network._standardisation import Standardisation
from sklearn_gfs.network._training import Samples, Training, TrainingSettings
from sklearn_gfs.network._two_layer import TorchNetwork, hidden_activations

SQUARED_ERROR, LOG_LOSS = LOSSES["squared_error"], LOSSES["log_loss"]
SETTINGS = TrainingSettings(ACTIVATIONS["relu"], SQUARED_ERROR, SOLVERS["adam"], None, 0.9, 16, 0.0)


def make_network(rng, *, n_features=4, n_hidden=6, n_outputs=2, activation="relu"):
    network = initial_network(
        (n_features, n_hidden, n_outputs), ACTIVATIONS[activation], squared_norm=4.0, dtype=float, rng=rng
    )
    return network._replace(weights=rng.dirichlet(np.ones(n_hidden)), output_intercept=rng.normal(size=n_outputs))


def make_samples(rng, *, n_samples=40, n_features=4, n_outputs=2):
    X = rng.normal(size=(n_samples, n_features))
    targets = np.stack([np.sin(X @ rng.normal(size=n_features)) for _ in range(n_outputs)], axis=1)
    return Samples(X, targets, Standardisation(np.zeros(n_features), np.ones(n_features)), np.arange(n_samples))


def make_path(rng, *, n_samples=60, n_retrain=0, early_stopping=False, random_state=0, **training):
    X = rng.normal(size=(n_samples, 3))
    y = np.sin(2 * X[:, :1]) + 0.1 * rng.normal(size=(n_samples, 1))
    settings = PathSettings(30, n_retrain, early_stopping, 0.2, SETTINGS._replace(**training))
    tasks = GreedyPrunedMLP()._start_tasks(X, y, None, "fit_path")
    return TrainingPath(PathData(X, y, None, True, None), settings, random_state, tasks=tasks)


def batch_of(samples):
    return samples.everything()


def weights_of_parameters(model):
    """Return the weight of the neuron that each parameter belongs to, in the order of the parameters."""
    flat = torch.ones_like(model.parameters)
    coef, intercept, out_coef, _ = model._views(flat)
    coef *= model._weights[:, None]
    intercept *= model._weights[:, None]
    out_coef *= model._weights
    return flat.numpy()


@pytest.fixture(params=["by feature", "by neuron"])
def order_in_memory(request, monkeypatch):
    monkeypatch.setattr("sklearn_gfs.network._two_layer._FEW_FEATURES", 100 if request.param == "by feature" else 0)


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
def test_largest_curvature_is_the_top_eigenvalue(activation, weighted):
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
    assert model.largest_curvature(X, start, given, n_iter=3000) == pytest.approx(expected, rel=1e-5)


def test_pruning_keeps_each_pick_once_with_its_count():
    network = make_network(np.random.default_rng(3))
    pruned = prune(network, np.array([4, 1, 4, 4]))
    np.testing.assert_array_equal(pruned.hidden_coef, network.hidden_coef[:, [1, 4]])
    np.testing.assert_array_equal(pruned.output_coef, network.output_coef[[1, 4]])
    np.testing.assert_array_equal(pruned.weights, [0.25, 0.75])


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
    update = training._network.loss_and_gradient
    training._network.loss_and_gradient = lambda X, y, weight: (
        used.extend(X[:, 0].int().tolist()) or update(X, y, weight)
    )
    training.advance(n_samples)
    if batch_size < n_samples:
        assert len(used) == n_samples * batch_size
        np.testing.assert_array_equal(np.bincount(used, minlength=n_samples), batch_size)
    else:
        assert used == list(range(n_samples)) * n_samples


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
    everything = samples.everything()
    expected = TorchNetwork(averaged.network(), ACTIVATIONS["relu"], SQUARED_ERROR).loss(*everything)
    np.testing.assert_allclose(averaged.loss(everything), expected)
    assert averaged.loss(everything) != plain.loss(everything)


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


@pytest.mark.parametrize(("activation", "variance"), [("identity", 1), ("logistic", 4), ("relu", 2), ("tanh", 1)])
def test_initial_preactivations_have_the_variance_of_their_activation(activation, variance):
    rng = np.random.RandomState(8)
    network = initial_network((5, 40_000, 1), ACTIVATIONS[activation], squared_norm=3.0, dtype=np.float64, rng=rng)
    x = np.sqrt(3.0 / 5) * np.ones(5)
    assert np.var(x @ network.hidden_coef) == pytest.approx(variance, rel=0.03)
    assert np.std(network.hidden_intercept) == pytest.approx(0.5, rel=0.03)
    assert np.std(network.output_coef) == pytest.approx(0.5, rel=0.03)


def test_each_use_of_randomness_has_a_stream_of_its_own(monkeypatch):
    seeds = {}
    start = Training.__init__

    def noted(training, network, samples, settings, seed, **how):
        seeds[how["name"]] = seed
        start(training, network, samples, settings, seed, **how)

    monkeypatch.setattr(Training, "__init__", noted)
    path = make_path(np.random.default_rng(9), n_retrain=20, early_stopping=True)
    path.pretrain_to(5)
    path.subnetworks([3])
    assert seeds["pre-training"] != seeds["re-training"] == seeds["trial re-training"]
    of_network, _, _, of_division = path._trainer.seeds
    assert len(set(path._trainer.seeds)) == 4
    assert set(seeds.values()).isdisjoint({of_network, of_division})


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


def test_a_loss_on_a_batch_of_the_same_size_may_be_asked_for_between_iterations():
    rng = np.random.default_rng(15)
    network, samples = make_network(rng), make_samples(rng)
    asked, silent = (Training(network, samples, SETTINGS, 0, name="training") for _ in range(2))
    batch = samples.gather(np.arange(16))
    for _ in range(3):
        asked.advance(2)
        model = TorchNetwork(asked.network(), ACTIVATIONS["relu"], SQUARED_ERROR)
        assert asked.loss(batch) == model.loss(*batch)
        assert not torch.is_inference_mode_enabled()
    silent.advance(6)
    assert asked.losses == silent.losses


def test_a_loss_that_is_not_finite_is_an_error():
    rng = np.random.default_rng(8)
    settings = SETTINGS._replace(learning_rate_init=1e200)
    training = Training(make_network(rng), make_samples(rng), settings, 0, name="pre-training")
    with pytest.raises(ValueError, match=r"loss became (inf|nan) at iteration \d of pre-training.*learning_rate_init"):
        training.advance(5)


def test_samples_are_standardised_in_place_and_sparse_ones_by_scale():
    rng = np.random.default_rng(9)
    X = 5 + 3 * rng.normal(size=(50, 3))
    X[:, 1] = 7.0
    before = X.copy()
    scaling = scaling_of(measure_moments(X, X[:, :1]), center_targets=True, scale_targets=True)
    samples = Samples(X, X[:, :1], scaling.inputs, np.arange(50))
    standardised = samples.gather(np.arange(50)).X.numpy()
    np.testing.assert_allclose(standardised.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(standardised.std(axis=0), [1, 0, 1], atol=1e-12)
    np.testing.assert_array_equal(X, before)
    assert (scaling.y_mean, scaling.y_scale) == (pytest.approx(X[:, 0].mean()), pytest.approx(X[:, 0].std()))

    sparse_moments = measure_moments(sparse.csr_array(X), X[:, :1])
    sparse_scaling = scaling_of(sparse_moments, center_targets=False, scale_targets=False)
    assert sparse_scaling.inputs.mean is None
    rows = Samples(sparse.csr_array(X), X[:, :1], sparse_scaling.inputs, np.arange(50)).gather(np.arange(50)).X.numpy()
    np.testing.assert_allclose((rows**2).mean(axis=0), 1)


def test_many_features_are_shrunk_to_a_bounded_norm():
    X = np.random.default_rng(10).normal(size=(200, 500))
    scaling = scaling_of(measure_moments(X, X[:, :1]), center_targets=True, scale_targets=False)
    rows = Samples(X, X[:, :1], scaling.inputs, np.arange(200)).gather(np.arange(200)).X.numpy()
    assert np.mean(np.sum(rows**2, axis=1)) == pytest.approx(12)
    assert scaling.x_squared_norm == pytest.approx(12)


@given(seed=st.integers(0, 2**31 - 1), sizes=st.lists(st.integers(1, 12), min_size=1, max_size=3))
def test_pruned_losses_are_those_of_the_networks(seed, sizes):
    rng = np.random.default_rng(seed)
    path = make_path(rng, random_state=seed)
    path.pretrain_to(5)
    X, y = path._trainer._X, path._trainer._targets * path._trainer._scaling.y_scale + path._trainer._scaling.y_mean

    def loss(fitted):
        hidden = hidden_activations(X, fitted.coefs[0], fitted.intercepts[0], ACTIVATIONS["relu"])
        residual = (hidden @ fitted.coefs[1] + fitted.intercepts[1] - y) / path._trainer._scaling.y_scale
        return 0.5 * float(np.mean(np.sum(residual**2, axis=1)))

    dense_loss, subnetworks = path.subnetworks(sizes)
    # Activations are rounded to float32 for the selection.
    assert dense_loss == pytest.approx(loss(path.dense()), rel=1e-6)
    for k, subnetwork in zip(sizes, subnetworks, strict=True):
        assert len(subnetwork.path.picks) == k
        assert subnetwork.path.losses[-1] == pytest.approx(loss(subnetwork.fitted), rel=1e-6)
        assert subnetwork.fitted.coefs[0].shape[1] == len(set(subnetwork.path.picks))


def test_held_out_samples_decide_how_long_to_retrain():
    rng = np.random.default_rng(11)
    path = make_path(rng, n_retrain=70, early_stopping=True)
    path.pretrain_to(20)
    _, (subnetwork,) = path.subnetworks([5])
    losses = subnetwork.validation_losses
    assert len(losses) == 5  # before, after 20, 40, 60 and 70
    best = max(i for i, loss in enumerate(losses) if loss <= 1.01 * min(losses))
    assert len(subnetwork.retrain_losses) == min(20 * best, 70)


def test_pretraining_never_sees_the_held_out_samples():
    rng = np.random.default_rng(12)
    path = make_path(rng, n_retrain=10, early_stopping=True)
    held_out = path._trainer.parts.held_rows
    assert 11 <= len(held_out) <= 13  # a fifth
    before = path._trainer._targets.copy()
    path._trainer._targets[held_out] = np.nan  # whoever looks gets a loss of NaN, an error
    path.pretrain_to(10)
    path._trainer._targets[:] = before


@pytest.mark.parametrize(("batch_size", "dtype"), [(None, np.float64), (60, np.float64), (59, np.float32)])
def test_minibatches_are_trained_in_float32_full_batches_in_the_precision_of_the_data(batch_size, dtype):
    path = make_path(np.random.default_rng(16), n_retrain=20, early_stopping=True, batch_size=batch_size)
    path.pretrain_to(10)
    assert {array.dtype for array in path._dense_network()} == {np.dtype(dtype)}
    _, (subnetwork,) = path.subnetworks([5])
    arrays = [*path.dense().coefs, *path.dense().intercepts, *subnetwork.fitted.coefs, *subnetwork.fitted.intercepts]
    assert {array.dtype for array in arrays} == {np.dtype(np.float64)}


def test_batches_are_rounded_once_they_are_standardised():
    rng = np.random.default_rng(17)
    small = 1e-3 * rng.normal(size=(40, 3))
    X, scale = 1e6 + small, np.full(3, 1e3)
    samples = Samples(X, np.zeros((40, 1), np.float32), Standardisation(np.full(3, 1e6), scale), np.arange(40))
    batch = samples.gather(np.arange(40)).X
    assert batch.dtype == torch.float32
    np.testing.assert_allclose(batch.numpy(), scale * small, atol=1e-6)
    huge = sparse.csr_array(1e300 * small)
    samples = Samples(huge, np.zeros((40, 1), np.float32), Standardisation(None, scale / 1e300), np.arange(40))
    np.testing.assert_allclose(samples.gather(np.arange(40)).X.numpy(), scale * small, rtol=1e-6)


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


@pytest.mark.parametrize("n_classes", [2, 4])
def test_constant_outputs_start_at_the_least_log_loss(n_classes):
    rng = np.random.default_rng(14)
    codes = rng.choice(n_classes, p=np.arange(1, n_classes + 1) / np.arange(1, n_classes + 1).sum(), size=300)
    targets = np.eye(n_classes)[codes] if n_classes > 2 else codes[:, None].astype(float)
    weight = rng.uniform(1, 2, size=300)
    best = log_odds(targets, weight)

    def loss(outputs):
        return LOG_LOSS.mean(np.tile(outputs, (300, 1)), targets, weight)

    for _ in range(20):
        assert loss(best) <= loss(best + 0.1 * rng.normal(size=best.shape))


def test_samples_are_taken_from_rows_that_lie_together():
    X = np.asfortranarray(np.random.default_rng(15).normal(size=(30, 3)))
    assert by_rows(X).flags.c_contiguous
    with config_context(working_memory=1e-4):
        assert by_rows(X) is X


@pytest.mark.parametrize(("loss", "copies"), [(SQUARED_ERROR, 0), (LOG_LOSS, 1)])
def test_only_a_loss_that_reads_the_targets_copies_them_at_the_start(loss, copies):
    targets = np.eye(10)[np.arange(20_000) % 10]
    rows = np.arange(1, 20_000)
    tracemalloc.start()
    try:
        intercept = loss.initial_intercept(targets, None, rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (peak > 0.5 * targets.nbytes) == bool(copies)
    np.testing.assert_allclose(intercept, 0, atol=1e-3)
