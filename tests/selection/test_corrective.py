"""Corrective selection for squared error: against its oracle, and what is true of least squares."""

from __future__ import annotations

import naive
import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import Case, cases

from selection.small import make
from sklearn_gfs import SelectionStatistics, greedy_forward_selection
from sklearn_gfs.selection import corrective_paths, cross_validated

LOSS = {"rtol": 1e-7, "atol": 1e-11}
RIDGES = st.sampled_from([0.0, 1e-3, 0.3])
KINDS = ["neurons", "columns", "outputs"]


def selected(case, kind, ridge, k=None, **options):
    """The selection of a case in one of the three forms that atoms have."""
    options = {"corrective": True, "ridge": ridge, "sample_weight": case.weight, **options}
    if kind == "neurons":
        options["output_weights"] = case.B
    atoms = case.atoms if kind == "outputs" else case.H
    return greedy_forward_selection(atoms, case.y, case.k if k is None else k, **options)


def approximation(case, kind, path):
    """What a path approximates y with."""
    if kind == "outputs":
        return path.intercept + np.einsum("sno,n->so", case.atoms, path.weights)
    return path.intercept + case.H @ path.weights.reshape(len(path.counts), -1)


# Two picks leave a gain of 4e-13 of the loss.
NEARLY_FITTED = Case(
    H=np.array([[0.0, 0.113917841, 1.95798772e-4, -1.41049196]]),
    B=np.array([[-0.61592773], [1.26331901], [0.57405491], [-1.95772662]]),
    atoms=np.array([[[0.0], [0.143914573], [1.12399247e-4], [2.76135765]]]),
    y=np.array([[-0.49158828]]),
    weight=np.array([2.65472511]),
    k=3,
)


def penalty_of(case, kind, ridge):
    """What the ridge puts before the sum of the squared weights, halved."""
    share = case.weight / case.weight.sum()
    atoms = case.atoms if kind == "outputs" else case.H[:, :, None]
    if kind == "neurons":
        atoms = atoms - np.einsum("s,sno->no", share, atoms)
    return ridge * np.einsum("s,sno->n", share, atoms**2).mean()


