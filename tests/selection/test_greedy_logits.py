"""Atoms beside the log loss: which values logits and probabilities may have, and how the two are told apart."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from selection.small import CLASSES, P, Z
from sklearn_gfs import greedy_forward_selection
from sklearn_gfs.selection import _labels

RNG = np.random.default_rng(1)


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


def test_logits_of_one_atom_that_are_enormous_make_no_ties_of_the_others():
    rng = np.random.default_rng(0)
    atoms = rng.normal(size=(200, 6))
    classes = (atoms[:, 4] + rng.normal(size=200) > 0).astype(int)
    expected = greedy_forward_selection(atoms, classes, 3, loss="log_loss")
    for size in (1e3, 1e13, 1e30):
        beside = np.column_stack([atoms, size * (1 - 2 * classes)])
        found = greedy_forward_selection(beside, classes, 3, loss="log_loss")
        assert found.picks.tolist() == expected.picks.tolist()
        np.testing.assert_allclose(found.losses, expected.losses)
