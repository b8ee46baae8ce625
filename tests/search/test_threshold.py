"""PretrainThresholdSearch: GridSearchCV's numbers from one training run per fold."""

import os
import pickle
import sys
import warnings

import joblib
import numpy as np
import pytest
from path_double import OnlyFit, PathClassifier, PathRegressor
from same_results import same_results
from sklearn import config_context
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import get_scorer, make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import sklearn_gfs.search._outcome
import sklearn_gfs.search._run
from sklearn_gfs import PretrainThresholdSearch

pytestmark = pytest.mark.filterwarnings("ignore:No point reached the target")

BUDGETS, SIZES = [0, 5, 1, 30], [4, 1, 2]


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


def load_binary(return_X_y=True):
    """Return a quarter of the breast cancer data."""
    X, y = load_breast_cancer(return_X_y=True)
    return X[::4], y[::4]


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


def test_threshold_and_refit():
    X, y = load_binary()
    search = PretrainThresholdSearch(PathClassifier(random_state=0), n_pretrain=[0, 5, 20, 80], k=[1, 5, 20]).fit(X, y)
    means = search.cv_results_["mean_test_score"].reshape(3, 4)
    target = search.cv_results_["mean_dense_test_score"][3]
    assert search.target_score_ == target
    expected = {
        k: next((t for t, score in zip([0, 5, 20, 80], row, strict=True) if score >= target - 0.01), None)
        for k, row in zip([1, 5, 20], means, strict=True)
    }
    assert search.thresholds_ == expected
    assert search.threshold_ == min(t for t in expected.values() if t is not None)
    assert search.thresholds_[search.threshold_params_["k"]] == search.threshold_
    assert search.cv_results_["params"][search.threshold_index_] == search.threshold_params_
    assert search.best_estimator_.get_params()["n_pretrain"] == search.threshold_
    expected_coef = PathClassifier(random_state=0, **search.threshold_params_).fit(X, y).coef_
    np.testing.assert_array_equal(search.best_estimator_.coef_, expected_coef)
    np.testing.assert_array_equal(search.predict(X), search.best_estimator_.predict(X))
    assert search.score(X, y) == search.best_estimator_.score(X, y)
    assert search.refit_time_ > 0
    assert search.n_features_in_ == 30
    assert search.classes_.tolist() == [0, 1]


def test_scores_that_rise_and_fall_are_not_sustained():
    # The score is the parameter itself, read off a table: 0.9 is reached at 10 and lost at 20.
    curve = {0: 0.1, 10: 0.9, 20: 0.5, 40: 0.95}

    def scoring(estimator, X, y):
        return curve[estimator.n_pretrain]

    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=list(curve), target=0.9, tol=0, scoring=scoring)
    search.fit(X, y)
    assert (search.threshold_, search.sustained_) == (10, False)
    assert (search.best_params_, search.best_estimator_.n_pretrain) == ({"n_pretrain": 40}, 10)
    assert search.thresholds_ == {3: 10}
    assert search.sustained_by_k_ == {3: False}
    search.set_params(target="best").fit(X, y)
    assert (search.threshold_, search.sustained_) == (40, True)
    search.set_params(target="best", tol=0.5).fit(X, y)
    assert (search.threshold_, search.sustained_) == (10, True)


@pytest.mark.filterwarnings("error:No point reached the target")
def test_no_point_reaches_the_target():
    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0, 20], k=[1, 2], target=2.0)
    with pytest.warns(
        UserWarning, match=r"No point reached the target: the best mean score on the test parts is 0\."
    ) as w:
        search.fit(X, y)
    assert w[0].filename == __file__
    assert search.threshold_ is None
    assert search.thresholds_ == {1: None, 2: None}
    assert search.threshold_params_ is search.threshold_index_ is None
    assert search.sustained_ is False
    assert search.best_estimator_.get_params()["n_pretrain"] == search.best_params_["n_pretrain"]
    assert search.best_estimator_.get_params()["k"] == search.best_params_["k"]


def test_train_scores_decide_where_asked_to():
    X, y = load_iris(return_X_y=True)
    parameters = {"n_pretrain": [0, 20], "k": [1, 2]}
    search = PretrainThresholdSearch(PathClassifier(), **parameters, score_on="train", target="best").fit(X, y)
    grid = GridSearchCV(PathClassifier(), parameters, return_train_score=True).fit(X, y)
    same_results(search, grid)
    assert search.target_score_ == grid.cv_results_["mean_train_score"].max()
    np.testing.assert_array_equal(search.scores_.mean(-1).T.ravel(), grid.cv_results_["mean_train_score"])


