"""Who waits for this process, and how they hear from it.

A shell waits for ``daemonize`` until the server listens, a service manager for ``supervised`` until the data is loaded,
and scripts look for the pid file, which is there from the moment the server listens.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping

import trio

from durastore.config import Config
from durastore.config import table as directives

log = logging.getLogger("durastore.server")

# Where the pid file of a server in the background is, unless its configuration says so.
PID_FILE = "/var/run/durastore.pid"
# How much longer a service manager is asked to wait each time it is told how far loading is, in microseconds.
PATIENCE = 30_000_000
# How long a shutdown may take before the watchdog takes the process for dead, in microseconds.
LAST_PATIENCE = 86_400_000_000


def supervised_mode(wanted: str, environment: Mapping[str, str]) -> str:
    """What ``supervised`` comes to: systemd, upstart or no."""
    if wanted == "auto":
        if environment.get("UPSTART_JOB"):
            return "upstart"
        return "systemd" if environment.get("NOTIFY_SOCKET") else "no"
    return wanted


def go_to_background() -> int:
    """Goes on as a process of its own session, and returns a descriptor in it.

    The process that was started does not return: it exits with 0 when a byte is written to the descriptor, and with 1
    where the other process ends before.  Two forks, so that the session has no leader and never gets a terminal again.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        os._exit(0 if os.read(reader, 1) else 1)
    os.close(reader)
    os.setsid()
    if os.fork():
        os._exit(0)
    return writer


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """What systemd's watchdog asks of this process (sd_watchdog_enabled(3))."""
    wanted, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not wanted.isdecimal() or (pid and pid != str(os.getpid())):
        return 0
    return int(wanted) / 1_000_000


class Supervision:
    """What the outside is told of one server's life; ``waiting`` is what ``go_to_background`` returned, -1 without."""

    def __init__(self, config: Config, environment: Mapping[str, str] = os.environ, waiting: int = -1) -> None:
        self.mode = supervised_mode(config[directives.SUPERVISED], environment)
        self._waiting = waiting
        self._address = environment.get("NOTIFY_SOCKET", "")
        # The time between two signs of life that are asked for, in seconds; 0: none are.
        self._watchdog = _watchdog_seconds(environment)
        pid_file = config[directives.PID_FILE] or (PID_FILE if waiting >= 0 else "")
        self._pid_file = config.resolve(pid_file) if pid_file else ""
        self._pid_file_written = False
        if self.mode == "systemd" and not self._address:
            log.warning("systemd supervision requested, but NOTIFY_SOCKET not found")
        if self.mode == "upstart" and not environment.get("UPSTART_JOB"):
            log.warning("upstart supervision requested, but UPSTART_JOB not found")
            self.mode = "no"

    def listening(self) -> None:
        """The server is there for clients, though its data may not be: who waits for ``daemonize`` goes on."""
        if self._pid_file:
            try:
                with open(self._pid_file, "w", encoding="ascii") as file:
                    file.write(f"{os.getpid()}\n")
                self._pid_file_written = True
            except OSError as error:
                log.warning("Failed to write PID file %s: %s", self._pid_file, error.strerror)
        if self._waiting >= 0:
            null = os.open(os.devnull, os.O_RDWR)
            for standard in (0, 1, 2):
                os.dup2(null, standard)
            os.close(null)
            os.write(self._waiting, b"\n")
            os.close(self._waiting)
            self._waiting = -1
        self.loading(0)

    def loading(self, share: float) -> None:
        """So much of the data is loaded, from 0 to 1; a service manager's patience is to last."""
        self._notify(f"STATUS=Loading the dataset: {100 * share:.0f}%\nEXTEND_TIMEOUT_USEC={PATIENCE}\n")

    def ready(self) -> None:
        """The data is loaded."""
        self._notify("STATUS=Ready to accept connections\nREADY=1\n")
        if self.mode == "upstart":
            log.info("supervised by upstart, will stop to signal readiness")
            os.kill(os.getpid(), signal.SIGSTOP)

    def stopping(self) -> None:
        """The server is on its way down; the final snapshot may keep it from giving signs of life."""
        patience = f"WATCHDOG_USEC={LAST_PATIENCE}\n" if self._watchdog else ""
        self._notify(f"STATUS=Shutting down\n{patience}")

    def leaving(self) -> None:
        """Nothing keeps the server from its end any more; to a service manager this is said for good."""
        self._notify("STOPPING=1\nSTATUS=Shutting down\n")

    def carries_on(self) -> None:
        """The server could not go down, and serves as before."""
        patience = f"WATCHDOG_USEC={self._watchdog * 1_000_000:.0f}\n" if self._watchdog else ""
        self._notify(f"STATUS=Ready to accept connections\n{patience}")

    def alive(self) -> None:
        """Gives the watchdog a sign of life."""
        if self._watchdog:
            self._notify("WATCHDOG=1\n")

    async def keep_watchdog_calm(self) -> None:
        """Gives signs of life twice as often as asked for, as long as tasks get their turn; until it is cancelled."""
        while self._watchdog:
            self.alive()
            await trio.sleep(self._watchdog / 2)

    def close(self) -> None:
        """Removes the pid file."""
        if self._pid_file_written:
            log.info("Removing the pid file.")
            try:
                os.unlink(self._pid_file)
            except OSError as error:
                log.warning("cannot remove the pid file %s: %s", self._pid_file, error.strerror)

    def _notify(self, message: str) -> None:
        """One datagram of systemd's protocol (sd_notify(3)); a name with @ is an abstract one."""
        if self.mode != "systemd" or not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.sendto(message.encode(), address)
        except OSError as error:
            log.warning("cannot notify systemd at %s: %s", self._address, error.strerror)
