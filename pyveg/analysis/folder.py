"""An analysis on disk: tables, figures, a report; and read back.

::

    <collection>/analysis.json               verdict, power, settings, seed, versions, config
    <collection>/tables/<name>.csv|.parquet
    <collection>/figures/<name>.png|.svg
    <collection>/pictures/<date>.jpg         small RGB pictures
    <collection>/report.html
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.data.axis import Axis
from pyveg.analysis.data.series import Series
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.spatial.over_time import Snapshots
from pyveg.analysis.temporal.climate import Climate
from pyveg.analysis.temporal.indicators import Temporal
from pyveg.analysis.temporal.power import Power
from pyveg.analysis.verdict import Verdict
from pyveg.core.errors import DataError, NotARunError
from pyveg.core.ports import Store
from pyveg.runs.run import folders_with

FOLDER = "analysis"
RECORD = "analysis.json"
REPORT = "report.html"
FORMAT = 1


def folder_name(collection: str) -> str:
    """Folder of a collection's analysis: its name, without what a path could not hold."""
    return re.sub(r"[^\w.-]+", "-", collection).strip("-.") or "no-collection"


def table_files(name: str, table: pd.DataFrame) -> dict[str, bytes]:
    """A table as CSV, and as Parquet where pyarrow is installed (``pyveg[analysis]``)."""
    files = {f"{name}.csv": table.to_csv(index=False, lineterminator="\n").encode()}
    if find_spec("pyarrow") is not None:
        stream = io.BytesIO()
        table.to_parquet(stream, index=False)
        files[f"{name}.parquet"] = stream.getvalue()
    return files


def write_analysis(analysis: Analysis, store: Store, prefix: str = FOLDER) -> str:
    """Write everything but figures and report; `analysis.json` comes last.

    Returns
    -------
    str
        Folder that it was written to, a key of the Store.
    """
    folder = "/".join(part for part in (prefix, folder_name(analysis.series.collection)) if part)
    for name, table in analysis.tables().items():
        for file, data in table_files(name, table).items():
            store.write(f"{folder}/tables/{file}", data)
    for date, picture in analysis.snapshots.pictures.items():
        store.write(f"{folder}/pictures/{date}.jpg", picture)
    store.write(f"{folder}/{RECORD}", _record(analysis))
    return folder


def analyses_in(store: Store, prefix: str = "") -> list[str]:
    """Folders of the analyses that a Store holds under a prefix, in order."""
    return folders_with(store, RECORD, prefix)


def read_analysis(store: Store, folder: str) -> Analysis:
    """Read what `write_analysis` wrote.

    Raises
    ------
    NotARunError
        If there is no analysis in that folder.
    DataError
        If it is damaged, or from another version of pyveg.
    """
    base = f"{folder}/" if folder else ""
    if store.size(f"{base}{RECORD}") is None:
        raise NotARunError(
            f"there is no {RECORD} in {store.url}/{folder}; make it with pyveg_gee_analysis"
        )
    try:
        record = json.loads(store.read(f"{base}{RECORD}"))
        if record.get("format") != FORMAT:
            raise DataError(
                f"{store.url}/{base}{RECORD} is of another version of pyveg "
                f"({record.get('versions', {}).get('pyveg')}); make it again with "
                "pyveg_gee_analysis"
            )
        tables = {name: _read_table(store, f"{base}tables/{name}.csv") for name in record["tables"]}
        prefix = f"{base}pictures/"
        keys = sorted(store.list(prefix))
        pictures = {key.removeprefix(prefix).removesuffix(".jpg"): store.read(key) for key in keys}
        return _analysis(record, tables, pictures)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{store.url}/{base}{RECORD} is damaged: {error}") from error


def _record(analysis: Analysis) -> bytes:
    axis = analysis.series.axis
    record = {
        "format": FORMAT,
        **analysis.record(),
        "axis": None if axis is None else {"months": axis.months, "days": axis.days},
        "tables": list(analysis.tables()),
    }
    text = json.dumps(_plain(record), indent=1, ensure_ascii=False)
    return f"{text}\n".encode()


def _plain(value: Any) -> Any:
    """Without NumPy's types; NaN becomes null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


_TEXT = ("collection", "metric", "indicator", "direction", "reason", "null", "rule", "change",
         "family", "statistic", "expected", "says", "law", "part", "signal")  # fmt: skip


def _read_table(store: Store, key: str) -> pd.DataFrame:
    data = store.read(key)
    if not data.strip():
        return pd.DataFrame()
    table = pd.read_csv(
        io.BytesIO(data),
        keep_default_na=False,
        na_values=[""],
        dtype=dict.fromkeys(_TEXT, str),
    )
    for name in table.columns:
        if name in _TEXT:
            table[name] = table[name].fillna("")
        elif name == "date":
            table[name] = pd.to_datetime(table[name])
    return table


def _analysis(
    record: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], pictures: Mapping[str, bytes]
) -> Analysis:
    settings = AnalysisSettings(**{
        **record["settings"], "indicators": tuple(record["settings"]["indicators"])
    })  # fmt: skip
    controlled = None
    if record["climate"]["drivers"]:
        controlled = Temporal(
            tables["climate_trends"], tables["climate_indicators"], pd.DataFrame(), settings
        )
    climate, said = record["climate"], record["verdict"]
    return Analysis(
        source=record["source"],
        series=_series(record, tables["series"]),
        temporal=Temporal(tables["trends"], tables["indicators"], tables["parts"], settings),
        climate=Climate(
            tables["climate"], controlled, tuple(climate["drivers"]), climate["reason"]
        ),
        levels=tables["levels"],
        sensitivity=tables["sensitivity"],
        rain=tables["rain_response"],
        recovery=tables["drought_recovery"],
        power=tuple(_power(one) for one in record["power"]),
        snapshots=Snapshots(
            tables["spatial"], tables["spatial_trends"], tables["spatial_tests"],
            tables["spectra"], tables["patch_laws"], pictures, record["images"]["reason"],
        ),
        agreement=tables["agreement"],
        verdict=Verdict(
            said["level"], said["headline"], tuple(said["because"]), tuple(said["conditions"])
        ),
        settings=settings,
        config=record["config"],
        versions=record["versions"],
    )  # fmt: skip


def _series(record: Mapping[str, Any], table: pd.DataFrame) -> Series:
    axis = None
    if record["axis"] is not None:
        dates = pd.DatetimeIndex(table.groupby("step")["date"].first())
        axis = Axis(dates, record["axis"]["months"], record["axis"]["days"])
    notes = tuple(record["notes"])
    return Series(record["collection"], table, axis, notes, record["metadata"])


def _power(one: Mapping[str, Any]) -> Power:
    known = {name: value for name, value in one.items() if name != "text"}
    for name in ("power", "low", "high", "critical_tau"):
        known[name] = float("nan") if known[name] is None else known[name]
    return Power(**known)
