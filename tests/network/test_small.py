"""The loop of small networks against torch: the same updates, however many at once, and the same from any state."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import network_gradient
from scipy import sparse

from network.small import SETTINGS, assert_equal, make_network
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network import _training
from sklearn_gfs.network._losses import LOSSES, LabelwiseLogLoss, LogLoss, SquaredError
from sklearn_gfs.network._samples import HeldOut, Samples
from sklearn_gfs.network._solvers import SOLVERS, Adam
from sklearn_gfs.network._standardisation import Standardisation
from sklearn_gfs.network._torch_updates import TorchUpdates
from sklearn_gfs.network._training import Training
from sklearn_gfs.network._two_layer import TorchNetwork, mean_loss

numba = pytest.importorskip("numba")
if numba.config.DISABLE_JIT:
    pytest.skip("the loop is compiled or not there", allow_module_level=True)

KINDS = (*LOSSES.values(), LabelwiseLogLoss())
N_SAMPLES = 200


class Problem:
    """A network, samples and settings, from which trainings begin; `few` inputs differ from zero, where that is so."""

    def __init__(
        self, seed, *, n_features=5, n_hidden=11, n_outputs=3, weighted=False, few=False, loss=KINDS[1], **settings
    ):
        rng = np.random.default_rng(seed)
        self.X = rng.normal(size=(N_SAMPLES, n_features)).astype(np.float32)
        self.few = few
        if few:
            # One input alone must not saturate a neuron: the slope is nothing but rounding then, which Adam enlarges.
            self.X = np.clip(self.X, -1, 1)
            self.X[rng.uniform(size=self.X.shape) > 0.05] = 0
        labels = rng.integers(0, max(n_outputs, 2), N_SAMPLES)
        self.targets = np.eye(max(n_outputs, 2), dtype=np.float32)[labels][:, :n_outputs]
        start = make_network(rng, n_features=n_features, n_hidden=n_hidden, n_outputs=n_outputs)
        self.start = start._make(array.astype(np.float32) for array in start)
        self.weight = rng.uniform(0.5, 2, N_SAMPLES) if weighted else None
        self.settings = SETTINGS._replace(loss=loss, **settings)

    def samples(self, rows=None):
        rows = np.arange(N_SAMPLES) if rows is None else rows
        if not self.few:
            return Samples(self.X, self.targets, None, rows, self.weight)
        scales = Standardisation(None, np.linspace(1, 2, self.X.shape[1]))
        return Samples(sparse.csr_array(self.X), self.targets, scales, rows, self.weight)

    def training(self, start=None, *, averaged=False, in_torch=False, samples=None):
        with pytest.MonkeyPatch.context() as patch:
            if in_torch:
                patch.setattr(_training, "is_known", lambda *_: False)
            training = Training(
                self.start if start is None else start,
                self.samples() if samples is None else samples,
                self.settings,
                3,
                name="training",
                averaged=averaged,
            )
        assert isinstance(training._engine, TorchUpdates) == in_torch
        return training


def assert_close(one, other, tolerance=1e-4):
    np.testing.assert_allclose(one.losses, other.losses, rtol=tolerance)
    state, expected = one.state(), other.state()
    for array, like in zip((*state.network, *state.moments), (*expected.network, *expected.moments), strict=True):
        assert array.shape == like.shape
        # Sums of terms of order one are known to a few roundings of these, however small the sums.
        rounding = 8 * np.finfo(np.float32).eps
        np.testing.assert_allclose(array, like, rtol=tolerance, atol=tolerance * np.abs(like).max() + rounding)


problems = st.builds(
    Problem,
    st.integers(0, 2**31 - 1),
    n_features=st.integers(1, 40),
    n_hidden=st.integers(1, 150),
    n_outputs=st.integers(1, 20),
    weighted=st.booleans(),
    few=st.booleans(),
    activation=st.sampled_from(list(ACTIVATIONS.values())),
    loss=st.sampled_from(KINDS),
    solver=st.sampled_from(list(SOLVERS.values())),
    learning_rate_init=st.sampled_from([None, 0.003, 10.0]),
    momentum=st.sampled_from([0.0, 0.9]),
    batch_size=st.integers(8, 150),
    alpha=st.sampled_from([0.0, 0.1]),
)


@given(problem=problems, averaged=st.booleans())
def test_a_few_updates_are_those_of_torch(problem, averaged):
    if problem.settings.learning_rate_init == 10.0:  # only the limit on steps makes that a step to be compared
        problem.settings = problem.settings._replace(solver=SOLVERS["sgd"], momentum=0.0)
    loop, torch = (problem.training(averaged=averaged, in_torch=in_torch) for in_torch in (False, True))
    for training in (loop, torch):
        training.advance(3)
    assert_close(loop, torch, 2e-3)
    held_out = HeldOut(problem.samples(np.arange(50)))
    assert loop.loss(held_out) == pytest.approx(torch.loss(held_out), rel=2e-3)
    expected = torch.penalised_loss_of(problem.start)
    assert loop.penalised_loss_of(problem.start) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_on_all_samples_is_read_off_few_entries_piece_by_piece(monkeypatch, weighted):
    problem = Problem(0, n_features=40, weighted=weighted, few=True, batch_size=16, alpha=0.1)
    loop, torch = (problem.training(in_torch=in_torch) for in_torch in (False, True))
    expected = torch.penalised_loss_of(problem.start)
    monkeypatch.setattr(_training, "CHUNK_ROWS", 70)
    monkeypatch.setattr(Samples, "gather", None)  # which makes inputs dense
    assert loop.penalised_loss_of(problem.start) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("batch_size", [N_SAMPLES, N_SAMPLES + 20])
@pytest.mark.parametrize("weighted", [False, True])
def test_one_batch_that_holds_all_samples_is_used_again_and_again(batch_size, weighted):
    problem = Problem(5, weighted=weighted, batch_size=batch_size)
    loop, torch = (problem.training(averaged=True, in_torch=in_torch) for in_torch in (False, True))
    for training in (loop, torch):
        training.advance(50)
    assert_close(loop, torch, 2e-3)
    again = problem.training(problem.training().state())
    again.advance(7)
    ahead = problem.training()
    ahead.advance(7)
    assert_equal(again, ahead)


@pytest.mark.parametrize("loss", KINDS, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=lambda activation: activation.name)
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_a_step_is_along_the_gradient_of_plain_loops(loss, activation, n_outputs):
    kind = "squared" if isinstance(loss, SquaredError) else "labels"
    if type(loss) is LogLoss and n_outputs > 1:
        kind = "softmax"
    problem = Problem(
        7, n_outputs=n_outputs, weighted=True, loss=loss, activation=activation, solver=SOLVERS["sgd"], alpha=0.1,
        momentum=0.0, learning_rate_init=1e-2, batch_size=16,
    )  # fmt: skip
    training = problem.training()
    rows = np.random.RandomState(3).permutation(N_SAMPLES)[:16]
    weight = problem.weight / problem.weight.mean()
    value, gradient = network_gradient(
        problem.start, problem.X[rows], problem.targets[rows], weight[rows], activation.name,
        kind, 0.1,
    )  # fmt: skip
    training.advance(1)
    assert training.losses[0] == pytest.approx(value, rel=1e-5)
    for after, before, slope in zip(training.network()[:4], problem.start, gradient, strict=False):
        np.testing.assert_allclose(after, before - 1e-2 * slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_only_inputs_that_differ_from_zero_are_read_where_they_are_few(weighted):
    problem = Problem(6, n_features=300, few=True, weighted=weighted, alpha=0.1, batch_size=16)
    training, dense = problem.training(averaged=True), problem.training(averaged=True, in_torch=True)
    for each in (training, dense):
        each.advance(40)
    assert_close(training, dense, 2e-3)
    assert training._engine._inputs.size == 0
    held_out = HeldOut(problem.samples(np.arange(37)))  # the last batch is not full
    assert training.loss(held_out) == pytest.approx(dense.loss(held_out), rel=1e-4)
    problem.X[:] = np.abs(problem.X) + 1  # none is zero
    assert problem.training()._engine._sparse is False


def test_few_inputs_of_a_large_network_are_not_read_in_parts(monkeypatch):
    monkeypatch.setattr(_training, "n_parts_of", lambda *_: 2)
    assert Problem(6, n_features=300, few=True).training()._engine._sparse


def test_equal_columns_of_a_sparse_row_are_added_up():
    problem = Problem(6, n_features=40, few=True)
    X = sparse.csr_array(problem.X)
    twice = sparse.csr_array((np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape)
    scales = Standardisation(None, np.ones(40))
    samples = [Samples(values, problem.targets, scales, np.arange(N_SAMPLES)) for values in (X, twice)]
    once, doubled = (problem.training(samples=each) for each in samples)
    for training in (once, doubled):
        assert training._engine._sparse
        training.advance(10)
    assert_close(once, doubled)


@given(problem=problems, averaged=st.booleans(), in_torch=st.booleans())
@settings(max_examples=25)
def test_a_snapshot_is_the_network_and_leaves_training_as_it_is(problem, averaged, in_torch):
    if problem.settings.learning_rate_init == 10.0:
        problem.settings = problem.settings._replace(solver=SOLVERS["sgd"], momentum=0.0)
    training, other = (problem.training(averaged=averaged, in_torch=in_torch) for _ in range(2))
    for n_updates in (0, 3, 2):
        training.advance(n_updates)
        other.advance(n_updates)
        room = None if in_torch else training._engine._inputs
        taken = training.snapshot()
        assert in_torch or training._engine._inputs is room
        for array, expected in zip(taken, other.network(), strict=True):
            np.testing.assert_array_equal(array, expected)
            assert array.dtype == expected.dtype
            assert array.flags.c_contiguous
    before = [array.copy() for array in taken]
    training.advance(2)
    for array, expected in zip(taken, before, strict=True):
        np.testing.assert_array_equal(array, expected)  # a copy


@given(problem=problems, steps=st.lists(st.integers(1, 25), min_size=1, max_size=4), averaged=st.booleans())
@settings(max_examples=25)
def test_iterations_are_the_same_however_many_are_made_at_once(problem, steps, averaged):
    if problem.settings.learning_rate_init == 10.0:
        problem.settings = problem.settings._replace(solver=SOLVERS["sgd"], momentum=0.0)
    at_once, one_by_one = problem.training(averaged=averaged), problem.training(averaged=averaged)
    for step in steps:
        at_once.advance(step)
        assert at_once.network().weights.shape == problem.start.weights.shape
    for _ in range(sum(steps)):
        one_by_one.advance(1)
    assert_equal(at_once, one_by_one)


@given(problem=problems, first=st.integers(1, 20), more=st.integers(1, 20))
@settings(max_examples=25)
def test_a_state_goes_on_bit_by_bit(problem, first, more):
    if problem.settings.learning_rate_init == 10.0:
        problem.settings = problem.settings._replace(solver=SOLVERS["sgd"], momentum=0.0)
    straight, stopped = problem.training(), problem.training()
    straight.advance(first + more)
    stopped.advance(first)
    gone_on = problem.training(stopped.state())
    gone_on.advance(more)
    assert_equal(gone_on, straight)


@pytest.mark.parametrize("solver", SOLVERS.values())
@pytest.mark.parametrize("in_torch", [True, False])
def test_a_state_goes_on_in_the_other_engine(solver, in_torch):
    problem = Problem(1, solver=solver, learning_rate_init=0.01, n_features=50, alpha=0.01)
    straight = problem.training(in_torch=True)
    straight.advance(10)
    first = problem.training(in_torch=in_torch)
    first.advance(5)
    then = problem.training(first.state(), in_torch=not in_torch)
    then.advance(5)
    assert_close(then, straight, 1e-3)


def test_inputs_of_any_kind_are_trained_on():
    problem = Problem(2, learning_rate_init=0.01)
    scale = Standardisation(None, np.ones(problem.X.shape[1]))
    expected = problem.training()
    expected.advance(5)
    for X in (sparse.csr_array(problem.X), problem.X.astype(np.float64), np.asfortranarray(problem.X)):
        samples = Samples(X, problem.targets, scale, np.arange(N_SAMPLES))
        training = problem.training(samples=samples)
        training.advance(5)
        assert_equal(training, expected)


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=lambda activation: activation.name)
@pytest.mark.parametrize("loss", KINDS, ids=lambda loss: type(loss).__name__)
def test_a_loss_that_is_not_finite_is_an_error_and_no_update(activation, loss):
    problem = Problem(3, loss=loss, learning_rate_init=0.01, activation=activation)
    problem.X[np.random.RandomState(3).permutation(N_SAMPLES)[40]] = np.nan  # in the third batch of 16
    training = problem.training()
    with pytest.raises(ValueError, match=r"loss became nan at iteration 3 of training.*learning_rate_init"):
        training.advance(5)
    before = problem.training()
    before.advance(2)
    assert_equal(training, before)


def test_what_inherits_from_a_known_class_is_trained_by_torch():
    def trained_by_torch(problem):
        training = Training(problem.start, problem.samples(), problem.settings, 0, name="training")
        return isinstance(training._engine, TorchUpdates)

    class Twice(LogLoss):
        def total_and_residual(self, outputs, y, weight):
            total, residual = super().total_and_residual(outputs, y, weight)
            return 2 * total, 2 * residual

    class Frozen(Adam):
        def step(self, step_size, loss):
            pass

    for changed in ({"loss": Twice()}, {"solver": Frozen}, {"batch_size": 7}, {"batch_size": None}):
        assert trained_by_torch(Problem(4, **changed))
    assert trained_by_torch(Problem(4, n_features=200, n_hidden=2000, batch_size=100))
    assert not trained_by_torch(Problem(4, n_features=200, n_hidden=2000, batch_size=100, few=True))
    assert trained_by_torch(Problem(4, n_features=200, n_hidden=2000, batch_size=100, few=True, loss=Twice()))


def test_one_signature_is_compiled():
    from sklearn_gfs.network._small_kernels import product, train

    for alpha in (0, 0.1):  # whole or not
        Problem(5, alpha=alpha).training().advance(1)
    assert len(train.compiled.signatures) == 1
    assert len(product._called_by_kernels.signatures) <= 1  # none where it came from the cache


def test_losses_on_several_batches_in_turns_are_those_of_each():
    problem = Problem(3, n_features=9, n_outputs=3, weighted=True, batch_size=16)
    training = problem.training(averaged=True)
    training.advance(5)
    parts = [HeldOut(problem.samples(np.arange(n))) for n in (5, 16, 40)]
    network = TorchNetwork(training.network(), problem.settings.activation, problem.settings.loss)
    expected = [mean_loss(network, part) for part in parts]
    for _ in range(2):
        assert [training.loss(part) for part in parts] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("n_features", [3, 9])  # of three, rows are filled up
def test_batches_are_gathered_into_memory_that_is_kept(n_features):
    problem = Problem(4, n_features=n_features, batch_size=16)
    training = problem.training()
    training.advance(20)
    places = [array.ctypes.data for array in (training._engine._inputs, training._engine._targets)]
    training.advance(3)
    training.advance(20)
    assert [array.ctypes.data for array in (training._engine._inputs, training._engine._targets)] == places
