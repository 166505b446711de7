"""Names of everything that a run writes. Readers of older outputs rely on them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import quote

from pyveg.core.types import Place

PRIVATE = "_pyveg"
"""What pyveg keeps for itself in a run: manifests, the config, logs, the lock."""
RUN_FILE = f"{PRIVATE}/run.json"
CONFIG_FILE = f"{PRIVATE}/config.py"
LOCK = f"{PRIVATE}/lock"
LEDGER = "items.csv"
"""How every input of a run ended, as a table; at the root, where no Sequence has a file."""

LONGEST_PART = 200
"""Characters of one part of a key; file systems end at 255, and need some for endings."""
_DIGEST = 12

COMBINE = "combine"


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


def sequence_folder(place: Place | None, sequence: str) -> str:
    """``gee_<lon>_<lat>_<sequence>``, or the sequence's name alone where there is no place."""
    name = sequence.replace("/", "-")
    return f"gee_{place.label}_{name}" if place else name


@dataclass(frozen=True)
class Layout:
    """Keys of one Sequence."""

    place: Place
    sequence: str

    @property
    def root(self) -> str:
        """Folder of the Sequence."""
        return sequence_folder(self.place, self.sequence)

    def _in(self, item: str, *parts: str) -> str:
        return "/".join((self.root, item_folder(item), *parts))

    def raw(self, item: str, band: str) -> str:
        """One raster as the Source gave it."""
        return self._in(item, "RAW", f"download.{band}.tif")

    def download_record(self, item: str) -> str:
        """Where the rasters came from."""
        return self._in(item, "RAW", "download.json")

    def processed(self, item: str, kind: str) -> str:
        """A picture of the whole region: RGB, NDVI or BWNDVI."""
        return self._in(item, "PROCESSED", f"{item}_{self.place.label}_{kind}.png")

    def chips(self, item: str) -> str:
        """Where the chips are and how much of each is valid."""
        return self._in(item, "PROCESSED", f"{item}_{self.place.label}_chips.json")

    def chip(self, item: str, index: int, longitude: float, latitude: float, kind: str) -> str:
        """A picture of one chip; written only when asked for."""
        name = f"sub{index}_{longitude:.3f}_{latitude:.3f}_{item}_{kind}.png"
        return self._in(item, "SPLIT", name)

    def network_centralities(self, item: str) -> str:
        """Network centrality of the chips."""
        return self._in(item, "JSON", "NC", "network_centralities.json")

    def ndvi_values(self, item: str) -> str:
        """NDVI of the chips."""
        return self._in(item, "JSON", "NDVI", "ndvi_values.json")

    def weather_data(self, item: str) -> str:
        """Weather of the region."""
        return self._in(item, "JSON", "WEATHER", "weather_data.json")

    def results_summary(self) -> str:
        """What the run found, all dates and collections together."""
        return f"{self.root}/results_summary.json"

    def series(self) -> str:
        """The series as a table: median and quartiles of each date."""
        return f"{self.root}/series.csv"

    def figure(self) -> str:
        """A picture of the series."""
        return f"{self.root}/series.png"
