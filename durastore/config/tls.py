"""The directives of encrypted connections (TLS); names, defaults and limits are those of redis-server 7.2."""

from __future__ import annotations

from typing import Any, Final

from durastore.config.kinds import Choice, Directive, Integer, Secret, Text, YesNo


class FileText(Text):
    """A text whose setting counts even where the value stays, as the file of that name may be another one by now."""

    volatile = True


def _path(name: str, doc: str) -> FileText:
    return FileText(name, "", doc)


TLS_PORT: Final = Integer(
    "tls-port", 0, "The TCP port for encrypted connections (TLS), on the addresses of bind. 0: none. With port 0, "
    "only these are served.", high=65535,
)  # fmt: skip
TLS_CERT_FILE: Final = _path(
    "tls-cert-file", "The server's certificate and those that lead from it to its root, in PEM form. CONFIG SET reads "
    "it again, even with the name that it has; connections that are there stay.",
)  # fmt: skip
TLS_KEY_FILE: Final = _path("tls-key-file", "The key of that certificate, in PEM form.")
TLS_KEY_FILE_PASS: Final = Secret("tls-key-file-pass", "The password of that key. Empty: it has none.")
TLS_CA_CERT_FILE: Final = _path(
    "tls-ca-cert-file", "The certificates whose owners vouch for clients, in PEM form. This or tls-ca-cert-dir is "
    "needed unless tls-auth-clients is no.",
)  # fmt: skip
TLS_CA_CERT_DIR: Final = _path(
    "tls-ca-cert-dir", "A folder with such certificates, under names that c_rehash has made.",
)  # fmt: skip
TLS_AUTH_CLIENTS: Final = Choice(
    "tls-auth-clients", "yes", "Whether clients must show a certificate (yes), may (optional: one that is shown must "
    "be good), or are not asked (no).", ("no", "yes", "optional"),
)  # fmt: skip
TLS_PROTOCOLS: Final = Text(
    "tls-protocols", "", "The versions to speak, of TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3, separated by spaces. Empty: "
    "the last two.",
)  # fmt: skip
TLS_CIPHERS: Final = Text(
    "tls-ciphers", "", "The ciphers up to TLSv1.2, in OpenSSL's words (ciphers(1ssl)). Empty: Python's choice.",
)  # fmt: skip
TLS_CIPHERSUITES: Final = Text(
    "tls-ciphersuites", "", "The ciphers of TLSv1.3, in OpenSSL's words. Only a Python that can choose them takes a "
    "value (3.15). Empty: OpenSSL's choice.",
)  # fmt: skip
TLS_PREFER_SERVER_CIPHERS: Final = YesNo(
    "tls-prefer-server-ciphers", False, "Choose the cipher by the server's order instead of the client's.",
)  # fmt: skip
TLS_SESSION_CACHING: Final = YesNo(
    "tls-session-caching", True, "Let clients that come back take up their session, which saves most of the handshake.",
)  # fmt: skip
TLS_DH_PARAMS_FILE: Final = _path(
    "tls-dh-params-file", "Parameters for the Diffie-Hellman exchange of old clients, in PEM form. Empty: none.",
)  # fmt: skip

_SESSIONS: Final = "Clients keep their sessions themselves (tickets), so that there is nothing to limit."
_OUTGOING: Final = "For connections that the server makes. Empty: tls-cert-file, and so on."

TLS: Final[tuple[Directive[Any], ...]] = (
    TLS_PORT, TLS_CERT_FILE, TLS_KEY_FILE, TLS_KEY_FILE_PASS, TLS_CA_CERT_FILE, TLS_CA_CERT_DIR, TLS_AUTH_CLIENTS,
    TLS_PROTOCOLS, TLS_CIPHERS, TLS_CIPHERSUITES, TLS_PREFER_SERVER_CIPHERS, TLS_SESSION_CACHING,
    Integer("tls-session-cache-size", 20 * 1024, _SESSIONS, effect=False, unit="sessions"),
    Integer("tls-session-cache-timeout", 300, _SESSIONS, effect=False, unit="seconds"),
    TLS_DH_PARAMS_FILE,
    Text("tls-client-cert-file", "", _OUTGOING, effect=False),
    Text("tls-client-key-file", "", _OUTGOING, effect=False),
    Secret("tls-client-key-file-pass", _OUTGOING, effect=False),
)  # fmt: skip
# What a new context is made for when one of these is set.
CONTEXT: Final[tuple[Directive[Any], ...]] = tuple(each for each in TLS if each.effect and each is not TLS_PORT)
