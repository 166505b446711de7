"""Results from wherever they are: a run, a folder with a summary, or a summary by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyveg.core import registry
from pyveg.core.errors import NotARunError
from pyveg.core.layout import COMBINE
from pyveg.core.ports import Store
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE, Metric
from pyveg.runs.results import FIRST, Results, read_summary
from pyveg.runs.run import Run, is_run, open_run

if TYPE_CHECKING:
    import pandas as pd

SUMMARY = "results_summary.json"
WEATHER_UNITS = {PRECIPITATION: "m per period", TEMPERATURE: "K"}
"""Of the weather in all results, also of those that declare nothing."""


def load_results(path: str | Path | Run, *, swap_coordinates: bool = False) -> pd.DataFrame:
    """Read the vegetation of a run.

    Parameters
    ----------
    path : str, Path or Run
        A run folder or its URL, or a `results_summary.json`, also one of the older pyveg.
    swap_coordinates : bool
        Exchange latitude and longitude, for old files that have them the wrong way round.

    Returns
    -------
    DataFrame
        One row per date and chip: `date` (datetime64), `collection`, `latitude`, `longitude`
        (degrees) and the metrics; `feature_vec` as tuples. Dates without data have no row. Its
        `attrs["units"]` say in which unit each column is.

    Raises
    ------
    NotARunError
        If there is no summary at `path`.
    DataError
        If it is no summary of pyveg.

    Examples
    --------
    Of a run that was made as `run_pipeline` shows:

    >>> import pyveg
    >>> chips = pyveg.load_results("two_months")
    >>> len(chips), chips.attrs["units"]["offset50"]
    (17, 'pixels')
    """
    results = load_summary(path)
    chips, known = results.chips, results.metrics
    if swap_coordinates:
        chips = chips.rename(columns={"latitude": "longitude", "longitude": "latitude"})
        chips = chips[[*FIRST, *(name for name in chips.columns if name not in FIRST)]]
    return _with_units(chips, known)


def load_weather(path: str | Path | Run) -> pd.DataFrame:
    """Read the weather of a run; see `load_results` for `path` and errors.

    Returns
    -------
    DataFrame
        One row per date: `date` (datetime64), `collection`, `total_precipitation` (m per period),
        `mean_2m_air_temperature` (K). No rows where the run had no weather. Its `attrs["units"]`
        say in which unit each column is.

    Examples
    --------
    >>> import pyveg
    >>> weather = pyveg.load_weather("two_months")
    >>> weather.attrs["units"]["total_precipitation"], len(weather)
    ('m per period', 2)
    """
    results = load_summary(path)
    return _with_units(results.weather, results.metrics)


def _with_units(table: pd.DataFrame, metrics: Mapping[str, Metric]) -> pd.DataFrame:
    """A table that says in which unit its columns are."""
    known = {"latitude": "degrees north", "longitude": "degrees east", **WEATHER_UNITS}
    known |= {name: metric.unit for name, metric in metrics.items()}
    named = table.copy(deep=False)
    named.attrs["units"] = {name: known[name] for name in table.columns if name in known}
    return named


def load_summary(where: str | Path | Store | Run) -> Results:
    """Read everything in the summary of a run, given by its path, its URL or its Store."""
    if isinstance(where, Run):
        return where.results()
    if isinstance(where, str | Path):
        text = str(where)
        if text.endswith(".json"):
            # Paths of Windows too; in a URL there is no backslash.
            folder, _, name = text.replace("\\", "/").rpartition("/")
            return read_summary(_read(registry.store_at(folder or "."), name, text))
        where = registry.store_at(text)
    if is_run(where):
        return open_run(where).results()
    return _of_folder(where)


def _of_folder(store: Store) -> Results:
    """The summary in a folder that is no run, such as what was downloaded of one."""
    keys = [key for key in store.list() if key.endswith(SUMMARY)]
    summaries = [key for key in keys if _is_summary(key)]
    if summaries:
        return read_summary(_read(store, summaries[0], store.url))
    below = sorted({key.split("/")[0] for key in keys if _is_summary(key.partition("/")[2])})
    raise NotARunError(f"there is no {SUMMARY} in {store.url}", _cure(below))


def _is_summary(key: str) -> bool:
    """That of a run, or one that lies in a folder by itself, as older programs left it."""
    folder, _, name = key.rpartition("/")
    return name == SUMMARY and (
        not folder or ("/" not in folder and folder.endswith(f"_{COMBINE}"))
    )


def _cure(runs: Sequence[str]) -> str:
    """What to do where a folder has no summary, but perhaps folders of runs."""
    if not runs:
        return "give the folder of a finished run"
    more = f" and {len(runs) - 3} more" if len(runs) > 3 else ""
    return f"name one of the runs in it: {', '.join(runs[:3])}{more}"


def _read(store: Store, key: str, text: str) -> bytes:
    if store.size(key) is None:
        raise NotARunError(f"there is no file {text}", "check its path")
    return store.read(key)