def test_automatic_grid_is_shared_by_all_folds():
    X, y = load_binary()
    search = PretrainThresholdSearch(PathClassifier(random_state=0), k=[3]).fit(X, y)
    budgets = search.n_pretrain_values_.tolist()
    assert budgets[:4] == [0, 16, 23, 32]
    assert budgets[-1] in {256, 512, 1024, 2048}
    assert np.isfinite(search.scores_).all()
    grid = GridSearchCV(PathClassifier(random_state=0), {"n_pretrain": budgets, "k": [3]}).fit(X, y)
    same_results(search, grid)
    listed = PretrainThresholdSearch(PathClassifier(random_state=0), n_pretrain=budgets, k=[3]).fit(X, y)
    assert listed.thresholds_ == search.thresholds_


def test_automatic_grid_doubles_its_end():
    # The dense score rises up to 700 iterations: 1024 brings 0.27 of it, 2048 no more.
    def scoring(estimator, X, y):
        return min(estimator.n_pretrain, 700) / 700

    search = PretrainThresholdSearch(PathClassifier(), scoring=scoring, cv=2, refit=False)
    assert search.fit(*load_iris(return_X_y=True)).n_pretrain_values_[-1] == 2048


def test_automatic_grid_without_a_path_leaves_zero_out():
    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(OnlyFit(random_state=0), k=[1, 2], cv=2).fit(X, y)
    assert search.n_pretrain_values_[:2].tolist() == [16, 23]
    assert search.dense_scores_ is None


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


class Fragile(PathClassifier):
    """Fails in the folds whose training part lacks sample 0, once it has been trained for a while."""

    def fit_path(self, X, y, **kwargs):
        for point in super().fit_path(X, y, **kwargs):
            if point.n_pretrain >= 10 and not (load_iris().data[0] == X).all(axis=1).any():
                raise RuntimeError("diverged")
            yield point


def test_failures_are_marked():
    X, y = load_iris(return_X_y=True)
    parameters = {"n_pretrain": [0, 5, 10, 20], "k": [1, 2]}
    search = PretrainThresholdSearch(Fragile(), **parameters, target="best", refit=False)
    with (
        pytest.warns(FitFailedWarning, match=r"4 fits failed out of a total of 40(.|\n)*RuntimeError: diverged"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(X, y)
    grid = GridSearchCV(Fragile(), parameters, refit=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        grid.fit(X, y)
    same_results(search, grid)
    assert np.isnan(search.cv_results_["split0_test_score"]).sum() == 4
    assert np.isnan(search.cv_results_["split0_dense_test_score"]).sum() == 4
    assert search.threshold_ in {0, 5}
    with pytest.raises(RuntimeError, match="diverged"):
        search.set_params(error_score="raise").fit(X, y)
    with pytest.warns(FitFailedWarning):
        search.set_params(error_score=-1.0).fit(X, y)
    assert (search.cv_results_["split0_test_score"] == -1).sum() == 4


@pytest.mark.parametrize("n_pretrain", ["auto", [0, 5]])
@pytest.mark.parametrize("estimator", [PathClassifier(k=0), OnlyFit(k=0)])
def test_all_fits_failed(estimator, n_pretrain):
    search = PretrainThresholdSearch(estimator, n_pretrain=n_pretrain)
    with pytest.raises(ValueError, match=r"All the \d+ fits failed(.|\n)*k must be at least 1, got 0"):
        search.fit(*load_iris(return_X_y=True))


def test_scoring_that_fails():
    def scoring(estimator, X, y):
        if estimator.n_pretrain:
            raise RuntimeError("no score")
        return 0.5

    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0, 5], scoring=scoring, target="best", cv=2)
    with pytest.warns(UserWarning, match="no score"), pytest.warns(UserWarning, match="non-finite"):
        search.fit(X, y)
    assert search.threshold_ == 0
    with pytest.raises(ValueError, match="scoring must return a number"):
        search.set_params(scoring=lambda *_: "good").fit(X, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_pretrain": []}, "n_pretrain must be 'auto' or a sequence of integers not below 0"),
        ({"n_pretrain": [-1]}, "n_pretrain must be"),
        ({"n_pretrain": [1.5]}, "n_pretrain must be"),
        ({"n_pretrain": [True]}, "n_pretrain must be"),
        ({"n_pretrain": 10}, "n_pretrain must be"),
        ({"n_pretrain": "all"}, "n_pretrain must be"),
        ({"k": [0]}, "k must be None or a sequence of integers not below 1"),
        ({"k": 5}, "k must be"),
        ({"n_pretrain": (value for value in [0, 5])}, "n_pretrain must be"),
        ({"param": "n_steps"}, "param must name an integer parameter.*PathClassifier has no parameter 'n_steps'"),
        ({"target": "good"}, "target must be"),
        ({"tol": -1}, "tol must be"),
        ({"score_on": "both"}, "score_on must be"),
        ({"score_on": ["test"]}, "score_on must be"),
        ({"verbose": "yes"}, "verbose must be an integer, got 'yes'"),
        ({"scoring": ["accuracy"]}, r"refit must name the one that decides.*\['accuracy'\]; got True"),
        ({"scoring": ["accuracy"], "refit": False}, "refit must name the one that decides"),
        ({"scoring": ["accuracy"], "refit": "auc"}, "refit must name the one that decides"),
        ({"error_score": "ignore"}, "error_score must be 'raise' or a number"),
        ({"refit": len}, "refit must be a bool or the name of a score"),
        ({"tol": "1se", "cv": [(np.arange(100), np.arange(100, 150))]}, "tol='1se' needs at least two folds"),
        ({"cv": []}, "cv must yield at least one fold"),
    ],
)
def test_parameters_that_are_not_allowed(params, message):
    search = PretrainThresholdSearch(PathClassifier(), **({"n_pretrain": [0, 5]} | params))
    with pytest.raises(ValueError, match=message):
        search.fit(*load_iris(return_X_y=True))


