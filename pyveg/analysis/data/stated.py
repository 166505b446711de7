"""The step that results state, and whether what they hold agrees with it."""

from __future__ import annotations

import re

import pandas as pd

from pyveg.core.errors import ConfigError
from pyveg.earth.cadence import find_cadence, lattice_of_dates
from pyveg.earth.lattice import NEARLY_ALL
from pyveg.earth.periods import Cadence, parse_step
from pyveg.runs.results import Results

_OLDER = re.compile(r"(\d+)([dwmy])")


def stated_step(results: Results, collection: str) -> tuple[str, tuple[str, ...]]:
    """The `time_per_point` of a collection; empty where its periods or dates are to be asked.

    Parameters
    ----------
    results : Results
    collection : str
        Its name in them.

    Returns
    -------
    str, tuple of str
        And sentences about a step that is stated and was not taken.
    """
    if collection in results.steps:
        return _read(results.steps[collection])
    if collection != results.metadata.get("collection"):
        return "", ()
    step, notes = _read(str(results.metadata.get("time_per_point") or ""))
    dates = _dates(results, collection)
    if not step or len(dates) < 2 or _has_periods(results, collection):
        return step, notes
    days = sorted({stamp.date() for stamp in dates})
    lattice = lattice_of_dates(days, parse_step(step))
    if len({lattice.number(day) for day in days}) >= NEARLY_ALL * len(days):
        return step, notes
    # A folder's images of any days were once recorded as months.
    found = find_cadence(days)
    return found.text, (
        f'the results state "{step}", but their dates say {found.words}: that was taken',
    )


def _dates(results: Results, collection: str) -> pd.DatetimeIndex:
    tables = [one for one in (results.chips, results.place) if "collection" in one]
    parts = [one["date"][one["collection"] == collection].dropna() for one in tables]
    return pd.DatetimeIndex(pd.concat(parts).unique()) if parts else pd.DatetimeIndex([])


def _has_periods(results: Results, collection: str) -> bool:
    """Whether they say what the values stand for; a single day of an image does not."""
    periods = results.periods.get(collection, {})
    return any((one.end - one.start).days > 1 for one in periods.values())


def _read(text: str) -> tuple[str, tuple[str, ...]]:
    """A step as it stands; the older pyveg took "1month" for "1m"."""
    if not text:
        return "", ()
    older = _OLDER.match(text)
    for one in (text, older[0] if older else text):
        try:
            return Cadence.parse(one).text, ()
        except ConfigError:
            continue
    return "", (
        f'the results state a step of "{text}", which is none: what the dates say was taken',
    )
