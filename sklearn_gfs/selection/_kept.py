"""
A selection beside columns that are kept in any case: the other columns, and y, are projected orthogonally to these.
Here belong the projection, and the searches that continue until a number of columns is reached. Kept columns are
treated like an intercept: their coefficients are free, and optimal for every set of picks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array, FloatArray, GreedyPath

from ._corrective import CorrectiveSearch
from ._corrective_path import Fitted
from ._gram import Moments, squared_norms
from ._gram_shared import SharedColumns
from ._protocol import Source
from ._squared_error import SquaredErrorSearch

# Share of a column's squared norm below which its part orthogonal to the kept columns counts as rounding.
_LEAST_LEFT = 1e-9
# The same of a kept column beside those before it. Picks of one search are not compared with each other, so that one
# may have less of its own beside the rest. The loss that they reach counts it.
_LEAST_OWN = 1e-12
# Share of the squared norm of y below which its part orthogonal to the kept atoms counts as rounding.
_ROUNDING = 1e-14


class AtomsBesideKept:
    """
    The atoms of a source that do not depend on the kept atoms, projected orthogonally to these.

    ``atoms`` are their indices in the source; empty if y depends on the kept atoms linearly. Inner products are
    float64, because a projection is a difference. Of kept atoms that depend on each other the first ones count.
    """

    output_weights = None
    n_threads = 1

    def __init__(self, source: Source, kept: NDArray[np.int64]) -> None:
        source.promote(about_y=False)
        self._source, self._kept = source, kept
        columns, moments = source.columns(kept), source.moments()
        self._combinations = _orthonormal(columns[:, kept])
        self._products = self._combinations.T @ columns
        self._targets = moments.c[:, kept] @ self._combinations
        norms = moments.norms - (self._products**2).sum(axis=0)
        left = norms > _LEAST_LEFT * moments.norms
        left[kept] = False
        target_norm = moments.target_norm - float((self._targets**2).sum())
        self.atoms = np.flatnonzero(left & (target_norm > _ROUNDING * moments.target_norm))
        self._said = self._products[:, self.atoms]
        c = moments.c - self._targets @ self._products
        self._moments = Moments(np.ascontiguousarray(c[:, self.atoms]), norms[self.atoms], target_norm)
        self.n_atoms, self.n_targets = len(self.atoms), source.n_targets
        # If the source has no samples, reading a column costs nothing, but its projection does.
        self.n_rows = source.n_rows or self._combinations.shape[1]
        self.itemsize, self.dtype = source.itemsize, np.dtype(np.float64)
        self.has_samples, self.has_rows = source.has_samples, source.has_rows
        self.is_computed = source.is_computed

    def preview(self, n_rows: int) -> tuple[FloatArray, Moments]:
        """Return about `n_rows` rows, scaled so that their inner products are estimates, and their moments."""
        rows, moments = self._source.preview(n_rows)
        directions, products = rows[:, self._kept] @ self._combinations, self._said
        left = np.ascontiguousarray(rows[:, self.atoms] - directions @ products)
        c = moments.c[:, self.atoms] - moments.c[:, self._kept] @ self._combinations @ products
        c -= self._targets @ (directions.T @ left)
        return left, Moments(c, squared_norms(left), self._moments.target_norm)

    def sample(self, atoms: NDArray[np.int64], n_rows: int, turn: tuple[int, int] = (0, 1)) -> FloatArray:
        """Return some atoms on about `n_rows` rows, scaled as in the preview; with `turn` those of this turn only."""
        products = self._combinations @ self._said[:, atoms]
        rows = self._source.sample(self.atoms[atoms], n_rows, turn)
        rows -= self._source.sample(self._kept, n_rows, turn) @ products
        return rows

    def promote(self, *, about_y: bool) -> bool:  # noqa: ARG002
        """Return False: products are in float64 already."""
        return False

    def moments(self, atoms: NDArray[np.int64] | None = None, out: Float64Array | None = None) -> Moments:
        """Return products with the target and squared norms of all atoms; write Gram columns of `atoms` into `out`."""
        if atoms is not None:
            self.columns(atoms, out)
        return self._moments

    def columns(self, atoms: NDArray[np.int64], out: Float64Array | None = None) -> Float64Array:
        """Return Gram columns of the given atoms, as the rows of a (len(atoms), n_atoms) array."""
        chosen = self.atoms[atoms]
        columns = self._source.columns(chosen)[:, self.atoms]
        left: Float64Array = np.subtract(columns, self._said[:, atoms].T @ self._said, out=out)
        return left

    def among(self, atoms: NDArray[np.int64]) -> Float64Array:
        """Return the Gram matrix of the given atoms among themselves."""
        chosen = self.atoms[atoms]
        gram = self._source.among(chosen)
        gram -= self._said[:, atoms].T @ self._said[:, atoms]
        return gram

    def whole(self) -> Float64Array:
        """Return the whole Gram matrix."""
        gram: Float64Array = self._source.whole()[np.ix_(self.atoms, self.atoms)]
        gram -= self._said.T @ self._said
        return gram

    @cached_property
    def _directions(self) -> Float64Array:
        """Orthonormal directions of the kept atoms on the samples, (n_samples, n_directions)."""
        directions: Float64Array = self._source.outputs(self._kept)[:, :, 0] @ self._combinations
        return directions

    @cached_property
    def y(self) -> Float64Array:
        """The targets, projected orthogonally to the kept atoms."""
        left: Float64Array = self._source.y - self._directions @ self._targets.T
        return left

    def row_weights(self) -> Float64Array:
        """Return the weights of the samples, adding up to one, in a column."""
        return self._source.row_weights()

    def outputs(self, atoms: NDArray[np.int64], rows: slice = slice(None)) -> Float64Array:
        """Return outputs of some atoms on some samples, (n_rows, len(atoms), 1), in float64."""
        chosen = self.atoms[atoms]
        said = self._directions[rows] @ self._said[:, atoms]
        left: Float64Array = self._source.outputs(chosen, rows) - said[:, :, None]
        return left

    def has_target(self) -> bool:
        """Whether y does not depend linearly on the kept atoms."""
        return bool(len(self.atoms))

    def nonzero(self, atoms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return a mask of the atoms that are not zero: all, because others are left out."""
        return np.ones(len(atoms), dtype=bool)

    def coefficients(self, weights: Float64Array) -> Float64Array:
        """Return the weights of all atoms of the source; those of the kept atoms are optimal for the given weights."""
        coefficients = np.zeros((len(self._products.T), *weights.shape[1:]))
        coefficients[self.atoms] = weights
        targets = self._targets.T if weights.ndim == 2 else self._targets[0]
        coefficients[self._kept] = self._combinations @ (targets - self._said @ weights)
        return coefficients


