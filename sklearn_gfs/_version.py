"""The version of the package, what saved objects say of it, and where the documentation of an object is."""

from __future__ import annotations

import importlib.metadata
import warnings
from functools import cache
from typing import Any

__version__ = "1.0.0rc1"

# The folder of the documentation's site that this version has: a release has one of its own.
SITE_FOLDER = "dev" if ".dev" in __version__ else __version__

# The key in a saved state under which the version stands.
_KEY = "_sklearn_gfs_version"


@cache
def _page_template() -> str:
    """Return the address of an object's page, by the project's URL "Documentation" in the metadata, or ""."""
    try:
        addresses = importlib.metadata.metadata("sklearn-gfs").get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:  # used from a folder, not installed
        return ""
    sites = [address.partition(", ")[2] for address in addresses if address.startswith("Documentation, ")]
    return f"{sites[0].rstrip('/')}/{SITE_FOLDER}/api/generated/sklearn_gfs.{{name}}.html" if sites else ""


class VersionedState:
    """
    Mixin of what users save: the state in a pickle has the version, and another version warns when it loads that.

    It also tells scikit-learn where the documentation is, to which an estimator's picture in a notebook links.
    """

    _doc_link_module = "sklearn_gfs"

    @property
    def _doc_link_template(self) -> str:
        return _page_template()

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        return {"name": type(self).__name__}

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()  # None where there is no attribute
        return {**(state or {}), _KEY: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        saved_by = state.pop(_KEY, None)
        if saved_by != __version__:
            who = "an earlier version of sklearn-gfs" if saved_by is None else f"sklearn-gfs {saved_by}"
            warnings.warn(
                f"{type(self).__name__} was saved by {who} and is loaded by {__version__}: it may fail or "
                "give other results. Load it with the version that saved it, or fit it again.",
                UserWarning,
                stacklevel=2,
            )
        getattr(super(), "__setstate__", vars(self).update)(state)
