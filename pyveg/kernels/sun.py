"""Where the sun stands: its elevation above the horizon of a place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["solar_elevation"]

Values = NDArray[np.float64]

_J2000 = 946_728_000.0
"""Noon of 1 January 2000 in UTC, seconds since 1970."""
_CENTURY = 36_525 * 86_400.0
_PRESSURE, _CELSIUS = 1010.0, 15.0
_LOW = 15.0
"""Degrees below which the formula for low elevations holds."""
_STEPS = 60


def solar_elevation(seconds: NDArray[Any], longitude: float, latitude: float) -> Values:
    """Elevation of the sun's centre as it is seen, bent by the air.

    Parameters
    ----------
    seconds : array of float
        Time in UTC, seconds since 1970.
    longitude, latitude : float
        Degrees; east and north are positive.

    Returns
    -------
    array of float64, shape of `seconds`
        Degrees above the horizon; negative at night.

    Notes
    -----
    The low-accuracy series of Meeus, *Astronomical Algorithms* (1998), chapter 25, as NOAA's solar
    calculator has it: within 0.01 degrees from 1950 to 2050. Refraction is that of the Astronomical
    Almanac at 1010 hPa and 15 degrees Celsius. Below the horizon its formula means nothing, and is
    used all the same, down to 8 degrees: series of PhenoCam have it in their column `solar_elev`.

    Examples
    --------
    >>> noon = np.array([1_245_585_600.0])  # 21 June 2009, 12:00 UTC
    >>> round(float(solar_elevation(noon, 0.0, 51.48)[0]), 1)
    62.0
    """
    time = np.asarray(seconds, dtype=np.float64)
    declination, hour_angle = _position(time, longitude)
    place = np.radians(latitude)
    sine = np.sin(place) * np.sin(declination)
    sine += np.cos(place) * np.cos(declination) * np.cos(hour_angle)
    geometric = np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))
    return np.asarray(geometric + _refraction(geometric))


def _position(time: Values, longitude: float) -> tuple[Values, Values]:
    """Declination and local hour angle of the sun, radians."""
    t = (time - _J2000) / _CENTURY
    mean_longitude = 280.46646 + t * (36_000.76983 + t * 0.0003032)
    anomaly = np.radians(357.52911 + t * (35_999.05029 - t * 0.0001537))
    centre = (1.914602 - t * (0.004817 + t * 0.000014)) * np.sin(anomaly)
    centre += (0.019993 - t * 0.000101) * np.sin(2 * anomaly) + 0.000289 * np.sin(3 * anomaly)
    node = np.radians(125.04 - 1_934.136 * t)
    apparent = np.radians(mean_longitude + centre - 0.00569 - 0.00478 * np.sin(node))
    tilt = np.radians(23.4392911 - t * 0.0130042 + 0.00256 * np.cos(node))
    declination = np.arcsin(np.sin(tilt) * np.sin(apparent))
    ascension = np.arctan2(np.cos(tilt) * np.sin(apparent), np.cos(apparent))
    days = (time - _J2000) / 86_400.0
    sidereal = np.radians(280.46061837 + 360.98564736629 * days + longitude)
    return declination, sidereal - ascension


def _refraction(geometric: Values) -> Values:
    """What the air adds, degrees."""
    bent = np.zeros_like(geometric)
    for _ in range(_STEPS):  # each brings it nearer by a third at least
        bent = np.maximum(_refraction_seen(geometric + bent), 0.0)
    return bent


def _refraction_seen(apparent: Values) -> Values:
    """Refraction at an elevation as it is seen, degrees."""
    density = _PRESSURE / (273.0 + _CELSIUS)
    high = np.maximum(apparent, _LOW - 1)
    far = 0.00452 * density / np.tan(np.radians(high))
    low = np.minimum(apparent, _LOW + 1)
    near = density * (0.1594 + low * (0.0196 + low * 0.00002))
    near /= 1.0 + low * (0.505 + low * 0.0845)
    share = np.clip(apparent - _LOW + 0.5, 0.0, 1.0)
    return np.asarray(share * far + (1.0 - share) * near)
