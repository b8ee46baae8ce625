"""The run of scikit-learn's own tests can fail."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn.callback")
RUN = Path(__file__).parents[1] / ".ci" / "upstream" / "run.py"


def test_nothing_collected_is_a_failure():
    result = subprocess.run(
        [sys.executable, RUN, "-k", "no_test_has_this_name"], check=False, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert "test_mlp: 0 tests passed, at least" in result.stdout


def test_a_test_that_is_left_out_and_passes_is_a_failure():
    code = f"""
import sys
sys.path.insert(0, {str(RUN.parent)!r})
import table
name = "sklearn.feature_selection.tests.test_base"
left_out = {{"test_get_support": "no reason", "test_gone": ""}}
table.MODULES = {{name: table.MODULES[name]._replace(left_out=left_out, at_least=0)}}
import run
raise SystemExit(run.main())
"""
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert result.returncode == 1
    assert "[XPASS(strict)] no reason" in result.stdout
    assert "has no test test_gone, which is left out" in result.stdout
