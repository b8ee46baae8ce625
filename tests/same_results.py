"""What a threshold search and a grid search must agree in."""

import numpy as np


def same_results(search, grid):
    """Assert that a search and a GridSearchCV agree in all but times."""
    for key, expected in grid.cv_results_.items():
        if "time" in key:
            assert len(search.cv_results_[key]) == len(expected)
        elif key == "params":
            assert search.cv_results_[key] == expected
        else:
            np.testing.assert_array_equal(search.cv_results_[key], expected, err_msg=key)
    assert search.best_params_ == grid.best_params_
    assert search.best_score_ == grid.best_score_
    assert search.best_index_ == grid.best_index_
