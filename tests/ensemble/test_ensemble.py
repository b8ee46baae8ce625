"""What the ensembles make of their models: no leaks, only the chosen ones, in the manners of stacking."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ensemble.small import Told, ToldNumbers, named, rows
from sklearn_gfs import GreedyEnsembleClassifier, GreedyEnsembleRegressor, greedy_forward_selection
from sklearn_gfs.ensemble._outputs import votes_of

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["ape", "bee", "cat"])[Y]
NOISY = make_classification(300, 10, n_informative=3, flip_y=0.3, random_state=0)
NUMBERS = make_regression(120, 6, noise=20.0, random_state=0)
CLASSIFIERS = [
    ("bayes", GaussianNB()),
    ("line", LogisticRegression(max_iter=1000)),
    ("tree", DecisionTreeClassifier(max_depth=2, random_state=0)),
    ("stump", DecisionTreeClassifier(max_depth=1, random_state=0)),
]
REGRESSORS = [
    ("line", LinearRegression()),
    ("near", KNeighborsRegressor(5)),
    ("tree", DecisionTreeRegressor(max_depth=4, random_state=0)),
]


@pytest.mark.parametrize(("calibrate", "most"), [(False, 0.3), (True, 0.6)])
def test_a_model_that_knows_its_samples_by_heart_gets_no_weight(calibrate, most):
    """Fails where models are judged on what they were fitted on: one neighbour is never wrong there."""
    models = [("line", LogisticRegression()), ("heart", KNeighborsClassifier(1))]
    ensemble = GreedyEnsembleClassifier(models, 20, calibrate=calibrate).fit(*NOISY)
    assert ensemble.weights_[1] < most
    fitted = [(name, model.fit(*NOISY)) for name, model in models]
    in_sample = GreedyEnsembleClassifier(fitted, 20, cv="prefit", calibrate=calibrate).fit(*NOISY)
    assert in_sample.weights_[1] == 1.0


@pytest.mark.parametrize("cv", [None, 3, KFold(4, shuffle=True, random_state=1)])
@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
def test_the_selection_is_that_of_the_cross_validated_predictions(cv, loss):
    ensemble = GreedyEnsembleClassifier(CLASSIFIERS, 12, cv=cv, loss=loss, calibrate=False).fit(X, NAMES)
    outputs = [cross_val_predict(model, X, NAMES, cv=cv, method="predict_proba") for _, model in CLASSIFIERS]
    path = greedy_forward_selection(outputs, NAMES, 12, loss=loss, from_logits=False)
    np.testing.assert_array_equal(ensemble.selection_path_, path.picks)
    np.testing.assert_allclose(ensemble.selection_losses_, path.losses)
    np.testing.assert_allclose(ensemble.duality_gaps_, path.gaps)
    best = int(np.argmax(path.losses <= path.losses.min() * (1 + 1e-12))) + 1
    assert ensemble.n_picks_ == best
    np.testing.assert_allclose(ensemble.weights_, np.bincount(path.picks[:best], minlength=4) / best)


def test_predictions_are_the_weighted_mean_of_the_chosen_models():
    ensemble = GreedyEnsembleClassifier(CLASSIFIERS, 12, calibrate=False).fit(X, NAMES)
    expected = sum(
        w * clone(model).fit(X, NAMES).predict_proba(X)
        for w, (_, model) in zip(ensemble.weights_, CLASSIFIERS, strict=True)
    )
    np.testing.assert_allclose(ensemble.predict_proba(X), expected)
    np.testing.assert_array_equal(ensemble.predict(X), ensemble.classes_[expected.argmax(axis=1)])
    assert ensemble.score(X, NAMES) > 0.9
    regressor = GreedyEnsembleRegressor(REGRESSORS, 12, calibrate=False).fit(*NUMBERS)
    expected = sum(
        w * clone(model).fit(*NUMBERS).predict(NUMBERS[0])
        for w, (_, model) in zip(regressor.weights_, REGRESSORS, strict=True)
    )
    np.testing.assert_allclose(regressor.predict(NUMBERS[0]), expected)


def told(n_samples=60, n_models=6, seed=0):
    """Models of stored probabilities of which the first ones are good, and the labels."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_samples) % 3
    good = rng.dirichlet(np.ones(3), (n_models, n_samples)) + 2.0 * np.eye(3)[y]
    good[n_models // 2 :] = rng.dirichlet(np.ones(3), (n_models - n_models // 2, n_samples)) + 1e-3
    return [Told(table / table.sum(axis=1, keepdims=True), np.arange(3)) for table in good], y


def test_only_chosen_models_are_kept_and_asked():
    models, y = told()
    ensemble = GreedyEnsembleClassifier(named(models), 8, cv=3).fit(rows(60), y)
    chosen = np.flatnonzero(ensemble.weights_)
    assert 0 < len(chosen) < 6
    assert list(ensemble.named_estimators_) == [f"m{i}" for i in chosen]
    assert list(ensemble.named_estimators_.values()) == ensemble.estimators_
    ensemble.predict(rows(60))
    assert [model.n_asked_ for model in ensemble.estimators_] == [1] * len(chosen)
    assert not any(hasattr(model, "classes_") for model in models)  # clones were fitted


def test_prefit_models_are_used_as_they_are():
    models, y = told()
    fitted = [model.fit(rows(60), y) for model in models]
    ensemble = GreedyEnsembleClassifier(named(fitted), 8, cv="prefit").fit(rows(60), y)
    assert {id(model) for model in ensemble.estimators_} <= {id(model) for model in fitted}
    path = greedy_forward_selection([model.table for model in models], y, 8, loss="log_loss", from_logits=False)
    np.testing.assert_array_equal(ensemble.selection_path_, path.picks)
    unfitted = GreedyEnsembleClassifier([("line", LogisticRegression())], cv="prefit")
    with pytest.raises(ValueError, match="not fitted, as it must be"):
        unfitted.fit(X, Y)


def test_prefit_models_may_know_more_classes_than_the_data():
    models = [(name, clone(model).fit(X, NAMES)) for name, model in CLASSIFIERS]
    some = NAMES != "bee"
    ensemble = GreedyEnsembleClassifier(models, cv="prefit").fit(X[some], NAMES[some])
    assert ensemble.classes_.tolist() == ["ape", "bee", "cat"]
    assert ensemble.predict_proba(X).shape == (150, 3)


def test_a_class_that_a_fold_lacks_has_the_probability_zero_there():
    y = np.where(np.arange(150) < 3, "rare", NAMES)
    assert (y == "rare").sum() == 3
    models = [*CLASSIFIERS, ("svc", SVC(decision_function_shape="ovr")), ("ridge", RidgeClassifier())]
    ensemble = GreedyEnsembleClassifier(models, 10, cv=KFold(5)).fit(X, y)  # all of them lie in the first fold
    assert ensemble.classes_.tolist() == ["ape", "bee", "cat", "rare"]
    np.testing.assert_allclose(ensemble.predict_proba(X).sum(axis=1), 1.0)
    assert np.isfinite(ensemble.selection_losses_).all()


def test_a_fold_of_two_classes_of_three_has_its_decisions_in_the_right_columns():
    order = np.argsort(Y, kind="stable")
    models = [("svc", LinearSVC()), ("ridge", RidgeClassifier())]
    ensemble = GreedyEnsembleClassifier(models, 10, cv=PredefinedSplit(np.repeat([0, 1, 2], 50))).fit(
        X[order], Y[order]
    )
    assert ensemble.predict_proba(X).shape == (150, 3)


def test_a_class_that_a_model_has_not_seen_gets_the_least_of_its_decisions():
    some = Y != 1
    for model in (RidgeClassifier().fit(X[some], Y[some]), LinearSVC().fit(X, Y)):
        votes = votes_of(model, "decision_function", X, np.arange(4))
        seen = model.decision_function(X)
        if seen.ndim == 1:
            seen = np.column_stack([-seen, seen])
        np.testing.assert_array_equal(votes[:, model.classes_], seen)
        for column in set(range(4)) - set(model.classes_.tolist()):
            np.testing.assert_array_equal(votes[:, column], seen.min(axis=1))


def test_columns_that_belong_to_no_class_are_an_error():
    y = np.where(np.arange(150) < 3, 3, Y)
    ensemble = GreedyEnsembleClassifier([("svc", SVC(decision_function_shape="ovo"))], cv=KFold(5))
    with pytest.raises(ValueError, match=r"decision_function of the estimator 'svc' has \[4, 6\] columns"):
        ensemble.fit(X, y)


class Lists(ClassifierMixin, BaseEstimator):
    """Has other classes than those that it was fitted on."""

    def fit(self, X, y):
        self.classes_ = np.array(["x", "y", "z"])
        return self

    def predict_proba(self, X):
        return np.full((len(X), 3), 1 / 3)


def test_other_classes_than_those_of_y_are_an_error():
    with pytest.raises(ValueError, match=r"Lists has the classes \['x', 'y', 'z'\]; they must be among"):
        GreedyEnsembleClassifier([("lists", Lists())]).fit(X, NAMES)


def test_what_is_no_probability_becomes_one():
    models = [("svc", LinearSVC()), ("perceptron", Perceptron()), ("stump", CLASSIFIERS[3][1])]
    ensemble = GreedyEnsembleClassifier(models, 20).fit(X, NAMES)
    methods = {"svc": "decision_function", "perceptron": "decision_function", "stump": "predict_proba"}
    assert ensemble.stack_method_ == [methods[name] for name in ensemble.named_estimators_]
    assert "decision_function" in ensemble.stack_method_
    np.testing.assert_allclose(ensemble.predict_proba(X).sum(axis=1), 1.0)
    assert log_loss(NAMES, ensemble.predict_proba(X)) < 0.3
    votes = GreedyEnsembleClassifier(models, 20, stack_method="predict").fit(X, NAMES)
    assert set(votes.stack_method_) == {"predict"}
    assert votes.score(X, NAMES) > 0.8
    with pytest.raises(ValueError, match="'svc', LinearSVC, does not implement the method predict_proba"):
        GreedyEnsembleClassifier(models, stack_method="predict_proba").fit(X, NAMES)


def test_links_do_not_depend_on_the_unit_of_the_decisions():
    class Big(RidgeClassifier):
        def decision_function(self, X):
            return 1e6 * super().decision_function(X)

    one, other = (GreedyEnsembleClassifier([("m", m)]).fit(X, Y) for m in (RidgeClassifier(), Big()))
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-6)


