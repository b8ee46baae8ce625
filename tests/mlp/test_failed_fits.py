"""A fit that fails leaves the model as it was: after a fit, a warm start or a part."""

import warnings

import numpy as np
import pytest

from mlp import small
from mlp.small import assert_equal_fits, problem
from sklearn_gfs import GreedyPrunedMLPClassifier

SMALL = {**small.SMALL, "n_pretrain": 30}


def test_a_failed_fit_leaves_what_was_there():
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, warm_start=True).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="y holds classes that are not in classes_: \\[7\\]"):
        model.set_params(n_pretrain=60).fit(X, np.where(y == 2, 7, y))
    np.testing.assert_array_equal(model.predict_proba(X), before)
    fresh = GreedyPrunedMLPClassifier(**{**SMALL, "n_pretrain": 60}).fit(X, y)
    assert_equal_fits(model.fit(X, y), fresh)


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("fit", {"sample_weight": -np.ones(90)}, "sample_weight"),
        ("fit", {"X_val": np.ones((2, 3)), "y_val": ["a", "b"]}, "y_val holds classes"),
        ("fit", {}, "learning_rate_init"),
        ("partial_fit", {}, "X has 3 features"),
    ],
)
def test_a_failed_fit_on_other_data_forgets_them(name, wrong, message):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL).fit(X, np.array(["a", "b", "c"])[y])
    before, expected = set(vars(model)), model.predict(X)
    model.set_params(learning_rate_init=1e200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # partial_fit begins with a new dense network
        with pytest.raises(ValueError, match=message):
            getattr(model, name)(X[:, :3], np.array(["x", "y"])[y // 2], **wrong)
    assert set(vars(model)) == before
    np.testing.assert_array_equal(model.predict(X), expected)


def test_a_failed_part_is_forgotten():
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL).partial_fit(X, y, classes=[0, 1, 2])
    before, expected = set(vars(model)), model.predict(X)
    with pytest.raises(ValueError, match="learning_rate_init"):
        model.set_params(learning_rate_init=1e200).partial_fit(X, (y + 1) % 3)
    assert set(vars(model)) == before
    np.testing.assert_array_equal(model.predict(X), expected)
