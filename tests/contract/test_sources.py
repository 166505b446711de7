"""Every Source passes the same suite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from pyveg import formats
from pyveg.earth.types import Collection, Place
from pyveg.sources.earth_engine.grids import native_grid
from pyveg.sources.earth_engine.source import EarthEngineSettings, EarthEngineSource
from pyveg.sources.folder import FolderSettings, FolderSource
from pyveg.sources.open_meteo import OpenMeteoSettings, OpenMeteoSource
from pyveg.sources.phenocam import PhenoCamSettings, PhenoCamSource
from pyveg.sources.products import CLOUD_SCORE, PRODUCTS
from pyveg.sources.simulated import SimulatedSettings, SimulatedSource
from pyveg.sources.stac.settings import StacSettings
from pyveg.sources.stac.source import StacSource
from pyveg.sources.utm import utm_grid
from pyveg.testing.camera import write_camera
from pyveg.testing.earth_engine import StandIn
from pyveg.testing.ee_graphs import StandInScene, write_scene
from pyveg.testing.source_contract import SourceContract
from pyveg.testing.stac_world import StacServer, StacWorld, every

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


class TestCamera(SourceContract):
    source_class = PhenoCamSource
    collection = Collection("Cam", "Cam", "vegetation", "phenocam")
    measures = True
    bands: ClassVar[Mapping[str, str]] = {"gcc_90": "gcc_90", "camera_images": "camera_images"}

    def make_settings(self, folder: Path) -> PhenoCamSettings:
        home = folder / "oak"
        write_camera(home, self.dates)
        return PhenoCamSettings(path=str(home))


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


class EarthEngineContract(SourceContract):
    """Behind the true client, and with nothing in the cache."""

    source_class = EarthEngineSource
    scenes: ClassVar[list[StandInScene]]

    @classmethod
    def write_scenes(cls, folder: Path) -> list[StandInScene]:
        raise NotImplementedError

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _write(cls, tmp_path_factory: pytest.TempPathFactory) -> None:
        cls.scenes = cls.write_scenes(tmp_path_factory.mktemp("scenes"))

    @pytest.fixture(autouse=True)
    def _stand_in(self) -> Iterator[None]:
        with StandIn(self.scenes).instead():
            yield

    def make_settings(self, folder: Path) -> EarthEngineSettings:
        del folder
        return EarthEngineSettings(cache="none")


class TestEarthEngineImages(EarthEngineContract):
    collection = Collection("S2", "COPERNICUS/S2_SR_HARMONIZED", "vegetation", "earth_engine")

    @classmethod
    def write_scenes(cls, folder: Path) -> list[StandInScene]:
        """Two scenes a month, but none in February; some pixels under cloud."""
        grid = utm_grid(cls.place, 10)
        rng = np.random.default_rng(2)
        scenes = []
        for day in ("2018-01-04", "2018-01-19", "2018-03-04", "2018-03-19", "2018-04-04"):
            bands = {b: rng.integers(1, 9999, grid.shape).astype(np.uint16) for b in cls.bands}
            score = {"cs_cdf": rng.random(grid.shape).astype(np.float32)}
            name = cls.collection.collection_name
            facts = {"CLOUDY_PIXEL_PERCENTAGE": 40.0, "PROCESSING_BASELINE": "02.06"}
            scenes += [
                write_scene(folder, name, day, day, bands, grid, **facts),
                write_scene(folder, CLOUD_SCORE, day, day, score, grid),
            ]
        return scenes


class TestEarthEngineWeather(EarthEngineContract):
    collection = Collection("E", "ECMWF/ERA5_LAND/DAILY_AGGR", "weather", "earth_engine")
    bands: ClassVar[Mapping[str, str]] = {
        "total_precipitation": "total_precipitation_sum",
        "mean_2m_air_temperature": "temperature_2m",
    }

    @classmethod
    def write_scenes(cls, folder: Path) -> list[StandInScene]:
        """Every day until the middle of March."""
        product = PRODUCTS[cls.collection.collection_name]
        assert product.grid is not None
        grid = native_grid(cls.place, product.grid, product.title)
        rng = np.random.default_rng(2)
        scenes = []
        for number in range(75):
            day = str(cls.dates.start + timedelta(days=number))
            bands = {band: rng.random(grid.shape) for band in cls.bands.values()}
            scenes.append(write_scene(folder, product.id, day, day, bands, grid))
        return scenes


class TestStacSearch(SourceContract):
    """Through a service that fails now and then; nothing is kept between two requests."""

    source_class = StacSource
    collection = Collection("S2", "S2", "vegetation", "stac")
    bands: ClassVar[Mapping[str, str]] = {"red": "red", "nir": "nir"}
    server: ClassVar[StacServer]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _serve(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        world = stac_world(tmp_path_factory.mktemp("world"), cls.place)
        with world.serve(every(7)) as cls.server:
            yield

    def make_settings(self, folder: Path) -> StacSettings:
        del folder
        return StacSettings(
            catalogue=self.server.url,
            stac_collection="sentinel-2-l2a",
            cache="none",
            retry_wait=0.01,
        )


class TestStacStaticCatalogue(SourceContract):
    source_class = StacSource
    collection = Collection("S2", "S2", "vegetation", "stac")
    bands: ClassVar[Mapping[str, str]] = {"red": "red", "nir": "nir"}

    catalogue: ClassVar[Path]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _write(cls, tmp_path_factory: pytest.TempPathFactory) -> None:
        cls.catalogue = stac_world(tmp_path_factory.mktemp("world"), cls.place).write_static()

    def make_settings(self, folder: Path) -> StacSettings:
        return StacSettings(
            path=str(self.catalogue), stac_collection="sentinel-2-l2a", cache=str(folder / "cache")
        )


class TestOpenMeteo(SourceContract):
    source_class = OpenMeteoSource
    collection = Collection("W", "W", "weather", "open_meteo", time_per_point="2w")
    bands: ClassVar[Mapping[str, str]] = {
        "total_precipitation": "precipitation_sum",
        "mean_2m_air_temperature": "temperature_2m_mean",
    }
    server: ClassVar[StacServer]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _serve(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        with StacWorld(tmp_path_factory.mktemp("world"), cls.place).serve() as cls.server:
            yield

    def make_settings(self, folder: Path) -> OpenMeteoSettings:
        del folder
        return OpenMeteoSettings(url=f"{self.server.url}/v1/archive", cache="none")


def stac_world(folder: Path, place: Place) -> StacWorld:
    """Two months with images, one without, one under cloud."""
    world = StacWorld(folder, place)
    world.add("2018-01-05", baseline="02.06", cloud=0.2)
    world.add("2018-01-15", baseline="05.00", tile="west")
    world.add("2018-01-15", baseline="05.00", tile="east")
    world.add("2018-03-05", baseline="05.00", mask=False)
    world.add("2018-03-10", baseline="05.00", cloud=0.4)
    world.add("2018-04-10", cloud=1.0)
    return world


def write(folder: Path, bands: dict[str, int], kind: str, stem: str = "download") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for band, value in bands.items():
        raster = formats.Raster(np.full((4, 6), value, kind), "EPSG:32635", TRANSFORM)
        (folder / f"{stem}.{band}.tif").write_bytes(formats.encode_geotiff(raster))
