"""
What a search calls: the methods of a source of inner products, for any storage of the atoms, and those of a loss.

Here belong names and signatures, and no code. ``_gram`` and ``_gram_layouts``,
``_gram_computed``, ``_gram_standardized`` and ``_gram_torch`` read samples, ``_gram_centred`` and ``_kept`` take
something off the atoms of another source, and ``_gram_sums`` has no samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array, FloatArray

from ._gram import Moments

if TYPE_CHECKING:
    import torch


class Source(Protocol):
    """
    Inner products of atoms with each other and with y, as means over the samples in float64.

    Attributes
    ----------
    n_atoms : int
    n_targets : int
        Columns of y, before output weights contract them.
    n_rows, itemsize : int
        Rows of the matrix whose columns are the atoms, and bytes of a value: what a pass over the atoms costs.
    is_computed : bool
        Whether reading the atoms once costs far more than products with them.
    has_samples : bool
        Whether there are samples. Without samples, ``n_threads`` and the methods after it are not called.
    has_rows : bool
        Whether a few rows can be read for a preview.
    dtype : numpy dtype
        Precision of the products.
    output_weights : ndarray of shape (n_atoms, n_outputs) or None
        Atom i is the outer product of column i and row i of these. If not None, `moments` and `columns` also take
        ``products``, rows for Gram columns before output weights.
    n_threads : int
        Number of threads that read the atoms at the same time.
    y : ndarray of shape (n_samples, n_outputs)
        Target of the atoms.
    """

    n_atoms: int
    n_targets: int
    n_rows: int
    itemsize: int
    is_computed: bool
    has_samples: bool
    has_rows: bool

    @property
    def dtype(self) -> np.dtype[Any]: ...

    @property
    def output_weights(self) -> Float64Array | None: ...

    def promote(self, *, about_y: bool) -> bool:
        """Switch to more exact products, in float64 and of the atoms minus y; return whether products changed."""
        ...

    def moments(self, atoms: NDArray[np.int64] | None = None, out: Float64Array | None = None) -> Moments:
        """Return products with the target and squared norms of all atoms; write Gram columns of `atoms` into `out`."""
        ...

    def columns(self, atoms: NDArray[np.int64], out: Float64Array | None = None) -> Float64Array:
        """Return Gram columns of the given atoms, as the rows of a (len(atoms), n_atoms) array."""
        ...

    def whole(self) -> Float64Array:
        """Return the whole Gram matrix."""
        ...

    def has_target(self) -> bool:
        """Whether y is nonzero on some sample of positive weight."""
        ...

    def nonzero(self, atoms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return a mask of these atoms that are nonzero on some sample of positive weight."""
        ...

    @property
    def n_threads(self) -> int: ...

    @property
    def y(self) -> Float64Array: ...

    def preview(self, n_rows: int) -> tuple[FloatArray, Moments]:
        """Return about `n_rows` rows, scaled so that their inner products are estimates, and their moments."""
        ...

    def sample(self, atoms: NDArray[np.int64], n_rows: int, turn: tuple[int, int] = (0, 1)) -> FloatArray:
        """Return some atoms on about `n_rows` rows, scaled as in the preview; with `turn` those of this turn only."""
        ...

    def among(self, atoms: NDArray[np.int64]) -> Float64Array:
        """Return the Gram matrix of the given atoms among themselves."""
        ...

    def row_weights(self) -> Float64Array:
        """Return the weights of the samples, adding up to one, in a column."""
        ...

    def outputs(self, atoms: NDArray[np.int64], rows: slice = slice(None)) -> Float64Array:
        """Return outputs of some atoms on some samples, (n_rows, len(atoms), n_outputs or 1), in float64."""
        ...


class CentredSource(Source, Protocol):
    """
    Inner products about the means of the atoms and of y, for a free intercept.

    Attributes
    ----------
    rounding : float
        Variance of a constant atom by rounding, as a share of its mean square.
    means : ndarray of shape (n_atoms,)
        Means of the atoms, once the moments have been read.
    raw_norms : ndarray of shape (n_atoms,)
        Squared norms of what products are made of before means are taken off, likewise.
    """

    rounding: float
    means: Float64Array
    raw_norms: Float64Array

    def approach(self, atoms: NDArray[np.int64]) -> None:
        """Make products in float64 of some atoms about their means."""
        ...

    def variances(self, atoms: NDArray[np.int64]) -> Float64Array:
        """Return squared norms of some atoms, exact even if their means are large."""
        ...


class OutputLoss(Protocol):
    """
    A loss of outputs, for the search by its gradient.

    Outputs and targets have a row for each output. A class may also have a method ``loop_code(n_outputs)``, the code by
    which compiled loops know the loss.
    """

    def value_and_residual(
        self, outputs: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None
    ) -> tuple[float, torch.Tensor]:
        """Return the mean loss, and the derivative of the sum by each output."""

    def each_in_place(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of each sample; the outputs may be overwritten."""
