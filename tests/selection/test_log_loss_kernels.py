"""The kernels of the selection for the log loss, each against its oracle, across the boundaries of their tiles."""

from __future__ import annotations

from fractions import Fraction

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_gfs import greedy_forward_selection
from sklearn_gfs.selection import _log_loss as search
from sklearn_gfs.selection import _log_loss_kernels as kernels
from sklearn_gfs.selection import _probability_kernels as probability

SIZES = st.sampled_from([1, 2, 15, 16, 17, 255, 256, 257, 511, 530])


class Drawn:
    """Logits of a few atoms, what they depend on, and the point that a step starts from."""

    def __init__(self, n_samples, n_outputs, seed, *, factorised, weighted, dtype):
        rng = np.random.default_rng(seed)
        self.rng, self.n_atoms = rng, 5
        rows = 1 if factorised else n_outputs
        stacked = (2 * rng.standard_normal((self.n_atoms, rows, n_samples))).astype(dtype)
        output_weights = rng.standard_normal((self.n_atoms, n_outputs)) if factorised else np.ones((5, n_outputs))
        self.weight = rng.dirichlet(np.ones(n_samples)) if weighted else np.full(n_samples, 1 / n_samples)
        passed = self.weight if weighted and n_samples > 1 else self.weight[:1]
        self.logits = kernels.Logits(stacked, output_weights, passed)
        self.atoms = (stacked.astype(float) * output_weights[:, :, None]).transpose(
            0, 2, 1
        )  # (n_atoms, n_samples, ...)
        self.classes = rng.integers(0, max(n_outputs, 2), n_samples)
        self.search = search.LogitSearch(self.logits, self.classes, offset=np.zeros(n_outputs), radius=None)
        self.search._move_to(rng.standard_normal((n_outputs, n_samples)))
        self.base = rng.standard_normal((n_outputs, n_samples))

    def loss(self, logits):
        """Mean log loss of (n_outputs, n_samples) logits."""
        return naive.mean_loss(logits.T, self.classes, self.weight, "log_loss")

    def step(self, coefs):
        """What the kernel of candidates is handed, at the base."""
        at = self.search
        tangent = at.peak + np.einsum("cs,cs->s", at.p, self.base - at.mean)
        level = at.loss + float(np.vdot(at.gradient, self.base - at.mean))
        return kernels.Step(coefs, self.base, at.p, at.gradient, tangent, level)


@st.composite
def drawn(draw):
    """Draw logits of every form, of as many samples as fill tiles to their edges."""
    options = {"factorised": draw(st.booleans()), "weighted": draw(st.booleans())}
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return Drawn(draw(SIZES), draw(st.integers(1, 3)), draw(st.integers(0, 2**32 - 1)), dtype=dtype, **options)


@given(drawn())
def test_slopes_and_sizes_agree_with_the_oracle(case):
    gradient = case.search.gradient
    expected = [naive.logit_slope(atom, gradient.T) for atom in case.atoms]
    slopes = [kernels.log_loss_slope(i, case.logits, gradient) for i in range(case.n_atoms)]
    np.testing.assert_allclose(slopes, expected, rtol=1e-9, atol=1e-13)
    sizes = search._sizes(case.logits)
    # Of a factorised atom, a bound: the largest output weight times the size of the activation.
    np.testing.assert_allclose(sizes, [naive.logit_size(atom, case.weight) for atom in case.atoms], rtol=1e-12)


@given(drawn())
def test_remainders_agree_with_the_oracle_until_they_are_cut(case):
    at = case.step(np.array([0.5]))
    work = np.empty((len(case.base) + 6, kernels._TILE))
    for i, atom in enumerate(case.atoms):
        expected = case.loss(case.base + 0.5 * atom.T) - (at.level + 0.5 * naive.logit_slope(atom, at.gradient.T))
        arguments = (i, 0.5, case.logits, at.base, at.p, at.tangent)
        np.testing.assert_allclose(kernels.log_loss_remainder(*arguments, np.inf, work), expected, atol=1e-12)
        cut = 0.5 * expected
        assert cut < kernels.log_loss_remainder(*arguments, cut, work) <= expected + 1e-12
        if len(case.weight) > 2 * kernels._TILE:  # given up after a tile
            assert kernels.log_loss_remainder(*arguments, 0.0, work) < 0.9 * expected


