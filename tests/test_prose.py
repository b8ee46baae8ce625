"""The check of sentences finds what it should, and takes code, tables, formulas and examples for none."""

import importlib.util
import re
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "prose.py"
PAGE, MODULE = Path("page.md"), Path("module.py")
LONG = " ".join(["word"] * 31)


@pytest.fixture(scope="module")
def prose():
    spec = importlib.util.spec_from_file_location("prose", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_long_sentences_are_found_by_their_line(prose):
    text = f"# Title\n\nShort. W{LONG[1:-5]}.\n\n- One.\n- A {LONG}.\n"
    assert [line for line, _ in prose.complaints(PAGE, text, [])] == [6]


def test_what_is_no_sentence_is_left_out(prose):
    long = " ".join(["word"] * 60)
    text = f"```python\n{long}\n```\n\n| {long} |\n\n$${long}$$\n\nSee `{long}` and $a {long}$.\n<!-- {long} -->\n"
    assert not list(prose.complaints(PAGE, text, []))


def test_phrases_are_found_across_lines_and_named(prose):
    ((line, what),) = prose.complaints(PAGE, "Fine.\n\nThe first, and\nbut 13 others.\n", prose.rules())
    assert (line, what) == (3, "'and but 1': \"and only\"")


def test_the_list_of_phrases_has_patterns_only(prose):
    for pattern, instead in prose.rules():
        assert instead
        assert not re.match(pattern, "")


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (f'class Public:\n    """\n    Short.\n\n    {LONG}.\n    """\n', 5),
        (f'class Public:\n    def method(self):\n        """Short. {LONG.capitalize()}."""\n', 3),
        (f'def public():\n    """\n    Short.\n\n    x : int\n        Short.\n        {LONG}.\n    """\n', 7),
        (f'raise ValueError("{LONG}")\n', 1),
        (f'raise ValueError(\n    f"{{x}} {LONG[:70]} "\n    "{LONG[70:]}"\n)\n', 2),
        (f'warnings.warn("{LONG}", UserWarning)\n', 1),
    ],
)
def test_docstrings_and_messages_of_modules_are_read(prose, source, line):
    assert [found for found, _ in prose.complaints(MODULE, source, [])] == [line]


@pytest.mark.parametrize(
    "source",
    [
        f'class _Private:\n    """{LONG}."""\n',
        f'def _private():\n    """{LONG}."""\n',
        f'text = "{LONG}"\n',
        f'def public():\n    """\n    Short.\n\n    Examples\n    --------\n    >>> {LONG}\n    {LONG}\n    """\n',
        f'def public():\n    """\n    Short.\n\n    References\n    ----------\n    {LONG}\n    """\n',
        f'def public():\n    """\n    Short.\n\n    .. math::\n\n        {LONG}\n    """\n',
        f'def public():\n    """Short. {LONG[:70]}. {LONG[70:]}."""\n',
    ],
)
def test_what_is_no_sentence_of_a_module_is_left_out(prose, source):
    assert not list(prose.complaints(MODULE, source, []))


def test_the_text_of_examples_is_read(prose):
    source = f'"""\nTitle\n=====\n\nShort.\n\n{LONG}.\n"""\n\n# %%\n# Short.\n# {LONG}.\nx = 1  # {LONG}\n\n# {LONG}\n'
    assert [line for line, _ in prose.complaints(MODULE, source, [])] == [7, 12]
