"""
The file in which a threshold search keeps its finished folds.

One JSON file, replaced as a whole and atomically, so that a process killed at any moment leaves
either the state before a fold or the state after it. JSON keeps every float exactly and runs no
code when read.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import joblib

_FORMAT = "sklearn-gfs threshold search 1"


class Checkpoint:
    """
    Finished folds on disk.

    Parameters
    ----------
    path : str or path-like
        The file; it is made when the first fold is finished.
    parts : dict of str to object
        All that the folds' results depend on, by names fit for an error message.

    Attributes
    ----------
    folds : dict of int to list of dict
        Results of the finished folds.

    Raises
    ------
    ValueError
        If the file belongs to another search or can't be read, or if a part can't be hashed.
    TypeError
        If ``path`` is none.
    FileNotFoundError, PermissionError
        If the folder does not exist or can't be written to.
    """

    def __init__(self, path: str | os.PathLike[str], parts: dict[str, Any]) -> None:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"checkpoint must be None or the path of a file, got {path!r}.")
        self.path = Path(path)
        self._fingerprint = {name: _hash(name, part) for name, part in parts.items()}
        self.folds: dict[int, list[dict[str, Any]]] = {}
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"checkpoint={str(self.path)!r} lies in a folder that does not exist.")
        if not os.access(self.path.parent, os.W_OK):
            raise PermissionError(f"checkpoint={str(self.path)!r} lies in a folder that can't be written to.")
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        advice = "Give checkpoint another path, or delete the file to start afresh."
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            known = content["format"] == _FORMAT
            fingerprint, folds = content["fingerprint"], content["folds"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"checkpoint={str(self.path)!r} can't be read: {error}. {advice}") from error
        if not known:
            raise ValueError(f"checkpoint={str(self.path)!r} has the format {content['format']!r}. {advice}")
        other = [name for name in self._fingerprint if fingerprint.get(name) != self._fingerprint[name]]
        if other:
            raise ValueError(
                f"checkpoint={str(self.path)!r} belongs to a search that differs in: {', '.join(other)}. {advice}"
            )
        self.folds = {int(fold): records for fold, records in folds.items()}

    def add(self, fold: int, records: list[dict[str, Any]]) -> None:
        """Keep one more fold."""
        self.folds[fold] = records
        content = {"format": _FORMAT, "fingerprint": self._fingerprint, "folds": self.folds}
        # In the same folder, for only a rename within one file system is atomic.
        handle, temporary = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _hash(name: str, part: Any) -> str:
    try:
        return str(joblib.hash(part))
    except Exception as error:
        raise ValueError(f"checkpoint needs {name} that can be pickled, got {part!r}.") from error
