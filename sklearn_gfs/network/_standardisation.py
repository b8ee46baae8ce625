"""
The standardisation of inputs, in batches, in chunks for the selection, and folded into coefficients.

``_scaling`` computes means and scales.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_gfs._warn import warn_caller

if TYPE_CHECKING:
    from sklearn_gfs._typing import FloatArray, IntArray

# Largest rounding error, in standard deviations, without a warning. For a feature the error comes from the product with
# unshifted values in a prediction, for a target from the addition of its mean.
_MOST_LOST = 0.1
# Largest number of columns that are named in a message.
_NAMED = 5


class Standardisation(NamedTuple):
    """
    x is standardised to (x - mean) * inverse_scale.

    Parameters
    ----------
    mean : array of shape (n_features,) or None
        None if the first inputs were sparse; inputs are then scaled only.
    inverse_scale : array of shape (n_features,)
        Zero for a feature that did not vary.
    """

    mean: Any
    inverse_scale: Any

    def astype(self, dtype: Any) -> Standardisation:
        """Return the same in another precision."""
        mean = None if self.mean is None else self.mean.astype(dtype)
        return Standardisation(mean, self.inverse_scale.astype(dtype))

    def in_torch(self, device: str) -> Standardisation:
        """Return the same for tensors on this device."""
        import torch

        mean = None if self.mean is None else torch.from_numpy(self.mean).to(device)
        return Standardisation(mean, torch.from_numpy(self.inverse_scale).to(device))

    def apply(self, X: Any) -> Any:
        """
        Return inputs standardised, in their own precision.

        Arrays and tensors are overwritten. A CSR array stays one if there is no mean to subtract. A later part of the
        data may be sparse where the first was not, and the other way round.
        """
        if sparse.issparse(X):
            if self.mean is None:
                X.data *= self.inverse_scale[X.indices]
                return X
            X = X.toarray()
        if self.mean is not None:
            X -= self.mean
        X *= self.inverse_scale
        return X

    def project(self, X: Any, direction: FloatArray) -> FloatArray:
        """Return the product of each row's standardised inputs and the direction; for sparse X up to a constant."""
        direction = direction * self.inverse_scale
        if sparse.issparse(X):
            return X @ direction
        # Row by row, and not by a matrix product, so that equal rows give equal values to the last bit.
        return ((X if self.mean is None else X - self.mean) * direction).sum(axis=1)

    def folded_into(self, coef: FloatArray, intercept: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return coefficients and intercepts for raw inputs, given those for standardised inputs."""
        coef = coef * self.inverse_scale[:, None]
        return coef, intercept if self.mean is None else intercept - self.mean @ coef


def named_columns(name: str, columns: IntArray) -> str:
    """Return a text that names columns of X or y, the first of them if they are many."""
    return f"Columns {', '.join(map(str, columns[:_NAMED]))}{', ...' if len(columns) > _NAMED else ''} of {name}"


def warn_of_lost_digits(name: str, means: FloatArray, dtype: np.dtype[Any]) -> None:
    """Warn of columns whose means, in standard deviations, are so large that rounding hides their variation."""
    lost = np.flatnonzero(np.abs(means) * np.finfo(dtype).eps > _MOST_LOST)
    if len(lost):
        warn_caller(
            f"{named_columns(name, lost)} vary so little beside their means that {dtype} holds few of their digits. "
            "Predictions are inaccurate. Subtract the means, or pass X in float64.",
            UserWarning,
        )
