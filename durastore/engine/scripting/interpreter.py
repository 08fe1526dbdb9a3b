"""A Lua interpreter as scripts know it: the sandbox of kernel.lua and the libraries of Redis.

No Python object is reachable from a script: what Lua calls here are upvalues of Lua functions, and all attributes are
refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, final

from durastore.commands.errors import CommandError
from durastore.commands.programs import UNAVAILABLE
from durastore.engine.scripting import binary
from durastore.engine.scripting.tail_calls import without_tail_calls

try:
    from lupa import lua51
except ImportError:
    lua51 = None

log = logging.getLogger("durastore.engine")

# What all scripts of an interpreter may hold together, in bytes.
MEMORY: Final = 1 << 30
_FOLDER: Final = Path(__file__).parent
# Marks the functions of this package in Lua; kernel.lua knows it.
_OURS: Final = b"@durastore"


def _no_attributes(obj: object, name: object, setting: bool) -> object:
    raise AttributeError("no attributes")


def _source(name: str) -> bytes:
    return (_FOLDER / f"{name}.lua").read_bytes()


@final
class Interpreter:
    """One Lua state.  ``mode`` is ``eval`` or ``functions``; ``host`` are the functions that redis.lua asks for."""

    def __init__(self, mode: str, host: Mapping[bytes, object], interrupt: Callable[[], bytes | None]) -> None:
        if lua51 is None:
            raise CommandError(UNAVAILABLE)
        self.lua: Any = lua51.LuaRuntime(
            encoding=None,
            attribute_filter=_no_attributes,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            max_memory=MEMORY,
        )
        # Before the kernel closes it, the environment is that of plain Lua.
        services = self.lua.table_from(dict(host))
        kernel = self._run("kernel", without_tail_calls, interrupt)
        globals_ = kernel[b"globals"]
        for library in ("cjson", "bit"):
            globals_[library.encode()] = kernel[b"protect"](self._run(library, kernel))
        globals_[b"cmsgpack"] = kernel[b"protect"](
            self._run("cmsgpack", kernel, binary.pack_double, binary.unpack_double)
        )
        globals_[b"struct"] = kernel[b"protect"](self._run("struct", kernel, binary.pack, binary.unpack, binary.size))
        random = self._run("random", kernel, host[b"running"])
        for name in (b"random", b"randomseed"):
            kernel[b"math"][name] = random[name]
        globals_[b"math"] = kernel[b"protect"](kernel[b"math"])
        self.services: Any = self._run(mode, kernel, self._run("redis", kernel, services), services)
        self.run: Callable[..., object] = self.services[b"run"]
        self.services[b"arm"]()

    def _run(self, name: str, *arguments: object) -> Any:
        return self.lua.execute(_source(name), *arguments, name=_OURS)

    def memory(self) -> int:
        """Bytes in use."""
        return int(self.lua.get_memory_used(total=True) or 0)

    def call(self, resp: int, script: object, argv: list[bytes], keys: int) -> object:
        """Runs a script or function; ``argv`` is the request, from whose third word on there are keys, then arguments.

        Returns what ``run`` of redis.lua does.
        """
        if len(argv) < _MANY:
            return self.run(resp, script, keys, *argv[3:])
        tables = [self.lua.table_from(argv[3 : 3 + keys]), self.lua.table_from(argv[3 + keys :])]
        return self.services[b"run_with"](resp, script, *tables)

    def tidy(self, after_memory: bool) -> None:
        """After a script that was ended by force (or for want of memory)."""
        self.services[b"arm"]()
        if after_memory:
            self.lua.gccollect()


# More words than this go to Lua in tables: its stack is limited.
_MANY: Final = 512


def memory_error(error: BaseException) -> bool:
    """Whether this is the interpreter's complaint about its limit."""
    return lua51 is not None and isinstance(error, lua51.LuaMemoryError)
