"""What authors of Modules, Sources, Stores and engines may use; the rest may change any day.

A part is found by an entry point of its package, in one of the groups ``pyveg.modules``,
``pyveg.sources``, ``pyveg.inputs``, ``pyveg.storage`` and ``pyveg.runners``, or it is named in a
config as ``"package.module:Class"``. `pyveg.testing` has a suite of checks for each kind.

Examples
--------
A Module that measures one number on each chip:

>>> from pyveg.plugin import EarthJob, EarthModule, Metric, Settings, cut_chips
>>> class Brightness(EarthModule[Settings]):
...     consumes = ("images",)
...     metrics = (Metric("brightness", "1", "mean of the RGB picture", "Brightness"),)
...
...     def run(self, job: EarthJob[Settings]) -> None:
...         grey = job.read_picture("RGB").mean(axis=2) / 255
...         chips = cut_chips(grey)
...         usable = job.chip_grid().chosen(-1)
...         job.write_chip_records({chip: {"brightness": chips[chip].mean()} for chip in usable})
>>> Brightness.provides
('records',)
"""

from __future__ import annotations

from pyveg.core.errors import ConfigError, DataError, ServiceAwayError, ServiceError, SkipItem
from pyveg.core.events import EngineStatus
from pyveg.core.execute import run_task
from pyveg.core.module import Job, Module, Planning, SequencePlan, Settings, Shipment
from pyveg.core.params import setting
from pyveg.core.ports import (
    EngineSettings,
    EngineView,
    Grant,
    Holder,
    Inputs,
    Listener,
    Lock,
    Rights,
    Runner,
    Store,
    Work,
)
from pyveg.core.tasks import State, Task, TaskResult
from pyveg.core.types import Item, Scope
from pyveg.earth.chips import SIZE, ChipGrid
from pyveg.earth.metrics import Metric
from pyveg.earth.module import EarthJob, EarthModule
from pyveg.earth.periods import item_of, period_of
from pyveg.earth.source import Reachable, Request, Scene, Source
from pyveg.earth.subject import Subject
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.formats import Raster
from pyveg.kernels.images import cut_chips

__all__ = [
    "SIZE",
    "ChipGrid",
    "Collection",
    "ConfigError",
    "DataError",
    "DateRange",
    "EarthJob",
    "EarthModule",
    "EngineSettings",
    "EngineStatus",
    "EngineView",
    "Grant",
    "Holder",
    "Inputs",
    "Item",
    "Job",
    "Listener",
    "Lock",
    "Metric",
    "Module",
    "Place",
    "Planning",
    "Raster",
    "Reachable",
    "Request",
    "Rights",
    "Runner",
    "Scene",
    "Scope",
    "SequencePlan",
    "ServiceAwayError",
    "ServiceError",
    "Settings",
    "Shipment",
    "SkipItem",
    "Source",
    "State",
    "Store",
    "Subject",
    "Task",
    "TaskResult",
    "Work",
    "cut_chips",
    "item_of",
    "period_of",
    "run_task",
    "setting",
]
