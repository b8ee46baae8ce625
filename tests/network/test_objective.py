"""The loss over all samples: its value, gradient and curvature are those of torch, and of plain loops."""

import naive
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import peak

from network.small import LOG_LOSS, SQUARED_ERROR, make_network
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network._curvature import RowsCurvature
from sklearn_gfs.network._evidence import groups_of
from sklearn_gfs.network._jacobian import JacobianRows
from sklearn_gfs.network._objective import Objective, Shape, shape_of, to_network, to_vector
from sklearn_gfs.network._pairs import PairSums
from sklearn_gfs.network._samples import Samples
from sklearn_gfs.network._standardisation import Standardisation

LABELWISE = LOG_LOSS.for_labels(several=True)
LOSSES = [(SQUARED_ERROR, 1), (SQUARED_ERROR, 3), (LOG_LOSS, 1), (LOG_LOSS, 3), (LABELWISE, 3)]
CURVATURES = {
    "identity": lambda z: np.eye(len(z)),
    "softmax": naive.softmax_curvature,
    "logistic": naive.logistic_curvature,
}
IN_TORCH = {"tanh": torch.tanh, "logistic": torch.sigmoid, "relu": torch.relu, "identity": lambda values: values}


def targets_of(rng, loss, n_samples, n_outputs):
    if loss is SQUARED_ERROR:
        return rng.normal(size=(n_samples, n_outputs))
    if loss is LOG_LOSS and n_outputs > 1:
        return np.eye(n_outputs)[rng.integers(n_outputs, size=n_samples)]
    return rng.integers(2, size=(n_samples, n_outputs)).astype(float)


def problem(loss, n_outputs, *, seed=0, n_samples=60, weighted=True, activation="tanh", dtype=float, n_hidden=3):
    rng = np.random.default_rng(seed)
    network = make_network(rng, n_features=2, n_hidden=n_hidden, n_outputs=n_outputs, activation=activation)
    X, y = rng.normal(size=(n_samples, 2)), targets_of(rng, loss, n_samples, n_outputs)
    weight = rng.uniform(0.5, 2, size=n_samples) if weighted else None
    samples = Samples(X, y.astype(dtype), Standardisation(np.zeros(2), np.ones(2)), np.arange(n_samples), weight)
    weight = np.ones(n_samples) if weight is None else weight / weight.mean()
    objective = Objective(shape_of(network), samples, ACTIVATIONS[activation], loss)
    return objective, network, X, y, weight


def torch_outputs(vector, shape, X, activation):
    coef, intercept, out_coef, out_intercept = shape.parts(vector)
    return IN_TORCH[activation](X @ coef.T + intercept) @ out_coef + out_intercept


def matrix_of(curvature, n_parameters):
    """Return a curvature's matrix, a column for each unit vector that it is asked of."""
    pairs = [[curvature.along(a + b) for a in np.eye(n_parameters)] for b in np.eye(n_parameters)]
    squares = np.array([curvature.along(a) for a in np.eye(n_parameters)])
    return (np.array(pairs) - squares - squares[:, None]) / 2


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # as torch.func is imported
@pytest.mark.parametrize("activation", ["tanh", "logistic", "relu", "identity"])
@pytest.mark.parametrize(("loss", "n_outputs"), LOSSES)
def test_value_gradient_and_curvature_are_those_of_torch(loss, n_outputs, activation):
    objective, network, X, y, weight = problem(loss, n_outputs, activation=activation)
    shape, vector = shape_of(network), to_vector(network)
    inputs, of_samples = torch.from_numpy(X), torch.from_numpy(weight)
    targets = torch.from_numpy(y.T.copy())

    def mean_loss(parameters):
        outputs = torch_outputs(parameters, shape, inputs, activation)
        return (loss.each(outputs.T, targets) * of_samples).mean()

    start = torch.from_numpy(vector)
    value, gradient = objective.value_and_gradient(vector)
    assert value == pytest.approx(float(mean_loss(start)), rel=1e-10)
    assert objective.value(vector) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(gradient, torch.func.grad(mean_loss)(start), atol=1e-10)
    jacobian = torch.func.jacrev(lambda parameters: torch_outputs(parameters, shape, inputs, activation))(start)
    outputs = torch_outputs(start, shape, inputs, activation)
    expected = torch.zeros(len(vector), len(vector), dtype=torch.float64)
    for i in range(len(X)):
        hessian = torch.func.hessian(lambda o, i=i: loss.each(o[:, None], targets[:, [i]])[0])(outputs[i])
        expected += of_samples[i] * jacobian[i].T @ hessian @ jacobian[i] / len(X)
    np.testing.assert_allclose(matrix_of(objective.curvature(vector), len(vector)), expected, atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), of=st.sampled_from(LOSSES), n_samples=st.integers(1, 40), weighted=st.booleans())
