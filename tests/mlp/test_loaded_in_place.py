"""Models whose arrays are loaded as maps of a file, which nobody may write to, are trained on like others."""

import joblib
import numpy as np
import pytest
import torch
from scipy import sparse

from mlp.small import SMALL, assert_equal_fits, problem
from sklearn_gfs import GreedyPrunedMLPClassifier


@pytest.fixture
def _torch_always_warns():
    """Have torch warn each time; else a warning that another test has seen does not come again."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


def loaded_in_place(model, path):
    joblib.dump(model, path)
    return joblib.load(path, mmap_mode="r")


@pytest.mark.usefixtures("_torch_always_warns")
@pytest.mark.parametrize("change", [{}, {"n_hidden": 3000}, {"batch_size": None}, {"solver": "sgd"}])
@pytest.mark.parametrize("of_inputs", [np.asarray, sparse.csr_array])
def test_maps_of_a_file_are_trained_on(change, of_inputs, tmp_path):
    X, y = problem(200)
    X = of_inputs(X)
    kept = GreedyPrunedMLPClassifier(**SMALL | change, warm_start=True).fit(X, y)
    loaded = loaded_in_place(kept, tmp_path / "one.joblib")
    assert not loaded.coefs_[0].flags.writeable
    n_more = kept.n_pretrain_ + 10
    for model in (kept, loaded):
        model.set_params(n_pretrain=n_more).fit(X, y)
    assert_equal_fits(loaded, kept)
    loaded = loaded_in_place(loaded, tmp_path / "other.joblib")
    for model in (kept, loaded):
        model.partial_fit(X, y)
    assert_equal_fits(loaded, kept)
