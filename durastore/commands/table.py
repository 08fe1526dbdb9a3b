"""The command table of an engine, made from the declarations in the command modules."""

from __future__ import annotations

from typing import Final

from durastore.commands import (
    acl,
    bitmaps,
    blocking_lists,
    client_tracking,
    clients,
    cluster,
    connection,
    counters,
    databases,
    debug,
    expiry,
    functions,
    geo,
    hash_expiry,
    hashes,
    hyperloglog,
    introspection,
    keys,
    latency,
    lcs,
    lists,
    memory,
    migrate,
    modules,
    monitor,
    objects,
    pubsub,
    replication,
    scripting,
    server,
    set_algebra,
    sets,
    slowlog,
    sort,
    sorted_set_algebra,
    sorted_set_pops,
    sorted_set_ranges,
    sorted_sets,
    stream_claims,
    stream_groups,
    stream_info,
    stream_reading,
    streams,
    strings,
    transactions,
    waiting,
)
from durastore.commands.spec import CommandSpec
from durastore.commands.tablerow import Command, category_names
from durastore.commands.users import Catalogue, Entry

# The modules, each with the name that COMMAND DOCS gives its group and the ACL category that the group implies.
_GROUPS: Final = (
    (strings, "string", "@string"),
    (counters, "string", "@string"),
    (lcs, "string", "@string"),
    (lists, "list", "@list"),
    (blocking_lists, "list", "@list"),
    (hashes, "hash", "@hash"),
    (hash_expiry, "hash", "@hash"),
    (sets, "set", "@set"),
    (set_algebra, "set", "@set"),
    (sorted_sets, "sorted-set", "@sortedset"),
    (sorted_set_ranges, "sorted-set", "@sortedset"),
    (sorted_set_pops, "sorted-set", "@sortedset"),
    (sorted_set_algebra, "sorted-set", "@sortedset"),
    (geo, "geo", "@geo"),
    (bitmaps, "bitmap", "@bitmap"),
    (hyperloglog, "hyperloglog", "@hyperloglog"),
    (keys, "generic", "@keyspace"),
    (sort, "generic", "@set @sortedset @list"),
    (migrate, "generic", "@keyspace"),
    (expiry, "generic", "@keyspace"),
    (objects, "generic", "@keyspace"),
    (waiting, "generic", "@connection"),
    (databases, "server", "@keyspace"),
    (connection, "connection", "@connection"),
    (clients, "connection", "@connection"),
    (client_tracking, "connection", "@connection"),
    (streams, "stream", "@stream"),
    (stream_reading, "stream", "@stream"),
    (stream_groups, "stream", "@stream"),
    (stream_claims, "stream", "@stream"),
    (stream_info, "stream", "@stream"),
    (pubsub, "pubsub", "@pubsub"),
    (transactions, "transactions", "@transaction"),
    (scripting, "scripting", "@scripting"),
    (functions, "scripting", "@scripting"),
    (server, "server", ""),
    (memory, "server", ""),
    (introspection, "server", "@connection"),
    (debug, "server", ""),
    (acl, "server", ""),
    (slowlog, "server", ""),
    (latency, "server", ""),
    (monitor, "server", ""),
    (replication, "server", ""),
    (modules, "server", ""),
    (cluster, "cluster", ""),
)


def build_table() -> dict[bytes, Command]:
    """All commands by their names in lower case; subcommands hang on their containers."""
    table: dict[bytes, Command] = {}
    subcommands: list[Command] = []
    number = 0
    for module, group, category in _GROUPS:
        for value in list(vars(module).values()):
            if isinstance(value, CommandSpec):
                command = Command(value, group, category)
                command.number = number
                number += 1
                if "|" in value.name:
                    subcommands.append(command)
                else:
                    table[command.name] = command
    for command in subcommands:
        container, _, name = command.name.partition(b"|")
        parent = table[container]
        if parent.subcommands is None:
            parent.subcommands = {}
            parent.needs_second_word = True
        parent.subcommands[name] = command
    return table


def catalogue_of(table: dict[bytes, Command]) -> Catalogue:
    """What the rules of users are to know of the commands."""
    entries: dict[bytes, Entry] = {}
    categories: dict[bytes, list[Entry]] = {name: [] for name in category_names()}
    size = 0
    for command in table.values():
        entry = Entry(command.number, command.name, None)
        entries[command.name] = entry
        rows = [(command, entry)]
        if command.subcommands is not None:
            for name, subcommand in command.subcommands.items():
                entry.subcommands[name] = Entry(subcommand.number, subcommand.name, entry)
                rows.append((subcommand, entry.subcommands[name]))
        for row, each in rows:
            size = max(size, row.number + 1)
            for category in row.categories:
                categories[category[1:].encode()].append(each)
    return Catalogue(entries, categories, size)
