"""The selection by the loss's gradient: its picks, its sample, and what is told of the picks on all samples."""

import itertools
import subprocess
import sys
import textwrap
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from sklearn_gfs import GreedyPrunedMLPClassifier
from sklearn_gfs.mlp import _layer, _mean_outputs, _pruning, _steepest
from sklearn_gfs.mlp._inner_products import InnerProducts
from sklearn_gfs.mlp._pruning import NeuronSelection
from sklearn_gfs.mlp._steepest import draw, measure, pick_steepest
from sklearn_gfs.network._losses import LabelwiseLogLoss, LogLoss, SquaredError
from sklearn_gfs.network._parameters import Network
from tests import naive
from tests.mlp.small import SMALL, blobs
from tests.mlp.test_memory import peak


def problem(seed, n_outputs, *, weighted, n_samples=30, n_neurons=25):
    """Return activations, indicators, weights and a network, as training would leave them, in float64."""
    rng = np.random.default_rng(seed)
    hidden = np.maximum(rng.normal(size=(n_samples, n_neurons)), 0)
    classes = rng.integers(0, max(n_outputs, 2), n_samples)
    targets = classes[:, None].astype(float) if n_outputs == 1 else np.eye(n_outputs)[classes]
    weight = rng.uniform(0.1, 2, n_samples) if weighted else None
    coef, intercept = rng.normal(size=(n_neurons, n_outputs)), rng.normal(size=n_outputs)
    return hidden, targets, weight, Network(None, None, coef, intercept, np.full(n_neurons, 1 / n_neurons))


def by_torch():
    """Have no loss known by the compiled loop, while one is inside."""
    return mock.patch.object(_mean_outputs, "loop_code", return_value=None)


def atoms_of(hidden, network):
    return hidden[:, :, None] * network.output_coef


def as_naive(targets, loss):
    """Return the targets as the naive losses take them."""
    if isinstance(loss, SquaredError):
        return targets
    return targets.argmax(axis=1) if targets.shape[1] > 1 else targets[:, 0].astype(int)


@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from([LogLoss(), SquaredError()]),
    st.sampled_from([0, 3, 7]),
)
def test_each_pick_is_the_best_of_the_steepest(seed, n_outputs, weighted, loss, n_first):
    """The first picks are the best of all; in float64, which torch takes."""
    hidden, targets, weight, network = problem(seed, n_outputs, weighted=weighted)
    with mock.patch.object(_steepest, "_FIRST_PICKS", n_first), by_torch():
        picks, losses = pick_steepest(hidden, targets, weight, network, loss, 7)
    y, intercept = as_naive(targets, loss), network.output_intercept
    atoms = atoms_of(hidden, network)
    n_tried = [len(network.weights)] * n_first + [_steepest._TRIED] * (7 - n_first)
    expected = naive.steepest(atoms, y, n_tried, loss=loss.name, weight=weight, offset=intercept)
    assert picks.tolist() == expected
    weight = np.ones(len(y)) if weight is None else weight
    for j in range(1, 8):
        mean = atoms[:, picks[:j]].mean(axis=1) + intercept
        assert losses[j - 1] == pytest.approx(naive.mean_loss(mean, y, weight, loss.name), rel=1e-9)


def test_with_all_neurons_tried_picks_are_the_exact_ones(monkeypatch):
    hidden, targets, _, network = problem(0, 3, weighted=False)
    monkeypatch.setattr(_steepest, "_TRIED", 25)
    monkeypatch.setattr(_steepest, "_ALL_TRIED", 0)
    with by_torch():
        picks, losses = pick_steepest(hidden, targets, None, network, LogLoss(), 8)
    expected, expected_losses, _ = naive.greedy(
        atoms_of(hidden, network), targets.argmax(axis=1), 8, loss="log_loss", offset=network.output_intercept
    )
    np.testing.assert_array_equal(picks, expected)
    np.testing.assert_allclose(losses, expected_losses)


def test_all_neurons_are_tried_only_where_that_is_cheap():
    hidden, targets, _, network = problem(4, 4, weighted=False)
    n_numbers = hidden.shape[1] * targets.size
    paths = []
    for limit in (n_numbers, n_numbers - 1, 0):
        with mock.patch.object(_steepest, "_ALL_TRIED", limit):
            paths.append(pick_steepest(hidden, targets, None, network, SquaredError(), 7)[0].tolist())
    assert paths[0] != paths[1] == paths[2]


def in_chunks(hidden, targets, weight, cuts=(0, 7, 8, 30)):
    for start, stop in itertools.pairwise(cuts):
        rows = slice(start, stop)
        yield hidden[rows], targets[rows], None if weight is None else weight[rows]


