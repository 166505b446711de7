"""What a run found, all dates and collections together."""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np

from pyveg import formats
from pyveg.core import module, params
from pyveg.core.errors import KeyMissingError
from pyveg.core.module import Job, Planning, SequencePlan
from pyveg.core.tasks import plain_scope, scope_from_json
from pyveg.core.types import DateRange, Item, Scope
from pyveg.modules.download import PRECIPITATION, TEMPERATURE

Record = dict[str, Any]

METRICS = ("offset50", "ndvi_mean", "cover", "signal_cover", "ndvi", "valid_fraction")
"""What `series.csv` tells of each date, beside the weather."""
COLUMNS = (
    "date",
    "collection",
    "chips",
    *(f"{metric}{part}" for metric in METRICS for part in ("", "_q25", "_q75")),
    PRECIPITATION,
    TEMPERATURE,
)


@dataclass(frozen=True)
class Series:
    """One collection as the combiner reads it."""

    scope: Scope
    items: tuple[Item, ...]
    task_ids: Mapping[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """Its name in the summary."""
        return self.scope.collection.collection_name if self.scope.collection else ""

    @property
    def data_type(self) -> str:
        """``vegetation`` or ``weather``."""
        return self.scope.collection.data_type if self.scope.collection else ""


class VegAndWeatherJsonCombiner(module.Module[module.Settings]):
    """Join the records of all collections and dates in `results_summary.json` and `series.csv`.

    It runs on what there is, and the summary says what is missing and why.
    """

    role: ClassVar[module.Role] = "combine"

    def items(self, planning: Planning, settings: module.Settings) -> Sequence[Item]:
        """One Item: everything."""
        del settings
        series = [_pack(before) for before in planning.upstream]
        return [Item("all", {"series": series, "about": dict(planning.about)})]

    def run(self, job: Job[module.Settings]) -> None:
        """Write the summary, date by date, so that memory does not grow with their number."""
        series = [_unpack(data) for data in job.item.details["series"]]
        series.sort(key=lambda one: one.data_type != "weather")
        found = Found()
        with job.store.open_write(job.layout.results_summary()) as stream:
            for part in _summary(job, series, found):
                stream.write(part.encode())
        job.store.write(job.layout.series(), found.table())
        job.notes["missing"] = {name: len(reasons) for name, reasons in found.missing.items()}


@dataclass
class Found:
    """What is remembered of the dates that have been written."""

    dates: dict[str, list[Item]] = field(default_factory=dict)
    """Name of a collection -> Items that have data."""
    missing: dict[str, dict[str, str]] = field(default_factory=dict)
    """Name of a collection -> date -> why it gave nothing, or not everything."""
    rows: list[Record] = field(default_factory=list)

    def add(self, series: Series, item: Item, data: Any, reason: str) -> None:
        """Remember one date."""
        if reason:
            self.missing.setdefault(series.name, {})[item.name] = reason
        if data is None:
            return
        self.dates.setdefault(series.name, []).append(item)
        row = {"date": item.name, "collection": series.name}
        self.rows.append(row | (data if series.data_type == "weather" else _quartiles(data)))

    def table(self) -> bytes:
        """The series, a row per collection and date, as CSV."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue().encode()


def _quartiles(records: Sequence[Record]) -> Record:
    """Median and quartiles over the chips of a date."""
    row: Record = {"chips": len(records)}
    for metric in METRICS:
        values = [record[metric] for record in records if metric in record]
        known = np.array(values, dtype=np.float64)
        known = known[np.isfinite(known)]
        if known.size:
            quarters = np.quantile(known, [0.25, 0.5, 0.75])
            names = (f"{metric}_q25", metric, f"{metric}_q75")
            row |= dict(zip(names, np.round(quarters, 6).tolist(), strict=True))
    return row


def _summary(job: Job[Any], series: Sequence[Series], found: Found) -> Iterator[str]:
    """The parts of the JSON text, one date at a time."""
    yield "{\n"
    for one in series:
        yield f'{_text(one.name)}: {{\n"type": {_text(one.data_type)},\n"time-series-data": {{\n'
        for number, item in enumerate(one.items):
            data = _read(job, one, item.name)
            found.add(one, item, data, _reason(job, one, item.name, data))
            lines = formats.encode_records(data).decode() if isinstance(data, list) else _text(data)
            yield f"{',' if number else ''}{_text(item.name)}: {lines.strip()}\n"
        yield f'}},\n"periods": {_text(_periods(one.items))}\n}},\n'
    yield f'"metadata": {_text(_metadata(job, series, found), indent=1)},\n'
    yield f'"missing": {_text(found.missing, indent=1)}\n}}\n'


def _text(value: Any, indent: int | None = None) -> str:
    return formats.encode_json(value, indent=indent).decode().strip()


def _pack(plan: SequencePlan) -> dict[str, Any]:
    items = [
        [item.name, params.plain(item.details), list(plan.task_ids[item.name])]
        for item in plan.items
    ]
    return {"scope": plain_scope(plan.scope), "items": items}


def _unpack(data: Mapping[str, Any]) -> Series:
    items = tuple(Item(name, details) for name, details, _ in data["items"])
    task_ids = {name: tuple(ids) for name, _, ids in data["items"]}
    return Series(scope_from_json(data["scope"]), items, task_ids)


def _read(job: Job[Any], series: Series, item: str) -> Any:
    """What was found for one date; None where there is nothing."""
    read = _weather if series.data_type == "weather" else _chips
    return read(job, series.scope, item)


def _weather(job: Job[Any], scope: Scope, item: str) -> Record | None:
    found: Record | None = _json(job, job.layout_of(scope).weather_data(item))
    return found


def _chips(job: Job[Any], scope: Scope, item: str) -> list[Record] | None:
    """Records of the chips, those of both kinds joined."""
    layout = job.layout_of(scope)
    keys = (layout.network_centralities(item), layout.ndvi_values(item))
    joined: dict[int, Record] = {}
    for key in keys:
        for record in _json(job, key) or ():
            joined.setdefault(record["chip"], {}).update(record)
    return [joined[chip] for chip in sorted(joined)] or None


def _json(job: Job[Any], key: str) -> Any:
    try:
        return formats.decode_json(job.store.read(key))
    except KeyMissingError:
        return None


def _reason(job: Job[Any], series: Series, item: str, data: Any) -> str:
    """Why a date gave nothing, or not everything; empty where nothing is missing."""
    for task_id in series.task_ids[item]:
        if task_id in job.missing:
            return job.missing[task_id]
    return "no Module of the sequence made records" if data is None else ""


def _periods(items: Iterable[Item]) -> dict[str, list[str]]:
    """Date -> first day of its period, and the day after its last."""
    return {item.name: [str(item.period.start), str(item.period.end)] for item in items}


def _metadata(job: Job[Any], series: Sequence[Series], found: Found) -> Record:
    main = next((one for one in series if one.data_type == "vegetation"), series[0])
    dates, collection = main.scope.date_range, main.scope.collection
    about = {key: value for key, value in job.item.details["about"].items() if value is not None}
    return {
        "start_date": str(dates.start) if dates else None,
        "end_date": str(dates.end) if dates else None,
        "time_per_point": collection.time_per_point if collection else None,
        "longitude": job.place.longitude,
        "latitude": job.place.latitude,
        "region_size": job.place.region_size,
        "collection": main.name,
        "num_data_points": _data_points(series, found),
        **about,
        "tag": f"pyveg-{version('pyveg')}",
    }


def _data_points(series: Sequence[Series], found: Found) -> int:
    """Dates that have vegetation and, where there is weather at all, weather of their period."""
    items: dict[str, list[Item]] = {"vegetation": [], "weather": []}
    for one in series:
        items[one.data_type] += found.dates.get(one.name, [])
    types = {one.data_type for one in series}
    if len(types) == 1:
        return len(items[types.pop()])
    periods = sorted((item.period for item in items["weather"]), key=lambda period: period.start)
    starts = [period.start for period in periods]
    return sum(_within(item, starts, periods) for item in items["vegetation"])


def _within(item: Item, starts: Sequence[date], periods: Sequence[DateRange]) -> bool:
    """Whether the middle day of an Item lies in one of some periods, which do not overlap."""
    day = date.fromisoformat(item.name)
    index = bisect_right(starts, day) - 1
    return index >= 0 and day < periods[index].end
