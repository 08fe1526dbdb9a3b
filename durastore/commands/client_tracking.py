"""CLIENT TRACKING and its siblings (https://redis.io/commands/client-tracking/)."""

from __future__ import annotations

from typing import Final

from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.spec import LOADING, NOSCRIPT, STALE, command
from durastore.commands.tracking import NO, YES, Tracked

_COMMON: Final = NOSCRIPT | LOADING | STALE


def _overlap(one: bytes, other: bytes) -> bool:
    return one.startswith(other) or other.startswith(one)


def _check_prefixes(new: list[bytes], present: list[bytes]) -> None:
    for i, prefix in enumerate(new):
        for other, whose in [
            *((known, b"an existing prefix") for known in present),
            *((known, b"another provided prefix") for known in new[i + 1 :]),
        ]:
            if _overlap(prefix, other):
                raise CommandError(
                    b"ERR Prefix '" + prefix + b"' overlaps with " + whose + b" '" + other + b"'. Prefixes for a "
                    b"single client must not overlap."
                )


@command(
    "client|tracking",
    "<status: ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
    _COMMON,
    summary="Controls server-assisted client-side caching for the connection.",
    since="6.0.0",
    complexity="O(1). Some options may introduce additional complexity.",
)
def client_tracking(client: Client, argv: list[bytes]) -> None:
    """CLIENT TRACKING."""
    tracking = client.instance.tracking
    before = tracking.clients.get(client.id)
    wanted = Tracked(client.id, client)
    prefixes: list[bytes] = []
    i = 3
    while i < len(argv):
        word = argv[i].upper()
        if word == b"REDIRECT" and i + 1 < len(argv):
            if wanted.redirect_id:
                raise CommandError(b"ERR A client can only redirect to a single other client")
            i += 1
            wanted.redirect_id = int(integer_argument(argv[i]))
            # A client that comes later cannot be told from one that never was.
            for other in client.instance.host.clients():
                if other.id == wanted.redirect_id:
                    wanted.redirect = other
            if wanted.redirect is None:
                raise CommandError(b"ERR The client ID you want redirect to does not exist")
        elif word == b"BCAST":
            wanted.broadcast = True
        elif word == b"OPTIN":
            wanted.opt_in = True
        elif word == b"OPTOUT":
            wanted.opt_out = True
        elif word == b"NOLOOP":
            wanted.no_loop = True
        elif word == b"PREFIX" and i + 1 < len(argv):
            i += 1
            prefixes.append(argv[i])
        else:
            raise CommandError(SYNTAX)
        i += 1
    status = argv[2].upper()
    if status == b"OFF":
        tracking.disable(client.id)
        client.reply.ok()
        return
    if status != b"ON":
        raise CommandError(SYNTAX)
    if prefixes and not wanted.broadcast:
        raise CommandError(b"ERR PREFIX option requires BCAST mode to be enabled")
    if before is not None and before.broadcast != wanted.broadcast:
        raise CommandError(
            b"ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling "
            b"it with a different mode."
        )
    if wanted.broadcast and (wanted.opt_in or wanted.opt_out):
        raise CommandError(b"ERR OPTIN and OPTOUT are not compatible with BCAST")
    if wanted.opt_in and wanted.opt_out:
        raise CommandError(b"ERR You can't specify both OPTIN mode and OPTOUT mode")
    if before is not None and ((wanted.opt_in and before.opt_out) or (wanted.opt_out and before.opt_in)):
        raise CommandError(
            b"ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling "
            b"it with a different mode."
        )
    present = [] if before is None else before.prefixes
    if wanted.broadcast:
        _check_prefixes(prefixes, present)
        wanted.prefixes = [*present, *prefixes] or [b""]
    tracking.enable(wanted)
    client.reply.ok()


@command(
    "client|caching",
    "<mode: YES | NO>",
    _COMMON,
    summary="Instructs the server whether to track the keys in the next request.",
    since="6.0.0",
)
def client_caching(client: Client, argv: list[bytes]) -> None:
    """CLIENT CACHING."""
    tracked = client.instance.tracking.clients.get(client.id)
    if tracked is None:
        raise CommandError(
            b"ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
            b"enabled"
        )
    word = argv[2].upper()
    if word == b"YES":
        if not tracked.opt_in:
            raise CommandError(b"ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
        tracked.caching = YES
    elif word == b"NO":
        if not tracked.opt_out:
            raise CommandError(b"ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
        tracked.caching = NO
    else:
        raise CommandError(SYNTAX)
    client.reply.ok()


@command(
    "client|getredir",
    "",
    _COMMON,
    summary="Returns the client ID to which the connection's tracking notifications are redirected.",
    since="6.0.0",
)
def client_getredir(client: Client, argv: list[bytes]) -> None:
    """CLIENT GETREDIR."""
    tracked = client.instance.tracking.clients.get(client.id)
    client.reply.integer(-1 if tracked is None else tracked.redirect_id)


@command(
    "client|trackinginfo",
    "",
    _COMMON,
    summary="Returns information about server-assisted client-side caching for the connection.",
    since="6.2.0",
)
def client_trackinginfo(client: Client, argv: list[bytes]) -> None:
    """CLIENT TRACKINGINFO."""
    tracked = client.instance.tracking.clients.get(client.id)
    flags = [b"off"]
    prefixes: list[bytes] = []
    redirect = -1
    if tracked is not None:
        flags = [b"on"]
        if tracked.broadcast:
            flags.append(b"bcast")
        if tracked.opt_in:
            flags += [b"optin", b"caching-yes"] if tracked.caching == YES else [b"optin"]
        if tracked.opt_out:
            flags += [b"optout", b"caching-no"] if tracked.caching == NO else [b"optout"]
        if tracked.no_loop:
            flags.append(b"noloop")
        if tracked.redirect_broken:
            flags.append(b"broken_redirect")
        redirect = tracked.redirect_id
        prefixes = sorted(tracked.prefixes)
    reply = client.reply
    reply.map(3)
    reply.bulk(b"flags")
    reply.set(len(flags))
    for flag in flags:
        reply.bulk(flag)
    reply.bulk(b"redirect")
    reply.integer(redirect)
    reply.bulk(b"prefixes")
    reply.bulks(prefixes)
