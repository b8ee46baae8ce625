"""
The code that results depend on: functions and classes, by their package's version or by what they do.

A pickle only names these. Those of the user's own are followed to their bytecode, from whatever refers to them. Names
of files, numbers of lines and docstrings have no effect.
"""

from __future__ import annotations

import dis
import functools
import pickle
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

# Types of constants. Values of other types may change while a search runs, as counters and caches do.
_CONSTANTS = (bool, int, float, complex, str, bytes, type(None), type(...), slice)
# Attributes in which descriptors, partial functions and decorated ones keep functions.
_HOLDERS = ("__func__", "__wrapped__", "fget", "fset", "fdel", "func", "fn", "check")
# Instructions that read a variable of a module.
_READS = {"LOAD_GLOBAL", "LOAD_NAME"}
# Packages whose versions are not told here: two count in any search, and NumPy's objects are values mostly.
_NOT_TOLD = {"sklearn_gfs", "sklearn", "numpy"}


def code_in(part: Any) -> list[str]:
    """
    Return what stands for the code that an object refers to, the same in every process.

    Parameters
    ----------
    part : object
        Anything that can be pickled.

    Returns
    -------
    list of str
        A description of each function and class of ``__main__`` or of a package without a version. What such code reads
        from its module counts, too, if it is code or a constant. Of other packages the versions.
    """
    code = _Code()
    _Walk(code).dump(part)
    return sorted(code.told)


class _Code:
    """The functions and classes that were met, and what stands for them."""

    def __init__(self) -> None:
        self._met: dict[int, Any] = {}  # objects by their ids, which stay theirs as long as they are kept
        self.told: set[str] = set()

    def meet(self, value: Any) -> None:
        """Tell of a function, a class, or the functions that something else holds, once."""
        if isinstance(value, tuple | frozenset):
            for part in value:
                self.meet(part)
        elif not isinstance(value, FunctionType | type):
            held = [getattr(value, name, None) for name in _HOLDERS]
            if isinstance(value, functools.partial):
                held += [*value.args, *value.keywords.values()]
            for inner in held:
                if isinstance(inner, FunctionType | type):
                    self.meet(inner)
            if not isinstance(value, ModuleType):
                self.meet(type(value))
        elif id(value) not in self._met:
            self._met[id(value)] = value
            package = _package(value.__module__)
            if _is_own(package):
                self.told.add(self._of_class(value) if isinstance(value, type) else self._of_function(value))
            elif package not in sys.stdlib_module_names | _NOT_TOLD:
                self.told.add(f"{package} {sys.modules[package].__version__}")

    def _of_class(self, kind: type) -> str:
        members = sorted(vars(kind).items())
        for value in (*kind.__mro__[1:], *(member for _, member in members)):
            self.meet(value)
        code = [(name, _name(member)) for name, member in members if isinstance(member, FunctionType | type)]
        return repr(("class", kind.__qualname__, code))

    def _of_function(self, function: FunctionType) -> str:
        code = function.__code__
        defaults, by_name = function.__defaults__ or (), function.__kwdefaults__ or {}
        values = [*enumerate((*defaults, *_in_closure(function))), *by_name.items()]
        values += sorted(_read_by(code, function.__globals__).items())
        used = [(name, self._of_value(value)) for name, value in values]
        return repr(("function", function.__qualname__, _of_code(code, function.__doc__), used))

    def _of_value(self, value: Any) -> str:
        """Return a constant, or the name of anything else, which is met if it is code."""
        constant = _constant(value)
        if constant is not None:
            return constant
        self.meet(value)
        return _name(value)


class _Walk(pickle.Pickler):
    """Goes through an object as a pickle does, and writes nothing."""

    def __init__(self, code: _Code) -> None:
        super().__init__(_Nowhere(), protocol=5, buffer_callback=lambda _: None)
        self._code = code

    def reducer_override(self, obj: Any) -> Any:
        # Pickles name decorated functions, too; what else holds functions is taken apart.
        if isinstance(obj, FunctionType | type) or hasattr(obj, "__wrapped__"):
            self._code.meet(obj)
        return NotImplemented


class _Nowhere:
    """A file that forgets what is written."""

    def write(self, data: Any) -> int:
        return len(data)


def _package(module: str | None) -> str:
    return (module or "__main__").partition(".")[0]


def _is_own(package: str) -> bool:
    """Say whether no version stands for what a package holds, neither its own nor that of Python."""
    has_version = package in sys.stdlib_module_names or hasattr(sys.modules.get(package), "__version__")
    return package == "__main__" or not has_version


def _name(value: Any) -> str:
    """Return the name of a function or a class, and of anything else the name of its class."""
    named = value if isinstance(getattr(value, "__qualname__", None), str) else type(value)
    return f"{getattr(named, '__module__', None)}.{named.__qualname__}"


def _constant(value: Any) -> str | None:
    """Return a constant as text, the same in every process; None for other values."""
    kind = type(value)
    if kind in _CONSTANTS:
        return f"{kind.__name__} {value!r}"
    if kind not in (tuple, frozenset):
        return None
    parts = [_constant(part) for part in value]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return repr((kind.__name__, sorted(known) if kind is frozenset else known))


def _of_code(code: CodeType, doc: str | None = None) -> Any:
    """Return what code does; a docstring stands first among the constants."""
    constants = code.co_consts[1:] if doc is not None and code.co_consts[:1] == (doc,) else code.co_consts
    names = (code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars)
    arguments = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    inner = [_of_code(value) if isinstance(value, CodeType) else _constant(value) for value in constants]
    return (code.co_code, code.co_exceptiontable, names, arguments, inner)


def _parts(code: CodeType) -> Iterator[CodeType]:
    """Yield code and all code inside of it: of inner functions, lambdas and comprehensions."""
    yield code
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _parts(value)


def _in_closure(function: FunctionType) -> Iterator[Any]:
    """Yield the values of a function's free variables."""
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a variable that has no value yet
            yield None


def _read_by(code: CodeType, variables: dict[str, Any]) -> dict[str, Any]:
    """Return the variables that code reads, and those of modules of the user's own among them, by dotted names."""
    parts = list(_parts(code))
    reads = {step.argval for part in parts for step in dis.get_instructions(part) if step.opname in _READS}
    attributes = sorted({name for part in parts for name in part.co_names})
    found = {name: variables[name] for name in sorted(reads & variables.keys())}
    met, ahead = set(), list(found.items())
    while ahead:
        name, value = ahead.pop()
        if isinstance(value, ModuleType) and value not in met and _is_own(_package(value.__name__)):
            met.add(value)
            held = vars(value)
            inner = {f"{name}.{attribute}": held[attribute] for attribute in attributes if attribute in held}
            found |= inner
            ahead += inner.items()
    return found