@given(drawn(), st.booleans())
def test_candidates_that_may_be_the_best_have_their_loss(case, signed):
    coefs = np.array([0.4, -0.4]) if signed else np.array([0.4])
    at = case.step(coefs)
    expected = np.array([case.loss(case.base + coef * atom.T) for atom in case.atoms for coef in coefs])
    tangents = np.array(
        [at.level + coef * naive.logit_slope(atom, at.gradient.T) for atom in case.atoms for coef in coefs]
    )
    order = case.rng.permutation(len(expected))
    for slack, tolerance in ((0.0, 1e-12), (1e-3, 0.05)):
        losses, best = np.full(len(expected), np.nan), np.array([np.inf])
        kernels.log_loss_candidates(order, tangents - slack, best, tolerance, case.logits, at, losses)
        np.testing.assert_allclose(best[0], expected.min(), atol=1e-12)
        seen = np.isfinite(losses)
        assert seen[expected <= expected.min() + tolerance - 1e-12].all()
        np.testing.assert_allclose(losses[seen], expected[seen], atol=1e-12)
        assert np.isinf(losses[~seen]).all()
    # What another thread has found rules out, too.
    losses, best = np.empty(len(expected)), np.array([expected.min() - 1.0])
    kernels.log_loss_candidates(order, tangents, best, 1e-12, case.logits, at, losses)
    assert np.isinf(losses).all()
    assert best[0] == expected.min() - 1.0


