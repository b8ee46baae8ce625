"""The estimators' selection by the loss's gradient: its samples, and what is told of the picks on all samples."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from memory import peak
from sklearn.metrics import log_loss

from mlp.small import SMALL, blobs
from sklearn_gfs import GreedyPrunedMLPClassifier
from sklearn_gfs.mlp import _layer, _searches
from sklearn_gfs.mlp._drawn import draw
from sklearn_gfs.mlp._inner_products import InnerProducts
from sklearn_gfs.mlp._pruning import NeuronSelection


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
    for place, name in ((_searches, "pick_steepest"), (InnerProducts, "select")):
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
    assert peak(model.fit, X, y)[0] < 0.75 * 20_000 * 300 * 4


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
        patch.setattr(selection._search, "_n_samples", 50)
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
        kernels = {name.rpartition(".")[2] for name in loaded if name.endswith("_kernels")}
        assert kernels <= {"_steepest_kernels", "_thin_kernels"}, kernels
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
