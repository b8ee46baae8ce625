"""
Corrective selection for the log loss: picks by the gradient, weights by Newton steps.

Inner products do not give the log loss after a pick. So each pick is the atom along which the penalised loss is
steepest, relative to the atom's norm. Then all weights are solved for again, in ``_penalised_logits``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from sklearn_gfs._typing import Float64Array, GreedyPath
from sklearn_gfs._warn import warn_caller

from ._checks import check_offset
from ._corrective_path import solved_path
from ._labels import Classification
from ._logit_atoms import LogitAtoms
from ._penalised_logits import TOLERANCE, PenalisedLogits
from ._sources import threads_to_select

# Relative difference of slopes below which they are ties.
_TIE = 1e-12
# Least probability of every sample's own class from which the classes count as separated.
_SEPARATED = 1.0 - 1e-6


def correct_logits(data: Classification, k: int, tol: float, *, ridge: float, offset: Any) -> GreedyPath:
    """Make the corrective selection among logits."""
    atoms, output_weights, classes, weight = data
    weight = np.broadcast_to(weight, len(atoms)).copy()
    n_outputs = int(np.prod(atoms.shape[2:])) if output_weights is None else output_weights.shape[1]
    with threads_to_select(atoms.size * n_outputs):
        checked_offset = check_offset(offset, n_outputs)
        logits = LogitAtoms.of(atoms, classes, weight, checked_offset, free_intercept=output_weights is not None)
        return LogLossCorrection(logits, k, ridge).run(tol)


class LogLossCorrection:
    """One corrective selection for the log loss, at one ridge."""

    def __init__(self, logits: LogitAtoms, k: int, ridge: float) -> None:
        self.logits = logits
        self.k = min(k, len(logits.norms))
        self.penalty = ridge * float(logits.norms.mean())
        self.solved = PenalisedLogits(logits, self.penalty)

    def run(self, tol: float) -> GreedyPath:
        """Return the path; it ends with the first gap of at most `tol`."""
        picks: list[int] = []
        losses: list[float] = []
        gaps: list[float] = []
        free = self.logits.norms > 0
        slopes = self._solve()
        while len(picks) < self.k and not (gaps and gaps[-1] <= tol) and not self._separated():
            pick = self._choose(free, slopes)
            if pick < 0:
                break
            free[pick] = False
            if not self.solved.add(pick):
                continue
            picks.append(pick)
            slopes = self._solve()
            losses.append(self.solved.at.loss)
            gaps.append(self._gap(slopes[free]))
        weights = self.solved.weights
        return solved_path(
            np.array(picks, dtype=np.int64),
            np.array(losses),
            np.array(gaps),
            weights,
            self._added(picks),
            n_atoms=len(self.logits.norms),
            flat=self.logits.means is None and weights.shape[1] == 1,
        )

    def _solve(self) -> Float64Array:
        """Minimise the penalised loss over the weights of the picks; return its slopes along all atoms there."""
        self.solved.descend()
        return self.logits.along(self.solved.at.residual)

    def _added(self, picks: list[int]) -> Float64Array:
        """Return the intercept for atoms that are not centred: the offset, plus a free intercept less the means."""
        if self.logits.means is None:
            return self.logits.offset
        intercept, weights = self.solved.at.weights[0], self.solved.weights
        added: Float64Array = self.logits.offset + intercept - self.logits.means[picks] @ weights
        return added

    def _choose(self, free: NDArray[np.bool_], slopes: Float64Array) -> int:
        """Return the atom along which the loss is steepest relative to its norm; -1 if no step gains the tolerance."""
        squares = (slopes**2).sum(axis=1)
        scores = np.divide(squares, self.logits.norms + self.penalty, out=np.full(len(free), -1.0), where=free)
        if scores.max() <= 2.0 * TOLERANCE:
            # The norms bound the second derivatives. For samples that are fitted these are much smaller, so steps gain
            # more.
            bends = self.logits.bends_along(self.solved.at.p, slopes)
            worth = squares > 2.0 * TOLERANCE * (bends + self.penalty)
            if not worth[free].any() and self.solved.n_picks:
                # The picks may leave little of an atom that is far from zero. Steps along what they leave gain more.
                worth = self.solved.gains(slopes) > TOLERANCE
            scores[~worth] = -1.0
        best = scores.max()
        return int(np.argmax(scores >= (1.0 - _TIE) * best)) if best > 0.0 else -1

    def _gap(self, slopes: Float64Array) -> float:
        """Return a bound of the penalised loss minus the least one over all weights, from slopes of the free atoms."""
        penalised = self.solved.at.penalised
        if not self.solved.exact:  # the slopes along the picks are not zero
            return penalised
        steepest = float(np.sum(slopes**2))
        if not self.penalty:
            return penalised if steepest > 0.0 else 0.0
        return min(penalised, steepest / (2.0 * self.penalty) + TOLERANCE)

    def _separated(self) -> bool:
        """Whether there is no least loss, because picks separate the classes without a penalty; warn if so."""
        if self.penalty or not (self.solved.at.own_probability[self.logits.weight > 0] >= _SEPARATED).all():
            return False
        if self.solved.n_picks:
            warn_caller(
                f"{self.solved.n_picks} picks separate the classes, so with ridge=0 no weights have the least loss. "
                "The selection ends with weights that give each sample's class a probability above 1 - 1e-6. With a "
                "ridge above 0 the weights are unique",
                ConvergenceWarning,
            )
        return True
