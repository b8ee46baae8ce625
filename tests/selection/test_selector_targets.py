"""What the selector takes y for, and how its coefficients are laid out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes, load_iris, load_linnerud
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.linear_model import LinearRegression

from sklearn_gfs import GreedyForwardSelector, GreedyPrunedMLP

LABELS = np.random.default_rng(0).permutation(np.arange(120) % 2)
CLASSES = np.random.default_rng(0).permutation(np.arange(120) % 3)
HELD = {
    "int64": lambda y: y,
    "Int64": lambda y: pd.Series(y).astype("Int64"),
    "UInt8": lambda y: pd.Series(y).astype("UInt8"),
    "Float64": lambda y: pd.Series(y).astype("Float64"),
    "boolean": lambda y: pd.Series(y).astype("boolean"),
    "bool": lambda y: y.astype(bool),
    "float64": lambda y: y.astype(float),
    "float32": lambda y: y.astype(np.float32),
    "category": lambda y: pd.Series(y).astype("category"),
    "strings": lambda y: np.array(["a", "b", "c"])[y],
    "string": lambda y: pd.Series(np.array(["a", "b", "c"])[y]).astype("string"),
    "objects": lambda y: np.array(["a", "b", "c"], dtype=object)[y],
    "list": lambda y: y.tolist(),
    "column": lambda y: y[:, None],
}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("holder", HELD)
@pytest.mark.parametrize("y", [LABELS, CLASSES], ids=["two", "three"])
def test_labels_are_labels_however_they_are_held(y, holder, method):
    if y.max() > 1 and holder in {"boolean", "bool"}:
        y = y % 2
    X = np.random.default_rng(1).standard_normal((120, 8)) + y[:, None] * np.linspace(0, 1, 8)
    expected = GreedyForwardSelector(k=15).fit(X, y)
    found = getattr(GreedyForwardSelector(k=15), method)(X, HELD[holder](y))
    np.testing.assert_array_equal(found.selection_path_, expected.selection_path_)
    assert len(found.classes_) == len(np.unique(y))
    np.testing.assert_allclose(found.coef_, expected.coef_)


KINDS = {
    "whole floats, few": np.arange(60.0) % 5,
    "whole floats, many": np.arange(60.0) % 30,
    "whole floats, many samples to each": np.arange(300.0) % 25,
    "fractions": np.linspace(0, 1, 60),
    "a column of whole floats": np.arange(60.0)[:, None] * 3 + 25,
    "a column of classes": np.arange(60)[:, None] % 3,
    "nullable fractions": pd.Series(np.linspace(0, 1, 60)).astype("Float64"),
    "many integers": np.arange(60) % 30,
    "many nullable integers": pd.Series(np.arange(60) % 30).astype("Int64"),
}


@pytest.mark.filterwarnings("ignore:The number of unique classes", "ignore:y holds the whole numbers")
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_are_what_the_networks_take_for_numbers(kind):
    y = KINDS[kind]
    X = np.random.default_rng(0).standard_normal((len(y), 4))
    network = GreedyPrunedMLP(n_pretrain=1, k=1, n_hidden=2, n_retrain=0, early_stopping=False).fit(X, y)
    assert hasattr(GreedyForwardSelector(k=2).fit(X, y), "classes_") == hasattr(network, "classes_")


def test_several_columns_are_numbers():
    X = np.random.default_rng(0).standard_normal((120, 5))
    indicators = np.eye(3)[CLASSES].astype(int)
    selector = GreedyForwardSelector(k=5).fit(X, indicators)
    assert not hasattr(selector, "classes_")
    expected = GreedyForwardSelector(k=5).fit(X, CLASSES)  # which are turned into the same indicators
    np.testing.assert_array_equal(selector.selection_path_, expected.selection_path_)
    held = GreedyForwardSelector(k=5).fit(X, sparse.csr_array(indicators))
    np.testing.assert_array_equal(held.selection_path_, expected.selection_path_)
    with pytest.raises(ValueError, match="one label a sample"):
        GreedyForwardSelector(target_type="multiclass").fit(X, indicators)
    with pytest.raises(ValueError, match="holds strings"):
        GreedyForwardSelector().fit(X, np.array(["a", "b", "c"])[np.stack([CLASSES, CLASSES], axis=1)])


def test_the_first_chunk_decides():
    X = np.random.default_rng(0).standard_normal((120, 5))
    y = np.linspace(0, 1, 120)
    selector = GreedyForwardSelector(k=5).partial_fit(X, y).partial_fit(X, LABELS)
    assert not hasattr(selector, "classes_")
    selector = GreedyForwardSelector(k=5).partial_fit(X, LABELS)
    with pytest.raises(ValueError, match="target_type='continuous'"):
        selector.partial_fit(X, y)
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match="Unknown label type"):
            getattr(GreedyForwardSelector(k=5, target_type="multiclass"), method)(X, y)


def several_targets(n_targets):
    """Of the ten columns the first four matter."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 10)) * np.linspace(0.5, 2, 10)
    y = X[:, :4] @ rng.uniform(1, 2, (4, n_targets)) + 0.5 * rng.standard_normal((200, n_targets))
    return X, y


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("n_targets", [1, 2, 10])
def test_coefficients_are_laid_out_as_in_scikit_learn(n_targets, method):
    X, y = several_targets(n_targets)
    y = y[:, 0] if n_targets == 1 else y
    selector = getattr(GreedyForwardSelector(k=30), method)(X, y)
    linear = LinearRegression().fit(X, y)
    assert selector.coef_.shape == linear.coef_.shape
    assert np.shape(selector.intercept_) == np.shape(linear.intercept_)
    residual = y - (X @ selector.coef_.T + selector.intercept_)
    np.testing.assert_allclose(0.5 * np.sum(residual**2) / len(y), selector.selection_losses_[-1])


@pytest.mark.parametrize("n_targets", [1, 2, 10])
def test_meta_estimators_read_the_coefficients(n_targets):
    X, y = several_targets(n_targets)
    y = y[:, 0] if n_targets == 1 else y
    for selector in (
        RFE(GreedyForwardSelector(k=200), n_features_to_select=4),
        SelectFromModel(GreedyForwardSelector(k=200), max_features=4, threshold=-np.inf),
    ):
        np.testing.assert_array_equal(np.flatnonzero(selector.fit(X, y).get_support()), range(4))
    X, y = load_linnerud(return_X_y=True)
    assert SelectFromModel(GreedyForwardSelector(k=20)).fit(X, y).transform(X).shape[1] < 3
    X, y = load_iris(return_X_y=True)
    assert RFE(GreedyForwardSelector(k=20), n_features_to_select=2).fit(X, y).transform(X).shape == (150, 2)


def test_the_convex_hull_takes_one_target_and_says_so():
    X, y = load_iris(return_X_y=True)
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match="3 classes") as caught:
            getattr(GreedyForwardSelector(hull="convex"), method)(X, y)
        assert "output_weights" not in str(caught.value)
    X, y = load_linnerud(return_X_y=True)
    with pytest.raises(ValueError, match="3 targets"):
        GreedyForwardSelector(hull="convex").fit(X, y)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_one_sample_is_called_one_sample(method):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match="n_samples = 1; hull='l1' needs at least two"):
        getattr(GreedyForwardSelector(), method)(X[:1], y[:1])
