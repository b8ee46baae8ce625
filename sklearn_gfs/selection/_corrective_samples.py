"""
Computations of a corrective search on the samples: products of a few atoms in float64, and small losses.

The atoms come in batches of samples from the sources in ``_gram``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array

from ._blocks import add_up, batches
from ._corrective_path import CorrectivePath, weights_after
from ._protocol import CentredSource, Source


def _read(
    source: Source, atoms: NDArray[np.int64], turn: tuple[int, int] = (0, 1)
) -> Iterator[tuple[Float64Array, Float64Array, Float64Array]]:
    """Yield batches of some atoms as (values, y, weights), copies in float64 with a row for each output of a sample."""
    weights, y = source.row_weights(), source.y
    # Several outputs of an atom share one target.
    n_values = y.shape[1] + len(atoms) * (y.shape[1] // source.n_targets)
    for rows in batches(len(y), n_values, turn):
        values = source.outputs(atoms, rows)
        n_outputs = values.shape[2]
        values = values.transpose(0, 2, 1).reshape(-1, len(atoms))
        yield values, y[rows].reshape(len(values), -1), np.repeat(weights[rows], n_outputs, axis=0)


class ExactProducts:
    """
    Products of some atoms in float64, with each other and with y, computed when first needed.

    With a free intercept products are about the means, and `centred` is the centred source.
    """

    def __init__(self, source: Source, centred: CentredSource | None) -> None:
        self._source, self._centred = source, centred
        self._atoms = np.empty(0, dtype=np.int64)
        self._pivots = self._means = np.empty(0)  # what is taken off the atoms, and the means of what that leaves
        self._gram = np.empty((0, 0))
        self._c = np.empty((source.n_targets, 0))

    def of(self, atoms: NDArray[np.int64]) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Return the means of the atoms (zero without a free intercept), their Gram matrix and products with y."""
        self._add(np.setdiff1d(atoms, self._atoms))
        order = np.argsort(self._atoms)
        places = order[np.searchsorted(self._atoms, atoms, sorter=order)]
        gram, c, means = self._gram[np.ix_(places, places)], self._c[:, places], self._means[places]
        if self._centred is None:
            return np.zeros(len(atoms)), gram, c
        return self._pivots[places] + means, gram - np.outer(means, means), c

    def _add(self, new: NDArray[np.int64]) -> None:
        """Make the products of atoms that have none yet with each other and with all the others."""
        if not len(new):
            return
        n_known, atoms = len(self._atoms), np.concatenate([self._atoms, new])
        pivots = self._pivots
        if self._centred is not None:
            pivots = np.concatenate([pivots, self._centred.means[new]])
        products, c, means = np.zeros((len(new), len(atoms))), np.zeros((len(self._c), len(new))), np.zeros(len(new))

        def work(turn: tuple[int, int], products: Float64Array, c: Float64Array, means: Float64Array) -> None:
            for values, y, weight in _read(self._source, atoms, turn):
                if self._centred is not None:
                    values -= pivots
                root = np.sqrt(weight)
                values *= root
                known, added = values[:, :n_known], values[:, n_known:]
                products[:, :n_known] += added.T @ known
                products[:, n_known:] += added.T @ added  # a symmetric product takes half the time
                c += (y * root).T @ added
                means += root[:, 0] @ added

        add_up(work, self._source.n_threads, products, c, means)
        gram = np.empty((len(atoms), len(atoms)))
        gram[:n_known, :n_known] = self._gram
        gram[n_known:] = products
        gram[:n_known, n_known:] = products[:, :n_known].T
        self._atoms, self._gram, self._pivots = atoms, gram, pivots
        self._c, self._means = np.concatenate([self._c, c], axis=1), np.concatenate([self._means, means])


def losses_on_samples(
    source: Source, path: CorrectivePath, steps: NDArray[np.int64], means: Float64Array | None
) -> Float64Array:
    """Return the losses after some picks, from residuals; with a free intercept `means` are those of the picks."""
    weights = weights_after(path, steps)
    squares, left = np.zeros((2, len(steps), weights.shape[2]))
    for values, y, weight in _read(source, path.picks):
        residuals = y - (values if means is None else values - means) @ weights
        squares += (weight * residuals**2).sum(axis=1)
        left += (weight * residuals).sum(axis=1)
    return 0.5 * np.maximum(squares if means is None else squares - left**2, 0.0).sum(axis=1)
