"""
Inner products of atoms in torch tensors, made where the tensors are.

Torch is imported only once a tensor has come.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array, FloatArray

from ._blocks import BLOCK_ROWS
from ._gram import ArrayAtoms


class TorchAtoms(ArrayAtoms):
    """Atoms in a torch tensor: the products are made on its device, and only they leave it."""

    is_shared = False

    def __init__(
        self,
        atoms: Any,
        y: Float64Array,
        sample_weight: Float64Array | None,
        *,
        output_weights: Float64Array | None = None,
    ) -> None:
        stand_in = np.lib.stride_tricks.as_strided(
            np.zeros(1, dtype=str(atoms.dtype).removeprefix("torch.")), atoms.shape, (0,) * atoms.ndim
        )
        super().__init__(stand_in, y, sample_weight, output_weights=output_weights)
        self.atoms = atoms
        if atoms.ndim == 3:
            self.n_targets = 1
            self.n_rows *= atoms.shape[2]

    def _rows(self, samples: slice) -> FloatArray:
        """Some samples' rows, in main memory."""
        rows = self.atoms[samples].cpu().numpy()
        return rows.transpose(0, 2, 1).reshape(-1, self.n_atoms) if rows.ndim == 3 else rows

    def promote(self, *, about_y: bool) -> bool:
        """Switch to more exact products, in main memory where the device has no float64."""
        if self.atoms.device.type == "mps":
            self.atoms = self.atoms.cpu()
        return super().promote(about_y=about_y)

    def _blocks(self, turn: tuple[int, int] = (0, 1)) -> Iterator[tuple[Any, Float64Array, Float64Array | None]]:
        import torch

        kind = getattr(torch, self.dtype.name)
        n_outputs = self.atoms.shape[2] if self.atoms.ndim == 3 else 1
        step = self._step()
        for start in range(turn[0] * step, self.n_samples, turn[1] * step):
            rows = slice(start, start + step)
            block, y = self.atoms[rows].to(kind), self._y[rows]
            weight = None if self.sample_weight is None else self.sample_weight[rows]
            if self.atoms.ndim == 3:
                block, y = block.permute(0, 2, 1).reshape(-1, self.n_atoms), y.reshape(-1, 1)
                weight = None if weight is None else np.repeat(weight, n_outputs)
            yield block, y, weight

    def _step(self) -> int:
        n_outputs = self.atoms.shape[2] if self.atoms.ndim == 3 else 1
        copied = self._about_y or self._pivots is not None
        return max(BLOCK_ROWS[0 if copied else 1] // n_outputs, 1)

    def _product(self, left: Any, block: Any) -> Any:
        return (self._like(left, block).T @ block).cpu().double().numpy()

    def _take(self, block: Any, atoms: NDArray[np.int64], weight: Float64Array | None) -> Any:
        return super()._take(block, atoms.tolist(), weight)

    def _less(self, block: Any, taken: Any) -> Any:
        return block - taken

    def _beside(self, targets: Float64Array, taken: Any) -> Any:
        import torch

        return torch.cat([self._like(targets, taken), taken], dim=1)

    def _squared_norms(self, block: Any, weight: Float64Array | None) -> Any:
        squares = block * block if weight is None else block * block * self._like(weight, block)[:, None]
        return squares.sum(dim=0).cpu().double().numpy()

    @staticmethod
    def _like(values: Any, block: Any) -> Any:
        import torch

        return torch.as_tensor(values, dtype=block.dtype, device=block.device)

    def whole(self) -> Float64Array:
        """Return the whole Gram matrix."""
        return self.columns(np.arange(self.n_atoms))

    def _values(self, atoms: NDArray[np.int64], rows: slice) -> Float64Array:
        """Return some atoms on some samples, (n_rows, len(atoms), n_outputs or 1), in float64."""
        values = self.atoms[rows][:, atoms.tolist()].cpu().numpy().astype(np.float64)
        return values.reshape(*values.shape[:2], -1)
