"""What theory says of a network in one call is what it says by hand: of standardised data, of neurons times N."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import (
    GreedyPrunedMLP,
    GreedyPrunedMLPClassifier,
    GreedyPrunedMLPRegressor,
    NetworkBounds,
    network_bounds,
    theory,
)

SMALL = {"n_hidden": 60, "n_retrain": 0, "random_state": 0}
SQUARED = {**SMALL, "loss": "squared_error"}
SIZES = {"few features": 5, "many features": 20}


def classes(n_features):
    X, y = make_classification(
        60, n_features, n_informative=5, n_redundant=0, n_classes=3, n_clusters_per_class=1, random_state=0
    )
    return X * np.geomspace(0.01, 100, n_features) + 3, y


def numbers(n_outputs):
    X, y = make_regression(50, 7, n_targets=n_outputs, noise=1.0, random_state=0)
    return X * 5 - 1, 7 * y + 40


def first_points(estimator, X, y, n_pretrain, k):
    """Return the dense network and the subnetwork after these iterations."""
    dense, subnetwork = (point.estimator for point in estimator.fit_path(X, y, n_pretrain=[n_pretrain], k=[k]))
    return dense, subnetwork


@pytest.mark.parametrize("n_features", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_thresholds_are_those_computed_by_hand(n_features, activation):
    X, y = classes(n_features)
    estimator = GreedyPrunedMLPClassifier(**SQUARED, activation=activation)
    found = network_bounds(estimator, X, y, k=[5, 50])
    # By hand: inputs standardised and shrunk, so that standardising them inside changes nothing; neurons times N.
    Z = StandardScaler().fit_transform(X) * min(1.0, np.sqrt(12 / n_features))
    untrained = next(estimator.fit_path(Z, y, n_pretrain=[0])).estimator
    neurons = untrained.coefs_[1] * 60
    kernel = theory.network_kernel(
        Z, untrained.coefs_[0], untrained.intercepts_[0], neurons, activation=activation, neuron_rate=60
    )
    smallest, largest = theory.extreme_eigenvalues(kernel)
    rate = theory.contraction_rate(1 / largest, smallest, largest)
    hidden = Z @ untrained.coefs_[0] + untrained.intercepts_[0]
    hidden = np.tanh(hidden) if activation == "tanh" else np.maximum(hidden, 0)
    spread = theory.hull_spread(hidden, output_weights=neurons)
    loss = 0.5 * np.mean(np.sum((hidden @ untrained.coefs_[1] + untrained.intercepts_[1] - np.eye(3)[y]) ** 2, axis=1))
    assert found.dense_loss == pytest.approx(loss, rel=1e-6)
    assert found.spread == pytest.approx(spread, rel=1e-6)
    assert found.eigenvalues == pytest.approx((smallest, largest), rel=1e-4)
    assert found.rate == pytest.approx(rate, rel=1e-4)
    assert found.step_size == pytest.approx(1 / largest, rel=1e-5)
    assert found.k.tolist() == [5, 50]
    by_hand = [theory.pretrain_threshold(k, loss, spread, rate) for k in (5, 50)]
    np.testing.assert_allclose(found.thresholds, by_hand, rtol=1e-3)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_the_units_of_numbers_do_not_matter(n_outputs):
    X, y = numbers(n_outputs)
    factors = np.array([2.0, 0.01, 300.0])[:n_outputs] if n_outputs > 1 else 0.01
    wide = np.column_stack([X, np.full(len(X), 7.0)])
    estimator = GreedyPrunedMLPRegressor(**SMALL)
    found, other = (network_bounds(estimator, wide @ np.diag(scale) + shift, values, k=9) for scale, shift, values in (
        (np.ones(8), 0.0, y), (np.geomspace(0.1, 10, 8), 5.0, y * factors - 4)
    ))  # fmt: skip
    for name in ("dense_loss", "spread", "rate", "step_size", "eigenvalues", "thresholds"):
        np.testing.assert_allclose(getattr(found, name), getattr(other, name), rtol=1e-4, err_msg=name)


DENSE = {
    "classes": lambda: (GreedyPrunedMLPClassifier(**SQUARED), *classes(8)),
    "two classes": lambda: (GreedyPrunedMLPClassifier(**SQUARED), classes(8)[0], classes(8)[1] > 0),
    "several labels": lambda: (
        GreedyPrunedMLPClassifier(**SQUARED),
        classes(8)[0],
        np.eye(3, dtype=int)[classes(8)[1]],
    ),
    "numbers": lambda: (GreedyPrunedMLPRegressor(**SMALL), *numbers(1)),
    "several numbers": lambda: (GreedyPrunedMLPRegressor(**SMALL), *numbers(3)),
    "inferred": lambda: (GreedyPrunedMLP(**SMALL), *numbers(1)),
    "in full batch": lambda: (GreedyPrunedMLPRegressor(**SMALL, batch_size=None), *numbers(1)),
    "sparse": lambda: (GreedyPrunedMLPRegressor(**SMALL), sparse.csr_array(numbers(1)[0] > 2) * 5.0, numbers(1)[1]),
    "float32": lambda: (GreedyPrunedMLPClassifier(**SQUARED), classes(8)[0].astype(np.float32), classes(8)[1]),
}


@pytest.mark.parametrize("case", DENSE)
def test_the_loss_is_that_of_the_fit_and_the_bounds_hold(case):
    estimator, X, y = DENSE[case]()
    dense, subnetwork = first_points(estimator, X, y, 25, 30)
    before = {name: str(value) for name, value in vars(dense).items()}
    found = network_bounds(dense, X, y)
    assert found.dense_loss == pytest.approx(subnetwork.dense_loss_, rel=1e-4)
    for bound in found.upper_bounds(np.arange(1, 31)).values():
        assert np.all(subnetwork.selection_losses_ <= bound * (1 + 1e-6))
    assert (found.k, found.thresholds, found.rate) == (None, None, None)
    assert {name: str(value) for name, value in vars(dense).items()} == before


def test_upper_bounds_are_those_of_theory():
    bounds = NetworkBounds(0.2, 3.0).upper_bounds([1, 7])
    np.testing.assert_array_equal(bounds["Bound along the path"], theory.harmonic_bound([1, 7], 0.2, 3.0))
    np.testing.assert_array_equal(bounds["Bound without logarithm"], theory.root_bound([1, 7], 0.2, 3.0))


def test_a_smaller_step_takes_longer_and_a_rate_of_zero_for_ever():
    X, y = classes(8)
    estimator = GreedyPrunedMLPClassifier(**SQUARED)
    longest = network_bounds(estimator, X, y, k=20)
    half = network_bounds(estimator, X, y, k=20, step_size=longest.step_size / 2)
    assert 1.9 * longest.thresholds[0] < half.thresholds[0] < 2.1 * longest.thresholds[0]
    # With one neuron there are fewer parameters than samples times outputs; rounding leaves a rate near 0, or 0.
    few = network_bounds(GreedyPrunedMLPClassifier(**SQUARED | {"n_hidden": 2}), X, y, k=20)
    assert few.rate < 1e-12
    assert few.thresholds[0] > 1e12


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda X, y: GreedyPrunedMLPClassifier(**SMALL), "loss is 'auto'; use loss='squared_error'"),
        (lambda X, y: GreedyPrunedMLPClassifier(**SMALL, loss="log_loss"), "loss is 'log_loss'; use"),
        (lambda X, y: GreedyPrunedMLPClassifier(**SQUARED, class_weight="balanced"), "class_weight must be None"),
        (lambda X, y: GreedyPrunedMLPClassifier(**SQUARED, n_pretrain=5, k=3).fit(X, y), "must hold a dense network"),
    ],
)
def test_what_the_theory_is_not_of_is_refused(make, message):
    X, y = classes(8)
    with pytest.raises(ValueError, match=message):
        network_bounds(make(X, y), X, y)


@pytest.mark.parametrize("k", [0, 1.5, [3, -1]])
def test_wrong_numbers_of_picks_are_refused(k):
    X, y = classes(8)
    with pytest.raises(ValueError, match="k must be a finite whole number of at least 1"):
        network_bounds(GreedyPrunedMLPClassifier(**SQUARED), X, y, k=k)


def test_the_data_must_be_of_the_kind_that_the_network_has_seen():
    X, y = classes(8)
    dense, _ = first_points(GreedyPrunedMLPClassifier(**SQUARED), X, y, 0, 2)
    with pytest.raises(ValueError, match="features"):
        network_bounds(dense, X[:, :3], y)


def test_what_has_no_dense_network_is_refused_by_name():
    X, y = load_iris(return_X_y=True)
    for estimator in (make_pipeline(StandardScaler(), GreedyPrunedMLPClassifier()), LogisticRegression()):
        message = f"estimator must be a GreedyPrunedMLP.*, got {type(estimator).__name__}.* the last step of a pipeline"
        with pytest.raises(TypeError, match=message):
            network_bounds(estimator, X, y)
