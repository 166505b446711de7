"""A run as a value: its settings, states, dates, arrays and results, wherever it is.

This is the one place that knows where a run keeps its things. The analysis, figures and downloads
ask a `Run`, and never list its Store or put together a path of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyveg import formats
from pyveg.core import bulk, html, params, registry, texts
from pyveg.core.errors import (
    ConfigError,
    DataError,
    KeyMissingError,
    NotARunError,
)
from pyveg.core.layout import COMBINE, CONFIG_FILE, PRIVATE, RUN_FILE
from pyveg.core.module import Settings
from pyveg.core.pipeline import FORMAT, Pipeline
from pyveg.core.ports import Store
from pyveg.core.report import DOUBTS
from pyveg.core.runlog import log_so_far
from pyveg.core.secrets import redacted
from pyveg.core.tasks import scope_from_json
from pyveg.core.types import Scope, StopHow
from pyveg.core.values import read_json
from pyveg.earth.chips import ChipGrid
from pyveg.earth.indices import NDVI
from pyveg.earth.layout import Layout
from pyveg.earth.metrics import OFFSET50, Metric, merged
from pyveg.earth.module import EarthModule
from pyveg.earth.network import Network
from pyveg.earth.subject import Subject, collection_of, has_subject
from pyveg.earth.types import Place
from pyveg.runs import older, telling, watch
from pyveg.runs.chip_shapes import ChipShape, shapes_of
from pyveg.runs.chips import Chips, cut
from pyveg.runs.geo import chip_frame, data_cube
from pyveg.runs.results import Results, read_series, read_summary
from pyveg.runs.telling import Told
from pyveg.runs.watch import RunStatus

if TYPE_CHECKING:
    import geopandas
    import pandas as pd
    import xarray


_DAMAGED = (ValueError, LookupError, TypeError, AttributeError, OverflowError)
"""What reading a document raises that is not as it was written."""


@dataclass(frozen=True)
class RecordedStep:
    """One Module of a run, as the run recorded it: readable where its package is not installed."""

    scope: Scope
    module: str
    """Name in the registry, or ``package.module:Class``."""
    settings: Mapping[str, Any]

    @property
    def metrics(self) -> dict[str, Metric]:
        """What it measures; nothing where its package is not installed here."""
        try:
            cls = registry.load("module", self.module)
            if not issubclass(cls, EarthModule):
                return {}
            # Runs of before had fewer settings, and none that is not known any more decides here.
            known = {k: v for k, v in self.settings.items() if k in params.names(cls.Settings)}
            settings = params.build(cls.Settings, known, self.module)
            return merged([(cls.__name__, cls.measures(settings))])
        except ConfigError:
            return {}


def _recorded_step(scope: Scope, module: Any, settings: Any) -> RecordedStep:
    """Raises TypeError for what is none, and ConfigError for a subject that is none."""
    if not isinstance(module, str) or not isinstance(settings, Mapping):
        raise TypeError("a Module is no name with settings")
    if has_subject(scope):
        Subject.of(scope)
    return RecordedStep(scope, module, settings)


@dataclass(frozen=True)
class Images:
    """What a run has of one vegetation collection: its images, and how they were measured."""

    name: str
    """The collection's name in results."""
    layout: Layout
    steps: tuple[RecordedStep, ...]

    @cached_property
    def network(self) -> Network:
        """Which network its numbers are about; the usual one where it measured none."""
        return Network.of(self._settings)

    @property
    def index(self) -> str:
        """The vegetation index that it has images of."""
        names = (step.settings.get("index") for step in self.steps)
        return next((str(name) for name in names if name), NDVI)

    @property
    def limits(self) -> tuple[float, float]:
        """Values of the index that its grey picture has as black and as white."""
        found = (step.settings.get("index_range") for step in self.steps)
        low, high = next((limits for limits in found if limits), (-1.0, 1.0))
        return float(low), float(high)

    @property
    def picture(self) -> str:
        """Kind of the black-and-white picture of its index."""
        return f"BW{self.index}"

    @cached_property
    def n_sub_images(self) -> int:
        """How many chips of each date were measured; -1 for all."""
        return int(self._settings.get("n_sub_images", -1))

    @property
    def _settings(self) -> Mapping[str, Any]:
        """Those of the Module that measures networks, or else of any that measures chips."""
        by_network = [step for step in self.steps if OFFSET50 in step.metrics]
        by_chips = [step for step in self.steps if step.metrics]
        for step in (*by_network, *by_chips):
            return step.settings
        return {}


