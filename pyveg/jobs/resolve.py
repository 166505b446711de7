"""From the settings of a config to a Pipeline: defaults, precedence, and every check.

Precedence, highest first: ``special_config`` of the Module, ``special_config`` of its collection,
the top of the config, the collection's record, the Module's own default.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from pyveg.core import engines as engine_settings
from pyveg.core import params, registry
from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.core.layout import COMBINE
from pyveg.core.limits import AtLimit
from pyveg.core.module import MOVED, RETIRED, Module, Settings
from pyveg.core.pipeline import Pipeline
from pyveg.core.ports import Runner
from pyveg.core.sequence import ModuleSpec, Sequence
from pyveg.core.texts import brief
from pyveg.core.types import Scope
from pyveg.earth import metrics, periods
from pyveg.earth.module import EarthModule
from pyveg.earth.source import open_source
from pyveg.earth.subject import Subject, collection_of, has_subject
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.jobs import engines, image_places, names, operating, regions
from pyveg.runs.written_dates import FIRST_YEAR, LAST_YEAR
from pyveg.sources.products import life, product_of

COLLECTION_FIELDS = (
    "collection_name",
    "data_type",
    "source",
    "min_date",
    "max_date",
    "time_per_point",
)
"""What a collection's record says of itself, not of a Module or Source."""

DEFAULT_SOURCE = "earth_engine"
"""Where records that name no source come from, those of the older pyveg."""

_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")

REGION = "region_size"
"""A setting of the place, which may be given to any Module that once had it."""


@dataclass(frozen=True, kw_only=True)
class TopLevel:
    """The names at the top of a config."""

    name: str = params.setting("pyveg", doc="name of the job")
    output_location: str = params.setting(doc="where runs are written to; a date stamp is added")
    output_location_type: str = params.setting(
        "local", doc='"local", "azure" or a protocol of fsspec, such as "s3"'
    )
    coordinates: tuple[float, float] | None = params.setting(
        None, doc="(longitude, latitude), degrees", finite=False
    )
    region_size: float | None = params.setting(
        None, doc="side of the square region, degrees", low=1e-6, high=20
    )
    region: str | None = params.setting(
        None, doc="GeoJSON file; what lies outside of its polygons is left out"
    )
    index: str | None = params.setting(
        None, doc="vegetation index that is measured in place of NDVI, such as MSAVI"
    )
    index_formula: str | None = params.setting(None, doc="formula of an index of your own")
    date_range: tuple[date, date] | None = params.setting(
        None, doc="first day, and the day after the last"
    )
    time_per_point: str | None = params.setting(None, doc='length of a period, such as "1m"')
    data_collections: dict[str, Any] | None = params.setting(
        None, doc="records of the known collections", finite=False
    )
    collections_to_use: tuple[str, ...] | None = params.setting(
        None, doc="keys in data_collections"
    )
    modules_to_use: dict[str, Any] = params.setting(doc="collection -> names of its Modules")
    special_config: dict[str, Any] = params.setting(
        {}, doc="Module or collection -> settings", finite=False
    )
    coords_id: str | None = params.setting(None, doc="your name of the place")
    coordinate_id: str | None = params.setting(None, doc="your name of the place")
    pattern_type: str | None = params.setting(None, doc="your name of its pattern")
    runner: str = params.setting(
        "processes", doc='engine of Modules with run_mode = "local": "processes", "threads" ...'
    )
    n_workers: int | None = params.setting(
        None, doc="Tasks that may run at once", low=1, high=100_000
    )
    engines: dict[str, Any] = params.setting({}, doc="engine -> settings of it", finite=False)
    analysis: bool | dict[str, Any] = params.setting(
        False, doc="analyse the results at the end of the run; or settings of that analysis"
    )
    max_node_hours: float | None = params.setting(
        None, doc="node-hours that a run may use (docs/costs.md)", low=0
    )
    max_cost: float | None = params.setting(
        None, doc="what a run may cost, in the currency of prices", low=0
    )
    max_hours: float | None = params.setting(None, doc="hours that a run may last", low=0)
    at_limit: AtLimit | None = params.setting(
        None, doc='"finish" (if left out) or "cancel" tasks that have begun at a limit'
    )
    prices: dict[str, Any] | str | None = params.setting(
        None, doc="what you pay: a table, or the JSON file that has it (docs/costs.md)"
    )
    webhook: dict[str, Any] | str | None = params.setting(
        None, doc='"json", "teams" or "slack": how a run tells of itself (docs/costs.md)'
    )