def _orthonormal(gram: Float64Array) -> Float64Array:
    """
    Return orthonormal combinations of columns with this Gram matrix, in columns.

    Each column that does not depend on those before it adds a direction. The order is that of the picks, which were
    compared with those kept by then. Other columns have coefficients of zero.
    """
    rows, left, own = np.zeros_like(gram), np.diagonal(gram).copy(), list[int]()
    for i in range(len(gram)):
        if left[i] > _LEAST_OWN * gram[i, i]:
            before, row = rows[: len(own)], rows[len(own)]
            row[i:] = (gram[i, i:] - before[:, i] @ before[:, i:]) / np.sqrt(left[i])
            left[i:] -= row[i:] ** 2
            own.append(i)
    combinations = np.zeros((len(gram), len(own)))
    combinations[own] = np.linalg.inv(rows[: len(own), own])
    return combinations


def select_beside(
    source: Source,
    k: int,
    *,
    radius: float | None,
    tol: float,
    kept: NDArray[np.int64],
    n_distinct: int | None,
) -> tuple[GreedyPath, NDArray[np.bool_]]:
    """
    Return a path in the l1 ball, beside the kept atoms, and a mask of the atoms that are kept or picked.

    The path ends when `n_distinct` atoms are kept or picked. If k picks are too few, the picked atoms are kept and k
    more picks are made beside them, and so on. There are fewer atoms only if no other atom lowers the loss.
    """
    support = np.zeros(source.n_atoms, dtype=bool)
    support[kept] = True
    in_order = kept
    rounds: list[GreedyPath] = []
    while True:
        room = None if n_distinct is None else n_distinct - int(support.sum())
        if room and support.any() and source.has_samples and not isinstance(source, SharedColumns):
            source = SharedColumns(source, room)
        path = _round(source, k, radius=radius, tol=tol, kept=in_order, room=room)
        rounds.append(path)
        support[path.picks] = True
        in_order = np.concatenate([in_order, path.picks[_firsts(path.picks)]])
        if n_distinct is None or support.sum() >= n_distinct or not len(path.picks):
            break
    picks = np.concatenate([path.picks for path in rounds])
    joined = GreedyPath(
        picks,
        np.concatenate([path.losses for path in rounds]),
        np.concatenate([path.gaps for path in rounds]),
        np.bincount(picks, minlength=source.n_atoms),
        rounds[-1].weights,
        next((path.radius for path in reversed(rounds) if len(path.picks)), 0.0),
    )
    return joined, support


