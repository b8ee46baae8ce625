"""What papers state: each bound against measured selections, where it is a theorem, and what is none by an example."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from sklearn_gfs import greedy_forward_selection, theory

from .test_bounds import SLACK, loss, make_problem, problems


@given(problem=problems, k=st.integers(1, 10))
def test_lemma_1_holds_for_ten_picks(problem, k):
    atoms, y, weights, sample_weight = make_problem(**problem)
    path = greedy_forward_selection(atoms, y, k, sample_weight=sample_weight)
    hull_loss = loss(np.einsum("mno,n->mo", atoms, weights), y, sample_weight)
    diameter = theory.hull_diameter(atoms, sample_weight=sample_weight)
    bounds = theory.lemma_1_bound(np.arange(1, k + 1), path.losses[0], hull_loss, diameter)
    assert (path.losses <= bounds + SLACK * (1 + hull_loss + diameter**2)).all()


def steps_summed(k, first_loss, hull_loss, diameter):
    """What `one_step_bound` gives from the first pick on, with the largest spread that the diameter allows."""
    bound = first_loss
    for pick in range(2, k + 1):
        bound = theory.one_step_bound(pick, bound, hull_loss, diameter**2 / 2)
    return bound


def test_lemma_1_follows_from_single_steps_up_to_ten_picks_and_no_further():
    proved = [steps_summed(k, 0.0, 0.0, 1.0) <= theory.lemma_1_bound(k, 0.0, 0.0, 1.0) for k in range(1, 13)]
    assert proved == [True] * 10 + [False] * 2
    for k in range(1, 11):
        assert steps_summed(k, 0.7, 0.3, 2.0) <= theory.lemma_1_bound(k, 0.7, 0.3, 2.0)


@given(
    n_samples=st.integers(1, 8),
    extra=st.integers(0, 5),
    k=st.integers(1, 40),
    reach=st.floats(0.1, 3.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_interior_bound_holds(n_samples, extra, k, reach, seed):
    """Atoms at y plus and minus `reach` along axes span a ball around y; others only add to the hull."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n_samples)
    axes = reach * np.linalg.qr(rng.normal(size=(n_samples, n_samples)))[0]
    offsets = np.hstack([axes, -axes, rng.normal(size=(n_samples, extra))])
    radius = reach / math.sqrt(n_samples) / math.sqrt(n_samples)  # of the ball, as a root mean square
    atoms = y[:, np.newaxis] + offsets
    losses = greedy_forward_selection(atoms, y, k).losses
    bounds = theory.interior_bound(np.arange(1, k + 1), theory.hull_diameter(atoms), radius)
    assert (losses <= bounds * (1 + 1e-9) + 1e-15).all()


def corrective_losses(atoms, y, k, ridge=0.0):
    """
    Losses, with the penalty, of a plain corrective selection; atoms are (n_samples, n_atoms), y (n_samples, n_outputs).

    Each pick is the atom after which the penalised loss of the weights solved again is least.
    """
    n_samples, n_atoms = atoms.shape
    rows = np.vstack([atoms / math.sqrt(n_samples), math.sqrt(2 * ridge) * np.eye(n_atoms)])
    targets = np.vstack([y / math.sqrt(n_samples), np.zeros((n_atoms, y.shape[1]))])
    picks, losses = [], []
    for _ in range(min(k, n_atoms)):
        found = {atom: _least_loss(rows[:, [*picks, atom]], targets) for atom in range(n_atoms) if atom not in picks}
        picks.append(min(found, key=found.get))
        losses.append(found[picks[-1]])
    return picks, np.array(losses)


def _least_loss(columns, targets):
    solution = np.linalg.lstsq(columns, targets, rcond=None)[0]
    return np.sum((columns @ solution - targets) ** 2) / 2


