"""The check of sentences finds what it should, and takes code, tables and formulas for neither."""

import importlib.util
import re
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "prose.py"


@pytest.fixture(scope="module")
def prose():
    spec = importlib.util.spec_from_file_location("prose", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_long_sentences_are_found_by_their_line(prose):
    long = " ".join(["word"] * 41)
    text = f"# Title\n\nShort. W{long[1:-5]}.\n\n- One.\n- A {long}.\n"
    assert [line for line, _ in prose.complaints(text, [])] == [6]


def test_what_is_no_sentence_is_left_out(prose):
    long = " ".join(["word"] * 60)
    text = f"```python\n{long}\n```\n\n| {long} |\n\n$${long}$$\n\nSee `{long}` and $a {long}$.\n<!-- {long} -->\n"
    assert not list(prose.complaints(text, []))


def test_phrases_are_found_across_lines_and_named(prose):
    ((line, what),) = prose.complaints("Fine.\n\nThe first, and\nbut 13 others.\n", prose.rules())
    assert (line, what) == (3, "'and but 1': \"and only\"")


def test_the_list_of_phrases_has_patterns_only(prose):
    for pattern, instead in prose.rules():
        assert instead
        assert not re.match(pattern, "")
