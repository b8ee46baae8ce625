"""Loops are compiled once, and caches that can't be read do no harm."""

import importlib.util
import pickle

import numba
import pytest

from sklearn_gfs._jit import Kernel

SOURCE = """
from typing import NamedTuple


class Pair(NamedTuple):
    first: int
    second: int


def add(pair):
    return pair.first + pair.second
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    path = tmp_path / "added.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("added", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "added", module)
    spec.loader.exec_module(module)
    return module


def kernel(module):
    return Kernel(module.add, {"contract"})


def test_a_loop_is_read_from_the_cache(module):
    kernel(module)(module.Pair(1, 2))
    again = kernel(module)
    assert again(module.Pair(3, 4)) == 7
    assert sum(again.compiled.stats.cache_hits.values()) == 1


@pytest.mark.parametrize("content", [b"", b"cut off", pickle.dumps(numba.__version__)])
def test_a_cache_that_cannot_be_read_is_written_anew(module, tmp_path, content):
    kernel(module)(module.Pair(1, 2))
    (index,) = tmp_path.rglob("*.nbi")
    index.write_bytes(content)
    assert kernel(module)(module.Pair(3, 4)) == 7
    again = kernel(module)
    assert again(module.Pair(5, 6)) == 11
    assert sum(again.compiled.stats.cache_hits.values()) == 1


def test_the_cache_of_a_version_with_another_name_for_a_tuple_is_written_anew(module):
    kernel(module)(module.Pair(1, 2))
    module.Couple = module.Pair
    del module.Pair
    module.Couple.__name__ = module.Couple.__qualname__ = "Couple"
    assert kernel(module)(module.Couple(3, 4)) == 7


def test_loops_run_where_numba_compiles_nothing(module, monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    assert kernel(module)(module.Pair(1, 2)) == 3
