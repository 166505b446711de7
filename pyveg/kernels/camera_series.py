"""Greenness of a camera, image by image -> a series of periods of one or three days.

The rules are those of PhenoCam's summary products (Richardson et al. 2018,
10.1038/sdata.2018.28): dark and bright images, and those of a low sun, are left out, and the 90th
percentile of a period's greenness is its best figure, as clouds and shade only take from it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["BRIGHTNESS", "LOWEST_SUN", "PERCENTILES", "Images", "Summary", "selected", "summarise"]

Values = NDArray[np.float64]

BRIGHTNESS = (100.0, 665.0)
"""Least and largest sum of the mean red, green and blue of an image that counts."""
LOWEST_SUN = 10.0
"""Least elevation of the sun, degrees."""
PERCENTILES = (50, 75, 90)
_DAY = 86_400
_NOON = 43_200


class Images(NamedTuple):
    """What is known of each image, in order of time; shape (N,) each."""

    seconds: NDArray[np.int64]
    """Local standard time as seconds since 1970."""
    colours: Values
    """Mean red, green and blue of the region; shape (N, 3)."""
    gcc: Values
    sun: Values
    """Elevation of the sun, degrees."""


class Summary(NamedTuple):
    """Periods; shape (P,) or (P, k) each, NaN where a period has no image that counts."""

    date: NDArray[np.int64]
    """The middle day of each, days since 1970."""
    images: NDArray[np.int64]
    """Images that count."""
    midday: NDArray[np.int64]
    """Row of the image nearest to the noon of `date`; -1 where there is none."""
    colour_mean: Values
    """Red, green and blue; shape (P, 3)."""
    colour_sd: Values
    gcc: Values
    """Mean, SD, and `PERCENTILES`; shape (P, 5)."""
    rcc: Values
    sun: Values
    """Largest elevation of the sun, degrees."""


def selected(images: Images) -> NDArray[np.bool_]:
    """Which images count: neither dark nor white, with the sun well above the horizon."""
    bright = images.colours.sum(axis=1)
    fine = (bright >= BRIGHTNESS[0]) & (bright <= BRIGHTNESS[1]) & (images.sun >= LOWEST_SUN)
    return np.asarray(fine & np.isfinite(images.gcc))


def summarise(images: Images, days: int) -> Summary:
    """Sum images up by periods.

    Parameters
    ----------
    images : Images
    days : {1, 3}
        Length of a period. Periods of three days begin anew with each year.

    Returns
    -------
    Summary
        All periods from the one of the first image to that of the last, empty ones too.

    Notes
    -----
    SD are of the population. Percentiles are interpolated linearly.
    """
    period, dates = _periods(images.seconds // _DAY, days)
    rows = np.flatnonzero(selected(images))
    bounds = np.searchsorted(period[rows], np.arange(len(dates) + 1))
    groups = [rows[bounds[k] : bounds[k + 1]] for k in range(len(dates))]
    red_share = _red_share(images.colours)
    return Summary(
        date=dates,
        images=np.array([len(group) for group in groups], dtype=np.int64),
        midday=np.array(
            [_nearest(images.seconds, g, date) for g, date in zip(groups, dates, strict=True)],
            dtype=np.int64,
        ),
        colour_mean=_each(groups, images.colours, np.mean, 3),
        colour_sd=_each(groups, images.colours, np.std, 3),
        gcc=_each(groups, images.gcc[:, None], _figures, 5),
        rcc=_each(groups, red_share[:, None], _figures, 5),
        sun=_each(groups, images.sun[:, None], np.max, 1)[:, 0],
    )


def _periods(day: NDArray[np.int64], days: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The period of each day, counted from the first; and the middle day of each period."""
    every = np.arange(day[0], day[-1] + 1)
    new_year = every.astype("datetime64[D]").astype("datetime64[Y]").astype("datetime64[D]")
    begins = every - (every - new_year.astype(np.int64)) % days
    starts, of_day = np.unique(begins, return_inverse=True)
    return of_day[day - day[0]], starts + days // 2


def _nearest(seconds: NDArray[np.int64], group: NDArray[np.intp], date: int) -> int:
    if not len(group):
        return -1
    return int(group[np.argmin(np.abs(seconds[group] - (date * _DAY + _NOON)))])


def _red_share(colours: Values) -> Values:
    total = colours.sum(axis=1)
    share = np.full(len(total), np.nan)
    np.divide(colours[:, 0], total, out=share, where=total > 0)
    return share


def _each(groups: list[NDArray[np.intp]], values: Values, figure: Any, width: int) -> Values:
    """A figure of each group of rows."""
    found = np.full((len(groups), width), np.nan)
    for place, group in enumerate(groups):
        if len(group):
            found[place] = figure(values[group], axis=0)
    return found


def _figures(values: Values, axis: int) -> Values:
    """Mean, SD and percentiles of a column."""
    spread = [np.mean(values, axis=axis), np.std(values, axis=axis)]
    percentiles = np.percentile(values, PERCENTILES, axis=axis)
    return np.asarray(np.concatenate([*spread, percentiles.ravel()]))
