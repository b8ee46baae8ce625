"""The training path: many subnetworks from one run, each that of a fit of its own."""

import numpy as np
import pytest
from sklearn.base import clone

from mlp.small import SMALL, blobs
from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPRegressor


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_a_path_equals_separate_fits(task, early_stopping):
    X, y = blobs()
    y = y if task == "classes" else X[:, 0] ** 2
    model = GreedyPrunedMLP(**SMALL, batch_size=16, early_stopping=early_stopping)
    points = list(model.fit_path(X, y, n_pretrain=[0, 7, 20], k=[9, 3]))
    assert [(point.n_pretrain, point.k) for point in points] == [(t, k) for t in (0, 7, 20) for k in (None, 3, 9)]
    assert not hasattr(model, "coefs_")
    for point in points:
        if point.k is None:
            assert point.estimator.n_units_ == 40
            continue
        fitted = clone(model).set_params(n_pretrain=point.n_pretrain, k=point.k).fit(X, y)
        assert fitted.get_params() == point.estimator.get_params()
        assert vars(fitted).keys() == vars(point.estimator).keys()
        np.testing.assert_array_equal(fitted.predict(X), point.estimator.predict(X))
        np.testing.assert_array_equal(fitted.coefs_[0], point.estimator.coefs_[0])
        np.testing.assert_array_equal(fitted.coefs_[1], point.estimator.coefs_[1])
        np.testing.assert_array_equal(fitted.selection_path_, point.estimator.selection_path_)
        np.testing.assert_allclose(fitted.selection_losses_, point.estimator.selection_losses_, rtol=1e-9)
        assert fitted.loss_curve_ == point.estimator.loss_curve_
        assert fitted.n_retrain_ == point.estimator.n_retrain_


def test_a_path_asks_for_iterations_one_at_a_time():
    X, y = blobs()
    asked = []

    def forever():
        value = 1
        while True:
            asked.append(value)
            yield value
            value *= 2

    path = GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=forever())
    for _ in range(4):
        point = next(path)
    assert (point.n_pretrain, point.k, asked) == (2, 8, [1, 2])


@pytest.mark.parametrize("n_pretrain", [[5, 5], [5, 3], [-1, 3]])
def test_a_path_whose_iterations_do_not_increase_is_refused(n_pretrain):
    X, y = blobs()
    with pytest.raises(ValueError, match="n_pretrain must hold non-negative integers"):
        list(GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=n_pretrain))


@pytest.mark.parametrize(("k", "message"), [([], "k is empty"), ([3, 0], r"'k' parameter .* range \[1, inf\)")])
def test_a_path_of_impossible_sizes_is_refused(k, message):
    X, y = blobs()
    with pytest.raises(ValueError, match=message):
        GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=[1], k=k)


def test_the_dense_network_of_a_path_is_the_one_that_was_pruned():
    X, _ = blobs()
    model = GreedyPrunedMLPRegressor(**{**SMALL, "n_retrain": 0})
    dense, sub = model.fit_path(X, X[:, 0], n_pretrain=[20])
    loss = 0.5 * np.mean((dense.estimator.predict(X) - X[:, 0]) ** 2) / X[:, 0].var()
    assert loss == pytest.approx(sub.estimator.dense_loss_)
