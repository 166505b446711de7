"""Names of what the engine itself writes into a run, and of Items as parts of keys."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

PRIVATE = "_pyveg"
"""What pyveg keeps for itself in a run: manifests, the config, logs, the lock."""
RUN_FILE = f"{PRIVATE}/run.json"
CONFIG_FILE = f"{PRIVATE}/config.py"
LOG_FILE = f"{PRIVATE}/run.log"
LOCK = f"{PRIVATE}/lock"
EVENTS = f"{PRIVATE}/events"
"""Folder of the events of all attempts, in numbered segments."""
STATUS_FILE = f"{PRIVATE}/status.json"
STOP_FILE = f"{PRIVATE}/stop"
"""What asks the process that writes to the run to stop."""
TASK_FILES = f"{PRIVATE}/tasks"
"""Descriptions of what engines elsewhere do: ``<job>/<name>.json``."""
TASK_LOGS = f"{PRIVATE}/logs"
"""What the same have said, where it outlives their machines: ``<job>/<name>/``."""
LEDGER = "items.csv"
"""How every input of a run ended, as a table; at the root, where no Sequence has a file."""

LONGEST_PART = 200
"""Characters of one part of a key; file systems end at 255, and need some for endings."""
_DIGEST = 12

COMBINE = "combine"
"""Name of the Sequence that gathers the others."""


def manifest_key(task_id: str) -> str:
    """Where the manifest of a Task is."""
    return f"{PRIVATE}/manifests/{task_id}.json"


def failed_task_key(task_id: str) -> str:
    """Where a failed Task is kept, to be run again by hand."""
    return f"{PRIVATE}/failed/{task_id}.json"


def item_folder(item: str) -> str:
    """An Item's name as one path part: dates as they are, other characters percent-encoded.

    One that would be too long for a file system is cut, and ends with a digest of the whole.
    """
    encoded = quote(item.encode("utf-8", "surrogateescape"), safe=" ")
    if encoded[-1:] in (".", " "):  # "." and "..", and what Windows would cut off
        encoded = f"{encoded[:-1]}%{ord(encoded[-1]):02X}"
    if len(encoded) > LONGEST_PART:
        digest = hashlib.sha256(encoded.encode()).hexdigest()[:_DIGEST]
        encoded = f"{encoded[: LONGEST_PART - _DIGEST - 1]}~{digest}"
    return encoded