_OF_COLLECTIONS = ("coordinates", "date_range", "data_collections", "collections_to_use")
"""What a job needs unless its Modules work on other things than collections."""

ModuleClass = tuple[str, type[Module[Any]]]
"""Name and class of a Module."""


@dataclass
class _Job:
    """A config while it is being resolved."""

    top: TopLevel
    warnings: list[str] = field(default_factory=list)
    used: set[tuple[str, str]] = field(default_factory=set)
    """What was taken from ``special_config``: (key, setting)."""

    def warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    @cached_property
    def region(self) -> tuple[Place, DateRange]:
        """What a job about a place looks at, and when."""
        _check_given(self.top, self.records())
        return _place(self), _dates(self.top)

    def records(self) -> dict[str, Mapping[str, Any]]:
        """Records of the collections that are used, with what is said of them for this run."""
        known = self.top.data_collections or {}
        return {
            key: {**known[key], **self.special(key)}
            for key in _used(self.top)
            if isinstance(known.get(key), Mapping)
        }

    def special(self, key: str) -> dict[str, Any]:
        return dict(self.top.special_config.get(key, {}))


def resolve(settings: Mapping[str, Any], config_filename: str | None = None) -> Pipeline:
    """Make a Pipeline from the settings of a config.

    Parameters
    ----------
    settings : mapping
        Names at the top of a config and their values.
    config_filename : str, optional
        Kept with the results.

    Raises
    ------
    ConfigError
        For the first thing that is wrong, naming it and what to do.
    """
    top = _top_level(settings)
    _check_special_shape(top)
    job = _Job(top)
    modules = _modules(job)
    _check_special_keys(top, modules)
    sequences = [_sequence(job, key, modules[key]) for key in _used(top)]
    sequences += [_other_sequence(job, key, modules[key]) for key in _others(top, modules)]
    sequences += _combine(job, sequences, modules.get(COMBINE))
    _check_summary_names(sequences)
    _check_agreement(sequences)
    return Pipeline(
        name=top.name,
        sequences=tuple(sequences),
        output_location=str(top.output_location),
        output_location_type=top.output_location_type,
        runner=top.runner,
        n_workers=top.n_workers,
        engines=params.plain(top.engines),
        analysis=_analysis(top.analysis),
        about={
            "config_filename": config_filename,
            "coords_id": top.coords_id or top.coordinate_id,
            "pattern_type": top.pattern_type,
        },
        warnings=tuple(job.warnings),
        **operating.settled(vars(top)),
    )


