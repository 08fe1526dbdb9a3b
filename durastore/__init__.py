"""durastore: a persistent server that speaks the Redis protocol.

The hot modules are compiled by mypyc where a C compiler was there at installation.  With ``DURASTORE_INTERPRETED=1``
in the environment the same files run interpreted; ``compiled()`` tells which build runs.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import ModuleType

__version__ = "0.1.0"


class _SourceOnly:
    """Finds this package's modules in their sources, where a compiled twin stands beside them."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not name.startswith("durastore.") or path is None:
            return None
        details = (importlib.machinery.SourceFileLoader, importlib.machinery.SOURCE_SUFFIXES)
        for folder in path:
            spec = importlib.machinery.FileFinder(folder, details).find_spec(name)
            if spec is not None:
                return spec
        return None


if os.environ.get("DURASTORE_INTERPRETED", "0") not in ("", "0"):
    sys.meta_path.insert(0, _SourceOnly)


def compiled() -> bool:
    """Whether the compiled build runs."""
    from durastore.engine import session

    return not str(session.__file__).endswith(".py")