@pytest.mark.parametrize("estimator", [PathClassifier, None, StandardScaler.fit])
def test_estimator_that_is_none(estimator):
    with pytest.raises(TypeError, match="estimator must be an instance with the methods fit and get_params"):
        PretrainThresholdSearch(estimator).fit(*load_iris(return_X_y=True))


def test_a_parameter_further_inside_is_suggested():
    search = PretrainThresholdSearch(BaggingClassifier(PathClassifier()))
    with pytest.raises(ValueError, match="for instance 'estimator__n_pretrain'; BaggingClassifier has no"):
        search.fit(*load_iris(return_X_y=True))


def test_k_needs_an_estimator_that_has_it():
    search = PretrainThresholdSearch(DecisionTreeClassifier(), param="max_depth", n_pretrain=[1], k=[5])
    with pytest.raises(ValueError, match="k must be None for an estimator without a parameter k"):
        search.fit(*load_iris(return_X_y=True))


def test_one_fold_is_enough_for_a_number():
    X, y = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0, 20], cv=[(order[:100], order[100:])]).fit(X, y)
    assert search.n_splits_ == 1
    assert search.scores_.shape == (2, 1, 1)


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


def test_verbose(capsys):
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0], cv=2)
    search.fit(*load_iris(return_X_y=True))
    assert capsys.readouterr().out == ""
    search.set_params(verbose=1).fit(*load_iris(return_X_y=True))
    lines = capsys.readouterr().out.splitlines()
    assert [line[: line.index(" (")] for line in lines] == [
        f"[PretrainThresholdSearch] {done} of 2 folds finished" for done in (1, 2)
    ]
    search.set_params(verbose=2, k=[2]).fit(*load_iris(return_X_y=True))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    score = search.cv_results_["split1_test_score"][0]
    assert lines[3].startswith("[PretrainThresholdSearch] fold 2 of 2: n_pretrain=0, dense, score=")
    assert lines[4].startswith(f"[PretrainThresholdSearch] fold 2 of 2: n_pretrain=0, k=2, score={score:.4f} (0.")


def test_verbose_names_what_failed(capsys):
    search = PretrainThresholdSearch(OnlyFit(), n_pretrain=[0, 5], k=[1], cv=2, verbose=2, scoring=["accuracy"])
    search.set_params(refit="accuracy").fit(*load_iris(return_X_y=True))
    assert ": n_pretrain=5, k=1, accuracy=0." in capsys.readouterr().out
    search.set_params(estimator=OnlyFit(k=0), k=None)
    with pytest.raises(ValueError, match="All the 4 fits failed"):
        search.fit(*load_iris(return_X_y=True))
    assert "fold 1 of 2: n_pretrain=0, failed (0." in capsys.readouterr().out


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_parallel_folds_give_the_same(backend):
    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(PathClassifier(random_state=0), n_pretrain=[0, 20], k=[1, 2]).fit(X, y)
    with joblib.parallel_config(backend, n_jobs=2):
        parallel = PretrainThresholdSearch(PathClassifier(random_state=0), n_pretrain=[0, 20], k=[1, 2]).fit(X, y)
    same_results(parallel, search)
    assert parallel.thresholds_ == search.thresholds_


