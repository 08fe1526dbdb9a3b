"""``python -m durastore``."""

from __future__ import annotations

import sys

from durastore.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
