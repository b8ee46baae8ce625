"""Each bound holds against measured selections; the pieces agree with finite differences and exhaustive sums."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import expit
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import GreedyPrunedMLPRegressor, greedy_forward_selection, theory

# A bound may be met with equality, where the two sides are rounded differently.
SLACK = 1e-9

problems = st.fixed_dictionaries(
    {
        "n_samples": st.integers(1, 12),
        "n_atoms": st.integers(1, 10),
        "n_outputs": st.integers(1, 3),
        "seed": st.integers(0, 2**32 - 1),
        "duplicates": st.booleans(),
        "target_inside": st.booleans(),
        "weighted": st.booleans(),
    }
)


def make_problem(n_samples, n_atoms, n_outputs, seed, duplicates, target_inside, weighted):
    """Return atoms, targets, the weights of a point of the hull, and sample weights."""
    rng = np.random.default_rng(seed)
    atoms = rng.normal(size=(n_samples, n_atoms, n_outputs))
    if duplicates:
        atoms[:, -1] = atoms[:, 0]
    weights = rng.dirichlet(np.full(n_atoms, 0.5))
    y = np.einsum("mno,n->mo", atoms, weights) if target_inside else rng.normal(size=(n_samples, n_outputs))
    return atoms, y, weights, rng.uniform(0.1, 3.0, n_samples) if weighted else None


def loss(prediction, y, sample_weight=None):
    return np.average((np.square(prediction - y)).sum(axis=1), weights=sample_weight) / 2


def picks_mean(atoms, picks):
    """Return the means of the first 1, 2, ... picks, shape (n_picks, n_samples, n_outputs)."""
    sums = np.cumsum(atoms[:, picks], axis=1)
    return np.moveaxis(sums / np.arange(1, len(picks) + 1)[:, np.newaxis], 1, 0)


@given(problem=problems, k=st.integers(1, 40))
def test_selection_bounds_hold(problem, k):
    atoms, y, weights, sample_weight = make_problem(**problem)
    path = greedy_forward_selection(atoms, y, k, sample_weight=sample_weight)
    point = np.einsum("mno,n->mo", atoms, weights)
    hull_loss = loss(point, y, sample_weight)
    spread = theory.hull_spread(atoms, weights, sample_weight=sample_weight)
    diameter = theory.hull_diameter(atoms, sample_weight=sample_weight)
    steps = np.arange(1, k + 1)
    previous = np.append(0.0, path.losses[:-1])
    scale = SLACK * (1 + hull_loss + spread)
    assert (path.losses <= theory.one_step_bound(steps, previous, hull_loss, spread) + scale).all()
    assert (path.losses <= theory.harmonic_bound(steps, hull_loss, spread) + scale).all()
    assert (path.losses <= theory.root_bound(steps, hull_loss, spread) + scale).all()
    assert (path.losses <= theory.diameter_bound(steps, hull_loss, diameter) + scale).all()
    assert spread <= diameter**2 / 2 + scale


@given(problem=problems, k=st.integers(1, 12))
def test_gap_equals_the_selections_and_bounds_the_excess(problem, k):
    atoms, y, _, sample_weight = make_problem(**problem)
    path = greedy_forward_selection(atoms, y, k, sample_weight=sample_weight)
    best = theory.hull_optimum(atoms, y, sample_weight=sample_weight)
    for step, mean in enumerate(picks_mean(atoms, path.picks)):
        gap = theory.duality_gap(atoms, y, mean, sample_weight=sample_weight)
        assert_allclose(path.gaps[step], gap, rtol=1e-7, atol=1e-9)
        assert path.losses[step] - best.loss <= gap + SLACK


@given(problem=problems)
def test_hull_optimum_is_optimal(problem):
    atoms, y, weights, sample_weight = make_problem(**problem)
    best = theory.hull_optimum(atoms, y, sample_weight=sample_weight)
    assert best.weights.min() >= 0
    assert_allclose(best.weights.sum(), 1.0)
    assert_allclose(best.loss, loss(np.einsum("mno,n->mo", atoms, best.weights), y, sample_weight), atol=1e-12)
    assert 0 <= best.gap <= 1e-8
    assert best.loss <= loss(np.einsum("mno,n->mo", atoms, weights), y, sample_weight) + SLACK


@pytest.mark.parametrize("factor", [2.0**-400, 2.0**-560, 2.0**-1000])
def test_atoms_whose_squares_vanish_have_the_same_geometry(factor):
    rng = np.random.default_rng(0)
    atoms, y = rng.normal(size=(6, 4)), rng.normal(size=6)
    best, small = theory.hull_optimum(atoms, y), theory.hull_optimum(factor * atoms, factor * y)
    assert_allclose(small.weights, best.weights, atol=1e-12)
    assert small.loss == best.loss * factor**2  # zero, where no float is so small
    assert_allclose(theory.hull_diameter(factor * atoms) / factor, theory.hull_diameter(atoms))


def test_hull_optimum_where_every_atom_is_the_target():
    best = theory.hull_optimum(np.ones((4, 3)), np.ones(4))
    assert best.loss == 0.0


@given(problem=problems)
def test_spread_and_diameter_equal_their_definitions(problem):
    atoms, _, weights, sample_weight = make_problem(**problem)
    point = np.einsum("mno,n->mo", atoms, weights)
    spread = sum(weight * 2 * loss(atoms[:, i], point, sample_weight) for i, weight in enumerate(weights))
    pairs = [2 * loss(a, b, sample_weight) for a in np.moveaxis(atoms, 1, 0) for b in np.moveaxis(atoms, 1, 0)]
    assert_allclose(theory.hull_spread(atoms, weights, sample_weight=sample_weight), spread, atol=1e-12)
    assert_allclose(theory.hull_diameter(atoms, sample_weight=sample_weight), math.sqrt(max(pairs)), atol=1e-12)


def test_spread_of_neurons_that_hardly_differ():
    """The difference of two mean squares would lose the digits that the distances themselves have."""
    rng = np.random.default_rng(0)
    H, B = 1e4 + 1e-4 * rng.normal(size=(5, 4)), np.ones((4, 2))
    full = H[:, :, np.newaxis] * B
    assert_allclose(theory.hull_spread(H, output_weights=B), theory.hull_spread(full), rtol=1e-6)


@given(problem=problems)
def test_factorised_atoms_equal_their_outer_products(problem):
    atoms, y, weights, sample_weight = make_problem(**problem)
    H = atoms[:, :, 0]
    B = np.random.default_rng(problem["seed"]).normal(size=atoms.shape[1:])
    full = H[:, :, np.newaxis] * B
    common = {"sample_weight": sample_weight}
    assert_allclose(
        theory.hull_spread(H, weights, output_weights=B, **common),
        theory.hull_spread(full, weights, **common),
        atol=1e-12,
    )
    assert_allclose(theory.hull_diameter(H, output_weights=B, **common), theory.hull_diameter(full, **common))
    assert_allclose(
        theory.duality_gap(H, y, y + 1, output_weights=B, **common), theory.duality_gap(full, y, y + 1, **common)
    )
    assert_allclose(theory.hull_optimum(H, y, output_weights=B).loss, theory.hull_optimum(full, y).loss, atol=1e-12)


@given(spread=st.floats(0.01, 100.0), hull_loss=st.floats(0.0, 10.0), excess=st.floats(0.01, 10.0))
def test_required_k_is_the_least_that_meets_the_bound(spread, hull_loss, excess):
    target = hull_loss + excess
    k = theory.required_k(target, spread, hull_loss)
    assert theory.root_bound(k, hull_loss, spread) <= target * (1 + 1e-9)
    if k > 1:
        assert theory.root_bound(k - 1, hull_loss, spread) > target * (1 - 1e-9)


@given(initial=st.floats(0.001, 1000.0), ratio=st.floats(1e-6, 0.999), rate=st.floats(0.001, 1.0))
def test_iterations_to_loss_is_the_least_that_suffices(initial, ratio, rate):
    target = initial * ratio
    t = theory.iterations_to_loss(target, initial, rate)
    assert (1 - rate) ** t * initial <= target * (1 + 1e-9)
    assert (1 - rate) ** (t - 1) * initial > target * (1 - 1e-9)


def test_threshold_grows_with_the_logarithm_of_k():
    ks = 2 ** np.arange(1, 12)
    rate = 1 - 0.5**0.25
    thresholds = [theory.pretrain_threshold(int(k), 1.0, 1.0, rate) for k in ks]
    assert set(np.diff(thresholds)) == {4}


ACTIVATIONS = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh, "logistic": expit, "identity": lambda z: z}


def network_output(X, parameters, shapes, activation):
    A, c, B, intercept = (
        part.reshape(shape)
        for part, shape in zip(np.split(parameters, np.cumsum([np.prod(s) for s in shapes])[:-1]), shapes, strict=True)
    )
    return (intercept + ACTIVATIONS[activation](X @ A + c) @ B / len(B)).ravel()


@pytest.mark.parametrize("n_features", [3, 6])
@pytest.mark.parametrize("trained", ["all", "output"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_network_kernel_equals_finite_differences(activation, trained, n_features):
    rng = np.random.default_rng(0)
    n_samples, n_hidden, n_outputs = 5, 4, 2
    X = rng.normal(size=(n_samples, n_features))
    shapes = [(n_features, n_hidden), (n_hidden,), (n_hidden, n_outputs), (n_outputs,)]
    parts = [rng.normal(size=shape) for shape in shapes]
    flat = np.concatenate([part.ravel() for part in parts])
    step = 1e-6
    jacobian = np.column_stack(
        [
            (network_output(X, flat + e, shapes, activation) - network_output(X, flat - e, shapes, activation))
            / (2 * step)
            for e in step * np.eye(len(flat))
        ]
    )
    rates = np.append(np.full(len(flat) - n_outputs, 7.0), np.ones(n_outputs))
    if trained == "output":
        start = n_features * n_hidden + n_hidden
        chosen = slice(start, start + n_hidden * n_outputs)
        jacobian, rates = jacobian[:, chosen], rates[chosen]
    common = {"activation": activation, "trained": trained}
    for rate, factors in ((1.0, 1.0), (7.0, rates)):
        kernel = theory.network_kernel(X, *parts[:3], neuron_rate=rate, **common)
        expected = (jacobian * factors) @ jacobian.T / n_samples
        assert_allclose(kernel @ np.eye(n_samples * n_outputs), expected, atol=1e-7)


def test_kernel_predicts_the_first_step_of_an_estimator():
    rng = np.random.default_rng(0)
    X, y = (
        StandardScaler().fit_transform(rng.normal(size=(30, 5))),
        StandardScaler().fit_transform(rng.normal(size=(30, 2))),
    )
    step_size, n_hidden = 1e-4, 40
    network = GreedyPrunedMLPRegressor(
        n_hidden=n_hidden, n_retrain=0, activation="relu", solver="sgd", batch_size=None, momentum=0.0, alpha=0.0,
        learning_rate_init=step_size, random_state=0,
    )  # fmt: skip
    before, after = (p.estimator for p in network.fit_path(X, y, n_pretrain=[0, 1], k=[1]) if p.k is None)
    weights = before.coefs_[0], before.intercepts_[0], before.coefs_[1] * n_hidden
    kernel = theory.network_kernel(X, *weights, neuron_rate=n_hidden)
    expected = -step_size * (kernel @ (before.predict(X) - y).ravel())
    assert_allclose(
        (after.predict(X) - before.predict(X)).ravel(), expected, rtol=0.01, atol=0.01 * abs(expected).max()
    )


def test_eigenvalues_without_forming_the_matrix_equal_the_dense_ones(monkeypatch):
    rng = np.random.default_rng(0)
    n_hidden = 200
    X = rng.normal(size=(60, 10))
    parts = rng.normal(size=(10, n_hidden)), rng.normal(size=n_hidden), rng.normal(size=(n_hidden, 2))
    kernel = theory.network_kernel(X, *parts)
    dense = theory.extreme_eigenvalues(kernel)
    monkeypatch.setattr("sklearn_gfs.theory._kernel._FORMED_ROWS", 10)
    monkeypatch.setattr("sklearn_gfs.theory._kernel._DECOMPOSED_ROWS", 10)
    assert_allclose(theory.extreme_eigenvalues(kernel), dense, rtol=1e-5)
    assert dense[0] > 0


@pytest.mark.parametrize("seed", range(5))
def test_predicted_threshold_suffices_in_the_linearised_regime(seed):
    """Training the output weights alone is exactly linear, so that the prediction must hold, not only nearly."""
    rng = np.random.default_rng(seed)
    n_samples, n_features, n_hidden, k, horizon = 8, 50, 300, 40, 150
    X = rng.normal(size=(n_samples, n_features)) / math.sqrt(n_features)
    A, c = rng.normal(size=(n_features, n_hidden)), 0.3 * rng.normal(size=n_hidden)
    H = np.maximum(X @ A + c, 0)
    B = 0.01 * rng.normal(size=(n_hidden, 1))
    y = 1 + 0.1 * rng.normal(size=(n_samples, 1))

    smallest, largest = theory.extreme_eigenvalues(theory.network_kernel(X, A, c, B, trained="output"))
    step_size = 0.2 / largest
    rate = theory.contraction_rate(step_size, smallest, largest)
    dense_losses, spreads, subnetwork_losses = [], [], []
    for _ in range(horizon):
        residual = H @ B / n_hidden - y
        dense_losses.append(loss(residual, 0))
        spreads.append(theory.hull_spread(H, output_weights=B))
        subnetwork_losses.append(greedy_forward_selection(H, y, k, output_weights=B).losses[-1])
        B = B - step_size * (H.T @ residual) / (n_hidden * n_samples)
    assert (dense_losses <= dense_losses[0] * (1 - rate) ** np.arange(horizon) * (1 + SLACK)).all()

    predicted = theory.pretrain_threshold(k, dense_losses[0], max(spreads), rate)
    sufficient = np.array(subnetwork_losses) <= 2 * max(spreads) / k
    first = int(np.argmax(sufficient))
    assert 0 < first <= predicted < horizon
    assert sufficient[predicted:].all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.root_bound(0, 1.0, 1.0), "k must be finite whole numbers of at least 1"),
        (lambda: theory.root_bound(2, 1.0, -1.0), "spread must be a finite number of at least 0"),
        (lambda: theory.harmonic_bound(2, -1.0, 1.0), "hull_loss must be a finite number of at least 0"),
        (lambda: theory.diameter_bound(2, 1.0, -1.0), "diameter must be a finite number of at least 0"),
        (lambda: theory.one_step_bound(2, [1.0, -1.0], 0.0, 1.0), "previous_loss must be finite numbers of at least 0"),
        (lambda: theory.root_bound([], 1.0, 1.0), "k must be finite whole numbers of at least 1"),
        (lambda: theory.harmonic_bound(1.5, 1.0, 1.0), "k must be finite whole numbers of at least 1"),
        (lambda: theory.required_k(0.1, 1.0, hull_loss=0.2), "target_loss must be greater than hull_loss"),
        (lambda: theory.contraction_rate(1.0, 1.0, 2.0), r"step_size must be in \(0, 1 / largest\]"),
        (lambda: theory.contraction_rate(1.0, 2.0, 1.0), "smallest and largest must satisfy"),
        (lambda: theory.iterations_to_loss(0.0, 1.0, 0.5), "target_loss must be a finite number greater than 0"),
        (lambda: theory.iterations_to_loss(0.1, -1.0, 0.5), "initial_loss must be a finite number of at least 0"),
        (lambda: theory.iterations_to_loss(0.1, 1.0, 0.0), r"rate must be in \(0, 1\]"),
        (lambda: theory.pretrain_threshold(0, 1.0, 1.0, 0.5), "k must be a finite whole number of at least 1"),
        (lambda: theory.pretrain_threshold(1, 1.0, 0.0, 0.5), "spread must be a finite number greater than 0"),
        (lambda: theory.network_kernel(np.eye(2), np.eye(2), np.zeros(2), np.eye(2), activation="sine"), "activation"),
        (lambda: theory.network_kernel(np.eye(2), np.eye(2), np.zeros(2), np.eye(2), trained="x"), "trained must be"),
        (lambda: theory.network_kernel(np.eye(3), np.eye(2), np.zeros(2), np.eye(2)), "shapes agree"),
        (lambda: theory.hull_spread(np.eye(2), [0.5, 0.6]), "weights must be 2 non-negative numbers of sum 1"),
        (lambda: theory.hull_spread(np.zeros(2)), "atoms must be a non-empty array"),
        (lambda: theory.hull_spread(np.eye(2), sample_weight=[0.0, 0.0]), "sample_weight is zero everywhere"),
        (lambda: theory.hull_spread(np.eye(2), output_weights=np.eye(3)), r"output_weights must be \(2, n_outputs\)"),
        (lambda: theory.hull_spread(np.ones((2, 2, 1)), output_weights=np.eye(2)), r"beside 2-d atoms"),
        (lambda: theory.hull_optimum(np.eye(2), np.zeros(3)), r"y must be of shape \(2, 1\)"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