@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.booleans(),
    st.integers(1, 20),
    st.sampled_from([LogLoss(), SquaredError()]),
)
def test_losses_and_gaps_are_those_of_the_picks(seed, n_outputs, weighted, k, loss):
    hidden, targets, weight, network = problem(seed, n_outputs, weighted=weighted)
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, 25, k)
    path = measure(in_chunks(hidden, targets, weight), picks, network, loss)
    atoms, y, intercept = atoms_of(hidden, network), as_naive(targets, loss), network.output_intercept
    weight = np.ones(len(y)) if weight is None else weight
    marked = {1, 2, 4, 8, 16, k}
    least = []
    for j in range(1, k + 1):
        mean = atoms[:, picks[:j]].mean(axis=1)
        assert path.losses[j - 1] == pytest.approx(naive.mean_loss(mean + intercept, y, weight, loss.name), rel=1e-9)
        if j in marked:
            gap = naive.gap(atoms, mean, y, loss=loss.name, weight=weight, offset=intercept)
            least.append(path.losses[j - 1] - gap)
    np.testing.assert_allclose(path.losses - path.gaps, max(least), rtol=1e-9, atol=1e-9)
    for shares in rng.dirichlet(np.full(25, 0.1), size=5):  # no mean of neurons is below
        outputs = np.einsum("sac,a->sc", atoms, shares) + intercept
        assert naive.mean_loss(outputs, y, weight, loss.name) >= max(least) - 1e-9
    assert path.counts.tolist() == np.bincount(picks, minlength=25).tolist()
    np.testing.assert_allclose(path.weights, path.counts / k)


def test_activations_elsewhere_give_the_same():
    hidden, targets, _, network = problem(1, 3, weighted=False)
    picks = np.arange(9)
    here = measure(in_chunks(hidden, targets, None), picks, network, LabelwiseLogLoss())
    there = measure(
        [(torch.from_numpy(h), t, w) for h, t, w in in_chunks(hidden, targets, None)],
        picks,
        network,
        LabelwiseLogLoss(),
    )
    np.testing.assert_allclose(there.losses, here.losses, rtol=1e-12)
    np.testing.assert_allclose(there.gaps, here.gaps, rtol=1e-12)


def test_few_samples_are_all_drawn():
    weight = np.arange(900.0)
    rows, drawn = draw(np.eye(2)[np.arange(900) % 2], np.arange(3, 900), weight, 900)
    assert rows.tolist() == list(range(3, 900))
    assert drawn.tolist() == list(range(3, 900))
    assert draw(np.zeros((900, 1)), np.arange(900), None, 900)[1] is None


@pytest.mark.parametrize("n_classes", [2, 7, 30])
def test_every_class_is_drawn_by_its_share(n_classes):
    y = np.random.default_rng(0).integers(0, n_classes, 20_000) ** 2 // n_classes
    targets = np.eye(n_classes)[y] if n_classes > 2 else y[:, None].astype(float)
    among = np.arange(1, 20_000)
    rows, weight = draw(targets, among, None, 1500)
    assert weight is None
    assert len(set(rows)) == len(rows) == 1500
    assert 0 not in rows
    shares = np.bincount(y[among], minlength=n_classes) / len(among)
    assert (np.abs(np.bincount(y[rows], minlength=n_classes) - shares * len(rows)) <= 1).all()


def test_samples_are_drawn_by_their_weights():
    y = np.arange(10_000) % 2
    weight = np.where(np.arange(10_000) < 5000, 0.0, np.where(y == 1, 9.0, 1.0))
    weight[-1] = 900.0
    rows, counts = draw(y[:, None].astype(float), np.arange(10_000), weight, 2000)
    assert rows.min() >= 5000
    assert counts.sum() == 2000
    assert counts[rows == 9999] == pytest.approx(2000 * 900 / weight.sum(), abs=1)
    assert counts[y[rows] == 1].sum() == pytest.approx(2000 * weight[y == 1].sum() / weight.sum(), abs=1)


def test_activations_that_are_not_finite_are_refused():
    hidden, targets, _, network = problem(0, 3, weighted=False)
    hidden[3, 4] = np.inf
    with pytest.raises(ValueError, match="not finite"):
        pick_steepest(hidden, targets, None, network, LogLoss(), 3)


