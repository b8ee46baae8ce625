"""
The inner loops of the losses of a path, whose picks are known: arrays in, arrays out.

Here belong the compiled loops over picks. They know no estimator, validate nothing and allocate only work space.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._jit import jit


@jit
def losses_from_gram(
    picks: NDArray[np.int64],
    directions: NDArray[np.float64],
    radius: float,
    gram: NDArray[np.float64],
    c: NDArray[np.float64],
    target_norm: float,
    s: NDArray[np.float64],
    losses: NDArray[np.float64],
) -> None:
    """
    Write the losses after every pick; indices and inner products are those of the picked atoms only.

    ``s`` is zero, of the shape of ``c``: inner products with the sum of the picks.
    """
    n_directions, n_atoms = c.shape
    squared_norm, product = 0.0, 0.0
    for j in range(picks.shape[0]):
        t, pick = j + 1.0, picks[j]
        for o in range(n_directions):
            step = radius * directions[j, o]
            squared_norm += step * (2.0 * s[o, pick] + step * gram[pick, pick])
            product += step * c[o, pick]
            for i in range(n_atoms):
                s[o, i] += step * gram[pick, i]
        losses[j] = 0.5 * (squared_norm / (t * t) - 2.0 * product / t + target_norm)


def _add_losses(
    picks: NDArray[np.int64],
    directions: NDArray[np.float64],
    radius: float,
    outputs: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    wanted: NDArray[np.bool_],
    losses: NDArray[np.float64],
) -> None:
    """
    Add the contributions of some samples to the losses that are wanted.

    ``picks`` are indices among the picked atoms. Their ``outputs`` are (n_atoms, n_outputs, n_samples), and ``y`` is
    (n_outputs, n_samples). Outputs have one row if atoms have directions over several outputs of ``y``.
    """
    n_outputs, n_samples = y.shape
    ahead = np.zeros((n_outputs, n_samples))  # the sum of the picks minus their number times y
    last_output, last_direction = outputs.shape[1] - 1, directions.shape[1] - 1
    for j in range(wanted.shape[0]):
        loss = 0.0
        for o in range(n_outputs):
            step = radius * directions[j, min(o, last_direction)]
            output, residual, target = outputs[picks[j], min(o, last_output)], ahead[o], y[o]
            for r in range(n_samples):
                moved = residual[r] + (step * output[r] - target[r])
                residual[r] = moved
                loss += weight[r] * moved * moved
        if wanted[j]:
            losses[j] += 0.5 * loss / (j + 1.0) ** 2


add_losses = jit(_add_losses, reassociate=True)
