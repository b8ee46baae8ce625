"""A search as an estimator of scikit-learn: its checks, tags, methods and names, alone, nested and pickled."""

import pickle

import numpy as np
import pytest
from path_double import PathClassifier, PathRegressor
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_gfs import PretrainThresholdSearch

pytestmark = pytest.mark.filterwarnings("ignore:No point reached the target")


# Folds that fail are what some of these checks provoke; the search then warns, as GridSearchCV does.
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@parametrize_with_checks(
    [
        PretrainThresholdSearch(PathClassifier(), n_pretrain=[0, 10], k=[1, 3], cv=2),
        PretrainThresholdSearch(PathRegressor(), n_pretrain=[0, 10], k=[1, 3], cv=2),
        PretrainThresholdSearch(PathClassifier(), cv=2, error_score="raise"),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)


def test_transform_and_its_container():
    X, y = load_iris(return_X_y=True, as_frame=True)

    def scoring(estimator, X, y):
        return estimator.explained_variance_ratio_.sum()

    search = PretrainThresholdSearch(PCA(), param="n_components", n_pretrain=[1, 2, 4], scoring=scoring, tol=0.03)
    search.fit(X, y)
    assert search.threshold_ == 2
    assert type(search.transform(X)) is np.ndarray
    assert search.set_output(transform="pandas").transform(X).columns.tolist() == ["pca0", "pca1"]
    assert search.fit(X, y).transform(X).columns.tolist() == ["pca0", "pca1"]
    assert not hasattr(PretrainThresholdSearch(PathClassifier()), "set_output")


def test_names_of_features_and_methods_that_are_missing():
    X, y = load_iris(return_X_y=True, as_frame=True)
    search = PretrainThresholdSearch(make_pipeline(StandardScaler(), PathClassifier()), n_pretrain=[0, 20])
    search.fit(X, y)
    assert search.feature_names_in_.tolist() == list(X.columns)
    assert not hasattr(search, "transform")
    assert not hasattr(PretrainThresholdSearch(PathRegressor()), "predict_proba")


def test_nested():
    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0, 20], k=[1, 2], cv=3)
    assert cross_val_score(search, X, y, cv=3).min() > 0.5
    outer = GridSearchCV(make_pipeline(StandardScaler(), search), {"pretrainthresholdsearch__tol": [0.01, 0.5]}, cv=2)
    assert outer.fit(X, y).score(X, y) > 0.5


def test_pickled_and_restored():
    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0, 20], k=[1, 2]).fit(X, y)
    restored = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(restored.predict_proba(X), search.predict_proba(X))
    assert restored.thresholds_ == search.thresholds_
    assert restored.score(X, y) == search.score(X, y)


@pytest.mark.parametrize("changing", [True, False])
def test_tags_are_those_of_the_estimator(changing):
    class Tagged(PathClassifier):
        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.non_deterministic = tags.target_tags.multi_output = tags.input_tags.allow_nan = changing
            return tags

    tags = get_tags(PretrainThresholdSearch(Tagged()))
    assert [tags.non_deterministic, tags.target_tags.multi_output, tags.input_tags.allow_nan] == [changing] * 3
