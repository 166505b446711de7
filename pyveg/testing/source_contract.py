"""What every Source must do, as a suite of tests to subclass.

::

    class TestMySource(SourceContract):
        source_class = MySource
        collection = Collection("mine", "mine", "vegetation", "my_package.sources:MySource")
        bands = {"B4": "B4", "B8": "B8"}

        def make_settings(self, folder):
            return MySource.Settings(...)
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from pyveg import formats
from pyveg.core import params
from pyveg.core.errors import ConfigError, PyvegError, SkipItem
from pyveg.core.types import Item
from pyveg.earth.periods import period_of
from pyveg.earth.source import Request, Scene, Source
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.testing.scenes import assert_same_rasters

NO_SUCH_BAND = "B99_no_such_band"


class SourceContract:
    """Tests that every Source passes; pytest gives each a folder of its own."""

    source_class: ClassVar[type[Source]]
    collection: ClassVar[Collection]
    place: ClassVar[Place] = Place(27.95, 11.57, 0.008)
    dates: ClassVar[DateRange] = DateRange(date(2018, 1, 1), date(2018, 5, 1))
    """Must hold at least two dates with an image."""
    bands: ClassVar[Mapping[str, str]] = {"B4": "B4", "B8": "B8"}
    """Raster -> band of the collection."""
    measures: ClassVar[bool] = False
    """Whether its rasters are measurements of vegetation, as float32, and no reflectance."""

    def make_settings(self, folder: Path) -> Any:
        """Settings to test with; the folder is empty and may be written to."""
        raise NotImplementedError

    def make_source(self, folder: Path) -> Source:
        """A new Source each time."""
        return self.source_class(self.make_settings(folder))

    def request(self, item: Item, **changes: Any) -> Request:
        """Ask for all bands of an item."""
        made = Request(self.place, self.collection, item, self.bands, cloudy_pix_frac=100.0)
        return replace(made, **changes)

    def _items(self, source: Source) -> list[Item]:
        return list(source.items(self.collection, self.place, self.dates))

    def _scenes(self, source: Source, *, backwards: bool = False) -> dict[str, Scene]:
        """All scenes that there are."""
        scenes: dict[str, Scene] = {}
        for item in sorted(self._items(source), key=lambda item: item.name, reverse=backwards):
            try:
                scenes[item.name] = source.fetch(self.request(item))
            except SkipItem as skipped:
                reason = str(skipped)
            else:
                continue
            assert reason, "a skipped item must say why"
        assert len(scenes) >= 2, "the contract needs at least two dates with an image"
        return scenes

    def _first(self, source: Source) -> Item:
        name = min(self._scenes(source))
        return next(item for item in self._items(source) if item.name == name)

    def test_items_are_sorted_dates_in_the_range(self, tmp_path: Path) -> None:
        """They are unique, and their periods lie inside the range and do not overlap."""
        items = self._items(self.make_source(tmp_path))
        names = [item.name for item in items]
        assert names == sorted(set(names))
        before = self.dates.start
        for item in items:
            assert date.fromisoformat(item.name)
            assert before <= period_of(item).start < period_of(item).end <= self.dates.end
            before = period_of(item).end
            assert json.loads(json.dumps(dict(item.details))) == item.details

    def test_items_do_not_change(self, tmp_path: Path) -> None:
        """A second Source has the same."""
        first, second = self.make_source(tmp_path), self.make_source(tmp_path)
        assert self._items(first) == self._items(second) == self._items(first)

    def test_an_empty_range_has_no_items(self, tmp_path: Path) -> None:
        """None, or an error that says so."""
        source = self.make_source(tmp_path)
        try:
            items = source.items(
                self.collection, self.place, DateRange(self.dates.start, self.dates.start)
            )
        except ConfigError:
            return
        assert not list(items)

    def test_fetch_depends_on_nothing_else(self, tmp_path: Path) -> None:
        """The same pixels and record in any order, from any Source with these settings."""
        forwards = self._scenes(self.make_source(tmp_path))
        backwards = self._scenes(self.make_source(tmp_path), backwards=True)
        assert forwards.keys() == backwards.keys()
        for name, scene in forwards.items():
            assert_same_rasters(scene.rasters, backwards[name].rasters)
            assert dict(scene.record) == dict(backwards[name].record)

    def test_a_band_is_the_same_alone(self, tmp_path: Path) -> None:
        """It does not depend on what else is asked for."""
        source = self.make_source(tmp_path)
        item = self._first(source)
        whole = source.fetch(self.request(item))
        for name, band in self.bands.items():
            alone = source.fetch(self.request(item, bands={name: band}))
            assert_same_rasters(alone.rasters, {name: whole.rasters[name]})

    def test_rasters_are_georeferenced_and_alike(self, tmp_path: Path) -> None:
        """All bands of a date lie on one grid, and so do all dates."""
        scenes = self._scenes(self.make_source(tmp_path))
        grids = set()
        for scene in scenes.values():
            assert set(scene.rasters) == set(self.bands)
            for raster in scene.rasters.values():
                assert isinstance(raster, formats.Raster)
                assert raster.array.ndim == 2
                assert raster.crs
                assert raster.transform is not None
                grids.add((raster.crs, raster.transform, raster.array.shape))
                as_float = self.measures or self.collection.data_type == "weather"
                assert raster.array.dtype == (np.float32 if as_float else np.uint16)
        assert len(grids) == 1

    def test_rasters_can_be_written_and_read(self, tmp_path: Path) -> None:
        """The run keeps them as GeoTIFFs, which must say the same as the arrays."""
        for scene in self._scenes(self.make_source(tmp_path)).values():
            files = {name: formats.encode_geotiff(r) for name, r in scene.rasters.items()}
            read = {name: formats.decode_geotiff(data) for name, data in files.items()}
            assert_same_rasters(read, scene.rasters)

    def test_the_record_is_json(self, tmp_path: Path) -> None:
        """So that it can be kept with the results."""
        for scene in self._scenes(self.make_source(tmp_path)).values():
            assert json.loads(json.dumps(dict(scene.record))) == scene.record
            assert 0 <= scene.record.get("valid_fraction", 1) <= 1

    def test_raster_names_are_the_callers(self, tmp_path: Path) -> None:
        """They may differ from the names of the bands."""
        source = self.make_source(tmp_path)
        item = self._first(source)
        name, band = next(iter(self.bands.items()))
        renamed = source.fetch(self.request(item, bands={"mine": band}))
        own = source.fetch(self.request(item)).rasters[name]
        assert_same_rasters(renamed.rasters, {"mine": own})

    def test_the_fingerprint_is_stable(self, tmp_path: Path) -> None:
        """A text, the same before and after fetching."""
        source = self.make_source(tmp_path)
        request = self.request(self._first(source))
        before = source.fingerprint(request)
        assert before
        assert isinstance(before, str)
        source.fetch(request)
        assert source.fingerprint(request) == before
        assert self.make_source(tmp_path).fingerprint(request) == before

    def test_an_unknown_band_is_named(self, tmp_path: Path) -> None:
        """By an error for the user."""
        source = self.make_source(tmp_path)
        request = self.request(self._first(source), bands={**self.bands, "x": NO_SUCH_BAND})
        with pytest.raises(PyvegError, match=NO_SUCH_BAND):
            source.fetch(request)

    def test_an_optional_band_may_be_missing(self, tmp_path: Path) -> None:
        """The scene then is the same without it."""
        source = self.make_source(tmp_path)
        item = self._first(source)
        request = self.request(item, bands={**self.bands, "x": NO_SUCH_BAND}, optional=("x",))
        without = source.fetch(self.request(item))
        assert_same_rasters(source.fetch(request).rasters, without.rasters)
        assert source.fingerprint(request)

    def test_settings_travel(self, tmp_path: Path) -> None:
        """By pickle, and as the JSON that Tasks carry."""
        settings = self.make_settings(tmp_path)
        assert pickle.loads(pickle.dumps(settings)) == settings
        plain = json.loads(json.dumps(params.to_json(settings)))
        assert params.build(self.source_class.Settings, plain, "test") == settings

    def test_nothing_is_opened_too_early(self, tmp_path: Path) -> None:
        """A Source can be made where its data are not, to check settings."""
        assert self.make_source(tmp_path / "elsewhere") is not None