def test_a_single_split_leaves_the_other_samples_out_of_the_selection():
    split = ShuffleSplit(1, test_size=0.3, random_state=0)
    ensemble = GreedyEnsembleClassifier(CLASSIFIERS, 9, cv=split).fit(X, NAMES)
    train, test = next(split.split(X))
    outputs = [clone(model).fit(X[train], NAMES[train]).predict_proba(X[test]) for _, model in CLASSIFIERS]
    path = greedy_forward_selection(outputs, NAMES[test], 9, loss="log_loss", from_logits=False)
    np.testing.assert_array_equal(ensemble.selection_path_, path.picks)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 150)
    weighted = GreedyEnsembleClassifier(CLASSIFIERS, 9, cv=split, scoring="accuracy").fit(X, NAMES, weight)
    assert len(weighted.selection_scores_) == 9


def test_predictions_of_repeated_splits_are_averaged():
    cv = RepeatedKFold(n_splits=3, n_repeats=2, random_state=0)
    ensemble = GreedyEnsembleRegressor(REGRESSORS, 9, cv=cv, calibrate=False).fit(*NUMBERS)
    splits = list(cv.split(NUMBERS[0]))
    halves = [
        [cross_val_predict(model, *NUMBERS, cv=splits[3 * i : 3 * i + 3]) for i in range(2)] for _, model in REGRESSORS
    ]
    path = greedy_forward_selection([np.mean(half, axis=0) for half in halves], NUMBERS[1], 9)
    np.testing.assert_allclose(ensemble.selection_losses_, path.losses)


