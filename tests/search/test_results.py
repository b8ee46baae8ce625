"""Tables of a threshold search, from made-up records."""

import numpy as np
import pytest

from sklearn_gfs.search._grid import Grid
from sklearn_gfs.search._results import dense_columns, score_table


def record(budget, size, score, *, time=0.0):
    return {"budget": budget, "size": size, "dense": size is None, "test_scores": score, "fit_time": time}


def test_dense_columns_are_means_and_spreads_over_folds():
    scores, times = np.array([[0.5, 0.7, 0.9], [0.1, 0.1, 0.4]]), np.array([[1.0, 2.0, 6.0], [3.0, 3.0, 3.0]])
    records = [
        [record(budget, None, score, time=time) for score, time in zip(*rows, strict=True)]
        for budget, *rows in zip((0, 5), scores, times, strict=True)
    ]
    columns = dense_columns(records)
    np.testing.assert_allclose(columns.pop("mean_dense_fit_time"), [3, 3])
    np.testing.assert_allclose(columns.pop("std_dense_fit_time"), [np.std([1, 2, 6]), 0])
    np.testing.assert_allclose(columns.pop("mean_dense_test_score"), scores.mean(axis=1))
    np.testing.assert_allclose(columns.pop("std_dense_test_score"), scores.std(axis=1))
    for fold in range(3):
        np.testing.assert_array_equal(columns.pop(f"split{fold}_dense_test_score"), scores[:, fold])
    assert not columns


@pytest.mark.parametrize("several", [False, True])
def test_a_score_stands_where_its_point_is(several):
    rng = np.random.default_rng(0)
    grid = Grid("n_pretrain", "k", (0, 5, 20), (2, 7), one_run=True)
    table, dense = rng.uniform(size=(3, 2, 4)), rng.uniform(size=(3, 4))
    folds = [
        [
            record(budget, size, {"a": score, "b": -score} if several else score)
            for row, budget in enumerate(grid.budgets)
            for size, score in zip(
                [None, 7, 2], [dense[row, fold], table[row, 1, fold], table[row, 0, fold]], strict=True
            )
        ]
        for fold in range(4)
    ]
    folds[3].pop()  # the last budget's k = 2
    table[2, 0, 3] = np.nan
    sign = -1 if several else 1
    np.testing.assert_array_equal(score_table(folds, grid, "test", "b", dense=False), sign * table)
    np.testing.assert_array_equal(score_table(folds, grid, "test", "b", dense=True), sign * dense)
