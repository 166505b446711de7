"""What a run leaves for people: results, reports and pictures, by their keys.

Nothing here reads an image or a table, so that a process that only shows runs stays small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile, islice

from pyveg.core import bulk
from pyveg.core.layout import COMBINE, LEDGER, PRIVATE
from pyveg.earth.layout import Layout
from pyveg.runs.run import Run

_TYPES = {
    ".csv": "text/csv",
    ".geojson": "application/geo+json",
    ".html": "text/html",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".txt": "text/plain",
}
"""The same on every system, whose own tables differ."""
UNKNOWN_TYPE = "application/octet-stream"
ANALYSES = "analysis"
"""Folder of the analyses of a run, each in a folder of its collection."""
REPORT = "report.html"
"""The report of an analysis, in the folder of that."""
PICTURE = "RGB"
"""Kind of the pictures that people know a place by."""


@dataclass(frozen=True)
class Output:
    """A file of a run.

    Examples
    --------
    >>> one = Output("gee_27.95_11.57_combine/series.csv", 4711)
    >>> one.name, one.type
    ('series.csv', 'text/csv')
    """

    key: str
    length: int
    """Bytes."""

    @property
    def name(self) -> str:
        """The last part of its key."""
        return self.key.rpartition("/")[2]

    @property
    def type(self) -> str:
        """Its media type, by the end of its name."""
        return media_type(self.key)


@dataclass(frozen=True)
class Picture:
    """A picture of the place on one date."""

    collection: str
    date: str
    """As folders have it, ``YYYY-mm-dd``."""
    key: str


def media_type(key: str) -> str:
    """The media type of a file by its name; `UNKNOWN_TYPE` where the name does not tell."""
    dot = key.rfind(".")
    ending = key[dot:].lower() if dot > key.rfind("/") else ""
    return _TYPES.get(ending, UNKNOWN_TYPE)


def is_private(key: str) -> bool:
    """Whether a key is of what pyveg keeps for itself in a run, which is no result."""
    return key == PRIVATE or key.startswith((f"{PRIVATE}/", "."))


def outputs_of(run: Run, folders: Sequence[str] = (ANALYSES,), most: int = 1000) -> list[Output]:
    """The results of a run: what its combiners wrote, its table of inputs, and some folders.

    Parameters
    ----------
    run : Run
    folders : sequence of str
        Others whose files are results too.
    most : int
        Files that are listed at most.

    Returns
    -------
    list of Output
        In the order of the keys within each folder.
    """
    roots = [step.scope.root for step in run.steps if step.scope.sequence == COMBINE]
    keys = list(islice(_keys_in(run, (*dict.fromkeys(roots), *folders)), most))
    sizes = bulk.each(run.store, run.store.size, [LEDGER, *keys])
    found = zip([LEDGER, *keys], sizes, strict=True)
    return [Output(key, size) for key, size in found if size is not None]


def _keys_in(run: Run, folders: Sequence[str]) -> Iterator[str]:
    for folder in folders:
        yield from run.store.list(f"{folder}/")


def files_of(run: Run, after: str = "", most: int = 1000) -> list[str]:
    """Keys of all files of a run but those that are pyveg's own, sorted.

    Parameters
    ----------
    run : Run
    after : str
        The last one that is known already.
    most : int
        How many are given at most.
    """
    keys = (key for key in run.store.list() if not is_private(key))
    return list(islice(dropwhile(lambda key: key <= after, keys), most))


def pictures_of(run: Run, most: int = 12) -> list[Picture]:
    """The last pictures of each collection that a run has images of, in order of time."""
    found: list[Picture] = []
    for name in run.collections:
        layout = run.images(name).layout
        dated = ((key.split("/")[1], key) for key in run.store.list(f"{layout.root}/"))
        seen = [Picture(name, date, key) for date, key in dated if _is_of(layout, date, key)]
        found += sorted(seen, key=lambda one: one.date)[-most:]
    return found


def _is_of(layout: Layout, date: str, key: str) -> bool:
    return key == layout.processed(date, PICTURE)
