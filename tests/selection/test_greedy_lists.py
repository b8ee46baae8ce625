"""Atoms in a list: one array for each atom, or nested lists with one row for each sample."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from selection.small import CLASSES, Z
from sklearn_gfs import greedy_forward_selection


@pytest.mark.parametrize(
    ("as_list", "whole"),
    [
        (list(Z.transpose(1, 0, 2)), Z),
        (tuple(Z.transpose(1, 0, 2)), Z),
        ([pd.DataFrame(Z[:, i]) for i in range(8)], Z),
        ([torch.as_tensor(Z[:, i]) for i in range(8)], Z),
        ([Z[:, i].astype(np.float32) for i in range(8)], Z.astype(np.float32)),
        ([Z[:, 0].astype(np.float32), *Z.transpose(1, 0, 2)[1:]], None),
        ([Z[:, 0].tolist(), *Z.transpose(1, 0, 2)[1:]], Z),
        ([np.asfortranarray(Z[:, i]) for i in range(8)], Z),
        ([Z[:, 0]], Z[:, :1]),
    ],
    ids=[
        "list",
        "tuple",
        "frames",
        "tensors",
        "float32",
        "mixed types",
        "a nested list among arrays",
        "Fortran",
        "one",
    ],
)
def test_a_list_of_arrays_holds_one_array_for_each_atom(as_list, whole):
    if whole is None:
        whole = np.concatenate([Z[:, :1].astype(np.float32), Z[:, 1:]], axis=1)
    for options in ({"loss": "log_loss"}, {}):
        path = greedy_forward_selection(as_list, CLASSES, 9, **options)
        expected = greedy_forward_selection(whole, CLASSES, 9, **options)
        np.testing.assert_array_equal(path.picks, expected.picks)
        np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-12)


@pytest.mark.parametrize("n", [8, 60])
def test_a_list_of_vectors_holds_one_vector_for_each_atom(n):
    atoms, y = Z[:n, :, 0], Z[:n, 0, 1]
    for vectors in (list(atoms.T), [pd.Series(atom) for atom in atoms.T], [torch.as_tensor(atom) for atom in atoms.T]):
        path = greedy_forward_selection(vectors, y, 9)
        np.testing.assert_array_equal(path.picks, greedy_forward_selection(atoms, y, 9).picks)
        path = greedy_forward_selection(vectors, y > y.mean(), 9, loss="log_loss")
        expected = greedy_forward_selection(atoms, y > y.mean(), 9, loss="log_loss")
        np.testing.assert_array_equal(path.picks, expected.picks)


def test_nested_lists_hold_one_row_for_each_sample():
    path = greedy_forward_selection(Z.tolist(), CLASSES, 5)
    np.testing.assert_array_equal(path.picks, greedy_forward_selection(Z, CLASSES, 5).picks)


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        ([Z[:, 0], Z[:, 1, :2]], r"atoms\[1\] has shape \(60, 2\) and atoms\[0\] \(60, 3\)"),
        ([Z[:, 0], Z[:, 1, 0]], r"atoms\[1\] has shape \(60,\)"),
        ([Z, Z], r"atoms\[0\] has shape \(60, 8, 3\)"),
        ([Z[:, 0], Z[:, 1] + 0j], r"Complex data not supported: atoms\[1\]"),
        ([torch.as_tensor(Z[:, 0]), torch.as_tensor(Z[:, 1, :2])], r"atoms\[1\] has shape \(60, 2\)"),
    ],
)
@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
def test_lists_of_arrays_that_do_not_fit_are_named(atoms, message, loss):
    with pytest.raises(ValueError, match=message):
        greedy_forward_selection(atoms, CLASSES, 3, loss=loss)


@pytest.mark.parametrize("as_list", [False, True])
def test_models_before_samples_are_told_apart(as_list):
    atoms = np.full((2, 7, 3), 1 / 3)
    with pytest.raises(ValueError, match=r"y has 7 samples and atoms has 2, its shape being .* The first axis must"):
        greedy_forward_selection(atoms.tolist() if as_list else atoms, np.arange(7) % 3, 2)


def test_text_and_mappings_are_no_atoms():
    labels = np.array(["a", "b", "a"])
    for atoms in ([labels, labels], labels[:, None], [labels.astype(object)]):
        with pytest.raises(ValueError, match="holds text, for instance 'a'; it must hold numbers"):
            greedy_forward_selection(atoms, np.arange(3.0), 2)
    with pytest.raises(TypeError, match="atoms is a dict; it must be an array or a list, as of its values"):
        greedy_forward_selection({"a": np.arange(3.0)}, np.arange(3.0), 2)


def test_a_sparse_matrix_that_is_a_mapping_is_no_dictionary_of_atoms():
    from scipy import sparse

    atoms = np.random.default_rng(0).normal(size=(30, 4))
    y = atoms[:, 0] - atoms[:, 1]
    found = greedy_forward_selection(sparse.dok_array(atoms), y, 3)
    assert found.picks.tolist() == greedy_forward_selection(atoms, y, 3).picks.tolist()
