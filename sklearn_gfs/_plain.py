"""What is refused wherever an array comes in, since it would lose something on the way to an array of floats."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_plain(**arrays: Any) -> None:
    """
    Refuse masked values and complex numbers, of which a part would be lost, and ``np.matrix`` as scikit-learn does.

    Raises
    ------
    ValueError
        If a value is masked or complex.
    TypeError
        If an array is a ``np.matrix``.
    """
    for name, value in arrays.items():
        for part in value if isinstance(value, list | tuple) else (value,):
            if isinstance(part, np.ma.MaskedArray) and np.ma.is_masked(part):
                raise ValueError(
                    f"{name} holds masked values, and the mask would be lost. Fill them (numpy.ma.filled), or leave "
                    "these samples out"
                )
            if isinstance(part, np.matrix):
                raise TypeError(f"np.matrix is not supported: {name} is one; convert it to an array with np.asarray")
            dtype = str(getattr(part, "dtype", ""))
            if dtype.removeprefix("torch.").startswith("complex"):
                raise ValueError(f"Complex data not supported: {name} has dtype {dtype}")
