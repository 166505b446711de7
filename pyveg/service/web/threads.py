"""Threads for what reads and writes the table only.

What reads runs has others: a Store that hangs may hold all of those, and jobs are still taken in,
stopped, and told of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

_AT_ONCE = 8
_pool = ThreadPoolExecutor(_AT_ONCE, "pyveg-table")


async def at_table(act: Callable[..., T], *args: Any, **given: Any) -> T:
    """Do something with the table in a thread."""
    return await asyncio.get_running_loop().run_in_executor(_pool, partial(act, *args, **given))
