"""What an installed package promises: names, version, metadata."""

import importlib.metadata
import importlib.resources
import re
import socket
import tomllib
from pathlib import Path

import pytest

import sklearn_gfs

ROOT = Path(__file__).parents[1]


def test_every_public_name_resolves():
    for name in sklearn_gfs.__all__:
        assert getattr(sklearn_gfs, name) is not None
    assert set(sklearn_gfs.__all__) <= set(dir(sklearn_gfs))
    assert sorted(sklearn_gfs.__all__) == sklearn_gfs.__all__


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'sklearn_gfs' has no attribute 'GreedyMLP'"):
        sklearn_gfs.GreedyMLP  # noqa: B018 the access is the test


def test_version_has_one_source():
    assert importlib.metadata.version("sklearn-gfs") == sklearn_gfs.__version__


def test_types_are_shipped():
    assert importlib.resources.files("sklearn_gfs").joinpath("py.typed").is_file()


def test_changelog_knows_the_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", text, re.MULTILINE)
    assert "## [Unreleased]" in text
    if ".dev" not in sklearn_gfs.__version__:
        assert released[0] == sklearn_gfs.__version__


def test_constraints_pin_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        required += extra
    pinned = re.findall(r"^([a-z0-9-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    names = {re.match(r"[a-z0-9-]+", requirement)[0] for requirement in required}
    assert names - {project["name"]} <= set(pinned)


def test_a_fitted_model_needs_neither_torch_nor_numba():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.match(r"[a-z0-9-]+", requirement)[0] for requirement in project["dependencies"]}
    assert names == {"joblib", "numpy", "scikit-learn", "scipy"}


def test_no_test_may_reach_the_network():
    with socket.socket() as connection, pytest.raises(AssertionError, match=r"connects to 192\.0\.2\.1"):
        connection.connect(("192.0.2.1", 80))


def test_contributing_says_what_belongs_in_every_module():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    modules = {path.name for path in (ROOT / "sklearn_gfs").glob("*.py")}
    assert modules == {name for name in re.findall(r"`(\w+\.py)`", text) if (ROOT / "sklearn_gfs" / name).is_file()}
