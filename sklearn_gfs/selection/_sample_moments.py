"""
Means over samples from which a selection's inner products follow, of one chunk and of two chunks together.

Here belongs the arithmetic: about the means, so that offsets do no harm, and relative to the sum of the weights,
whose unit then does not matter. What is collected, and selected from, is in ``_statistics``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_gfs._chunks import row_chunks, working_memory
from sklearn_gfs._typing import Float64Array

from ._constant import LEAST_ROUNDING, rounding_of
from ._gram_standardized import shifted


class SampleMoments(NamedTuple):
    """
    Weighted means over samples: of atoms and targets, and of products of centred atoms and targets.

    `rounding` is the variance of a constant atom, as a share of its mean square, in the least exact chunk.
    """

    n_samples: int
    weight: float
    mean_atoms: Float64Array
    mean_y: Float64Array
    gram: Float64Array
    c: Float64Array
    target_norms: Float64Array
    rounding: float = LEAST_ROUNDING


NO_SAMPLES = SampleMoments(0, 0.0, np.zeros(0), np.zeros(0), np.zeros((0, 0)), np.zeros((0, 0)), np.zeros(0))


def check_widths(moments: SampleMoments, n_atoms: int, n_outputs: int) -> None:
    """Raise an error where another chunk does not fit the samples seen."""
    kept = len(moments.mean_atoms), len(moments.mean_y)
    if moments.n_samples and (n_atoms, n_outputs) != kept:
        raise ValueError(
            f"this chunk has {n_atoms} atoms and {n_outputs} outputs; they must be {kept[0]} and {kept[1]} as in the "
            "chunks before"
        )


def combined(kept: SampleMoments, fresh: SampleMoments) -> SampleMoments:
    """
    Moments about the common means, from those about two (Chan, Golub and LeVeque).

    The Gram matrix is made in that of ``fresh``, some rows at a time; nothing of ``kept`` is written to.
    """
    total = kept.weight + fresh.weight
    if not np.isfinite(total):
        raise ValueError("the sum of sample_weight over all chunks is too large a number; use smaller weights")
    if not kept.n_samples:
        return fresh
    # Samples of weight zero count in the number of samples only.
    share, rest = (fresh.weight / total, kept.weight / total) if total else (0.0, 1.0)
    atoms, y = fresh.mean_atoms - kept.mean_atoms, fresh.mean_y - kept.mean_y
    apart_atoms, apart_y = np.sqrt(share * rest) * atoms, np.sqrt(share * rest) * y
    with np.errstate(over="ignore", invalid="ignore"):  # values that are not finite are refused later
        for rows in row_chunks(len(atoms), 8 * len(atoms)):
            fresh.gram[rows] *= share
            fresh.gram[rows] += rest * kept.gram[rows]
            fresh.gram[rows] += np.outer(apart_atoms[rows], apart_atoms)
        moments = SampleMoments(
            kept.n_samples + fresh.n_samples,
            total,
            kept.mean_atoms + share * atoms,
            kept.mean_y + share * y,
            fresh.gram,
            rest * kept.c + share * fresh.c + np.outer(apart_y, apart_atoms),
            rest * kept.target_norms + share * fresh.target_norms + apart_y**2,
            max(kept.rounding, fresh.rounding),
        )
    return _finite(moments)


def moments_of(atoms: Any, y: Float64Array, weight: Float64Array | None) -> SampleMoments:
    """Return the moments of samples, computed chunk by chunk."""
    # Three arrays of a chunk's size are alive at once; a sparse matrix is taken whole.
    chunks = row_chunks(atoms.shape[0], 3 * 8 * atoms.shape[1], working_memory())
    if sparse.issparse(atoms):
        atoms, chunks = atoms.tocsr(), iter([slice(None)])
    moments = NO_SAMPLES
    for rows in chunks:
        chunk = chunk_moments(atoms[rows], y[rows], None if weight is None else weight[rows])
        moments = combined(moments, chunk)
    return moments


def chunk_moments(atoms: Any, y: Float64Array, weight: Float64Array | None) -> SampleMoments:
    """Return the moments of one chunk."""
    n_samples, rounding = atoms.shape[0], rounding_of(atoms)
    with np.errstate(over="ignore", invalid="ignore"):  # values that are not finite are refused later
        total = float(n_samples if weight is None else weight.sum())
        share = np.full(n_samples, 1.0 / n_samples) if weight is None else weight / (total or 1.0)
        mean_y = share @ y
        y = y - mean_y
        weighted = y * share[:, None]
        target_norms = np.einsum("ij,ij->j", y, weighted)
        if sparse.issparse(atoms):
            atoms, pivot = shifted(atoms, share)
            mean = atoms.T @ share
            gram = (atoms.T @ atoms.multiply(share[:, None])).toarray()
            c = np.ascontiguousarray((atoms.T @ weighted).T)
        else:
            atoms = np.asarray(atoms, dtype=np.float64)
            pivot = share @ atoms
            atoms = atoms - pivot
            mean = share @ atoms  # what rounding has left of it
            c = weighted.T @ atoms
            atoms *= np.sqrt(share)[:, None]
            gram = atoms.T @ atoms
        gram -= np.outer(mean, mean)
    return _finite(SampleMoments(n_samples, total, pivot + mean, mean_y, gram, c, target_norms, rounding))


def _finite(moments: SampleMoments) -> SampleMoments:
    """Return the moments, unless there are squares that no number holds; none of the others is larger."""
    for name, squares in (("atoms", np.diagonal(moments.gram)), ("y", moments.target_norms)):
        if not np.isfinite(squares).all():
            raise ValueError(f"{name} contains NaN, infinity or values too large for their squares")
    return moments
