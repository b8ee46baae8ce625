"""When garbage is looked for: later, where many objects are made that stay."""

from __future__ import annotations

import gc

import pytest

from sklearn_gfs._collecting import garbage_later


@pytest.fixture(params=[True, False])
def enabled(request):
    """Python looks for garbage, or does not."""
    before = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if before else gc.disable)()


def test_garbage_is_looked_for_afterwards_as_before(enabled):
    with garbage_later():
        assert not gc.isenabled()
        with garbage_later():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled() == enabled


def test_garbage_is_looked_for_after_an_error(enabled):
    with pytest.raises(ZeroDivisionError), garbage_later():
        1 / 0  # noqa: B018
    assert gc.isenabled() == enabled
