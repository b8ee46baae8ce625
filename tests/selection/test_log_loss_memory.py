"""What a selection for the log loss holds: one copy of the atoms where they lie in another order, and little else."""

from __future__ import annotations

import numpy as np
import pytest
from memory import peak

from sklearn_gfs import greedy_forward_selection

N_SAMPLES, N_ATOMS, N_CLASSES = 1000, 120, 4


def problem(kind, dtype, order):
    """Atoms, y and options of a kind, and how many copies of the atoms its selection needs."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, N_CLASSES, N_SAMPLES)
    p = rng.dirichlet(np.ones(N_CLASSES), (N_SAMPLES, N_ATOMS))
    shares = rng.dirichlet(np.ones(N_CLASSES), 4 * N_ATOMS)
    flat = p.reshape(N_SAMPLES, -1)
    doubled = np.dtype(float).itemsize / np.dtype(dtype).itemsize
    atoms, y, options, copies = {
        "logits": (np.log(p), y, {}, 1),
        "single logits": (flat, y % 2, {"offset": [0.0]}, order == "C"),
        "neurons": (flat, y, {"output_weights": shares}, order == "C"),
        "neurons of one output": (flat, y % 2, {"output_weights": shares[:, :1]}, order == "C"),
        "probabilities": (p, y, {"from_logits": False}, 1 / N_CLASSES),
        "probabilities of two classes": (flat, y % 2, {"from_logits": False}, doubled),
        "shares": (flat, y, {"from_logits": False, "output_weights": shares}, doubled),
    }[kind]
    return np.asarray(atoms, dtype=dtype, order=order), y, options, copies


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "kind",
    [
        "logits",
        "single logits",
        "neurons",
        "neurons of one output",
        "probabilities",
        "probabilities of two classes",
        "shares",
    ],
)
def test_no_more_than_one_copy_is_held(kind, order, dtype):
    atoms, y, options, copies = problem(kind, dtype, order)
    one_atom = N_SAMPLES * N_CLASSES * 8
    options["loss"] = "log_loss"
    greedy_forward_selection(atoms, y, 2, **options)  # compiles the kernels
    # Beyond the atoms themselves.
    assert peak(greedy_forward_selection, atoms, y, 4, **options)[0] < copies * atoms.nbytes + 14 * one_atom
