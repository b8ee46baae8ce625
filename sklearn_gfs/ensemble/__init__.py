"""
Ensembles: a few of many models, chosen by greedy forward selection, as scikit-learn estimators.

Here belong the meta-estimators, the outputs of the models of a library, selection by scores of any kind, the pruning of
forests, and the candidates of a search as a library. Selection for a loss is in ``sklearn_gfs.selection``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn_gfs._lazy import lazy_names

if TYPE_CHECKING:
    from ._classifier import GreedyEnsembleClassifier
    from ._forest import prune_forest
    from ._regressor import GreedyEnsembleRegressor

_HOME = {
    "GreedyEnsembleClassifier": "_classifier",
    "GreedyEnsembleRegressor": "_regressor",
    "prune_forest": "_forest",
}

__all__ = [
    "GreedyEnsembleClassifier",
    "GreedyEnsembleRegressor",
    "prune_forest",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, _HOME)
