"""Selection for the log loss, of logits and of probabilities, against its oracle, its invariants and scikit-learn."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import minimize
from sklearn.metrics import log_loss
from strategies import cases
from threadpoolctl import threadpool_limits

from sklearn_gfs import greedy_forward_selection
from sklearn_gfs.selection import _log_loss
from sklearn_gfs.selection import _log_loss_kernels as kernels
from sklearn_gfs.selection import _probability_kernels as probability

LOSS = {"rtol": 1e-11, "atol": 1e-13}
GAP = {"rtol": 1e-8, "atol": 1e-11}
# As the outputs of few atoms on few samples sometimes do.
LIKE_PROBABILITIES = pytest.mark.filterwarnings("ignore:atoms look like probabilities:UserWarning")


def classes_of(case):
    """A class for each sample, as many classes as the case has outputs, and two where it has one."""
    if case.y.shape[1] == 1:
        return (case.y[:, 0] > 0).astype(int)
    return case.y.argmax(axis=1)


def probabilities_of(case):
    """Positive numbers that add up to one over the outputs; of a single output, the second class's share."""
    if case.y.shape[1] == 1:
        return 1 / (1 + np.exp(-case.atoms))
    p = np.exp(case.atoms - case.atoms.max(axis=2, keepdims=True))
    return p / p.sum(axis=2, keepdims=True)


@LIKE_PROBABILITIES
@given(cases(), st.booleans(), st.booleans())
def test_logits_agree_with_the_oracle(case, weighted, with_offset):
    classes, weight = classes_of(case), case.weight if weighted else None
    offset = np.arange(case.y.shape[1]) - 0.5 if with_offset else None
    picks, losses, gaps = naive.greedy(
        case.atoms, classes, case.k, loss="log_loss", weight=weight, offset=0.0 if offset is None else offset
    )
    options = {"loss": "log_loss", "sample_weight": weight, "offset": offset}
    for path in (
        greedy_forward_selection(case.H, classes, case.k, output_weights=case.B, **options),
        greedy_forward_selection(case.atoms, classes, case.k, **options),
    ):
        np.testing.assert_array_equal(path.picks, picks)
        np.testing.assert_allclose(path.losses, losses, **LOSS)
        np.testing.assert_allclose(path.gaps, np.maximum(gaps, 0), **GAP)
        np.testing.assert_array_equal(path.counts, np.bincount(picks, minlength=case.B.shape[0]))


@pytest.mark.parametrize("value", [0.1, -0.6789165, 1 / 3, -1e-3])
def test_a_logit_as_good_either_way_is_taken_as_it_is(value):
    atoms = np.array([[[5.0], [value]], [[5.0], [value]]])
    for classes in ([0, 1], [1, 0]):
        path = greedy_forward_selection(atoms, np.array(classes), 1, loss="log_loss", hull="l1", radius=1.5)
        np.testing.assert_allclose(path.weights, [0.0, 1.5])


@given(cases(), st.floats(0.1, 10.0))
def test_logits_on_the_l1_ball_agree_with_the_oracle(case, radius):
    # With larger logits losses are as small as what the oracle allows for ties; these have a test of their own, below.
    radius = min(radius, 8 / max(float(np.abs(case.atoms).max()), 1e-3))
    classes = classes_of(case)
    picks, losses, gaps = naive.greedy(case.atoms, classes, case.k, loss="log_loss", signs=(1.0, -1.0), radius=radius)
    path = greedy_forward_selection(case.atoms, classes, case.k, loss="log_loss", hull="l1", radius=radius)
    np.testing.assert_array_equal(path.picks, picks)
    np.testing.assert_allclose(path.losses, losses, **LOSS)
    np.testing.assert_allclose(path.gaps, np.maximum(gaps, 0), **GAP)
    mean = np.einsum("sno,n->so", case.atoms, path.weights)
    np.testing.assert_allclose(path.losses[-1], naive.mean_loss(mean, classes, np.ones(len(mean)), "log_loss"), **LOSS)


