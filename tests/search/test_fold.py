"""One fold of a search: what is given to the estimator and to the scorer."""

import numpy as np
import pytest
from path_double import PathClassifier, PathRegressor
from same_results import same_results
from sklearn import config_context
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import make_scorer, r2_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

from sklearn_gfs import PretrainThresholdSearch, pretrain_threshold_curve
from sklearn_gfs.search import _fold, _scoring

pytestmark = [
    pytest.mark.filterwarnings("ignore:No point reached the target"),
    pytest.mark.filterwarnings("ignore:Solver terminated early"),
]

X, Y = load_iris(return_X_y=True)


class PairwisePath(PathClassifier):
    """Takes a kernel between samples, as precomputed ones do; its features are the training samples."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = True
        return tags


@pytest.mark.parametrize(
    ("estimator", "name", "values"),
    [
        (PairwisePath(k=100, random_state=0), "n_pretrain", [0, 200]),
        (make_pipeline(PairwisePath(k=100, random_state=0)), "pairwisepath__n_pretrain", [0, 200]),
        (SVC(kernel="precomputed"), "max_iter", [1, 100]),
    ],
)
def test_a_kernel_is_split_in_rows_and_columns(estimator, name, values):
    kernel = rbf_kernel(X)
    search = PretrainThresholdSearch(estimator, param=name, n_pretrain=values, cv=3, return_train_score=True)
    search.fit(kernel, Y)
    same_results(search, GridSearchCV(estimator, {name: values}, cv=3, return_train_score=True).fit(kernel, Y))
    assert search.scores_.mean(axis=-1).max() > 0.6


def test_a_curve_splits_a_kernel_in_rows_and_columns():
    settings = {"train_sizes": [60, 110], "n_repeats": 1, "n_pretrain": [1, 100], "target": "best", "random_state": 0}
    kernel = rbf_kernel(X, gamma=0.25)
    for score_on in ("test", "train"):
        precomputed, computed = (
            pretrain_threshold_curve(model, data, Y, **settings, param="max_iter", score_on=score_on)
            for model, data in [(SVC(kernel="precomputed"), kernel), (SVC(gamma=0.25), X)]
        )
        np.testing.assert_array_equal(precomputed.target_scores, computed.target_scores)


def test_the_scorer_is_given_the_part_that_it_scores():
    seen = []

    def scoring(estimator, X, y):
        seen.append((X.copy(), y.copy()))
        return 0.5

    cv = [(np.arange(0, 100), np.arange(100, 150)), (np.arange(50, 150), np.arange(0, 50))]
    settings = {"n_pretrain": [0], "cv": cv, "scoring": scoring, "refit": False}
    PretrainThresholdSearch(PathClassifier(), **settings, return_train_score=True).fit(
        X[::7].repeat(7, axis=0)[:150], Y
    )
    rows = [(test, train) for train, test in cv for _ in range(2)]  # dense, then the subnetwork
    expected = [part for pair in rows for part in pair]
    data = X[::7].repeat(7, axis=0)[:150]
    assert len(seen) == len(expected)
    for (found_X, found_y), part in zip(seen, expected, strict=True):
        np.testing.assert_array_equal(found_X, data[part])
        np.testing.assert_array_equal(found_y, Y[part])


def test_steps_before_the_path_see_the_training_part_alone():
    seen = []

    def look(data):
        seen.append(len(data))
        return data

    pipeline = make_pipeline(FunctionTransformer(look), PathClassifier())
    cv = [(np.arange(10, 150), np.arange(0, 10))]
    PretrainThresholdSearch(pipeline, n_pretrain=[0, 5], k=[1, 2], cv=cv, refit=False).fit(X, Y)
    assert seen == [140] + [10] * 6


@pytest.mark.parametrize("wrap", [lambda model: model, make_pipeline])
def test_metadata_of_the_scorer_are_split_like_the_data(wrap):
    X, y = load_diabetes(return_X_y=True)
    weight = np.random.default_rng(0).uniform(size=len(y)) ** 4
    scoring = make_scorer(r2_score)
    with config_context(enable_metadata_routing=True):
        model = PathRegressor(random_state=0).set_fit_request(sample_weight=True)
        settings = {"cv": 3, "scoring": scoring.set_score_request(sample_weight=True), "return_train_score": True}
        name = "n_pretrain" if wrap(model) is model else "pathregressor__n_pretrain"
        search = PretrainThresholdSearch(wrap(model), n_pretrain=[0, 20], **settings, error_score="raise")
        search.fit(X, y, sample_weight=weight)
        grid = GridSearchCV(wrap(model), {name: [0, 20]}, **settings, error_score="raise")
        same_results(search, grid.fit(X, y, sample_weight=weight))


def test_times_are_those_of_each_point(monkeypatch):
    class Clock:
        """Every look at it takes a second, and nothing else does."""

        now = 0.0

        @classmethod
        def perf_counter(cls):
            cls.now += 1
            return cls.now

    monkeypatch.setattr(_fold, "time", Clock)
    monkeypatch.setattr(_scoring, "time", Clock)
    settings = {"n_pretrain": [0, 5], "k": [1, 2], "cv": 2, "refit": False, "return_train_score": True}
    search = PretrainThresholdSearch(PathClassifier(), **settings).fit(X, Y)
    for name in ("mean_fit_time", "mean_dense_fit_time", "mean_score_time"):
        assert search.cv_results_[name].tolist() == [1.0] * 4


def test_a_scorer_may_keep_every_pipeline():
    kept = []

    def scoring(estimator, X, y):
        kept.append(estimator)
        return 0.5

    pipeline = make_pipeline(FunctionTransformer(), PathClassifier())
    cv = [(np.arange(10, 150), np.arange(0, 10))]
    PretrainThresholdSearch(pipeline, n_pretrain=[0, 5], k=[1, 2], cv=cv, refit=False, scoring=scoring).fit(X, Y)
    assert [model[-1].n_pretrain for model in kept] == [0, 0, 0, 5, 5, 5]
    assert [model[-1].k for model in kept][1::3] == [1, 1]


def first_columns(data):
    return data[:, :2]


def last_columns(data):
    return data[:, 1:]


def test_a_pipeline_within_a_pipeline_keeps_all_its_steps():
    kept = []

    def scoring(estimator, X, y):
        kept.append(estimator)
        return estimator.score(X, y)

    inner = make_pipeline(FunctionTransformer(last_columns), PathClassifier(random_state=0))
    pipeline = make_pipeline(FunctionTransformer(first_columns), inner)
    search = PretrainThresholdSearch(pipeline, n_pretrain=[0, 40], cv=3, scoring=scoring, refit=False).fit(X, Y)
    for model in kept:
        assert [*model.named_steps] == ["functiontransformer", "pipeline"]
        assert [*model[-1].named_steps] == ["functiontransformer", "pathclassifier"]
        assert model[-1][-1].n_features_in_ == 1
    grid = GridSearchCV(pipeline, {"pipeline__pathclassifier__n_pretrain": [0, 40]}, cv=3, scoring=scoring)
    same_results(search, grid.fit(X, Y))
