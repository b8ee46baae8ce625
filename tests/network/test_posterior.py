"""Standard deviations of predictions are those of the formula, and of the posterior's own samples."""

import pickle

import naive
import numpy as np
import pytest
from scipy import sparse

from network.small import make_network
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network._curvature import RowsCurvature, WholeCurvature
from sklearn_gfs.network._evidence import Prior
from sklearn_gfs.network._jacobian import JacobianRows
from sklearn_gfs.network._objective import shape_of
from sklearn_gfs.network._posterior import posterior_of
from sklearn_gfs.network._scaling import Scaling, in_data_units
from sklearn_gfs.network._standardisation import Standardisation


def problem(n_outputs, n_rows):
    rng = np.random.default_rng(0)
    network = make_network(rng, n_features=2, n_hidden=3, n_outputs=n_outputs, activation="tanh")
    n_parameters = shape_of(network).n_parameters
    inputs = Standardisation(np.array([3.0, -1.0]), np.array([0.5, 2.0]))
    scaling = Scaling(inputs, 2.0, 1.0, np.full(n_outputs, 7.0), np.linspace(10, 20, n_outputs))
    rows = rng.normal(size=(n_rows, n_parameters))
    prior = Prior(rng.uniform(0.1, 1, size=n_parameters), 4.0)
    X = rng.normal(size=(5, 2)) * [2, 0.5] + [3, -1]
    return network, scaling, rows, prior, X


def test_deviations_are_those_of_the_formula():
    for n_outputs in (1, 2):
        network, scaling, rows, prior, X = problem(n_outputs, 40)
        posterior = posterior_of(WholeCurvature(rows.T @ rows), prior, np.ones(n_outputs), 50.0, scaling)
        fitted = in_data_units(network, scaling, float)
        found = posterior.deviations(X, fitted, ACTIVATIONS["tanh"])
        covariance = np.linalg.inv(50 * 4 * (rows.T @ rows + np.diag(prior.penalty)))
        for i, x in enumerate(X):
            jacobian = naive.tanh_jacobian(network, (x - scaling.inputs.mean) * scaling.inputs.inverse_scale)
            for k, row in enumerate(jacobian):
                expected = scaling.y_scale[k] * np.sqrt(row @ covariance @ row + 1 / 4)
                np.testing.assert_allclose(found[i, k], expected, rtol=1e-5)
        sparse_found = posterior.deviations(sparse.csr_array(X), fitted, ACTIVATIONS["tanh"])
        np.testing.assert_allclose(sparse_found, found, rtol=1e-12)


def factored(rng, n_rows, n_features=2, n_hidden=3):
    """Return rows of the Jacobian of a network with one output."""
    shapes = (n_rows, n_hidden), (n_rows, n_features), (n_rows, n_hidden), (n_rows, 1)
    return JacobianRows(*(rng.normal(size=shape) for shape in shapes))


def penalty_of_two_features(rng):
    """Return a penalty of what three neurons have, each feature's its own; the output's intercept has none."""
    coef, others = np.tile(rng.uniform(0.1, 1, size=2), 3), np.repeat(rng.uniform(0.1, 1, size=2), 3)
    return np.concatenate([coef, others, [0.0]])


def test_few_rows_leave_the_same_open():
    network, scaling, _, prior, X = problem(1, 4)
    prior = prior._replace(penalty=penalty_of_two_features(np.random.default_rng(3)) + 1e-3)
    fitted, rows = in_data_units(network, scaling, float), factored(np.random.default_rng(2), 4)
    written = rows.written_out()
    curvatures = RowsCurvature(rows), WholeCurvature(written.T @ written)
    one, other = (
        posterior_of(curvature, prior, np.ones(1), 50.0, scaling).deviations(X, fitted, ACTIVATIONS["tanh"])
        for curvature in curvatures
    )
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_direction_without_a_penalty_may_be_known_by_few_rows():
    rng = np.random.default_rng(1)
    rows = factored(rng, 4)
    written = rows.written_out()
    diagonal = penalty_of_two_features(rng)
    one, other = (
        curvature.inverse(diagonal).forms() for curvature in (RowsCurvature(rows), WholeCurvature(written.T @ written))
    )
    vectors = factored(rng, 6)
    np.testing.assert_allclose(one(vectors), other(vectors), rtol=1e-4)


def test_what_is_raised_remains_a_product():
    rows = factored(np.random.default_rng(0), 4)
    least = 1e-3
    coef = np.outer([1.0, 0.5, 2.0], [0.0, 3.0])
    weights = np.concatenate([coef.ravel(), [0.0, 1.0, 2.0], [0.0] * 3, [5.0]])
    raised = rows.at_least(weights, least)
    assert raised.min() == pytest.approx(least)
    rows.gram(raised)  # which refuses others
    np.testing.assert_allclose(raised[:6].reshape(3, 2)[:, 1], coef[:, 1])
    np.testing.assert_allclose(rows.at_least(raised, least), raised, rtol=1e-12)


def test_few_rows_are_kept_as_few_numbers():
    rows, diagonal = factored(np.random.default_rng(0), 5, n_features=40, n_hidden=20), np.ones(841)
    whole = rows.written_out().T @ rows.written_out()
    assert len(pickle.dumps(RowsCurvature(rows).inverse(diagonal))) < 2 * len(pickle.dumps(diagonal))
    assert len(pickle.dumps(WholeCurvature(whole).inverse(diagonal))) < 2.1 * 841**2


def test_there_is_no_posterior_where_nothing_is_known():
    _, scaling, rows, prior, _ = problem(1, 4)
    flat, nothing = Prior(np.zeros_like(prior.penalty), 1.0), np.zeros((len(rows[0]),) * 2)
    without = JacobianRows(np.zeros((4, 3)), np.zeros((4, 2)), np.zeros((4, 3)), np.zeros((4, 1)))
    for curvature in (WholeCurvature(nothing), RowsCurvature(without)):
        assert posterior_of(curvature, flat, np.ones(1), 50.0, scaling) is None


def test_rounding_that_makes_a_curvature_indefinite_leaves_an_inverse():
    """Single precision moves eigenvalues by more than the penalties, which data without noise make tiny."""
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(300, 10)) @ rng.normal(size=(10, 60))).astype(np.float32)
    rounded = (rows.T @ rows).astype(np.float64) / len(rows)
    diagonal = np.full(60, 1e-12)
    assert np.linalg.eigvalsh(rounded + np.diag(diagonal))[0] < -1e-8
    inverse = WholeCurvature(rounded).inverse(diagonal)
    assert inverse is not None
    # A sample that is like those of the training says at most as much as itself.
    lower = np.zeros((60, 60))
    lower[np.tril_indices(60)] = inverse.packed
    forms = np.sum(np.linalg.solve(lower, rows[:50].T.astype(np.float64)) ** 2, axis=0)
    assert (forms > 0).all()
    assert (forms < 300).all()
