"""How the commands of consumer groups are journalled: as claims, acknowledgements and positions with their results."""

from __future__ import annotations

from typing import final

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.client import Client
from durastore.commands.stream_arguments import id_text
from durastore.keyspace.consumer_groups import StreamConsumer, StreamGroup


@final
class Claims:
    """Deliveries of one command, as XCLAIMs that take each as many entries as have the same owner, time and count."""

    def __init__(self, client: Client, key: bytes, group_name: bytes, group: StreamGroup) -> None:
        self._client = client
        self._key = key
        self._group_name = group_name
        self._group = group
        self._ids: list[bytes] = []
        self._consumer = b""
        self._time: i64 = 0
        self._count: i64 = 0
        # Whether there was any, and so the last id of the group is in the journal.
        self.written = False

    def add(self, entry_id: bytes, consumer: bytes, time: i64, count: i64) -> None:
        """An entry was delivered."""
        if self._ids and (self._count != count or self._time != time or self._consumer != consumer):
            self.finish()
        self._consumer = consumer
        self._time = time
        self._count = count
        self._ids.append(entry_id)

    def finish(self) -> None:
        """To be called when all were added and the group has its last id."""
        if not self._ids:
            return
        effect = [b"XCLAIM", self._key, self._group_name, self._consumer, b"0"]
        effect.extend(self._ids)
        effect.extend(
            [
                b"TIME",
                b"%d" % self._time,
                b"RETRYCOUNT",
                b"%d" % self._count,
                b"FORCE",
                b"JUSTID",
                b"LASTID",
                id_text(self._group.last_id),
            ]
        )
        self._client.instance.propagate(effect)
        self._ids = []
        self.written = True


def propagate_position(client: Client, key: bytes, group_name: bytes, group: StreamGroup) -> None:
    """Journals how far a group has read."""
    client.instance.propagate(
        [
            b"XGROUP",
            b"SETID",
            key,
            group_name,
            id_text(group.last_id),
            b"ENTRIESREAD",
            b"%d" % group.entries_read,
        ]
    )


def new_consumer(client: Client, key: bytes, group_name: bytes, group: StreamGroup, name: bytes) -> StreamConsumer:
    """Creates the consumer that a command named, and journals that."""
    instance = client.instance
    consumer = group.create_consumer(name, instance.now)
    instance.dirty += 1
    instance.propagate([b"XGROUP", b"CREATECONSUMER", key, group_name, name])
    client.notify(events.STREAM, b"xgroup-createconsumer", key)
    return consumer