def _round(
    source: Source, k: int, *, radius: float | None, tol: float, kept: NDArray[np.int64], room: int | None
) -> GreedyPath:
    """Return the path of one selection beside the kept atoms, with at most `room` distinct picks."""

    def select(others: Source) -> GreedyPath:
        search = SquaredErrorSearch(others, k, signed=True, radius=radius, tol=tol)
        return search.prefix(picks_until(search.run().picks, room))

    return _beside(source, kept, None if room == 0 else select)


def correct_beside(source: Source, k: int, *, ridge: float, tol: float, kept: NDArray[np.int64]) -> GreedyPath:
    """Return a corrective path beside the kept atoms, which have no penalty; counts are those of the picks."""

    def select(others: Source) -> GreedyPath:
        fitted = Fitted.columns(np.zeros(source.n_targets), source.n_targets)
        return CorrectiveSearch(others, k, fitted, tol).warned(ridge)

    path = _beside(source, kept, None if k == 0 else select)
    return path._replace(counts=np.bincount(path.picks, minlength=source.n_atoms))


def _beside(source: Source, kept: NDArray[np.int64], select: Callable[[Source], GreedyPath] | None) -> GreedyPath:
    """Return the path of `select` among the atoms that are not kept, with weights of all atoms; empty without any."""
    beside = AtomsBesideKept(source, kept) if len(kept) else None
    atoms = np.arange(source.n_atoms) if beside is None else beside.atoms
    if len(atoms) and select is not None:
        path = select(source if beside is None else beside)
    else:
        nothing, weights = np.empty(0), np.zeros((len(atoms), source.n_targets))
        none = np.empty(0, dtype=np.int64)
        path = GreedyPath(none, nothing, nothing, none, weights[:, 0] if source.n_targets == 1 else weights)
    weights = path.weights if beside is None else beside.coefficients(path.weights)
    return path._replace(picks=atoms[path.picks], weights=weights)


def picks_until(picks: NDArray[np.int64], n_distinct: int | None) -> int:
    """Return the number of picks until `n_distinct` are distinct; all picks if there are fewer or this is None."""
    first = _firsts(picks)
    return len(picks) if n_distinct is None or n_distinct > len(first) else int(first[n_distinct - 1]) + 1


def _firsts(picks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions, in order, of the picks that none before them repeats."""
    positions: NDArray[np.int64] = np.sort(np.unique(picks, return_index=True)[1])
    return positions
