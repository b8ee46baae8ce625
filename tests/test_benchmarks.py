"""What the benchmarks reach into the package for is there: they run too long to run here."""

import argparse
import ast
import importlib.util
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
def test_ensembles_are_compared_on_libraries_of_40_models():
    pytest.importorskip("sklearn", minversion="1.8", reason="a quadratic discriminant analysis that shrinks is of 1.8")
    library = importlib.import_module("_ensemble_library")
    # A package of tests has the script's name.
    spec = importlib.util.spec_from_file_location(
        "ensemble_benchmark", Path(__file__).parents[1] / "benchmarks" / "ensemble.py"
    )
    ensemble = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(ensemble)
    assert len(library.models(classes=True)) == len(library.models(classes=False)) == 40
    rng = np.random.default_rng(0)
    y, y_test = np.arange(60) % 3, np.arange(30) % 3
    shares = [rng.dirichlet(np.ones(3), (4, len(labels))) + np.eye(3)[labels] for labels in (y, y_test)]
    found = library.Predictions(["a", "b", "c", "d"], shares[0] / 2, shares[1] / 2, y, y_test)
    row = {"classes": True} | ensemble.compare(found)
    assert set(ensemble.VARIANTS) < set(row["losses"])
    numbers = library.Predictions(["a", "b"], *(rng.normal(size=(2, n)) for n in (60, 30)), y * 1.0, y_test * 1.0)
    row_of_numbers = {"classes": False} | ensemble.compare(numbers)
    speeds = [("one", 0, ensemble.speed(found)), ("other", 0, ensemble.speed(numbers))]
    rows = [("one", 0, row), ("other", 0, row_of_numbers)]
    assert "mean rank" in ensemble.losses_page(rows, classes=True)
    assert "mean rank" in ensemble.losses_page(rows, classes=False)
    n_compared = sum(ensemble.AUTOGLUON in row for _, _, row in speeds)
    assert ensemble.times_page(speeds)[1].endswith(f" of {n_compared} libraries")


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


@pytest.mark.usefixtures("_benchmarks_on_path")
def test_text_comes_from_the_standard_library(monkeypatch):
    text = importlib.import_module("sparse_text")
    texts = {path.stem: text.functions_of(path) for path in map(Path, (argparse.__file__, ast.__file__))}
    monkeypatch.setattr(text, "SIZES", ((2, 30, 200),))
    monkeypatch.setattr(text, "SPLITS", 2)
    monkeypatch.setattr(text, "MODELS", {text.OURS: text.MODELS[text.MLP], text.MLP: text.MODELS[text.MLP]})
    rows = {method: {} for method in text.MODELS}
    for kind, size, split, *data in text.tasks(texts):
        assert size == (2, 30, 200)
        if kind == "words, counts":
            for method in text.MODELS:
                rows[method][split] = text.measured(method, split, *data)
    line, numbers = text.line_of(kind, rows, data[0].shape, 0.1)
    assert line[0] == kind
    assert len(numbers) == 2 * len(text.MODELS) + 1


def test_every_page_of_a_benchmark_is_repeated():
    root = Path(__file__).parents[1]
    path = root / ".ci" / "bench.py"
    if not path.is_file():
        pytest.skip("not in a copy of the sources")
    spec = importlib.util.spec_from_file_location("bench", path)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    pages = {page.stem: page for page in (root / "docs" / "benchmarks").glob("*.md")}
    found = {name: bench.command_of(page) for name, page in pages.items()}
    assert not [name for name, command in found.items() if command is None]
    assert found["r_data_sets"][0] == {"OMP_NUM_THREADS": "1"}
    for name, (_, words) in found.items():
        assert (root / words[0]).is_file(), name
    named = {
        *bench.LONG,
        *bench.RESUMABLE,
        *bench.COMPARED,
        *(name for names in bench.FILES.values() for name in names),
    }
    assert named <= set(pages)
