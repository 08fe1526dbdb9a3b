"""Users, and other names of commands, as files have them: lines of the conf file, and ``aclfile``."""

from __future__ import annotations

import logging
import os
from typing import Final

from durastore.commands.client import Host
from durastore.commands.errors import CommandError
from durastore.commands.users import RuleError, User, has_spaces, join_selectors
from durastore.config import Config, ConfigFileError
from durastore.config import table as directives
from durastore.config.config import Stated
from durastore.config.grammar import quote
from durastore.engine.engine import Engine
from durastore.persistence.disk import Disk, RealDisk

log = logging.getLogger("durastore.server")

_BLANK: Final = b" \t\r\n"
_BOTH: Final = (
    "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This "
    "setup is very likely to lead to configuration errors and security holes, please define either an ACL file or "
    "declare users directly in your redis.conf, but not both."
)
_NO_FILE: Final = (
    b"ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER "
    b"command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store "
    b"users in the Redis configuration."
)
_UNCHANGED: Final = b"WARNING: ACL errors detected, no change to the previously active ACL rules was performed"


class UserFiles:
    """Brings users from files into an engine, and back."""

    def __init__(self, config: Config, engine: Engine, disk: Disk) -> None:
        self._config = config
        self._engine = engine
        self._access = engine.instance.access
        self._disk = disk

    def start(self) -> None:
        """Applies all that the configuration says; raises ConfigFileError."""
        config, access = self._config, self._access
        self.apply_settings()
        for stated in config.renames:
            complaint = self._engine.rename(stated.words[0], stated.words[1])
            if complaint is not None:
                raise _refused(stated, complaint.decode())
        access.set_password(config[directives.REQUIRE_PASS])
        named = config[directives.ACL_FILE]
        if named and config.users:
            raise ConfigFileError(config.file or "", 0, "", _BOTH)
        declared: dict[bytes, User] = {}
        for stated in config.users:
            user = self._declared(stated)
            if user.name in declared:
                raise _refused(stated, "Duplicate user found. A user can only be defined once in config files")
            declared[user.name] = user
            access.put(user)
        if named:
            try:
                access.replace_all(self._read())
            except RuleError as error:
                text = error.text.decode("utf-8", "replace")
                raise ConfigFileError(named, 0, "", f"Aborting startup because of ACL errors: {text}") from error

    def apply_settings(self) -> None:
        """Takes the directives that may change while the server runs."""
        self._access.channels_by_default = self._config[directives.ACL_PUBSUB_DEFAULT] == "allchannels"
        self._access.log_limit = self._config[directives.ACL_LOG_MAX_LEN]

    def _declared(self, stated: Stated) -> User:
        """The user of a line of the conf file."""
        name, *rules = stated.words
        if has_spaces(name):
            raise _refused(stated, "Spaces not allowed in ACL usernames")
        user = self._access.new_user(name)
        joined, opened = join_selectors(rules)
        if opened is not None:
            raise _refused(stated, f"Unmatched parenthesis in acl selector starting at '{_shown(opened)}'.")
        for rule in joined:
            try:
                self._access.apply(user, rule)
            except RuleError as error:
                reason = f"Error in user declaration '{_shown(name)}', rule '{_shown(rule)}': {error.text.decode()}"
                raise _refused(stated, reason) from error
        if not user.enabled:
            log.info(
                "The user '%s' is disabled (there is no 'on' modifier in the user description). Make sure this is not "
                "a configuration error.",
                _shown(name),
            )
        return user

    # The file

    def load(self) -> None:
        """ACL LOAD; raises CommandError, and nothing has changed then."""
        self._demand_file()
        try:
            self._access.replace_all(self._read())
        except RuleError as error:
            raise CommandError(b"ERR " + error.text) from error

    def save(self) -> None:
        """ACL SAVE; raises CommandError."""
        self._demand_file()
        try:
            self._disk.write_atomically(self._path(), b"".join(line + b"\n" for line in self._access.describe()))
        except OSError as error:
            log.error("Writing the ACL file: %s", error)
            raise CommandError(
                b"ERR There was an error trying to save the ACLs. Please check the server logs for more information"
            ) from error

    def conf_lines(self) -> list[bytes]:
        """What CONFIG REWRITE is to put behind ``user``; nothing where the users have a file of their own."""
        if self._config[directives.ACL_FILE]:
            return []
        lines = [line.split(b" ")[1:] for line in self._access.describe()]
        return [b" ".join(_quoted(word) for word in words) for words in lines]

    def _path(self) -> str:
        return self._config.resolve(self._config[directives.ACL_FILE])

    def _demand_file(self) -> None:
        if not self._config[directives.ACL_FILE]:
            raise CommandError(_NO_FILE)

    def _read(self) -> dict[bytes, User]:
        """The users of the file; raises RuleError with all that is wrong with it."""
        named = os.fsencode(self._config[directives.ACL_FILE])
        try:
            content = self._disk.read_whole(self._path())
        except OSError as error:
            reason = (error.strerror or str(error)).encode()
            raise RuleError(b"Error loading ACLs, opening file '%s': %s" % (named, reason)) from error
        users: dict[bytes, User] = {}
        errors: list[bytes] = []
        for number, line in enumerate(content.split(b"\n"), start=1):
            words = line.strip(_BLANK).split(b" ")
            if words != [b""]:
                errors += self._read_line(words, b"%s:%d" % (named, number), number, users)
        if errors:
            raise RuleError(b"".join(errors) + _UNCHANGED)
        return users

    def _read_line(self, words: list[bytes], place: bytes, number: int, users: dict[bytes, User]) -> list[bytes]:
        """Makes a user of a line; returns what is wrong with it."""
        if words[0] != b"user" or len(words) < 2:
            return [place + b" should start with user keyword followed by the username. "]
        name = words[1]
        if has_spaces(name):
            return [b"'" + place + b": username '" + name + b"' contains invalid characters. "]
        if name in users:
            return [b"WARNING: Duplicate user '" + name + b"' found on line %d. " % number]
        user = users[name] = self._access.new_user(name)
        rules, opened = join_selectors(words[2:])
        if opened is not None:
            return [place + b": Unmatched parenthesis in selector definition."]
        errors: list[bytes] = []
        misread = False
        for rule in (rule.strip(b"\t\r\n") for rule in rules):
            try:
                self._access.apply(user, rule)
            except RuleError as error:
                if error.unknown:
                    errors.append(place + b": Error in applying operation '" + rule + b"': " + error.text + b". ")
                elif not misread:
                    # It may spoil what comes after it.
                    errors.append(place + b": " + error.text + b". ")
                    misread = True
        return errors


def check_access(config: Config) -> None:
    """Raises ConfigFileError where a server could not start with these users and names."""
    UserFiles(config, Engine(1, Host()), RealDisk()).start()


def _refused(stated: Stated, reason: str) -> ConfigFileError:
    return ConfigFileError(stated.source, stated.line, stated.text, reason)


def _quoted(word: bytes) -> bytes:
    """A word as it may stand in the conf file."""
    return quote(word) if not word or b'"' in word or b"'" in word else word


def _shown(word: bytes) -> str:
    return word.decode("utf-8", "replace")