@given(problem=problems, k=st.integers(1, 10), ridge=st.sampled_from([0.0, 0.1]))
def test_corrective_bound_holds_for_every_combination(problem, k, ridge):
    atoms, y, _, _ = make_problem(**problem | {"weighted": False})
    atoms = atoms[:, :, 0]
    picks, losses = corrective_losses(atoms, y, k, ridge)
    rng = np.random.default_rng(problem["seed"])
    lengths = np.sqrt(np.mean(atoms**2, axis=0) + 2 * ridge)
    for scale in (0.0, 0.1, 1.0):
        coefficients = scale * rng.normal(size=(atoms.shape[1], y.shape[1]))
        sizes = np.linalg.norm(coefficients, axis=1)
        comparison = loss(atoms @ coefficients, y) + ridge * np.sum(sizes**2)
        bounds = theory.corrective_bound(np.arange(1, len(picks) + 1), comparison, sizes @ lengths)
        assert (losses <= bounds * (1 + SLACK) + SLACK).all()


def test_corrective_selection_is_not_always_ahead_of_the_paper_s_picks_solved_again():
    """Both have two atoms: the paper's selection happens on the two of which y is a combination."""
    atoms = np.array([[-1.0, 2.0, 0.0], [-2.0, 1.0, 1.0], [2.0, -2.0, -2.0]])
    y = np.array([[2.0], [-2.0], [0.0]])
    ours = greedy_forward_selection(atoms, y[:, 0], 2).picks
    corrective, losses = corrective_losses(atoms, y, 2)
    assert (ours.tolist(), corrective) == ([0, 1], [2, 1])
    assert _least_loss(atoms[:, ours] / math.sqrt(3), y / math.sqrt(3)) < 1e-12
    assert losses[1] > 0.5


@pytest.mark.parametrize(("solver", "power"), [("sgd", 2), ("gradient_descent", 1)])
def test_paper_threshold_is_logarithmic_in_k_and_a_power_of_the_samples(solver, power):
    of_k = [theory.paper_threshold(10**p, 5000, 784, 0.1, solver) for p in (1, 2, 4)]
    assert_allclose(np.divide(of_k, of_k[0]), [1, 2, 4], rtol=0.02)
    of_samples = [theory.paper_threshold(50, n, 10, 0.01, solver) for n in (10_000, 20_000, 40_000)]
    assert_allclose(np.divide(of_samples, of_samples[0]), [1, 2**power, 4**power], rtol=0.001)
    assert theory.paper_threshold(1, 5000, 784, solver=solver) == 0


@given(k=st.integers(2, 10**6), n=st.integers(1, 10**5), d=st.integers(1, 1000), c=st.floats(1e-6, 1e3))
def test_paper_threshold_is_the_least_that_suffices(k, n, d, c):
    if not c * d / n < 1:
        with pytest.raises(ValueError, match=r"c \* n_features / n_samples must be below 1"):
            theory.paper_threshold(k, n, d, c, "gradient_descent")
        return
    t = theory.paper_threshold(k, n, d, c, "gradient_descent")
    rate = -math.log1p(-c * d / n)
    assert t * rate >= math.log(k) * (1 - 1e-9)
    assert (t - 1) * rate < math.log(k) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.lemma_1_bound(0, 1.0, 1.0, 1.0), "k must be finite whole numbers of at least 1"),
        (lambda: theory.lemma_1_bound(1, -1.0, 1.0, 1.0), "first_loss must be a finite number of at least 0"),
        (lambda: theory.interior_bound(1, 1.0, 0.0), "radius must be a finite number greater than 0"),
        (lambda: theory.interior_bound(1, 1.0, 0.6), "radius must be at most diameter / 2 = 0.5, got 0.6"),
        (lambda: theory.corrective_bound(1, 1.0, -1.0), "variation must be a finite number of at least 0"),
        (lambda: theory.paper_threshold(1.5, 100, 10), "k must be a finite whole number of at least 1"),
        (lambda: theory.paper_threshold(5, 0, 10), "n_samples must be a finite whole number of at least 1"),
        (lambda: theory.paper_threshold(5, 100, 10, 0.0), "c must be a finite number greater than 0"),
        (lambda: theory.paper_threshold(5, 100, 10, solver="adam"), "solver must be one of"),
        (lambda: theory.paper_threshold(5, 10, 100), r"c \* n_features / n_samples\*\*2 must be below 1, got 1"),
        (lambda: theory.paper_threshold(5, 10**9, 1, 1e-300), "the bound asks for more iterations"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
