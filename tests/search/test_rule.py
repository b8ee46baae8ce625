"""The threshold rule on made-up tables of scores, against the rule written out in loops."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from sklearn_gfs.search._grid import Grid, StopRule, automatic_budgets, has_levelled_off
from sklearn_gfs.search._rule import check_rule, find_threshold, standard_error, target_score

# Few distinct values, so that ties are the rule; NaN stands for fits that failed.
SCORES = st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0, np.nan])


def naive_threshold(scores, target, margin):
    """For each size: the first row that meets the rule (or None), and whether all later ones do."""
    margin = np.broadcast_to(margin, scores.shape)
    first, sustained = [], []
    for column in range(scores.shape[1]):
        meets = [bool(scores[row, column] >= target - margin[row, column] - 1e-9) for row in range(len(scores))]
        first.append(meets.index(True) if True in meets else None)
        sustained.append(True in meets and all(meets[meets.index(True) :]))
    return first, sustained


@given(
    scores=arrays(float, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=SCORES),
    target=SCORES,
    margin=st.sampled_from([0.0, 0.1, 0.25]),
)
@example(scores=np.array([[0.5], [0.9], [0.4], [0.9]]), target=0.9, margin=0.0)  # falls back again
@example(scores=np.array([[0.9, 0.9], [0.9, 0.9]]), target=0.9, margin=0.0)  # all equal: the smallest point
@example(scores=np.array([[np.nan], [0.9]]), target=0.9, margin=0.0)  # a failed fit is no success
def test_first_point_that_meets_the_rule(scores, target, margin):
    found = find_threshold(scores, target, margin)
    first, sustained = naive_threshold(scores, target, margin)
    assert [row if row >= 0 else None for row in found.first.tolist()] == first
    assert found.sustained.tolist() == sustained
    reached = [(row, column) for column, row in enumerate(first) if row is not None]
    assert (found.row, found.column) == (min(reached) if reached else (-1, -1))


@given(
    scores=arrays(float, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(0, 1)),
    target=st.floats(0, 1),
    margins=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_larger_tolerance_never_asks_for_more(scores, target, margins):
    strict, loose = (find_threshold(scores, target, margin).first for margin in sorted(margins, reverse=False))
    for less, more in zip(loose, strict, strict=True):
        assert more < 0 or 0 <= less <= more


def test_rounding_does_not_decide():
    # 0.88 - 0.06 is a little more than 0.82 in floating point.
    assert 0.88 - 0.06 > 0.82
    assert find_threshold(np.array([[0.82]]), 0.88, 0.06).row == 0
    assert find_threshold(np.array([[0.8199999]]), 0.88, 0.06).row == -1


@pytest.mark.parametrize("unit", [1e-15, 1e-9, 1.0, 1e12])
def test_rounding_is_told_apart_in_any_unit(unit):
    assert find_threshold(np.array([[-1.001], [-1.0]]) * unit, -1.0 * unit, 0.0).row == 1
    assert find_threshold(np.array([[0.82]]) * unit, 0.88 * unit, 0.06 * unit).row == 0
    assert -0.1 - 0.2 < -0.3
    assert find_threshold(np.array([[-0.1 - 0.2]]) * unit, 0.0, 0.3 * unit).row == 0
    assert find_threshold(np.array([[-0.3001]]) * unit, 0.0, 0.3 * unit).row == -1


TABLE = np.array([[[0.1, 0.3], [0.4, 0.6]], [[0.5, 0.5], [0.9, 0.7]], [[0.5, 0.7], [0.6, 0.6]]])
DENSE = np.array([[0.0, 0.0], [0.5, 0.5], [0.9, 1.0]])


def test_targets():
    assert target_score("dense", 0.1, TABLE, DENSE) == (pytest.approx(0.95), 0.1)
    assert target_score("dense", 0.1, TABLE, None) == (pytest.approx(0.6), 0.1)  # the largest point stands in
    assert target_score("dense", 0.1, TABLE[:2], None)[0] == pytest.approx(0.8)
    assert target_score("dense", 0.1, TABLE[:1], None)[0] == pytest.approx(0.5)
    assert target_score("best", 0.0, TABLE, DENSE) == (pytest.approx(0.8), 0.0)
    assert target_score(0.5, 0.0, TABLE, DENSE) == (0.5, 0.0)


def test_one_standard_error_is_that_of_the_reference():
    assert target_score("dense", "1se", TABLE, DENSE)[1] == pytest.approx(0.05)
    assert target_score("best", "1se", TABLE, DENSE)[1] == pytest.approx(0.1)
    np.testing.assert_allclose(target_score(0.5, "1se", TABLE, DENSE)[1], standard_error(TABLE))
    np.testing.assert_allclose(standard_error(TABLE)[0], [0.1, 0.1])


def test_a_percentage_is_of_the_size_of_the_target():
    assert target_score("dense", "10%", TABLE, DENSE) == (pytest.approx(0.95), pytest.approx(0.095))
    assert target_score("best", "50 %", TABLE, DENSE) == (pytest.approx(0.8), pytest.approx(0.4))
    assert target_score(-40.0, "2.5%", TABLE, DENSE) == (-40.0, pytest.approx(1.0))
    assert target_score(0.0, "5%", TABLE, DENSE) == (0.0, 0.0)
    assert target_score(3.0, "0%", TABLE, DENSE) == (3.0, 0.0)


@given(
    errors=arrays(float, array_shapes(min_dims=3, max_dims=3, max_side=4), elements=st.floats(0, 100)),
    unit=st.sampled_from([1e-6, 0.5, 1.0, 1e9]),
    tol=st.sampled_from(["0%", "1%", "25%", ".5%"]),
    target=st.sampled_from(["dense", "best"]),
)
@example(errors=np.zeros((2, 1, 2)), unit=1.0, tol="1%", target="best")  # a perfect model leaves no margin
def test_a_percentage_knows_no_units(errors, unit, tol, target):
    found = []
    for scores in (-errors, -unit * errors):
        goal, margin = target_score(target, tol, scores, None)
        assert margin == float(tol[:-1]) / 100 * abs(goal)
        found.append(
            naive_threshold(
                scores.mean(axis=-1) / unit ** (len(found)), goal / unit ** len(found), margin / unit ** len(found)
            )
        )
    assert found[0] == found[1]


def test_failed_fits_do_not_set_the_target():
    table = TABLE.copy()
    table[1, 1, 0] = np.nan  # the best point
    assert target_score("best", 0.0, table, DENSE)[0] == pytest.approx(0.6)
    goal, margin = target_score("best", "1se", np.full((2, 2, 3), np.nan), DENSE)
    assert np.isnan(goal)
    assert find_threshold(np.full((2, 2), np.nan), goal, margin).row == -1


def test_automatic_budgets_double_every_second_step():
    budgets = automatic_budgets(first=0)
    assert [next(budgets) for _ in range(11)] == [0, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362]
    assert next(automatic_budgets(first=1)) == 16


@pytest.mark.parametrize("n_sizes", [1, 2])
def test_an_automatic_grid_has_a_last_budget(n_sizes):
    grid = Grid("n_pretrain", "k", None, tuple(range(1, n_sizes + 1)), one_run=True)
    stop, seen = StopRule(grid, "score", "test"), []
    for budget in automatic_budgets(first=0):
        for size in (None, *grid.sizes):
            seen.append((budget, size))
            if stop({"budget": budget, "size": size, "dense": size is None, "test_scores": float(budget)}):
                break
        else:
            continue
        break
    assert seen[-1] == (2**15, n_sizes)  # whatever the score gains


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.1, 0.5, 0.9, 0.9], True),
        ([0.1, 0.5, 0.9, 0.95], False),
        ([0.1, 0.5, 0.9, 0.3], True),  # no better than before
        ([-100.0, -10.0, -1.2, -1.0], True),  # 0.2 of 99: less than 1 %
        ([0.5, 0.5, 0.5, 0.5], True),
        ([np.nan, 0.5, np.nan, 0.9], False),
        ([np.nan] * 4, True),
    ],
)
def test_levelling_off(scores, expected):
    assert has_levelled_off([0, 64, 128, 256], scores) is expected


def test_without_a_dense_network_the_largest_size_ends_the_grid():
    grid = Grid("max_iter", "k", None, (1, 2), one_run=False)
    for levelled, expected in [(1, 2048), (2, 256)]:
        stop = StopRule(grid, "score", "test")
        budgets = automatic_budgets(first=1)
        while True:
            budget = next(budgets)
            scores = {size: 1.0 if size == levelled else float(min(budget, 1024)) for size in grid.sizes}
            over = [stop({"budget": budget, "size": k, "dense": False, "test_scores": s}) for k, s in scores.items()]
            assert not over[0]
            if over[1]:
                break
        assert budget == expected


def test_the_last_doubling_counts_not_the_last_step():
    assert not has_levelled_off([0, 16, 23, 32], [0.0, 0.5, 0.89, 0.895])
    assert has_levelled_off([0, 16, 23, 32], [0.0, 0.89, 0.5, 0.895])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("densest", 0.1, "test"), "target must be 'dense', 'best' or a number, got 'densest'"),
        ((True, 0.1, "test"), "target must be"),
        ((np.nan, 0.1, "test"), "target must be"),
        (("best", -0.1, "test"), "tol must be '1se', a percentage like '1%' or a number not below 0, got -0.1"),
        (("best", "2se", "test"), "tol must be"),
        (("best", "1", "test"), "tol must be"),
        (("best", "%", "test"), "tol must be"),
        (("best", "-1%", "test"), "tol must be '1se', a percentage like '1%' or a number not below 0, got '-1%'"),
        (("best", "1e9999%", "test"), "tol must be"),
        (("best", "nan%", "test"), "tol must be"),
        (("best", "1%%", "test"), "tol must be"),
        (("best", "1% of it", "test"), "tol must be"),
        (("best", np.inf, "test"), "tol must be"),
        (("best", None, "test"), "tol must be"),
        (("best", 0.1, "all"), "score_on must be 'test' or 'train', got 'all'"),
    ],
)
def test_parameters_that_are_not_allowed(values, message):
    with pytest.raises(ValueError, match=message):
        check_rule(*values)
