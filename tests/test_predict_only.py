"""Fitted models where torch and numba are not installed."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sklearn_gfs import greedy_forward_selection

SCRIPT = Path(__file__).parents[1] / ".ci" / "predict_only.py"

# Neither package can be imported, as if none were installed.
ABSENT = """
    import sys

    class Absent:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in ("torch", "numba"):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Absent())
"""


def without_training(code):
    code = textwrap.dedent(ABSENT) + textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)


def test_every_fitted_model_works_without_torch_and_numba(tmp_path):
    subprocess.run([sys.executable, SCRIPT, "save", tmp_path], check=True)
    # find_spec says None of a package that is not there; in this process it raises.
    code = f"""
        import importlib.util, runpy
        found = importlib.util.find_spec
        importlib.util.find_spec = lambda name: None if name in ("torch", "numba") else found(name)
        sys.argv = [{str(SCRIPT)!r}, "load", {str(tmp_path)!r}]
        runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
    """
    result = without_training(code)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 11


def test_the_check_needs_an_environment_without_them(tmp_path):
    result = subprocess.run([sys.executable, SCRIPT, "load", tmp_path], check=False, capture_output=True, text=True)
    assert result.returncode == 1
    assert "is there, so that nothing is shown" in result.stderr


@pytest.mark.parametrize(
    "call",
    [
        "greedy_forward_selection([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0], 1)",
        "greedy_forward_selection([[0.2, 0.1], [1.0, 0.0]], [0, 1], 1, loss='log_loss')",
        "SelectionStatistics().update([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0]).select(1)",
        "GreedyForwardSelector(1).fit([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0])",
        "GreedyEnsembleRegressor([('one', GreedyForwardSelector())]).fit([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0])",
        "GreedyPrunedMLP(1, 1).fit([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0])",
        "list(GreedyPrunedMLP(1, 1).fit_path([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0], n_pretrain=[1]))",
    ],
)
def test_what_trains_says_what_to_install(call):
    result = without_training(f"from sklearn_gfs import *; {call}")
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: ")
    assert 'which is not installed: pip install "sklearn-gfs[train]" brings it' in last


def test_a_broken_package_is_not_called_absent():
    code = """
        class Broken:
            def find_spec(self, name, path=None, target=None):
                if name == "numba":
                    raise ModuleNotFoundError("No module named 'llvmlite'", name="llvmlite")

        sys.meta_path.insert(0, Broken())
        from sklearn_gfs import greedy_forward_selection
        greedy_forward_selection([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0], 1)
    """
    assert without_training(code).stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'llvmlite'"


def test_a_failed_first_call_does_not_spoil_the_next(monkeypatch):
    from sklearn_gfs.selection._greedy_kernels import jit

    kernel = jit(lambda x: x + 1)
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError):
        kernel(1)
    monkeypatch.undo()
    assert kernel(1) == 2
    assert greedy_forward_selection([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0], 1).picks.tolist() == [0]