def test_saturated_losses_tie_within_the_rounding_of_the_logits():
    # Against class 0, minus atom 0 twice and minus atom 0 with atom 1 give logits that are 8 apart, both.
    atoms = np.array([[[-1.0, 0.0], [0.0, -1.0]], [[-1.0, 0.0], [0.0, -1.0]]])
    weight = [2.25943918, 1.43046722]
    path = greedy_forward_selection(atoms, [0, 0], 4, loss="log_loss", hull="l1", radius=8.0, sample_weight=weight)
    np.testing.assert_array_equal(path.picks, [0, 0, 0, 0])


@given(cases(), st.booleans())
def test_probabilities_agree_with_the_oracle(case, weighted):
    classes, weight, p = classes_of(case), case.weight if weighted else None, probabilities_of(case)
    picks, losses, gaps = naive.greedy(p, classes, case.k, loss="probability_loss", weight=weight)
    atoms = p[:, :, 0] if p.shape[2] == 1 else p
    path = greedy_forward_selection(atoms, classes, case.k, loss="log_loss", from_logits=False, sample_weight=weight)
    np.testing.assert_array_equal(path.picks, picks)
    np.testing.assert_allclose(path.losses, losses, **LOSS)
    np.testing.assert_allclose(path.gaps, np.maximum(gaps, 0), **GAP)


@LIKE_PROBABILITIES
@given(cases(integer_weights=True), st.booleans())
def test_an_integer_weight_equals_repeating_the_sample(case, from_logits):
    classes, repeated = classes_of(case), case.weight.astype(int)
    atoms = case.atoms if from_logits else probabilities_of(case)
    options = {"loss": "log_loss", "from_logits": from_logits}
    path = greedy_forward_selection(atoms, classes, case.k, sample_weight=case.weight, **options)
    again = greedy_forward_selection(
        np.repeat(atoms, repeated, axis=0), np.repeat(classes, repeated), case.k, **options
    )
    np.testing.assert_array_equal(path.picks, again.picks)
    np.testing.assert_allclose(path.losses, again.losses, **LOSS)


@LIKE_PROBABILITIES
@given(cases(max_samples=15, max_atoms=6, max_k=6), st.booleans())
def test_gap_bounds_the_distance_to_the_true_optimum(case, from_logits):
    classes, atoms = classes_of(case), case.atoms if from_logits else probabilities_of(case)
    loss = "log_loss" if from_logits else "probability_loss"
    path = greedy_forward_selection(atoms, classes, case.k, loss="log_loss", from_logits=from_logits)
    n_atoms = atoms.shape[1]
    optimum = minimize(
        lambda w: naive.mean_loss(np.einsum("sno,n->so", atoms, w), classes, np.ones(len(classes)), loss),
        np.full(n_atoms, 1 / n_atoms),
        method="SLSQP",
        bounds=[(0, 1)] * n_atoms,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
    )
    assert (path.gaps >= path.losses - optimum.fun - 1e-7).all()