def test_no_split_is_an_error():
    with pytest.raises(ValueError, match="cv must yield at least one split"):
        GreedyEnsembleRegressor(REGRESSORS, cv=[]).fit(*NUMBERS)


def test_several_targets():
    data, y = NUMBERS[0], np.column_stack([NUMBERS[1], -2 * NUMBERS[1] + NUMBERS[0][:, 0]])
    ensemble = GreedyEnsembleRegressor(REGRESSORS, 9).fit(data, y)
    assert ensemble.predict(data).shape == (120, 2)
    assert ensemble.n_outputs_ == 2
    assert ensemble.transform(data).shape == (120, 2 * len(ensemble.estimators_))
    assert len(ensemble.get_feature_names_out()) == 2 * len(ensemble.estimators_)
    path = greedy_forward_selection([cross_val_predict(model, data, y) for _, model in REGRESSORS], y, 9)
    np.testing.assert_array_equal(ensemble.selection_path_, path.picks)
    with pytest.raises(ValueError, match=r"y has shape \(120, 2\); it must hold one label a sample"):
        GreedyEnsembleClassifier(CLASSIFIERS).fit(data, y > 0)


def test_dropped_models_keep_their_place():
    ensemble = GreedyEnsembleClassifier(CLASSIFIERS, 9).set_params(bayes="drop", tree__max_depth=3)
    assert dict(CLASSIFIERS)["tree"].max_depth == 3
    dict(CLASSIFIERS)["tree"].set_params(max_depth=2)
    ensemble.fit(X, NAMES)
    assert ensemble.weights_.shape == (4,)
    assert ensemble.weights_[0] == 0.0
    assert 0 not in ensemble.selection_path_
    alone = GreedyEnsembleClassifier(CLASSIFIERS[1:], 9).fit(X, NAMES)
    np.testing.assert_allclose(ensemble.weights_[1:], alone.weights_)
    np.testing.assert_array_equal(ensemble.selection_path_, alone.selection_path_ + 1)
    with pytest.raises(ValueError, match="All estimators are dropped"):
        GreedyEnsembleClassifier([("a", "drop")]).fit(X, Y)


