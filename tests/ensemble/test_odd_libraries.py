"""Libraries with a model that is useless or of another shape, weights of any unit, and data of unusual kinds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.datasets import load_breast_cancer, make_classification, make_regression
from sklearn.ensemble import BaggingRegressor, RandomForestClassifier, RandomForestRegressor, VotingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, make_scorer
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor

from ensemble.small import Told, ToldNumbers, named, rows
from sklearn_gfs import GreedyEnsembleClassifier, GreedyEnsembleRegressor, GreedyForwardSelector, prune_forest

RNG = np.random.default_rng(0)
X, Y = make_regression(150, 6, n_targets=2, random_state=0, noise=10)


@pytest.mark.parametrize("diverged", [1e9, 1e100])
def test_a_diverged_model_does_not_make_ties_of_the_others(diverged):
    """Values count as ties by their own size, and not by that of the worst model."""
    y = RNG.normal(size=60)
    tables = [y + scale * RNG.normal(size=60) for scale in (0.5, 0.1, 0.3)]
    for library in (tables, [*tables, diverged * RNG.normal(size=60)]):
        models = named([ToldNumbers(table).fit(rows(60), y) for table in library])
        settings = {"k": 3, "cv": "prefit", "replace": False, "calibrate": False}
        path = GreedyEnsembleRegressor(models, **settings).fit(rows(60), y).selection_path_
        assert path.tolist() == [1, 2, 0]


SEARCHES = [
    {},
    {"replace": False},
    {"n_init": 2},
    {"n_bags": 3},
    {"calibrate": False},
    {"loss": "squared_error", "corrective": True},
    {"loss": "squared_error"},
    {"cv": 2},
]


@pytest.mark.parametrize("settings", [*SEARCHES, {"scoring": "r2"}, {"scoring": "neg_mean_absolute_error"}], ids=str)
@pytest.mark.parametrize(("value", "told"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
def test_a_regressor_that_predicts_no_number_is_named(settings, value, told):
    y = RNG.normal(size=60)
    tables = [y + 0.1, y + RNG.normal(size=60), y.copy()]
    tables[2][7] = value
    models = named([ToldNumbers(table).fit(rows(60), y) for table in tables])
    ensemble = GreedyEnsembleRegressor(models, **{"k": 3, "cv": "prefit", **settings})
    with pytest.raises(ValueError, match=rf"^the estimator 'm2' predicts {told}; all predictions must be finite"):
        ensemble.fit(rows(60), y)


@pytest.mark.parametrize("settings", [*SEARCHES, {"scoring": "accuracy"}, {"scoring": "neg_log_loss"}], ids=str)
def test_a_classifier_that_predicts_no_number_is_named(settings):
    labels = np.resize([0, 1, 2], 60)
    tables = [RNG.dirichlet(np.ones(3), 60) for _ in range(3)]
    tables[1][7, 0] = np.nan
    models = named([Told(table).fit(rows(60), labels) for table in tables])
    ensemble = GreedyEnsembleClassifier(models, **{"k": 3, "cv": "prefit", **settings})
    with pytest.raises(ValueError, match=r"^the estimator 'm1' predicts NaN; all predictions must be finite"):
        ensemble.fit(rows(60), labels)


def test_a_classifier_whose_decisions_are_no_numbers_is_named():
    data, labels = make_classification(100, 8, random_state=0)
    models = named([LinearSVC().fit(data, labels), LinearSVC().fit(data, labels)])
    models[1][1].coef_[:] = np.nan
    with pytest.raises(ValueError, match=r"^the estimator 'm1' predicts NaN; all predictions must be finite"):
        GreedyEnsembleClassifier(models, cv="prefit").fit(data, labels)


@pytest.mark.parametrize("replace", [False, True])
def test_a_tree_that_predicts_no_number_is_named(replace):
    y = Y[:, 0]
    bags = BaggingRegressor(Ridge(), 5, random_state=0).fit(X, y)
    bags.estimators_[2].coef_[:] = np.nan
    with pytest.raises(ValueError, match=r"^the estimator 'tree2' predicts NaN; all predictions must be finite"):
        prune_forest(bags, X, y, 3, replace=replace)
    vote = VotingRegressor([("one", Ridge()), ("other", Ridge())]).fit(X, y)
    vote.estimators_[1].coef_[:] = np.inf
    with pytest.raises(ValueError, match=r"^the estimator 'other' predicts (NaN|infinity); all predictions"):
        prune_forest(vote, np.abs(X), y, 3, replace=replace, oob=False)


@pytest.mark.parametrize("settings", [{}, {"corrective": True}, {"n_bags": 3}], ids=str)
def test_a_regressor_whose_predictions_have_no_squares_is_named(settings):
    y = RNG.normal(size=60)
    models = named([ToldNumbers(table).fit(rows(60), y) for table in (y + 0.1, 1e100 * y)])
    with pytest.raises(ValueError, match=r"^the estimator 'm1' predicts values up to \S+e\+100, too large for their"):
        GreedyEnsembleRegressor(models, k=3, cv="prefit", calibrate=False, **settings).fit(rows(60), y)


@pytest.mark.parametrize("share", [-0.5, 1.5])
def test_a_classifier_whose_probabilities_are_none_is_named(share):
    labels = np.resize([0, 1, 2], 60)
    tables = [RNG.dirichlet(np.ones(3), 60) for _ in range(2)]
    tables[1][7, 0] = share
    models = named([Told(table).fit(rows(60), labels) for table in tables])
    with pytest.raises(ValueError, match=rf"^the estimator 'm1' predicts probabilities such as {share}; they must be"):
        GreedyEnsembleClassifier(models, k=3, cv="prefit", calibrate=False).fit(rows(60), labels)


def test_a_forest_is_pruned_for_as_many_targets_as_it_has():
    one, two = (RandomForestRegressor(8, random_state=0).fit(X, y) for y in (Y[:, 0], Y))
    for forest, y, expected in ((one, Y, r"predicts 1 .* y has 2"), (two, Y[:, 0], r"predicts 2 .* y has 1")):
        for replace in (False, True):
            with pytest.raises(ValueError, match=expected):
                prune_forest(forest, X, y, 3, replace=replace)


@pytest.mark.parametrize("calibrate", [True, False])
def test_models_fitted_elsewhere_have_as_many_targets_as_y(calibrate):
    one, two = LinearRegression().fit(X, Y[:, 0]), LinearRegression().fit(X, Y)
    cases = [((one, two), Y), ((two, one), Y), ((one, two), Y[:, 0]), ((two,), Y[:, 0]), ((one,), Y)]
    for models, y in cases:
        ensemble = GreedyEnsembleRegressor(named(models), cv="prefit", calibrate=calibrate)
        with pytest.raises(ValueError, match=r"the estimator 'm[01]' predicts [12] targets? and y has [12]"):
            ensemble.fit(X, y)


def test_the_unit_of_the_weights_makes_no_difference_to_a_model_without_probabilities():
    data, labels = load_breast_cancer(return_X_y=True)
    data = (data - data.mean(axis=0)) / data.std(axis=0)
    models = [("svc", LinearSVC().fit(data[:280], labels[:280]))]
    data, labels = data[280:], labels[280:]
    weight = RNG.integers(1, 4, size=len(labels))

    def fitted(sample_weight):
        return GreedyEnsembleClassifier(models, cv="prefit").fit(data, labels, sample_weight).predict_proba(data)

    assert_allclose(fitted(np.full(len(labels), 1 / 289)), fitted(None), rtol=1e-6, atol=1e-9)
    assert_allclose(fitted(weight / weight.sum()), fitted(weight), rtol=1e-6, atol=1e-9)
    repeated = GreedyEnsembleClassifier(models, cv="prefit").fit(data.repeat(weight, 0), labels.repeat(weight))
    assert_allclose(repeated.predict_proba(data), fitted(weight), rtol=1e-4, atol=1e-6)


def test_weights_move_what_an_ensemble_says():
    data, labels = load_breast_cancer(return_X_y=True)
    data = (data - data.mean(axis=0)) / data.std(axis=0)
    models = [("line", LogisticRegression()), ("svc", LinearSVC())]
    weight = np.where(np.arange(len(labels)) < 280, 0.1, 0.9)
    one, other = (GreedyEnsembleClassifier(models).fit(data, labels, some) for some in (None, weight))
    assert np.abs(one.predict_proba(data) - other.predict_proba(data)).max() > 0.02


@pytest.mark.parametrize("corrective", [True, False])
def test_weights_that_are_whole_are_repetition_and_zero_is_absence(corrective):
    y = Y[:, 0]
    library = (LinearRegression(), DecisionTreeRegressor(max_depth=3, random_state=0), Ridge(100))
    models = named([model.fit(X[:60], y[:60]) for model in library])
    data, numbers = X[60:90], y[60:90]
    weight = np.resize([0, 1, 0, 0, 3], 30)

    def weights(*fitted_to):
        return GreedyEnsembleRegressor(models, cv="prefit", corrective=corrective).fit(*fitted_to).weights_

    expected = weights(np.repeat(data, weight, axis=0), np.repeat(numbers, weight))
    assert_allclose(weights(data, numbers, weight), expected, atol=1e-9)
    some = weight > 0
    assert_allclose(weights(data[some], numbers[some], weight[some]), expected, atol=1e-9)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_balanced_accuracy_leaves_out_a_class_that_weighs_nothing():
    data, labels = make_classification(200, 8, n_informative=6, n_classes=3, weights=[0.6, 0.3], random_state=0)
    weight = (labels != 2).astype(float)
    models = named([model.fit(data[:100], labels[:100]) for model in (LogisticRegression(), GaussianNB())])
    found = [
        GreedyEnsembleClassifier(models, cv="prefit", scoring=scoring).fit(data[100:], labels[100:], weight[100:])
        for scoring in ("balanced_accuracy", make_scorer(balanced_accuracy_score))
    ]
    assert found[0].weights_.tolist() == found[1].weights_.tolist()


@pytest.mark.parametrize("kind", [sparse.coo_matrix, sparse.coo_array, sparse.csc_matrix, sparse.dok_array])
def test_a_forest_is_pruned_on_any_sparse_matrix(kind):
    forest = RandomForestRegressor(10, random_state=0).fit(X, Y)
    pruned, expected = prune_forest(forest, kind(X), Y, 3), prune_forest(forest, X, Y, 3)
    assert pruned.predict(X).tolist() == expected.predict(X).tolist()


def test_missing_targets_in_a_list_are_named():
    missing = [None, *Y[1:, 0].tolist()]
    labels = [None, *["a", "b"] * 74, "a"]
    forest = RandomForestRegressor(5, random_state=0).fit(X, Y[:, 0])
    trees = RandomForestClassifier(5, random_state=0).fit(X, np.resize(["a", "b"], 150))
    for call in (
        lambda: GreedyForwardSelector(3).fit(X, missing),
        lambda: GreedyForwardSelector(3).fit(X, [[value, 1.0] for value in missing]),
        lambda: prune_forest(forest, X, missing, 3),
        lambda: prune_forest(trees, X, labels, 3),
    ):
        with pytest.raises(ValueError, match="y holds missing values; each sample must have a value"):
            call()


def test_a_member_that_saw_every_sample_is_named_once():
    bags = BaggingRegressor(random_state=0, bootstrap=False, max_features=0.5).fit(X, Y[:, 0])
    with pytest.raises(ValueError, match=r"no sample is out of the bag of tree 0\. Pass new samples, and oob=False"):
        prune_forest(bags, X, Y[:, 0], 3)
