"""For how long networks are trained where the user names no number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.small import SMALL, blobs
from sklearn_gfs import GreedyPrunedMLP
from sklearn_gfs.mlp._schedule import checkpoints


@given(n_samples=st.floats(1, 1e6), more=st.floats(1, 1e6), classes=st.booleans())
def test_more_samples_never_mean_fewer_checkpoints(n_samples, more, classes):
    few, many = (checkpoints("auto", n, classes=classes) for n in (n_samples, n_samples + more))
    assert few == many[: len(few)]
    assert few[0] == 20
    assert set(many) <= set(checkpoints(100, n_samples, classes=classes))


def test_few_samples_get_fewer_iterations_of_pretraining():
    assert [checkpoints("auto", n, classes=False)[-1] for n in (199, 200, 799, 800)] == [20, 80, 80, 320]
    assert [checkpoints("auto", n, classes=True)[-1] for n in (1, 399, 400)] == [80, 80, 320]


@pytest.mark.parametrize("n_retrain", [0, 20])
def test_a_number_of_retraining_iterations_needs_all_checkpoints(n_retrain):
    assert checkpoints(n_retrain, 3, classes=False) == checkpoints(n_retrain, 3, classes=True) == [20, 80, 320]


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("table", [False, True])
def test_copies_and_weights_count_as_samples_in_a_table(classes, table, monkeypatch):
    X, labels = blobs(150)
    X = np.rint(3 * X) if table else X
    seen = []

    def told(n_retrain, n_samples, *, classes):
        seen.append((n_samples, classes))
        return checkpoints(n_retrain, n_samples, classes=classes)

    monkeypatch.setattr("sklearn_gfs.mlp._path.checkpoints", told)
    y = labels if classes else np.sin(3 * X[:, 0])
    copies = 1 + np.arange(150) % 3
    model = GreedyPrunedMLP(**SMALL | {"n_pretrain": "auto", "n_retrain": "auto"}, early_stopping=False)
    model.fit(X, y, sample_weight=2.5 * copies)
    model.fit(np.repeat(X, copies, axis=0), np.repeat(y, copies))
    by_weights = 300 if table else 150
    assert seen == [(pytest.approx(by_weights), classes), (pytest.approx(300), classes)]
