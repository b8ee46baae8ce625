"""What import-linter can't tell: heavy packages load late, and private names of scikit-learn stand in one module."""

import ast
import importlib
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

import sklearn_gfs

PACKAGE = Path(sklearn_gfs.__file__).parent


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
    found = {path: private_imports(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}
    assert [path.relative_to(PACKAGE).as_posix() for path, names in found.items() if names] == ["_compat.py"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from sklearn.utils._tags import get_tags", ["sklearn.utils._tags.get_tags"]),
        ("from sklearn.utils import _safe_split", ["sklearn.utils._safe_split"]),
        ("def f():\n    import sklearn.svm._base as base", ["sklearn.svm._base"]),
        ("from sklearn.utils import get_tags\nfrom ._compat import _x", []),
    ],
)
def test_the_search_for_private_names_can_fail(source, expected):
    assert private_imports(source) == expected


def test_the_contract_of_kernels_names_every_module_of_kernels():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (some for some in project["tool"]["importlinter"]["contracts"] if some["id"] == "kernels")
    found = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in PACKAGE.rglob("*_kernels.py")]
    assert sorted(found) == contract["source_modules"]


def test_import_loads_neither_torch_nor_numba():
    code = """
        import importlib, pkgutil, sys
        import sklearn_gfs
        modules = [module.name for module in pkgutil.walk_packages(sklearn_gfs.__path__, "sklearn_gfs.")]
        for module in modules:
            importlib.import_module(module)
        print(len(modules), *sorted({"torch", "numba", "matplotlib"} & set(sys.modules)))
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert result.stdout.split() == [str(len(list(PACKAGE.rglob("*.py"))) - 1)]  # all modules, but for the package


def test_the_theory_needs_numpy_and_scipy_only():
    code = """
        import sys

        class Refuse:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in {"joblib", "matplotlib", "numba", "sklearn", "threadpoolctl", "torch"}:
                    raise ImportError(f"{name} is refused")

        sys.meta_path.insert(0, Refuse())
        from sklearn_gfs import theory
        from sklearn_gfs._activations import ACTIVATIONS
        X = [[1.0, 2.0], [0.0, 1.0]]
        for activation in ACTIVATIONS:
            kernel = theory.network_kernel(X, X, [0.0, 1.0], X, activation=activation)
        theory.extreme_eigenvalues(kernel)
        print(theory.hull_spread(X, sample_weight=[1.0, 3.0]), theory.hull_optimum(X, [1.0, 1.0]).loss)
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert len(result.stdout.split()) == 2


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


SUBPACKAGES = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
LAZY = ["", *(name for name in SUBPACKAGES if name != "theory")]


def imported_for_type_checkers(package):
    """Return, by name, the modules from which a package imports under ``TYPE_CHECKING``."""
    tree = ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    return {alias.name: node.module for node in block.body for alias in node.names}


@pytest.mark.parametrize("package", LAZY)
def test_lazy_names_are_those_that_type_checkers_see(package):
    module = importlib.import_module(f"sklearn_gfs.{package}".rstrip("."))
    seen = imported_for_type_checkers(package)
    assert seen == module._HOME
    assert set(module.__all__) == {*seen} | ({"__version__"} if not package else set())
    assert sorted(module.__all__, key=lambda name: (not name.isupper(), name)) == module.__all__
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("package", LAZY)
def test_an_unknown_name_is_an_attribute_error(package):
    module = importlib.import_module(f"sklearn_gfs.{package}".rstrip("."))
    with pytest.raises(AttributeError, match=rf"module '{module.__name__}' has no attribute 'GreedyMLP'"):
        module.GreedyMLP  # noqa: B018 the access is the test


def test_importing_a_lazy_package_loads_none_of_its_modules():
    code = f"""
        import sys
        for package in {LAZY!r}:
            __import__(f"sklearn_gfs.{{package}}".rstrip("."))
        print(*sorted(name for name in sys.modules if name.startswith("sklearn_gfs.")))
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    expected = {"_lazy", "_version", *LAZY} - {""}
    assert result.stdout.split() == sorted(f"sklearn_gfs.{name}" for name in expected)