@given(cases(), st.sampled_from(KINDS), RIDGES)
@example(NEARLY_FITTED, "outputs", 1e-3)
def test_agrees_with_solving_for_every_atom_anew(case, kind, ridge):
    path = selected(case, kind, ridge, tol=0.0)
    picks, losses, gaps, weights, intercept = naive.corrective(
        case.atoms if kind == "outputs" else case.H,
        case.y,
        case.k,
        weight=case.weight,
        ridge=ridge,
        intercept=kind == "neurons",
    )
    if len(path.picks) > len(
        picks
    ):  # next to nothing is left to gain, where the oracle ends and the search does not yet
        constant = case.weight @ case.y / case.weight.sum() if kind == "neurons" else 0.0
        size = naive.mean_loss(constant + 0 * case.y, case.y, case.weight)
        if not len(picks):
            assert path.losses[0] >= (1 - 1e-11) * size
            return
        assert path.gaps[len(picks) - 1] <= 1e-11 * size
        path = selected(case, kind, ridge, tol=0.0, k=len(picks))
    np.testing.assert_array_equal(path.picks, picks)
    np.testing.assert_allclose(path.losses, losses, **LOSS)
    np.testing.assert_allclose(path.gaps, gaps, **LOSS)
    np.testing.assert_allclose(path.weights[path.picks].reshape(weights.shape), weights, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(path.intercept, intercept + np.zeros_like(path.intercept), rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(path.counts, np.bincount(path.picks, minlength=len(path.counts)))


@given(cases(), st.sampled_from(KINDS), RIDGES)
def test_losses_are_those_of_the_weights_and_no_pick_makes_the_penalised_one_worse(case, kind, ridge):
    path, penalty = selected(case, kind, ridge), penalty_of(case, kind, ridge)
    found = naive.mean_loss(approximation(case, kind, path), case.y, case.weight)
    if len(path.picks):
        np.testing.assert_allclose(path.losses[-1], found, **LOSS)
    before = np.inf
    for k in range(1, len(path.picks) + 1):
        shorter = selected(case, kind, ridge, k=k)
        np.testing.assert_array_equal(shorter.picks, path.picks[:k])
        np.testing.assert_allclose(shorter.losses, path.losses[:k], **LOSS)
        penalised = shorter.losses[-1] + 0.5 * penalty * np.sum(shorter.weights**2)
        assert penalised <= before * (1 + 1e-12)
        before = penalised


@given(cases(), st.sampled_from(KINDS), RIDGES)
def test_the_penalised_loss_has_no_slope_along_the_picks(case, kind, ridge):
    path, penalty = selected(case, kind, ridge), penalty_of(case, kind, ridge)
    residual = (case.weight / case.weight.sum())[:, None] * (approximation(case, kind, path) - case.y)
    if kind == "outputs":
        slopes = np.einsum("so,sno->n", residual, case.atoms) + penalty * path.weights
    else:
        slopes = case.H.T @ residual + penalty * path.weights.reshape(len(path.counts), -1)
    np.testing.assert_allclose(slopes[path.picks], 0.0, atol=1e-9)
    if kind == "neurons":
        np.testing.assert_allclose(residual.sum(axis=0), 0.0, atol=1e-12)


@given(cases(), st.sampled_from(KINDS), st.sampled_from([1e-3, 0.3]), st.booleans(), st.integers(0, 2**32 - 1))
def test_gaps_bound_what_any_weights_reach(case, kind, ridge, exact, seed):
    path, penalty = selected(case, kind, ridge, tol=0.0 if exact else None), penalty_of(case, kind, ridge)
    assert (path.gaps >= 0).all()
    if not len(path.picks):
        return
    rng = np.random.default_rng(seed)
    penalised = path.losses[-1] + 0.5 * penalty * np.sum(path.weights**2)
    for scale in [0.0, 1e-3, 0.1, 1.0]:
        other = path._replace(
            weights=path.weights + scale * rng.standard_normal(path.weights.shape),
            intercept=path.intercept + (kind == "neurons") * scale * rng.standard_normal(path.intercept.shape),
        )
        reached = naive.mean_loss(approximation(case, kind, other), case.y, case.weight)
        assert penalised - path.gaps[-1] <= reached + 0.5 * penalty * np.sum(other.weights**2) + 1e-12
    full = selected(case, kind, ridge, k=len(path.counts), tol=0.0 if exact else None)
    if len(full.picks) == len(full.counts):
        np.testing.assert_allclose(full.gaps[-1], 0.0, atol=1e-12)


@given(cases(max_samples=40), st.sampled_from(KINDS), RIDGES, st.integers(0, 2**32 - 1))
def test_picks_follow_a_permutation_of_atoms_and_samples(case, kind, ridge, seed):
    rng = np.random.default_rng(seed)
    H, B = rng.standard_normal(case.H.shape), rng.standard_normal(case.B.shape)  # no ties, which go by index
    samples, order = rng.permutation(len(H)), rng.permutation(H.shape[1])
    k = min(case.k, len(H) - 2)  # what then is left of y has several dimensions: atoms don't tie
    if k < 1:
        return
    one = case._replace(H=H, B=B, atoms=H[:, :, None] * B, k=k)
    other = case._replace(
        H=H[np.ix_(samples, order)],
        B=B[order],
        atoms=one.atoms[np.ix_(samples, order)],
        y=case.y[samples],
        weight=case.weight[samples],
        k=k,
    )
    path, permuted = selected(one, kind, ridge), selected(other, kind, ridge)
    np.testing.assert_array_equal(order[permuted.picks], path.picks)
    np.testing.assert_allclose(permuted.losses, path.losses, **LOSS)


@given(cases(), st.sampled_from(KINDS), st.floats(-3, 3), st.floats(-3, 3))
def test_units_of_atoms_and_targets_make_no_difference(case, kind, atom_unit, y_unit):
    path = selected(case, kind, 0.1)
    a, b = 10.0**atom_unit, 10.0**y_unit
    other = case._replace(H=a * case.H, atoms=a * case.atoms, y=b * case.y)
    scaled = selected(other, kind, 0.1)
    np.testing.assert_array_equal(scaled.picks, path.picks)
    np.testing.assert_allclose(scaled.losses, b**2 * path.losses, rtol=1e-7, atol=1e-11 * b**2)


@given(cases(integer_weights=True), st.sampled_from(KINDS), RIDGES)
def test_an_integer_weight_equals_repeating_the_sample(case, kind, ridge):
    times = case.weight.astype(int)
    path = selected(case, kind, ridge)
    H, atoms, y = (np.repeat(array, times, axis=0) for array in (case.H, case.atoms, case.y))
    again = selected(case._replace(H=H, atoms=atoms, y=y), kind, ridge, sample_weight=None)
    np.testing.assert_array_equal(path.picks, again.picks)
    np.testing.assert_allclose(path.losses, again.losses, **LOSS)


@pytest.mark.parametrize("kind", KINDS)
def test_of_equal_atoms_the_first_is_picked_and_with_a_ridge_the_others_may_follow(kind):
    H, y = make(n_atoms=5)
    H = np.concatenate([H, H], axis=1)
    options = {"output_weights": np.ones((10, 1))} if kind == "neurons" else {}
    atoms = H[:, :, None] if kind == "outputs" else H
    y = y[:, None] if kind == "outputs" else y
    path = greedy_forward_selection(atoms, y, 10, corrective=True, **options)
    assert sorted(path.picks.tolist()) == [0, 1, 2, 3, 4]
    path = greedy_forward_selection(atoms, y, 10, corrective=True, ridge=0.1, **options)
    assert sorted(path.picks.tolist()) == list(range(10))
    assert path.picks[0] < 5


def test_a_target_that_is_reached_ends_the_path():
    H, _ = make()
    path = greedy_forward_selection(H, 2.0 * H[:, 3] - H[:, 7], 20, corrective=True)
    assert sorted(path.picks.tolist()) == [3, 7]
    np.testing.assert_allclose(path.weights[[3, 7]], [2.0, -1.0])
    assert path.losses[-1] <= 1e-14


@pytest.mark.parametrize("y", [np.zeros(200), np.full(200, 0.1)])
def test_a_constant_target_needs_no_neuron(y):
    H, _ = make()
    path = greedy_forward_selection(H, y, 3, corrective=True, output_weights=np.ones((40, 1)))
    assert not len(path.picks)
    assert not path.weights.any()
    np.testing.assert_allclose(path.intercept, y[:1])


def test_the_offset_is_added_to_columns_and_makes_no_difference_beside_a_free_intercept():
    H, y = make()
    path = greedy_forward_selection(H, y + 1.5, 6, corrective=True, offset=[1.5])
    plain = greedy_forward_selection(H, y, 6, corrective=True)
    np.testing.assert_array_equal(path.picks, plain.picks)
    np.testing.assert_allclose(path.weights, plain.weights)
    assert path.intercept == [1.5]
    neurons = {"corrective": True, "output_weights": np.ones((40, 1))}
    one, other = (greedy_forward_selection(H, y, 6, offset=offset, **neurons) for offset in (None, [1.5]))
    np.testing.assert_allclose(one.intercept, other.intercept)


@given(cases(), st.sampled_from(KINDS))
def test_several_ridges_share_columns_and_change_nothing(case, kind):
    ridges = [0.3, 0.0, 1e-3]
    options = {"output_weights": case.B} if kind == "neurons" else {}
    atoms = case.atoms if kind == "outputs" else case.H
    found = corrective_paths(atoms, case.y, case.k, ridges, sample_weight=case.weight, tol=0.0, **options)
    for ridge, several in zip(ridges, found, strict=True):
        alone = selected(case, kind, ridge, tol=0.0)
        for one, other in zip(several.path, alone, strict=True):
            np.testing.assert_array_equal(one, other)
        for k in range(1, len(alone.picks) + 1):
            np.testing.assert_allclose(
                several.prefix(k).weights, selected(case, kind, ridge, k=k).weights, rtol=1e-6, atol=1e-9
            )


@given(cases(max_outputs=1), RIDGES)
def test_degrees_of_freedom_are_the_trace_of_what_maps_y_to_its_approximation(case, ridge):
    (path,) = corrective_paths(case.H, case.y, case.k, [ridge], sample_weight=case.weight)
    chosen, share = case.H[:, path.picks], case.weight / case.weight.sum()
    gram = (chosen.T * share) @ chosen
    if len(path.picks):
        trace = np.trace(np.linalg.solve(gram + penalty_of(case, "columns", ridge) * np.eye(len(gram)), gram))
        np.testing.assert_allclose(path.degrees[-1], trace, rtol=1e-6)


def test_losses_to_be_expected_grow_with_the_degrees_until_none_are_left():
    H, y = make()
    (path,) = corrective_paths(H, y, 4, [1e-2])
    assert len(path.picks) == 4
    n_values = path.degrees[2] + 1.0  # with the third pick nothing is left beside an intercept
    for per_degree, n_free, least_left in ((1.0, 1.0, 0.0), (0.5, 0.0, 0.0), (3.0, 1.0, 1e-2)):
        given = {"per_degree": per_degree, "n_free": n_free, "least_left": least_left}
        for loss, degrees, found in zip(
            path.losses, path.degrees, cross_validated(path, n_values, **given), strict=True
        ):
            left = max(1 - (per_degree * degrees + n_free) / n_values, least_left)
            assert found == (pytest.approx(loss / left**2) if left > 0 else np.inf)
    assert np.isinf(cross_validated(path, n_values)).tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"corrective": 1}, TypeError, "corrective=1 must be True or False"),
        ({"ridge": 0.1}, ValueError, "ridge=0.1 needs corrective=True"),
        ({"corrective": True, "ridge": -1.0}, ValueError, "ridge=-1.0 must be a finite number of at least 0"),
        ({"corrective": True, "ridge": "auto"}, TypeError, "ridge='auto' must be a finite number"),
        ({"corrective": True, "hull": "l1"}, ValueError, "hull='l1' does not go with corrective=True"),
        ({"corrective": True, "radius": 2.0}, ValueError, "radius=2.0 does not go with corrective=True"),
    ],
)
def test_what_does_not_go_together_is_refused(options, error, text):
    H, y = make()
    with pytest.raises(error, match=text):
        greedy_forward_selection(H, y, 3, **options)


