"""
The selection of neurons by inner products, for the squared error: of activations, or of sums over samples.

Activations and networks in, selection paths out; the caller chooses the samples, and which activations are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sklearn_gfs._typing import FloatArray, GreedyPath, IntArray

from ._layer import HiddenLayer

if TYPE_CHECKING:
    from sklearn_gfs.network import Network
    from sklearn_gfs.selection import CorrectivePath, SelectionStatistics


class InnerProducts(NamedTuple):
    """
    The samples of a selection by inner products.

    Parameters
    ----------
    layer : HiddenLayer
    rows : ndarray of shape (n_rows,)
        Indices of the samples.
    targets : callable
        Given the indices of some samples, returns their targets.
    weight : ndarray of shape (n_rows,) or None
        Weights of these samples.
    hidden : array, tensor, ComputedRows or None
        Activations of these samples. With None the products are summed over pieces of the samples.
    """

    layer: HiddenLayer
    rows: IntArray
    targets: Callable[[IntArray], FloatArray]
    weight: FloatArray | None
    hidden: Any = None

    def statistics(self, offset: FloatArray | float) -> SelectionStatistics:
        """Return the sums over the samples that a selection needs; the offset is subtracted from the targets."""
        # numba is loaded by the selection only, never by predictions.
        from sklearn_gfs.selection import SelectionStatistics

        statistics = SelectionStatistics()
        for chunk in self.layer.pieces(len(self.rows)):
            targets = self.targets(self.rows[chunk]) - offset
            statistics.update(self.layer.in_main_memory(self.rows[chunk]), targets, self._weight_of(chunk))
        return statistics

    def select(self, network: Network, k: int) -> GreedyPath:
        """Return the path of k picks."""
        from sklearn_gfs.selection import greedy_forward_selection

        coef, offset = network.output_coef, network.output_intercept
        if self.hidden is None:
            return self.statistics(offset).select(k, output_weights=coef)
        return greedy_forward_selection(
            self.hidden, self.targets(self.rows), k, output_weights=coef, offset=offset, sample_weight=self.weight
        )

    def correct(self, network: Network, k: int, ridges: list[float], tol: float | None) -> list[CorrectivePath]:
        """Return the path of a corrective selection for each ridge: output weights are re-solved after every pick."""
        from sklearn_gfs.selection import corrective_paths

        coef = network.output_coef
        if self.hidden is None:
            return self.statistics(0.0).corrective_paths(k, ridges, output_weights=coef, tol=tol)
        targets = self.targets(self.rows)
        return corrective_paths(
            self.hidden, targets, k, ridges, output_weights=coef, sample_weight=self.weight, tol=tol
        )

    def solve_again(self, paths: list[CorrectivePath]) -> list[CorrectivePath]:
        """Return the paths with weights that are re-solved on these samples."""
        from sklearn_gfs.selection import SelectionStatistics, solved_on_others

        picked = np.unique(np.concatenate([path.picks for path in paths]))
        if not len(picked):
            return paths
        statistics, activations = SelectionStatistics(), self.layer.computed(self.rows, in_main_memory=True)
        for piece in self.layer.pieces(len(self.rows)):
            statistics.update(activations[piece, picked], self.targets(self.rows[piece]), self._weight_of(piece))
        gram, c = statistics.gram / statistics.weight, statistics.c.T / statistics.weight
        target_norm, solved = float(statistics.target_norms.sum() / statistics.weight), []
        for path in paths:
            some = np.searchsorted(picked, path.picks)
            solved.append(
                solved_on_others(
                    path,
                    gram[np.ix_(some, some)],
                    c[some],
                    means=statistics.mean_atoms[some],
                    base=statistics.mean_y,
                    target_norm=target_norm,
                )
            )
        return solved

    def _weight_of(self, chunk: slice) -> FloatArray | None:
        return None if self.weight is None else self.weight[chunk]
