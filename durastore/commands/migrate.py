"""MIGRATE: keys go to another server (https://redis.io/commands/migrate)."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.spec import DANGEROUS, WRITE, command

# Milliseconds, where the request names none.
_TIMEOUT: Final = 1000


@final
class _Migration:
    """What a MIGRATE asks for."""

    def __init__(self, argv: list[bytes]) -> None:
        self.copy = False
        self.replace = False
        self.login: list[bytes] | None = None
        self.keys = argv[3:4]
        size: i64 = len(argv)
        i: i64 = 6
        while i < size:
            word = argv[i].upper()
            rest: i64 = size - i - 1
            if word == b"COPY":
                self.copy = True
            elif word == b"REPLACE":
                self.replace = True
            elif word == b"AUTH" and rest >= 1:
                self.login = [b"AUTH", argv[i + 1]]
                i += 1
            elif word == b"AUTH2" and rest >= 2:
                self.login = [b"AUTH", argv[i + 1], argv[i + 2]]
                i += 2
            elif word == b"KEYS":
                if argv[3]:
                    raise CommandError(
                        b"ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
                    )
                self.keys = argv[i + 1 :]
                break
            else:
                raise CommandError(SYNTAX)
            i += 1
        self.timeout = integer_argument(argv[5])
        self.database = integer_argument(argv[4])
        if self.timeout <= 0:
            self.timeout = _TIMEOUT

    def restore_request(self, client: Client, key: bytes) -> list[bytes] | None:
        """The RESTORE of a key; None where there is no such key."""
        now = client.instance.now
        value = client.db.lookup_read(key, now)
        if value is None:
            return None
        when = client.db.get_expiry(key)
        left: i64 = 0 if when == -1 else max(when - now, 1)
        request = [b"RESTORE", key, b"%d" % left, client.instance.host.dump(value)]
        if self.replace:
            request.append(b"REPLACE")
        return request


@command(
    "migrate",
    'host port <key-selector: key | ""(empty-string)> destination-db timeout [COPY@3.0.0] '
    "[REPLACE@3.0.0] [authentication: AUTH auth=password@4.0.7 | <auth2@6.0.0: AUTH2 username password>] "
    "[KEYS keys=key@3.0.6 [keys ...]]",
    WRITE | DANGEROUS,
    summary="Atomically transfers a key from one Redis instance to another.",
    since="2.6.0",
    complexity="This command actually executes a DUMP+DEL in the source instance, and a RESTORE in the target "
    "instance. See the pages of these commands for time complexity. Also an O(N) data transfer between the two "
    "instances is performed.",
    keys="RW access delete;RW access delete incomplete from:-2",
    tips="nondeterministic_output",
    history=(
        ("3.0.0", "Added the `COPY` and `REPLACE` options."),
        ("3.0.6", "Added the `KEYS` option."),
        ("4.0.7", "Added the `AUTH` option."),
        ("6.0.0", "Added the `AUTH2` option."),
    ),
)
def migrate(client: Client, argv: list[bytes]) -> None:
    """MIGRATE: the server waits for the other one, at most the timeout for each step; what arrived is deleted here."""
    migration = _Migration(argv)
    keys: list[bytes] = []
    requests: list[list[bytes]] = []
    for key in migration.keys:
        request = migration.restore_request(client, key)
        if request is not None:
            keys.append(key)
            requests.append(request)
    if not keys:
        client.reply.simple(b"NOKEY")
        return
    requests.insert(0, [b"SELECT", b"%d" % migration.database])
    if migration.login is not None:
        requests.insert(0, migration.login)
    answers, failure = client.instance.host.ask_server(argv[1], argv[2], migration.timeout, requests)
    # The answers to AUTH and SELECT come first; where one of them is an error, nothing has arrived where it should.
    before = len(requests) - len(keys)
    refusals = [answer for answer in answers if answer.startswith(b"-")]
    moved: list[bytes] = []
    if not migration.copy and not any(answer.startswith(b"-") for answer in answers[:before]):
        for key, answer in zip(keys, answers[before:], strict=False):
            if not answer.startswith(b"-"):
                moved.append(key)
    for key in moved:
        client.db.delete(key)
        client.notify(events.GENERIC, b"del", key)
    if moved:
        client.instance.dirty += len(moved)
        client.instance.propagate([b"DEL", *moved])
    if refusals:
        raise CommandError(b"ERR Target instance replied with error: " + refusals[0][1:])
    if failure:
        raise CommandError(failure)
    client.reply.ok()
