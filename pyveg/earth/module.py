"""Modules that work on places: what their Job gives them, and how they write what they measure."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from pyveg import formats
from pyveg.core.errors import ConfigError, DataError
from pyveg.core.module import Job, Module, Settings
from pyveg.core.types import Scope
from pyveg.earth.chips import ChipGrid
from pyveg.earth.layout import Layout
from pyveg.earth.metrics import Metric, Support
from pyveg.earth.source import Source, source_of
from pyveg.earth.subject import Subject
from pyveg.earth.types import Collection, DataType, Place

S = TypeVar("S", bound=Settings)

RECORDS = "records"
"""What a Module that measures something provides."""


@dataclass
class EarthJob(Job[S]):
    """A Job about a place, and mostly about a collection of it.

    Examples
    --------
    >>> from datetime import date
    >>> from pyveg.core.types import Item
    >>> from pyveg.earth.types import DateRange
    >>> from pyveg.storage.memory import MemoryStore
    >>> subject = Subject(Place(27.95, 11.57), DateRange(date(2016, 1, 1), date(2017, 1, 1)))
    >>> scope = subject.scope("combine")
    >>> EarthJob(scope, Item("all"), Settings(), MemoryStore("example-place")).place.label
    '27.95_11.57'
    """

    @cached_property
    def subject(self) -> Subject:
        """Place, collection and days of its Sequence."""
        return Subject.of(self.scope)

    @property
    def place(self) -> Place:
        """The region."""
        return self.subject.place

    @property
    def collection(self) -> Collection:
        """The collection of its Sequence."""
        return known_collection(self.scope)

    @cached_property
    def layout(self) -> Layout:
        """Names of what its Sequence reads and writes."""
        return Layout(self.place, self.scope.sequence)

    @cached_property
    def source(self) -> Source:
        """Where the collection's rasters come from."""
        return source_of(self.collection)

    def chip_grid(self) -> ChipGrid:
        """The chips of its date."""
        return ChipGrid.decode(self.store.read(self.layout.chips(self.item.name)))

    def read_raster(self, name: str) -> formats.Raster:
        """A band of its date as the Source gave it, or its ``"NDVI"``."""
        return formats.decode_geotiff(self.store.read(self.layout.raw(self.item.name, name)))

    def read_picture(self, kind: str) -> NDArray[np.uint8]:
        """A picture of its date: RGB, NDVI or BWNDVI; shape (H, W) or (H, W, 3)."""
        return formats.decode_png(self.store.read(self.layout.processed(self.item.name, kind)))

    def write_chip_records(self, rows: Mapping[int, Mapping[str, Any]]) -> None:
        """Write what was measured on the chips of the date.

        Parameters
        ----------
        rows : mapping of int to mapping
            Number of a chip -> name -> value: metrics and attributes that the Module declares.
            Where a chip is, and how much of it is valid, is added.

        Raises
        ------
        DataError
            For a name that is not declared for chips, a value that cannot be, or a chip that the
            date has not.
        """
        grid, module = self.chip_grid(), self._measuring()
        records = []
        for chip, values in rows.items():
            if not 0 <= chip < len(grid):
                raise DataError(
                    f"there is no chip {chip} on {self.item.name}, only {len(grid)}",
                    "give rows by the chips' numbers, which begin at 0",
                )
            # What is measured wrongly fails here, at its Module, and not in the combiner or the
            # analysis.
            checked = module.checked(values, "chip", f"chip {chip}", self._metrics)
            records.append({**grid.record(chip, self.item.name), **checked})
        key = self.layout.records(self.item.name, module.records_file("chip"))
        self.store.write(key, formats.encode_records(records))

    def write_place_record(self, values: Mapping[str, Any]) -> None:
        """Write what was measured on the whole region.

        Parameters
        ----------
        values : mapping
            Name -> value: metrics that the Module declares with the support "place".

        Raises
        ------
        DataError
            For a name that is not declared for the place, or a value that cannot be.
        """
        module = self._measuring()
        checked = module.checked(values, "place", "the place", self._metrics)
        key = self.layout.records(self.item.name, module.records_file("place"))
        self.store.write(key, formats.encode_json(checked, indent=1))

    @cached_property
    def _metrics(self) -> tuple[Metric, ...]:
        """What its Module measures with these settings."""
        return self._measuring().measures(self.settings)

    def _measuring(self) -> type[EarthModule[Any]]:
        """Class of the Module that it is a Job of."""
        if self.module is None or not issubclass(self.module, EarthModule):
            raise TypeError("records are written by the Job that run_task gives to an EarthModule")
        return self.module


