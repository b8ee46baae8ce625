"""
Checks of a selection's arguments: each returns its argument in one form, or raises an error that says what is allowed.

Here belong checks that the function, the statistics and the selector share; nothing here computes.
"""

from __future__ import annotations

import numbers
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sklearn_gfs._plain import check_plain
from sklearn_gfs._tensors import as_floats, from_tensor, is_tensor
from sklearn_gfs._typing import Float64Array


def check_stopping(k: Any, tol: Any) -> tuple[int, float]:
    """Return k and the gap to stop at, or raise an error that names the parameter."""
    if isinstance(k, bool) or not isinstance(k, numbers.Integral):
        raise TypeError(f"k={k!r} must be an integer of at least 1, got {type(k).__name__}")
    if k < 1:
        raise ValueError(f"k={k!r} must be an integer of at least 1")
    return int(k), -1.0 if tol is None else _check_number("tol", tol, exclusive=False)


class Weighing(NamedTuple):
    """
    How picks are weighed.

    Parameters
    ----------
    corrective : bool
        Whether the weights of all picks are solved for again after every pick.
    ridge : float
        Penalty on solved weights, 0 without them.
    signed : bool
        Whether atoms may be turned around, as on the l1 ball.
    radius : float or None
        Radius of the l1 ball; None if it is to be estimated. 1 for the convex hull.
    """

    corrective: bool
    ridge: float
    signed: bool
    radius: float | None


def check_weights(corrective: Any, ridge: Any, hull: Any, radius: Any, *, default_hull: str = "convex") -> Weighing:
    """Return how picks are weighed; solved weights go with the caller's default hull and an automatic radius only."""
    corrective, ridge = check_flag("corrective", corrective), _check_number("ridge", ridge, exclusive=False)
    automatic = radius is None or (isinstance(radius, str) and radius == "auto")
    if ridge and not corrective:
        raise ValueError(f"ridge={ridge!r} needs corrective=True; without it ridge must be 0")
    if not isinstance(hull, str) or hull not in ("convex", "l1"):
        raise ValueError(f"hull={hull!r} is not known; it must be 'convex' or 'l1'")
    free = "does not go with corrective=True, whose weights are bound to no hull; it must be"
    if corrective and hull != default_hull:
        raise ValueError(f"hull={hull!r} {free} {default_hull!r}")
    if corrective and not automatic:
        raise ValueError(f"radius={radius!r} {free} 'auto'")
    if hull == "convex" and not automatic:
        raise ValueError(f"radius={radius!r} needs hull='l1'; with hull='convex' it must be 'auto'")
    if hull == "convex":
        return Weighing(corrective, ridge, signed=False, radius=1.0)
    length = None if automatic else _check_number("radius", radius, exclusive=True)
    return Weighing(corrective, ridge, signed=True, radius=length)


def check_n_targets(n_targets: int, *, signed: bool) -> None:
    """Raise an error if plain means of atoms with one output are to approximate several outputs."""
    if n_targets > 1 and not signed:
        raise ValueError(
            f"y has {n_targets} outputs and the atoms have one; with hull='convex' pass atoms of shape "
            "(n_samples, n_atoms, n_outputs), or output_weights"
        )


