"""What GreedyPrunedMLP takes y for: in a fit, and where a search or a curve splits y for it."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gfs import (
    GreedyPrunedMLP,
    GreedyPrunedMLPClassifier,
    GreedyPrunedMLPRegressor,
    PretrainThresholdDisplay,
    PretrainThresholdSearch,
    pretrain_threshold_curve,
)

SMALL = {"n_pretrain": 5, "k": 3, "n_hidden": 20, "n_retrain": 5, "random_state": 0}
X, Y = load_diabetes(return_X_y=True)  # 214 whole numbers, stored as floats

pytestmark = [
    pytest.mark.filterwarnings("ignore:No point reached the target"),
    pytest.mark.filterwarnings("ignore:A column-vector y was passed"),
]


def letters(n_samples, n_classes=26, seed=0):
    """Return three columns and as many classes, numbered from zero and stored as floats, in equal shares."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n_samples) % n_classes).astype(float)
    return np.column_stack([labels, np.sin(labels), rng.normal(size=n_samples)]), labels


NUMBERS = {
    "array": Y,
    "column": Y[:, None],
    "Fortran column": np.asfortranarray(Y[:, None]),
    "float32 column": Y[:, None].astype(np.float32),
    "list": Y.tolist(),
    "list of lists": Y[:, None].tolist(),
    "series": pd.Series(Y),
    "frame": pd.DataFrame({"y": Y}),
    "nullable series": pd.Series(Y, dtype="Float64"),
    "nullable frame": pd.DataFrame({"y": Y}, dtype="Float64"),
    "fractions, nullable frame": pd.DataFrame({"y": Y + 0.5}, dtype="Float64"),
    "object column": pd.DataFrame({"y": Y + 0.5}, dtype=object),
    "two columns": np.column_stack([Y, Y]),
    "two nullable columns": pd.DataFrame({"a": Y, "b": Y}, dtype="Float64"),
    "two nullable columns of integers": pd.DataFrame({"a": Y, "b": Y}, dtype="Int64"),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_in_every_container(kind):
    y = NUMBERS[kind]
    model = GreedyPrunedMLP(**SMALL).fit(X, y)
    assert is_regressor(model)
    assert not hasattr(model, "classes_")
    np.testing.assert_array_equal(model.predict(X), GreedyPrunedMLPRegressor(**SMALL).fit(X, y).predict(X))


IRIS_X, IRIS_Y = load_iris(return_X_y=True)
LABELS = {
    "integers": IRIS_Y,
    "floats": IRIS_Y.astype(float),
    "column of floats": IRIS_Y[:, None].astype(float),
    "frame": pd.DataFrame({"y": IRIS_Y}),
    "nullable series": pd.Series(IRIS_Y, dtype="Int64"),
    "nullable frame": pd.DataFrame({"y": IRIS_Y}, dtype="Int64"),
    "text": np.array(["a", "b", "c"])[IRIS_Y],
    "text frame": pd.DataFrame({"y": np.array(["a", "b", "c"], dtype=object)[IRIS_Y]}),
    "nullable booleans": pd.Series(IRIS_Y > 0, dtype="boolean"),
    "multilabel, nullable": pd.DataFrame({"a": IRIS_Y > 0, "b": IRIS_Y > 1}).astype("Int64"),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_in_every_container(kind):
    y = LABELS[kind]
    model = GreedyPrunedMLP(**SMALL).fit(IRIS_X, y)
    assert is_classifier(model)
    expected = GreedyPrunedMLPClassifier(**SMALL).fit(IRIS_X, y)
    np.testing.assert_array_equal(model.predict(IRIS_X), expected.predict(IRIS_X))


@pytest.mark.parametrize("kind", LABELS)
def test_validation_labels_in_every_container(kind):
    y = np.asarray(LABELS[kind].to_numpy(int) if kind == "multilabel, nullable" else LABELS[kind])
    y = y.ravel() if y.shape == (150, 1) else y
    parameters = SMALL | {"n_retrain": 40}
    expected = GreedyPrunedMLP(**parameters).fit(IRIS_X, y, X_val=IRIS_X, y_val=y)
    model = GreedyPrunedMLP(**parameters).fit(IRIS_X, y, X_val=IRIS_X, y_val=LABELS[kind])
    np.testing.assert_array_equal(model.predict_proba(IRIS_X), expected.predict_proba(IRIS_X))


@pytest.mark.parametrize("kind", [kind for kind in NUMBERS if "two" not in kind and "fractions" not in kind])
def test_validation_numbers_in_every_container(kind):
    y_val = NUMBERS[kind]
    expected = Y + 0.5 if kind == "object column" else Y
    models = [GreedyPrunedMLP(**SMALL).fit(X, Y, X_val=X, y_val=values) for values in (y_val, expected)]
    np.testing.assert_array_equal(*(model.predict(X) for model in models))


def test_a_sparse_column():
    labels = sparse.csr_matrix(IRIS_Y[:, None])
    for kind in (GreedyPrunedMLP, GreedyPrunedMLPClassifier):
        expected = kind(**SMALL).fit(IRIS_X, IRIS_Y)
        np.testing.assert_array_equal(kind(**SMALL).fit(IRIS_X, labels).predict(IRIS_X), expected.predict(IRIS_X))
    for kind, y in [(GreedyPrunedMLP, Y), (GreedyPrunedMLP, Y + 0.5), (GreedyPrunedMLPRegressor, Y)]:
        with pytest.raises(TypeError, match="y is sparse; numbers to be fitted must be dense"):
            kind(**SMALL).fit(X, sparse.csc_matrix(y[:, None]))
    with pytest.raises(ValueError, match="Unknown label type"):
        GreedyPrunedMLPClassifier(**SMALL).fit(X, sparse.csc_matrix(Y[:, None] + 0.5))


@pytest.mark.parametrize("y", [Y, Y[:, None], np.column_stack([Y, Y])])
@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: make_pipeline(StandardScaler(), model)])
def test_a_search_splits_numbers_as_numbers(wrap, y):
    settings = {"n_pretrain": [0, 5], "cv": 10, "refit": True, "error_score": "raise"}
    search = PretrainThresholdSearch(wrap(GreedyPrunedMLP(**SMALL)), **settings).fit(X, y)
    expected = PretrainThresholdSearch(wrap(GreedyPrunedMLPRegressor(**SMALL)), **settings).fit(X, y)
    np.testing.assert_array_equal(search.scores_, expected.scores_)
    np.testing.assert_array_equal(search.predict(X), expected.predict(X))
    assert is_regressor(search)
    assert is_regressor(search.best_estimator_)


