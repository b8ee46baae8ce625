"""A loss of a selection is one object: a new one is added from outside."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_gfs import GreedyPath, greedy_forward_selection
from sklearn_gfs.selection._losses import LOSSES, SelectionLoss


class AbsoluteError(SelectionLoss):
    """The mean absolute error, by trying everything."""

    name = "absolute_error"

    def select(self, asked):
        atoms, picks, losses = np.asarray(asked.atoms), [], []
        for _ in range(asked.k):
            tried = [
                np.abs(atoms[:, [*picks, i]].mean(axis=1) - asked.y + asked.offset).mean()
                for i in range(atoms.shape[1])
            ]
            picks.append(int(np.argmin(tried)))
            losses.append(min(tried))
        counts = np.bincount(picks, minlength=atoms.shape[1])
        return GreedyPath(np.array(picks), np.array(losses), np.zeros(asked.k), counts, counts / asked.k)


@pytest.fixture
def _absolute_error(monkeypatch):
    monkeypatch.setitem(LOSSES, "absolute_error", AbsoluteError())


@pytest.mark.usefixtures("_absolute_error")
def test_a_loss_from_outside_selects():
    atoms = [np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 9.0]), np.array([0.0, 1.0, 1.0])]
    path = greedy_forward_selection(atoms, np.array([0.5, 0.5, 0.5]), 2, loss="absolute_error", offset=0.0)
    assert_array_equal(path.picks, [0, 2])
    assert_allclose(path.losses, [0.5, 0.0])


@pytest.mark.parametrize("loss", ["absolute_error", None, ["log_loss"], np.array(["log_loss", "squared_error"])])
def test_a_loss_that_there_is_not_is_refused(loss):
    with pytest.raises(ValueError, match=r"loss=.* is not known; it must be 'squared_error' or 'log_loss'"):
        greedy_forward_selection(np.eye(2), np.ones(2), 1, loss=loss)


def test_the_warning_about_probabilities_names_the_users_line():
    with pytest.warns(UserWarning, match="look like probabilities") as caught:
        greedy_forward_selection(np.array([[0.2, 0.4], [0.9, 0.6]]), [0, 1], 1, loss="log_loss")
    assert caught[0].filename == __file__