@LIKE_PROBABILITIES
@given(cases(max_k=8), st.booleans(), st.integers(0, 2**32 - 1))
def test_prefix_and_permutation(case, from_logits, seed):
    classes, atoms = classes_of(case), case.atoms if from_logits else probabilities_of(case)
    atoms = atoms * np.random.default_rng(seed).uniform(0.5, 1.0, (1, atoms.shape[1], 1))  # no ties
    options = {"loss": "log_loss", "from_logits": from_logits}
    path = greedy_forward_selection(atoms, classes, case.k, **options)
    longer = greedy_forward_selection(atoms, classes, case.k + 1, **options)
    np.testing.assert_array_equal(path.picks, longer.picks[:-1])
    np.testing.assert_array_equal(path.losses, longer.losses[:-1])
    stop = path.gaps[len(path.gaps) // 2]
    short = greedy_forward_selection(atoms, classes, case.k, tol=stop, **options)
    np.testing.assert_array_equal(short.picks, path.picks[: np.flatnonzero(path.gaps <= stop)[0] + 1])
    if len(np.unique(atoms.reshape(len(atoms), -1), axis=0)) > 1 and np.ptp(atoms, axis=0).all():
        order = np.random.default_rng(seed).permutation(atoms.shape[1])
        permuted = greedy_forward_selection(atoms[:, order], classes, case.k, **options)
        np.testing.assert_allclose(permuted.losses, path.losses, **LOSS)


@pytest.mark.parametrize("from_logits", [True, False])
def test_duplicates_go_to_the_lowest_index(from_logits):
    rng = np.random.default_rng(0)
    atoms, classes = rng.dirichlet(np.ones(3), size=(500, 20)), rng.integers(0, 3, 500)
    atoms = np.log(atoms) if from_logits else atoms
    path = greedy_forward_selection(atoms, classes, 30, loss="log_loss", from_logits=from_logits)
    doubled = np.concatenate([atoms, atoms], axis=1)
    again = greedy_forward_selection(doubled, classes, 30, loss="log_loss", from_logits=from_logits)
    np.testing.assert_array_equal(again.picks, path.picks)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_never_change_the_picks(threads, monkeypatch):
    rng = np.random.default_rng(0)
    H, B, classes = rng.standard_normal((300, 30)), rng.standard_normal((30, 4)), rng.integers(0, 4, 300)
    p = rng.dirichlet(np.ones(4), size=(300, 30))
    expected = (
        greedy_forward_selection(H, classes, 20, output_weights=B, loss="log_loss"),
        greedy_forward_selection(p, classes, 20, from_logits=False, loss="log_loss"),
    )
    monkeypatch.setattr(_log_loss, "_PARALLEL_SIZE", 0)
    monkeypatch.setattr(_log_loss, "n_blas_threads", lambda: threads)
    paths = (
        greedy_forward_selection(H, classes, 20, output_weights=B, loss="log_loss"),
        greedy_forward_selection(p, classes, 20, from_logits=False, loss="log_loss"),
    )
    for path, other in zip(paths, expected, strict=True):
        np.testing.assert_array_equal(path.picks, other.picks)
        np.testing.assert_array_equal(path.losses, other.losses)
        np.testing.assert_array_equal(path.gaps, other.gaps)


def test_threads_are_as_many_as_linear_algebra_may_use():
    for n in {1, _log_loss.n_blas_threads()}:
        with threadpool_limits(n):
            assert _log_loss.n_blas_threads() == n


def test_float32_logits_give_the_losses_of_the_picks():
    rng = np.random.default_rng(0)
    H, B = rng.standard_normal((800, 30), dtype=np.float32), rng.standard_normal((30, 5), dtype=np.float32)
    classes = rng.integers(0, 5, 800)
    path = greedy_forward_selection(H, classes, 20, output_weights=B, loss="log_loss")
    double = greedy_forward_selection(H.astype(float), classes, 20, output_weights=B.astype(float), loss="log_loss")
    np.testing.assert_array_equal(path.picks, double.picks)
    np.testing.assert_allclose(path.losses, double.losses, rtol=1e-6)
    np.testing.assert_allclose(path.gaps, double.gaps, rtol=1e-3, atol=1e-5)


def test_probabilities_of_zero_are_scored_as_scikit_learn_does():
    p = np.array([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [1.0, 0.0]]])
    path = greedy_forward_selection(p, [0, 0], 1, loss="log_loss", from_logits=False)
    assert path.picks.tolist() == [1]
    wrong = greedy_forward_selection(p[:, :1], [0, 0], 1, loss="log_loss", from_logits=False)
    np.testing.assert_allclose(wrong.losses[0], log_loss([0, 0], p[:, 0], labels=[0, 1]))


