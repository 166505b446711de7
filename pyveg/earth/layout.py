"""Names of what a run over a place writes. Readers of older outputs rely on them."""

from __future__ import annotations

from dataclasses import dataclass

from pyveg.core.layout import item_folder
from pyveg.earth.types import Place


@dataclass(frozen=True)
class Layout:
    """Keys of one Sequence."""

    place: Place
    sequence: str

    @property
    def root(self) -> str:
        """Folder of the Sequence."""
        # A key of a config may have a slash, which would make two folders of one.
        return f"gee_{self.place.label}_{self.sequence.replace('/', '-')}"

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

    def records(self, item: str, name: str) -> str:
        """Where a Module's records of a date are, by the name that it gives them."""
        return self._in(item, "JSON", f"{name}.json")

    def table(self, item: str, name: str) -> str:
        """Where a table of a date is, by the name that its Module gives it."""
        return self._in(item, "JSON", f"{name}.csv")

    def results_summary(self) -> str:
        """The results of the run, all dates and collections together."""
        return f"{self.root}/results_summary.json"

    def series(self) -> str:
        """The series as a table: median and quartiles of each date."""
        return f"{self.root}/series.csv"

    def series_columns(self) -> str:
        """What the columns of that table mean, with their units."""
        return f"{self.root}/series_columns.csv"

    def figure(self) -> str:
        """A picture of the series."""
        return f"{self.root}/series.png"