@pytest.mark.parametrize("refit", [True, False])
def test_a_fitted_search_is_named_after_what_it_fitted(refit):
    search = PretrainThresholdSearch(GreedyPrunedMLP(**SMALL), n_pretrain=[0, 5], cv=2, refit=refit)
    assert is_classifier(search)
    assert PretrainThresholdDisplay.from_search(search.fit(X, Y)).ax_.get_ylabel() == "R² (held-out folds)"
    assert is_regressor(search)
    assert is_classifier(search.fit(IRIS_X, IRIS_Y))
    assert is_classifier(clone(search))


# In all of y each class has six samples, in a training part four: alone it would pass for numbers.
@pytest.mark.parametrize("cv", [3, KFold(3)])
@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: make_pipeline(StandardScaler(), model)])
def test_a_search_decides_for_its_folds(wrap, cv):
    X, y = letters(156)
    settings = {"n_pretrain": [0, 5], "cv": cv, "error_score": "raise"}
    search = PretrainThresholdSearch(wrap(GreedyPrunedMLP(**SMALL)), **settings).fit(X, y)
    expected = PretrainThresholdSearch(wrap(GreedyPrunedMLPClassifier(**SMALL)), **settings).fit(X, y)
    np.testing.assert_array_equal(search.scores_, expected.scores_)
    assert search.classes_.tolist() == list(range(26))


def test_a_search_without_a_path_decides_for_its_folds():
    X, y = letters(156)
    settings = {"n_pretrain": [0, 5], "cv": 3, "error_score": "raise", "param": "n_retrain"}
    search = PretrainThresholdSearch(GreedyPrunedMLP(**SMALL), **settings).fit(X, y)
    expected = PretrainThresholdSearch(GreedyPrunedMLPClassifier(**SMALL), **settings).fit(X, y)
    np.testing.assert_array_equal(search.scores_, expected.scores_)


@pytest.mark.parametrize("score_on", ["train", "test"])
@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: make_pipeline(StandardScaler(), model)])
def test_a_curve_decides_for_its_subsets(wrap, score_on):
    X, y = letters(400)
    settings = {"train_sizes": [60, 240], "n_repeats": 1, "n_pretrain": [0, 5], "target": "best", "score_on": score_on}
    curve = pretrain_threshold_curve(wrap(GreedyPrunedMLP(**SMALL)), X, y, **settings, random_state=0)
    expected = pretrain_threshold_curve(wrap(GreedyPrunedMLPClassifier(**SMALL)), X, y, **settings, random_state=0)
    np.testing.assert_array_equal(curve.target_scores, expected.target_scores)


@pytest.mark.parametrize("y", [Y, Y[:, None]])
def test_a_curve_takes_numbers_for_numbers(y):
    settings = {"train_sizes": [50, 442], "n_repeats": 1, "n_pretrain": [0, 5], "random_state": 0}
    curve = pretrain_threshold_curve(GreedyPrunedMLP(**SMALL), X, y, **settings)
    expected = pretrain_threshold_curve(GreedyPrunedMLPRegressor(**SMALL), X, y, **settings)
    np.testing.assert_array_equal(curve.target_scores, expected.target_scores)


def test_the_decision_is_for_one_fit():
    search = PretrainThresholdSearch(GreedyPrunedMLP(**SMALL), n_pretrain=[0, 5], cv=2).fit(X, Y)
    assert is_classifier(clone(search.best_estimator_))
    assert search.best_estimator_.fit(IRIS_X, IRIS_Y).classes_.tolist() == [0, 1, 2]
    assert is_classifier(search.estimator)


