"""Targets whose outputs differ in noise or lie far from zero, weights of few samples, labels named where none are."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.neural_network import MLPRegressor

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor, prune_network

RNG = np.random.RandomState(0)
X = RNG.normal(size=(120, 4))
Y = X[:, 0] + X[:, 1] ** 2
SMALL = {"n_pretrain": 20, "k": 5, "n_hidden": 30, "random_state": 0}


def test_each_output_has_a_noise_of_its_own():
    rng = np.random.RandomState(1)
    X, X_test = rng.normal(size=(600, 3)), rng.normal(size=(2000, 3))

    def targets(X):
        clear = np.sin(2 * X[:, 0]) + X[:, 1] + 0.1 * rng.normal(size=len(X))
        return np.column_stack([clear, 1000 * rng.normal(size=len(X))])

    y, y_test = targets(X), targets(X_test)
    predicted, deviations = GreedyPrunedMLPRegressor(random_state=0).fit(X, y).predict(X_test, return_std=True)
    of_errors = ((y_test - predicted) / deviations).std(axis=0)
    assert (of_errors > 0.75).all()
    assert (of_errors < 1.25).all()


def test_outputs_that_are_alike_have_the_deviations_of_one():
    """A column that stands twice in y, in other units, has the same deviations in these units."""
    y = Y + 0.3 * RNG.normal(size=len(Y))
    reg = GreedyPrunedMLPRegressor(**SMALL, retrain_solver="lm").fit(X, np.column_stack([y, 100 * y + 7]))
    _, deviations = reg.predict(X, return_std=True)
    np.testing.assert_allclose(deviations[:, 1], 100 * deviations[:, 0], rtol=1e-3)


def test_one_sample_says_nothing_of_the_noise():
    reg = GreedyPrunedMLPRegressor(**SMALL, retrain_solver="lm").fit(X[:1], Y[:1])
    with pytest.raises(ValueError, match=r"return_std=True needs .* two samples"):
        reg.predict(X, return_std=True)
    reg = GreedyPrunedMLPRegressor(**SMALL, retrain_solver="lm").partial_fit(X, Y)
    reg.predict(X, return_std=True)
    reg.partial_fit(X[:1], Y[:1])
    with pytest.raises(ValueError, match=r"return_std=True needs .* two samples"):
        reg.predict(X, return_std=True)


@pytest.mark.parametrize("columns", [1, 2])
def test_targets_far_from_zero_beside_their_spread_are_told_of_in_float32(columns):
    y = np.column_stack([1.7e9 + Y, Y]) if columns == 2 else 1.7e9 + Y
    message = r"Columns 0 of y .* float32 holds few of their digits.*Subtract the means, or pass X in float64"
    with pytest.warns(UserWarning, match=message):
        GreedyPrunedMLPRegressor(**SMALL).fit(X.astype(np.float32), y)


@pytest.mark.parametrize(("dtype", "offset"), [(np.float64, 1.7e9), (np.float32, 1e3)])
def test_targets_of_which_enough_is_left_are_not(recwarn, dtype, offset):
    reg = GreedyPrunedMLPRegressor(**SMALL).fit(X.astype(dtype), Y + offset)
    assert not [str(warning.message) for warning in recwarn]
    assert reg.score(X.astype(dtype), Y + offset) > 0.3


@pytest.mark.parametrize("with_targets", [True, False])
def test_a_network_is_pruned_on_two_samples_that_weigh_something(with_targets):
    network = MLPRegressor(hidden_layer_sizes=(20,), max_iter=400, tol=1e-2, random_state=0).fit(X, Y)
    weight = np.zeros(len(X))
    weight[3] = 1
    with pytest.raises(ValueError, match="sample_weight is zero for all samples but one; two or more must weigh"):
        prune_network(network, X, Y if with_targets else None, k=5, sample_weight=weight)


def test_inputs_too_large_for_a_network_are_named():
    network = MLPRegressor(hidden_layer_sizes=(20,), max_iter=400, tol=1e-2, random_state=0).fit(X, Y)
    large = X.copy()
    large[3, 2] = 1e200
    with pytest.raises(ValueError, match=r"what hidden layer 1 .* not finite, or too large.* extreme values in X"):
        prune_network(network, large, k=5)


OPTIONS = [{}, {"corrective": False}, {"y": Y}]


def trained():
    return MLPRegressor(hidden_layer_sizes=(20,), max_iter=400, tol=1e-2, random_state=0).fit(X, Y)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: str(list(options)))
@pytest.mark.parametrize("size", [1e76, 1e80, 1e140, 1e160, 1e250])
def test_what_a_hidden_layer_computes_must_have_squares(size, options):
    with pytest.raises(ValueError, match=r"what hidden layer 1 .* not finite, or too large.* extreme values in X"):
        prune_network(trained(), X * size, k=5, **options)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: str(list(options)))
def test_a_network_in_float32_is_below_the_limits(options):
    data = X.astype(np.float32)
    network = MLPRegressor(hidden_layer_sizes=(20,), random_state=0).partial_fit(data, Y.astype(np.float32))
    assert prune_network(network, data, k=5, **options).coefs_[0].dtype == np.float32


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: str(list(options)))
@pytest.mark.parametrize("size", [1e76, 1e80, 1e140, 1e160, 1e250])
def test_what_follows_a_hidden_layer_must_have_squares(size, options):
    network = trained()
    network.coefs_[1] *= size
    if "y" in options and size < 1e150:  # outputs are scaled as the targets are
        assert np.isfinite(prune_network(network, X, k=5, **options).predict(X)).all()
        return
    with pytest.raises(ValueError, match=r"what hidden layer 1 .* not finite, or too large.* and in the weights"):
        prune_network(network, X, k=5, **options)


@pytest.mark.parametrize("corrective", [True, False])
def test_the_parts_of_what_a_network_computes_must_have_squares(corrective):
    """Those of twins cancel: what they add up to is no larger than the rest."""
    network = trained()
    network.coefs_[0][:, 1], network.intercepts_[0][1] = network.coefs_[0][:, 0], network.intercepts_[0][0]
    network.coefs_[1][:2] = [[1e80], [-1e80]]
    if corrective:
        assert np.isfinite(prune_network(network, X, k=5).predict(X)).all()
        return
    with pytest.raises(ValueError, match=r"what hidden layer 1 .* not finite, or too large.* and in the weights"):
        prune_network(network, X, k=5, corrective=False)


@pytest.mark.parametrize("corrective", [True, False])
def test_large_values_with_squares_are_taken(corrective):
    network = MLPRegressor(hidden_layer_sizes=(20,), max_iter=400, tol=1e-2, random_state=0).fit(X, np.c_[Y, Y])
    small = prune_network(network, X * 1e65, k=5, corrective=corrective)
    assert np.isfinite(small.predict(X * 1e65)).all()


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_array])
def test_a_constant_feature_gets_no_weight(kind):
    constant, other = (kind(np.column_stack([X, np.full(len(X), value)])) for value in (5.0, 9.0))
    reg = GreedyPrunedMLPRegressor(**SMALL).fit(constant, Y)
    assert not reg.coefs_[0][4].any()
    np.testing.assert_array_equal(reg.predict(other), reg.predict(constant))
    assert reg.coefs_[0][:4].any(axis=1).all()


def test_a_sparse_feature_that_was_constant_may_vary_later():
    parts = [sparse.csr_array(np.column_stack([X, np.full(len(X), value)])) for value in (5.0, 5.0, 6.0)]
    reg = GreedyPrunedMLPRegressor(**SMALL)
    for part, varies in zip(parts, (False, False, True), strict=True):
        reg.partial_fit(part, Y)
        assert reg.coefs_[0][4].any() == varies


@pytest.mark.parametrize(("fitted", "afterwards"), [("squared_error", "log_loss"), ("log_loss", "squared_error")])
def test_logits_exist_by_the_loss_of_the_fit(fitted, afterwards):
    labels = np.digitize(Y, [0.3, 1.2])
    clf = GreedyPrunedMLPClassifier(**SMALL, loss=fitted).fit(X, labels).set_params(loss=afterwards)
    assert hasattr(clf, "decision_function") == (fitted == "log_loss")


def test_names_of_labels_are_as_many_as_columns_in_each_call():
    labels = np.column_stack([Y > 1, X[:, 0] > 0]).astype(int)
    clf = GreedyPrunedMLPClassifier(**SMALL)
    with pytest.raises(ValueError, match="classes names 3 labels and y has 2 columns"):
        clf.partial_fit(X, labels, classes=["x", "y", "z"])
    for _ in range(2):
        clf.partial_fit(X, labels, classes=["x", "y"])
    with pytest.raises(ValueError, match="classes names 3 labels and y has 2 columns"):
        clf.partial_fit(X, labels, classes=["x", "y", "z"])
