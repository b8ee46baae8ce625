"""GridSearchCV's numbers from one training run per fold, for every kind of estimator, score, split and weight."""

import numpy as np
import pytest
from path_double import OnlyFit, PathClassifier, PathRegressor
from same_results import same_results
from sklearn import config_context
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import get_scorer, make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from search.small import load_binary
from sklearn_gfs import PretrainThresholdSearch

pytestmark = pytest.mark.filterwarnings("ignore:No point reached the target")

BUDGETS, SIZES = [0, 5, 1, 30], [4, 1, 2]


@pytest.mark.parametrize("k", [None, SIZES])
@pytest.mark.parametrize(
    ("estimator", "load", "scoring"),
    [
        (PathClassifier(random_state=0), load_iris, None),
        (PathClassifier(random_state=0), load_binary, "roc_auc"),
        (PathRegressor(random_state=0), load_diabetes, "neg_mean_squared_error"),
        (make_pipeline(StandardScaler(), PathClassifier(random_state=0)), load_iris, None),
        (make_pipeline(StandardScaler(), make_pipeline(PathClassifier(random_state=0))), load_iris, None),
        (OnlyFit(random_state=0), load_iris, "neg_log_loss"),
    ],
)
def test_equals_grid_search(estimator, load, scoring, k):
    X, y = load(return_X_y=True)
    search = PretrainThresholdSearch(estimator, n_pretrain=BUDGETS, k=k, scoring=scoring, return_train_score=True).fit(
        X, y
    )
    prefix = search.cv_results_["params"][0].copy().popitem()[0].rpartition("__")[0]
    names = [f"{prefix}__{name}" if prefix else name for name in ("n_pretrain", "k")]
    values = dict(zip(names, [BUDGETS] if k is None else [BUDGETS, SIZES], strict=False))
    grid = GridSearchCV(estimator, values, scoring=scoring, return_train_score=True).fit(X, y)
    same_results(search, grid)
    assert set(search.cv_results_) >= set(grid.cv_results_)


def test_one_training_run_per_fold():
    runs = []

    class Counting(PathClassifier):
        def fit_path(self, X, y, **kwargs):
            runs.append(kwargs["n_pretrain"])
            yield from super().fit_path(X, y, **kwargs)

    PretrainThresholdSearch(Counting(), n_pretrain=BUDGETS, k=SIZES, refit=False).fit(*load_iris(return_X_y=True))
    assert runs == [(0, 1, 5, 30)] * 5


def test_steps_before_are_fitted_once_per_fold():
    fits = []

    class Scaler(StandardScaler):
        def fit(self, X, y=None, sample_weight=None):
            fits.append(len(X))
            return super().fit(X, y, sample_weight)

    pipeline = make_pipeline(Scaler(), PathClassifier())
    PretrainThresholdSearch(pipeline, n_pretrain=BUDGETS, k=SIZES, refit=False).fit(*load_iris(return_X_y=True))
    assert fits == [120] * 5


def test_dense_scores_are_those_of_the_unpruned_model():
    X, y = load_diabetes(return_X_y=True)
    search = PretrainThresholdSearch(PathRegressor(random_state=0), n_pretrain=[0, 30], k=[1, 2], cv=3).fit(X, y)
    # All ten coefficients kept and none re-trained: the dense model itself.
    dense = GridSearchCV(PathRegressor(random_state=0, k=10, n_retrain=0), {"n_pretrain": [0, 30]}, cv=3).fit(X, y)
    for fold in range(3):
        expected = dense.cv_results_[f"split{fold}_test_score"]
        np.testing.assert_allclose(search.cv_results_[f"split{fold}_dense_test_score"], [*expected, *expected])
    np.testing.assert_allclose(search.cv_results_["mean_dense_test_score"][:2], dense.cv_results_["mean_test_score"])
    np.testing.assert_allclose(search.cv_results_["std_dense_test_score"][:2], dense.cv_results_["std_test_score"])
    assert (search.cv_results_["mean_dense_fit_time"] > 0).all()


def test_any_estimator_with_an_integer_parameter():
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
    depths = [1, 2, 5]
    grid = GridSearchCV(pipeline, {"decisiontreeclassifier__max_depth": depths}).fit(X, y)
    for name in ("max_depth", "decisiontreeclassifier__max_depth"):
        search = PretrainThresholdSearch(pipeline, param=name, n_pretrain=depths, tol=0.02).fit(X, y)
        same_results(search, grid)
        means = search.cv_results_["mean_test_score"]
        assert search.target_score_ == means[2]
        assert search.thresholds_ == {None: next(d for d, s in zip(depths, means, strict=True) if s >= means[2] - 0.02)}
        assert "mean_dense_test_score" not in search.cv_results_