def test_columns_of_transform_have_names():
    ensemble = GreedyEnsembleClassifier(CLASSIFIERS[:2], 9).fit(X, NAMES)
    assert ensemble.get_feature_names_out().tolist() == [
        f"greedyensembleclassifier_{name}{i}" for name in ensemble.named_estimators_ for i in range(3)
    ]
    two = GreedyEnsembleClassifier(CLASSIFIERS, 9).fit(X, Y == 1)
    assert two.get_feature_names_out().tolist() == [
        f"greedyensembleclassifier_{name}" for name in two.named_estimators_
    ]
    mean = two.transform(X) @ two.weights_[two.weights_ > 0]
    np.testing.assert_allclose(two.calibration_(np.column_stack([1 - mean, mean])), two.predict_proba(X))
    frame = two.set_output(transform="pandas").transform(X)
    assert frame.columns.tolist() == two.get_feature_names_out().tolist()


def test_names_of_features_are_those_that_the_models_saw():
    frame = pd.DataFrame(X, columns=list("abcd"))
    ensemble = GreedyEnsembleClassifier(CLASSIFIERS, 5).fit(frame, pd.Series(NAMES, index=np.arange(150)[::-1]))
    assert ensemble.feature_names_in_.tolist() == list("abcd")
    ensemble.fit(X, NAMES)
    assert not hasattr(ensemble, "feature_names_in_")
    assert ensemble.n_features_in_ == 4


def test_an_earlier_fit_leaves_nothing():
    ensemble = GreedyEnsembleClassifier(CLASSIFIERS, 5, scoring="accuracy").fit(X, Y)
    assert len(ensemble.selection_scores_) == 5
    assert not hasattr(ensemble.set_params(scoring=None).fit(X, Y), "selection_scores_")


def test_a_failed_fit_leaves_the_ensemble_as_it_was():
    ensemble = GreedyEnsembleClassifier(CLASSIFIERS, 5).fit(X, Y)
    before = dict(vars(ensemble))
    with pytest.raises(ValueError, match="at least two classes are needed"):
        ensemble.fit(X, np.zeros(150))
    ensemble.set_params(estimators=[("lists", Lists())])
    with pytest.raises(ValueError, match="they must be among"):
        ensemble.fit(X, NAMES)
    assert vars(ensemble) == before | {"estimators": ensemble.estimators}


