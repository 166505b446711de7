"""Names of what the engine itself writes into a run, and of Items as parts of keys."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache
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
EXECUTION = f"{PRIVATE}/execution.html"
"""How the run was carried out, as a page."""
STOP_FILE = f"{PRIVATE}/stop"
"""What asks the process that writes to the run to stop."""
TASK_FILES = f"{PRIVATE}/tasks"
"""Descriptions of what engines elsewhere do: ``<job>/<name>.json``."""
TASK_LOGS = f"{PRIVATE}/logs"
"""What the same have said, where it outlives their machines: ``<job>/<name>/``."""
LEDGER = "items.csv"
"""How every input of a run ended, as a table; at the root, where no Sequence has a file."""

LONGEST_PART = 200
"""Bytes of one part of a key; file systems end at 255, and need some for endings."""
_DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9\u00b9\u00b2\u00b3]) *(\.|$)", re.IGNORECASE)
"""Begins what Windows takes for a device, whatever its ending: ``aux.txt`` can be no file there."""
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0"
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
    """An Item's name as one path part: letters and digits of every script as they are.

    Other characters are percent-encoded, and the first one of what is a device to Windows. One that
    would be too long for a file system is cut, and ends with a digest of the whole.

    Examples
    --------
    >>> item_folder("größe_気温 #1.csv"), item_folder("aux.csv")
    ('größe_気温 %231.csv', '%61ux.csv')
    """
    encoded = quote(item.encode("utf-8", "surrogateescape"), safe=" ")
    if not item.isascii():
        encoded = "".join(map(_encoded, item))
    if encoded[-1:] in (".", " "):  # "." and "..", and what Windows would cut off
        encoded = f"{encoded[:-1]}%{ord(encoded[-1]):02X}"
    if is_device(encoded):
        encoded = f"%{ord(encoded[0]):02X}{encoded[1:]}"
    return encoded if len(encoded.encode()) <= LONGEST_PART else _cut(encoded)


def is_device(name: str) -> bool:
    """Whether a name can be no file or folder on Windows, where it is a device."""
    return _DEVICE.match(name) is not None


def older_task_id(task_id: str) -> str:
    """The id that a Task had in runs of before, in which only ASCII letters stayed readable."""
    before, slash, item = task_id.rpartition("/")
    return f"{before}{slash}{''.join(c if c.isascii() else quote(c) for c in item)}"


def meeting_point(item: str) -> str:
    """What is equal for Items whose folders would be one where case and accents count less."""
    return unicodedata.normalize("NFC", item_folder(item)).casefold()


@lru_cache(maxsize=4096)
def _encoded(character: str) -> str:
    # Marks too, which many scripts cannot be written without; letters that show nothing are none.
    letter = unicodedata.category(character)[0] in "LMN" and character not in _BLANK_LETTERS
    if letter and not character.isascii():
        return character
    return quote(character.encode("utf-8", "surrogateescape"), safe=" ")


def _cut(encoded: str) -> str:
    digest = hashlib.sha256(encoded.encode()).hexdigest()[:_DIGEST]
    kept = encoded.encode()[: LONGEST_PART - _DIGEST - 1].decode(errors="ignore")
    return f"{kept}~{digest}"
