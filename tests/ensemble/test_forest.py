"""Forests that become smaller ones."""

from __future__ import annotations

import numpy as np
import pytest
from memory import peak
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from sklearn_gfs import GreedyEnsembleClassifier, GreedyEnsembleRegressor, greedy_forward_selection, prune_forest
from sklearn_gfs.ensemble import _forest

X, CODES = make_classification(240, 8, n_informative=4, n_classes=3, random_state=0)
Y = np.array(["ape", "bee", "cat"])[CODES]
X_NEW, Y_NEW = X[160:], Y[160:]
NUMBERS = X[:, 0] * X[:, 1] + X[:, 2] + np.random.default_rng(0).normal(size=240)

FORESTS = {
    "forest": RandomForestClassifier(25, random_state=0),
    "forest of numbers": RandomForestRegressor(25, random_state=0, max_samples=0.6),
    "extra trees": ExtraTreesClassifier(25, bootstrap=True, random_state=0),
    "extra trees of numbers": ExtraTreesRegressor(25, bootstrap=True, random_state=0),
    "bags": BaggingClassifier(DecisionTreeClassifier(max_depth=4), 25, max_features=0.6, random_state=0),
    "bags of votes": BaggingClassifier(RidgeClassifier(), 25, max_samples=0.3, random_state=0),
    "bags without repeats": BaggingRegressor(n_estimators=25, bootstrap=False, max_samples=0.5, random_state=0),
}


def targets_of(forest):
    return Y if is_classifier(forest) else NUMBERS


def outputs_of(forest, data):
    return forest.predict_proba(data) if is_classifier(forest) else forest.predict(data)


@pytest.mark.parametrize("forest", FORESTS.values(), ids=FORESTS)
def test_a_pruned_forest_is_a_forest(forest):
    forest.fit(X, targets_of(forest))
    before = outputs_of(forest, X)
    small = prune_forest(forest, X, targets_of(forest), 7)
    assert type(small) is type(forest)
    assert small.n_estimators == len(small.estimators_) == 7
    assert forest.n_estimators == len(forest.estimators_) == 25
    assert len({id(tree) for tree in small.estimators_}) == 7
    assert {id(tree) for tree in small.estimators_} <= {id(tree) for tree in forest.estimators_}
    singles = [prune_forest(forest, X, targets_of(forest), 25)]
    np.testing.assert_allclose(outputs_of(singles[0], X), before)
    np.testing.assert_array_equal(outputs_of(forest, X), before)
    kept = [next(i for i, tree in enumerate(forest.estimators_) if tree is one) for one in small.estimators_]
    assert kept == sorted(kept)
    parts = [outputs_of(_forest._with_members(forest, [i]), X) for i in kept]
    np.testing.assert_allclose(outputs_of(small, X), np.mean(parts, axis=0))
    assert [s.tolist() for s in small.estimators_samples_] == [forest.estimators_samples_[i].tolist() for i in kept]


def seeds_of(trees):
    return {tree.random_state for tree in trees}


@pytest.mark.parametrize("forest", FORESTS.values(), ids=FORESTS)
def test_a_pruned_forest_grows_new_trees(forest):
    y = targets_of(forest)
    small = clone(forest).fit(X, y)
    for _ in range(3):  # a forest that has grown again is pruned as any other
        small = prune_forest(small, X_NEW, y[160:], 7, oob=False)
        kept = list(small.estimators_)
        small.set_params(warm_start=True, n_estimators=25).fit(X, y)
        assert all(one is other for one, other in zip(small.estimators_, kept, strict=False))
        assert len(seeds_of(small.estimators_)) == 25
    assert forest.random_state == 0


def test_a_pruned_forest_has_a_seed_that_follows_from_the_forest():
    forest = RandomForestRegressor(15, random_state=0).fit(X, NUMBERS)
    seeds = [prune_forest(forest, X, NUMBERS, k).random_state for k in (5, 5, 6)]
    assert seeds[0] == seeds[1] != seeds[2]
    assert {type(seed) for seed in seeds} == {int}
    for state in (None, np.random.RandomState(0)):
        forest = RandomForestRegressor(15, random_state=state).fit(X, NUMBERS)
        assert prune_forest(forest, X, NUMBERS, 5).random_state is state