def test_corrective_weights():
    ensemble = GreedyEnsembleRegressor(REGRESSORS, corrective=True, calibrate=False).fit(*NUMBERS)
    plain = GreedyEnsembleRegressor(REGRESSORS).fit(*NUMBERS)
    assert ensemble.selection_losses_[-1] <= plain.selection_losses_.min() * (1 + 1e-9)
    assert len(set(ensemble.selection_path_.tolist())) == len(ensemble.selection_path_)
    expected = ensemble.transform(NUMBERS[0]) @ ensemble.weights_[ensemble.weights_ != 0]
    np.testing.assert_allclose(ensemble.predict(NUMBERS[0]), expected)
    classifier = GreedyEnsembleClassifier(CLASSIFIERS, loss="squared_error", corrective=True).fit(X, NAMES)
    shares = classifier.predict_proba(X)
    assert shares.min() >= 0.0
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert classifier.score(X, NAMES) > 0.9
    classifier.weights_ = -np.abs(classifier.weights_)
    np.testing.assert_allclose(classifier.predict_proba(X), 1 / 3)
    for name, value in {"loss": "log_loss", "scoring": "accuracy", "n_bags": 2, "n_init": 2, "replace": False}.items():
        with pytest.raises(ValueError, match=f"corrective=True needs {name}="):
            clone(classifier).set_params(**{name: value}).fit(X, NAMES)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"k": 0}, "'k' parameter"),
        ({"loss": "accuracy"}, "'loss' parameter"),
        ({"scoring": ["accuracy"]}, "'scoring' parameter"),
        ({"cv": "fit"}, "'cv' parameter"),
        ({"n_bags": 0}, "'n_bags' parameter"),
        ({"bag_fraction": 0.0}, "'bag_fraction' parameter"),
        ({"bag_fraction": True}, "'bag_fraction' parameter.*Got True instead"),
        ({"n_bags": True}, "'n_bags' parameter.*Got True instead"),
        ({"n_init": 0}, "'n_init' parameter"),
        ({"replace": 1.5}, "'replace' parameter"),
        ({"stack_method": "transform"}, "'stack_method' parameter"),
        ({"estimators": []}, "Invalid 'estimators' attribute"),
        ({"estimators": [("a", LinearRegression())]}, "The estimator LinearRegression should be a classifier"),
        ({"estimators": [("k", GaussianNB())]}, "conflict with constructor arguments"),
    ],
)
def test_parameters_that_are_not_allowed_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        GreedyEnsembleClassifier(CLASSIFIERS).set_params(**parameters).fit(X, Y)


def test_weights_reach_the_models_and_the_selection():
    weight = np.where(np.arange(150) % 2, 1.0, 0.0)
    cv = PredefinedSplit(np.repeat(np.arange(3), 50)[np.random.default_rng(0).permutation(150)])
    some = weight > 0
    whole = GreedyEnsembleClassifier(CLASSIFIERS[:1], 5, cv=cv).fit(X, Y, sample_weight=weight)
    part = GreedyEnsembleClassifier(CLASSIFIERS[:1], 5, cv=PredefinedSplit(cv.test_fold[some])).fit(X[some], Y[some])
    np.testing.assert_allclose(whole.selection_losses_, part.selection_losses_)
    np.testing.assert_allclose(whole.predict_proba(X), part.predict_proba(X), atol=1e-6)
    models, y = told()
    only_first = np.where(np.arange(60) == 0, 1.0, 0.0) + np.where(np.arange(60) == 1, 1e-9, 0.0)
    ensemble = GreedyEnsembleClassifier(named(models), 1, cv=3).fit(rows(60), y, only_first)
    assert ensemble.selection_path_.tolist() == [int(np.argmax([model.table[0, 0] for model in models]))]
    with pytest.raises(TypeError, match="the estimator 'near', KNeighborsClassifier, does not support sample weights"):
        GreedyEnsembleClassifier([("near", KNeighborsClassifier())]).fit(X, Y, sample_weight=weight)