def checked_over(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Values that replace those of a config, checked as those of a config are.

    Parameters
    ----------
    given : mapping
        Some names at the top of a config and their values.
    where : str
        Begins the messages of errors.

    Raises
    ------
    ConfigError
        For a value of the wrong type or beyond its limits, or a location that can be none.
    """
    values = params.checked(TopLevel, given, where)
    if "output_location" in values:
        _check_output(values["output_location"], where)
    return values


def is_known(name: str) -> bool:
    """Whether a config may have a name at its top, older names of engines' settings included."""
    return name in params.names(TopLevel) or bool(engines.given_in({name: None}, ()))


def _top_level(settings: Mapping[str, Any]) -> TopLevel:
    """The names at the top, with older names of engines' settings where they are now."""
    odd = next((name for name in settings if not isinstance(name, str)), None)
    if odd is not None:
        raise UnknownNameError("setting", odd, params.names(TopLevel), "config")
    older = engines.given_in(settings, tuple(params.names(TopLevel)))
    known = {name: value for name, value in settings.items() if name not in older}
    for name in known:
        if name not in params.names(TopLevel):
            raise _unknown(name)
    top = params.build(TopLevel, known, "config")
    _check_output(top.output_location)
    shown = ("name", "coords_id", "coordinate_id", "pattern_type")
    names.check_texts({name: getattr(top, name) for name in shown})
    engine_settings.check(top.engines, ())
    merged = engine_settings.with_old(top.engines, older, "config")
    engine_settings.check(merged, ())
    return replace(top, engines=merged)


def _check_output(location: str, where: str = "config") -> None:
    if not location.strip():
        raise ConfigError(f"{where}: output_location is empty", "name a folder or container")
    if os.name != "nt" and _OF_WINDOWS.match(location):
        raise ConfigError(
            f"{where}: output_location = {brief(location)} is a path of Windows, and this is none",
            "write it as it is here, such as /mnt/c/results",
        )


def _unknown(name: str) -> ConfigError:
    known = (*params.names(TopLevel), *engine_settings.old_names())
    error = UnknownNameError("setting", name, known, "config")
    return ConfigError(error.wrong, f'{error.cure} (names of your own begin with "_")')


def _analysis(given: bool | dict[str, Any]) -> bool | dict[str, Any]:
    """Whether results are analysed, or with which settings; they are checked now."""
    if not isinstance(given, dict):
        return given
    from pyveg.analysis.settings import AnalysisSettings

    params.build(AnalysisSettings, given, "analysis")
    return params.plain(given) or True


def _used(top: TopLevel) -> tuple[str, ...]:
    """Keys of the collections of this job; none where it works on other things."""
    return top.collections_to_use or ()


def _others(top: TopLevel, modules: Mapping[str, list[ModuleClass]]) -> list[str]:
    """Keys of Sequences whose Modules work without a collection."""
    return [
        key
        for key, pairs in modules.items()
        if key not in (COMBINE, *_used(top)) and not any(_needs_place(cls) for _, cls in pairs)
    ]


def _needs_place(cls: type[Module[Any]]) -> bool:
    """Whether a Module works on a collection of a place, or gathers such."""
    return issubclass(cls, EarthModule)


def _check_given(top: TopLevel, records: Mapping[str, Mapping[str, Any]]) -> None:
    for name in _OF_COLLECTIONS:
        if name == "coordinates" and (top.region or image_places.may_tell(records)):
            continue  # the region or the images say where they are
        if getattr(top, name) is None:
            doc = params.names(TopLevel)[name].metadata["doc"]
            raise ConfigError(f'config: the setting "{name}" must be given ({doc})')


def _place(job: _Job) -> Place:
    top = job.top
    # With any Module or collection, as in configs of the older pyveg; but a run has one region.
    sizes = {special[REGION] for special in top.special_config.values() if REGION in special} or (
        {top.region_size} if top.region_size is not None else set()
    )
    if len(sizes) > 1:
        raise ConfigError(
            f"special_config: region_size has two values, {sorted(sizes)}", "give one"
        )
    size = params.convert(sizes.pop(), float, REGION, "config") if sizes else None
    if top.region is None and top.coordinates is None:
        found = image_places.of_images(job.records(), job.warn)
        return found if size is None else replace(found, region_size=size)
    if top.region is None and size is None:
        size = image_places.size_of_images(job.records())
    return regions.place_of(top.coordinates, size, top.region)


def _dates(top: TopLevel) -> DateRange:
    dates = DateRange(*(top.date_range or ()))
    if not FIRST_YEAR <= dates.start.year <= dates.end.year <= LAST_YEAR and not dates.empty:
        raise ConfigError(
            f"config: the date_range {dates} is not between {FIRST_YEAR} and {LAST_YEAR}",
            "give (first day, day after last)",
        )
    if dates.empty:
        what = "is empty" if dates.start == dates.end else "ends before it starts"
        raise ConfigError(
            f"config: the date_range {dates} {what}", "give (first day, day after last)"
        )
    return dates


def _check_special_shape(top: TopLevel) -> None:
    for key, special in top.special_config.items():
        if not isinstance(special, Mapping):
            raise ConfigError(
                f'special_config["{key}"] = {brief(special)} is no dictionary',
                "write {setting: value}",
            )


def _modules(job: _Job) -> dict[str, list[ModuleClass]]:
    """Module names and classes of each Sequence, combiners included.

    Where one needs a collection, all that belongs to collections is checked and settled.
    """
    top = job.top
    names.check_sequences(top.modules_to_use)
    modules = {key: _classes(key, chosen) for key, chosen in top.modules_to_use.items()}
    others = _others(top, modules)
    combiners = modules.get(COMBINE, ())
    elsewhere = not any(_needs_place(cls) for _, cls in combiners)
    rest = set(modules) - set(others) - ({COMBINE} if elsewhere else set())
    if others and top.collections_to_use is None and not rest:
        for name in ("coordinates", "date_range"):
            if getattr(top, name) is not None:
                job.warn(f'"{name}" has no effect: no Module of this job works on a collection')
        return modules
    _ = job.region  # wrong coordinates and dates are reported before wrong collections
    _check_collections(top, modules, others)
    return modules


def _classes(key: str, given: Any) -> list[ModuleClass]:
    where = f'modules_to_use["{key}"]'
    chosen = params.convert(given, tuple[str, ...], where, "config")
    if not chosen:
        raise ConfigError(f"{where} is empty", "name at least one Module")
    return [(name, registry.load("module", name, where)) for name in chosen]


def _check_collections(
    top: TopLevel, modules: Mapping[str, list[ModuleClass]], others: Iterable[str]
) -> None:
    """Each collection must be known, and each Sequence a collection's unless it needs none."""
    used = _used(top)
    if not used:
        raise ConfigError("config: collections_to_use is empty", "name at least one collection")
    if len(set(used)) < len(used):
        raise ConfigError(
            "config: collections_to_use names a collection twice", "name each collection once"
        )
    for key in used:
        if key not in (top.data_collections or {}):
            known = top.data_collections or {}
            raise UnknownNameError("collection", key, known, "collections_to_use")
        if key not in modules:
            raise ConfigError(
                f'modules_to_use has no entry for the collection "{key}"',
                "name its Modules there, or take it out of collections_to_use",
            )
    for key in modules:
        if key not in (*used, COMBINE, *others):
            raise UnknownNameError("collection", key, (*used, COMBINE), "modules_to_use")


def _check_special_keys(top: TopLevel, modules: Mapping[str, list[ModuleClass]]) -> None:
    """Every key and setting of ``special_config`` must be one that acts."""
    used = {cls.__name__: cls for pairs in modules.values() for _, cls in pairs}
    for key, special in top.special_config.items():
        where = f'special_config["{key}"]'
        if key in used:
            for name in special:
                _check_name(name, {*params.names(used[key].Settings)}, used[key], where)
        elif key in _others(top, modules):
            known = {name for _, cls in modules[key] for name in params.names(cls.Settings)}
            for name in special:
                _check_name(name, known, None, where)
        elif key not in _used(top):
            raise UnknownNameError("module or collection", key, [*used, *_used(top)], where)


def _check_name(name: str, known: set[str], cls: type[Module[Any]] | None, where: str) -> None:
    if name in MOVED:
        raise ConfigError(f'{where}: "{name}" is no setting of a Module any more', MOVED[name])
    retired = {*RETIRED, *(cls.retired if cls else ())}
    if name not in known | retired | {REGION}:
        raise UnknownNameError("setting", name, known | {REGION}, where)


def _sequence(job: _Job, key: str, modules: list[tuple[str, type[Module[Any]]]]) -> Sequence:
    """One collection and its Modules, with all their settings."""
    where = f'data_collections["{key}"]'
    record = (job.top.data_collections or {})[key]
    if not isinstance(record, Mapping):
        raise ConfigError(
            f"{where} = {brief(record)} is no dictionary",
            "write a record as in pyveg.configs.collections",
        )
    given = {"source": DEFAULT_SOURCE, **record, **_from_top(job.top), **job.special(key)}
    source = params.convert(given["source"], str, "source", where)
    source_names = set(params.names(registry.load("source", source, where).Settings))
    _check_collection_names(record, job.special(key), source_names, modules, key)
    _warn_retired(job, given, ())
    collection = _collection(key, given, source_names)
    dates = _clip(job, collection)
    for _, cls in modules:
        wanted = getattr(cls, "data_type", None)
        if wanted not in (None, collection.data_type):
            raise ConfigError(
                f'modules_to_use["{key}"]: {cls.__name__} is for {wanted} collections',
                "move it to one of them",
            )
        if issubclass(cls, EarthModule):
            cls.check_declarations(f'modules_to_use["{key}"]')
    _check_ignored(job, source, (key, *(cls.__name__ for _, cls in modules)))
    # One name may be the Source's own, and of a downloader that has no say with that Source.
    own = source_names & set(registry.load("source", source).ignores)
    others = {name: value for name, value in given.items() if name not in own}
    specs = tuple(
        ModuleSpec(name, _settings(job, cls, others, modules, key)) for name, cls in modules
    )
    metrics.merged(
        (spec.cls.__name__, spec.cls.measures(spec.settings))
        for spec in specs
        if issubclass(spec.cls, EarthModule)
    )
    place, _ = job.region
    regions.check_pixels(place, collection, specs)
    return Sequence(Subject(place, dates, collection).scope(key), specs)


def _other_sequence(job: _Job, key: str, modules: list[ModuleClass]) -> Sequence:
    """Modules that work without a collection; what is said for the Sequence holds for all."""
    given = job.special(key)
    specs = [ModuleSpec(name, _settings(job, cls, given, modules, key)) for name, cls in modules]
    return Sequence(Scope(key), tuple(specs))


def _check_ignored(job: _Job, source: str, keys: tuple[str, ...]) -> None:
    """What is said for this run must act; a record may say more than its source heeds."""
    for key in keys:
        for name in job.special(key):
            cls = registry.load("source", source)
            # A name may be of the Source too, which heeds it where it is said of the collection.
            if name in cls.ignores and not (key == keys[0] and name in params.names(cls.Settings)):
                raise ConfigError(
                    f'special_config["{key}"]: "{name}" has no effect with the source "{source}"',
                    "leave it out",
                )


def _from_top(top: TopLevel) -> dict[str, Any]:
    """What is said for all collections at once."""
    shared = ("time_per_point", "index", "index_formula")
    given = {name: getattr(top, name) for name in shared}
    return {name: value for name, value in given.items() if value is not None}


def _check_collection_names(
    record: Mapping[str, Any],
    special: Mapping[str, Any],
    source_names: set[str],
    modules: Iterable[tuple[str, type[Module[Any]]]],
    key: str,
) -> None:
    """A record may serve other Modules too; what is said for this run must act in it."""
    here = {name for _, cls in modules for name in params.names(cls.Settings)}
    here |= {*COLLECTION_FIELDS, *source_names}
    installed = {
        name
        for _, module in registry.importable("module")  # one may need an extra that is not here
        for name in params.names(module.Settings)
    }
    for name in record:
        _check_name(name, here | installed, None, f'data_collections["{key}"]')
    for name in special:
        _check_name(name, here, None, f'special_config["{key}"]')


def _collection(key: str, given: Mapping[str, Any], source_names: set[str]) -> Collection:
    where = f'data_collections["{key}"]'
    fields = {name: given[name] for name in COLLECTION_FIELDS if given.get(name) is not None}
    fields.setdefault("collection_name", key)
    if not registry.load("source", given["source"]).by_period:
        fields.setdefault("time_per_point", "")  # what its dates say
    settings = {name: given[name] for name in source_names if name in given}
    if isinstance(settings.get("path"), str | Path) and "://" not in str(settings["path"]):
        # In full, because the run may be finished from another folder.
        settings["path"] = str(Path(settings["path"]).expanduser().absolute())
    open_source(given["source"], settings, where)  # checks the settings
    collection = params.build(
        Collection, {"key": key, "source_settings": params.plain(settings), **fields}, where
    )
    if collection.time_per_point:
        periods.parse_step(collection.time_per_point)
    if collection.source != DEFAULT_SOURCE:
        return collection
    product_of(collection.collection_name, where)  # one that is retired is refused here
    others = collection.source_settings.get("with_collections", ())
    low, high = life(collection.collection_name, collection.min_date, collection.max_date, others)
    return replace(collection, min_date=low, max_date=high)


def _clip(job: _Job, collection: Collection) -> DateRange:
    """The date range, cut to the collection's life; what is lost is said."""
    _, asked = job.region
    dates = asked.clip(collection.min_date, collection.max_date)
    life = f"{collection.min_date or '...'}..{collection.max_date or 'today'}"
    if dates.empty:
        raise ConfigError(
            f'collection "{collection.key}" has nothing in the date_range {asked}', f"it has {life}"
        )
    if dates != asked:
        job.warn(f'"{collection.key}" has {life}: the date range is cut to {dates}')
    if registry.load("source", collection.source).by_period:
        whole, rest = periods.split(dates, collection.time_per_point)
        step = collection.time_per_point
        if not whole:
            raise ConfigError(
                f'"{collection.key}": the date range {dates} is shorter than one period of {step}',
                "give a longer date_range or a shorter time_per_point",
            )
        for part in (periods.lead(dates, step), rest):
            if part:
                job.warn(f'"{collection.key}": {part} is less than {step} and left out')
    return dates


def _settings(
    job: _Job,
    cls: type[Module[Any]],
    given: Mapping[str, Any],
    modules: Iterable[tuple[str, type[Module[Any]]]],
    key: str,
) -> Settings:
    """Settings of one Module by precedence."""
    known = params.names(cls.Settings)
    own = job.special(cls.__name__)
    where = f'"{key}": {cls.__name__}'
    _warn_retired(job, own, cls.retired)
    merged = {name: value for name, value in given.items() if name in known}
    merged |= _shared(job, cls, modules)
    merged |= {name: value for name, value in own.items() if name in known}
    if cls.role == "start" and merged.get("timeout") is None:  # threads cannot end a Task
        merged.setdefault("run_mode", _where_to_wait(job, given))
    built: Settings = params.build(cls.Settings, merged, where)
    settings: Settings = cls.settled(built, where, job.warn)
    if settings.run_mode != "local":
        registry.load("runner", settings.run_mode, f"{where}: run_mode")
    if settings.n_batch_tasks != -1 and not _engine(job, settings).resolves_dependencies:
        job.warn(f'"n_batch_tasks" has no effect with run_mode = "{settings.run_mode}" ({where})')
    return settings


def _engine(job: _Job, settings: Settings) -> type[Runner]:
    mode = settings.run_mode
    return registry.runner_class(job.top.runner if mode == "local" else mode)


def _where_to_wait(job: _Job, given: Mapping[str, Any]) -> str:
    """Downloads from a service run in threads, many at once, unless all is to run in order."""
    source = given.get("source")
    waits = source is not None and getattr(registry.load("source", source), "waits", False)
    return "threads" if waits and job.top.runner != "serial" else "local"


def _shared(
    job: _Job, cls: type[Module[Any]], modules: Iterable[tuple[str, type[Module[Any]]]]
) -> dict[str, Any]:
    """Settings given to another Module of the Sequence that hold for this one too."""
    shared: dict[str, Any] = {}
    mine = params.names(cls.Settings)
    for _, other in modules:
        for name, value in job.special(other.__name__).items():
            spec = mine.get(name)
            if spec is None or not spec.metadata.get("shared"):
                continue
            if name in shared and params.plain(shared[name]) != params.plain(value):
                raise ConfigError(
                    f'special_config: Modules of one sequence differ in "{name}"',
                    "give all of them the same, or give it to one",
                )
            shared[name] = value
    return shared


def _warn_retired(job: _Job, given: Iterable[str], more: Any) -> None:
    reasons = {**RETIRED, **dict(more)}
    for name in given:
        if name in reasons:
            job.warn(f'"{name}" has no effect any more: {reasons[name]}')


def _combine(
    job: _Job,
    sequences: list[Sequence],
    modules: list[tuple[str, type[Module[Any]]]] | None,
) -> list[Sequence]:
    """The combiner; where the config names none, the usual one if there are records."""
    if modules is None:
        records = any("records" in s.cls.provides for seq in sequences for s in seq.modules)
        if not records:
            return []
        name = "VegAndWeatherJsonCombiner"
        modules = [(name, registry.load("module", name))]
    about_place = any(_needs_place(cls) for _, cls in modules) or bool(_used(job.top))
    scope = Subject(*job.region).scope(COMBINE) if about_place else Scope(COMBINE)
    specs = tuple(
        ModuleSpec(name, _settings(job, cls, {}, modules, COMBINE)) for name, cls in modules
    )
    others = not all(_needs_place(cls) for _, cls in modules)
    # A combiner of places waits for those alone; any other gathers everything.
    before = [s.name for s in sequences if others or has_subject(s.scope)]
    return [Sequence(scope, specs, tuple(before))]


def _check_summary_names(sequences: Iterable[Sequence]) -> None:
    """Two collections must not share a name in the summary."""
    seen: dict[str, str] = {}
    for sequence in sequences:
        collection = collection_of(sequence.scope)
        if collection is None:
            continue
        names.check_collection_name(collection.collection_name, f'"{collection.key}"')
        other = seen.setdefault(collection.collection_name, collection.key)
        if other != collection.key:
            raise ConfigError(
                f'"{other}" and "{collection.key}" have the same collection_name '
                f'"{collection.collection_name}"',
                "give one of them another, which results then show",
            )


def _check_agreement(sequences: Iterable[Sequence]) -> None:
    """Collections that show one world must be given the same one."""
    seen: dict[tuple[str, str], tuple[str, Any]] = {}
    for sequence in sequences:
        collection = collection_of(sequence.scope)
        if collection is None:
            continue
        cls = registry.load("source", collection.source)
        settings = params.build(cls.Settings, collection.source_settings, collection.key)
        for name in cls.must_agree:
            value = getattr(settings, name)
            other, first = seen.setdefault((collection.source, name), (collection.key, value))
            if value != first:
                raise ConfigError(
                    f'special_config: "{other}" and "{collection.key}" differ in "{name}" '
                    f"({brief(first)} and {brief(value)}), but they show one place",
                    "give both the same",
                )
