"""The Python code on the front page, in the tutorials and in the answers runs as it stands, one block after another."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

ROOT = Path(__file__).parents[1]
# What a page needs beyond this package and its dependencies.
PAGES = {
    "README.md": [],
    "docs/start.md": ["matplotlib"],
    "docs/guide/ensembles.md": [],
    "docs/guide/search.md": [],
    "docs/guide/selection.md": [],
    "docs/guide/theory.md": ["matplotlib"],
    "docs/guide/trained.md": [],
    "docs/guide/migrating.md": [],
    "docs/guide/faq.md": [],
    "docs/guide/mixed_columns.md": ["pandas"],
    "docs/guide/deployment_tutorial.md": ["skl2onnx", "onnxruntime", "fastapi", "emlearn"],
}
# What a page takes for granted.
GIVEN = {
    "docs/guide/ensembles.md": """
        np.save("library.npy", rng.dirichlet(np.ones(3), size=(150, 40)).transpose(0, 2, 1))
    """,
    "docs/guide/selection.md": """
        from sklearn.datasets import load_diabetes
        from sklearn.naive_bayes import GaussianNB
        from sklearn.tree import DecisionTreeClassifier
        X_val, y_val = X_test, y_test
        models = [GaussianNB().fit(X_train, y_train), DecisionTreeClassifier(max_depth=2).fit(X_train, y_train)]
        X, y = load_diabetes(return_X_y=True, as_frame=True)
        atoms, H, B = rng.normal(size=(442, 30)), np.maximum(rng.normal(size=(442, 30)), 0), rng.normal(size=(30, 1))
    """,
    "docs/guide/search.md": """
        from sklearn_gfs import GreedyPrunedMLPClassifier, PretrainThresholdSearch
        estimator = GreedyPrunedMLPClassifier(n_hidden=50, n_retrain=0, random_state=0)
    """,
}


def snippets():
    spec = importlib.util.spec_from_file_location("snippets", ROOT / ".ci" / "snippets.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES)
def test_code_of_a_page_runs(page, tmp_path, monkeypatch):
    # Not imported here: emlearn changes NumPy's error settings.
    missing = [name for name in PAGES[page] if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    monkeypatch.chdir(tmp_path)
    X, y = load_iris(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    names = {"X": X, "y": y, "X_train": X_train, "X_test": X_test, "y_train": y_train, "y_test": y_test}
    names |= {"np": np, "rng": np.random.default_rng(0)} if page in GIVEN else {}
    exec("\n".join(line.strip() for line in GIVEN.get(page, "").splitlines()), names)
    snippets().run(ROOT / page, names)
