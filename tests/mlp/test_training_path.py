"""The training path below the estimators: its randomness, its held-out samples, its precision, and its losses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.mlp._given import PathData, PathSettings
from sklearn_gfs.mlp._layer import Room
from sklearn_gfs.mlp._path import _WORTH, TrainingPath
from sklearn_gfs.mlp._trial import noise_of
from sklearn_gfs.network._losses import LOSSES
from sklearn_gfs.network._solvers import SOLVERS
from sklearn_gfs.network._training import Training, TrainingSettings
from sklearn_gfs.network._two_layer import hidden_activations

SETTINGS = TrainingSettings(ACTIVATIONS["relu"], LOSSES["squared_error"], SOLVERS["adam"], None, 0.9, 16, 0.0)


def make_path(rng, *, n_samples=60, n_retrain=0, early_stopping=False, random_state=0, **training):
    X = rng.normal(size=(n_samples, 3))
    y = np.sin(2 * X[:, :1]) + 0.1 * rng.normal(size=(n_samples, 1))
    settings = PathSettings(30, n_retrain, early_stopping, 0.2, "auto", False, SETTINGS._replace(**training), "adam")
    tasks = GreedyPrunedMLP()._start_tasks(X, y, None, "fit_path")
    return TrainingPath(PathData(X, y, None, True, None), settings, random_state, tasks=tasks)


def test_each_use_of_randomness_has_a_stream_of_its_own(monkeypatch):
    seeds = {}
    start = Training.__init__

    def noted(training, network, samples, settings, seed, **how):
        seeds[how["name"]] = seed
        start(training, network, samples, settings, seed, **how)

    monkeypatch.setattr(Training, "__init__", noted)
    path = make_path(np.random.default_rng(9), n_retrain=20, early_stopping=True)
    path.pretrain_to(5)
    path.subnetworks([3])
    assert seeds["pre-training"] != seeds["re-training"] == seeds["trial re-training"]
    of_network, _, _, of_division = path._data.seeds
    assert len(set(path._data.seeds)) == 4
    assert set(seeds.values()).isdisjoint({of_network, of_division})


@given(seed=st.integers(0, 2**31 - 1), sizes=st.lists(st.integers(1, 12), min_size=1, max_size=3))
def test_pruned_losses_are_those_of_the_networks(seed, sizes):
    rng = np.random.default_rng(seed)
    path = make_path(rng, random_state=seed)
    path.pretrain_to(5)
    data = path._data
    X, y = data.X, data.targets * data.scaling.y_scale + data.scaling.y_mean

    def loss(fitted):
        hidden = hidden_activations(X, fitted.coefs[0], fitted.intercepts[0], ACTIVATIONS["relu"])
        residual = (hidden @ fitted.coefs[1] + fitted.intercepts[1] - y) / data.scaling.y_scale
        return 0.5 * float(np.mean(np.sum(residual**2, axis=1)))

    dense_loss, subnetworks = path.subnetworks(sizes)
    # Activations are rounded to float32 for the selection.
    assert dense_loss == pytest.approx(loss(path.dense()), rel=1e-6)
    for k, subnetwork in zip(sizes, subnetworks, strict=True):
        assert len(subnetwork.path.picks) == k
        assert subnetwork.path.losses[-1] == pytest.approx(loss(subnetwork.fitted), rel=1e-6)
        assert subnetwork.fitted.coefs[0].shape[1] == len(set(subnetwork.path.picks))


def test_held_out_samples_decide_how_long_to_retrain():
    rng = np.random.default_rng(11)
    path = make_path(rng, n_retrain=70, early_stopping=True)
    path.pretrain_to(20)
    _, (subnetwork,) = path.subnetworks([5])
    losses = subnetwork.validation_losses
    assert list(losses) == [0, 20, 40, 60, 70]
    least = min(losses.values())
    noise = noise_of(least, path._data.constant_loss)
    best = max(n_done for n_done, loss in losses.items() if loss <= least + noise)
    assert len(subnetwork.retrain_losses) == best


def test_iterations_are_worth_a_part_of_what_is_left_or_has_been_learnt():
    path = make_path(np.random.default_rng(11), n_retrain=10, early_stopping=True)
    path._data.__dict__["constant_loss"] = 1.0
    losses = np.array([0.9, 0.2, 1.1, np.inf])  # a tenth has been learnt, a fifth is left, nothing, nothing
    np.testing.assert_allclose(path._worth(losses, 100), 100 * _WORTH * np.array([0.1, 0.2, 0.0, 0.0]))
    path._data.__dict__["constant_loss"] = np.inf  # nothing is held out
    np.testing.assert_allclose(path._worth(losses[:2], 100), 100 * _WORTH * losses[:2])


def test_pretraining_never_sees_the_held_out_samples():
    rng = np.random.default_rng(12)
    path = make_path(rng, n_retrain=10, early_stopping=True)
    held_out = path._data.parts.held_out.rows
    assert 11 <= len(held_out) <= 13  # a fifth
    before = path._data.targets.copy()
    path._data.targets[held_out] = np.nan  # whoever looks gets a loss of NaN, an error
    path.pretrain_to(10)
    path._data.targets[:] = before


@pytest.mark.parametrize(("batch_size", "dtype"), [(None, np.float64), (60, np.float64), (59, np.float32)])
def test_minibatches_are_trained_in_float32_full_batches_in_the_precision_of_the_data(batch_size, dtype):
    path = make_path(np.random.default_rng(16), n_retrain=20, early_stopping=True, batch_size=batch_size)
    path.pretrain_to(10)
    assert {array.dtype for array in path._dense_network()} == {np.dtype(dtype)}
    _, (subnetwork,) = path.subnetworks([5])
    arrays = [*path.dense().coefs, *path.dense().intercepts, *subnetwork.fitted.coefs, *subnetwork.fitted.intercepts]
    assert {array.dtype for array in arrays} == {np.dtype(np.float64)}


def test_activations_of_a_path_lie_in_the_same_memory(monkeypatch):
    places, array = [], Room.array

    def record(self, *shape_and_dtype):
        found = array(self, *shape_and_dtype)
        places.append(found.ctypes.data)
        return found

    monkeypatch.setattr(Room, "array", record)
    X, y = load_iris(return_X_y=True)
    model = GreedyPrunedMLPClassifier(n_hidden=30, n_retrain=0, loss="squared_error", random_state=0)
    path = model.fit_path(X, y, n_pretrain=[0, 10, 20], k=[3, 5])
    found = {(point.n_pretrain, point.k): point.estimator for point in path}
    assert len(places) == 3
    assert len(set(places)) == 1
    for n_pretrain in (0, 10, 20):
        alone = model.set_params(n_pretrain=n_pretrain, k=5).fit(X, y)
        np.testing.assert_array_equal(found[n_pretrain, 5].coefs_[0], alone.coefs_[0])


def test_a_room_grows_with_what_it_holds():
    room = Room()
    small = room.array((2, 3), np.dtype(np.float32))
    large = room.array((4, 5), np.dtype(np.float32))
    again = room.array((3, 2), np.dtype(np.float32))
    assert (small.shape, large.shape, again.shape) == ((2, 3), (4, 5), (3, 2))
    assert np.shares_memory(large, again)
    assert not np.shares_memory(small, large)
    assert room.array((2, 3), np.dtype(np.float64)).dtype == np.float64
