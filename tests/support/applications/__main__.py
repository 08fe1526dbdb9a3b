"""``python -m support.applications MODULE produce N``: N jobs are enqueued, each until it is acknowledged.

``MODULE check N`` prints which of the jobs have no result, and which the application's own books still hold.
"""

from __future__ import annotations

import importlib
import json
import sys

from redis.exceptions import ConnectionError, TimeoutError

from support.applications import until_acknowledged

module = importlib.import_module(f"support.applications.{sys.argv[1]}")
numbers = range(int(sys.argv[3]))
if sys.argv[2] == "produce":
    for number in numbers:
        until_acknowledged(lambda n=number: module.enqueue(n), (ConnectionError, TimeoutError, *module.ERRORS))
else:
    without = [number for number in numbers if module.result(number) != number * 2]
    print(json.dumps({"without result": without, "held": sorted(module.held())}))
