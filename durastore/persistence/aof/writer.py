"""One growing file of the log."""

from __future__ import annotations

from durastore.persistence.aof.annotations import CHAIN_START, stretch_checksum, stretch_header
from durastore.persistence.aof.manifest import AofError
from durastore.persistence.disk import Disk


class AofWriter:
    """Appends stretches, each with its annotation, in one write each.

    After an append that failed the file ends where it ended before; where even that cannot be brought about,
    ``trusted`` is False and nothing more is written.
    """

    def __init__(self, disk: Disk, path: str, size: int, timestamps: bool) -> None:
        self.path = path
        self.file = disk.append(path)
        self.size = size
        self.trusted = True
        self._timestamps = timestamps
        self._last_second = 0
        self._checksum = 0
        # The line that starts a chain goes out with the first stretch.
        self._prefix = CHAIN_START

    def append(self, payload: bytes, now: int) -> None:
        """Writes one stretch at the time ``now`` (Unix milliseconds).  Raises AofError; the file is then as before."""
        self.append_all([(payload, now)])

    def append_all(self, stretches: list[tuple[bytes, int]]) -> None:
        """Writes stretches, each with its time."""
        if not self.trusted:
            raise AofError(self.path, self.size, "the end of the file could not be restored after a failed write")
        checksum = self._checksum
        parts = [self._prefix]
        for payload, now in stretches:
            if self._timestamps and now // 1000 > self._last_second:
                self._last_second = now // 1000
                payload = b"#TS:%d\r\n%b" % (self._last_second, payload)
            length = len(payload)
            checksum = stretch_checksum(checksum, length, now, payload)
            parts.append(stretch_header(checksum, length, now))
            parts.append(payload)
        data = b"".join(parts)
        try:
            self.file.write_all(data)
        except OSError as error:
            self._restore_end()
            raise AofError(self.path, self.size, error.strerror or str(error)) from error
        self.size += len(data)
        self._checksum = checksum
        self._prefix = b""

    def _restore_end(self) -> None:
        try:
            self.file.truncate(self.size)
        except OSError:
            self.trusted = False

    def close(self) -> None:
        """Ends the use of the file."""
        self.file.close()