def test_the_number_of_picks_may_be_what_is_searched():
    X, y = load_iris(return_X_y=True)
    for estimator, name in [(PathClassifier(), "k"), (make_pipeline(PathClassifier()), "pathclassifier__k")]:
        search = PretrainThresholdSearch(estimator, param="k", n_pretrain=[1, 2, 4], cv=3).fit(X, y)
        same_results(search, GridSearchCV(estimator, {name: [1, 2, 4]}, cv=3).fit(X, y))
        assert list(search.thresholds_) == search.k_values_.tolist() == [None]
        assert search.threshold_params_ == {name: search.threshold_}
        assert search.best_estimator_.get_params()[name] == search.threshold_


def test_several_scores():
    X, y = load_binary()
    scoring = {"auc": "roc_auc", "loss": "neg_log_loss"}
    parameters = {"n_pretrain": [0, 20], "k": [1, 4]}
    search = PretrainThresholdSearch(PathClassifier(), **parameters, scoring=scoring, refit="loss").fit(X, y)
    grid = GridSearchCV(PathClassifier(), parameters, scoring=scoring, refit="loss").fit(X, y)
    assert search.multimetric_
    same_results(search, grid)
    assert search.score(X, y) == search.scorer_["loss"](search.best_estimator_, X, y)
    assert search.target_score_ == search.cv_results_["mean_dense_test_loss"][1]
    assert {"split4_dense_test_auc", "mean_dense_test_auc", "std_dense_test_auc"} <= set(search.cv_results_)

    def both(estimator, X, y):
        return {name: get_scorer(scorer)(estimator, X, y) for name, scorer in scoring.items()}

    called = PretrainThresholdSearch(PathClassifier(), **parameters, scoring=both, refit="loss").fit(X, y)
    same_results(called, grid)
    assert (
        called.set_params(n_pretrain="auto").fit(X, y).target_score_ == called.cv_results_["mean_dense_test_loss"][-1]
    )
    for n_pretrain in ("auto", [0, 20]):
        for refit in (True, False):
            with pytest.raises(ValueError, match="refit"):
                called.set_params(refit=refit, n_pretrain=n_pretrain).fit(X, y)


def test_groups():
    X, y = load_iris(return_X_y=True)
    groups = np.arange(len(y)) % 7
    parameters = {"n_pretrain": [0, 20], "k": [1, 2]}
    search = PretrainThresholdSearch(PathClassifier(), **parameters, cv=GroupKFold(3)).fit(X, y, groups=groups)
    grid = GridSearchCV(PathClassifier(), parameters, cv=GroupKFold(3)).fit(X, y, groups=groups)
    same_results(search, grid)
    with pytest.raises(ValueError, match="groups"):
        search.fit(X, y)


def test_sample_weight_without_routing():
    X, y = load_diabetes(return_X_y=True)
    weight = np.random.default_rng(0).uniform(size=len(y))
    parameters = {"n_pretrain": [0, 20], "k": [1, 2]}
    search = PretrainThresholdSearch(PathRegressor(), **parameters).fit(X, y, sample_weight=weight)
    grid = GridSearchCV(PathRegressor(), parameters).fit(X, y, sample_weight=weight)
    same_results(search, grid)
    unweighted = PretrainThresholdSearch(PathRegressor(), **parameters).fit(X, y)
    assert unweighted.best_score_ != search.best_score_


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_metadata_routing(in_pipeline):
    X, y = load_diabetes(return_X_y=True)
    weight, groups = np.random.default_rng(0).uniform(size=len(y)), np.arange(len(y)) % 5
    with config_context(enable_metadata_routing=True):
        estimator = PathRegressor().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        prefix = ""
        if in_pipeline:
            scaler = StandardScaler().set_fit_request(sample_weight=True)
            estimator, prefix = make_pipeline(scaler, estimator), "pathregressor__"
        scoring = make_scorer(r2_score).set_score_request(sample_weight=True)
        settings = {"scoring": scoring, "cv": GroupKFold(3)}
        search = PretrainThresholdSearch(estimator, n_pretrain=[0, 20], k=[1, 2], **settings)
        search.fit(X, y, sample_weight=weight, groups=groups)
        values = {f"{prefix}n_pretrain": [0, 20], f"{prefix}k": [1, 2]}
        grid = GridSearchCV(estimator, values, **settings).fit(X, y, sample_weight=weight, groups=groups)
        same_results(search, grid)
        with pytest.raises(TypeError, match="unexpected argument"):
            search.fit(X, y, nonsense=weight)
