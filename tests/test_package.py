"""What an installed package promises: names, version, metadata."""

import ast
import importlib.metadata
import importlib.resources
import inspect
import itertools
import pickle
import pickletools
import re
import socket
import tomllib
from pathlib import Path

import numpy as np
import pytest

import sklearn_gfs
from sklearn_gfs import greedy_forward_selection, theory

ROOT = Path(__file__).parents[1]
PACKAGE = Path(sklearn_gfs.__file__).parent


def test_every_public_name_resolves():
    for name in sklearn_gfs.__all__:
        assert getattr(sklearn_gfs, name) is not None
    assert set(sklearn_gfs.__all__) <= set(dir(sklearn_gfs))
    assert sorted(sklearn_gfs.__all__) == sklearn_gfs.__all__


NAMED_TUPLES = {
    "GreedyPath": lambda: greedy_forward_selection([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0], 1),
    "NetworkBounds": lambda: sklearn_gfs.NetworkBounds(0.1, 1.0, np.array([3]), np.array([5.0])),
    "PathPoint": lambda: sklearn_gfs.PathPoint(10, None, "dense"),
    "ScalingFit": lambda: sklearn_gfs.ScalingFit("log", *np.zeros((3, 2)), np.zeros((2, 2)), 1.0, 3),
    "ThresholdCurve": lambda: sklearn_gfs.ThresholdCurve(*np.zeros((3, 1)), None, None),
    "theory.HullOptimum": lambda: theory.hull_optimum([[0.0, 2.0]], [1.0]),
    "theory.HullMembership": lambda: theory.hull_membership([[0.0, 2.0]], [3.0]),
}


def test_every_public_tuple_is_covered():
    homes = {"": sklearn_gfs, "theory.": theory}
    found = {
        home + name
        for home, module in homes.items()
        for name in module.__all__
        if inspect.isclass(obj := getattr(module, name)) and issubclass(obj, tuple)
    }
    assert found == set(NAMED_TUPLES)


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize("name", NAMED_TUPLES)
def test_pickles_name_the_public_home(name, protocol):
    value = NAMED_TUPLES[name]()
    content = pickle.dumps(value, protocol)
    modules = {argument for _, argument, _ in pickletools.genops(content) if str(argument).startswith("sklearn_gfs")}
    home, _, bare = f"sklearn_gfs.{name}".rpartition(".")
    assert modules == ({f"{home} {bare}"} if protocol == 2 else {home})
    loaded = pickle.loads(content)
    assert type(loaded) is type(value)
    for before, after in zip(value, loaded, strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_reference_lists_every_public_name():
    text = (ROOT / "docs" / "api" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^   (\w+)$", text, re.MULTILINE)
    assert sorted(listed) == sorted({*sklearn_gfs.__all__, *theory.__all__} - {"__version__", "theory"})


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'sklearn_gfs' has no attribute 'GreedyMLP'"):
        sklearn_gfs.GreedyMLP  # noqa: B018 the access is the test


def test_version_has_one_source():
    assert importlib.metadata.version("sklearn-gfs") == sklearn_gfs.__version__


def test_types_are_shipped():
    assert importlib.resources.files("sklearn_gfs").joinpath("py.typed").is_file()


def test_changelog_knows_the_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d+\.\d+\.\d+(?:rc\d+)?)\] - \d{4}-\d\d-\d\d$", text, re.MULTILINE)
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


MODULES = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_module_says_first_what_belongs_in_it(name):
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    lines = (ast.get_docstring(tree) or "").splitlines()
    sentence = " ".join(itertools.takewhile(str.strip, lines))
    assert sentence.endswith((".", ":")), sentence
    assert len(sentence.split()) >= 4, sentence


def test_no_module_repeats_the_name_of_its_folder():
    repeated = [name for name in MODULES if "/" in name and name.split("/")[1].startswith("_" + name.split("/")[0])]
    assert not repeated
