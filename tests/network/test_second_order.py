"""Second-order training: no step goes up, ends are those of scipy's solvers, and the data speak for their penalty."""

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares, minimize

from network.small import LOG_LOSS, SETTINGS, SQUARED_ERROR, make_network, make_samples
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network._curvature import WholeCurvature
from sklearn_gfs.network._evidence import Prior, groups_of, penalty_of, re_estimated
from sklearn_gfs.network._losses import Loss
from sklearn_gfs.network._objective import Objective, Shape, shape_of, to_network, to_vector
from sklearn_gfs.network._samples import Samples
from sklearn_gfs.network._second_order import LBFGS, LevenbergMarquardt
from sklearn_gfs.network._second_order_training import SecondOrderTraining
from sklearn_gfs.network._standardisation import Standardisation
from sklearn_gfs.network._watch import Watch

TANH = SETTINGS._replace(activation=ACTIVATIONS["tanh"])
SOLVERS = [LevenbergMarquardt, LBFGS]


def samples_of(X, y, weight=None):
    n_features = X.shape[1]
    return Samples(X, y, Standardisation(np.zeros(n_features), np.ones(n_features)), np.arange(len(X)), weight)


def problem(seed=0, *, loss=SQUARED_ERROR, n_outputs=1, n_samples=60, n_hidden=4):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n_samples, 3)), rng.normal(size=(n_samples, n_outputs))
    y += 2 * np.sin(X @ rng.normal(size=(3, n_outputs)))
    if loss is LOG_LOSS:
        y = np.eye(n_outputs)[y.argmax(axis=1)] if n_outputs > 1 else (y > 0).astype(float)
    network = make_network(rng, n_features=3, n_hidden=n_hidden, n_outputs=n_outputs, activation="tanh")
    return network, X, y


def trained(network, samples, solver, n_steps, *, alpha=1e-3, loss=SQUARED_ERROR, **more):
    told = TANH._replace(alpha=alpha, loss=loss)
    training = SecondOrderTraining(
        network, samples, told, solver, 0, name="training", n_samples=len(samples.rows), **more
    )
    training.advance(n_steps)
    return training


def penalised(training, samples, loss=SQUARED_ERROR):
    vector = training.solver.vector
    objective = Objective(shape_of(training.network()), samples, ACTIVATIONS["tanh"], loss)
    return objective.value(vector) + 0.5 * training.solver.prior.penalty @ vector**2


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    solver=st.sampled_from(SOLVERS),
    of=st.sampled_from([(SQUARED_ERROR, 1), (SQUARED_ERROR, 3), (LOG_LOSS, 1), (LOG_LOSS, 3)]),
    n_samples=st.integers(2, 40),
)
def test_no_step_raises_the_penalised_loss(seed, solver, of, n_samples):
    network, X, y = problem(seed, loss=of[0], n_outputs=of[1], n_samples=n_samples)
    samples = samples_of(X, y)
    before = np.inf
    training = trained(network, samples, solver, 0, loss=of[0])
    for _ in range(8):
        training.advance(1)
        after = penalised(training, samples, of[0])
        assert after <= before * (1 + 1e-12)
        before = after
    assert np.isfinite(before)


def test_levenberg_marquardt_ends_where_scipy_does():
    n_good = 0
    for seed in range(10):
        network, X, y = problem(seed)
        samples, penalty = samples_of(X, y), penalty_of(shape_of(network), network.weights, 1e-3)
        training = trained(network, samples, LevenbergMarquardt, 500)

        def residuals(vector, network=network, X=X, y=y, penalty=penalty):
            net = to_network(vector, network)
            hidden = np.tanh(X @ net.hidden_coef + net.hidden_intercept)
            outputs = hidden @ (net.output_coef * net.weights[:, None]) + net.output_intercept
            return np.concatenate([(outputs - y)[:, 0] / np.sqrt(len(X)), np.sqrt(penalty) * vector])

        found = least_squares(residuals, to_vector(network), method="lm", max_nfev=5000)
        n_good += penalised(training, samples) < 1.01 * found.cost
    assert n_good >= 9


