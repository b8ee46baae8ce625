"""Labels as the target of a selection: which column each stands for, and what labels may not be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from selection.small import CLASSES, P, Z
from sklearn_gfs import greedy_forward_selection

RNG = np.random.default_rng(1)
NAMES = np.array(["ape", "bee", "cat"])

LABELS = {
    "text": NAMES[CLASSES],
    "list of text": NAMES[CLASSES].tolist(),
    "bytes": NAMES.astype(bytes)[CLASSES],
    "objects": NAMES[CLASSES].astype(object),
    "series of text": pd.Series(NAMES[CLASSES], index=np.arange(60)[::-1]),
    "categories": pd.Series(pd.Categorical(NAMES[CLASSES], categories=["cat", "bee", "ape"])),
    "integers": 10 * CLASSES - 7,
    "small integers": CLASSES.astype(np.int8) + 1,
    "nullable integers": pd.Series(10 * CLASSES - 7, dtype="Int64"),
    "whole floats": CLASSES + 1.0,
    "column": (CLASSES + 5)[:, None],
    "frame": pd.DataFrame({"label": NAMES[CLASSES]}),
    "tensor": torch.as_tensor(CLASSES + 5),
    "dates": np.array(["2020-01-01", "2021-01-01", "2022-01-01"], dtype="datetime64[D]")[CLASSES],
    "indices": CLASSES,
    "indicators": np.eye(3)[CLASSES],
    "indicators of booleans": np.eye(3, dtype=bool)[CLASSES],
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_stand_for_the_columns_in_sorted_order(labels):
    for atoms, options in ((P, {"from_logits": False}), (Z, {})):
        path = greedy_forward_selection(atoms, labels, 9, loss="log_loss", **options)
        expected = greedy_forward_selection(atoms, CLASSES, 9, loss="log_loss", **options)
        np.testing.assert_array_equal(path.picks, expected.picks)
        np.testing.assert_array_equal(path.losses, expected.losses)
    path = greedy_forward_selection(P, labels, 9)
    expected = greedy_forward_selection(P, np.eye(3)[CLASSES], 9)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_array_equal(path.losses, expected.losses)


TWO = {
    "text": np.array(["no", "yes"])[CLASSES % 2],
    "signs": 2 * (CLASSES % 2) - 1,
    "booleans": CLASSES % 2 == 1,
    "nullable booleans": pd.Series(CLASSES % 2 == 1, dtype="boolean"),
    "one and two": CLASSES % 2 + 1,
}


@pytest.mark.parametrize("labels", TWO.values(), ids=TWO)
def test_of_two_labels_a_single_column_is_the_second(labels):
    shares = P[:, :, 0]
    path = greedy_forward_selection(shares, labels, 9, loss="log_loss", from_logits=False)
    expected = greedy_forward_selection(shares, CLASSES % 2, 9, loss="log_loss", from_logits=False)
    np.testing.assert_array_equal(path.picks, expected.picks)
    H, B = Z[:, :, 0], RNG.standard_normal((8, 1))
    path = greedy_forward_selection(H, labels, 9, loss="log_loss", output_weights=B)
    expected = greedy_forward_selection(H, CLASSES % 2, 9, loss="log_loss", output_weights=B)
    np.testing.assert_array_equal(path.picks, expected.picks)


def test_labels_of_neurons_with_several_outputs():
    H, B = Z[:, :, 0], RNG.standard_normal((8, 3))
    for loss in ("log_loss", "squared_error"):
        path = greedy_forward_selection(H, NAMES[CLASSES], 9, loss=loss, output_weights=B)
        expected = greedy_forward_selection(H, np.eye(3)[CLASSES], 9, loss=loss, output_weights=B)
        np.testing.assert_array_equal(path.picks, expected.picks)


@pytest.mark.parametrize("atoms", [P, torch.as_tensor(P), P.astype(np.float32)], ids=["array", "tensor", "float32"])
def test_labels_beside_squared_error_count_from_an_offset(atoms):
    offset = [0.1, 0.2, -0.1]
    path = greedy_forward_selection(atoms, NAMES[CLASSES], 9, offset=offset)
    expected = greedy_forward_selection(atoms, np.eye(3)[CLASSES], 9, offset=offset)
    np.testing.assert_array_equal(path.picks, expected.picks)


@pytest.mark.parametrize("present", [[0, 2], [1], [1, 2]])
def test_indices_of_columns_keep_their_meaning_where_classes_are_absent(present):
    classes = np.resize(present, 60)
    for options in ({"loss": "log_loss", "from_logits": False}, {}):
        path = greedy_forward_selection(P, classes, 9, **options)
        expected = greedy_forward_selection(P, np.eye(3)[classes], 9, **options)
        np.testing.assert_array_equal(path.picks, expected.picks)
        np.testing.assert_array_equal(path.losses, expected.losses)


BAD_LABELS = {
    "two of three": (np.array(["a", "b"])[CLASSES % 2], "it holds 2: 'a', 'b'"),
    "four of three": (np.arange(60) % 4, "it holds 4: 0, 1, 2, 3"),
    "many": (np.arange(60) + 100, r"it holds 60: 100, 101, 102, \.\.\."),
    "kinds": (["a", 1, 2] * 20, "y holds values of several kinds, number and str"),
    "missing text": (["a", "b", None] * 20, "y holds missing values"),
    "missing number": (pd.Series([0, 1, None] * 20, dtype="Int64"), "y holds missing values"),
    "missing date": (
        np.array(["2020-01-01", "NaT", "2022-01-01"] * 20, dtype="datetime64[D]"),
        "y holds missing values",
    ),
    "nan": ([0.0, 1.0, np.nan] * 20, "y holds missing values"),
    "infinity": ([0.0, 1.0, np.inf] * 20, "y contains infinity"),
    "masked": (np.ma.masked_equal(CLASSES, 1), "y holds masked values"),
    "complex": (CLASSES + 0j, "Complex data not supported"),
    "sparse": (sparse.csr_array(CLASSES[:, None]), "y is sparse"),
    "three dimensions": (np.zeros((60, 3, 1)), r"y has shape \(60, 3, 1\)"),
    "too few": (NAMES[CLASSES[:50]], "y has 50 samples and atoms has 60"),
}


@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
@pytest.mark.parametrize(("labels", "message"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_what_labels_may_not_be_is_said(labels, message, loss):
    with pytest.raises(TypeError if sparse.issparse(labels) else ValueError, match=message):
        greedy_forward_selection(Z, labels, 3, loss=loss)


@pytest.mark.parametrize(
    ("atoms", "y", "options", "message"),
    [
        (Z, CLASSES + 0.5, {"loss": "log_loss"}, r"0\.5 is neither"),
        (Z, CLASSES + 0.5, {}, "atoms has 3 outputs and y has 1"),
        (Z[:, :, 0], NAMES[CLASSES], {}, "y holds text, for instance 'ape'"),
        (Z[:, :, 0], NAMES[CLASSES], {"loss": "log_loss"}, "labels of 2 classes; it holds 3: 'ape', 'bee', 'cat'"),
        (Z, np.ones((60, 3)), {"loss": "log_loss"}, "one indicator for each class"),
        (Z, np.eye(4)[CLASSES], {"loss": "log_loss"}, "one indicator for each class"),
        (Z, np.eye(4)[CLASSES + 1][:, :3], {"loss": "log_loss"}, "one indicator for each class"),
        (Z, np.full((60, 3), 1 / 3), {"loss": "log_loss"}, "one indicator for each class"),
        (Z, np.tile([2, -1, 0], (60, 1)), {"loss": "log_loss"}, "one indicator for each class"),
        (Z, np.tile(["1", "0", "0"], (60, 1)), {"loss": "log_loss"}, "one indicator for each class"),
        (Z, np.tile(["a", "b"], (60, 1)), {"loss": "log_loss"}, "one indicator for each class"),
    ],
)
def test_labels_that_do_not_fit_the_atoms_are_named(atoms, y, options, message):
    with pytest.raises(ValueError, match=message):
        greedy_forward_selection(atoms, y, 3, **options)


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("output_weights", [2.0, np.ones(8), np.ones((8, 3, 1)), np.ones((3, 8))])
def test_output_weights_of_another_shape_are_named(output_weights, loss):
    with pytest.raises(ValueError, match="output_weights has shape"):
        greedy_forward_selection(Z[:, :, 0], CLASSES, 3, loss=loss, output_weights=output_weights)