@dataclass(frozen=True, repr=False)
class Run:
    """One execution and all that it left. Nothing is read before it is asked for.

    Made by `open_run`.

    Examples
    --------
    Of a run that was made as `pyveg.run_pipeline` shows:

    >>> import pyveg
    >>> run = pyveg.open_run("two_months")
    >>> [f"{date:%Y-%m-%d}" for date in run.dates()], run.place.label
    (['2016-01-16', '2016-02-15'], '27.95_11.57')
    >>> run.raster(run.dates()[0], "NDVI").array.shape
    (154, 151)
    """

    store: Store

    def __repr__(self) -> str:
        return texts.cut(f"<Run {redacted(self.url)}>", texts.LONGEST_REPR)

    def _repr_html_(self) -> str:
        status = self.status()
        told = status.told
        rows, notes = [], [status.note]
        if told is not None:
            rows = [(row.label, f"{row.done} of {row.total}", row.failed) for row in told.rows]
            notes += [f"{one.task}: {one.reason}" for one in told.failures]
        title = f"Run {self.url}: {status.state}"
        return html.table(title, ["module", "done", "failed"], rows, filter(None, notes))

    @property
    def url(self) -> str:
        """Where it is."""
        return self.store.url

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """What the run records of itself: the Pipeline, versions, where it was written to.

        Raises
        ------
        NotARunError
            If it is damaged.
        """
        try:
            record: dict[str, Any] = read_json(self.store.read(RUN_FILE))
            # JSON alone would take any document; this is what every reader needs of it.
            int(record["pipeline"]["format"])
            dict(record.get("versions", {}))
        except _DAMAGED as error:
            raise self._damaged(RUN_FILE, error) from error
        return record

    @cached_property
    def pipeline(self) -> Pipeline:
        """The job as it was settled, with the Modules that it names.

        Raises
        ------
        NotARunError
            If it is damaged, or of a version of pyveg that this one does not know.
        ConfigError
            If the package of a Module is not installed here; all that the run left can be read
            without it.
        """
        try:
            return Pipeline.from_json(self._recorded)
        except _DAMAGED as error:
            raise self._damaged(RUN_FILE, error) from error

    @cached_property
    def _recorded(self) -> Mapping[str, Any]:
        """The Pipeline as plain data in today's form."""
        try:
            pipeline = older.readable(self.record["pipeline"])
        except _DAMAGED as error:
            raise self._damaged(RUN_FILE, error) from error
        if pipeline["format"] != FORMAT:
            made_by = self.record.get("versions", {}).get("pyveg")
            raise NotARunError(
                f"{self.url} was made by another version of pyveg ({made_by})",
                "open it with that one",
            )
        return pipeline

    @cached_property
    def steps(self) -> tuple[RecordedStep, ...]:
        """Its Modules and their settings, in order, as it recorded them.

        Raises
        ------
        NotARunError
            If the record is damaged, or of a version of pyveg that this one does not know.
        """
        try:
            return tuple(
                _recorded_step(scope_from_json(sequence["scope"]), module, settings)
                for sequence in self._recorded["sequences"]
                for module, settings in sequence["modules"]
            )
        except (*_DAMAGED, ConfigError) as error:
            raise self._damaged(RUN_FILE, error) from error

    def _damaged(self, key: str, error: Exception) -> NotARunError:
        return NotARunError(
            f"{self.url}/{key} is damaged: {error}", "restore it from a copy, or start a new run"
        )

    @property
    def can_be_finished(self) -> bool:
        """Whether its Tasks are those that this version of pyveg would make."""
        return bool(self.record["pipeline"]["format"] == FORMAT)

    @cached_property
    def config(self) -> str:
        """The config as it was written; empty for a job that was made in Python."""
        try:
            return self.store.read(CONFIG_FILE).decode("utf-8", "replace")
        except KeyMissingError:
            return ""

    @property
    def log(self) -> str:
        """What the run has told so far, line by line, while it goes on too."""
        return "".join(f"{line}\n" for line in log_so_far(self.store))

    def status(self) -> RunStatus:
        """How it is at this moment: whether its process lives, how far it is, what has failed."""
        return watch.status_of(self.store)

    def events(self, after: str = "") -> Iterator[Told]:
        """What has happened in it, in order, as far as it is written.

        Parameters
        ----------
        after : str
            `Told.place` of the last event that is known already; all events where empty. An
            iterator that has ended is gone on with by another one from there.

        Yields
        ------
        Told
        """
        return telling.events_of(self.store, after)

    def ask_to_stop(self, how: StopHow = "cancel") -> int:
        """Ask the process that works on it to stop, wherever that is; it does so within seconds.

        Parameters
        ----------
        how : {"cancel", "detach"}
            Whether what runs elsewhere is ended, or left to go on.

        Returns
        -------
        int
            The attempt that was asked.

        Raises
        ------
        RunError
            If nobody works on it.
        """
        return watch.ask_to_stop(self.store, how)

    def states(self) -> dict[str, Counter[str]]:
        """How many Tasks of each Module are done, and how many are to be done.

        Returns
        -------
        dict
            ``<sequence>/<module>`` -> number of Tasks ``to do``, ``cached`` and ``skipped``.
        """
        return self.pipeline.plan().states(self.store)

    def proven_tasks(self) -> set[str]:
        """Ids of Tasks that have left a manifest, whether it is still valid or not."""
        folder = f"{PRIVATE}/manifests/"
        keys = self.store.list(folder)
        return {key.removeprefix(folder).removesuffix(".json") for key in keys}

    def failed_tasks(self) -> set[str]:
        """Keys under which it keeps Tasks that have failed."""
        return set(self.store.list(f"{PRIVATE}/failed/"))

    def settings(self, sequence: str, module: str) -> Settings:
        """Settings that a Module had.

        Parameters
        ----------
        sequence : str
            Name of its Sequence, such as that of a collection.
        module : str
            Name of its class.

        Returns
        -------
        Settings
            Of the Module's own class.

        Raises
        ------
        ConfigError
            If there was no such Sequence or Module.
        """
        for one in self.pipeline.sequences:
            for spec in one.modules:
                if (one.name, spec.cls.__name__) == (sequence, module):
                    return spec.settings
        raise ConfigError(
            f"{self.url} has no {module} in a sequence {sequence}",
            f"its sequences are {', '.join(one.name for one in self.pipeline.sequences)}",
        )

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """What its Modules measure, by name."""
        metrics: dict[str, Metric] = {}
        for step in self.steps:
            metrics = {**step.metrics, **metrics}
        return metrics

    # -- imagery ---------------------------------------------------------------------------------

    @cached_property
    def _images(self) -> dict[str, Images]:
        """Vegetation collections by their names in results."""
        images = {}
        for scope in {step.scope.sequence: step.scope for step in self.steps}.values():
            collection = collection_of(scope)
            if collection is not None and collection.data_type == "vegetation":
                layout = Layout(Subject.of(scope).place, scope.sequence)
                steps = tuple(step for step in self.steps if step.scope == scope)
                images[collection.collection_name] = Images(
                    collection.collection_name, layout, steps
                )
        return images

    @property
    def collections(self) -> list[str]:
        """Names of its vegetation collections, as results have them."""
        return list(self._images)

    def images(self, collection: str = "") -> Images:
        """Its imagery of a collection.

        Parameters
        ----------
        collection : str
            Its name in results; the first one where empty.

        Raises
        ------
        NotARunError
            If the run has no such collection.
        """
        name = collection or next(iter(self._images), "")
        if name not in self._images:
            raise NotARunError(
                f"{self.url} has no images of {name or 'a collection'}",
                f"it has {self.collections}",
            )
        return self._images[name]

    def dates(self, collection: str = "") -> list[pd.Timestamp]:
        """Dates that it has images of, in order."""
        import pandas as pd

        images = self.images(collection)
        layout = images.layout
        # One listing, where a look at each date would be a request for each.
        keys = set(self.store.list(f"{layout.root}/"))
        names = {key.split("/")[1] for key in keys}
        # A date that was skipped or has failed has no picture.
        seen = [name for name in names if layout.processed(name, images.picture) in keys]
        return sorted(pd.Timestamp(name) for name in seen)

    def doubts(self, collection: str = "") -> dict[str, tuple[str, ...]]:
        """What may be wrong with the images of a collection: date -> sentences."""
        layout = self.images(collection).layout
        found = {}
        listed = ((key.split("/")[1], key) for key in self.store.list(f"{layout.root}/"))
        dates = {key: date for date, key in listed if key == layout.download_record(date)}
        for key, data in bulk.read_many(self.store, dates).items():
            doubts = formats.decode_json(data).get(DOUBTS, ())
            if doubts:
                found[dates[key]] = tuple(map(str, doubts))
        return found

    def chips(
        self, collection: str = "", dates: Iterable[pd.Timestamp] | None = None
    ) -> Iterator[Chips]:
        """The chips that were measured on each date, with the run's own network.

        Parameters
        ----------
        collection : str
            Its name in results; the first one where empty.
        dates : iterable of Timestamp, optional
            Those to read; all where not given.

        Yields
        ------
        Chips
            In order of time; dates of which the run has no NDVI are left out.
        """
        images = self.images(collection)
        for date in self.dates(collection) if dates is None else sorted(dates):
            chips = self._chips_of(images, date)
            if chips is not None:
                yield chips

    def _chips_of(self, images: Images, date: pd.Timestamp) -> Chips | None:
        item, read = f"{date:%Y-%m-%d}", self.store.read
        try:
            ndvi = formats.decode_geotiff(read(images.layout.raw(item, images.index))).array
            grid = ChipGrid.decode(read(images.layout.chips(item)))
            picture = formats.decode_png(read(images.layout.processed(item, images.picture)))
        except KeyMissingError:
            return None
        chosen = grid.chosen(images.n_sub_images)
        chips = cut(date, ndvi.astype(np.float64), picture, chosen, images.network)
        return replace(chips, index=images.index, limits=images.limits)

    def raster(self, date: pd.Timestamp, band: str, collection: str = "") -> formats.Raster:
        """One band of a date as the Source gave it, or its ``"NDVI"``.

        Parameters
        ----------
        date : Timestamp
            One of `dates`.
        band : str
            Name of the raster, such as ``"B4"``.
        collection : str
            Its name in results; the first one where empty.

        Returns
        -------
        Raster
            Reflectance x 10,000 as uint16, or an index as float32; masked pixels are 0 or NaN.

        Raises
        ------
        KeyMissingError
            If the run has none.
        """
        layout = self.images(collection).layout
        return formats.decode_geotiff(self.store.read(layout.raw(f"{date:%Y-%m-%d}", band)))

    def picture(
        self, date: pd.Timestamp, kind: str = "RGB", collection: str = ""
    ) -> NDArray[np.uint8]:
        """A picture of a date: RGB, NDVI or BWNDVI.

        Parameters
        ----------
        date : Timestamp
            One of `dates`.
        kind : str
        collection : str
            Its name in results; the first one where empty.

        Returns
        -------
        ndarray of uint8, shape (H, W) or (H, W, 3)

        Raises
        ------
        KeyMissingError
            If the run has none.
        """
        layout = self.images(collection).layout
        return formats.decode_png(self.store.read(layout.processed(f"{date:%Y-%m-%d}", kind)))

    def rasters(
        self,
        bands: Iterable[str] = (),
        collection: str = "",
        dates: Iterable[pd.Timestamp] | None = None,
    ) -> xarray.Dataset:
        """Rasters of several dates as one Dataset, (time, y, x); needs ``pyveg[geo]``.

        Parameters
        ----------
        bands : iterable of str
            Names as in `raster`; the vegetation index where empty.
        collection : str
            Its name in results; the first one where empty.
        dates : iterable of Timestamp, optional
            Those to read; all where not given.

        Returns
        -------
        xarray.Dataset
            A variable per band; coordinates `time`, `y`, `x` in units of the reference system.

        Raises
        ------
        MissingPackageError
            If xarray is not installed.
        NotARunError
            If there is no date with images.
        DataError
            If they have no georeferencing, or do not lie on one grid.
        KeyMissingError
            If the run has no such band.
        """
        images = self.images(collection)
        wanted = tuple(bands) or (images.index,)
        chosen = self.dates(images.name) if dates is None else sorted(dates)
        if not chosen:
            raise NotARunError(
                f"{self.url} has no images of {images.name} on these dates",
                "ask for dates that Run.dates() has",
            )
        read = {
            date: {band: self.raster(date, band, images.name) for band in wanted} for date in chosen
        }
        return data_cube(read, images.name)

    def chip_shapes(self, collection: str = "") -> Iterator[ChipShape]:
        """The measured chips of each date as polygons, with what was measured on them.

        Parameters
        ----------
        collection : str
            Its name in results; the first one where empty.
        """
        images = self.images(collection)
        table = self.results().chips
        table = table[table["collection"] == images.name]
        for date, rows in table.groupby("date", sort=True):
            item = f"{date:%Y-%m-%d}"
            raster = formats.decode_geotiff(self.store.read(images.layout.raw(item, images.index)))
            grid = ChipGrid.decode(self.store.read(images.layout.chips(item)))
            records = rows.to_dict("records")
            yield from shapes_of(item, records, raster, grid, images.layout.place)

    def chip_frame(self, collection: str = "") -> geopandas.GeoDataFrame:
        """`chip_shapes` as a GeoDataFrame in WGS 84; needs ``pyveg[geo]``.

        Raises
        ------
        MissingPackageError
            If GeoPandas is not installed.
        """
        return chip_frame(list(self.chip_shapes(collection)))

    # -- results ---------------------------------------------------------------------------------

    @cached_property
    def _combined(self) -> Layout | None:
        """Names of what its combiner writes; None where the job has no place."""
        for step in self.steps:
            if step.scope.sequence == COMBINE and has_subject(step.scope):
                return Layout(Subject.of(step.scope).place, COMBINE)
        return None

    @property
    def place(self) -> Place | None:
        """The region; None for a job about something else."""
        return self._combined.place if self._combined else None

    @property
    def summary_key(self) -> str | None:
        """Key of `results_summary.json`; None where there is none yet."""
        key = self._combined.results_summary() if self._combined else None
        return key if key is not None and self.store.size(key) is not None else None

    @property
    def figure_key(self) -> str | None:
        """Key of the picture that a run ends with, drawn or not; None for a job without a place."""
        return self._combined.figure() if self._combined else None

    def results(self) -> Results:
        """What was measured, as tables.

        Raises
        ------
        NotARunError
            If the run has not come to that.
        DataError
            If its summary is damaged.
        """
        key = self.summary_key
        if key is None:
            raise NotARunError(
                f"{self.url} has no results yet", "finish it with pyveg_run_pipeline --from_cache"
            )
        return read_summary(self.store.read(key))

    def series(self) -> pd.DataFrame | None:
        """`series.csv` as a table; None where there is none yet."""
        key = self._combined.series() if self._combined else ""
        if not key or self.store.size(key) is None:
            return None
        try:
            return read_series(self.store.read(key))
        except (ValueError, KeyError) as error:
            raise DataError(
                f"{self.url}/{key} is damaged: {error}",
                "remove it, and finish the run with pyveg_run_pipeline --from_cache",
            ) from error