def test_trees_with_weights_are_refitted_with_seeds_of_their_own():
    forest = RandomForestRegressor(20, random_state=0).fit(X, NUMBERS)
    ensemble = prune_forest(forest, X, NUMBERS, 8, replace=True)
    refitted = [clone(one).fit(X, NUMBERS) for _, one in ensemble.estimators]
    assert len(refitted) > 2
    assert len(seeds_of(one.estimators_[0] for one in refitted)) == len(refitted)


@pytest.mark.parametrize("n_more", [5, 10, 20])
def test_bags_that_have_grown_are_pruned_by_new_samples_only(n_more):
    bags = BaggingRegressor(n_estimators=10, warm_start=True, random_state=0).fit(X[:160], NUMBERS[:160])
    bags.set_params(n_estimators=10 + n_more).fit(X[:160], NUMBERS[:160])
    small = prune_forest(bags, X_NEW, NUMBERS[160:], 5, oob=False)
    assert small.predict(X_NEW).shape == (80,)
    assert not hasattr(small, "estimators_samples_")
    with pytest.raises(ValueError, match=rf"forest grew.*the samples of {n_more} of its {10 + n_more} members"):
        prune_forest(bags, X[:160], NUMBERS[:160], 5)


def naive_products(forest, y):
    """Mean products of residuals over samples out of both bags, pair by pair and sample by sample."""
    targets = (y[:, None] == forest.classes_) * 1.0 if is_classifier(forest) else y[:, None]
    trees = [_forest._with_members(forest, [i]) for i in range(len(forest.estimators_))]
    residuals = [outputs_of(tree, X).reshape(len(X), -1) - targets for tree in trees]
    out = [set(range(len(X))) - set(samples.tolist()) for samples in forest.estimators_samples_]
    n = len(trees)
    return np.array(
        [[np.mean([residuals[i][s] @ residuals[j][s] for s in out[i] & out[j]]) for j in range(n)] for i in range(n)]
    )


@pytest.mark.parametrize("name", ["forest", "forest of numbers", "bags"])
def test_trees_are_judged_by_samples_that_neither_has_seen(name):
    forest = FORESTS[name].fit(X, targets_of(FORESTS[name]))
    products = naive_products(forest, targets_of(forest))
    picks, k = [], 6
    for _ in range(k):
        tried = {i: products[np.ix_([*picks, i], [*picks, i])].sum() for i in range(len(products)) if i not in picks}
        picks.append(min(tried, key=tried.get))
    small = prune_forest(forest, X, targets_of(forest), k)
    assert [id(tree) for tree in small.estimators_] == [id(forest.estimators_[i]) for i in sorted(picks)]


@pytest.mark.parametrize("seed", [8, 15, 77])
def test_losses_and_gaps_out_of_the_bags_go_together(seed):
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(37, 3))
    y = data[:, 0] + rng.normal(size=37)
    forest = RandomForestRegressor(15, random_state=seed).fit(data, y)
    ensemble = prune_forest(forest, data, y, 20, replace=True)
    assert (ensemble.selection_losses_ >= 0).all()
    assert (ensemble.duality_gaps_ >= 0).all()
    # No loss is below what the gaps say is the least.
    at_least = (ensemble.selection_losses_ - ensemble.duality_gaps_).max()
    assert at_least <= ensemble.selection_losses_.min() * (1 + 1e-9)


