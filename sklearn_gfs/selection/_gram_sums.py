"""
Inner products that are known already, from sums over samples.

Here belongs the source without samples, and its construction from means over samples.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array
from sklearn_gfs._warn import warn_caller

from ._constant import LEAST_ROUNDING
from ._corrective_path import Fitted
from ._gram import Moments
from ._protocol import Source
from ._sample_moments import SampleMoments


class GramAtoms:
    """Atoms of which only inner products are known, and no samples."""

    def __init__(
        self,
        gram: Float64Array,
        moments: Moments,
        *,
        means: Float64Array | None = None,
        output_weights: Float64Array | None = None,
        pivots: Float64Array | None = None,
        rounding: float = LEAST_ROUNDING,
    ) -> None:
        self.gram = gram
        self._pivots = pivots  # means of the atoms, which the centred Gram matrix lacks
        self.means = np.zeros(len(gram)) if means is None else means  # of the atoms, before output weights
        self.raw_norms = np.diagonal(gram) + self.means**2  # where the products are about the means
        self.rounding = rounding
        self.output_weights = output_weights
        self._moments = moments
        self.n_targets = len(moments.c)
        self.n_atoms = len(gram)
        self.n_rows = 0  # reading a column costs nothing
        self.itemsize = gram.itemsize
        self.dtype = np.dtype(np.float64)
        self.has_samples = False
        self.has_rows = False
        self.is_computed = False

    def promote(self, *, about_y: bool) -> bool:  # noqa: ARG002
        """Return False: products are in float64 already."""
        return False

    def approach(self, atoms: NDArray[np.int64]) -> None:
        """Compare errors of products with the variances of some atoms: their products are about the means already."""
        self.raw_norms[atoms] = self.variances(atoms)

    def variances(self, atoms: NDArray[np.int64]) -> Float64Array:
        """Return squared norms of some atoms."""
        return self._moments.norms[atoms]

    def has_target(self) -> bool:
        """Whether y is nonzero on some sample, by its sums."""
        return self._moments.target_norm > 0 or bool(self._moments.c.any())

    def nonzero(self, atoms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return a mask of these atoms that are nonzero on some sample, by their sums."""
        found = (np.diagonal(self.gram)[atoms] > 0) | (self.means[atoms] != 0)
        return found if self.output_weights is None else found & (self.output_weights[atoms] != 0).any(axis=1)

    def moments(self, atoms: NDArray[np.int64] | None = None, out: Float64Array | None = None) -> Moments:
        """Return products with the target and squared norms of all atoms; write Gram columns of `atoms` into `out`."""
        if atoms is not None:
            self.columns(atoms, out)
        return self._moments

    def whole(self) -> Float64Array:
        """Return the Gram matrix, without a copy if it needs no change."""
        unchanged = self.output_weights is None and self._pivots is None
        return self.gram if unchanged else self.columns(np.arange(self.n_atoms))

    def columns(self, atoms: NDArray[np.int64], out: Float64Array | None = None) -> Float64Array:
        """Return Gram columns of the given atoms, as the rows of a (len(atoms), n_atoms) array."""
        out = np.empty((len(atoms), self.n_atoms)) if out is None else out
        np.take(self.gram, atoms, axis=0, out=out, mode="clip")
        if self._pivots is not None:
            out += np.outer(self._pivots[atoms], self._pivots)
        if self.output_weights is not None:
            out *= self.output_weights[atoms] @ self.output_weights.T
        return out

    def among(self, atoms: NDArray[np.int64]) -> Float64Array:
        """Return the Gram matrix of the given atoms among themselves."""
        return self.columns(atoms)[:, atoms]


def as_source(atoms: GramAtoms) -> Source:
    """Return the same object, typed as a source: no search calls methods that need samples."""
    return cast(Source, atoms)


@np.errstate(over="ignore", invalid="ignore")  # the search refuses values that are not finite
def sums_about(pivot: float, moments: SampleMoments, output_weights: Float64Array | None) -> Source:
    """Return the source of products of atoms and targets, each less the pivot."""
    mean_atoms, mean_y = moments.mean_atoms - pivot, moments.mean_y - pivot
    gram = moments.gram + np.outer(mean_atoms, mean_atoms)
    c = moments.c + np.outer(mean_y, mean_atoms)
    norms = np.diagonal(gram).copy()
    target_norm = float(np.sum(moments.target_norms + mean_y**2))
    if output_weights is not None:
        norms *= (output_weights**2).sum(axis=1)
        c = (c * output_weights.T).sum(axis=0, keepdims=True)
    products = Moments(c, norms, target_norm)
    return as_source(GramAtoms(gram, products, means=mean_atoms, output_weights=output_weights))


@np.errstate(over="ignore", invalid="ignore")  # the search refuses values that are not finite
def corrective_sums(moments: SampleMoments, *, neurons: bool) -> tuple[Source, Fitted]:
    """
    Return the source of a corrective selection, and what it solves for.

    Products are about the means beside the free intercept of neurons, and about zero elsewhere.
    """
    means, mean_y = moments.mean_atoms, moments.mean_y
    norms = np.maximum(np.diagonal(moments.gram), 0.0)
    if neurons:
        products = Moments(moments.c, norms, float(moments.target_norms.sum()))
        atoms = GramAtoms(moments.gram, products, means=means, rounding=moments.rounding)
        return as_source(atoms), Fitted.neurons(mean_y)
    c, target_norm = moments.c + np.outer(mean_y, means), float(np.sum(moments.target_norms + mean_y**2))
    products = Moments(c, norms + means**2, target_norm)
    source = as_source(GramAtoms(moments.gram, products, pivots=means))
    return source, Fitted.columns(np.zeros_like(mean_y), len(mean_y))


def warn_imprecise(n_picks: int, share: float) -> None:
    """Warn that the loss after `n_picks` picks is below this share of the sums, which are too inexact for it."""
    warn_caller(
        f"After {n_picks} picks the loss is below {share:g} of the sums that it is computed from. Later losses and "
        "picks are less exact than those of a selection on the samples",
        UserWarning,
    )
