"""The results of a run, all dates and collections together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from importlib.metadata import version
from typing import Any, ClassVar

from pyveg import formats
from pyveg.core import module, params, registry
from pyveg.core.errors import KeyMissingError
from pyveg.core.module import Planning, SequencePlan
from pyveg.core.tasks import plain_scope, scope_from_json, task_id
from pyveg.core.types import Item
from pyveg.core.values import read_json
from pyveg.earth.cadence import find_cadence
from pyveg.earth.layout import Layout
from pyveg.earth.metrics import Metric, Support, merged
from pyveg.earth.module import EarthJob, EarthModule
from pyveg.earth.periods import middle_of, period_of
from pyveg.earth.subject import Subject, collection_of
from pyveg.earth.types import Collection, DateRange
from pyveg.modules.series_table import row_of, write_columns, write_table

Record = dict[str, Any]


@dataclass(frozen=True)
class Series:
    """One collection as the combiner reads it."""

    subject: Subject
    collection: Collection
    layout: Layout
    items: tuple[Item, ...]
    sequence: str
    steps: tuple[str, ...]
    """Names of all its Modules in the registry, in order."""
    modules: tuple[type[EarthModule[Any]], ...]
    """Those of its Modules that measure something."""
    measuring: tuple[str, ...]
    """Their names in the registry."""
    measured: Mapping[str, tuple[Metric, ...]] = field(default_factory=dict)
    """Name of a class -> what it measures, where its settings decide on that."""

    @property
    def name(self) -> str:
        """Its name in the summary."""
        return self.collection.collection_name

    @property
    def is_weather(self) -> bool:
        """Whether its records are the weather of the place."""
        return self.collection.data_type == "weather"

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """What its Modules measure, by name."""
        return merged((cls.__name__, self.of(cls)) for cls in self.modules)

    def of(self, cls: type[EarthModule[Any]]) -> tuple[Metric, ...]:
        """What one of its Modules measures."""
        return self.measured.get(cls.__name__, cls.metrics)

    @cached_property
    def time_per_point(self) -> str:
        """Its step: of the collection, or what the dates say where that states none."""
        days = (middle_of(period_of(item)) for item in self.items)
        return self.collection.time_per_point or find_cadence(days).text


@dataclass(frozen=True)
class Measured:
    """What was measured on one date."""

    chips: Sequence[Record] = ()
    place: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.chips or self.place)


class VegAndWeatherJsonCombiner(EarthModule[module.Settings]):
    """Join the records of all collections and dates in `results_summary.json` and `series.csv`.

    `series_columns.csv` says in which unit each column of the table is.

    It takes whatever the Modules of the collections declare. It runs on what there is, and the
    summary says what is missing and why.
    """

    version: ClassVar[int] = 3
    role: ClassVar[module.Role] = "combine"

    def items(self, planning: Planning, settings: module.Settings) -> Sequence[Item]:
        """One Item: everything."""
        del settings
        series = [_pack(one) for one in planning.upstream if collection_of(one.scope) is not None]
        return [Item("all", {"series": series, "about": dict(planning.about)})]

    def run(self, job: EarthJob[module.Settings]) -> None:
        """Write the summary, date by date, so that memory does not grow with their number."""
        series = [_unpack(data) for data in job.item.details["series"]]
        series.sort(key=lambda one: not one.is_weather)
        tally = Tally()
        with job.store.open_write(job.layout.results_summary()) as stream:
            for part in _summary(job, series, tally):
                stream.write(part.encode())
        shown = [metric for metric in _all_metrics(series).values() if metric.in_series]
        job.store.write(job.layout.series(), write_table(tally.rows, shown))
        job.store.write(job.layout.series_columns(), write_columns(shown))
        job.notes["missing"] = {name: len(reasons) for name, reasons in tally.missing.items()}


@dataclass
class Tally:
    """What has to be remembered of the dates that have been written."""

    dates: dict[str, list[Item]] = field(default_factory=dict)
    """Name of a collection -> Items that have data."""
    missing: dict[str, dict[str, str]] = field(default_factory=dict)
    """Name of a collection -> date -> why it gave nothing, or not everything."""
    rows: list[Record] = field(default_factory=list)

    def add(self, series: Series, item: Item, measured: Measured, reason: str) -> None:
        """Remember one date."""
        if reason:
            self.missing.setdefault(series.name, {})[item.name] = reason
        if not measured:
            return
        self.dates.setdefault(series.name, []).append(item)
        shown = [metric for metric in series.metrics.values() if metric.in_series]
        row = row_of(measured.chips, measured.place, shown)
        self.rows.append({"date": item.name, "collection": series.name, **row})


def _all_metrics(series: Iterable[Series]) -> dict[str, Metric]:
    """Metrics of all collections, vegetation before weather."""
    metrics: dict[str, Metric] = {}
    for one in sorted(series, key=lambda one: one.is_weather):
        for name, metric in one.metrics.items():
            metrics.setdefault(name, metric)
    return metrics


def _summary(job: EarthJob[Any], series: Sequence[Series], tally: Tally) -> Iterator[str]:
    """The parts of the JSON text, one date at a time."""
    yield "{\n"
    for one in series:
        yield f'{_text(one.name)}: {{\n"type": {_text(one.collection.data_type)},\n'
        yield '"time-series-data": {\n'
        of_place: dict[str, Any] = {}
        # Written as it is read: years of chips as one object would take gigabytes.
        for number, item in enumerate(one.items):
            measured = _read(job, one, item.name)
            tally.add(one, item, measured, _reason(job, one, item.name, measured))
            if measured.place and not one.is_weather:
                of_place[item.name] = measured.place
            lines = _lines(one, measured)
            yield f"{',' if number else ''}{_text(item.name)}: {lines.strip()}\n"
        yield "},\n"
        if of_place:
            yield f'"place": {_text(of_place)},\n'
        metrics = [metric.to_json() for metric in one.metrics.values()]
        yield f'"metrics": {_text(metrics)},\n"time_per_point": {_text(one.time_per_point)},\n'
        yield f'"periods": {_text(_periods(one.items))}\n}},\n'
    yield f'"metadata": {_text(_metadata(job, series, tally), indent=1)},\n'
    yield f'"missing": {_text(tally.missing, indent=1)}\n}}\n'


def _lines(series: Series, measured: Measured) -> str:
    """One date of the time series: a record of the weather, or a list of records of chips."""
    if series.is_weather:
        return _text(measured.place or None)
    return formats.encode_records(measured.chips).decode() if measured.chips else "null"


def _text(value: Any, indent: int | None = None) -> str:
    return formats.encode_json(value, indent=indent).decode().strip()


def _pack(plan: SequencePlan) -> dict[str, Any]:
    items = [[item.name, params.plain(item.details)] for item in plan.items]
    packed = {"scope": plain_scope(plan.scope), "items": items, "modules": list(plan.modules)}
    measured = {
        cls.__name__: [metric.to_json() for metric in cls.measures(settings)]
        for cls, settings in zip(map(_class, plan.modules), plan.settings, strict=False)
        if issubclass(cls, EarthModule) and cls.measures(settings) != cls.metrics
    }
    return {**packed, "measured": measured} if measured else packed


def _class(name: str) -> type[module.Module[Any]]:
    cls: type[module.Module[Any]] = registry.load("module", name)
    return cls


def _unpack(data: Mapping[str, Any]) -> Series:
    scope = scope_from_json(data["scope"])
    subject = Subject.of(scope)
    if subject.collection is None:
        raise TypeError(f"{scope.sequence} was packed without a collection")
    classes = {name: _class(name) for name in data["modules"]}
    measuring = {
        name: cls for name, cls in classes.items() if issubclass(cls, EarthModule) and cls.metrics
    }
    measured = {
        name: tuple(map(Metric.from_json, metrics))
        for name, metrics in data.get("measured", {}).items()
    }
    return Series(
        subject=subject,
        collection=subject.collection,
        layout=Layout(subject.place, scope.sequence),
        items=tuple(Item(name, details) for name, details in data["items"]),
        sequence=scope.sequence,
        steps=tuple(data["modules"]),
        modules=tuple(measuring.values()),
        measuring=tuple(measuring),
        measured=measured,
    )


def _read(job: EarthJob[Any], series: Series, item: str) -> Measured:
    """What was measured on one date."""
    chips: dict[int, Record] = {}
    place: Record = {}
    for step, cls in zip(series.measuring, series.modules, strict=True):
        if task_id(series.sequence, step, item) in job.missing:
            continue  # what is there was left by an earlier try of the date
        own = {metric.name for metric in series.of(cls)} | set(cls.attributes)
        for record in _records(job, series, item, cls, "chip") or ():
            # By number: the Modules may have measured different chips of a date.
            _merge(chips.setdefault(record["chip"], {}), record, own)
        _merge(place, _records(job, series, item, cls, "place") or {}, own)
    return Measured([chips[chip] for chip in sorted(chips)], place)


def _merge(record: Record, more: Mapping[str, Any], own: set[str]) -> None:
    """Add what another Module says; what it only repeats of the chip replaces nothing."""
    record.update(
        {name: value for name, value in more.items() if name in own or name not in record}
    )


def _records(
    job: EarthJob[Any], series: Series, item: str, cls: type[EarthModule[Any]], support: Support
) -> Any:
    """What a Module wrote of a date; None where it measures nothing of that kind, or has failed."""
    if not any(metric.support == support for metric in series.of(cls)):
        return None
    try:
        key = series.layout.records(item, cls.records_file(support))
        return formats.decode_json(job.store.read(key))
    except KeyMissingError:
        return None


def _reason(job: EarthJob[Any], series: Series, item: str, measured: Measured) -> str:
    """Why a date gave nothing, or not everything; empty where nothing is missing."""
    if job.missing:
        for step in series.steps:
            reason = job.missing.get(task_id(series.sequence, step, item))
            if reason is not None:
                return reason
    return "" if measured else "no Module of the sequence made records"


def _periods(items: Iterable[Item]) -> dict[str, list[str]]:
    """Date -> first day of its period, and the day after its last."""
    return {item.name: [str(period_of(item).start), str(period_of(item).end)] for item in items}


def _metadata(job: EarthJob[Any], series: Sequence[Series], tally: Tally) -> Record:
    # A run of weather alone is described by that.
    main = next((one for one in series if not one.is_weather), series[0])
    dates = main.subject.date_range
    about = {key: value for key, value in job.item.details["about"].items() if value is not None}
    return {
        "start_date": str(dates.start),
        "end_date": str(dates.end),
        "time_per_point": main.time_per_point,
        "longitude": job.place.longitude,
        "latitude": job.place.latitude,
        "region_size": job.place.region_size,
        **({"outline": read_json(job.place.outline)} if job.place.outline else {}),
        "collection": main.name,
        "num_data_points": _data_points(series, tally),
        **about,
        "tag": f"pyveg-{version('pyveg')}",
    }


def _data_points(series: Sequence[Series], tally: Tally) -> int:
    """Dates that have vegetation and, where there is weather at all, weather of their period."""
    items: dict[bool, list[Item]] = {False: [], True: []}
    for one in series:
        items[one.is_weather] += tally.dates.get(one.name, [])
    kinds = {one.is_weather for one in series}
    if len(kinds) == 1:
        return len(items[kinds.pop()])
    periods = sorted((period_of(item) for item in items[True]), key=lambda period: period.start)
    starts = [period.start for period in periods]
    return sum(_within(item, starts, periods) for item in items[False])


def _within(item: Item, starts: Sequence[date], periods: Sequence[DateRange]) -> bool:
    """Whether the middle day of an Item lies in one of some periods, which do not overlap."""
    day = date.fromisoformat(item.name)
    index = bisect_right(starts, day) - 1
    return index >= 0 and day < periods[index].end
