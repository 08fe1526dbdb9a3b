"""The command ``durastore``, and the offline tools that it has as subcommands."""

from __future__ import annotations

from typing import Final

# Each is a module of this package whose click command is called ``command``.
TOOLS: Final = {
    "check": "Verify data files, and repair a torn end of the log.",
    "backup": "Copy a server's data to a folder or an object store.",
    "restore": "Make a new data folder with the state of a moment.",
    "inspect": "Tell what data files hold, and export it.",
}
