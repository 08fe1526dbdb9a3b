"""Large values on their way into RDB: a snapshot must not keep the event loop for the whole of one."""

from __future__ import annotations

from librt.strings import BytesWriter
from mypy_extensions import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=False)
class Parts:
    """One value, a part at a time.  It is not to change meanwhile: a captured value does not."""

    def step(self, out: BytesWriter) -> bool:
        """Writes the next part; False where there is none."""
        raise NotImplementedError
