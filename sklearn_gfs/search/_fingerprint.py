"""
The identity of a threshold search: the values of its data, independent of their layout in memory, and the versions.

``_checkpoint`` makes fingerprints of these and compares them.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse


def canonical(data: Any) -> Any:
    """
    Return data in a form that is the same for equal values with any layout in memory.

    Parameters
    ----------
    data : object
        Arrays, sparse matrices and frames, or dictionaries, lists and tuples of these; anything else is left as it is.

    Returns
    -------
    object
        A value for a hash. The data themselves are not changed.
    """
    if type(data) in (np.ndarray, np.memmap):
        flat = np.ascontiguousarray(data, dtype=None if data.dtype.isnative else data.dtype.newbyteorder("=")).ravel()
        # NumPy calls any strides contiguous for an axis of length one, but the hash depends on the strides.
        return data.shape, flat if flat.strides == (flat.itemsize,) else flat.copy()
    if sparse.issparse(data):
        return _canonical_rows(data)
    if type(data).__module__.partition(".")[0] == "pandas":
        return _canonical_columns(data)
    if type(data) is dict:
        return {key: canonical(value) for key, value in data.items()}
    if type(data) in (list, tuple):
        return type(data)([canonical(value) for value in data])
    return data


def _canonical_rows(matrix: Any) -> Any:
    rows = sparse.csr_array(matrix, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    return rows.shape, rows.data, rows.indices.astype(np.int64), rows.indptr.astype(np.int64)


def _canonical_columns(data: Any) -> Any:
    """Return a frame column by column, because its layout in blocks may differ; or a series or an index."""
    if hasattr(data, "columns"):
        return data.columns, [_canonical_columns(data.iloc[:, i]) for i in range(data.shape[1])]
    if hasattr(data, "iloc") and isinstance(data.dtype, np.dtype):
        return data.name, data.index, canonical(data.to_numpy())
    return data


def versions(estimator: Any) -> dict[str, Any]:
    """
    Return the versions that the scores of an estimator depend on.

    Parameters
    ----------
    estimator : estimator
        An estimator, which may contain others.

    Returns
    -------
    dict of str to object
        The versions of this package, of scikit-learn and of each package that a part of the estimator comes from, None
        if it has none. Also a digest of this package's sources, because its constants are no parameters.
    """
    own = __name__.partition(".")[0]
    parts = [estimator, *(value for value in estimator.get_params().values() if hasattr(value, "get_params"))]
    kinds = [kind for part in parts for kind in type(part).__mro__]
    packages = {own, "sklearn"} | {kind.__module__.partition(".")[0] for kind in kinds}
    found = {package: getattr(sys.modules.get(package), "__version__", None) for package in sorted(packages)}
    return found | {"sources": digest_of_sources(Path(__file__).parents[1])}


def digest_of_sources(folder: Path) -> str:
    """Return a digest of all Python files in and below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