def test_ray_gives_the_same():
    ray = pytest.importorskip("ray", reason="ray is not installed")
    from ray.util.joblib import register_ray

    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(PathClassifier(random_state=0), n_pretrain=[0, 20], k=[1, 2]).fit(X, y)
    register_ray()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, about sockets and its future defaults
        # The workers run in another folder, and unpickle the double from this one.
        ray.init(
            num_cpus=2, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}}
        )
        try:
            with joblib.parallel_config("ray"):
                parallel = PretrainThresholdSearch(**search.get_params(deep=False)).fit(X, y)
        finally:
            ray.shutdown()
    same_results(parallel, search)


def test_dask_cluster_gives_the_same():
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(PathClassifier(random_state=0), n_pretrain=[0, 20], k=[1, 2]).fit(X, y)
    with (
        # dask's own, about ports, events in a process of tests, and a machine without a network
        warnings.catch_warnings(action="ignore"),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        parallel = PretrainThresholdSearch(PathClassifier(random_state=0), n_pretrain=[0, 20], k=[1, 2]).fit(X, y)
    same_results(parallel, search)


@pytest.mark.parametrize(("tol", "threshold"), [(0, 40), ("0%", 40), ("5%", 20), ("12%", 10), (4.0, 20)])
@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_a_tolerance_in_percent_of_an_error(tol, threshold, unit):
    # The error falls from 110 to 80, in any unit; a number as tolerance has the unit of the score.
    curve = {0: -110.0, 10: -89.0, 20: -83.0, 40: -80.0}

    def scoring(estimator, X, y):
        return curve[estimator.n_pretrain] * unit

    X, y = load_iris(return_X_y=True)
    tol = tol * unit if isinstance(tol, float) else tol
    for target in ("dense", "best", -80.0 * unit):
        search = PretrainThresholdSearch(PathClassifier(), n_pretrain=list(curve), target=target, tol=tol, cv=2)
        assert search.set_params(scoring=scoring).fit(X, y).threshold_ == threshold
        assert search.target_score_ == -80.0 * unit


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_n_jobs_is_what_joblib_is_given(monkeypatch, n_jobs):
    given = []

    class Told(sklearn_gfs.search._run.Parallel):
        def __init__(self, n_jobs=None, **settings):
            given.append(n_jobs)
            super().__init__(n_jobs=n_jobs, **settings)

    monkeypatch.setattr(sklearn_gfs.search._run, "Parallel", Told)
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0], cv=2, n_jobs=n_jobs, refit=False)
    with joblib.parallel_config("threading"):
        search.fit(*load_iris(return_X_y=True))
    assert given == [n_jobs]


def test_failures_where_a_callable_gives_several_scores():
    def both(estimator, X, y):
        return {"right": estimator.score(X, y), "wrong": 1 - estimator.score(X, y)}

    X, y = load_iris(return_X_y=True)
    parameters = {"n_pretrain": [0, 5, 10], "k": [1, 2]}
    search = PretrainThresholdSearch(Fragile(), **parameters, scoring=both, refit="right", error_score=-1.0)
    grid = GridSearchCV(Fragile(), parameters, scoring=both, refit="right", error_score=-1.0)
    for fitted in (search, grid):
        with pytest.warns(FitFailedWarning):
            fitted.fit(X, y)
    same_results(search, grid)
    assert (search.cv_results_["split0_dense_test_wrong"] == -1).tolist() == [False, False, True] * 2


def test_the_time_of_the_final_fit(monkeypatch):
    class Clock:
        now = 0.0

        @classmethod
        def perf_counter(cls):
            cls.now += 2.5
            return cls.now

    monkeypatch.setattr(sklearn_gfs.search._outcome, "time", Clock)
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0], cv=2).fit(*load_iris(return_X_y=True))
    assert search.refit_time_ == 2.5


@pytest.mark.parametrize("changing", [True, False])
def test_tags_are_those_of_the_estimator(changing):
    class Tagged(PathClassifier):
        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.non_deterministic = tags.target_tags.multi_output = tags.input_tags.allow_nan = changing
            return tags

    tags = get_tags(PretrainThresholdSearch(Tagged()))
    assert [tags.non_deterministic, tags.target_tags.multi_output, tags.input_tags.allow_nan] == [changing] * 3
