"""The path of a selection: how it grows, where it ends, and how it is shown."""

from __future__ import annotations

import naive
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from strategies import cases

from selection.small import LOSS, factorised, make
from sklearn_gfs import greedy_forward_selection


@given(cases(), st.sampled_from(["convex", "l1"]))
def test_path_is_a_prefix_of_the_longer_path(case, hull):
    path, longer = (factorised(case, k=k, hull=hull) for k in (case.k, case.k + 1))
    np.testing.assert_array_equal(path.picks, longer.picks[:-1])
    np.testing.assert_allclose(path.losses, longer.losses[:-1], **LOSS)
    np.testing.assert_allclose(path.gaps, longer.gaps[:-1], rtol=1e-7, atol=1e-12)


def test_more_picks_than_atoms():
    atoms, y = make(n_atoms=3)
    path = greedy_forward_selection(atoms, y, 100)
    assert path.counts.sum() == 100
    picks, losses, _ = naive.greedy(atoms[:, :, None], y[:, None], 20)
    np.testing.assert_array_equal(path.picks[:20], picks)
    np.testing.assert_allclose(path.losses[:20], losses, **LOSS)


@given(cases(max_samples=40), st.floats(0.0, 1.0))
def test_tol_ends_the_path_at_the_first_gap_at_most_tol(case, tol):
    full, short = factorised(case), factorised(case, tol=tol)
    reached = np.flatnonzero(full.gaps <= tol)
    stop = reached[0] + 1 if len(reached) else case.k
    np.testing.assert_array_equal(short.picks, full.picks[:stop])
    assert short.counts.sum() == stop
    np.testing.assert_allclose(short.weights, short.counts / stop)


def test_a_path_is_shown_in_short():
    path = greedy_forward_selection(np.eye(3), np.array([1.0, 0.5, 0.0]), k=3)
    assert repr(path) == f"GreedyPath(n_picks=3, n_distinct=2, loss={path.losses[-1]:.4g}, gap={path.gaps[-1]:.4g})"
    assert str(path) == repr(path)
    on_ball = greedy_forward_selection(np.eye(3), np.array([1.0, 0.5, 0.0]), k=500, hull="l1", radius=2.5)
    assert "n_picks=500" in repr(on_ball)
    assert repr(on_ball).endswith(", radius=2.5)")
    assert len(repr(on_ball)) < 100
