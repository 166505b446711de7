"""Periods of camera images, against a slow table; and where the sun stands."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from pyveg.kernels.camera_series import Images, selected, summarise
from pyveg.kernels.sun import solar_elevation

DAY = 86_400


def _images(days: int, gap: range, seed: int = 0) -> Images:
    """Images of every half hour, with a gap of some days, over the end of a leap year."""
    random = np.random.default_rng(seed)
    start = (datetime(2008, 12, 20, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
    moments = np.arange(days * 48) * 1800 + random.integers(0, 600, days * 48)
    keep = ~np.isin(moments // DAY, list(gap))
    colours = random.uniform(10, 240, (days * 48, 3))
    gcc = colours[:, 1] / colours.sum(axis=1)
    sun = 40 * np.sin((moments % DAY / DAY - 0.25) * 2 * np.pi)
    table = Images(moments + start * DAY, colours, gcc, sun)
    return Images(*(column[keep] for column in table))


def _period(day: date, days: int) -> date:
    """The middle day of the period that a day is in."""
    begins = (day.timetuple().tm_yday - 1) // days * days
    return date(day.year, 1, 1) + timedelta(days=begins + days // 2)


@pytest.mark.parametrize("days", [1, 3])
def test_periods_as_a_slow_table_has_them(days: int) -> None:
    images = _images(40, gap=range(9, 16))
    found = summarise(images, days)

    when = pd.to_datetime(images.seconds, unit="s")
    table = pd.DataFrame(images.colours, columns=["r", "g", "b"]).assign(
        gcc=images.gcc, sun=images.sun, row=np.arange(len(when)), when=when
    )
    table["rcc"] = table.r / (table.r + table.g + table.b)
    table["period"] = [_period(moment.date(), days) for moment in when]
    bright = table.r + table.g + table.b
    fine = table[bright.between(100, 665) & (table.sun >= 10)]
    assert 0 < len(fine) < len(table)

    dates = [date(1970, 1, 1) + timedelta(days=int(day)) for day in found.date]
    assert dates == sorted(dates)
    assert dates[0] == _period(when[0].date(), days)
    assert dates[-1] == _period(when[-1].date(), days)
    assert (found.images == 0).sum() == len(set(dates) - set(fine.period)) > 0
    for place, day in enumerate(dates):
        group = fine[fine.period == day]
        assert found.images[place] == len(group)
        if group.empty:
            assert found.midday[place] == -1
            assert np.isnan(found.gcc[place]).all()
            continue
        noon = pd.Timestamp(day) + pd.Timedelta(hours=12)
        assert found.midday[place] == group.row.loc[(group.when - noon).abs().idxmin()]
        colours = group[["r", "g", "b"]]
        np.testing.assert_allclose(found.colour_mean[place], colours.mean())
        np.testing.assert_allclose(found.colour_sd[place], colours.std(ddof=0))
        for name, values in (("gcc", found.gcc), ("rcc", found.rcc)):
            column = group[name]
            expected = [column.mean(), column.std(ddof=0), *column.quantile([0.5, 0.75, 0.9])]
            np.testing.assert_allclose(values[place], expected)
        assert found.sun[place] == group.sun.max()


def test_an_image_without_greenness_does_not_count() -> None:
    images = _images(2, gap=range(0))
    dark = images._replace(gcc=np.where(np.arange(len(images.gcc)) % 2, np.nan, images.gcc))
    assert not selected(dark)[1::2].any()
    assert selected(dark).any()


@pytest.mark.parametrize(
    ("moment", "longitude", "latitude", "elevation"),
    [
        # published for the camera "harvard" by PhenoCam
        (datetime(2009, 6, 30, 17, 1, 38), -72.1715, 42.5378, 70.50431),
        (datetime(2008, 4, 4, 11, 1, 40), -72.1715, 42.5378, 5.99443),
        (datetime(2008, 4, 4, 10, 31, 40), -72.1715, 42.5378, 0.77326),
        (datetime(2008, 4, 4, 10, 1, 40), -72.1715, 42.5378, -4.54146),
        (datetime(2008, 4, 4, 9, 1, 40), -72.1715, 42.5378, -15.59448),
    ],
)
def test_the_sun(moment: datetime, longitude: float, latitude: float, elevation: float) -> None:
    seconds = np.array([moment.replace(tzinfo=UTC).timestamp()])
    found = solar_elevation(seconds, longitude, latitude)[0]
    assert found == pytest.approx(elevation, abs=0.05)


def test_the_sun_is_overhead_once_a_day_and_nowhere_breaks() -> None:
    day = np.arange(0, DAY, 60.0) + 1_277_078_400  # 21 June 2010
    tropic = solar_elevation(day, 0.0, 23.44)
    assert tropic.max() == pytest.approx(90, abs=0.3)
    assert np.isfinite(tropic).all()
    steps = np.abs(np.diff(tropic))
    # A minute moves it by a quarter of a degree; below the horizon refraction takes part in that.
    assert steps[tropic[1:] > 1].max() < 0.26
    assert steps.max() < 0.65
