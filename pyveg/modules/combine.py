"""What a run found, all dates and collections together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from typing import Any, ClassVar

from pyveg import formats
from pyveg.core import module, params
from pyveg.core.errors import KeyMissingError
from pyveg.core.module import Job, Planning, SequencePlan
from pyveg.core.tasks import plain_scope, scope_from_json
from pyveg.core.types import DateRange, Item, Scope

Record = dict[str, Any]


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
    """Join the records of all collections and dates in `results_summary.json`.

    It runs on what there is, and the summary says what is missing and why.
    """

    role: ClassVar[module.Role] = "combine"

    def items(self, planning: Planning, settings: module.Settings) -> Sequence[Item]:
        """One Item: everything."""
        del settings
        series = [_pack(before) for before in planning.upstream]
        return [Item("all", {"series": series, "about": dict(planning.about)})]

    def run(self, job: Job[module.Settings]) -> None:
        """Write the summary."""
        series = [_unpack(data) for data in job.item.details["series"]]
        found = {one.name: _read(job, one) for one in series}
        missing = {one.name: _missing(job, one, found[one.name]) for one in series}
        summary: dict[str, Any] = {
            one.name: {
                "type": one.data_type,
                "time-series-data": found[one.name],
                "periods": _periods(one.items),
            }
            for one in sorted(series, key=lambda one: one.data_type != "weather")
        }
        summary["metadata"] = _metadata(job, series, found)
        summary["missing"] = {name: reasons for name, reasons in missing.items() if reasons}
        job.notes["missing"] = {name: len(reasons) for name, reasons in missing.items()}
        job.store.write(job.layout.results_summary(), formats.encode_json(summary, indent=2))


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


def _read(job: Job[Any], series: Series) -> dict[str, Any]:
    """What was found for each date; None where there is nothing."""
    read = _weather if series.data_type == "weather" else _chips
    return {item.name: read(job, series.scope, item.name) for item in series.items}


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


def _missing(job: Job[Any], series: Series, found: Mapping[str, Any]) -> dict[str, str]:
    """Date -> why it gave nothing, or not everything."""
    reasons: dict[str, str] = {}
    for name, task_ids in series.task_ids.items():
        told = [job.missing[task_id] for task_id in task_ids if task_id in job.missing]
        if told:
            reasons[name] = told[0]
        elif found[name] is None:
            reasons[name] = "no Module of the sequence made records"
    return reasons


def _periods(items: Iterable[Item]) -> dict[str, list[str]]:
    """Date -> first day of its period, and the day after its last."""
    return {item.name: [str(item.period.start), str(item.period.end)] for item in items}


def _metadata(
    job: Job[Any], series: Sequence[Series], found: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    vegetation = [one for one in series if one.data_type == "vegetation"]
    weather = [one for one in series if one.data_type == "weather"]
    main = (vegetation or weather)[0]
    dates = main.scope.date_range
    about = {key: value for key, value in job.item.details["about"].items() if value is not None}
    return {
        "start_date": str(dates.start) if dates else None,
        "end_date": str(dates.end) if dates else None,
        "time_per_point": main.scope.collection.time_per_point if main.scope.collection else None,
        "longitude": job.place.longitude,
        "latitude": job.place.latitude,
        "region_size": job.place.region_size,
        "collection": main.name,
        "num_data_points": _data_points(vegetation, weather, found),
        **about,
        "tag": f"pyveg-{version('pyveg')}",
    }


def _data_points(
    vegetation: Sequence[Series],
    weather: Sequence[Series],
    found: Mapping[str, Mapping[str, Any]],
) -> int:
    """Dates that have vegetation and, where there is weather at all, weather of their period."""
    periods = sorted(
        (item.period for one in weather for item in one.items if found[one.name][item.name]),
        key=lambda period: period.start,
    )
    dates = [item for one in vegetation for item in one.items if found[one.name][item.name]]
    if not weather or not vegetation:
        return len(dates) or len(periods)
    return sum(_within(item, periods) for item in dates)


def _within(item: Item, periods: Sequence[DateRange]) -> bool:
    """Whether the middle day of an Item lies in one of some periods, which do not overlap."""
    day = date.fromisoformat(item.name)
    index = bisect_right([period.start for period in periods], day) - 1
    return index >= 0 and day < periods[index].end
