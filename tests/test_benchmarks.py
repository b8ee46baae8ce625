"""What the benchmarks reach into the package for is there: they run too long to run here."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from sklearn_gfs import GreedyPrunedMLPClassifier


@pytest.fixture
def _benchmarks_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))


@pytest.mark.usefixtures("_benchmarks_on_path")
def test_variants_of_the_defaults_change_what_there_is():
    variants = importlib.import_module("defaults").VARIANTS
    names = {name for changes in variants.values() for name in changes}
    for name in names:
        module, dot, attribute = name.rpartition(".")
        owner = importlib.import_module(f"sklearn_gfs.{module}") if dot else GreedyPrunedMLPClassifier()
        assert hasattr(owner, attribute), name


@pytest.mark.usefixtures("_benchmarks_on_path")
@pytest.mark.parametrize("how", ["by magnitude", "at random"])
def test_neurons_can_be_chosen_otherwise(how):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 2
    with importlib.import_module("same_size").chosen_otherwise(how, 0):
        model = GreedyPrunedMLPClassifier(10, 5, n_hidden=20, n_retrain=20, random_state=0).fit(X, y)
    assert len(set(model.selection_path_)) == 5


@pytest.mark.usefixtures("_benchmarks_on_path")
def test_neurons_can_be_selected_by_the_exact_log_loss():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 3
    model = GreedyPrunedMLPClassifier(10, 5, n_hidden=20, n_retrain=20, loss="log_loss", random_state=0)
    own = model.fit(X, y).selection_losses_
    with importlib.import_module("log_loss_fits").exactly():
        exact = model.fit(X, y).selection_losses_
    assert exact[0] <= own[0] + 1e-9


@pytest.mark.usefixtures("_benchmarks_on_path")
def test_the_summary_finds_its_numbers_on_the_pages():
    pytest.importorskip("matplotlib")
    summary = importlib.import_module("summary")
    assert all(value > 0 for value in summary.speed_ups().values())
    ranks = list(summary.ranks().values())
    assert ranks == sorted(ranks)
    with pytest.raises(LookupError, match="same_size: no row"):
        summary.cell("same_size", "MLP", data="none")


@pytest.mark.usefixtures("_benchmarks_on_path")
@pytest.mark.parametrize("name", ["digits, MLPClassifier(1000)", "MNIST, torch 784-300-100-10"])
def test_networks_can_be_pruned_in_other_ways(name):
    benchmark = importlib.import_module("prune_network")
    task = benchmark.TASKS[name]
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)).astype(np.float32), np.arange(60) % 3
    dense = task.trained(X, y, 0, task.widths, 1)
    for method in benchmark.METHODS:
        if not method.startswith("Torch-Pruning"):
            pruned = benchmark.METHODS[method](task, dense, X, y)
            assert task.predict(task.train_on(pruned, X, y, 1), X).shape == (60,)
