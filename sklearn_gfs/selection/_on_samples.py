"""
Values for which sums of products are too inexact, from the samples: scores of a few atoms, the gap, losses of a path.
Here residuals are computed on the samples and then squared, so that a small loss is not a difference of large values.
The atoms come in batches of samples from the sources in ``_gram``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array

from . import _greedy_kernels as kernels
from ._blocks import batches
from ._gram import ArrayAtoms
from ._loss_kernels import add_losses
from ._protocol import Source


class SampledPath:
    """The picks of a path on the samples; sums of picks are computed when needed."""

    def __init__(self, source: Source, radius: float, *, signed: bool) -> None:
        self.source = source
        self.radius = radius
        self.signed = signed
        self.y = source.y
        self.weight = source.row_weights()
        self._ahead = np.zeros(self.y.shape)
        self._n_added = 0

    def _residual(self, state: kernels.State, n_picks: int) -> Float64Array:
        """Return the sum of the first `n_picks` picks minus `n_picks` times y, (n_samples, n_outputs)."""
        if self._n_added < n_picks:
            new = slice(self._n_added, n_picks)
            atoms, picks, counts = np.unique(state.picks[new], return_inverse=True, return_counts=True)
            coefs = np.zeros((len(atoms), state.directions.shape[1]))
            np.add.at(coefs, picks, self.radius * state.directions[new])
            if isinstance(self.source, ArrayAtoms) and self.source.output_weights is not None and self.y.shape[1] > 1:
                # No neuron alone comes near several targets: no digits are lost by adding up the neurons first.
                for rows in batches(len(self.y), len(atoms)):
                    self._ahead[rows] += self.source.combined(atoms, coefs, rows) - counts.sum() * self.y[rows]
            else:
                for rows in batches(len(self.y), len(atoms) * self.y.shape[1]):
                    moved = coefs * self.source.outputs(atoms, rows) - counts[:, None] * self.y[rows, None]
                    self._ahead[rows] += moved.sum(axis=1)
        self._n_added = n_picks
        return self._ahead

    def distances(
        self, state: kernels.State, n_picks: int, atoms: NDArray[np.int64]
    ) -> tuple[Float64Array, Float64Array]:
        """Return the squared distances to y with each of these atoms, and their directions, (n_atoms, n_directions)."""
        residual = self._residual(state, n_picks)
        directions = np.ones((len(atoms), state.directions.shape[1]))
        if self.signed:
            slopes = self._slopes(self.weight * (residual - self.y), atoms, state.directions.shape[1])
            lengths = np.sqrt((slopes**2).sum(axis=1, keepdims=True))
            directions = np.divide(-slopes, lengths, out=_first_direction(slopes), where=lengths > 0)
        return self._moved(residual, atoms, directions), directions

    def distance_as_it_is(self, state: kernels.State, n_picks: int, atom: int) -> float:
        """Return the squared distance to y with an atom in its own direction."""
        direction = _first_direction(state.directions[:1])
        return float(self._moved(self._residual(state, n_picks), np.array([atom]), direction)[0])

    def _moved(self, residual: Float64Array, atoms: NDArray[np.int64], directions: Float64Array) -> Float64Array:
        """Return the squared distances to y with each atom in its direction, given the residual without them."""
        distances = np.zeros(len(atoms))
        for rows in batches(len(residual), len(atoms) * residual.shape[1]):
            moved = self.source.outputs(atoms, rows) * (self.radius * directions)
            moved = (moved - self.y[rows, None]) + residual[rows, None]
            distances += np.einsum("rao,rao,r->a", moved, moved, self.weight[rows, 0])
        return distances

    def _slopes(self, gradient: Float64Array, atoms: NDArray[np.int64], n_directions: int) -> Float64Array:
        """Return the inner products of the atoms with the gradient, (n_atoms, n_directions)."""
        slopes = np.zeros((len(atoms), n_directions))
        for rows in batches(len(gradient), len(atoms) * gradient.shape[1]):
            outputs = self.source.outputs(atoms, rows)
            if n_directions > 1:
                slopes += outputs[:, :, 0].T @ gradient[rows]
            else:
                slopes[:, 0] += np.einsum("rao,ro->a", outputs, gradient[rows])
        return slopes

    def gap(self, state: kernels.State, n_picks: int, longest: float, known_to: float) -> float:
        """Return the Frank-Wolfe gap, or a bound of it below `known_to`; `longest` is the largest norm of an atom."""
        residual = self._residual(state, n_picks) / n_picks
        gradient = self.weight * residual
        product = float(np.sum(gradient * (residual + self.y)))
        bound = gap_bound(0.5 * np.sum(gradient * residual), self.radius * longest)
        if bound <= known_to:
            return float(bound)
        slopes = self._slopes(gradient, np.arange(self.source.n_atoms), state.directions.shape[1])
        steepest = np.sqrt((slopes**2).sum(axis=1)).max() if self.signed else -slopes.min()
        return max(product + self.radius * float(steepest), 0.0)

    def losses(self, state: kernels.State, wanted: NDArray[np.bool_]) -> None:
        """Compute the losses that are wanted; the last one wanted ends the path."""
        n_picks = int(np.flatnonzero(wanted)[-1]) + 1
        atoms, picks = np.unique(state.picks[:n_picks], return_inverse=True)
        state.losses[: len(wanted)][wanted] = 0.0
        for rows in batches(len(self.y), len(atoms) * self.y.shape[1]):
            add_losses(
                picks,
                state.directions,
                self.radius,
                np.ascontiguousarray(self.source.outputs(atoms, rows).transpose(1, 2, 0)),
                np.ascontiguousarray(self.y[rows].T),
                np.ascontiguousarray(self.weight[rows, 0]),
                wanted[:n_picks],
                state.losses,
            )


def gap_bound(loss: Any, reach: float) -> Any:
    """Return a bound of the gap by Cauchy and Schwarz, given the loss and the largest norm of a point of the hull."""
    return 2.0 * reach * np.sqrt(2.0 * loss)


def _first_direction(like: Float64Array) -> Float64Array:
    """Return the directions of atoms that are not turned."""
    directions = np.zeros_like(like)
    directions[:, 0] = 1.0
    return directions
