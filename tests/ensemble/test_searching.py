"""The plain search, its criteria and its bags, against loops, scikit-learn's metrics and the fast search."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    get_scorer,
    log_loss,
    mean_absolute_error,
    roc_auc_score,
)

from ensemble.small import libraries
from sklearn_gfs import greedy_forward_selection
from sklearn_gfs.ensemble._criteria import Areas, Score, evaluation
from sklearn_gfs.ensemble._score_kernels import pairs_in_order
from sklearn_gfs.ensemble._searching import Library, Path, Wanted, best_prefix, greedy, loss_of, select

PLAIN = Wanted(1, "log_loss", None, 1, 0.5, 1, replace=True, corrective=False)
RNG = np.random.RandomState(0)


def naive_loss(y, weight, name):
    """The loss of a mean, in plain loops."""
    if name == "log_loss":
        return lambda mean: naive.mean_loss(np.maximum(mean, np.finfo(float).eps), y, weight, "probability_loss")
    targets = y if y.ndim == 2 else np.eye(y.max() + 1)[y]
    return lambda mean: naive.mean_loss(mean, targets, weight, "squared_error")


@given(libraries(), st.sampled_from(["log_loss", "squared_error"]), st.integers(1, 3), st.booleans())
def test_the_plain_search_for_classes_is_that_of_the_oracle(case, loss, n_init, replace):
    outputs, y, weight, k = case
    path = greedy(loss_of(Library(outputs, y, weight), outputs, loss), k, n_init=n_init, replace=replace)
    expected = naive.greedy_by_score(outputs, k, None, naive_loss(y, weight, loss), n_init=n_init, replace=replace)
    np.testing.assert_array_equal(path.picks, expected)
    means = np.cumsum(outputs[path.picks], axis=0) / np.arange(1, len(path.picks) + 1)[:, None, None]
    np.testing.assert_allclose(
        path.losses, [naive_loss(y, weight, loss)(mean) for mean in means], rtol=1e-9, atol=1e-12
    )


@given(libraries(classes=False), st.integers(1, 3), st.booleans())
def test_the_plain_search_for_numbers_is_that_of_the_oracle(case, n_init, replace):
    outputs, y, weight, k = case
    path = greedy(loss_of(Library(outputs, y, weight), outputs, "squared_error"), k, n_init=n_init, replace=replace)
    loss = naive_loss(y, weight, "squared_error")
    assert path.picks.tolist() == naive.greedy_by_score(outputs, k, None, loss, n_init=n_init, replace=replace)


@given(libraries(), st.sampled_from(["log_loss", "squared_error"]))
def test_the_plain_search_is_the_fast_one_where_there_are_both(case, loss):
    outputs, y, weight, k = case
    plain = greedy(loss_of(Library(outputs, y, weight), outputs, loss), k)
    fast = greedy_forward_selection(list(outputs), y, k, loss=loss, from_logits=False, sample_weight=weight)
    np.testing.assert_array_equal(plain.picks, fast.picks)
    np.testing.assert_allclose(plain.losses, fast.losses, rtol=1e-9, atol=1e-12)
    # A probability of zero makes slopes of 1e15, whose differences have few digits.
    np.testing.assert_allclose(plain.gaps, fast.gaps, rtol=1e-6, atol=1e-9)


METRICS = {
    "accuracy": lambda y, mean, w: accuracy_score(y, mean.argmax(axis=1), sample_weight=w),
    "balanced_accuracy": lambda y, mean, w: balanced_accuracy_score(y, mean.argmax(axis=1), sample_weight=w),
    "roc_auc": lambda y, mean, w: roc_auc_score(y, mean[:, 1], sample_weight=w),
    "neg_log_loss": lambda y, mean, w: -log_loss(y, mean, sample_weight=w, labels=range(mean.shape[1])),
}


def evaluate(scoring, y, weight, classes):
    return evaluation(scoring, get_scorer(scoring), np.zeros((len(y), 1)), y, y, classes, weight)


@pytest.mark.parametrize("scoring", METRICS)
@given(libraries())
def test_selection_by_a_score_of_classes_is_that_of_the_oracle(scoring, case):
    outputs, y, weight, k = case
    if scoring == "roc_auc":
        outputs, y = outputs[:, :, :2] / outputs[:, :, :2].sum(axis=2, keepdims=True).clip(1e-9), y % 2
    classes = np.arange(outputs.shape[2])
    score = Score(outputs, evaluate(scoring, y, weight, classes))
    path = greedy(loss_of(Library(outputs, y, weight), outputs, "squared_error"), k, score)
    expected = naive.greedy_by_score(
        outputs, k, lambda mean: METRICS[scoring](y, mean, weight), naive_loss(y, weight, "squared_error")
    )
    means = np.cumsum(outputs[path.picks], axis=0) / np.arange(1, k + 1)[:, None, None]
    np.testing.assert_allclose(path.scores, [METRICS[scoring](y, mean, weight) for mean in means], atol=1e-12)
    assert path.picks.tolist() == expected


@given(libraries(classes=False))
def test_selection_by_the_absolute_error_is_that_of_the_oracle(case):
    outputs, y, weight, k = case

    def score(mean):
        return -mean_absolute_error(y, mean, sample_weight=weight)

    found = Score(outputs, evaluate("neg_mean_absolute_error", y, weight, None))
    path = greedy(loss_of(Library(outputs, y, weight), outputs, "squared_error"), k, found)
    assert path.picks.tolist() == naive.greedy_by_score(outputs, k, score, naive_loss(y, weight, "squared_error"))


@pytest.mark.parametrize("exponent", [-1020, -540, 540, 1022])
@pytest.mark.parametrize("scoring", ["accuracy", "balanced_accuracy", "roc_auc", "neg_mean_absolute_error"])
def test_the_unit_of_weights_changes_no_score(scoring, exponent):
    """Powers of two round nothing."""
    rng = np.random.default_rng(0)
    outputs, weight = rng.uniform(size=(5, 40, 2)), rng.uniform(0.5, 1.0, 40)
    of_numbers = scoring == "neg_mean_absolute_error"
    y, classes = (rng.normal(size=(40, 2)), None) if of_numbers else (rng.integers(0, 2, 40), np.arange(2))
    scores = [
        evaluate(scoring, y, unit * weight, classes)(np.zeros((40, 2)), outputs, 1) for unit in (1.0, 2.0**exponent)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])


@given(st.integers(2, 30), st.integers(0, 2**32 - 1), st.booleans())
def test_the_area_is_that_of_scikit_learn(n_samples, seed, rounded):
    rng = np.random.default_rng(seed)
    score, y, weight = rng.normal(size=n_samples), np.arange(n_samples) % 2, rng.uniform(0.1, 2, n_samples)
    score = np.round(score) if rounded else score
    for some in (weight, None):
        expected = roc_auc_score(y, score, sample_weight=some)
        np.testing.assert_allclose(Areas(y == 1, some).of(score), expected, rtol=1e-12)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.booleans())
def test_pairs_in_order_are_those_of_the_oracle(n_low, n_high, seed, rounded):
    rng = np.random.default_rng(seed)
    low, high = np.sort(rng.normal(size=n_low)), np.sort(rng.normal(size=n_high))
    arguments = (low, rng.uniform(size=n_low), high, rng.uniform(size=n_high))
    if rounded:
        arguments = (np.round(low), arguments[1], np.round(high), arguments[3])
    np.testing.assert_allclose(pairs_in_order(*arguments), naive.pairs_in_order(*arguments), rtol=1e-12, atol=1e-15)


def test_a_score_that_is_no_number_is_an_error():
    outputs, y = np.full((2, 4, 2), 0.5), np.zeros(4, dtype=int)
    score = Score(outputs, evaluate("roc_auc", y, None, np.arange(2)))
    with pytest.raises(ValueError, match="scoring gives a score that is not finite"):
        score.losses(1)


@given(libraries(), st.sampled_from(["log_loss", "squared_error"]), st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_weights_are_a_distribution(case, loss, n_bags, n_init, replace):
    outputs, y, weight, k = case
    wanted = PLAIN._replace(k=k, loss=loss, n_bags=n_bags, n_init=n_init, replace=replace)
    found = select(Library(list(outputs), y, weight), wanted, RNG)
    assert (found.weights >= 0).all()
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.count_nonzero(found.weights) <= k * n_bags
    assert set(np.flatnonzero(found.weights)) <= set(found.path.picks.ravel())


@given(libraries(), st.sampled_from(["log_loss", "squared_error"]))
def test_the_ensemble_is_never_worse_than_the_best_model_on_its_own_data(case, loss):
    outputs, y, weight, k = case
    found = select(Library(list(outputs), y, weight), PLAIN._replace(k=k, loss=loss), RNG)
    mean = np.tensordot(found.weights, outputs, axes=1)
    value = naive_loss(y, weight, loss)
    assert value(mean) <= min(value(output) for output in outputs) + 1e-9


@given(libraries(), st.integers(0, 2**32 - 1))
def test_the_order_of_models_makes_no_difference(case, seed):
    outputs, y, weight, k = case
    order = np.random.default_rng(seed).permutation(len(outputs))
    some = select(Library(list(outputs), y, weight), PLAIN._replace(k=k), RNG)
    other = select(Library(list(outputs[order]), y, weight), PLAIN._replace(k=k), RNG)
    np.testing.assert_allclose(other.path.losses[0], some.path.losses[0], rtol=1e-9, atol=1e-12)
    distinct = {output.tobytes() for output in outputs}
    if len(distinct) == len(outputs) and len(np.unique(outputs)) > 2:  # else ties are broken by the order
        np.testing.assert_allclose(other.weights, some.weights[order], atol=1e-12)


@given(libraries(max_models=5))
def test_a_copy_of_a_model_makes_no_difference(case):
    outputs, y, weight, k = case
    alone = select(Library(list(outputs), y, weight), PLAIN._replace(k=k), RNG)
    beside = select(Library([*outputs, outputs[0]], y, weight), PLAIN._replace(k=k), RNG)
    np.testing.assert_array_equal(beside.weights[:-1], alone.weights)


def test_one_model_gets_all_the_weight():
    outputs = np.random.default_rng(0).dirichlet([1, 1], (1, 9))
    found = select(Library(list(outputs), np.arange(9) % 2, None), PLAIN._replace(k=7), RNG)
    assert found.weights.tolist() == [1.0]
    assert found.n_picks.tolist() == [1]  # of equal prefixes the shortest


def test_the_best_prefix_goes_by_the_score_then_the_loss_then_the_number():
    picks, gaps = np.zeros(4, dtype=int), np.zeros(4)
    assert best_prefix(Path(picks, np.array([3.0, 1.0, 1.0, 2.0]), gaps, None)) == 2
    assert best_prefix(Path(picks, np.array([3.0, 1.0, 2.0, 2.0]), gaps, np.array([0.1, 0.1, 0.9, 0.9]))) == 3
    assert best_prefix(Path(picks, np.array([3.0, 1.0, 4.0, 2.0]), gaps, np.array([0.1, 0.1, 0.9, 0.9]))) == 4


def test_a_loss_that_is_rounding_is_zero():
    rng = np.random.default_rng(0)
    y, (one, other) = rng.normal(size=(30, 1)), rng.normal(size=(2, 30, 1))
    library = Library([y + one, y + other, y - one - other, y + 3 * one - 1], y, None)  # the mean of three is y
    for n_init in (1, 2):
        found = select(library, PLAIN._replace(k=30, loss="squared_error", n_init=n_init), RNG)
        assert found.n_picks.tolist() == [3]
    picks, gaps = np.zeros(3, dtype=int), np.zeros(3)
    assert best_prefix(Path(picks, np.array([1.0, 3e-14, 1e-14]), gaps, None)) == 3
    assert best_prefix(Path(picks, np.zeros(3), gaps, None)) == 1


def test_models_that_are_best_alone_tie_as_those_of_a_search_do():
    """The first two hit samples of the same weight; rounding puts the first one, of the greater loss, above."""
    weight, y = np.array([0.1, 0.2, 0.3, 0.4, 0.7]), np.zeros(5, dtype=int)
    hits = np.array([[1, 1, 0, 1, 0], [0, 0, 0, 0, 1], [1, 1, 1, 1, 1]])
    own = np.where(hits, np.array([0.6, 0.9, 0.7])[:, None], 0.4)
    outputs = np.stack([own, 1.0 - own], axis=2)
    score = Score(outputs, evaluate("accuracy", y, weight, np.arange(2)))
    assert 0.0 < score.losses(1)[1] - score.losses(1)[0] < 1e-15
    path = greedy(loss_of(Library(outputs, y, weight), outputs, "log_loss"), 3, score, n_init=3)
    assert path.picks.tolist() == [2, 1, 0]


@given(libraries(classes=False))
def test_corrective_weights_are_those_of_ridge_regression_on_the_chosen_models(case):
    outputs, y, weight, k = case
    wanted = PLAIN._replace(k=k, loss="squared_error", corrective=True)
    if not outputs.any():
        with pytest.raises(ValueError, match="finds no model that lowers the loss"):
            select(Library(list(outputs), y, weight), wanted, RNG)
        return
    found = select(Library(list(outputs), y, weight), wanted, RNG)
    chosen = found.path.picks[: found.n_picks[0]]
    assert set(np.flatnonzero(found.weights)) <= set(chosen)
    gram = [np.mean(np.sum(outputs[i] * outputs[j], axis=1) * weight) / weight.mean() for i in chosen for j in chosen]
    products = [np.mean(np.sum(outputs[i] * y, axis=1) * weight) / weight.mean() for i in chosen]
    mean_square = np.mean([np.mean(np.sum(output**2, axis=1) * weight) / weight.mean() for output in outputs])
    gram = np.reshape(gram, (len(chosen), len(chosen)))
    solutions = [
        np.linalg.solve(gram + ridge * mean_square * np.eye(len(chosen)), products)
        for ridge in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    ]
    assert min(np.abs(found.weights[chosen] - solution).max() for solution in solutions) < 1e-6


def test_corrective_selection_leaves_models_out_that_say_nothing():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(200, 1))
    outputs = [y + rng.normal(size=(200, 1)), y - rng.normal(size=(200, 1)), *rng.normal(size=(30, 200, 1))]
    found = select(Library(outputs, y, None), PLAIN._replace(k=32, loss="squared_error", corrective=True), RNG)
    assert {0, 1} <= set(np.flatnonzero(found.weights))
    assert np.count_nonzero(found.weights) < 12
    with pytest.raises(ValueError, match="finds no model that lowers the loss"):
        select(Library(outputs, 0 * y, None), PLAIN._replace(k=3, loss="squared_error", corrective=True), RNG)


def test_of_equals_a_model_that_was_picked_wins():
    outputs = np.array([[[-3.0]], [[1.0]]])  # (1 - 3) / 2 is as far from zero as 1
    library = Library(outputs, np.zeros((1, 1)), None)
    assert greedy(loss_of(library, outputs, "squared_error"), 2).picks.tolist() == [1, 1]


def test_bags_are_parts_of_the_library():
    rng = np.random.default_rng(0)
    outputs, y = rng.normal(size=(10, 30, 1)), rng.normal(size=(30, 1))
    wanted = PLAIN._replace(k=6, loss="squared_error", n_bags=8, bag_fraction=0.3)
    found = select(Library(list(outputs), y, None), wanted, np.random.RandomState(3))
    assert found.path.picks.shape == found.path.losses.shape == (8, 6)
    assert max(len(set(picks)) for picks in found.path.picks.tolist()) <= 3
    again = np.random.RandomState(3)
    for picks, losses in zip(found.path.picks, found.path.losses, strict=True):
        bag = np.sort(again.choice(10, 3, replace=False))
        path = greedy_forward_selection(outputs[bag, :, 0].T, y[:, 0], 6)
        np.testing.assert_array_equal(picks, bag[path.picks])
        np.testing.assert_allclose(losses, path.losses)
