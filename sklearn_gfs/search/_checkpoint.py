"""
The folder in which a threshold search keeps its finished folds, each in a file of its own.

A file is written under another name and then renamed, which is atomic on every system. A process that is killed at any
moment leaves a complete file or none, and no writer changes a file of another writer. Files are JSON, which keeps every
float exactly and runs no code when read.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

import joblib

from ._code import code_in

_FORMAT = "sklearn-gfs threshold search 2"
# Parts that may refer to code of the user's own; the others are data.
_WITH_CODE = {"scoring", "estimator"}


class Checkpoint:
    """
    Finished folds on disk.

    Parameters
    ----------
    path : str or path-like
        The folder; it is created if it does not exist.
    parts : dict of str to object
        Values that the folds' results depend on, by their names in error messages.
    n_folds : int
        Number of folds.

    Attributes
    ----------
    folds : dict of int to list of dict
        Results of the folds that were finished when the folder was opened.

    Raises
    ------
    ValueError
        If the folder belongs to another search or can't be read, or if a part can't be hashed.
    TypeError
        If ``path`` is neither a string nor path-like.
    FileNotFoundError, PermissionError
        If the folder can't be made or written to.
    """

    def __init__(self, path: str | os.PathLike[str], parts: dict[str, Any], n_folds: int) -> None:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"checkpoint must be None or the path of a folder, got {path!r}.")
        self._folder = Path(path)
        self._fingerprint = {name: _hash(name, part) for name, part in parts.items()}
        self._make_folder()
        self.folds = {fold: self._read(fold) for fold in range(n_folds) if self._file(fold).exists()}

    def _file(self, fold: int) -> Path:
        return self._folder / f"fold-{fold}.json"

    def _make_folder(self) -> None:
        """Create the folder if it does not exist, and check before any training that it can be written to."""
        if not self._folder.exists():
            if not self._folder.parent.is_dir():
                raise FileNotFoundError(f"checkpoint={str(self._folder)!r} lies in a folder that does not exist.")
            if not os.access(self._folder.parent, os.W_OK):
                raise PermissionError(f"checkpoint={str(self._folder)!r} lies in a folder that can't be written to.")
            self._folder.mkdir(exist_ok=True)
        elif not self._folder.is_dir():
            raise self._refusal("is a file; it must be a folder, or a path at which there is nothing")
        elif not os.access(self._folder, os.W_OK):
            raise PermissionError(f"checkpoint={str(self._folder)!r} is a folder that can't be written to.")

    def _refusal(self, reason: str) -> ValueError:
        advice = "Give checkpoint another path, or delete what is there to start afresh."
        return ValueError(f"checkpoint={str(self._folder)!r} {reason}. {advice}")

    def _read(self, fold: int) -> list[dict[str, Any]]:
        file = self._file(fold)
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise self._refusal(f"can't be read: {file.name}: {error}") from error
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise self._refusal(f"holds {file.name}, which is not of the format {_FORMAT!r}")
        if content.pop("checksum", None) != _checksum(content) or content["fold"] != fold:
            raise self._refusal(f"holds {file.name}, which was changed after it had been written")
        other = [name for name in self._fingerprint if content["fingerprint"].get(name) != self._fingerprint[name]]
        if other:
            raise self._refusal(f"belongs to a search that differs in: {', '.join(other)}")
        records: list[dict[str, Any]] = content["records"]
        return records

    def add(self, fold: int, records: list[dict[str, Any]]) -> None:
        """Write the records of one more fold."""
        content = {"format": _FORMAT, "fingerprint": self._fingerprint, "fold": fold, "records": records}
        text = json.dumps(content | {"checksum": _checksum(content)})
        # In the same folder, because only a rename within one file system is atomic. The name is unique, and the file
        # has the usual permissions of the user's new files.
        temporary = self._folder / f".{self._file(fold).name}.{uuid.uuid4().hex}"
        try:
            with temporary.open("x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._file(fold))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _hash(name: str, part: Any) -> str:
    """Return a hash of an object's values, and of the code that a scorer or an estimator refers to."""
    try:
        return str(joblib.hash((part, code_in(part) if name in _WITH_CODE else None)))
    except Exception as error:
        raise ValueError(f"checkpoint needs {name} that can be pickled, got {part!r}.") from error
