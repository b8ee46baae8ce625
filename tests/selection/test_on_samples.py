"""What inner products can't tell: when that is said, and what the samples answer, against plain loops."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import cases

from sklearn_gfs import greedy_forward_selection
from sklearn_gfs.selection import _blocks
from sklearn_gfs.selection import _greedy_kernels as kernels
from sklearn_gfs.selection import _squared_error as search
from sklearn_gfs.selection._gram import ArrayAtoms
from sklearn_gfs.selection._gram_layouts import StackedAtoms
from sklearn_gfs.selection._on_samples import SampledPath, gap_bound


def state_of(picks, directions):
    """State of a search that has taken these picks."""
    k = len(picks)
    empty = np.zeros((1, 1)), np.zeros(3), np.zeros(1, dtype=np.int64)
    directions = np.asarray(directions, dtype=float)
    return kernels.State(*empty, np.asarray(picks), directions, np.full(k, np.nan), *np.zeros((3, k)))


@given(cases(), st.floats(0.1, 3.0), st.sampled_from(["signs", "directions", "convex"]), st.integers(0, 2**32 - 1))
def test_a_path_on_the_samples_agrees_with_the_oracle(case, radius, kind, seed):
    rng = np.random.default_rng(seed)
    k, (_, n_atoms, n_outputs) = case.k, case.atoms.shape
    picks = rng.integers(n_atoms, size=k)
    share = case.weight / case.weight.sum()
    if kind == "directions":
        outputs, source = case.H[:, :, None], ArrayAtoms(case.H, case.y, case.weight)
        directions = rng.standard_normal((k, n_outputs))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    else:
        outputs, source = case.atoms, StackedAtoms(case.atoms, case.y, case.weight)
        directions = rng.choice([-1.0, 1.0], (k, 1)) if kind == "signs" else np.ones((k, 1))
        radius = 1.0 if kind == "convex" else radius
    sampled = SampledPath(source, radius, signed=kind != "convex")
    state = state_of(picks, directions)
    total = np.zeros(case.y.shape)
    for n_picks in range(k):
        if rng.random() < 0.5:  # not every step is looked at
            atoms = np.sort(rng.choice(n_atoms, size=rng.integers(1, n_atoms + 1), replace=False))
            distances, turned = sampled.distances(state, n_picks, atoms)
            for atom, distance, direction in zip(atoms, distances, turned, strict=True):
                expected, best = naive.best_distance(total, outputs[:, atom], case.y, n_picks + 1, share, radius, kind)
                np.testing.assert_allclose(distance, expected, rtol=1e-9, atol=1e-12)
                if best is not None:
                    np.testing.assert_allclose(direction, best, rtol=1e-6, atol=1e-6)
            first = np.eye(directions.shape[1])[0]
            straight = total + radius * outputs[:, atoms[0]] * first - (n_picks + 1) * case.y
            as_it_is = sampled.distance_as_it_is(state, n_picks, atoms[0])
            np.testing.assert_allclose(as_it_is, np.sum(share[:, None] * straight**2), rtol=1e-9, atol=1e-12)
        total = total + radius * outputs[:, picks[n_picks]] * directions[n_picks]
        if rng.random() < 0.5:
            continue
        gradient = share[:, None] * (total / (n_picks + 1) - case.y)
        offers = [-radius * np.linalg.norm(slope) for slope in _slopes(outputs, gradient, directions.shape[1])]
        if kind == "convex":
            offers = [np.sum(gradient * outputs[:, atom]) for atom in range(n_atoms)]
        expected = max(np.sum(gradient * total) / (n_picks + 1) - min(offers), 0.0)
        given_gap = sampled.gap(state, n_picks + 1, 0.0, -1.0)
        np.testing.assert_allclose(given_gap, expected, rtol=1e-7, atol=1e-12)
        longest = np.sqrt(np.max(np.einsum("s,sio->i", share, outputs**2)))
        bound = sampled.gap(state, n_picks + 1, longest, np.inf)
        assert bound >= expected * (1 - 1e-12) - 1e-12
        loss = naive.mean_loss(total / (n_picks + 1), case.y, case.weight)
        np.testing.assert_allclose(bound, gap_bound(loss, radius * longest), rtol=1e-6, atol=1e-12)
    wanted = rng.random(k) < 0.5
    wanted[rng.integers(k)] = True
    sampled.losses(state, wanted)
    expected = naive.path_losses(outputs, case.y, picks, directions, radius, case.weight)
    np.testing.assert_allclose(state.losses, np.where(wanted, expected, np.nan), rtol=1e-9, atol=1e-14)


def test_the_bound_of_the_gap_is_reached_at_the_far_end_of_the_ball():
    # The picks are an atom, its opposite the best: the gap is <u - y, 2 u>, and y = 0 makes that 2 ||u|| sqrt(2 loss).
    u = np.array([3.0, -4.0])
    y = np.zeros(2)
    state = state_of([0], np.ones((1, 1)))
    sampled = SampledPath(ArrayAtoms(u[:, None], y[:, None], None), 1.0, signed=True)
    gap = sampled.gap(state, 1, np.inf, -1.0)
    loss, reach = 0.5 * np.mean(u**2), np.sqrt(np.mean(u**2))
    np.testing.assert_allclose(gap, gap_bound(loss, reach))


def _slopes(outputs, gradient, n_directions):
    """Inner products of every atom with the gradient, one for each direction."""
    products = outputs * gradient[:, None]
    return products.sum(axis=0) if n_directions > 1 else products.sum(axis=(0, 2))[:, None]


def problem_of(**values):
    defaults = {"c": np.ones((1, 3)), "norms": np.ones(3), "target_norm": 4.0, "signed": False, "radius": 1.0}
    others = {"tie": 0.0, "doubt": 0.0, "precision": 0.0, "tol": -1.0}
    given = {**defaults, **others, **values}
    lengths = np.sqrt(given["norms"])
    return kernels.Problem(lengths=lengths, longest=lengths.max(), **given)


def at_scores(scores, slopes=None, *, picked_norms):
    """State of a search whose next pick has these scores."""
    slopes, n_atoms = np.zeros(len(scores)) if slopes is None else slopes, len(scores)
    running, counts = np.array([0.0, 0.0, picked_norms]), np.zeros(n_atoms, dtype=np.int64)
    return kernels.State(np.zeros((1, n_atoms)), running, counts, counts[:1], *np.zeros((3, 1)), slopes, scores)


def test_terms_and_reach_are_the_sizes_of_what_is_added_up():
    c, s = np.array([[1.0, -2.0], [3.0, 4.0]]), np.array([[5.0, -6.0], [-7.0, 8.0]])
    given = problem_of(c=c, norms=np.array([2.0, 3.0]), radius=0.5)
    # radius^2 ||x||^2 + 2 radius sum(|s| + t |c|)
    assert kernels.terms(10.0, given, s, 1) == 0.25 * 3 + (6 + 20 + 8 + 40)
    # 2 (sqrt(picked norms) + t ||y||)
    assert kernels.reach(10.0, given, 9.0) == 2 * (3 + 20)
    assert kernels.gap_error(10.0, given._replace(doubt=0.25, longest=8.0), 9.0) == 0.25 * 0.5 * 8 * 46 / 10
    # <Z, Z> / t^2 - <Z, Y> / t - radius min(slopes) / t, and no less than zero
    running = np.array([800.0, 20.0, 0.0])
    assert kernels.least_gap(10.0, given, running, -40.0) == 8 - 2 + 0.5 * 40 / 10
    assert kernels.least_gap(10.0, given, running, 200.0) == 0.0


def test_contenders_are_as_near_as_errors_may_be_wrong():
    # With a reach of 2 * 1.5 = 3 errors are 0.01 * 2 * (3 + 2) = 0.1 for a length of one, 0.01 * 4 * (3 + 4) = 0.28
    # for two.
    given = problem_of(doubt=0.01, radius=2.0, norms=np.array([1.0, 4.0, 1.0, 4.0]), target_norm=0.0)
    scores, longer = np.array([0.11, 0.27, 0.0, 0.29]), np.array([0, 1, 0, 1])
    for shifted, expected in ((scores, [1, 2]), (scores - 0.02 * longer, [1, 2, 3]), (np.zeros(4), [0, 1, 2, 3])):
        state = at_scores(shifted, picked_norms=2.25)
        assert search.contenders(1.0, given, state).tolist() == expected
        assert kernels.in_doubt(1.0, given, state, 2, state.scores.argmin())
        state.scores[[1, 3]] += 0.3
        assert search.contenders(1.0, given, state).tolist() == np.flatnonzero(state.scores < 0.1).tolist()
        several = np.count_nonzero(state.scores < 0.1) > 1
        assert kernels.in_doubt(1.0, given, state, 2, state.scores.argmin()) == several


def test_the_error_of_a_long_best_atom_makes_contenders_of_shorter_ones():
    given = problem_of(doubt=0.01, radius=2.0, norms=np.array([1.0, 4.0, 1.0, 4.0]), target_norm=0.0)
    state = at_scores(np.array([0.27, 0.0, 0.29, 0.29]), picked_norms=2.25)
    assert search.contenders(1.0, given, state).tolist() == [0, 1]
    assert kernels.in_doubt(1.0, given, state, 1, state.scores.argmin())
    state.scores[0] = 0.29
    assert not kernels.in_doubt(1.0, given, state, 1, state.scores.argmin())


@pytest.mark.parametrize(
    ("signed", "slope", "expected"), [(True, -0.037, True), (True, -0.038, False), (False, 0.0, False)]
)
def test_the_direction_of_a_lone_atom_may_be_in_doubt(signed, slope, expected):
    given = problem_of(doubt=0.01, signed=signed)
    state = at_scores(np.array([0.0, 9.0, 9.0]), np.array([slope, 0.0, 0.0]), picked_norms=9.0)
    # Reach 2 (3 + 2 * 2) = 14: the error is 0.01 * (14 + 1) = 0.15, and turning the atom round costs 4 |slope|.
    assert kernels.in_doubt(2.0, given, state, 0, state.scores.argmin()) == expected
    state.scores[1] = 0.14
    assert kernels.in_doubt(2.0, given, state, 0, state.scores.argmin())


def test_a_pick_is_turned_where_that_is_worth_more_than_a_tie():
    given = problem_of(c=np.array([[1.0, 0.0], [2.0, 0.0]]), radius=0.5)
    s, v = np.array([[4.0, 0.0], [6.0, 0.0]]), np.empty(2)
    slope = -np.hypot(4.0 - 3.0, 6.0 - 6.0)
    kernels.turn(3.0, given, s, slope, 1.9, 0, v)
    np.testing.assert_allclose(v, [-1.0, 0.0])
    kernels.turn(3.0, given, s, slope, 2.1, 0, v)
    np.testing.assert_allclose(v, [1.0, 0.0])


@pytest.mark.parametrize(("target_norm", "n_before"), [(1e-8, 3), (25.0, 0)])
def test_a_loss_is_held_against_the_larger_of_target_and_picks(target_norm, n_before):
    # The loss is half of what it must be of the target's size, or of that of the mean of the picks.
    norms = np.array([1.0])
    size = max(target_norm, 1.0)
    given = problem_of(c=np.zeros((1, 1)), norms=norms, target_norm=target_norm, precision=1e-7)
    running = np.array([n_before**2 * 1.0, 0.0, n_before * 1.0])
    t = n_before + 1.0
    # <Z, Z> + 2 s + 1 and <Z, Y> + c make the loss, which s brings to half a ten-millionth of the size.
    wanted = 1e-7 * size - target_norm
    s = (wanted * t * t - running[0] - 1.0) / 2.0
    losses, gaps, slopes, scores = np.zeros((4, 9))
    picks, directions = np.zeros(9, int), np.ones((9, 1))
    state = kernels.State(
        np.array([[s]]), running, np.zeros(1, int), picks, directions, losses, gaps, slopes[:1], scores[:1]
    )
    slots, columns, direction = np.zeros(1, int), np.ones((1, 1)), np.ones(1)
    done, reason, pick = kernels.squared_error_steps(
        n_before, 9, given, state, slots, columns, 0, direction, kernels.no_ahead()
    )
    assert (done, reason, pick) == (n_before, kernels.IMPRECISE, 0)


@pytest.mark.parametrize(
    ("tol", "precision", "reason", "gap"),
    [
        (-1.0, 0.0, kernels.UNRESOLVED, 0.0),
        (0.5, -np.inf, kernels.UNRESOLVED, 0.0),
        (-1.0, -np.inf, kernels.DONE, -1.0),
    ],
)
def test_a_gap_below_its_error_is_said_to_be_unknown(tol, precision, reason, gap):
    # One atom: the gap at it is zero, the least loss 1.
    given = problem_of(c=np.zeros((1, 1)), norms=np.ones(1), target_norm=1.0, doubt=1e-6, tol=tol, precision=precision)
    counts, picks = np.zeros((2, 1), int)
    state = kernels.State(np.zeros((1, 1)), np.zeros(3), counts, picks, np.ones((1, 1)), *np.zeros((4, 1)))
    done, why, _ = kernels.squared_error_steps(
        0, 1, given, state, np.zeros(1, int), np.ones((1, 1)), -1, np.ones(1), kernels.no_ahead()
    )
    assert (done, why, state.gaps[0]) == (1, reason, gap)
    exact = given._replace(doubt=0.0)
    state.running[:] = 0.0
    state.s[:] = 0.0
    _, why, _ = kernels.squared_error_steps(
        0, 1, exact, state, np.zeros(1, int), np.ones((1, 1)), -1, np.ones(1), kernels.no_ahead()
    )
    assert why == (kernels.CONVERGED if tol >= 0 else kernels.DONE)


def searching(atoms, y, k=6, *, signed=False, radius=1.0, tol=-1.0):
    return search.SquaredErrorSearch(ArrayAtoms(atoms, y[:, None], None), k, signed=signed, radius=radius, tol=tol)


def data(n_samples=60, n_atoms=100):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n_samples, n_atoms)), rng.standard_normal(n_samples)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_search_with_better_products_stands_where_it_stood(signed, dtype):
    atoms, y = data()
    running = searching(atoms.astype(dtype), y, signed=signed, radius=0.7 if signed else 1.0)
    running.run()
    promoted = running._promote(6, 50)
    assert promoted == (not signed or dtype == np.float32)
    assert not running._promote(6)
    exact = searching(atoms.astype(dtype).astype(float), y, signed=signed, radius=0.7 if signed else 1.0)
    exact.run()
    exact._promote(6)
    if promoted and running.columns.plan != "whole":
        assert running.columns.slots[50] >= 0
    np.testing.assert_allclose(running.state.s, exact.state.s, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(running.state.running, exact.state.running, rtol=1e-9, atol=1e-12)
    atoms = atoms.astype(dtype).astype(float) - (0.0 if signed else y[:, None])
    total = atoms @ (running.radius * running.state.directions[:, 0] * np.eye(100)[:, running.state.picks]).sum(axis=1)
    norms = np.mean(atoms**2, axis=0)[running.state.picks]
    expected = np.mean(total**2), np.mean(total * y) if signed else 0.0, running.radius**2 * norms.sum()
    np.testing.assert_allclose(running.state.running, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(running.state.s[0], total @ atoms / len(y), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("n_twins", "promotes"), [(1, False), (3, False), (20, True)])
def test_many_contenders_call_for_better_products(monkeypatch, n_twins, promotes):
    atoms, y = data()
    atoms = atoms.astype(np.float32)
    best = int(greedy_forward_selection(atoms, y, 1).picks[0])
    others = np.setdiff1d(np.arange(100), [best])[: n_twins - 1]
    atoms[:, others] = atoms[:, [best]]
    promoted, settled = [], []
    promote, settle = search.SquaredErrorSearch._promote, search.SquaredErrorSearch._settle
    monkeypatch.setattr(
        search.SquaredErrorSearch, "_promote", lambda self, *at: promoted.append(at) or promote(self, *at)
    )
    monkeypatch.setattr(
        search.SquaredErrorSearch, "_settle", lambda self, *at, **how: settled.append(at) or settle(self, *at, **how)
    )
    path = greedy_forward_selection(atoms, y, 1)
    assert path.picks[0] == min([best, *others])
    assert bool(promoted) == promotes
    assert bool(settled) == (n_twins > 1 and not promotes)


def test_ties_that_only_samples_can_tell_go_to_a_picked_atom():
    # Twins but for rounding far from zero, both as far from y: what differs is less than the samples' own rounding.
    rng = np.random.default_rng(0)
    far = 1e8 + rng.standard_normal((30, 1))
    atoms = np.concatenate([far, far], axis=1)
    y = far[:, 0] + 1.0
    source = ArrayAtoms(atoms, y[:, None], None, output_weights=np.ones((2, 1)))
    running = search.SquaredErrorSearch(source, 3, signed=False, radius=1.0, tol=-1.0)
    for counts, expected in (([0, 0], 0), ([0, 1], 1)):
        running.state.counts[:] = counts
        running._on_samples = None
        problem = running._problem(running.moments)
        assert running._settle(0, problem, np.array([0, 1]), exact=True)[0] == expected
    nearly = atoms + np.array([0.0, 1e-8])  # by rounding
    source = ArrayAtoms(nearly, y[:, None], None, output_weights=np.ones((2, 1)))
    running = search.SquaredErrorSearch(source, 3, signed=False, radius=1.0, tol=-1.0)
    problem = running._problem(running.moments)
    assert running._settle(0, problem, np.array([0, 1]), exact=True)[0] == 1  # nearer, by more than rounding
    assert running._settle(0, problem, np.array([0, 1]), exact=False)[0] == 0  # a tie among such products


def test_the_radius_stops_where_a_step_explains_less_than_a_hundredth():
    for gain, expected in ((0.011, 2.0), (0.009, 1.0)):
        y = np.array([1.0, np.sqrt(gain), 0.0])
        path = greedy_forward_selection(np.diag([1.0, np.sqrt(gain), 1.0]), y, 2, hull="l1")
        np.testing.assert_allclose(path.radius, expected)


def test_batches_do_not_change_what_the_samples_say(monkeypatch):
    atoms, y = data(n_atoms=8)
    far = 1e8 + atoms
    expected = greedy_forward_selection(far, 1e8 + y, 10, hull="l1", radius=1.0)
    monkeypatch.setattr(_blocks, "_BATCH_VALUES", 24)
    path = greedy_forward_selection(far, 1e8 + y, 10, hull="l1", radius=1.0)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-12)
    np.testing.assert_allclose(path.gaps, expected.gaps, rtol=1e-6)


@pytest.mark.parametrize(("noise", "dtype"), [(0.5, np.float32), (1e-3, np.float64)])
def test_a_small_loss_of_float32_atoms_calls_for_float64_products(noise, dtype):
    atoms, y = data()
    atoms = atoms.astype(np.float32)
    running = searching(atoms, atoms[:, :2].mean(axis=1) + noise * y)
    running.run()
    assert running.source.dtype == dtype


def test_losses_are_made_on_the_samples_where_they_are_small_beside_target_and_picks(monkeypatch):
    atoms, y = data()
    running = searching(atoms, y, signed=True, radius=3.0)
    picks = running.run().picks
    norms, target_norm = np.mean(atoms**2, axis=0), np.mean(y**2)
    size = [max(target_norm, np.mean(9.0 * norms[picks[: t + 1]])) for t in range(6)]
    asked = []
    monkeypatch.setattr(SampledPath, "losses", lambda self, state, wanted: asked.append(wanted.tolist()))
    expected = [True, False, True, False, False, True]
    running.state.losses[:] = np.where(expected, 0.9e-7, 1.1e-7) * size
    running._losses_from_samples(6)
    assert asked == [expected]
