"""Fixtures and settings that every test shares; no seeds are set here, so unseeded randomness shows."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")

# Compilation by numba happens inside the first example, so a deadline would fail whichever test comes first.
settings.register_profile("suite", deadline=None, max_examples=50, print_blob=True)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def mnist():
    """Return MNIST's training and test sets, flattened and scaled to [0, 1]; skip where the file is absent."""
    path = os.environ.get("SKLEARN_GFS_MNIST", "")
    if not Path(path).is_file():
        pytest.skip("SKLEARN_GFS_MNIST does not name MNIST's npz file")
    with np.load(path) as data:
        images = {name: data[name].reshape(len(data[name]), -1) / 255.0 for name in ("x_train", "x_test")}
        return images["x_train"], data["y_train"], images["x_test"], data["y_test"]


@pytest.fixture(autouse=True)
def _close_figures():
    """Close the figures a test left open: matplotlib warns, as an error here, from the twentieth on."""
    yield
    import sys

    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
