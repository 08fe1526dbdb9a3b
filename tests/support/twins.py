"""The interpreted twins of the modules that Cython compiles."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType


def interpreted(module: ModuleType) -> ModuleType:
    """The same module as it is where nothing is compiled."""
    assert module.__file__ is not None
    path = Path(module.__file__)
    path = path.with_name(path.name.partition(".")[0] + ".py")
    spec = importlib.util.spec_from_file_location(f"{path.stem}_interpreted", path)
    assert spec is not None
    assert spec.loader is not None
    twin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(twin)
    return twin
