"""Which files of a run somebody wants to have."""

from __future__ import annotations

import re
from collections.abc import Iterable

KINDS: dict[str, re.Pattern[str]] = {
    "summary": re.compile(r".*_combine/(results_summary\.json|series(_columns)?\.csv|series\.png)"),
    "rgb": re.compile(r".*/PROCESSED/[^/]*_RGB\.png"),
    "ndvi": re.compile(r".*/PROCESSED/[^/]*_(?!RGB\.)[A-Za-z][A-Za-z0-9]*\.png"),
    "all": re.compile(r".*", re.DOTALL),
}
"""What can be asked for; names as in `pyveg.earth.layout`, also of runs of the older pyveg."""


def chosen(key: str, kinds: Iterable[str]) -> bool:
    """Whether a key is of one of these kinds."""
    return any(KINDS[kind].fullmatch(key) for kind in kinds)