class EarthModule(Module[S]):
    """A Module that works on a collection of a place, or gathers several.

    Examples
    --------
    See also the example of `pyveg.plugin`.

    >>> class Blueness(EarthModule[Settings]):
    ...     consumes = ("images",)
    ...     metrics = (Metric("blueness", "1", "mean of blue", "Blueness", support="place"),)
    ...
    ...     def run(self, job):
    ...         blue = job.read_picture("RGB")[..., 2]
    ...         job.write_place_record({"blueness": blue.mean() / 255})
    >>> Blueness.provides, Blueness.records_file("place")
    (('records',), 'Blueness/place')
    """

    job_class: ClassVar[type[Job[Any]]] = EarthJob
    data_type: ClassVar[DataType | None] = None
    """The only type of collection that it can work on."""
    metrics: ClassVar[tuple[Metric, ...]] = ()
    """What it measures. A Module with metrics provides ``"records"``."""
    attributes: ClassVar[Mapping[str, str]] = {}
    """What else its records hold: name -> meaning. No numbers that anything is made of."""
    records_files: ClassVar[Mapping[Support, str]] = {}
    """Names of its records on disk, below ``JSON/`` of a date and without an ending; the Module's
    own name where it says none."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Added for authors, since a Module whose records nobody asks for would be dropped silently.
        if cls.metrics and RECORDS not in cls.provides:
            cls.provides = (*cls.provides, RECORDS)

    @classmethod
    def check_declarations(cls, where: str) -> None:
        """Refuse a Module that says it measures and does not say what.

        Raises
        ------
        ConfigError
            Naming `where` the config has it.
        """
        if RECORDS in cls.provides and not cls.metrics and cls.role != "combine":
            raise ConfigError(
                f'{where}: {cls.__name__} provides "{RECORDS}" and declares no metrics, so nothing '
                "would ever read them",
                "list what it measures in its attribute metrics",
            )

    @classmethod
    def measures(cls, settings: Any) -> tuple[Metric, ...]:
        """What it measures with some settings: `metrics`, unless it depends on them.

        Parameters
        ----------
        settings : Settings
            Its own.
        """
        del settings
        return cls.metrics

    @classmethod
    def records_file(cls, support: Support) -> str:
        """Name of its records of a support, below ``JSON/`` of a date."""
        return cls.records_files.get(support, f"{cls.__name__}/{support}")

    @classmethod
    def checked(
        cls,
        values: Mapping[str, Any],
        support: Support,
        whom: str,
        metrics: Sequence[Metric] | None = None,
    ) -> dict[str, Any]:
        """Values as they are written, each checked against its declaration.

        Parameters
        ----------
        values : mapping
        support : {"chip", "place"}
        whom : str
            What they were measured on, for messages.
        metrics : sequence of Metric, optional
            What it measures with its settings; `metrics` where not given.

        Returns
        -------
        dict
            Name -> value, as it is written.

        Raises
        ------
        DataError
            For a name that is not declared, or a value that cannot be.
        """
        all_metrics = cls.metrics if metrics is None else metrics
        known = {metric.name: metric for metric in all_metrics if metric.support == support}
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name in known:
                try:
                    checked[name] = known[name].check(value)
                except DataError as error:
                    raise DataError(f"{cls.__name__}, {whom}: {error.wrong}", error.cure) from None
            elif name in cls.attributes:
                checked[name] = value
            else:
                names = ", ".join([*known, *cls.attributes]) or "nothing"
                raise DataError(
                    f'{cls.__name__}, {whom}: "{name}" is not declared for support "{support}"; '
                    f"declared: {names}",
                    "add it to the metrics of the Module, or to its attributes",
                )
        return checked

    @abstractmethod
    def run(self, job: EarthJob[S]) -> None:
        """Do the work for one Item; see `Module.run`."""


def known_collection(scope: Scope) -> Collection:
    """The collection of a Sequence that must have one.

    Raises
    ------
    ConfigError
        If it has none.
    """
    collection = Subject.of(scope).collection
    if collection is None:
        raise ConfigError(
            f'"{scope.sequence}" has no collection, and its Modules need one',
            "give the job a collection of that name",
        )
    return collection