def test_an_error_of_a_model_is_its_own():
    class Odd(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            raise TypeError("odd")

    with pytest.raises(TypeError, match=r"^odd$"):
        GreedyEnsembleClassifier([("odd", Odd())]).fit(X, Y, sample_weight=np.ones(150))


def test_a_scorer_gets_the_weights_the_samples_and_the_labels():
    seen = []

    def scorer(estimator, X, y, sample_weight=None):
        known = set(estimator.predict(X)) <= set(y)
        seen.append((X.shape, len(y), sample_weight.sum(), known, estimator.predict_proba(X).shape))
        return estimator.predict_proba(X)[:, 0].sum()

    ensemble = GreedyEnsembleClassifier(CLASSIFIERS, 3, scoring=scorer).fit(X, NAMES, np.full(150, 2.0))
    assert set(seen) == {((150, 4), 150, 300.0, True, (150, 3))}
    assert len(seen) == 4 * 4  # of every model alone, and at each pick
    assert len(ensemble.selection_scores_) == 3
    regressor = GreedyEnsembleRegressor(REGRESSORS, 3, scoring="neg_median_absolute_error").fit(*NUMBERS)
    assert (regressor.selection_scores_ < 0).all()


def test_groups_go_to_the_splitter():
    groups = np.arange(150) % 7
    ensemble = GreedyEnsembleClassifier(CLASSIFIERS, 5, cv=GroupKFold(3), calibrate=False).fit(X, NAMES, groups=groups)
    outputs = [
        cross_val_predict(model, X, NAMES, cv=GroupKFold(3), groups=groups, method="predict_proba")
        for _, model in CLASSIFIERS
    ]
    path = greedy_forward_selection(outputs, NAMES, 5, loss="log_loss", from_logits=False)
    np.testing.assert_allclose(ensemble.selection_losses_, path.losses)
    with pytest.raises(ValueError, match="colour"):
        ensemble.fit(X, NAMES, colour=groups)


def test_processes_and_threads_give_the_same():
    one, other = (
        GreedyEnsembleClassifier(
            [*CLASSIFIERS, ("forest", RandomForestClassifier(5, random_state=0))], 9, n_jobs=n_jobs
        )
        for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(one.fit(X, NAMES).predict_proba(X), other.fit(X, NAMES).predict_proba(X))


def test_models_may_be_pipelines_of_columns_of_a_frame():
    from sklearn.compose import make_column_transformer

    frame = pd.DataFrame(X, columns=list("abcd")).assign(text=NAMES)
    pick = make_column_transformer((StandardScaler(), ["a", "b"]))
    models = [("some", make_pipeline(pick, LogisticRegression())), ("others", make_pipeline(clone(pick), GaussianNB()))]
    assert GreedyEnsembleClassifier(models, 5, n_init=2).fit(frame, NAMES).predict(frame[:3]).shape == (3,)


def test_the_picture_has_the_models_side_by_side():
    ensemble = GreedyEnsembleClassifier(CLASSIFIERS, 5)
    shown = ensemble._repr_html_()
    assert "sk-parallel" in shown
    assert all(f"<label>{name}</label>" in shown or name in shown for name, _ in CLASSIFIERS)
    fitted = ensemble.fit(X, Y)._repr_html_()
    assert "DecisionTreeClassifier" in shown
    assert "sk-parallel" in fitted


def test_stored_numbers_of_one_column():
    y = np.arange(10.0)
    models = named([ToldNumbers(y + 1.0), ToldNumbers(y - 1.0)])
    ensemble = GreedyEnsembleRegressor(models, 2, cv=StratifiedKFold(2)).fit(rows(10), np.arange(10) % 2)
    assert ensemble.selection_path_.shape == (2,)
    exact = GreedyEnsembleRegressor(models, 2, cv=2, calibrate=False).fit(rows(10), y)
    assert exact.weights_.tolist() == [0.5, 0.5]
    np.testing.assert_allclose(exact.predict(rows(10)), y)


def test_what_is_not_fitted_or_knows_other_labels_is_named():
    with pytest.raises(NotFittedError, match="the estimator 'bayes', GaussianNB, is not fitted"):
        GreedyEnsembleClassifier(CLASSIFIERS, cv="prefit").fit(X, Y)
    with pytest.raises(ValueError, match=r"GaussianNB has the classes \['ape', 'bee', 'cat'\], of which y holds none"):
        GreedyEnsembleClassifier([("a", GaussianNB().fit(X, NAMES))], cv="prefit").fit(X, Y)
    with pytest.raises(ValueError, match=r"as argmax\(axis=1\) of indicators"):
        GreedyEnsembleClassifier(CLASSIFIERS).fit(X, np.eye(3)[Y])
