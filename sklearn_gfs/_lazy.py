"""Names that a package resolves at their first use, so that importing the package loads no other module."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str | None]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """
    Return ``__getattr__`` and ``__dir__`` of a package.

    `homes` holds, for each name, the module of the package in which the name lives, or None for a module itself.
    Type checkers do not see these names: the package imports the same names under ``TYPE_CHECKING`` as well.
    """

    def resolve(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = homes[name]
        module = importlib.import_module(f"{package}.{home or name}")
        value = module if home is None else getattr(module, name)
        setattr(sys.modules[package], name, value)  # the next access finds the name in the package
        return value

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return resolve, listed