@given(
    SIZES, st.integers(1, 3), st.sampled_from(["C", "F", "by atom"]), st.sampled_from([np.float32, np.float64]),
    st.booleans(), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_own_probabilities_agree_with_the_oracle(n_samples, n_outputs, order, dtype, factorised, seed):
    rng = np.random.default_rng(seed)
    n_classes = max(n_outputs, 2)
    classes, n_atoms = rng.integers(0, n_classes, n_samples), 4
    weights = None
    if factorised:
        atoms, weights = rng.random((n_samples, n_atoms)).astype(dtype), rng.random((n_atoms, n_outputs))
        whole = atoms.astype(float)[:, :, None] * weights
    else:
        atoms = rng.dirichlet(np.ones(n_classes), (n_samples, n_atoms)).astype(dtype)
        atoms[rng.random(atoms.shape) < 0.1] = 0.0
        atoms = atoms if n_outputs > 1 else atoms[:, :, 1] if seed % 2 else atoms[:, :, 1:]
        whole = atoms.astype(float).reshape(n_samples, n_atoms, -1)
    atoms = atoms.swapaxes(0, 1).copy().swapaxes(0, 1) if order == "by atom" else np.asarray(atoms, order=order)
    expected, wrong = naive.own_probabilities(whole, classes, np.finfo(dtype).eps)
    own = search._own_class(atoms, weights, classes)
    np.testing.assert_array_equal(own, expected)
    assert own.flags.c_contiguous
    assert wrong == 0
    spoilt = atoms.copy(order="K")
    place = tuple(rng.integers(0, size) for size in spoilt.shape)
    spoilt[place] = rng.choice([np.nan, np.inf, -np.inf, 1.1 / (weights.max() if factorised else 1), -1e10])
    with pytest.raises(ValueError, match="; 1 of their values are not"):
        search._own_class(spoilt, weights if not factorised else np.full_like(weights, weights.max()), classes)


@pytest.mark.parametrize("n_threads", [1, 2, 3, 5])
def test_own_probabilities_are_the_same_with_any_number_of_threads(n_threads, monkeypatch):
    rng = np.random.default_rng(0)
    p, classes = rng.dirichlet(np.ones(3), (77, 6)), rng.integers(0, 3, 77)
    monkeypatch.setattr(search, "_PARALLEL_SIZE", 0)
    monkeypatch.setattr(search, "n_blas_threads", lambda: n_threads)
    np.testing.assert_array_equal(search._own_class(p, None, classes), p[np.arange(77), :, classes].T)


@pytest.mark.parametrize("kind", ["constant", "positive", "centred"])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("factorised", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_are_as_exact_as_their_slack_says(kind, n_outputs, factorised, dtype):
    """Constant values are the worst: their sums always round to the same side."""
    n_samples = search._ROWS + 5000
    case = Drawn(n_samples, n_outputs, 3, factorised=factorised, weighted=False, dtype=dtype)
    atoms, gradient = case.logits.atoms, case.rng.standard_normal((n_outputs, n_samples))
    if kind == "constant":
        atoms[:] = case.rng.uniform(0.5, 1.0, (len(atoms), 1, 1))
        gradient[:] = case.rng.uniform(0.5, 1.0, (n_outputs, 1))
    elif kind == "positive":
        atoms[:], gradient = np.abs(atoms), np.abs(gradient)
    case.search = search.LogitSearch(case.logits, case.classes, offset=np.zeros(n_outputs), radius=None)
    case.search.gradient = gradient
    slopes, slack = case.search._slopes()
    exact = np.array([kernels.log_loss_slope(i, case.logits, gradient) for i in range(len(atoms))])
    assert (np.abs(slopes - exact) <= slack).all()
    size = np.abs(atoms).max() * np.abs(case.logits.output_weights).max() * np.abs(gradient).sum()
    assert (slack <= 1.1 * search._ROUNDINGS * np.finfo(dtype).eps * size).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_block_is_as_exact_as_the_slack_says_even_if_added_up_one_by_one(dtype):
    """The order in which a product adds up is the library's; which is worst depends on the processor."""
    values = np.random.default_rng(0).uniform(0.5, 1, 300).astype(dtype)
    sums = np.add.accumulate(np.tile(values, (search._ROWS, 1)), axis=0, dtype=dtype)[-1]
    exact = np.array([float(search._ROWS * Fraction(float(value))) for value in values])
    assert (np.abs(sums - exact) <= search._ROUNDINGS * np.finfo(dtype).eps * exact).all()


@pytest.mark.parametrize("weighted", [False, True])
def test_products_of_small_probabilities_do_not_underflow(weighted):
    """64 factors of 1e-16 each leave the range of floats: their logarithm is taken one by one."""
    n_samples = 4 * kernels._TILE + 70
    p = np.full((n_samples, 2), 0.0)
    p[:, 1] = 1e-3
    weight = np.arange(1.0, n_samples + 1) if weighted else None
    path = greedy_forward_selection(p, np.ones(n_samples), 2, loss="log_loss", from_logits=False, sample_weight=weight)
    assert path.picks.tolist() == [1, 1]
    np.testing.assert_allclose(path.losses, -np.log(1e-3))
    alone = greedy_forward_selection(p[:, :1], np.ones(n_samples), 2, loss="log_loss", from_logits=False)
    np.testing.assert_allclose(alone.losses, -np.log(np.finfo(float).eps))


@given(SIZES, st.booleans(), st.sampled_from([np.float32, np.float64]), st.integers(0, 2**32 - 1))
def test_gains_agree_with_the_oracle(n_samples, weighted, dtype, seed):
    rng = np.random.default_rng(seed)
    n_samples = 4 * n_samples + seed % 3
    atom, total = rng.uniform(0.0, 1.0, n_samples).astype(dtype), 10.0 ** rng.uniform(-9, 2, n_samples)
    weight = rng.dirichlet(np.ones(n_samples)) if weighted else np.full(n_samples, 1 / n_samples)
    gain = probability.probability_gain(total, atom, weight if weighted else weight[:1])
    height = sum(w * np.log(t) for w, t in zip(weight, total, strict=True))
    np.testing.assert_allclose(gain - height, naive.probability_gain(total, atom, weight), rtol=1e-9, atol=1e-12)
    huge = probability.probability_gain(1e290 * (1 + total), atom, weight[:1])
    np.testing.assert_allclose(huge, weight[0] * np.log(1e290 * (1 + total)).sum())


@pytest.mark.parametrize("unit", [1e-300, 1e-60, 1e60])
def test_slopes_of_float32_atoms_keep_within_its_range(unit):
    case = Drawn(300, 3, 0, factorised=False, weighted=True, dtype=np.float32)
    expected, slack = case.search._slopes()
    case.search.gradient = unit * case.search.gradient
    slopes, scaled = case.search._slopes()
    np.testing.assert_allclose(slopes / unit, expected, atol=slack.max())
    np.testing.assert_allclose(scaled / unit, slack, rtol=1e-6)


def models(n_samples=400, n_atoms=300):
    """Logits of models of various quality, and the classes."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, n_samples)
    z = rng.standard_normal((n_samples, n_atoms, 3)) + 2 * rng.random((n_atoms, 1)) * np.eye(3)[classes][:, None]
    return z, classes


def test_earlier_gains_and_slopes_rule_out_most_probabilities():
    z, classes = models()
    p = np.exp(z) / np.exp(z).sum(axis=2, keepdims=True)
    selection = search.ProbabilitySearch(search._own_class(p, None, classes), np.full(1, 1 / len(z)))
    selection.run(40, -1.0)
    assert np.isfinite(selection.now.gains).sum() <= 20


def test_logits_are_evaluated_in_the_order_of_what_is_expected_of_them(monkeypatch):
    z, classes = models()
    first, deal = [], search._in_shares

    def watch(pool, n_threads, order, work):
        first.append(order[0])
        deal(pool, n_threads, order, work)

    monkeypatch.setattr(search, "_in_shares", watch)
    path = greedy_forward_selection(z, classes, 100, loss="log_loss")
    assert (np.array(first) == path.picks)[20:].mean() > 0.9  # tangents alone: 0.85


@given(drawn(), st.integers(1, 6))
def test_the_best_candidate_of_a_step_has_the_loss_of_its_pick(case, k):
    path = case.search.run(k, -1.0)
    np.testing.assert_allclose(case.search.candidates[path.picks[-1]], path.losses[-1], atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_on_a_large_ball_saturated_losses_tie_within_the_rounding_of_its_logits(seed):
    atoms = np.random.default_rng(seed).uniform(1.0, 2.0, (50, 8))
    path = greedy_forward_selection(atoms, np.ones(50), 5, loss="log_loss", hull="l1", radius=1e6)
    assert path.picks.tolist() == [0] * 5
    np.testing.assert_allclose(path.weights, np.eye(8)[0] * 1e6)


@pytest.mark.parametrize("shift", [-(2.0**13), 2.0**13])
def test_a_shift_of_all_logits_of_a_sample_changes_nothing(shift):
    z, classes = models(60, 20)
    z = np.round(z * 2**20) / 2**20  # so that the shift is exact
    path = greedy_forward_selection(z + shift, classes, 20, loss="log_loss")
    expected = greedy_forward_selection(z, classes, 20, loss="log_loss")
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_allclose(path.losses, expected.losses, atol=1e-11)


@pytest.mark.parametrize("from_logits", [False, True])
def test_first_picks_that_tie_but_for_rounding_go_to_the_first_atom(from_logits):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        p = rng.uniform(0.1, 0.9, 150)
        # The same numbers in other orders, so that their sums are rounded in other ways.
        atoms = np.column_stack([p, *(rng.permutation(p) for _ in range(5))])
        atoms = np.log(atoms / (1 - atoms)) if from_logits else atoms
        y = np.ones(150, dtype=np.int64)
        path = greedy_forward_selection(atoms, y, 1, loss="log_loss", from_logits=from_logits)
        assert path.picks.tolist() == [0]