def test_new_samples_are_used_whole():
    forest = RandomForestClassifier(25, random_state=0).fit(X[:160], Y[:160])
    ensemble = prune_forest(forest, X_NEW, Y_NEW, 9, replace=True, oob=False)
    atoms = [_forest._with_members(forest, [i]).predict_proba(X_NEW) for i in range(25)]
    path = greedy_forward_selection(atoms, Y_NEW, 9)
    best = ensemble.n_picks_
    names = np.array([f"tree{i}" for i in range(25)])
    picked = np.array([name for name, _ in ensemble.estimators])[ensemble.selection_path_]
    np.testing.assert_array_equal(picked, names[path.picks[:best]])
    np.testing.assert_allclose(ensemble.selection_losses_, path.losses[:best])
    assert isinstance(ensemble, GreedyEnsembleClassifier)
    expected = np.tensordot(np.bincount(path.picks[:best], minlength=25) / best, atoms, axes=1)
    np.testing.assert_allclose(ensemble.predict_proba(X_NEW), expected)
    assert ensemble.classes_.tolist() == ["ape", "bee", "cat"]
    assert ensemble.weights_.sum() == pytest.approx(1.0)
    again = ensemble.fit(X_NEW, Y_NEW)  # of the trees that were picked
    assert again.predict(X_NEW).shape == (80,)


def test_what_was_measured_of_the_whole_forest_is_left_out():
    forest = RandomForestRegressor(80, oob_score=True, random_state=0).fit(X, NUMBERS)
    small = prune_forest(forest, X, NUMBERS, 5)
    assert not any(hasattr(small, name) for name in ("oob_score_", "oob_prediction_"))
    assert forest.oob_score_ > 0
    assert small.feature_importances_.shape == (8,)


def test_several_targets():
    y = np.column_stack([NUMBERS, -NUMBERS])
    forest = RandomForestRegressor(15, random_state=0).fit(X, y)
    assert prune_forest(forest, X, y, 5).predict(X).shape == (240, 2)
    ensemble = prune_forest(forest, X, y, 5, replace=True)
    assert isinstance(ensemble, GreedyEnsembleRegressor)
    assert ensemble.predict(X).shape == (240, 2)


VOTES = [("line", LogisticRegression()), ("bayes", GaussianNB()), ("gone", "drop"), ("tree", DecisionTreeClassifier())]


@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_votes_are_pruned_by_new_samples(voting):
    vote = VotingClassifier(VOTES, voting=voting, weights=[3, 1, 1, 1]).fit(X[:160], Y[:160])
    small = prune_forest(vote, X_NEW, Y_NEW, 2, oob=False)
    assert len(small.estimators_) == len(small.estimators) == 2
    assert list(small.named_estimators_) == [name for name, _ in small.estimators]
    assert small.weights is None
    assert set(small.predict(X_NEW)) <= set(Y)
    assert vote.weights == [3, 1, 1, 1]
    ensemble = prune_forest(vote, X_NEW, Y_NEW, 5, replace=True, oob=False)
    assert set(ensemble.named_estimators_) <= {"line", "bayes", "tree"}
    mean = VotingRegressor([("line", LinearRegression()), ("near", KNeighborsRegressor())]).fit(X[:160], NUMBERS[:160])
    assert len(prune_forest(mean, X_NEW, NUMBERS[160:], 1, oob=False).estimators_) == 1


def test_weights_of_samples_count():
    forest = RandomForestClassifier(15, random_state=0).fit(X, Y)
    weight = np.where(np.arange(240) < 120, 1.0, 1e-9)
    some = prune_forest(forest, X, Y, 5, sample_weight=weight)
    seen = _forest._in_bag(forest, 240)[:, :120]
    singles = [_forest._with_members(forest, [i]) for i in range(15)]
    products = _forest._mean_products(singles, X[:120], np.eye(3)[CODES[:120]], None, seen)
    path = _forest.greedy(_forest.SquaredErrorCriterion(products), 5, replace=False)
    assert [id(tree) for tree in some.estimators_] == [id(forest.estimators_[i]) for i in np.sort(path.picks)]


