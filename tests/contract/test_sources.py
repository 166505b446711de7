"""Every Source passes the same suite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from pyveg import formats
from pyveg.core.types import Collection
from pyveg.sources.folder import FolderSettings, FolderSource
from pyveg.sources.simulated import SimulatedSettings, SimulatedSource
from pyveg.testing.source_contract import SourceContract

WEATHER = {
    "total_precipitation": "total_precipitation",
    "mean_2m_air_temperature": "mean_2m_air_temperature",
}
TRANSFORM = (10.0, 0.0, 500_000.0, 0.0, -10.0, 1_280_000.0)


class TestSimulatedImages(SourceContract):
    source_class = SimulatedSource
    collection = Collection("Sim", "Sim", "vegetation", "simulated")
    bands: ClassVar[Mapping[str, str]] = {band: band for band in ("B2", "B3", "B4", "B8")}

    def make_settings(self, folder: Path) -> SimulatedSettings:
        del folder
        return SimulatedSettings(seed=3, spin_up=100, gap_fraction=0.2)


class TestSimulatedWeather(SourceContract):
    source_class = SimulatedSource
    collection = Collection("SimW", "SimW", "weather", "simulated", time_per_point="2w")
    bands: ClassVar[Mapping[str, str]] = WEATHER

    def make_settings(self, folder: Path) -> SimulatedSettings:
        del folder
        return SimulatedSettings(seed=3)


class TestFolderOfImages(SourceContract):
    source_class = FolderSource
    collection = Collection("Mine", "Mine", "vegetation", "folder")

    def make_settings(self, folder: Path) -> FolderSettings:
        for number, day in enumerate(("2018-01-16", "2018-02-15", "2018-03-16")):
            write(folder / day / "RAW", {"B4": number + 1, "B8": number + 5}, "uint16")
        write(folder / "2019-01-16" / "RAW", {"B4": 9}, "uint16")
        return FolderSettings(path=str(folder))


class TestFolderOfWeather(SourceContract):
    source_class = FolderSource
    collection = Collection("MineW", "MineW", "weather", "folder")
    bands: ClassVar[Mapping[str, str]] = WEATHER

    def make_settings(self, folder: Path) -> FolderSettings:
        for number, day in enumerate(("2018-01-16", "2018-02-15")):
            write(folder / day / "RAW", dict.fromkeys(WEATHER, number), "float32", "4f2c1")
        return FolderSettings(path=str(folder), pattern="{date}/RAW/*.{band}.tif")


def write(folder: Path, bands: dict[str, int], kind: str, stem: str = "download") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for band, value in bands.items():
        raster = formats.Raster(np.full((4, 6), value, kind), "EPSG:32635", TRANSFORM)
        (folder / f"{stem}.{band}.tif").write_bytes(formats.encode_geotiff(raster))
