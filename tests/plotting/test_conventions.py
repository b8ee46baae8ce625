"""What CONTRIBUTING says of a display holds of every one that there is, whoever adds it."""

import importlib
import inspect
import pkgutil

import pytest
from test_version import OBJECTS

import sklearn_gfs
from sklearn_gfs import plotting
from sklearn_gfs._version import VersionedState

plt = pytest.importorskip("matplotlib.pyplot")


def displays():
    """Return every display that a module of the sub-package defines, by name."""
    modules = [
        importlib.import_module(f"{plotting.__name__}.{m.name}") for m in pkgutil.iter_modules(plotting.__path__)
    ]
    found = [cls for module in modules for cls in vars(module).values() if inspect.isclass(cls)]
    return {cls.__name__: cls for cls in found if cls.__name__.endswith("Display")}


DISPLAYS = displays()


def test_every_display_has_a_public_name():
    for package in (plotting, sklearn_gfs):
        assert {name for name in package.__all__ if name.endswith("Display")} == set(DISPLAYS)


@pytest.mark.parametrize("name", DISPLAYS)
def test_a_display_stores_what_it_is_given_and_draws_it_where_it_is_told(name):
    cls, display = DISPLAYS[name], OBJECTS[name]()
    assert issubclass(cls, VersionedState)
    parameters = list(inspect.signature(cls).parameters.values())
    assert {parameter.kind for parameter in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    assert set(vars(display)) == {parameter.name for parameter in parameters}
    _, ax = plt.subplots()
    assert display.plot(ax=ax) is display
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    drawn = set(vars(display)) - {parameter.name for parameter in parameters}
    assert all(attribute.endswith("_") and attribute in cls.__doc__ for attribute in drawn)
    assert display.plot().ax_ is not ax
    assert display.ax_.get_xlabel()
    assert display.ax_.get_ylabel()


@pytest.mark.parametrize("name", DISPLAYS)
def test_ways_to_a_display_take_axes(name):
    ways = [method for method in vars(DISPLAYS[name]) if method.startswith("from_") or method == "plot"]
    assert len(ways) > 1
    for method in ways:
        assert inspect.signature(getattr(DISPLAYS[name], method)).parameters["ax"].default is None