def test_shares_of_classes_are_those_that_output_weights_give():
    rng = np.random.default_rng(0)
    H, B, classes = rng.random((40, 7)), rng.dirichlet(np.ones(3), size=7), rng.integers(0, 3, 40)
    options = {"loss": "log_loss", "from_logits": False}
    path = greedy_forward_selection(H, classes, 10, output_weights=B, **options)
    expected = greedy_forward_selection(H[:, :, None] * B, classes, 10, **options)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_allclose(path.losses, expected.losses, **LOSS)
    single = greedy_forward_selection(H, classes > 0, 10, output_weights=B[:, :1], **options)
    expected = greedy_forward_selection(H * B[:, 0], classes > 0, 10, **options)
    np.testing.assert_array_equal(single.picks, expected.picks)


def test_atoms_are_read_from_a_read_only_memory_map(tmp_path):
    rng = np.random.default_rng(0)
    shares, classes = rng.dirichlet(np.ones(4), size=(300, 20)), rng.integers(0, 4, 300)
    for from_logits in (True, False):
        p = np.log(shares) if from_logits else shares
        np.save(tmp_path / f"{from_logits}.npy", p)
        mapped = np.load(tmp_path / f"{from_logits}.npy", mmap_mode="r")
        options = {"loss": "log_loss", "from_logits": from_logits}
        expected = greedy_forward_selection(p, classes, 15, **options)
        np.testing.assert_array_equal(greedy_forward_selection(mapped, classes, 15, **options).picks, expected.picks)


@given(st.integers(1, 40), st.integers(1, 12), st.booleans(), st.integers(0, 2**32 - 1))
def test_bounds_of_an_earlier_step_leave_the_best_exact(n_samples, n_atoms, weighted, seed):
    rng = np.random.default_rng(seed)
    atoms = rng.uniform(0.01, 1.0, (n_atoms, n_samples))
    weight = rng.dirichlet(np.ones(n_samples)) if weighted else np.full(n_samples, 1 / n_samples)
    passed = weight if weighted and n_samples > 1 else weight[:1]
    before = rng.uniform(0.5, 3.0, n_samples)
    total = before + atoms[0]
    gains, slopes = (
        [np.array([oracle(at, atom, weight) for atom in atoms]) for at in (before, total)]
        for oracle in (naive.probability_gain, naive.probability_slope)
    )
    order = rng.permutation(n_atoms)

    bounds, found = gains[0].copy(), np.empty(n_atoms)
    height = float(weight @ np.log(total))
    probability.probability_gains(order, total, height, atoms, passed, 1e-12, np.array([-np.inf]), bounds, found)
    seen = np.isfinite(found)
    assert seen[gains[1].argmax()]
    np.testing.assert_allclose(found[seen], gains[1][seen], atol=1e-12)
    assert (bounds >= gains[1] - 1e-12).all()
    np.testing.assert_array_equal(bounds[seen], found[seen])

    steep = slopes[0].copy()
    probability.probability_slopes(order, passed / total, atoms, np.array([-np.inf]), steep)
    np.testing.assert_allclose(steep.max(), slopes[1].max(), rtol=1e-12)
    assert (steep >= slopes[1] * (1 - 1e-12)).all()


def test_large_logits_do_not_overflow():
    atoms = np.array([[[1e4, -1e4], [-1e4, 1e4]], [[-1e4, 1e4], [1e4, -1e4]]])
    path = greedy_forward_selection(atoms, [0, 1], 3, loss="log_loss")
    assert path.picks.tolist() == [0, 0, 0]
    np.testing.assert_allclose(path.losses, 0.0)
    wrong = greedy_forward_selection(atoms[:, 1:], [0, 1], 1, loss="log_loss")
    np.testing.assert_allclose(wrong.losses, 2e4)


