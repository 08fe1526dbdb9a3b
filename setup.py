"""Compiles the hot modules with mypyc, and with Cython the one that needs instructions which Python cannot express.

Without a C compiler the package installs and runs as plain Python.

``DURASTORE_INTERPRETED=1`` at installation leaves the compilation out.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from setuptools import setup
from setuptools.command.build_ext import build_ext

# One compilation group: calls between these modules become direct C calls.
HOT = [
    "durastore/protocol/*.py",
    "durastore/keyspace/*.py",
    "durastore/commands/*.py",
    "durastore/engine/*.py",
    "durastore/engine/scripting/*.py",
    "durastore/persistence/lzf.py",
    "durastore/persistence/rdb/*.py",
    "durastore/persistence/snapshot.py",
    "durastore/persistence/loading.py",
    "durastore/persistence/checksum.py",
    "durastore/persistence/disk.py",
    "durastore/persistence/aof/annotations.py",
    "durastore/persistence/aof/manifest.py",
    "durastore/persistence/aof/writer.py",
    "durastore/persistence/aof/syncing.py",
    "durastore/persistence/aof/log.py",
    "durastore/persistence/aof/reader.py",
    "durastore/server/connection.py",
    "durastore/server/hub.py",
]


def extensions() -> list[object]:
    """The extension modules to build; none where they cannot be built."""
    if os.environ.get("DURASTORE_INTERPRETED", "0") not in ("", "0"):
        return []
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    headers = Path(sysconfig.get_path("include"), "Python.h")
    if not headers.exists() or not (shutil.which(compiler) or shutil.which("gcc") or shutil.which("cc")):
        print("durastore: no C compiler or no Python headers; the interpreted build is installed")
        return []
    try:
        from Cython.Build import cythonize
        from mypyc.build import mypycify
    except ImportError:
        print("durastore: mypyc or Cython is not there; the interpreted build is installed")
        return []
    twins = [path.with_suffix(".py") for path in Path("durastore").rglob("*.pyx")]
    hot = {path for pattern in HOT for path in Path().glob(pattern) if path.name != "__init__.py"}
    files = sorted(str(path) for path in hot.difference(twins))
    modules = mypycify(["--strict", *files], opt_level="3", debug_level="0", multi_file=True, group_name="durastore")
    modules += cythonize("durastore/**/*.pyx", build_dir="build/cython", quiet=True)
    for module in modules:
        module.optional = True
    return list(modules)


class ParallelBuild(build_ext):
    """Compiles the C files of an extension side by side."""

    def build_extensions(self) -> None:
        """Hands each file to a pool, and waits for all of them before it links."""
        compile_one, link = self.compiler._compile, self.compiler.link
        pending: list[Future[None]] = []

        def link_what_is_compiled(*args: object, **options: object) -> None:
            while pending:
                pending.pop().result()
            link(*args, **options)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            self.compiler._compile = lambda *args: pending.append(pool.submit(compile_one, *args))
            self.compiler.link = link_what_is_compiled
            super().build_extensions()


setup(ext_modules=extensions(), cmdclass={"build_ext": ParallelBuild})
