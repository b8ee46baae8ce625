"""
The estimators: pre-train a network, prune it, re-train the subnetwork.

Here belongs what joins `network` and `selection`, and what scikit-learn requires of an estimator. How a network is
trained belongs in `network`, how neurons are selected in `selection`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn_gfs._lazy import lazy_names

if TYPE_CHECKING:
    from ._classifier import GreedyPrunedMLPClassifier
    from ._dense import DenseProblem, dense_problem
    from ._inferring import GreedyPrunedMLP
    from ._links import LINKS
    from ._regressor import GreedyPrunedMLPRegressor
    from ._targets import has_several_labels
    from ._trained import prune_network

_HOME = {
    "DenseProblem": "_dense",
    "LINKS": "_links",
    "GreedyPrunedMLP": "_inferring",
    "GreedyPrunedMLPClassifier": "_classifier",
    "GreedyPrunedMLPRegressor": "_regressor",
    "dense_problem": "_dense",
    "has_several_labels": "_targets",
    "prune_network": "_trained",
}

__all__ = [
    "LINKS",
    "DenseProblem",
    "GreedyPrunedMLP",
    "GreedyPrunedMLPClassifier",
    "GreedyPrunedMLPRegressor",
    "dense_problem",
    "has_several_labels",
    "prune_network",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, _HOME)
