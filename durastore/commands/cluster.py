"""Commands of clusters (https://redis.io/commands/?group=cluster), which a server that is on its own refuses."""

from __future__ import annotations

from typing import Final

from durastore.commands.client import Client
from durastore.commands.errors import CommandError
from durastore.commands.spec import ADMIN, FAST, LOADING, NO_ASYNC_LOADING, NOSCRIPT, STALE, command

_CHANGE: Final = ADMIN | STALE | NO_ASYNC_LOADING
_ASK: Final = STALE
_REPLICAS: Final = ADMIN | STALE


def _no_cluster(client: Client, argv: list[bytes]) -> None:
    raise CommandError(b"ERR This instance has cluster support disabled")


ASKING = command(
    "asking",
    "",
    FAST,
    summary="Signals that a cluster client is following an -ASK redirect.",
    since="3.0.0",
    categories="connection",
)(_no_cluster)
CLUSTER = command(
    "cluster",
    "",
    0,
    summary="A container for Redis Cluster commands.",
    since="3.0.0",
    complexity="Depends on subcommand.",
    arity=-2,
)(_no_cluster)
CLUSTER_ADDSLOTS = command(
    "cluster|addslots",
    "slot [slot ...]",
    _CHANGE,
    summary="Assigns new hash slots to a node.",
    since="3.0.0",
    complexity="O(N) where N is the total number of hash slot arguments",
)(_no_cluster)
CLUSTER_ADDSLOTSRANGE = command(
    "cluster|addslotsrange",
    "<range: start-slot end-slot> ...",
    _CHANGE,
    summary="Assigns new hash slot ranges to a node.",
    since="7.0.0",
    complexity="O(N) where N is the total number of the slots between the start slot and end slot arguments.",
)(_no_cluster)
CLUSTER_BUMPEPOCH = command(
    "cluster|bumpepoch",
    "",
    _CHANGE,
    summary="Advances the cluster config epoch.",
    since="3.0.0",
    tips="nondeterministic_output",
)(_no_cluster)
CLUSTER_COUNT_FAILURE_REPORTS = command(
    "cluster|count-failure-reports",
    "node-id",
    _REPLICAS,
    summary="Returns the number of active failure reports active for a node.",
    since="3.0.0",
    complexity="O(N) where N is the number of failure reports",
    tips="nondeterministic_output",
)(_no_cluster)
CLUSTER_COUNTKEYSINSLOT = command(
    "cluster|countkeysinslot", "slot", _ASK, summary="Returns the number of keys in a hash slot.", since="3.0.0"
)(_no_cluster)
CLUSTER_DELSLOTS = command(
    "cluster|delslots",
    "slot [slot ...]",
    _CHANGE,
    summary="Sets hash slots as unbound for a node.",
    since="3.0.0",
    complexity="O(N) where N is the total number of hash slot arguments",
)(_no_cluster)
CLUSTER_DELSLOTSRANGE = command(
    "cluster|delslotsrange",
    "<range: start-slot end-slot> ...",
    _CHANGE,
    summary="Sets hash slot ranges as unbound for a node.",
    since="7.0.0",
    complexity="O(N) where N is the total number of the slots between the start slot and end slot arguments.",
)(_no_cluster)
CLUSTER_FAILOVER = command(
    "cluster|failover",
    "[options: FORCE | TAKEOVER]",
    _CHANGE,
    summary="Forces a replica to perform a manual failover of its master.",
    since="3.0.0",
)(_no_cluster)
CLUSTER_FLUSHSLOTS = command(
    "cluster|flushslots", "", _CHANGE, summary="Deletes all slots information from a node.", since="3.0.0"
)(_no_cluster)
CLUSTER_FORGET = command(
    "cluster|forget", "node-id", _CHANGE, summary="Removes a node from the nodes table.", since="3.0.0"
)(_no_cluster)
CLUSTER_GETKEYSINSLOT = command(
    "cluster|getkeysinslot",
    "slot count",
    _ASK,
    summary="Returns the key names in a hash slot.",
    since="3.0.0",
    complexity="O(N) where N is the number of requested keys",
    tips="nondeterministic_output",
)(_no_cluster)
CLUSTER_HELP = command(
    "cluster|help", "", LOADING | STALE, summary="Returns helpful text about the different subcommands.", since="5.0.0"
)(_no_cluster)
CLUSTER_INFO = command(
    "cluster|info",
    "",
    _ASK,
    summary="Returns information about the state of a node.",
    since="3.0.0",
    tips="nondeterministic_output",
)(_no_cluster)
CLUSTER_KEYSLOT = command(
    "cluster|keyslot",
    "key:string",
    _ASK,
    summary="Returns the hash slot for a key.",
    since="3.0.0",
    complexity="O(N) where N is the number of bytes in the key",
)(_no_cluster)
CLUSTER_LINKS = command(
    "cluster|links",
    "",
    _ASK,
    summary="Returns a list of all TCP links to and from peer nodes.",
    since="7.0.0",
    complexity="O(N) where N is the total number of Cluster nodes",
    tips="nondeterministic_output",
)(_no_cluster)
CLUSTER_MEET = command(
    "cluster|meet",
    "ip port [cluster-bus-port@4.0.0]",
    _CHANGE,
    summary="Forces a node to handshake with another node.",
    since="3.0.0",
    history=(("4.0.0", "Added the optional `cluster_bus_port` argument."),),
)(_no_cluster)
CLUSTER_MYID = command("cluster|myid", "", _ASK, summary="Returns the ID of a node.", since="3.0.0")(_no_cluster)
CLUSTER_MYSHARDID = command(
    "cluster|myshardid",
    "",
    _ASK,
    summary="Returns the shard ID of a node.",
    since="7.2.0",
    tips="nondeterministic_output",
)(_no_cluster)
CLUSTER_NODES = command(
    "cluster|nodes",
    "",
    _ASK,
    summary="Returns the cluster configuration for a node.",
    since="3.0.0",
    complexity="O(N) where N is the total number of Cluster nodes",
    tips="nondeterministic_output",
)(_no_cluster)
CLUSTER_REPLICAS = command(
    "cluster|replicas",
    "node-id",
    _REPLICAS,
    summary="Lists the replica nodes of a master node.",
    since="5.0.0",
    complexity="O(N) where N is the number of replicas.",
    tips="nondeterministic_output",
)(_no_cluster)
CLUSTER_REPLICATE = command(
    "cluster|replicate", "node-id", _CHANGE, summary="Configure a node as replica of a master node.", since="3.0.0"
)(_no_cluster)
CLUSTER_RESET = command(
    "cluster|reset",
    "[reset-type: HARD | SOFT]",
    ADMIN | NOSCRIPT | STALE,
    summary="Resets a node.",
    since="3.0.0",
    complexity="O(N) where N is the number of known nodes. The command may execute a FLUSHALL as a side effect.",
)(_no_cluster)
CLUSTER_SAVECONFIG = command(
    "cluster|saveconfig", "", _CHANGE, summary="Forces a node to save the cluster configuration to disk.", since="3.0.0"
)(_no_cluster)
CLUSTER_SET_CONFIG_EPOCH = command(
    "cluster|set-config-epoch",
    "config-epoch",
    _CHANGE,
    summary="Sets the configuration epoch for a new node.",
    since="3.0.0",
)(_no_cluster)
CLUSTER_SETSLOT = command(
    "cluster|setslot",
    "slot <subcommand: IMPORTING importing=node-id | MIGRATING migrating=node-id | NODE node=node-id | STABLE>",
    _CHANGE,
    summary="Binds a hash slot to a node.",
    since="3.0.0",
)(_no_cluster)
CLUSTER_SHARDS = command(
    "cluster|shards",
    "",
    LOADING | STALE,
    summary="Returns the mapping of cluster slots to shards.",
    since="7.0.0",
    complexity="O(N) where N is the total number of cluster nodes",
    tips="nondeterministic_output",
)(_no_cluster)
CLUSTER_SLAVES = command(
    "cluster|slaves",
    "node-id",
    _REPLICAS,
    summary="Lists the replica nodes of a master node.",
    since="3.0.0",
    complexity="O(N) where N is the number of replicas.",
    tips="nondeterministic_output",
    deprecated=("5.0.0", "`CLUSTER REPLICAS`"),
)(_no_cluster)
CLUSTER_SLOTS = command(
    "cluster|slots",
    "",
    LOADING | STALE,
    summary="Returns the mapping of cluster slots to nodes.",
    since="3.0.0",
    complexity="O(N) where N is the total number of Cluster nodes",
    tips="nondeterministic_output",
    history=(
        ("4.0.0", "Added node IDs."),
        ("7.0.0", "Added additional networking metadata field."),
    ),
    deprecated=("7.0.0", "`CLUSTER SHARDS`"),
)(_no_cluster)
READONLY = command(
    "readonly",
    "",
    LOADING | STALE | FAST,
    summary="Enables read-only queries for a connection to a Redis Cluster replica node.",
    since="3.0.0",
    categories="connection",
)(_no_cluster)
READWRITE = command(
    "readwrite",
    "",
    LOADING | STALE | FAST,
    summary="Enables read-write queries for a connection to a Reids Cluster replica node.",
    since="3.0.0",
    categories="connection",
)(_no_cluster)
