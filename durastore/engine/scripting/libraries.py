"""Libraries of functions; the keyspace holds their codes, which persistence stores."""

from __future__ import annotations

from typing import Any, final

from durastore.commands.client import Client
from durastore.commands.errors import CommandError
from durastore.commands.programs import Function, Library
from durastore.engine.scripting.interpreter import Interpreter, memory_error
from durastore.engine.scripting.runner import Runner
from durastore.engine.scripting.shebang import flag_of, library_name, valid_name
from durastore.keyspace.keyspace import Keyspace
from durastore.protocol.numbers import NotANumber, parse_int

_BAD_NAME = (
    b"Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"
)


@final
class Libraries:
    """All libraries of an engine."""

    def __init__(self, runner: Runner, keyspace: Keyspace) -> None:
        self._runner = runner
        self._keyspace = keyspace
        self._interpreter: Interpreter | None = None
        self.by_name: dict[bytes, Library] = {}
        # By their names in lower case, as FCALL does not tell capitals.
        self.functions: dict[bytes, Function] = {}
        # The library that is being loaded.
        self._new: Library | None = None

    def memory(self) -> int:
        """Bytes that the interpreter of functions holds."""
        return 0 if self._interpreter is None else self._interpreter.memory()

    def call(self, client: Client, name: bytes, argv: list[bytes], read_only: bool) -> None:
        """FCALL."""
        function = self.functions.get(name.lower())
        if function is None:
            raise CommandError(b"ERR Function not found")
        try:
            keys = parse_int(argv[2])
        except NotANumber:
            raise CommandError(b"ERR Bad number of keys provided") from None
        if keys > len(argv) - 3:
            raise CommandError(b"ERR Number of keys can't be greater than number of args")
        if keys < 0:
            raise CommandError(b"ERR Number of keys can't be negative")
        self._runner.run(self._lua(), client, function.call, name, argv, keys, function.flags, read_only, True)

    def _lua(self) -> Interpreter:
        if self._interpreter is None:
            services = self._runner.services()
            services[b"register"] = self.register
            services[b"is_flag"] = is_flag
            self._interpreter = Interpreter("functions", services, self._runner.interrupt)
        return self._interpreter

    def register(self, name: bytes, call: object, description: bytes | None, flags: Any) -> bytes | None:
        """redis.register_function; what is wrong with it, or None."""
        library = self._new
        if library is None:
            return b"redis.register_function can only be called on FUNCTION LOAD command"
        if not valid_name(name):
            return _BAD_NAME
        if name in library.functions:
            return b"Function already exists in the library"
        bits = 0
        for flag in flags.values():
            bits |= int(flag_of(flag))
        library.functions[name] = Function(name, description, bits, call)
        return None

    def _compile(self, name: bytes, whole: bytes, code: bytes, unhurried: bool) -> Library:
        """Runs a library's code; raises CommandError."""
        interpreter = self._lua()
        library = Library(name, whole)
        self._new = library
        self._runner.begin_loading(unhurried)
        try:
            result: object = interpreter.services[b"load"](code)
        except Exception as error:
            if not memory_error(error):
                raise
            interpreter.tidy(True)
            result = (None, b"Error registering functions: ERR not enough memory")
        finally:
            self._runner.end_loading()
            self._new = None
        if isinstance(result, tuple):
            interpreter.tidy(False)
            raise CommandError(b"ERR " + result[1])
        if not library.functions:
            raise CommandError(b"ERR No functions registered")
        return library

    def load(self, code: bytes, replace: bool, unhurried: bool) -> bytes:
        """FUNCTION LOAD."""
        name, rest = library_name(code)
        old = self.by_name.get(name)
        if old is not None and not replace:
            raise CommandError(b"ERR Library '" + name + b"' already exists")
        library = self._compile(name, code, rest, unhurried)
        for function in library.functions:
            present = self.functions.get(function.lower())
            if present is not None and (old is None or old.functions.get(present.name) is not present):
                raise CommandError(b"ERR Function " + function + b" already exists")
        if old is not None:
            self._unlink(old)
        self._link(library)
        self._store()
        return name

    def delete(self, name: bytes) -> None:
        """FUNCTION DELETE."""
        library = self.by_name.get(name)
        if library is None:
            raise CommandError(b"ERR Library not found")
        self._unlink(library)
        self._store()

    def forget(self) -> None:
        """FUNCTION FLUSH."""
        self.by_name = {}
        self.functions = {}
        self._interpreter = None
        self._store()

    def restore(self, codes: list[bytes], flush: bool, replace: bool) -> None:
        """FUNCTION RESTORE."""
        added: dict[bytes, Library] = {}
        names: set[bytes] = set()
        for code in codes:
            name, rest = library_name(code)
            if name in added:
                raise CommandError(b"ERR Library '" + name + b"' already exists")
            library = self._compile(name, code, rest, False)
            for function in library.functions:
                if function.lower() in names:
                    raise CommandError(b"ERR Function " + function + b" already exists")
            names.update(function.lower() for function in library.functions)
            added[name] = library
        kept: dict[bytes, Library] = {} if flush else dict(self.by_name)
        for name in added:
            if kept.pop(name, None) is not None and not replace:
                raise CommandError(b"ERR Library " + name + b" already exists")
        for library in kept.values():
            for function in library.functions:
                if function.lower() in names:
                    raise CommandError(b"ERR Function " + function + b" already exists")
        self.by_name = {}
        self.functions = {}
        for library in (*kept.values(), *added.values()):
            self._link(library)
        self._store()

    def reload(self) -> None:
        """Takes the libraries that persistence has put into the keyspace; raises CommandError."""
        self.by_name = {}
        self.functions = {}
        if not self._keyspace.functions:
            return
        for code in self._keyspace.functions:
            name, rest = library_name(code)
            old = self.by_name.get(name)
            if old is not None:
                self._unlink(old)
            self._link(self._compile(name, code, rest, True))
        self._store()

    def _link(self, library: Library) -> None:
        self.by_name[library.name] = library
        for name, function in library.functions.items():
            self.functions.setdefault(name.lower(), function)

    def _unlink(self, library: Library) -> None:
        del self.by_name[library.name]
        for name in library.functions:
            self.functions.pop(name.lower(), None)

    def _store(self) -> None:
        self._keyspace.functions = [library.code for library in self.by_name.values()]


def is_flag(name: bytes) -> bool:
    """Whether a flag is called so."""
    return flag_of(name) != 0