def test_the_curvature_is_that_of_plain_loops(seed, of, n_samples, weighted):
    objective, network, X, _, weight = problem(*of, seed=seed, n_samples=n_samples, weighted=weighted)
    vector = to_vector(network)
    curvature = CURVATURES[of[0].out_activation(of[1])]
    expected = naive.gauss_newton(network, X, weight, curvature)
    np.testing.assert_allclose(matrix_of(objective.curvature(vector), len(vector)), expected, atol=1e-8)


def test_a_network_is_the_same_after_it_was_a_vector():
    network = make_network(np.random.default_rng(0))
    again = to_network(to_vector(network), network)
    for one, other in zip(network, again, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)


@pytest.mark.parametrize(("loss", "n_outputs"), LOSSES)
def test_chunks_change_nothing(loss, n_outputs, monkeypatch):
    objective, network, *_ = problem(loss, n_outputs)
    vector = to_vector(network)
    value, gradient = objective.value_and_gradient(vector)
    along = objective.curvature(vector).along(vector)
    monkeypatch.setattr("sklearn_gfs.network._objective.CHUNK_ROWS", 7)
    monkeypatch.setattr("sklearn_gfs.network._objective._BLOCK", 150)
    monkeypatch.setattr("sklearn_gfs.network._pairs._BLOCK", 150)
    in_chunks = objective.value_and_gradient(vector)
    assert in_chunks[0] == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(in_chunks[1], gradient, rtol=1e-9, atol=1e-13)
    assert objective.curvature(vector).along(vector) == pytest.approx(along, rel=1e-10)


def test_the_curvature_of_some_samples_is_their_mean():
    objective, network, *_ = problem(SQUARED_ERROR, 1, n_samples=60, weighted=False)
    vector = to_vector(network)
    whole = objective.curvature(vector).along(vector)
    parts = [objective.curvature(vector, first, 20).along(vector) for first in (0, 20, 40)]
    assert np.mean(parts) == pytest.approx(whole, rel=1e-10)
    assert np.ptp(parts) > 0
    # Beyond the last sample comes the first.
    assert objective.curvature(vector, 60, 20).along(vector) == pytest.approx(parts[0], rel=1e-12)


def penalties(shape, kind, rng):
    """Return a number for each parameter: those of coefficients differ by neuron, by feature, or not at all."""
    penalty = np.full(shape.n_parameters, 0.3)
    coef, intercept, out_coef, out_intercept = shape.parts(penalty)
    if kind == "by neuron":
        coef[:], out_coef[:] = rng.uniform(0.1, 1, (2, shape.n_hidden, 1))
    elif kind == "by feature":
        coef[:] = rng.uniform(0.1, 1, shape.n_features)
        intercept[:], out_coef[:] = 0.2, 0.7
    out_intercept[:] = 0
    return penalty