@pytest.mark.parametrize("radius", ["auto", None])
def test_a_radius_that_is_left_open_goes_with_solved_weights(radius):
    H, y = make()
    expected = greedy_forward_selection(H, y, 3, corrective=True)
    found = greedy_forward_selection(H, y, 3, radius=radius, corrective=True)
    summed = SelectionStatistics().update(H, y).select(3, radius=radius, corrective=True)
    for path in (found, summed):
        np.testing.assert_array_equal(path.picks, expected.picks)
        np.testing.assert_allclose(path.weights, expected.weights)


def in_chunks(case):
    """The sums over the samples of a case, chunk by chunk."""
    statistics = SelectionStatistics()
    for chunk in np.array_split(np.arange(len(case.y)), 3):
        if len(chunk):
            weight = case.weight[chunk]
            statistics.update(case.H[chunk], case.y[chunk], weight if weight.any() else weight + 1e-300)
    return statistics


FITTED = pytest.mark.filterwarnings("ignore:After .* less exact:UserWarning")


@FITTED
@given(cases(), st.sampled_from(["neurons", "columns"]), RIDGES, st.booleans())
def test_sums_over_chunks_give_the_path_of_the_whole(case, kind, ridge, exact):
    tol = 0.0 if exact else None
    whole = selected(case, kind, ridge, tol=tol)
    weights = case.B if kind == "neurons" else None
    summed = in_chunks(case).select(case.k, output_weights=weights, corrective=True, ridge=ridge, tol=tol)
    np.testing.assert_array_equal(summed.picks, whole.picks)
    np.testing.assert_allclose(summed.losses, whole.losses, **LOSS)
    np.testing.assert_allclose(summed.gaps, whole.gaps, **LOSS)
    np.testing.assert_allclose(summed.weights, whole.weights, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(summed.intercept, whole.intercept, rtol=1e-6, atol=1e-9)


@FITTED
@given(cases(max_samples=40), RIDGES)
def test_standardised_sums_are_sums_of_standardised_atoms(case, ridge):
    share = case.weight / case.weight.sum()
    mean = share @ case.H
    scale = np.sqrt(share @ (case.H - mean) ** 2)
    varies = scale > 1e-12
    if not varies.any():
        return
    Z = np.where(varies, (case.H - mean) / np.where(varies, scale, 1.0), 0.0)[:, varies]
    expected = greedy_forward_selection(
        Z, case.y - share @ case.y, case.k, sample_weight=case.weight, corrective=True, ridge=ridge
    )
    found = in_chunks(case).select(case.k, standardize=True, corrective=True, ridge=ridge)
    np.testing.assert_array_equal(found.picks, np.flatnonzero(varies)[expected.picks])
    np.testing.assert_allclose(found.losses, expected.losses, **LOSS)
    np.testing.assert_allclose(found.weights[varies], expected.weights, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.intercept, share @ case.y, rtol=1e-9, atol=1e-12)


@given(cases(max_samples=40), st.sampled_from(KINDS), RIDGES, st.booleans())
def test_float32_atoms_give_the_path_of_the_same_values_in_float64(case, kind, ridge, exact):
    H, B = case.H.astype(np.float32), case.B.astype(np.float32)
    narrow = case._replace(H=H, B=B, atoms=H[:, :, None] * B)
    wide = case._replace(H=H.astype(float), B=B, atoms=narrow.atoms.astype(float))
    path, expected = (selected(some, kind, ridge, tol=0.0 if exact else None) for some in (narrow, wide))
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(path.weights, expected.weights, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(path.intercept, expected.intercept, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("seed", [2075, 2472, 7085, 10413])
def test_nearly_dependent_picks_of_float32_leave_the_tie_of_the_last_pick_a_tie(seed):
    rng = np.random.default_rng(seed)
    H, y = rng.standard_normal((5, 8)).astype(np.float32), rng.standard_normal((5, 3))
    path = greedy_forward_selection(H, y, 4, output_weights=np.ones((8, 3)), corrective=True)
    others = np.setdiff1d(np.arange(8), path.picks[:3])
    assert path.picks[3] == others[0]  # with an intercept and three picks one sample is left, which any neuron explains
    np.testing.assert_allclose(path.losses[3], 0.0, atol=1e-12)


@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, torch.from_numpy])
@pytest.mark.parametrize("heavy", [1e2, 1e4])
def test_the_ridge_of_float32_atoms_is_a_share_of_their_exact_variance(make, heavy):
    rng = np.random.default_rng(0)
    for _ in range(20):
        H, y = rng.standard_normal((3, 2)).astype(np.float32), rng.standard_normal(3)
        options = {"output_weights": np.ones((2, 1)), "corrective": True, "ridge": 0.3, "sample_weight": [heavy, 1, 1]}
        path, expected = (greedy_forward_selection(some, y, 1, **options) for some in (make(H), H.astype(float)))
        np.testing.assert_array_equal(path.picks, expected.picks)
        np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-6)
        np.testing.assert_allclose(path.weights, expected.weights, rtol=1e-6)


@pytest.mark.parametrize("ridge", [0.0, 1e-3])
@pytest.mark.parametrize("kind", ["neurons", "columns"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_atoms_far_from_zero_are_compared_about_their_means(kind, dtype, ridge):
    rng = np.random.default_rng(0)
    H = rng.standard_normal((300, 30)) + 3000.0 * (kind == "neurons")
    H = H.astype(dtype)
    y = H[:, :5].astype(float) @ rng.standard_normal(5) + rng.standard_normal(300)
    options = {"output_weights": np.ones((30, 1))} if kind == "neurons" else {}
    path = greedy_forward_selection(H, y, 8, corrective=True, ridge=ridge, **options)
    picks, losses, _, weights, intercept = naive.corrective(
        H.astype(float), y[:, None], 8, ridge=ridge, intercept=kind == "neurons"
    )
    np.testing.assert_array_equal(path.picks, picks)
    np.testing.assert_allclose(path.losses, losses, rtol=1e-6)
    np.testing.assert_allclose(path.weights[picks].ravel(), weights.ravel(), rtol=1e-5)
    np.testing.assert_allclose(path.intercept, intercept if kind == "neurons" else 0.0, rtol=1e-5)