def test_losses_on_many_samples_are_those_of_all():
    X, y = blobs(5000)
    model = GreedyPrunedMLPClassifier(**{**SMALL, "n_retrain": 0}, loss="log_loss", early_stopping=False).fit(X, y)
    assert model.selection_losses_[-1] == pytest.approx(log_loss(y, model.predict_proba(X)), rel=1e-6)
    assert (model.duality_gaps_ >= 0).all()
    assert (model.selection_losses_ - model.duality_gaps_ <= model.dense_loss_).all()


def test_a_trial_path_is_measured_on_what_is_not_held_out(monkeypatch):
    X, y = blobs(300)
    kept = []
    paths = NeuronSelection.paths
    monkeypatch.setattr(NeuronSelection, "paths", lambda self, *a: kept.append((self, a[0])) or paths(self, *a))
    GreedyPrunedMLPClassifier(**SMALL, loss="log_loss").fit(X, y)
    selection, network = kept[0]
    trial = selection.trials(network, 8)[0].path
    assert np.isnan(trial.gaps).all()
    measured = selection.measured(network, trial)
    np.testing.assert_array_equal(measured.picks, trial.picks)
    np.testing.assert_allclose(measured.losses, trial.losses, rtol=1e-5)  # of a sample that is all of them
    assert np.isfinite(measured.gaps).all()


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_the_selection_of_the_chosen_checkpoint_is_not_repeated(monkeypatch, loss):
    X, y = blobs(200)
    selected = []
    for place, name in ((_pruning, "pick_steepest"), (InnerProducts, "select")):
        method = getattr(place, name)
        monkeypatch.setattr(place, name, lambda *a, m=method: selected.append(1) or m(*a))
    looked_at, trials = [], NeuronSelection.trials
    monkeypatch.setattr(NeuronSelection, "trials", lambda *a: looked_at.append(1) or trials(*a))
    model = GreedyPrunedMLPClassifier(**{**SMALL, "n_pretrain": "auto"}, loss=loss).fit(X, y)
    assert len(selected) == len(looked_at) + 1  # that on all samples
    again = GreedyPrunedMLPClassifier(**{**SMALL, "n_pretrain": model.n_pretrain_}, loss=loss).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_the_log_loss_keeps_the_activations_of_a_sample_only():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20_000, 4)), rng.integers(0, 3, 20_000)
    model = GreedyPrunedMLPClassifier(n_pretrain=5, k=4, n_hidden=300, n_retrain=10, loss="log_loss", random_state=0)
    model.fit(X[:200], y[:200])
    assert peak(model.fit, X, y) < 0.75 * 20_000 * 300 * 4


def test_activations_are_computed_once_where_all_samples_are_selected_on(monkeypatch):
    X, y = blobs(200)
    selections, computed = [], []
    paths, compute = NeuronSelection.paths, _layer.hidden_activations
    monkeypatch.setattr(NeuronSelection, "paths", lambda self, *a: selections.append((self, a)) or paths(self, *a))
    GreedyPrunedMLPClassifier(**{**SMALL, "n_pretrain": 5}, loss="log_loss").fit(X, y)
    ((selection, arguments),) = selections
    monkeypatch.setattr(_layer, "hidden_activations", lambda X, *a: computed.append(len(X)) or compute(X, *a))
    assert len(selection.data.parts.held_out.rows)
    dense_loss, (chosen,) = paths(selection, *arguments)
    assert computed == [200]
    # Where it is on some of the samples only, each selection has its own.
    del computed[:]
    with monkeypatch.context() as patch:
        patch.setattr(selection, "_n_samples", 50)
        paths(selection, *arguments)
    assert len(computed) == 3
    # The losses are those of activations that are computed for each.
    monkeypatch.setattr(_layer.HiddenLayer, "may_be_kept", lambda self, *a, **options: False)
    again_loss, (again,) = paths(selection, *arguments)
    np.testing.assert_allclose(again_loss, dense_loss, rtol=1e-6)
    np.testing.assert_array_equal(again.path.picks, chosen.path.picks)
    np.testing.assert_allclose(again.path.losses, chosen.path.losses, rtol=1e-5)
    np.testing.assert_allclose(again.path.gaps, chosen.path.gaps, atol=1e-5)


def test_the_log_loss_needs_no_kernels_but_for_products():
    code = """
        import sys
        from sklearn_gfs import GreedyPrunedMLPClassifier
        GreedyPrunedMLPClassifier(5, 2, n_hidden=9, n_retrain=5, loss="log_loss").fit([[0.0], [1.0]] * 9, [0, 1] * 9)
        loaded = {name for name in sys.modules if name.startswith("sklearn_gfs.selection.")}
        assert loaded <= {"sklearn_gfs.selection._thin", "sklearn_gfs.selection._thin_kernels"}, loaded
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