def test_indicators_stand_for_classes():
    rng = np.random.default_rng(0)
    atoms, classes = rng.standard_normal((50, 8, 3)), rng.integers(0, 3, 50)
    path = greedy_forward_selection(atoms, classes, 10, loss="log_loss")
    again = greedy_forward_selection(atoms, np.eye(3)[classes], 10, loss="log_loss")
    np.testing.assert_array_equal(path.picks, again.picks)
    single = greedy_forward_selection(atoms[:, :, 0], classes > 0, 10, loss="log_loss")
    column = greedy_forward_selection(atoms[:, :, :1], (classes > 0)[:, None], 10, loss="log_loss")
    np.testing.assert_array_equal(single.picks, column.picks)


# Without the JIT NumPy says so when a product leaves the range, which log_sum then sees by itself.
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@given(st.integers(1, 600), st.integers(0, 2**32 - 1))
def test_exponential_and_logarithm_agree_with_numpy(n, seed):
    rng = np.random.default_rng(seed)
    x = np.concatenate([[0.0, -1e-300, -800.0, -1e308], -rng.exponential(10.0 ** rng.integers(-3, 4), n)])
    y = x.copy()
    kernels.exp_in_place(y, np.empty_like(y))
    np.testing.assert_allclose(y, np.exp(np.maximum(x, -708.0)), rtol=5e-16)
    values = np.exp(rng.uniform(-300, 300, n) if seed % 2 else rng.uniform(-3, 3, n))
    weight = rng.uniform(size=n) + 0.1
    lanes = np.empty(16)
    np.testing.assert_allclose(kernels.log_sum(values, weight[:1], lanes), weight[0] * np.log(values).sum(), atol=1e-9)
    if n > 1:
        np.testing.assert_allclose(kernels.log_sum(values, weight, lanes), weight @ np.log(values), atol=1e-9)


GOOD = {"atoms": np.full((4, 2, 3), 0.25), "y": [0, 1, 2, 0], "k": 3, "loss": "log_loss"}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"y": [0, 1, 2, 3]}, "y must hold class indices from 0 to 2"),
        ({"y": [0, 0.5, 1, 1]}, "y must hold class indices from 0 to 2"),
        ({"y": np.ones((4, 3))}, r"y has shape \(4, 3\); with loss='log_loss'"),
        ({"y": [0, 1]}, "y has 2 samples and atoms has 4"),
        ({"atoms": np.full((4, 2, 3), np.nan)}, "NaN"),
        ({"atoms": np.full((4, 2, 3), np.nan), "from_logits": False}, "must be probabilities"),
        ({"atoms": np.full((4, 2, 3), 2.0), "from_logits": False}, "must be probabilities"),
        ({"atoms": np.full((4, 2, 3), -0.5), "from_logits": False}, "must be probabilities"),
        ({"hull": "l1", "radius": 1.0, "from_logits": False}, "need from_logits=True: probabilities are only averaged"),
        ({"offset": [0, 0, 0], "from_logits": False}, "need from_logits=True: probabilities are only averaged"),
        ({"offset": [0, 0]}, r"offset has shape \(2,\)"),
        ({"hull": "l1"}, "radius must be a number above 0 with loss='log_loss'"),
        ({"atoms": sparse.eye_array(4)}, "atoms is sparse"),
    ],
)
def test_bad_arguments_are_named(bad, message):
    with pytest.raises(ValueError, match=message):
        greedy_forward_selection(**{**GOOD, **bad})


def test_a_first_gap_of_probabilities_of_zero_is_a_loss():
    """Trees give a class the probability zero: the slope there is the inverse of the least number."""
    rng = np.random.default_rng(0)
    classes = rng.integers(3, size=200)
    votes = np.where(rng.uniform(size=(200, 9)) < 0.7, classes[:, None], rng.integers(3, size=(200, 9)))
    path = greedy_forward_selection(np.eye(3)[votes], classes, 12, loss="log_loss", from_logits=False)
    assert path.gaps[0] <= path.losses[0] < 36.05
    optimum = path.losses - path.gaps
    assert (path.losses.min() >= optimum).all()