@pytest.mark.parametrize(("loss", "n_outputs"), [(SQUARED_ERROR, 2), (LOG_LOSS, 3)])
def test_lbfgs_ends_where_scipy_does(loss, n_outputs):
    network, X, y = problem(2, loss=loss, n_outputs=n_outputs)
    samples = samples_of(X, y)
    objective = Objective(shape_of(network), samples, ACTIVATIONS["tanh"], loss)
    penalty = penalty_of(shape_of(network), network.weights, 1e-2)

    def value_and_gradient(vector):
        value, gradient = objective.value_and_gradient(vector)
        return value + 0.5 * penalty @ vector**2, gradient + penalty * vector

    found = minimize(value_and_gradient, to_vector(network), jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    training = trained(network, samples, LBFGS, 2000, alpha=1e-2, loss=loss)
    assert penalised(training, samples, loss) < 1.01 * found.fun


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_weight_of_two_is_two_samples(solver):
    network, X, y = problem(2, n_samples=20)
    copies = np.arange(20) % 3 + 1
    repeated = samples_of(np.repeat(X, copies, axis=0), np.repeat(y, copies, axis=0))
    one = trained(network, samples_of(X, y, copies.astype(float)), solver, 5)
    other = trained(network, repeated, solver, 5)
    np.testing.assert_allclose(one.losses, other.losses, rtol=1e-6)
    np.testing.assert_allclose(one.solver.vector, other.solver.vector, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("alpha", [1e-3, "auto"])
def test_bits_repeat(solver, alpha):
    network, X, y = problem(3)
    at_once = trained(network, samples_of(X, y), solver, 9, alpha=alpha)
    in_steps = trained(network, samples_of(X, y), solver, 0, alpha=alpha)
    for _ in range(3):
        in_steps.advance(3)
    assert at_once.losses == in_steps.losses
    np.testing.assert_array_equal(at_once.solver.vector, in_steps.solver.vector)


def test_some_samples_a_step_are_enough_for_the_curvature(monkeypatch):
    network, X, y = problem(4, n_samples=400)
    whole = trained(network, samples_of(X, y), LevenbergMarquardt, 200)
    monkeypatch.setattr("sklearn_gfs.network._step_cost.CHUNK_ROWS", 100)
    some = trained(network, samples_of(X, y), LevenbergMarquardt, 200)
    assert some.solver._n_taken == 100
    assert some.losses[-1] < 1.02 * whole.losses[-1]


def test_the_penalty_is_that_of_the_other_solvers():
    network, *_ = problem(5)
    penalty = penalty_of(shape_of(network), network.weights, 0.3)
    squares = np.sum(network.hidden_coef**2, axis=0) + np.sum(network.output_coef**2, axis=1)
    assert 0.5 * penalty @ to_vector(network) ** 2 == pytest.approx(0.15 * network.weights @ squares)


@pytest.mark.parametrize("is_quadratic", [False, True])
def test_the_evidence_is_that_of_the_formulas(is_quadratic):
    rng = np.random.default_rng(0)
    shape = Shape(2, 3, 1)
    n, rows = shape.n_parameters, rng.normal(size=(40, shape.n_parameters))
    curvature, vector = rows.T @ rows / 40, rng.normal(size=n)
    groups = groups_of(shape)
    prior = Prior(np.where(groups >= 0, 0.1, 0.0), 2.0)
    found = re_estimated(prior, groups, vector, WholeCurvature(curvature), 0.3, (40.0, 1), is_quadratic=is_quadratic)
    inverse = np.linalg.inv(curvature + np.diag(prior.penalty))
    determined = 0.0
    precisions = []
    for group in range(4):
        members = np.flatnonzero(groups == group)
        of_group = len(members) - 0.1 * sum(inverse[i, i] for i in members)
        determined += of_group
        precisions.append(of_group / sum(vector[i] ** 2 for i in members))
    noise = (40 - determined) / (2 * 40 * 0.3) if is_quadratic else 1.0
    assert found.noise_precision == pytest.approx(noise, rel=1e-6)
    for group, precision in enumerate(precisions):
        np.testing.assert_allclose(found.penalty[groups == group], precision / (40 * noise), rtol=1e-6)
    assert found.penalty[-1] == 0


def test_the_evidence_finds_the_noise_and_the_features_that_matter():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(600, 3))
    y = np.sin(2 * X[:, [0]]) + 0.2 * rng.normal(size=(600, 1))
    network = make_network(rng, n_features=3, n_hidden=8, n_outputs=1, activation="tanh")
    prior = trained(network, samples_of(X, y), LevenbergMarquardt, 60, alpha="auto").solver.prior
    assert prior.noise_precision**-0.5 == pytest.approx(0.2, rel=0.2)
    of_features = Shape(3, 8, 1).parts(prior.penalty)[0][0]
    assert of_features[1:].min() > 20 * of_features[0]


def test_a_penalty_that_is_found_falls_with_the_number_of_samples():
    rng = np.random.default_rng(2)
    network = make_network(rng, n_features=3, n_hidden=8, n_outputs=1, activation="tanh")
    penalties = []
    for n_samples in (200, 3200):
        X = rng.normal(size=(n_samples, 3))
        y = np.sin(2 * X[:, [0]]) + 0.2 * rng.normal(size=(n_samples, 1))
        prior = trained(network, samples_of(X, y), LevenbergMarquardt, 40, alpha="auto").solver.prior
        penalties.append(Shape(3, 8, 1).parts(prior.penalty)[0][0, 0])
    assert penalties[1] < penalties[0] / 4
    prior = trained(network, make_samples(rng, n_features=3, n_outputs=1), LBFGS, 0, alpha="auto").solver.prior
    np.testing.assert_allclose(prior.penalty, penalty_of(Shape(3, 8, 1), network.weights, 1e-3))


def test_training_stops_in_time():
    network, X, y = problem(6)
    watch = Watch(1e-9)
    training = trained(network, samples_of(X, y), LevenbergMarquardt, 10, watch=watch)
    assert training.losses == []
    assert watch.out_of_time
    for one, other in zip(training.network(), network, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_an_interrupt_leaves_the_last_step(monkeypatch):
    network, X, y = problem(7)
    watch = Watch(None)
    training = trained(network, samples_of(X, y), LevenbergMarquardt, 2, watch=watch)
    kept = training.solver.vector.copy()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Objective, "value", interrupted)
    training.advance(3)
    assert watch.interrupted
    assert len(training.losses) == 2
    np.testing.assert_array_equal(training.solver.vector, kept)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_start_without_a_finite_loss_is_refused(solver):
    network, X, y = problem(9)
    network = network._replace(output_intercept=np.array([1e200]))
    with pytest.raises(ValueError, match="The loss was inf at the start of training"):
        trained(network, samples_of(X, y), solver, 1)


def test_interpolation_ends():
    network, X, y = problem(10, n_samples=2)
    training = trained(network, samples_of(X, np.zeros_like(y)), LevenbergMarquardt, 200, alpha="auto")
    assert np.isfinite(training.solver.vector).all()


def test_what_levenberg_marquardt_cannot_train_is_refused():
    class Other(Loss):
        name = "other"

    Other.__abstractmethods__ = frozenset()
    shape = Shape(100, 50, 2)
    with pytest.raises(ValueError, match=r"'lm' is not for loss='other'; use retrain_solver='lbfgs'"):
        LevenbergMarquardt.check(shape, Other(), 10)
    with (
        sklearn.config_context(working_memory=1),
        pytest.raises(ValueError, match=r"needs 810 MiB for the curvature of 5152 parameters"),
    ):
        LevenbergMarquardt.check(shape, SQUARED_ERROR, 10_000)
    assert not LevenbergMarquardt.serves(shape, SQUARED_ERROR, 10_000)
    assert LevenbergMarquardt.serves(shape, SQUARED_ERROR, 100)  # few rows
    assert not LevenbergMarquardt.serves(Shape(5, 5, 3), LOG_LOSS, 100)
    assert LevenbergMarquardt.serves(Shape(5, 5, 3), LOG_LOSS, 100, after_updates=True)
    assert not LevenbergMarquardt.serves(Shape(5, 50, 3), LOG_LOSS, 600, after_updates=True)


def test_with_classes_steps_are_cheap_by_default():
    assert LevenbergMarquardt.serves(Shape(5, 50, 1), LOG_LOSS, 100_000)
    wide = Shape(51, 26, 1)  # 1379 parameters
    assert not LevenbergMarquardt.serves(wide, LOG_LOSS, 16_000)
    assert LevenbergMarquardt.serves(wide, LOG_LOSS, 500)  # few rows
    assert LevenbergMarquardt.serves(wide, SQUARED_ERROR, 16_000)
    assert not LevenbergMarquardt.serves(Shape(40, 50, 1), LOG_LOSS, 1200)
    assert LevenbergMarquardt.serves(Shape(4000, 50, 1), LOG_LOSS, 1000)  # everything takes long
    assert LevenbergMarquardt.serves(Shape(300, 20, 3), LOG_LOSS, 150)
    assert not LevenbergMarquardt.serves(Shape(300, 20, 1), SQUARED_ERROR, 150, few_entries=True)
    assert LevenbergMarquardt.serves(Shape(30, 20, 1), SQUARED_ERROR, 5000, few_entries=True)  # fewer parameters
    assert not LevenbergMarquardt.serves(Shape(300, 20, 3), LOG_LOSS, 600)
    for n_samples, is_tried in ((1200, True), (1501, False)):  # after gradient updates
        assert LevenbergMarquardt.serves(Shape(40, 50, 1), LOG_LOSS, n_samples, after_updates=True) is is_tried
