"""
The names under which Python's own errors speak of methods: those of the class that the user called.

Python names the function that refuses an argument, and a function is named after the class that defines it.
"""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Any, TypeVar

from ._compat import decorated_alike

T = TypeVar("T")


def names_its_methods(cls: type[T]) -> type[T]:
    """
    Copy the methods that the class inherits from this package's own base classes, with the name of the class.

    Without that a misspelt parameter would be refused by a class that no user knows. Nothing else differs: a copy has
    the code, the defaults and the decorators of what it is a copy of.
    """
    for base in cls.__mro__[1:]:
        if base.__module__.startswith(f"{__package__}."):
            for name, method in vars(base).items():
                public = name == "__init__" or not name.startswith("_")
                if public and inspect.getattr_static(cls, name) is method:
                    function = inspect.unwrap(method)
                    if isinstance(function, FunctionType):
                        setattr(cls, name, decorated_alike(method, _copied_to(cls, function)))
    return cls


def _copied_to(cls: type, function: FunctionType) -> FunctionType:
    """Return a copy of a function whose qualified name is in the class."""
    copied: Any = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    for attribute in ("__kwdefaults__", "__annotations__", "__doc__"):
        setattr(copied, attribute, getattr(function, attribute))
    # pickle finds a function by this name.
    copied.__module__, copied.__qualname__ = cls.__module__, f"{cls.__qualname__}.{function.__name__}"
    return copied