@pytest.mark.parametrize("exponent", [-1020, -540, 540, 1022])
@pytest.mark.parametrize("name", ["forest", "forest of numbers"])
def test_the_unit_of_weights_changes_nothing(name, exponent):
    """Powers of two round nothing."""
    y, weight = targets_of(FORESTS[name]), np.random.default_rng(0).uniform(0.5, 1.0, 240)
    forest = clone(FORESTS[name]).fit(X, y)
    small, scaled = (
        prune_forest(forest, X, y, k=4, oob=True, sample_weight=unit * weight) for unit in (1.0, 2.0**exponent)
    )
    np.testing.assert_array_equal(outputs_of(small, X), outputs_of(scaled, X))


def test_samples_go_through_in_chunks():
    data, y = np.tile(X, (40, 1)), np.tile(NUMBERS, 40)
    forest = RandomForestRegressor(12, max_depth=4, random_state=0).fit(data, y)
    whole = prune_forest(forest, data, y, 4)
    with config_context(working_memory=0.1):
        most, parts = peak(prune_forest, forest, data, y, 4)
    assert [id(tree) for tree in parts.estimators_] == [id(tree) for tree in whole.estimators_]
    assert most < 2 * 12 * 9600 * 8  # what all trees say of all samples, and a copy with weights


@pytest.mark.parametrize(
    "forest", [GradientBoostingClassifier(n_estimators=2), HistGradientBoostingRegressor(), AdaBoostClassifier()]
)
def test_boosting_is_refused_with_the_reason(forest):
    with pytest.raises(TypeError, match=f"forest is a {type(forest).__name__}: each of its members corrects"):
        prune_forest(forest, X, Y)


def test_other_models_are_refused():
    with pytest.raises(TypeError, match=r"forest must be one of RandomForestClassifier, .* got LogisticRegression"):
        prune_forest(LogisticRegression(), X, Y)


@pytest.mark.parametrize(
    ("forest", "options", "message"),
    [
        (RandomForestClassifier(5), {"k": 0}, "'k' parameter"),
        (RandomForestClassifier(5), {"replace": "no"}, "'replace' parameter"),
        (
            ExtraTreesClassifier(5),
            {},
            "fitted on all the samples: pass new ones, and oob=False",
        ),
        (VotingClassifier(VOTES), {}, "VotingClassifier was fitted on all the samples"),
        (BaggingClassifier(n_estimators=5, bootstrap=False), {}, "out of the bag of tree 0"),
    ],
)
def test_what_cannot_be_done_is_said(forest, options, message):
    forest.fit(X, Y)
    with pytest.raises(ValueError, match=message):
        prune_forest(forest, X, Y, **options)


def test_data_that_are_not_the_forest_s_are_said():
    forest = RandomForestClassifier(5, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="X has 80 samples and the forest was fitted on 240"):
        prune_forest(forest, X_NEW, Y_NEW)
    with pytest.raises(ValueError, match=r"y holds labels \['dog'\] beside the forest's"):
        prune_forest(forest, X, np.where(Y == "ape", "dog", Y))
    several = RandomForestClassifier(5).fit(X, np.column_stack([Y, Y]))
    with pytest.raises(ValueError, match="forest has several columns of labels"):
        prune_forest(several, X, np.column_stack([Y, Y]))


def test_a_bag_may_lack_a_class():
    y = np.where(np.arange(240) < 4, "rare", Y)
    bags = BaggingClassifier(make_pipeline(GaussianNB()), 20, max_samples=0.2, random_state=0).fit(X, y)
    assert min(len(one.classes_) for one in bags.estimators_) == 3
    assert prune_forest(bags, X, y, 5).predict_proba(X).shape == (240, 4)


@pytest.mark.parametrize(("weights", "replace"), [("equal", False), ("greedy", True)])
def test_the_former_name_of_replace_warns(weights, replace):
    forest = clone(FORESTS["forest"]).fit(X, CODES)
    with pytest.warns(FutureWarning, match=f"weights='{weights}' is deprecated.*Use replace={replace}"):
        former = prune_forest(forest, X, CODES, k=5, weights=weights)
    now = prune_forest(forest, X, CODES, k=5, replace=replace)
    assert type(former) is type(now)
    np.testing.assert_array_equal(former.predict_proba(X), now.predict_proba(X))
