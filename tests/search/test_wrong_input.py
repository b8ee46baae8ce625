"""Wrong parameters of a search are refused with an error that names them."""

import numpy as np
import pytest
from path_double import PathClassifier
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_gfs import PretrainThresholdSearch


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
        ({"param": "k", "k": [1, 2]}, r"k must be None where param names the same parameter, got \[1, 2\]"),
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