def check_flag(name: str, value: Any) -> bool:
    """Return a bool; raise an error for text and numbers."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}={value!r} must be True or False, got {type(value).__name__}")
    return bool(value)


def check_ridges(ridges: Any) -> list[float]:
    """Return several ridges, at least one."""
    ridges = [_check_number("ridges", ridge, exclusive=False) for ridge in ridges]
    if not ridges:
        raise ValueError("ridges is empty; it must hold at least one number")
    return ridges


def _check_number(name: str, value: Any, *, exclusive: bool) -> float:
    allowed = f"a finite number {'above' if exclusive else 'of at least'} 0"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}={value!r} must be {allowed}, got {type(value).__name__}")
    if not np.isfinite(float(value)) or value < 0 or (exclusive and value == 0):
        raise ValueError(f"{name}={value!r} must be {allowed}")
    return float(value)


def _check_floats(name: str, value: Any, *, shape: str, ndims: tuple[int, ...]) -> Any:
    """Return a float32 or float64 array of an allowed number of dimensions, read in place where it can be."""
    # Of a hundred arrays, most of the time would go into questions whose answers are known.
    as_it_is = type(value) is np.ndarray and value.dtype.char in "fd" and value.dtype.isnative
    array = value if as_it_is else _converted(name, value)
    if array.ndim not in ndims:
        raise ValueError(f"{name} has shape {array.shape}; it must be {shape}")
    return array


def _converted(name: str, value: Any) -> NDArray[Any]:
    check_plain(**{name: value})
    if sparse.issparse(value):
        raise TypeError(f"{name} is sparse; it must be dense")
    array = np.asarray(from_tensor(name, value))
    if array.dtype.kind == "c":  # of a list
        raise ValueError(f"Complex data not supported: {name} has dtype {array.dtype}")
    text = (
        next((one for one in array.flat if isinstance(one, str | bytes)), None) if array.dtype.kind in "OUS" else None
    )
    if text is not None:
        raise ValueError(f"{name} holds text, for instance {str(text)!r}; it must hold numbers")
    return array if array.dtype in (np.float32, np.float64) else np.asarray(array, dtype=np.float64)


def check_atoms(atoms: Any, *, ndims: tuple[int, ...], keep_tensor: bool = False) -> Any:
    """Return the atoms as an array or a sparse matrix of floats, or as the tensor they are."""
    shape = "(n_samples, n_atoms)" + " or (n_samples, n_atoms, n_outputs)" * (3 in ndims)
    if keep_tensor and is_tensor(atoms):
        check_plain(atoms=atoms)
        atoms = as_floats("atoms", atoms)
    elif sparse.issparse(atoms):
        check_plain(atoms=atoms)
    else:
        atoms = _check_floats("atoms", atoms, shape=shape, ndims=ndims)
    if atoms.ndim not in (ndims if not sparse.issparse(atoms) else (2,)):
        raise ValueError(f"atoms has shape {tuple(atoms.shape)}; it must be {shape}")
    if 0 in atoms.shape:
        raise ValueError(f"atoms has shape {atoms.shape}; it must hold at least one sample, one atom and one output")
    return atoms


def check_y(y: Any, *, len_atoms: int, offset: Any = None) -> Float64Array:
    """Return the targets less the offset, (n_samples, n_outputs)."""
    y = _check_floats("y", y, shape="(n_samples,) or (n_samples, n_outputs)", ndims=(1, 2))
    y = y.reshape(len(y), -1).astype(np.float64)
    if len(y) != len_atoms:
        raise ValueError(f"y has {len(y)} samples and atoms has {len_atoms}; they must be the same")
    y -= check_offset(offset, y.shape[1])
    if not np.isfinite(y).all():
        raise ValueError("y (less the offset) contains NaN or infinity; it must be finite")
    return y


def check_offset(offset: Any, n_outputs: int) -> Float64Array:
    """Return the offset that is added to the outputs, zeros if None."""
    if offset is None:
        return np.zeros(n_outputs)
    offset = _check_floats("offset", offset, shape="(n_outputs,)", ndims=(1,)).astype(np.float64)
    if offset.shape != (n_outputs,):
        raise ValueError(f"offset has shape {offset.shape}; it must be ({n_outputs},), one number per output")
    if not np.isfinite(offset).all():
        raise ValueError("offset contains NaN or infinity; it must be finite")
    return offset


def check_output_weights(output_weights: Any, n_atoms: int, n_outputs: int) -> Float64Array:
    """Return the output weights, one row per atom and one column per output of y."""
    weights = _check_floats("output_weights", output_weights, shape="(n_atoms, n_outputs)", ndims=(2,))
    if weights.shape != (n_atoms, n_outputs):
        raise ValueError(f"output_weights has shape {weights.shape}; atoms and y say ({n_atoms}, {n_outputs})")
    return weights.astype(np.float64)


def check_n_features(n_features_to_select: Any, n_features: int, *, n_kept: int) -> int | None:
    """Return the number of columns to keep, given a number or a share; None if neither is given."""
    wanted = n_features_to_select
    if wanted is None:
        return None
    told = f"n_features_to_select={wanted!r}"
    if isinstance(wanted, bool) or not isinstance(wanted, numbers.Real):
        raise TypeError(f"{told} must be an integer, a share, or None, got {type(wanted).__name__}")
    number = float(wanted)
    if not isinstance(wanted, numbers.Integral):
        if not 0 < number <= 1:
            raise ValueError(f"{told} must be a share above 0 and at most 1, or an integer")
        number = max(number * n_features, 1.0)
    n_least = max(n_kept, 1)
    if not n_least <= number <= n_features:
        raise ValueError(
            f"{told} comes to {int(number)} columns; allowed are at least {n_least}"
            f"{', as many as keep has,' * (n_kept > 0)} and at most {n_features}, all columns of X"
        )
    return int(number)


def check_keep(keep: Any, n_features: int, names: Any) -> NDArray[np.int64]:
    """Return the indices of the columns to keep, given names, indices or a mask."""
    if keep is None:
        return np.empty(0, dtype=np.int64)
    asked, allowed = np.asarray(keep), "it must be a list of column names, of indices, or a mask"
    if asked.ndim != 1 or (asked.size and asked.dtype.kind not in "biuUO"):
        raise TypeError(f"keep={keep!r} is not allowed; {allowed}")
    if asked.dtype.kind == "b":
        if len(asked) != n_features:
            raise ValueError(f"keep is a mask of {len(asked)} columns; X has {n_features}")
        return np.flatnonzero(asked)
    if asked.dtype.kind in "UO":
        if names is None:
            raise ValueError(f"keep={keep!r} names columns, but the columns of X have no names")
        unknown = [name for name in asked.tolist() if name not in names]
        if unknown:
            raise ValueError(f"keep names columns that X does not have: {unknown}")
        return np.flatnonzero(np.isin(names, asked))
    if asked.size and not -n_features <= asked.min() <= asked.max() < n_features:
        raise ValueError(f"keep={keep!r} holds indices out of range; X has {n_features} columns")
    return np.unique(asked.astype(np.int64) % n_features)
