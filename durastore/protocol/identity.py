"""What the server says it is, to clients that ask before they choose how to talk to it."""

from __future__ import annotations

from typing import Final

REDIS_VERSION: Final = "7.2.4"
