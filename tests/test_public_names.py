"""What users read shows them public names only: the examples, the code in the documentation, the docstrings."""

import ast
import doctest
import re
from pathlib import Path

import pytest

import sklearn_gfs
from sklearn_gfs import theory

ROOT = Path(__file__).parents[1]
PUBLIC = {"sklearn_gfs": {*sklearn_gfs.__all__}, "sklearn_gfs.theory": {*theory.__all__}}
# Public methods and attributes, whose names begin so that no field can have them.
OF_NAMED_TUPLES = {"_asdict", "_fields", "_make", "_replace"}


def dotted(node):
    """Return the name that a chain of attributes spells, None where it begins with something else than a name."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def refused(name):
    """Say whether a name with dots is of this package and not public; attributes of public objects are theirs."""
    home, *rest = name.split(".")
    if home != "sklearn_gfs":
        return False
    while rest and home in PUBLIC:
        first, *rest = rest
        if first not in PUBLIC[home]:
            return True
        home = f"{home}.{first}"
    return any(part.startswith("_") and part not in OF_NAMED_TUPLES for part in rest if not part.startswith("__"))


def names_of_the_package(source):
    """Return every name of this package that the source imports, or asks its modules for."""
    tree, found, aliases = ast.parse(source), [], {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").startswith("sklearn_gfs"):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
            aliases |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            own = [alias for alias in node.names if alias.name.split(".")[0] == "sklearn_gfs"]
            found += [alias.name for alias in own]
            aliases |= {alias.asname or "sklearn_gfs": alias.name if alias.asname else "sklearn_gfs" for alias in own}
    for node in ast.walk(tree):
        name = dotted(node) if isinstance(node, ast.Attribute) else None
        if name and (head := name.split(".")[0]) in aliases:
            found.append(aliases[head] + name[len(head) :])
    return found


def private_names(source):
    return sorted({name for name in names_of_the_package(source) if refused(name)})


def examples_of_docstrings(path):
    """Return the code of the examples in all docstrings of a module."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = [ast.get_docstring(node) or "" for node in nodes if isinstance(node, documented)]
    return ["".join(example.source for example in doctest.DocTestParser().get_examples(text)) for text in texts]


def sources():
    """Return what is shown to users, by where it stands."""
    found = {}
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        blocks = re.findall(r"^```python\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        found |= {f"{path.relative_to(ROOT)}, block {number}": block for number, block in enumerate(blocks, start=1)}
    for path in (ROOT / "examples").rglob("*.py"):
        found[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
    for path in (ROOT / "sklearn_gfs").rglob("*.py"):
        found |= {
            f"{path.relative_to(ROOT)}, docstring {number}": code
            for number, code in enumerate(examples_of_docstrings(path), start=1)
            if code
        }
    return found


SOURCES = sources()


def test_there_is_something_to_check():
    shown = [where for where, source in SOURCES.items() if names_of_the_package(source)]
    for part in (
        "README.md",
        "docs/guide",
        "examples/1_",
        "examples/2_",
        "examples/3_",
        "examples/4_",
        "sklearn_gfs/mlp",
    ):
        assert [where for where in shown if where.startswith(part)]


def test_users_are_shown_public_names_only():
    assert {where: names for where, source in SOURCES.items() if (names := private_names(source))} == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from sklearn_gfs import fit_law", ["sklearn_gfs.fit_law"]),
        ("from sklearn_gfs.plotting import COLOURS", ["sklearn_gfs.plotting.COLOURS"]),
        ("import sklearn_gfs.search", ["sklearn_gfs.search"]),
        ("import sklearn_gfs as gfs\ngfs.search.fit_law(1)", ["sklearn_gfs.search", "sklearn_gfs.search.fit_law"]),
        ("from sklearn_gfs import theory\ntheory._hull", ["sklearn_gfs.theory._hull"]),
        ("def f():\n    from sklearn_gfs.theory import _bounds", ["sklearn_gfs.theory._bounds"]),
        ("from sklearn_gfs import GreedyPrunedMLP\nGreedyPrunedMLP._encode", ["sklearn_gfs.GreedyPrunedMLP._encode"]),
        ("from sklearn_gfs import GreedyPrunedMLP, theory\nGreedyPrunedMLP.fit\ntheory.root_bound(1, 0, 1)", []),
        ("import sklearn_gfs\nsklearn_gfs.__version__\nsklearn_gfs.theory.root_bound", []),
        ("from sklearn_gfs_of_others import name\nimport numpy", []),
    ],
)
def test_the_search_for_private_names_can_fail(source, expected):
    assert private_names(source) == expected
