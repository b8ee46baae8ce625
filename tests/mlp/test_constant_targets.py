"""A target that does not vary is predicted as the constant that it is, whatever the inputs."""

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

RNG = np.random.default_rng(0)
X, X_NEW = RNG.normal(size=(300, 5)), 3 * RNG.normal(size=(50, 5))
Y = X @ [1, 2, 0, 0, -1]
SMALL = {"n_pretrain": 20, "k": 8, "n_hidden": 40, "random_state": 0}
SOLVERS = ["lm", "lbfgs", "adam"]


def beside(constant, n_samples=300):
    """Return targets of which the second is a constant."""
    return np.column_stack([Y[:n_samples], np.full(n_samples, constant)])


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("scale", "constant"), [(1e-9, 3e-9), (1.0, 0.1), (1e9, -7.3), (1.0, 0.0)])
def test_a_constant_beside_others_is_predicted_exactly(solver, scale, constant):
    y = beside(constant) * [scale, 1]
    model = GreedyPrunedMLPRegressor(**SMALL, retrain_solver=solver).fit(X, y)
    assert (model.predict(X_NEW)[:, 1] == constant).all()
    assert not model.coefs_[1][:, 1].any()
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_constant_alone_is_predicted_exactly(solver):
    model = GreedyPrunedMLPRegressor(**SMALL, retrain_solver=solver).fit(X, np.full(300, 0.1))
    assert (model.predict(X_NEW) == 0.1).all()


def test_samples_that_weigh_nothing_do_not_vary_a_target():
    y, weight = beside(0.7), np.ones(300)
    y[:5, 1], weight[:5] = 9.0, 0.0
    model = GreedyPrunedMLPRegressor(**SMALL).fit(X, y, weight)
    assert (model.predict(X_NEW)[:, 1] == 0.7).all()


def test_a_constant_has_no_deviation():
    model = GreedyPrunedMLPRegressor(**SMALL, retrain_solver="lm").fit(
        X, np.column_stack([Y + 0.1 * RNG.normal(size=300), np.full(300, 0.1)])
    )
    deviations = model.predict(X_NEW, return_std=True)[1]
    assert (deviations[:, 1] == 0).all()
    assert np.isfinite(deviations[:, 0]).all()
    assert (deviations[:, 0] > 0).all()


@pytest.mark.parametrize("corrective", [False, True])
def test_dense_networks_and_those_of_a_path_know_constants(corrective):
    model = GreedyPrunedMLPRegressor(**SMALL, corrective=corrective)
    for point in model.fit_path(X, beside(0.1), n_pretrain=[0, 20], k=[3, 8]):
        assert (point.estimator.predict(X_NEW)[:, 1] == 0.1).all()


def test_a_target_that_varies_later_is_learnt():
    model = GreedyPrunedMLPRegressor(**SMALL)
    varying = np.column_stack([Y, 5 * X[:, 1] + 0.1])
    model.partial_fit(X[:100], beside(0.1, 100)).partial_fit(X[100:200], beside(0.1)[100:200])
    assert (model.predict(X_NEW)[:, 1] == 0.1).all()
    for _ in range(3):
        model.partial_fit(X, varying)
    assert model.score(X, varying) > 0.9
    warm = clone(model).set_params(warm_start=True).fit(X, beside(0.1))
    assert (warm.predict(X_NEW)[:, 1] == 0.1).all()
    assert warm.set_params(n_pretrain=60).fit(X, varying).score(X, varying) > 0.9


def test_another_constant_in_a_later_part_is_no_constant():
    model = GreedyPrunedMLPRegressor(**SMALL).partial_fit(X, beside(0.1)).partial_fit(X, beside(0.3))
    assert np.abs(model.predict(X)[:, 1] - 0.3).mean() < 0.15


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_labels_that_all_samples_share_are_certain_by_the_squared_error(solver):
    labels = np.column_stack([Y > 0, np.ones(300), np.zeros(300)]).astype(int)
    model = GreedyPrunedMLPClassifier(**SMALL, loss="squared_error", retrain_solver=solver).fit(X, labels)
    shares = model.predict_proba(X_NEW)
    assert np.unique(shares[:, 1]).size == np.unique(shares[:, 2]).size == 1
    np.testing.assert_allclose(shares[0, 1:], [1, 0], atol=1e-12)
    assert model.score(X, labels) > 0.9


@pytest.mark.parametrize("parameters", [{"n_pretrain": 0, "n_retrain": 0}, {}, {"corrective": True}, {"solver": "sgd"}])
def test_no_loss_counts_a_constant(parameters):
    model = GreedyPrunedMLPRegressor(**SMALL | parameters).fit(X, np.full(300, 3.0))
    assert model.dense_loss_ == 0
    assert not np.any(model.selection_losses_)
    assert not any(model.loss_curve_)


@pytest.mark.parametrize("n_pretrain", [0, 20])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_losses_are_those_of_the_network_that_predicts(n_pretrain, early_stopping):
    y = beside(3.0)
    model = GreedyPrunedMLPRegressor(
        **SMALL | {"n_pretrain": n_pretrain, "n_retrain": 0}, early_stopping=early_stopping
    )
    dense, pruned = (point.estimator for point in model.fit_path(X, y, n_pretrain=[n_pretrain]))
    losses = [0.5 * np.mean(np.sum((one.predict(X) - y) ** 2, axis=1)) / Y.var() for one in (dense, pruned)]
    np.testing.assert_allclose([pruned.dense_loss_, pruned.selection_losses_[-1]], losses, rtol=1e-5)


@pytest.mark.parametrize("n_pretrain", [20, "auto"])
def test_rounding_of_a_constant_counts_in_no_loss(n_pretrain):
    y, rounded = beside(1e20), beside(1e20)
    rounded[:, 1] *= 1 + np.finfo(float).eps * RNG.integers(0, 3, 300)
    model = GreedyPrunedMLPRegressor(**SMALL | {"n_pretrain": n_pretrain})
    expected, found = (clone(model).fit(X, targets, X_val=X, y_val=targets) for targets in (y, rounded))
    np.testing.assert_array_equal(found.predict(X_NEW)[:, 0], expected.predict(X_NEW)[:, 0])
    np.testing.assert_allclose(found.predict(X_NEW)[:, 1], 1e20)
    assert found.validation_loss_curve_ == expected.validation_loss_curve_
    assert found.score(X, rounded) > 0.4


@pytest.mark.parametrize("warm_start", [False, True])
def test_a_target_that_begins_to_vary_has_output_weights_at_once(warm_start):
    model = GreedyPrunedMLPRegressor(**SMALL | {"n_retrain": 0, "n_pretrain": 0}, warm_start=warm_start)
    fit = model.fit if warm_start else model.partial_fit
    assert not fit(X, np.full(300, 1.0)).coefs_[1].any()
    assert fit(X, Y).coefs_[1].all()