def folders_with(store: Store, name: str, prefix: str = "") -> list[str]:
    """Folders under a prefix that hold a file of that name, in order; "" for the root."""
    return sorted(
        key.rpartition("/")[0]
        for key in store.list(f"{prefix}/" if prefix else "")
        if key.rpartition("/")[2] == name
    )


def is_empty(store: Store) -> bool:
    """Whether nothing is stored there yet: a place for a new run."""
    return not any(True for _ in store.list())


def is_run(store: Store) -> bool:
    """Whether a Store holds a run of pyveg 2."""
    return store.size(RUN_FILE) is not None


def open_run(where: str | Path | Store) -> Run:
    """Open a run that was made by this machine or any other.

    Parameters
    ----------
    where : str, Path or Store
        Its folder, its URL (``"s3://bucket/run"``, ``"azure://container"``), or its Store.

    Returns
    -------
    Run

    Raises
    ------
    NotARunError
        If there is none. A `results_summary.json` by itself is no run; `load_results` reads it.

    Examples
    --------
    >>> import pyveg
    >>> str(pyveg.open_run("two_months").status().state)
    'ended'
    """
    store = registry.store_at(str(where)) if isinstance(where, str | Path) else where
    if not is_run(store):
        raise NotARunError(
            f"{store.url} holds no run of pyveg (there is no {RUN_FILE} in it)",
            "give the folder that the run printed, whose name ends with its date and time",
        )
    return Run(store)
