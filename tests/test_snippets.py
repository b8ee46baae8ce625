"""The Python code on the front page, in the tutorials and in the answers runs as it stands, one block after another."""

import importlib.util
import re
from pathlib import Path

import pytest
from sklearn.datasets import load_iris

ROOT = Path(__file__).parents[1]
# What a page needs beyond this package and its dependencies.
PAGES = {
    "README.md": [],
    "docs/start.md": ["matplotlib"],
    "docs/guide/search.md": [],
    "docs/guide/theory.md": ["matplotlib"],
    "docs/guide/migrating.md": [],
    "docs/guide/faq.md": [],
    "docs/guide/mixed_columns.md": ["pandas"],
    "docs/guide/deployment_tutorial.md": ["skl2onnx", "onnxruntime", "fastapi", "emlearn"],
}
# What a page takes for granted.
GIVEN = {
    "docs/guide/search.md": """
        from sklearn_gfs import GreedyPrunedMLPClassifier, PretrainThresholdSearch
        estimator = GreedyPrunedMLPClassifier(n_hidden=50, n_retrain=0, random_state=0)
    """,
}


def blocks(page):
    """Return the blocks of Python code of a page, blank lines in place of the rest, so that errors name its lines."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return ["\n" * text.count("\n", 0, block.start(1)) + block[1] for block in found]


@pytest.mark.parametrize("page", PAGES)
def test_code_of_a_page_runs(page, tmp_path, monkeypatch):
    # Not imported here: emlearn changes NumPy's error settings.
    missing = [name for name in PAGES[page] if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    monkeypatch.chdir(tmp_path)
    X, y = load_iris(return_X_y=True)
    names = {"X": X, "y": y}
    exec("\n".join(line.strip() for line in GIVEN.get(page, "").splitlines()), names)
    found = blocks(page)
    assert found
    for block in found:
        exec(compile(block, page, "exec"), names)