@pytest.mark.parametrize("kind", ["by neuron", "by feature", "alike"])
@pytest.mark.parametrize(("loss", "n_outputs"), LOSSES)
def test_few_rows_and_the_whole_matrix_say_the_same(loss, n_outputs, kind):
    few, network, *_ = problem(loss, n_outputs, n_samples=4, n_hidden=9)
    vector = to_vector(network)
    rows = few.curvature(vector)
    assert few.has_few_rows
    few.__class__ = type("Whole", (Objective,), {"has_few_rows": False})
    whole = few.curvature(vector)
    rng = np.random.default_rng(1)
    penalty, other = penalties(few.shape, kind, rng), rng.normal(size=len(vector))
    diagonal, groups = penalty + 1e-3, groups_of(few.shape)
    assert type(rows) is not type(whole)
    assert rows.mean == pytest.approx(whole.mean)
    assert rows.along(other) == pytest.approx(whole.along(other))
    np.testing.assert_allclose(rows.solve(diagonal, other), whole.solve(diagonal, other), rtol=1e-7)
    open_ = rows.left_open(penalty, diagonal, groups)
    np.testing.assert_allclose(open_, whole.left_open(penalty, diagonal, groups), rtol=1e-7)
    shape = few.shape
    widths = shape.n_hidden, shape.n_features, shape.n_hidden, shape.n_outputs
    vectors = JacobianRows(*(rng.normal(size=(3, width)) for width in widths))
    forms = (curvature.inverse(diagonal).forms()(vectors) for curvature in (rows, whole))
    np.testing.assert_allclose(*forms, rtol=1e-4)


def test_without_any_curvature_nothing_is_solved():
    parts = (np.zeros((4, 3)), np.ones((4, 2)), np.zeros((4, 3)), np.zeros((4, 1)))
    curvature, tiny = RowsCurvature(JacobianRows(*parts)), np.full(13, np.finfo(float).tiny)
    assert curvature.mean == 0
    assert curvature.solve(0.01 * tiny, np.ones(13)) is None


def test_rows_take_no_weights_but_products():
    objective, network, *_ = problem(SQUARED_ERROR, 1, n_samples=4, n_hidden=8)
    vector = to_vector(network)
    diagonal = np.random.default_rng(0).uniform(1, 2, len(vector))
    with pytest.raises(ValueError, match="not products of a neuron's and a feature's"):
        objective.curvature(vector).solve(diagonal, vector)


def test_float32_samples_are_summed_in_float64():
    single, network, *_ = problem(SQUARED_ERROR, 1, n_samples=5000, dtype=np.float32)
    double, *_ = problem(SQUARED_ERROR, 1, n_samples=5000)
    vector = to_vector(network)
    assert single.value(vector) == pytest.approx(double.value(vector), rel=1e-6)
    np.testing.assert_allclose(single.value_and_gradient(vector)[1], double.value_and_gradient(vector)[1], atol=1e-6)
    assert single.value_and_gradient(vector)[1].dtype == np.float64


def test_the_whole_jacobian_never_exists():
    objective, network, *_ = problem(SQUARED_ERROR, 1, n_samples=100_000, n_hidden=40)
    vector = to_vector(network)
    assert peak(objective.curvature, vector)[0] < 0.2 * 8 * 100_000 * len(vector)


def test_pairs_take_half_the_multiplications():
    shape = Shape(n_features=20, n_hidden=30, n_outputs=1)
    sums = PairSums(shape.n_features, shape.n_hidden, np.dtype(np.float32))
    n_products = sum(products.size for products in (sums._of_pairs, sums._of_layers, sums._of_outputs))
    assert n_products < 0.6 * shape.n_columns * (shape.n_columns + 1) / 2
    assert sums.matrix().shape == (shape.n_columns, shape.n_columns)


def test_values_that_overflow_are_infinite():
    objective, network, *_ = problem(SQUARED_ERROR, 1)
    assert objective.value(np.full_like(to_vector(network), 1e300)) == np.inf
