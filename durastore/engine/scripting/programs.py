"""Scripts and functions of an engine; see ``durastore.commands.programs`` for what each method is."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, final

from mypy_extensions import i64

from durastore.commands import programs
from durastore.commands.channels import Subscriber
from durastore.commands.client import Client
from durastore.commands.errors import CommandError
from durastore.engine.scripting.interpreter import Interpreter
from durastore.engine.scripting.libraries import Libraries
from durastore.engine.scripting.runner import Runner, sha1hex
from durastore.engine.scripting.shebang import script_flags

if TYPE_CHECKING:
    from durastore.engine.engine import Engine

log = logging.getLogger("durastore.engine")

_NO_SCRIPT = b"NOSCRIPT No matching script. Please use EVAL."
# The length of a SHA1 in hexadecimal.
_DIGEST = 40


@final
class Script:
    """A compiled script of EVAL."""

    def __init__(self, body: bytes, flags: i64, call: object) -> None:
        self.body = body
        self.flags: i64 = flags
        self.call = call


@final
class LuaPrograms(programs.Programs):
    """The scripts by their digests, and the libraries."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.runner = Runner(engine)
        self.scripts: dict[bytes, Script] = {}
        # The digests of short scripts that ran lately, by their texts.
        self._digests: dict[bytes, bytes] = {}
        self._interpreter: Interpreter | None = None
        self.functions = Libraries(self.runner, engine.instance.keyspace)

    def _lua(self) -> Interpreter:
        if self._interpreter is None:
            self._interpreter = Interpreter("eval", self.runner.services(), self.runner.interrupt)
        return self._interpreter

    def _compile(self, digest: bytes, body: bytes) -> Script:
        flags, code = script_flags(body)
        result = self._lua().services[b"compile"](code)
        if isinstance(result, tuple):
            raise CommandError(b"ERR Error compiling script (new function): " + result[1])
        script = Script(body, flags, result)
        self.scripts[digest] = script
        return script

    def run_script(self, client: Subscriber, body: bytes, argv: list[bytes], keys: i64, read_only: bool) -> None:
        """See Programs."""
        digest = self._digests.get(body)
        if digest is None:
            digest = sha1hex(body)
            if len(body) <= _SHORT:
                if len(self._digests) >= _KEPT:
                    self._digests.clear()
                self._digests[body] = digest
        script = self.scripts.get(digest)
        if script is None:
            script = self._compile(digest, body)
        self._run(client, script, digest, argv, keys, read_only)

    def run_digest(self, client: Subscriber, digest: bytes, argv: list[bytes], keys: i64, read_only: bool) -> None:
        """See Programs."""
        script = self.scripts.get(digest)
        if script is None:
            digest = digest.lower()
            script = self.scripts.get(digest) if len(digest) == _DIGEST else None
            if script is None:
                raise CommandError(_NO_SCRIPT)
        self._run(client, script, digest, argv, keys, read_only)

    def _run(
        self, client: Subscriber, script: Script, digest: bytes, argv: list[bytes], keys: i64, read_only: bool
    ) -> None:
        assert isinstance(client, Client)
        self.runner.run(self._lua(), client, script.call, digest, argv, keys, script.flags, read_only, False)

    def load_script(self, body: bytes) -> bytes:
        """See Programs."""
        digest = sha1hex(body)
        if digest not in self.scripts:
            self._compile(digest, body)
        return digest

    def has_script(self, digest: bytes) -> bool:
        """See Programs."""
        return digest.lower() in self.scripts

    def forget_scripts(self) -> None:
        """See Programs."""
        self.scripts.clear()
        self._digests.clear()
        self._interpreter = None

    def script_memory(self) -> int:
        """Bytes that the interpreter of scripts holds."""
        return 0 if self._interpreter is None else self._interpreter.memory()

    def declared(self, name: bytes, argv: list[bytes]) -> i64:
        """The flags of what a request of this command runs; UNDECLARED where it has none, or is not known."""
        if name.startswith(b"fcall"):
            function = self.functions.functions.get(argv[1].lower())
            return programs.UNDECLARED if function is None else function.flags
        if name.startswith(b"evalsha"):
            script = self.scripts.get(argv[1].lower())
            return programs.UNDECLARED if script is None else script.flags
        try:
            flags, _ = script_flags(argv[1])
        except CommandError:
            return programs.UNDECLARED
        return flags

    def kill(self, function: bool) -> None:
        """See Programs."""
        self.runner.kill(function)

    def busy(self) -> bytes | None:
        """See Programs."""
        return None if self.runner.caller is None else self.runner.busy_text()

    def running(self, functions_only: bool) -> programs.Running | None:
        """See Programs."""
        return self.runner.running(functions_only)

    def call_function(self, client: Subscriber, name: bytes, argv: list[bytes], read_only: bool) -> None:
        """See Programs."""
        assert isinstance(client, Client)
        self.functions.call(client, name, argv, read_only)

    def libraries(self) -> list[programs.Library]:
        """See Programs."""
        return list(self.functions.by_name.values())

    def load_library(self, code: bytes, replace: bool, unhurried: bool) -> bytes:
        """See Programs."""
        return self.functions.load(code, replace, unhurried)

    def delete_library(self, name: bytes) -> None:
        """See Programs."""
        self.functions.delete(name)

    def forget_libraries(self) -> None:
        """See Programs."""
        self.functions.forget()

    def reload_libraries(self) -> bytes | None:
        """Takes the libraries that persistence has put into the keyspace; what is wrong with them, or None.

        Without Lua they are kept as they are.
        """
        try:
            self.functions.reload()
        except CommandError as error:
            if error.text != programs.UNAVAILABLE:
                return error.text
            log.warning("There are libraries of functions, but the Python package lupa is not installed.")
        return None

    def restore_libraries(self, codes: list[bytes], flush: bool, replace: bool) -> None:
        """See Programs."""
        self.functions.restore(codes, flush, replace)


# Texts of at most so many bytes, and how many, have their digests kept.
_SHORT = 4096
_KEPT = 1024
