"""Libraries larger than memory, and the picks of other packages."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from memory import peak
from sklearn import config_context

from sklearn_gfs import SelectionStatistics, greedy_forward_selection

N_SAMPLES, N_MODELS, N_CLASSES = 6000, 150, 5
WORKING_MEMORY = 2  # MiB


@pytest.fixture
def stored(tmp_path):
    """Return a memory map of probabilities, (n_samples, n_classes, n_models), and labels."""
    rng = np.random.default_rng(0)
    y = rng.integers(N_CLASSES, size=N_SAMPLES)
    shape = (N_SAMPLES, N_CLASSES, N_MODELS)
    stored = np.memmap(tmp_path / "library", dtype=np.float32, mode="w+", shape=shape)
    logits = rng.standard_normal(shape) + np.eye(N_CLASSES)[y][:, :, None] * rng.uniform(0.5, 2.0, N_MODELS)
    stored[:] = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return np.memmap(tmp_path / "library", dtype=np.float32, mode="r", shape=shape), y


def test_a_library_on_disk_takes_no_more_than_the_working_memory(stored):
    library, y = stored
    targets = np.eye(N_CLASSES)[y]
    SelectionStatistics().update(library[:9, 0], targets[:9, 0]).select(2)  # compiles the kernels
    with config_context(working_memory=WORKING_MEMORY):
        most, path = peak(
            lambda: SelectionStatistics().update(library.reshape(-1, N_MODELS), targets.ravel()).select(20)
        )
    sums = 8 * N_MODELS**2
    columns = 8 * N_SAMPLES * N_CLASSES  # the targets
    assert library.nbytes > 8 * WORKING_MEMORY * 2**20
    assert most < WORKING_MEMORY * 2**20 + 2 * columns + 6 * sums
    whole = greedy_forward_selection(library.transpose(0, 2, 1).astype(float), y, 20)
    np.testing.assert_array_equal(path.picks, whole.picks)
    np.testing.assert_allclose(N_CLASSES * path.losses, whole.losses, rtol=1e-6)


def library(kind, seed):
    """The libraries of the recorded picks."""
    rng = np.random.default_rng(seed)
    if kind == "squared_error":
        y = rng.standard_normal(40)
        return list(y + rng.standard_normal((9, 40)) * np.linspace(0.8, 2, 9)[:, None]), y
    y = rng.integers(3, size=60)
    p = np.exp(rng.standard_normal((9, 60, 3)) * 1.5 + np.eye(3)[y] * np.linspace(1.2, 0.8, 9)[:, None, None])
    return list(p / p.sum(axis=2, keepdims=True)), y


# AutoGluon 1.6.3 (EnsembleSelection, use_best=False) and AMLTK 1.12.1 (weighted_ensemble_caruana), which agree;
# DeepHyper 0.13.2 (GreedySelector), which tells counts only, has the same of each.
RECORDED = {
    ("squared_error", 0): [1, 0, 2, 3, 7, 4, 1, 5, 8, 7, 1, 4, 0, 2, 1],
    ("squared_error", 1): [0, 1, 3, 0, 6, 0, 1, 0, 3, 0, 1, 0, 6, 0, 4],
    ("log_loss", 0): [4, 1, 6, 0, 2, 1, 6, 0, 1, 6, 0, 1, 6, 2, 0],
    ("log_loss", 1): [0, 6, 1, 0, 6, 5, 0, 6, 1, 0, 6, 5, 0, 6, 1],
}


@pytest.mark.parametrize("case", RECORDED)
def test_picks_are_those_of_other_packages(case):
    outputs, y = library(*case)
    path = greedy_forward_selection(outputs, y, 15, loss=case[0], from_logits=False)
    assert path.picks.tolist() == RECORDED[case]


@pytest.mark.parametrize("kind", ["float64", "float32", "Float64"])
def test_predictions_may_be_a_data_frame(kind):
    outputs, y = library("squared_error", 0)
    frame = pd.DataFrame(np.transpose(outputs), columns=[f"model {i}" for i in range(9)]).astype(kind)
    path = greedy_forward_selection(frame, pd.Series(y, index=np.arange(40)[::-1]), 15)
    assert path.picks.tolist() == RECORDED["squared_error", 0]
    shares = pd.DataFrame(np.transpose([output[:, 1] for output in library("log_loss", 0)[0]])).astype(kind)
    labels = pd.Series(np.where(library("log_loss", 0)[1] == 1, "yes", "no"))
    found = greedy_forward_selection(shares, labels, 5, loss="log_loss", from_logits=False)
    expected = greedy_forward_selection(
        shares.to_numpy(float), labels.to_numpy(), 5, loss="log_loss", from_logits=False
    )
    np.testing.assert_array_equal(found.picks, expected.picks)
