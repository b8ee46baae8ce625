"""
Atoms as the functions of their hull take them: checked once, and scaled so that averages over samples are plain sums.

Here belongs what the arguments mean; what is computed of them is in ``_hull``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sklearn_gfs._weights import check_values, of_order_one

from ._checks import array, squarable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray


class HullAtoms:
    """
    Atoms, output by output, and the targets that belong to them.

    Parameters
    ----------
    atoms, output_weights, sample_weight : array-like
        As the functions of the hull take them.
    """

    def __init__(self, atoms: ArrayLike, output_weights: ArrayLike | None, sample_weight: ArrayLike | None) -> None:
        values = array("atoms", atoms)
        if values.ndim not in {2, 3} or 0 in values.shape:
            raise ValueError(f"atoms must be a non-empty array of 2 or 3 dimensions, got shape {values.shape}")
        self._values = values
        self._shares = _root_shares(sample_weight, len(values))
        self.n_atoms = values.shape[1]
        self.output_weights = None if output_weights is None else self._checked(output_weights)

    def _checked(self, output_weights: ArrayLike) -> NDArray[np.float64]:
        B, shape = array("output_weights", output_weights), self._values.shape
        if len(shape) != 2 or B.ndim != 2 or B.shape[0] != shape[1]:
            raise ValueError(f"output_weights must be ({shape[1]}, n_outputs) beside 2-d atoms, got {B.shape}")
        return B

    def activations(self) -> NDArray[np.float64]:
        """Return atoms of two dimensions, before output weights, as a scaled (n_samples, n_atoms) array."""
        return squarable("atoms", self._values * self._shares[:, np.newaxis])

    @property
    def n_outputs(self) -> int:
        """Return the number of outputs."""
        if self.output_weights is not None:
            return self.output_weights.shape[1]
        return 1 if self._values.ndim == 2 else self._values.shape[2]

    def blocks(
        self, origin: list[NDArray[np.float64]] | None = None, *, atom: int = 0
    ) -> Iterator[NDArray[np.float64]]:
        """
        Yield, per output, a scaled (n_samples, n_atoms) array of the atoms less a point; less one of them if None.

        No distance depends on the point. What it has in common with the atoms would take digits from the distances, so
        that it goes before anything is rounded. A point far from the atoms that count would take digits itself. All
        outputs at once need not fit memory.
        """
        for output, atoms in enumerate(self._outputs()):
            point = atoms[:, atom] if origin is None else origin[output]
            yield (atoms - point[:, np.newaxis]) * self._shares[:, np.newaxis]

    def _outputs(self) -> Iterator[NDArray[np.float64]]:
        """Yield, per output, the atoms as they are; raise an error if their squares could overflow."""
        shares = self._shares[:, np.newaxis]
        if self.output_weights is not None:
            for column in self.output_weights.T:
                with np.errstate(over="ignore", invalid="ignore"):  # refused in the next line
                    atoms = self._values * column
                    squarable("atoms times output_weights", atoms * shares)
                yield atoms
        else:
            for atoms in np.moveaxis(np.atleast_3d(self._values), 2, 0):
                squarable("atoms", atoms * shares)
                yield atoms

    def columns(self, name: str, targets: ArrayLike) -> list[NDArray[np.float64]]:
        """Return, per output, a column of targets as they are; raise an error if their squares could overflow."""
        Y, n_samples, n_outputs = array(name, targets), len(self._values), self.n_outputs
        if Y.shape not in {(n_samples, n_outputs)} | ({(n_samples,)} if n_outputs == 1 else set()):
            raise ValueError(f"{name} must be of shape ({n_samples}, {n_outputs}) as the atoms are, got {Y.shape}")
        columns = list(Y.reshape(n_samples, -1).T)
        for column in columns:
            squarable(name, self.scaled(column))
        return columns

    def scaled(self, column: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a column in the scale of the blocks."""
        return column * self._shares


def simplex_weights(weights: ArrayLike | None, n_atoms: int) -> NDArray[np.float64]:
    """Return the weights of a point of the hull; equal weights if None."""
    if weights is None:
        return np.full(n_atoms, 1.0 / n_atoms)
    w = array("weights", weights, least=0)
    if w.shape != (n_atoms,) or not math.isclose(w.sum(), 1.0, rel_tol=1e-9):
        raise ValueError(f"weights must be {n_atoms} non-negative numbers of sum 1, got {weights!r}")
    return w


def _root_shares(sample_weight: ArrayLike | None, n_samples: int) -> NDArray[np.float64]:
    """Return the root of each sample's share: rows scaled by it turn averages over samples into plain sums."""
    if sample_weight is None:
        return np.full(n_samples, 1.0 / math.sqrt(n_samples))
    w = of_order_one(check_values(array("sample_weight", sample_weight), n_samples))
    shares: NDArray[np.float64] = np.sqrt(w / w.sum())
    return shares
