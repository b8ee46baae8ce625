"""What `greedy_forward_selection` takes, labels and lists of models' outputs included, and what it refuses."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from sklearn_gfs import greedy_forward_selection
from sklearn_gfs.selection import _labels

RNG = np.random.default_rng(0)
CLASSES = np.tile([0, 1, 2], 20)
P = RNG.dirichlet(np.ones(3), (60, 8))
Z = np.log(P)
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
    "kinds": (["a", 1, 2] * 20, "y holds labels of several kinds, number and str"),
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


def poisoned(kind, value):
    """Atoms, y and options of a kind, one value of the atoms replaced: of a class that is not the sample's own."""
    z, p, weights = Z.copy(), P.copy(), RNG.dirichlet(np.ones(3), 8)
    p[0, 3, 1] = z[0, 3, 1] = value
    weights[2, 1] = value if "weights" in kind else weights[2, 1]
    return {
        "logits": (z, CLASSES, {}),
        "single logits": (z[:, :, 1], CLASSES % 2, {"offset": [0.0]}),
        "neurons": (z[:, :, 1], CLASSES, {"output_weights": weights}),
        "weights of neurons": (Z[:, :, 1], CLASSES, {"output_weights": weights}),
        "probabilities": (p, CLASSES, {"from_logits": False}),
        "single probabilities": (p[:, :, 1], CLASSES % 2, {"from_logits": False}),
        "shares": (p[:, :, 1], CLASSES, {"from_logits": False, "output_weights": weights}),
        "weights of shares": (P[:, :, 1], CLASSES, {"from_logits": False, "output_weights": weights}),
    }[kind]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("form", ["C", "F", "float32", "tensor"])
@pytest.mark.parametrize(
    "kind",
    [
        "logits",
        "single logits",
        "neurons",
        "weights of neurons",
        "probabilities",
        "single probabilities",
        "shares",
        "weights of shares",
    ],
)
def test_atoms_that_cannot_be_compared_are_refused(kind, form, value):
    atoms, y, options = poisoned(kind, value)
    change = {"C": np.ascontiguousarray, "F": np.asfortranarray, "float32": np.float32, "tensor": torch.as_tensor}[form]
    with pytest.raises(ValueError, match=r"must be (finite|probabilities)"):
        greedy_forward_selection(change(atoms), y, 3, loss="log_loss", **options)


def test_missing_probabilities_of_half_the_samples_are_refused():
    p = np.random.RandomState(0).dirichlet(np.ones(3), (200, 20))
    p[:100, 0] = np.nan
    for order in "CF":
        with pytest.raises(ValueError, match="300 of their values are not"):
            greedy_forward_selection(
                np.asarray(p, order=order), np.arange(200) % 3, 3, loss="log_loss", from_logits=False
            )


def test_probabilities_beyond_their_range_are_refused_in_every_class():
    for value in (-0.01, 1.01):
        p = P.copy()
        p[0, 3, 1] = value  # sample 0 is of class 0
        for atoms in (p, np.asfortranarray(p)):
            with pytest.raises(ValueError, match="1 of their values are not"):
                greedy_forward_selection(atoms, CLASSES, 3, loss="log_loss", from_logits=False)
    p = P.copy()
    p[0, 3] = [1 + 1e-9, -1e-9, 0.0]  # rounding
    greedy_forward_selection(p, CLASSES, 3, loss="log_loss", from_logits=False)


@pytest.mark.parametrize("share", [-0.5, 3.0])
@pytest.mark.parametrize("column", [0, 2])
def test_shares_beyond_the_range_of_probabilities_are_refused(column, share):
    weights = np.full((8, 3), 0.3)
    weights[4, column] = share
    with pytest.raises(ValueError, match="must be probabilities"):
        greedy_forward_selection(
            P[:, :, 0] * 0 + 0.5, CLASSES * 0 + 1, 3, loss="log_loss", from_logits=False, output_weights=weights
        )


def test_logits_too_large_for_their_sum_are_refused():
    with pytest.raises(ValueError, match="too large for their sums"):
        greedy_forward_selection(1e308 * np.ones((4, 2, 3)), [0, 1, 2, 0], 3, loss="log_loss")
    largest = np.finfo(float).max / 13
    for factor in (1.0, -1.0, np.array([1.0, -1.0, 0.5])):
        path = greedy_forward_selection(factor * largest * np.ones((4, 2, 3)), [0, 1, 2, 0], 3, loss="log_loss")
        assert np.isfinite(path.losses).all()
        assert np.isfinite(path.gaps).all()


@pytest.mark.parametrize("output_weights", [None, np.array([[1.0, -1.0, 0.5], [0.5, 1.0, 1.0]])])
def test_logits_as_large_as_float32_can_be_give_the_path_of_float64(output_weights):
    shape = (40, 2, 3) if output_weights is None else (40, 2)
    atoms = np.full(shape, np.finfo(np.float32).max)
    atoms[::3, 1] *= -1
    options = {"loss": "log_loss", "output_weights": output_weights}
    path = greedy_forward_selection(atoms, np.arange(40) % 3, 5, **options)
    expected = greedy_forward_selection(atoms.astype(float), np.arange(40) % 3, 5, **options)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_array_equal(path.losses, expected.losses)
    np.testing.assert_allclose(path.gaps, expected.gaps, atol=1e-15 * np.finfo(np.float32).max)


