"""Imports point downward only, third-party imports stay where they belong, and heavy packages load late."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import sklearn_gfs

PACKAGE = Path(sklearn_gfs.__file__).parent

# A module may import from modules of a lower layer only. A new module needs a line here.
LAYERS = {
    "_requirements": -1,
    "_compat": 0,
    "_typing": 0,
    "_version": 0,
    "_plain": -1,
    "_checks": 1,
    "_export": 2,
    "_curve_laws": 1,
    "_gram": 1,
    "_greedy_kernels": 0,
    "_weights": 0,
    "_mlp_targets": 1,
    "_naming": 1,
    "_network": 1,
    "_holdout": 1,
    "_plot_style": 1,
    "_search_checkpoint": 1,
    "_search_fingerprint": 1,
    "_search_grid": 1,
    "_search_rule": 1,
    "_theory_bounds": 1,
    "_theory_checks": 0,
    "_theory_hull": 1,
    "_theory_kernel": 1,
    "_theory_pretraining": 1,
    "_gram_columns": 2,
    "_gram_standardized": 2,
    "_gram_torch": 2,
    "_labels": 2,
    "_gram_sums": 2,
    "_loss_kernels": 1,
    "_log_loss_kernels": 2,
    "_search_fold": 2,
    "_search_progress": 1,
    "_search_results": 2,
    "_scaling": 2,
    "_training": 3,
    "_training_data": 2,
    "_watch": 1,
    "theory": 2,
    "_curve": 3,
    "_search": 4,
    "_search_outcome": 3,
    "_search_run": 3,
    "_log_loss": 3,
    "_on_samples": 2,
    "_range": 2,
    "_squared_error": 3,
    "_greedy": 4,
    "_kept": 4,
    "_plot": 5,
    "_plot_scaling": 5,
    "_plot_selection": 5,
    "_sample_moments": 3,
    "_statistics": 4,
    "_path": 6,
    "_selector": 5,
    "_device": 1,
    "_pruning": 5,
    "_mlp_fitted": 7,
    "_mlp_base": 8,
    "_mlp": 10,
    "_mlp_classifier": 9,
    "_mlp_regressor": 9,
    "_onnx": 11,
    "__init__": 12,
}
# These import nothing of the package but layer 0 and modules whose names begin so: they work with anything that has the
# same methods. (_search_rule is a part of _search, and _plot runs a search where a display asks for one.)
DUCK_TYPED = {"_search": ("_search",), "_curve": ("_curve", "_search"), "_plot": ("_plot", "_search")}
# The only third-party packages that these may import.
THIRD_PARTY = {
    "_typing": {"numpy"},
    "_version": set(),
    "_weights": {"numpy"},
    "_plain": {"numpy"},
    "_greedy_kernels": {"numpy"},
    "_loss_kernels": {"numpy"},
    "_requirements": {"numba", "torch"},
    "_network": {"numpy", "scipy", "torch"},
    "_theory_bounds": {"numpy", "scipy"},
    "_theory_checks": {"numpy", "scipy"},
    "_theory_hull": {"numpy", "scipy"},
    "_theory_kernel": {"numpy", "scipy"},
    "_theory_pretraining": set(),
}


def imported_modules(source):
    """Return the modules that the source imports at any depth, those of the package with a leading dot."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is None:  # from . import theory
            names = [f".{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * min(node.level, 1) + node.module]
            if node.module == "sklearn_gfs":  # the names may be modules
                names = [f"sklearn_gfs.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            names = [".<computed>"]
        else:
            continue
        found |= {"." + name.removeprefix("sklearn_gfs.") if name.startswith("sklearn_gfs") else name for name in names}
    return found


def violations(module, source, layers=LAYERS):
    """Return one sentence for each import of the module that the layers forbid."""
    if module not in layers:
        return [f"{module} stands in no layer"]
    found = []
    for name in sorted(imported_modules(source)):
        if name.startswith("."):
            target = name.lstrip(".").split(".")[0]
            foreign = module in DUCK_TYPED and layers.get(target, 1) > 0 and not target.startswith(DUCK_TYPED[module])
            if foreign or layers.get(target, layers[module]) >= layers[module]:
                found.append(f"{module} imports {target}")
        else:
            package = name.split(".")[0]
            allowed = THIRD_PARTY.get(module)
            if allowed is not None and package not in allowed and package not in sys.stdlib_module_names:
                found.append(f"{module} imports {package}")
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_imports_point_downward(path):
    source = path.read_text(encoding="utf-8")
    # The package's own __getattr__ is the one place that may compute what it imports.
    found = [line for line in violations(path.stem, source) if line != "__init__ imports <computed>"]
    assert not found


def private_imports(source):
    """Return what the source imports of scikit-learn under a private name."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sklearn":
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] == "sklearn"]
        else:
            continue
        found += [name for name in names if "._" in name]
    return found


def test_private_names_of_scikit_learn_stand_in_compat_only():
    found = {path.stem: private_imports(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}
    assert [module for module, names in found.items() if names] == ["_compat"]


def test_the_table_names_no_module_that_is_gone():
    assert set(LAYERS) <= {path.stem for path in PACKAGE.rglob("*.py")}


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("_greedy", "from ._selector import GreedyForwardSelector", ["_greedy imports _selector"]),
        ("_greedy", "from . import _path", ["_greedy imports _path"]),
        ("_greedy", "from sklearn_gfs._mlp import GreedyPrunedMLP", ["_greedy imports _mlp"]),
        ("_greedy", "import sklearn_gfs._mlp as mlp", ["_greedy imports _mlp"]),
        ("_greedy", "from sklearn_gfs import GreedyPrunedMLP", ["_greedy imports GreedyPrunedMLP"]),
        ("_greedy", "import importlib\nimportlib.import_module('._mlp')", ["_greedy imports <computed>"]),
        ("_greedy", "def f():\n    if f:\n        from . import _mlp", ["_greedy imports _mlp"]),
        ("_greedy", "from ._greedy_kernels import _run", []),
        ("_search", "from . import _greedy", ["_search imports _greedy"]),
        ("_search", "from ._compat import Parallel\nfrom ._search_rule import threshold", []),
        ("_greedy_kernels", "import torch", ["_greedy_kernels imports torch"]),
        ("_greedy_kernels", "import numba", ["_greedy_kernels imports numba"]),
        ("_greedy_kernels", "import math, numpy as np", []),
        ("_unheard_of", "", ["_unheard_of stands in no layer"]),
    ],
)
def test_the_check_can_fail(module, source, expected):
    assert violations(module, source) == expected


def test_import_loads_neither_torch_nor_numba():
    code = """
        import importlib, pkgutil, sys
        import sklearn_gfs
        for module in pkgutil.iter_modules(sklearn_gfs.__path__):
            importlib.import_module(f"sklearn_gfs.{module.name}")
        print(sorted({"torch", "numba", "matplotlib"} & set(sys.modules)))
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_training_loads_nothing_of_torch_beyond_its_core():
    """Its compiler, its distributed part and its companions may be missing or broken."""
    code = """
        import sys
        import torch

        class Refuse:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in {"torch", "torchvision", "torchaudio", "triton", "functorch"}:
                    raise ImportError(f"{name} is refused")

        sys.meta_path.insert(0, Refuse())
        from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
        X = [[i % 7, i % 3] for i in range(40)]
        small = {"n_pretrain": 5, "k": 3, "n_hidden": 10, "n_retrain": 5, "random_state": 0}
        for solver in ("adam", "sgd"):
            for loss in ("squared_error", "log_loss"):
                GreedyPrunedMLPClassifier(**small, solver=solver, loss=loss).fit(X, [i % 2 for i in range(40)])
            model = GreedyPrunedMLPRegressor(**small, solver=solver).fit(X, [i / 2 for i in range(40)])
        print(model.n_units_)
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert int(result.stdout) <= 3
