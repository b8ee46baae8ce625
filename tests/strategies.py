"""Hypothesis strategies: Hypothesis draws sizes and a seed, NumPy makes the data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st


class Case(NamedTuple):
    """A selection problem: neurons H b_i, their outputs, targets, weights of samples, and how many picks."""

    H: np.ndarray
    B: np.ndarray
    atoms: np.ndarray  # (n_samples, n_atoms, n_outputs)
    y: np.ndarray  # (n_samples, n_outputs)
    weight: np.ndarray
    k: int


@st.composite
def cases(draw, *, max_samples=25, max_atoms=12, max_outputs=3, max_k=12, integer_weights=False):
    """Problems of all small sizes, with zero, constant and duplicate columns now and then."""
    n_samples = draw(st.integers(1, max_samples))
    n_atoms = draw(st.integers(1, max_atoms))
    n_outputs = draw(st.integers(1, max_outputs))
    k = draw(st.integers(1, max_k))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    H = rng.standard_normal((n_samples, n_atoms))
    B = rng.standard_normal((n_atoms, n_outputs))
    oddity = draw(st.sampled_from(["none", "zero", "constant", "duplicate", "rounded"]))
    atom, other = rng.integers(n_atoms, size=2)
    if oddity == "zero":
        H[:, atom] = 0.0
    elif oddity == "constant":
        H[:, atom] = 1.5
    elif oddity == "duplicate":
        H[:, atom], B[atom] = H[:, other], B[other]
    elif oddity == "rounded":  # many exact ties
        H, B = np.round(H), np.round(B)
    y = rng.standard_normal((n_samples, n_outputs))
    weight = rng.integers(0, 4, n_samples).astype(float) if integer_weights else rng.uniform(0.1, 2.0, n_samples)
    weight[rng.integers(n_samples)] += 1.0
    return Case(H, B, H[:, :, None] * B, y, weight, k)
