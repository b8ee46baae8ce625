"""Updates on another device in a row: the same as one by one, and only where nothing needs a number in between."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from network.small import SETTINGS, assert_equal, make_network
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network import _samples, _torch_updates
from sklearn_gfs.network._losses import LabelwiseLogLoss, LogLoss, SquaredError
from sklearn_gfs.network._recorded import can_record
from sklearn_gfs.network._samples import HeldOut, Samples
from sklearn_gfs.network._small import place_of
from sklearn_gfs.network._solvers import SOLVERS, Adam
from sklearn_gfs.network._standardisation import Standardisation
from sklearn_gfs.network._training import Training

N_SAMPLES = 100
# Another name for the processor, which takes all the ways of a device, and a GPU where there is one.
DEVICES = ["cpu:0"] + ["cuda"] * torch.cuda.is_available()
ADAM = SOLVERS["adam"]


class Problem:
    """Samples and settings, from which trainings begin on a device."""

    def __init__(self, seed, device, *, n_outputs=3, weighted=False, scaled=False, **settings):
        rng = np.random.default_rng(seed)
        self.X = rng.normal(size=(N_SAMPLES, 4)).astype(np.float32)
        self.targets = np.eye(max(n_outputs, 2), dtype=np.float32)[rng.integers(0, 2, N_SAMPLES)][:, :n_outputs]
        start = make_network(rng, n_features=4, n_hidden=9, n_outputs=n_outputs)
        self.start = start._make(array.astype(np.float32) for array in start)
        self.weight = rng.uniform(0.5, 2, N_SAMPLES) if weighted else None
        self.scaling = Standardisation(self.X.mean(axis=0), 1 / self.X.std(axis=0)) if scaled else None
        self.settings = SETTINGS._replace(**{"solver": ADAM, "batch_size": 8, "device": device, **settings})

    def samples(self):
        rows = np.arange(10, N_SAMPLES)
        return Samples(self.X, self.targets, self.scaling, rows, self.weight, self.settings.device)

    def training(self, *, averaged=False, in_a_row=True, samples=None):
        with pytest.MonkeyPatch.context() as patch:
            if not in_a_row:
                patch.setattr(_torch_updates, "can_record", lambda *_: False)
            samples = self.samples() if samples is None else samples
            training = Training(self.start, samples, self.settings, 3, name="training", averaged=averaged)
        assert (training._recorded is None) != in_a_row
        return training


problems = st.builds(
    Problem,
    st.integers(0, 2**31 - 1),
    st.sampled_from(DEVICES),
    n_outputs=st.integers(1, 4),
    weighted=st.booleans(),
    scaled=st.booleans(),
    activation=st.sampled_from(list(ACTIVATIONS.values())),
    loss=st.sampled_from([SquaredError(), LogLoss(), LabelwiseLogLoss()]),
    alpha=st.sampled_from([0.0, 0.1]),
    batch_size=st.integers(1, 40),
)


@given(problem=problems, averaged=st.booleans(), pieces=st.lists(st.integers(1, 40), min_size=1, max_size=3))
def test_updates_in_a_row_are_those_one_by_one(problem, averaged, pieces):
    row, singly = (problem.training(averaged=averaged, in_a_row=in_a_row) for in_a_row in (True, False))
    for n_updates in pieces:
        row.advance(n_updates)
        singly.advance(n_updates)
        assert_equal(row, singly)


@pytest.mark.parametrize("device", DEVICES)
def test_a_loss_that_is_not_finite_is_an_error(device):
    problem = Problem(0, device)
    problem.X[:] = np.nan
    training = problem.training()
    with pytest.raises(ValueError, match=r"loss became nan at iteration 1 of training.*learning_rate_init"):
        training.advance(40)
    assert training.losses == []


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scaled", [False, True])
def test_samples_come_from_the_device_once_all_were_used(device, scaled, monkeypatch):
    problem = Problem(1, device, scaled=scaled)
    samples = problem.samples()
    training = problem.training(samples=samples)
    training.advance(11)
    rows = np.array([3, 97, 3])
    from_memory = samples.gather(rows)
    assert samples._table is None  # 90 samples, 88 of them used
    training.advance(32)
    training.advance(1)
    assert samples._table.shape == (N_SAMPLES, 4)
    np.testing.assert_array_equal(samples.gather(rows).X.cpu(), from_memory.X.cpu())
    monkeypatch.setattr(_samples, "room_on", lambda _: 2 * N_SAMPLES * 4 * 4 - 1)
    without_room = problem.samples()
    without_room.bring()
    assert without_room._table is None


def test_what_reads_numbers_or_is_not_known_is_not_recorded():
    class Louder(LogLoss):
        def total_and_residual(self, outputs, y, weight):
            total, residual = super().total_and_residual(outputs, y, weight)
            return 2 * total.item() * torch.ones(()), residual

    class Curious(Adam):
        reads_numbers = True

    assert can_record(Problem(2, "cuda").start, Problem(2, "cuda").settings)
    for changed in ({"device": "cpu"}, {"solver": SOLVERS["sgd"]}, {"loss": Louder()}, {"solver": Curious}):
        problem = Problem(2, **{"device": "cuda", **changed})
        assert not can_record(problem.start, problem.settings)


@pytest.mark.parametrize("device", DEVICES)
def test_a_small_network_is_trained_on_the_processor(device):
    problem = Problem(3, device)
    assert place_of(problem.start, problem.settings, N_SAMPLES) == "cpu"
    wide = make_network(np.random.default_rng(0), n_features=100, n_hidden=200, n_outputs=1)
    # 8 samples and 200 neurons with 203 multiplications for each; or with all samples in an update.
    assert place_of(wide, problem.settings, 100_000) == "cpu"
    assert place_of(wide, problem.settings._replace(batch_size=128), 100_000) == device
    assert place_of(wide, problem.settings._replace(batch_size=None), 100_000) == device
    there = HeldOut(problem.samples())
    problem.settings = problem.settings._replace(device="cpu", batch_size=None)  # not the loop of small networks
    here = HeldOut(problem.samples())
    training = problem.training(in_a_row=False)
    training.advance(3)
    assert training.loss(there) == pytest.approx(training.loss(here))


@pytest.mark.parametrize("device", DEVICES)
def test_samples_held_out_there_are_read_here(device):
    problem = Problem(4, device, weighted=True)
    X, y = np.empty((90, 4), dtype=np.float32), np.empty((90, 3), dtype=np.float32)
    weight = HeldOut(problem.samples()).fill(X, y)
    np.testing.assert_array_equal(X, problem.X[10:])
    np.testing.assert_array_equal(y, problem.targets[10:])
    np.testing.assert_allclose(weight, problem.weight[10:] / problem.weight[10:].mean(), rtol=1e-6)
