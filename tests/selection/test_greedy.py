"""Greedy forward selection against its plain-loop oracle, its invariants, and the theory's bounds."""

from __future__ import annotations

import naive
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from strategies import cases

from selection.small import LOSS, factorised
from sklearn_gfs import greedy_forward_selection


@given(cases(), st.booleans())
def test_factorised_and_stacked_atoms_agree_with_the_oracle(case, with_offset):
    offset = np.arange(case.y.shape[1]) - 0.5 if with_offset else None
    picks, losses, gaps = naive.greedy(
        case.atoms, case.y, case.k, weight=case.weight, offset=0.0 if offset is None else offset
    )
    stacked = greedy_forward_selection(case.atoms, case.y, case.k, sample_weight=case.weight, offset=offset)
    for path in (factorised(case, offset=offset), stacked):
        np.testing.assert_array_equal(path.picks, picks)
        np.testing.assert_allclose(path.losses, losses, **LOSS)
        np.testing.assert_allclose(path.gaps, np.maximum(gaps, 0), rtol=1e-7, atol=1e-12)
        np.testing.assert_array_equal(path.counts, np.bincount(picks, minlength=case.B.shape[0]))
        np.testing.assert_allclose(path.weights, path.counts / case.k)


@given(cases(), st.floats(0.1, 10.0))
def test_l1_ball_agrees_with_the_oracle(case, radius):
    picks, losses, gaps = naive.greedy(case.atoms, case.y, case.k, weight=case.weight, signs=(1.0, -1.0), radius=radius)
    path = factorised(case, hull="l1", radius=radius)
    np.testing.assert_array_equal(path.picks, picks)
    np.testing.assert_allclose(path.losses, losses, **LOSS)
    np.testing.assert_allclose(path.gaps, np.maximum(gaps, 0), rtol=1e-7, atol=1e-12)
    mean = np.einsum("sno,n->so", case.atoms, path.weights)
    np.testing.assert_allclose(path.losses[-1], naive.mean_loss(mean, case.y, case.weight), **LOSS)
    assert np.abs(path.weights).sum() <= radius * (1 + 1e-12)


@given(cases(), st.floats(0.1, 10.0), st.integers(0, 2**32 - 1))
def test_ball_over_several_targets_turns_each_atom_the_best_way(case, radius, seed):
    path = greedy_forward_selection(case.H, case.y, case.k, hull="l1", radius=radius, sample_weight=case.weight)
    weights = path.weights.reshape(len(path.counts), -1)
    np.testing.assert_allclose(path.losses[-1], naive.mean_loss(case.H @ weights, case.y, case.weight), **LOSS)
    assert np.linalg.norm(weights, axis=1).sum() <= radius * (1 + 1e-12)
    before = 0.0
    if case.k > 1:
        shorter = greedy_forward_selection(
            case.H, case.y, case.k - 1, hull="l1", radius=radius, sample_weight=case.weight
        )
        before = (case.k - 1) * case.H @ shorter.weights.reshape(weights.shape)
    for direction in np.random.default_rng(seed).standard_normal((20, case.y.shape[1])):
        direction /= np.linalg.norm(direction)
        for atom in range(case.H.shape[1]):
            other = (before + radius * np.outer(case.H[:, atom], direction)) / case.k
            assert path.losses[-1] <= naive.mean_loss(other, case.y, case.weight) * (1 + 1e-9) + 1e-12


@given(cases(), st.integers(0, 2**32 - 1))
def test_picks_follow_a_permutation_of_the_atoms_and_of_the_samples(case, seed):
    rng = np.random.default_rng(seed)
    H, B = rng.standard_normal(case.H.shape), rng.standard_normal(case.B.shape)  # no ties, which go by index
    atoms, samples = rng.permutation(H.shape[1]), rng.permutation(H.shape[0])
    path = greedy_forward_selection(H, case.y, case.k, output_weights=B)
    permuted = greedy_forward_selection(H[np.ix_(samples, atoms)], case.y[samples], case.k, output_weights=B[atoms])
    np.testing.assert_array_equal(atoms[permuted.picks], path.picks)
    np.testing.assert_allclose(permuted.losses, path.losses, **LOSS)


@given(cases(max_outputs=1), st.integers(0, 2**32 - 1))
def test_a_common_rotation_of_the_samples_changes_nothing(case, seed):
    rng = np.random.default_rng(seed)
    H, y = rng.standard_normal(case.H.shape), case.y[:, 0]
    rotation = np.linalg.qr(rng.standard_normal((len(y), len(y))))[0]
    path, rotated = (greedy_forward_selection(a, b, case.k) for a, b in ((H, y), (rotation @ H, rotation @ y)))
    np.testing.assert_array_equal(path.picks, rotated.picks)
    np.testing.assert_allclose(path.losses, rotated.losses, rtol=1e-7, atol=1e-12)


@given(cases(integer_weights=True), st.sampled_from(["convex", "l1"]))
def test_an_integer_weight_equals_repeating_the_sample(case, hull):
    repeated = case.weight.astype(int)
    path = factorised(case, hull=hull)
    again = greedy_forward_selection(
        np.repeat(case.H, repeated, axis=0),
        np.repeat(case.y, repeated, axis=0),
        case.k,
        output_weights=case.B,
        hull=hull,
    )
    np.testing.assert_array_equal(path.picks, again.picks)
    np.testing.assert_allclose(path.losses, again.losses, **LOSS)


@given(cases(max_samples=40), st.integers(0, 2**32 - 1))
def test_the_theory_bounds_hold_for_any_point_of_the_hull(case, seed):
    w = np.random.default_rng(seed).dirichlet(np.ones(case.B.shape[0]))
    path = factorised(case)
    point = np.einsum("sno,n->so", case.atoms, w)
    at_point = naive.mean_loss(point, case.y, case.weight)
    share = case.weight / case.weight.sum()
    spread = np.einsum("n,s,sno->", w, share, (case.atoms - point[:, None]) ** 2)
    k = np.arange(1, case.k + 1)
    slack = 1e-9 * (1 + at_point + spread)
    before = np.concatenate([[0.0], path.losses[:-1]])
    assert (k * path.losses <= (k - 1) * before + at_point + spread / (2 * k) + slack).all()
    assert (path.losses <= at_point + spread * np.cumsum(1 / k) / (2 * k) + slack).all()
    assert (path.losses <= (np.sqrt(at_point) + np.sqrt(spread / (2 * k))) ** 2 + slack).all()


@given(cases(max_samples=12, max_atoms=6, max_k=6), st.booleans())
def test_gap_bounds_the_distance_to_the_true_optimum(case, signed):
    options = {"hull": "l1", "radius": 0.7} if signed else {}
    path = factorised(case, **options)
    vertices = case.atoms.transpose(1, 0, 2)
    vertices = 0.7 * np.concatenate([vertices, -vertices]) if signed else vertices
    share = (case.weight / case.weight.sum())[:, None]
    optimum = minimize(
        lambda w: 0.5 * np.sum(share * (np.tensordot(w, vertices, 1) - case.y) ** 2),
        np.full(len(vertices), 1 / len(vertices)),
        jac=lambda w: np.einsum("so,nso->n", share * (np.tensordot(w, vertices, 1) - case.y), vertices),
        method="SLSQP",
        bounds=[(0, 1)] * len(vertices),
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
    )
    assert (path.gaps >= path.losses - optimum.fun - 1e-9).all()
    assert (path.gaps >= 0).all()
