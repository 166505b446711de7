"""The simulated place: absolute in time, with a truth that images and weather agree with."""

from __future__ import annotations

import random
import threading
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pyveg.core import params
from pyveg.core.errors import ConfigError, SkipItem
from pyveg.core.types import Item
from pyveg.earth.periods import item_of
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.sources import simulated
from pyveg.sources import world as world_module
from pyveg.sources.collections import data_collections
from pyveg.sources.grid import grid_of
from pyveg.sources.simulated import SimulatedSettings, SimulatedSource, world_of
from pyveg.sources.world import StateCache

IMAGES = Collection("Sim", "Sim", "vegetation", "simulated")
WEATHER = Collection("SimW", "SimW", "weather", "simulated")
PLACE = Place(27.95, 11.57, 0.006)
SPECTRUM = {band: band for band in ("B2", "B3", "B4", "B8")}
RAIN = {"total_precipitation": "total_precipitation"}
HEAT = {"mean_2m_air_temperature": "mean_2m_air_temperature"}
CLEAR = {"cloud_cover": 0.0, "noise": 0.0, "spin_up": 300}


def source(states: StateCache | None = None, **settings: Any) -> SimulatedSource:
    return SimulatedSource(SimulatedSettings(**settings), states)


def month(year: int, number: int) -> Item:
    end = date(year + number // 12, number % 12 + 1, 1)
    return item_of(DateRange(date(year, number, 1), end))


def ask(item: Item, bands: Any = None, **changes: Any) -> Request:
    collection = IMAGES if bands is None else WEATHER
    made = Request(PLACE, collection, item, bands or SPECTRUM)
    return replace(made, **changes)


def arrays(scene: Scene) -> dict[str, NDArray[Any]]:
    return {name: raster.array for name, raster in scene.rasters.items()}


def value(scene: Scene) -> float:
    (array,) = arrays(scene).values()
    assert array.shape == (1, 1)
    return float(array[0, 0])


def ndvi(scene: Scene) -> float:
    bands = {name: array.astype(float) for name, array in arrays(scene).items()}
    return float(((bands["B8"] - bands["B4"]) / (bands["B8"] + bands["B4"])).mean())


def test_items_are_whole_periods() -> None:
    items = source().items(IMAGES, PLACE, DateRange(date(2016, 1, 1), date(2016, 3, 15)))
    assert [item.name for item in items] == ["2016-01-16", "2016-02-15"]
    assert source().items(IMAGES, PLACE, DateRange(date(2016, 2, 1), date(2016, 1, 1))) == []


def test_dates_before_the_epoch_are_refused() -> None:
    early = DateRange(date(2014, 6, 1), date(2016, 1, 1))
    with pytest.raises(ConfigError, match="begins on 2015-01-01, and 2014-06-01 is before"):
        source().items(IMAGES, PLACE, early)
    with pytest.raises(ConfigError, match="begins on"):
        source().fetch(ask(month(2014, 6)))
    with pytest.raises(ConfigError, match="begins on"):
        source().truth(ask(month(2014, 6)))
    assert source(epoch=date(2010, 1, 1)).items(IMAGES, PLACE, early)


def test_a_date_does_not_depend_on_the_range() -> None:
    """The same days by another period length have the same rain, to the day."""
    whole = value(source().fetch(ask(month(2016, 5), RAIN)))
    days = [
        Item(str(date.fromordinal(day)))
        for day in range(date(2016, 5, 1).toordinal(), date(2016, 6, 1).toordinal())
    ]
    parts = [value(source().fetch(ask(day, RAIN))) for day in days]
    assert sum(parts) == pytest.approx(whole, rel=1e-6)


def test_truth_is_the_same_by_any_path() -> None:
    items = [month(2015 + i // 12, i % 12 + 1) for i in range(0, 40, 3)]
    straight = [source(StateCache(), spin_up=50).truth(ask(item)) for item in items]
    shuffled = list(range(len(items)))
    random.Random(1).shuffle(shuffled)
    for cache in (StateCache(), StateCache(max_states=2), StateCache(max_states=0)):
        for i in (*shuffled, *range(len(items)), *reversed(range(len(items)))):
            found = source(cache, spin_up=50).truth(ask(items[i]))
            np.testing.assert_array_equal(found, straight[i])


def test_states_are_bounded() -> None:
    cache = StateCache(max_bytes=200_000, max_states=9)
    made = source(cache, spin_up=0)
    for i in range(40):
        made.truth(ask(month(2015 + i // 12, i % 12 + 1)))
        assert len(cache) <= 9
        assert cache.nbytes <= 200_000
    assert len(cache) > 1
    assert cache.nbytes == sum(world_module._size(state) for state in cache._states.values())


def test_continuing_is_cheaper_than_beginning_again(monkeypatch: pytest.MonkeyPatch) -> None:
    days: list[int] = []
    real = world_module.patterns.step

    def counted(state: Any, rain: Any, parameters: Any, n_steps: int) -> Any:
        days.append(n_steps)
        return real(state, rain, parameters, n_steps)

    monkeypatch.setattr(world_module.patterns, "step", counted)
    made = source(StateCache(), spin_up=100)
    for i in range(24):
        made.truth(ask(month(2016 + i // 12, i % 12 + 1)))
    assert sum(days) < 100 + 3 * 366
    made.truth(ask(month(2016, 6)))
    assert sum(days) < 100 + 3 * 366
    days.clear()
    made.truth(ask(month(2017, 7)))
    assert sum(days) == 0


def test_threads_share_one_history(monkeypatch: pytest.MonkeyPatch) -> None:
    spins: list[int] = []
    real = world_module._spun_up
    monkeypatch.setattr(world_module, "_spun_up", lambda world: spins.append(1) or real(world))
    cache = StateCache()
    found: dict[int, Any] = {}

    def work(number: int) -> None:
        found[number] = source(cache, spin_up=50).truth(ask(month(2016, number)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(spins) == 1
    for number in range(1, 9):
        alone = source(StateCache(), spin_up=50).truth(ask(month(2016, number)))
        np.testing.assert_array_equal(found[number], alone)


def test_rain_does_not_depend_on_where_it_is_cut() -> None:
    world = world_of(PLACE, SimulatedSettings(decline=0.1))
    first = date(2015, 11, 20).toordinal()
    whole = world.rain(first, first + 90)
    for cut in (1, 11, 42, 89):
        parts = [world.rain(first, first + cut), world.rain(first + cut, first + 90)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_weather_is_the_rain_that_drives_the_plants() -> None:
    item = month(2016, 8)
    rain = source().fetch(ask(item, RAIN))
    image = source(spin_up=0).fetch(ask(item))
    assert rain.record["truth"]["mean_rain"] == image.record["truth"]["mean_rain"]
    assert value(rain) * 1000 / 31 == pytest.approx(rain.record["truth"]["mean_rain"], rel=1e-6)


def test_seasons_and_their_heights() -> None:
    made = source(rainfall_noise=0.0, seasonality=0.5)
    rain = [value(made.fetch(ask(month(2016, i), RAIN))) for i in range(1, 13)]
    assert int(np.argmax(rain)) + 1 == 8
    assert max(rain) / min(rain) == pytest.approx(3.0, rel=0.1)
    assert sum(rain) == pytest.approx(1.2 * 366 / 1000, rel=0.01)
    heat = [value(made.fetch(ask(month(2016, i), HEAT))) for i in range(1, 13)]
    assert np.mean(heat) == pytest.approx(301.0, abs=1.0)
    assert max(heat) - min(heat) > 6
    south = replace(ask(month(2016, 2), RAIN), place=Place(27.95, -11.57, 0.006))
    assert value(made.fetch(south)) > value(made.fetch(ask(month(2016, 2), RAIN)))


def test_decline_begins_on_its_day_and_ends_at_no_rain() -> None:
    falling = source(rainfall_noise=0.0, seasonality=0.0, decline=0.6)
    rain = [
        falling.fetch(ask(month(year, 1), RAIN)).record["truth"]["mean_rain"]
        for year in (2015, 2016, 2017, 2018, 2019)
    ]
    assert rain[0] == pytest.approx(1.2)
    np.testing.assert_allclose(np.diff(rain[1:4]), [-0.6, -0.575], atol=0.03)
    assert rain[4] == 0.0


def test_decline_takes_the_plants() -> None:
    item, late = month(2015, 9), month(2018, 9)
    steady, falling = source(**CLEAR), source(**CLEAR, decline=0.25)
    np.testing.assert_array_equal(steady.truth(ask(item)), falling.truth(ask(item)))
    assert falling.truth(ask(late)).mean() < 0.5 * steady.truth(ask(late)).mean()
    assert ndvi(falling.fetch(ask(late))) < ndvi(steady.fetch(ask(late))) - 0.05


def test_the_usual_place_is_patterned_and_has_seasons() -> None:
    made = source(cloud_cover=0.0)
    scenes = [made.fetch(ask(month(2016, i))) for i in range(1, 13)]
    greenness = [ndvi(scene) for scene in scenes]
    assert 0.1 < min(greenness) < 0.3 < max(greenness) < 0.5
    plants = made.truth(ask(month(2016, 9)))
    assert 0.2 < (plants > 5).mean() < 0.8
    assert np.quantile(plants, 0.95) > 20
    assert np.quantile(plants, 0.05) < 2


def test_bands_are_a_mixture_of_soil_and_plants() -> None:
    made = source(**CLEAR)
    request = ask(month(2016, 9))
    hidden = 1 - np.exp(-made.truth(request) / 25)
    found = arrays(made.fetch(request))
    expected = 1e4 * (0.26 * (1 - hidden) + 0.04 * hidden)
    np.testing.assert_allclose(found["B4"], expected, atol=0.51)
    np.testing.assert_allclose(found["B8"], 1e4 * (0.34 * (1 - hidden) + 0.40 * hidden), atol=0.51)


def test_noise_is_of_the_size_asked_for() -> None:
    request = ask(month(2016, 9))
    clear = arrays(source(**CLEAR).fetch(request))
    noisy = arrays(source(**{**CLEAR, "noise": 0.01}).fetch(request))
    differences = [noisy[band] - clear[band].astype(float) for band in SPECTRUM]
    for difference in differences:
        assert difference.std() == pytest.approx(100, rel=0.1)
    assert abs(np.corrcoef(differences[0].ravel(), differences[1].ravel())[0, 1]) < 0.1


def test_noise_never_looks_like_a_mask() -> None:
    found = arrays(source(**{**CLEAR, "noise": 1.0}).fetch(ask(month(2016, 9))))
    assert min(int(array.min()) for array in found.values()) == 1


def test_rasters_lie_on_the_grid_of_the_place() -> None:
    for scale in (10.0, 30.0):
        request = ask(month(2016, 3), scale=scale)
        grid = grid_of(PLACE, scale)
        for raster in source(**CLEAR).fetch(request).rasters.values():
            assert raster.array.shape == grid.shape
            assert (raster.crs, raster.transform, raster.nodata) == (grid.crs, grid.transform, 0.0)


def test_pixels_show_the_cells_below_them() -> None:
    """At the scale of the cells, the truth is the model's own field."""
    made = source(StateCache(), spin_up=200)
    found = made.truth(ask(month(2016, 3), scale=21.0))
    world = world_of(PLACE, made.settings)
    state = made._states.at(world, date(2016, 3, 16).toordinal())
    np.testing.assert_array_equal(found, state.plants)


def test_clouds_mask_all_bands_or_shine() -> None:
    made = source(**{**CLEAR, "cloud_cover": 0.5}, seed=1)
    for number in range(1, 13):
        request = ask(month(2016, number), cloudy_pix_frac=100.0)
        try:
            scene = made.fetch(request)
        except SkipItem:
            continue
        share = scene.record["cloud_fraction"]
        if not 0.1 < share < 0.9:
            continue
        masks = [array == 0 for array in arrays(scene).values()]
        assert all((mask == masks[0]).all() for mask in masks)
        assert masks[0].mean() == pytest.approx(share)
        assert scene.record["valid_fraction"] == pytest.approx(1 - share)
        edges = (masks[0][:, 1:] != masks[0][:, :-1]).mean()
        assert edges < 0.15, "clouds are blobs"
        bright = made.fetch(replace(request, mask_cloud=False))
        assert bright.record["valid_fraction"] == 1.0
        assert (arrays(bright)["B4"][masks[0]] == 7500).all()
        assert (arrays(bright)["B4"][~masks[0]] == arrays(scene)["B4"][~masks[0]]).all()
        return
    pytest.fail("no scene was partly cloudy")


def test_cloud_cover_is_the_mean_share() -> None:
    rng = np.random.default_rng(1)
    shares = [simulated._cloud_share(0.3, rng) for _ in range(4000)]
    assert np.mean(shares) == pytest.approx(0.3, abs=0.02)
    assert simulated._cloud_share(0.0, rng) == 0.0
    assert simulated._cloud_share(1.0, rng) == 1.0


def test_cloudy_scenes_are_left_out() -> None:
    made = source(**{**CLEAR, "cloud_cover": 0.4})
    kept: dict[float, int] = {}
    reasons: list[str] = []
    for limit in (10.0, 50.0, 100.0):
        kept[limit] = 0
        for number in range(1, 13):
            try:
                scene = made.fetch(ask(month(2016, number), cloudy_pix_frac=limit))
            except SkipItem as skipped:
                reasons.append(str(skipped))
                continue
            kept[limit] += 1
            assert 100 * scene.record["cloud_fraction"] < limit
    assert all("cloud covers" in reason for reason in reasons)
    assert "cloudy_pix_frac leaves out what has 10 % or more" in reasons[0]
    assert 0 < kept[10.0] < kept[50.0] < kept[100.0] <= 12


def test_a_covered_place_has_no_image_but_has_weather() -> None:
    made = source(cloud_cover=1.0, gap_fraction=1.0, spin_up=0)
    with pytest.raises(SkipItem, match=r"no image: none was taken in 2016-03-01\.\.2016-04-01"):
        made.fetch(ask(month(2016, 3)))
    with pytest.raises(SkipItem, match=r"no image: cloud covers 100\.0 % of it"):
        source(cloud_cover=1.0, spin_up=0).fetch(ask(month(2016, 3)))
    assert value(made.fetch(ask(month(2016, 3), RAIN))) > 0


def test_gaps_are_as_frequent_as_asked() -> None:
    made = source(gap_fraction=0.3, cloud_cover=0.0, spin_up=0)
    gaps = 0
    for i in range(60):
        try:
            made.fetch(ask(month(2015 + i // 12, i % 12 + 1), {"B4": "B4"}, scale=100.0))
        except SkipItem:
            gaps += 1
    assert 8 <= gaps <= 30


def test_unknown_bands() -> None:
    request = replace(ask(month(2016, 3)), bands={"swir": "B11"})
    with pytest.raises(ConfigError, match=r'"Sim": there is no band "B11".*it has B2, B3, B4, B8'):
        source().fetch(request)


def test_bands_and_weather_together_share_the_pixels() -> None:
    request = replace(ask(month(2016, 3)), bands={"B4": "B4", **RAIN})
    found = arrays(source(**CLEAR).fetch(request))
    assert found["B4"].shape == found["total_precipitation"].shape
    assert found["total_precipitation"].dtype == np.float32


def test_places_and_seeds_differ() -> None:
    request = ask(month(2016, 3))
    one = source(spin_up=50).truth(request)
    other = source(spin_up=50, seed=1).truth(request)
    moved = source(spin_up=50).truth(replace(request, place=Place(27.96, 11.57, 0.006)))
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, moved)
    same = source(spin_up=50).truth(replace(request, place=Place(27.95, 11.57, 0.006)))
    np.testing.assert_array_equal(one, same)


def test_whole_numbers_are_the_same_place() -> None:
    request = ask(month(2016, 3))
    one = source(spin_up=10).truth(replace(request, place=Place(27, 11, 0.006)))
    other = source(spin_up=10).truth(replace(request, place=Place(27.0, 11.0, 0.006)))
    np.testing.assert_array_equal(one, other)


def test_plants_are_cut_on_one_day() -> None:
    """Before it nothing differs; on that day the share is gone, whatever dates are asked for."""
    cut = {"spin_up": 300, "clearing": date(2015, 3, 16), "clearing_share": 0.75}
    march, april = ask(month(2015, 3)), ask(month(2015, 4))
    usual, cleared = source(StateCache(), spin_up=300), source(StateCache(), **cut)
    np.testing.assert_array_equal(
        cleared.truth(ask(month(2015, 2))), usual.truth(ask(month(2015, 2)))
    )
    np.testing.assert_allclose(cleared.truth(march), 0.25 * usual.truth(march))
    again = source(StateCache(), **cut)  # asked for the later date first
    np.testing.assert_array_equal(again.truth(april), cleared.truth(april))
    np.testing.assert_array_equal(again.truth(march), cleared.truth(march))
    assert 0 < cleared.truth(april).mean() < usual.truth(april).mean()


def test_the_landscape_can_be_cut_on_its_first_day() -> None:
    january = replace(ask(item_of(DateRange(date(2015, 1, 1), date(2015, 1, 2)))))
    given = {"spin_up": 300, "clearing": date(2015, 1, 1), "clearing_share": 1.0}
    assert not source(**given).truth(january).any()


def test_another_sensor_makes_scenes_too_bright_or_too_dark() -> None:
    other = {**CLEAR, "sensor_from": date(2016, 3, 1), "sensor_gain": 0.1}
    before, after = ask(month(2016, 2)), ask(month(2016, 3))
    for request, differs in ((before, False), (after, True)):
        usual, found = (arrays(source(**one).fetch(request)) for one in (CLEAR, other))
        ratios = {band: float((found[band] / usual[band]).mean()) for band in SPECTRUM}
        assert (len({round(one, 3) for one in ratios.values()}) == 4) == differs
        for band, ratio in ratios.items():
            np.testing.assert_allclose(found[band], ratio * usual[band], atol=2)
        assert all((0.6 < ratio < 1.4) and (ratio != 1) == differs for ratio in ratios.values())


def test_the_fingerprint_tells_settings_apart() -> None:
    request = ask(month(2016, 3))
    prints = {source(**given).fingerprint(request) for given in ({}, {"seed": 1}, {"noise": 0.1})}
    assert len(prints) == 3
    assert source(seed=0).fingerprint(request) == source().fingerprint(request)


def test_settings_are_checked() -> None:
    build = params.build
    assert build(SimulatedSettings, {"decline_from": "2017-01-01"}, "x").decline_from.year == 2017
    for given in ({"cloud_cover": 1.1}, {"rainfall": -1}, {"cell_size": 10}, {"seasonality": 2}):
        with pytest.raises(ConfigError, match=next(iter(given))):
            build(SimulatedSettings, given, "x")


@pytest.mark.parametrize(
    "extreme",
    [
        {"rainfall": 0.0},
        {"rainfall": 10.0, "rainfall_noise": 2.0, "seasonality": 1.0},
        {"decline": -10.0},
        {"decline": 10.0},
        {"cell_size": 1000.0},
        {"cell_size": 21.0},
        {"epoch": date(1, 1, 1), "spin_up": 10},
    ],
)
def test_extreme_settings_give_images(extreme: dict[str, Any]) -> None:
    item = month(2016, 6) if "epoch" not in extreme else month(1, 6)
    given = {**CLEAR, **extreme}
    found = arrays(source(**given).fetch(ask(item)))
    assert all((array > 0).all() for array in found.values())


def test_the_records_of_collections_fit() -> None:
    """Records name bands that the source has, dates that are dates, and periods that follow."""
    for key, record in data_collections.items():
        fields = {
            "collection_name",
            "data_type",
            "source",
            "min_date",
            "max_date",
            "time_per_point",
        }
        given = {name: value for name, value in record.items() if name in fields}
        collection = params.build(Collection, {"key": key, **given}, key)
        low, high = collection.min_date or date.min, collection.max_date or date.max
        assert low < high
        bands = [
            *record.get("RGB_bands", ()),
            record.get("NIR_band"),
            record.get("precipitation_band"),
            record.get("temperature_band"),
        ]
        named = [band for band in bands if band is not None]
        if collection.data_type == "vegetation":
            assert len(named) == 4
        else:  # rain always, temperature where there is one, and said where there is none
            assert record["precipitation_band"] in named
            assert len(named) == (1 if record["temperature_band"] is None else 2)
        if collection.source == "simulated":
            assert set(named) <= set(simulated.BANDS)
    assert list(data_collections)[:3] == ["Sentinel2", "Landsat8", "Landsat7"]


def test_biomass_follows_the_rain_from_month_to_month() -> None:
    made = source(**CLEAR, seasonality=0.5, rainfall_noise=0.0)
    means = [made.truth(ask(month(2016, i))).mean() for i in range(1, 13)]
    assert int(np.argmax(means)) + 1 in (8, 9, 10)
    assert max(means) > 2 * min(means)
    assert all(one != other for one, other in pairwise(means))