@pytest.mark.parametrize("unit", [1e-320, 1e-46, 1.0, 1e38, 1e308])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("from_logits", [True, False])
def test_equal_weights_of_any_unit_are_no_weights(unit, dtype, from_logits):
    atoms = (Z if from_logits else P).astype(dtype)
    options = {"loss": "log_loss", "from_logits": from_logits}
    path = greedy_forward_selection(atoms, CLASSES, 20, sample_weight=np.full(60, unit), **options)
    expected = greedy_forward_selection(atoms, CLASSES, 20, **options)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_array_equal(path.losses, expected.losses)


@pytest.mark.parametrize("exponent", [-1000, 1021])
@pytest.mark.parametrize("from_logits", [True, False])
def test_the_unit_of_weights_changes_nothing(exponent, from_logits):
    atoms, weight = Z if from_logits else P, np.random.default_rng(0).uniform(0.1, 3.0, 60)
    options = {"loss": "log_loss", "from_logits": from_logits}
    path = greedy_forward_selection(atoms, CLASSES, 20, sample_weight=np.ldexp(weight, exponent), **options)
    expected = greedy_forward_selection(atoms, CLASSES, 20, sample_weight=weight, **options)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-14)


PROBABILITIES = {
    "of three classes": (P, CLASSES),
    "float32": (P.astype(np.float32), CLASSES),
    "rounded": (np.round(P, 4), CLASSES),
    "one-hot": (np.eye(3)[P.argmax(axis=2)], CLASSES),
    "Fortran": (np.asfortranarray(P), CLASSES),
    "of two classes": (P[:, :, :1], CLASSES % 2),
    "flat": (P[:, :, 0], CLASSES % 2),
    "list": (list(P.transpose(1, 0, 2)), CLASSES),
    "tensor": (torch.as_tensor(P), CLASSES),
}


@pytest.mark.parametrize(("atoms", "y"), PROBABILITIES.values(), ids=PROBABILITIES)
def test_probabilities_taken_for_logits_get_a_warning(atoms, y):
    with pytest.warns(UserWarning, match="from_logits=False") as found:
        greedy_forward_selection(atoms, y, 3, loss="log_loss")
    assert found[0].filename == __file__


def test_what_may_be_logits_gets_no_warning():
    negative, beyond = P.copy(), P.copy()
    negative[40, 5, :2] = [-0.1, 0.1 + P[40, 5, :2].sum()]
    beyond[40, 5] *= 1.01
    hidden = P[:, :, 0]
    y = CLASSES % 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for atoms in (Z, negative, beyond, 2 * P, P[:, :, :2]):
            greedy_forward_selection(atoms, CLASSES if atoms.shape[2] == 3 else y, 3, loss="log_loss")
        greedy_forward_selection(P, CLASSES, 3, loss="log_loss", from_logits=False)
        greedy_forward_selection(P, CLASSES, 3)
        # Sigmoid and rectified activations, shares of features, indicators: neurons, not models.
        greedy_forward_selection(hidden, y, 3, loss="log_loss", output_weights=np.ones((8, 1)))
        greedy_forward_selection(hidden, CLASSES, 3, loss="log_loss", output_weights=RNG.standard_normal((8, 3)))
        greedy_forward_selection(hidden, y, 3, loss="log_loss", offset=[-0.5])
        greedy_forward_selection(hidden, y, 3, loss="log_loss", hull="l1", radius=2.0)
        greedy_forward_selection(np.round(hidden), y, 3, loss="log_loss")
        greedy_forward_selection(hidden + np.eye(60, 8), y, 3, loss="log_loss")


@pytest.mark.parametrize("place", [0, 255, 256, 599])
def test_each_sample_may_tell_logits_from_probabilities(place):
    p = np.tile(P, (10, 1, 1))
    assert _labels.look_like_probabilities(p)
    p[place, 3] += [0.2, 0.0, 0.0]
    assert not _labels.look_like_probabilities(p)
    indicators = np.round(p[:, :, 2])
    assert not _labels.look_like_probabilities(indicators)
    indicators[place, 3] = 0.5
    assert _labels.look_like_probabilities(indicators)
    indicators[place, 3] = -0.5
    assert not _labels.look_like_probabilities(indicators)


def test_a_path_is_shown_in_short():
    path = greedy_forward_selection(np.eye(3), np.array([1.0, 0.5, 0.0]), k=3)
    assert repr(path) == f"GreedyPath(n_picks=3, n_distinct=2, loss={path.losses[-1]:.4g}, gap={path.gaps[-1]:.4g})"
    assert str(path) == repr(path)
    on_ball = greedy_forward_selection(np.eye(3), np.array([1.0, 0.5, 0.0]), k=500, hull="l1", radius=2.5)
    assert "n_picks=500" in repr(on_ball)
    assert repr(on_ball).endswith(", radius=2.5)")
    assert len(repr(on_ball)) < 100