def test_a_decision_survives_cloning_and_a_failed_fit():
    settled = GreedyPrunedMLP(**SMALL)._hook_settled_on(Y)
    assert is_regressor(settled)
    assert is_regressor(clone(clone(settled)))
    with pytest.raises(ValueError, match="NaN"):
        settled.fit(X * np.nan, Y)
    assert is_regressor(settled)
    assert is_regressor(settled.fit(IRIS_X, IRIS_Y))
    assert is_classifier(settled.fit(IRIS_X, IRIS_Y))


DOUBTFUL_LABELS = {
    "whole numbers with gaps": Y.astype(int),
    "counts stored as floats": np.round(np.random.default_rng(0).uniform(0, 60, 442)) * 3,
    "a column of them": Y[:, None].astype(int),
    "nullable": pd.Series(Y, dtype="Int64"),
}


@pytest.mark.parametrize("kind", DOUBTFUL_LABELS)
def test_labels_that_may_be_numbers_are_named(kind):
    y = DOUBTFUL_LABELS[kind]
    with pytest.warns(UserWarning, match=r"whole numbers.*taken for labels.*GreedyPrunedMLPRegressor"):
        assert is_classifier(GreedyPrunedMLP(**SMALL).fit(X, y))
    with pytest.warns(UserWarning, match="GreedyPrunedMLPRegressor") as seen:
        list(GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=[0]))
    assert len([one for one in seen if "taken for labels" in str(one.message)]) == 1


def test_numbers_that_may_be_labels_are_named():
    few = letters(78)
    with pytest.warns(UserWarning, match=r"0 to 25.*taken for numbers.*GreedyPrunedMLPClassifier"):
        assert is_regressor(GreedyPrunedMLP(**SMALL).fit(*few))


CURVE = {"train_sizes": [40, 78], "n_repeats": 1, "n_pretrain": [0, 5], "target": "best"}
IN_DOUBT = {
    "fit": lambda X, y: GreedyPrunedMLP(**SMALL).fit(X, y),
    "partial_fit": lambda X, y: GreedyPrunedMLP(**SMALL).partial_fit(X, y),
    "fit_path": lambda X, y: GreedyPrunedMLP(**SMALL).fit_path(X, y, n_pretrain=[0]),
    "pipeline": lambda X, y: make_pipeline(StandardScaler(), GreedyPrunedMLP(**SMALL)).fit(X, y),
    "search": lambda X, y: PretrainThresholdSearch(GreedyPrunedMLP(**SMALL), n_pretrain=[0, 5], cv=2).fit(X, y),
    "curve": lambda X, y: pretrain_threshold_curve(GreedyPrunedMLP(**SMALL), X, y, **CURVE),
    "display": lambda X, y: PretrainThresholdDisplay.from_estimator(
        GreedyPrunedMLP(**SMALL), X, y, n_pretrain=[0], cv=2
    ),
}


@pytest.mark.parametrize("way", IN_DOUBT)
def test_a_doubt_is_named_once_at_the_line_of_the_call(way):
    with pytest.warns(UserWarning, match="taken for numbers") as seen:
        IN_DOUBT[way](*letters(78))
    assert [one.filename for one in seen] == [__file__]
    assert Path(__file__).read_text(encoding="utf-8").splitlines()[seen[0].lineno - 1].startswith(f'    "{way}": ')


@pytest.mark.parametrize(
    "y",
    [
        Y,
        Y + 0.5,
        np.arange(442.0),
        np.arange(442) % 100,  # classes are numbered without gaps, from zero or one
        np.arange(442) % 60 + 1.0,
        np.arange(442) % 3 * 100,
        (np.arange(442) % 100).astype(str),
        np.column_stack([Y, Y]),
        np.column_stack([Y > 100, Y > 200]),
    ],
)
def test_ordinary_targets_are_taken_without_a_word(y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GreedyPrunedMLP(**SMALL).fit(X, y)


def test_who_names_the_task_is_not_asked():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DataConversionWarning)
        GreedyPrunedMLPRegressor(**SMALL).fit(X, Y.astype(int))
        with pytest.raises(ValueError, match="not what the dense network"):
            GreedyPrunedMLP(**SMALL).partial_fit(X, Y.astype(int), classes=np.unique(Y).astype(int)).partial_fit(
                X, Y.astype(int), classes=[1, 2]
            )


def test_scikit_learns_own_search_can_not_be_told():
    # The documented limit: scikit-learn splits before anything is fitted, so that numbers want the regressor.
    with pytest.raises(ValueError, match="n_splits=10 cannot be greater"):
        GridSearchCV(GreedyPrunedMLP(**SMALL), {"k": [2]}, cv=10).fit(X, Y)
    GridSearchCV(GreedyPrunedMLPRegressor(**SMALL), {"k": [2]}, cv=10).fit(X, Y)
