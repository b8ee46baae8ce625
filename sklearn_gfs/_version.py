"""The version of the package, and what saved objects say of it."""

from __future__ import annotations

import warnings
from typing import Any

__version__ = "0.1.0.dev0"

# The key in a saved state under which the version stands.
_KEY = "_sklearn_gfs_version"


class VersionedState:
    """Mixin of what users save: the state in a pickle has the version, and another version warns when it loads that."""

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()  # None where there is no attribute
        return {**(state or {}), _KEY: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        saved_by = state.pop(_KEY, None)
        if saved_by != __version__:
            who = "an earlier version of sklearn-gfs" if saved_by is None else f"sklearn-gfs {saved_by}"
            warnings.warn(
                f"{type(self).__name__} was saved by {who} and is loaded by {__version__}: it may fail, or do other "
                "than it did. Load it with the version that saved it, or fit it again.",
                UserWarning,
                stacklevel=2,
            )
        getattr(super(), "__setstate__", vars(self).update)(state)
