"""Greenness of a field camera, period by period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pyveg.cameras.table_parts import FAILURES, ROISTATS
from pyveg.core import module
from pyveg.core.module import Planning
from pyveg.core.types import Item, Scope
from pyveg.earth.metrics import Metric, Support
from pyveg.earth.module import EarthJob, EarthModule, known_collection
from pyveg.earth.source import Request, source_of
from pyveg.earth.subject import Subject

METRICS = (
    Metric("gcc_90", "1", "90th percentile of the green chromatic coordinate of images",
           "Camera greenness", "place", low=0, high=1, colour="#117733"),
    Metric("gcc_mean", "1", "mean green chromatic coordinate of its images",
           "Mean camera greenness", "place", test="none", low=0, high=1, colour="#44AA99"),
    Metric("gcc_50", "1", "median green chromatic coordinate of its images",
           "Median camera greenness", "place", test="none", low=0, high=1, colour="#999933"),
    Metric("rcc_90", "1", "90th percentile of the red chromatic coordinate of images",
           "Camera redness", "place", test="none", low=0, high=1, colour="#AA4499"),
    *(
        Metric(f"{name[0]}_mean", "grey levels, 0 to 255", f"mean {name} of its images",
               f"Mean {name}", "place", test="none", low=0, high=255, colour=colour)
        for name, colour in (("red", "#CC6677"), ("green", "#44AA99"), ("blue", "#332288"))
    ),
    Metric("camera_images", "1", "images of the camera that count", "Camera images", "place",
           test="none", low=1, colour="#888888"),
)  # fmt: skip


FOLDER = "CAMERA"
"""Of its records and tables of a period."""


class GreennessCalculator(EarthModule[module.Settings]):
    """Measure how green a field camera sees the place: of each period the images that count.

    The collection's source is ``phenocam``. With ``time_per_point = "1d"`` its Items are days. A
    table of all images of the period is kept too, from which `GreennessTables` makes PhenoCam's.
    """

    version: ClassVar[int] = 2
    role: ClassVar[module.Role] = "start"
    data_type = "vegetation"
    metrics = METRICS
    records_files: ClassVar[Mapping[Support, str]] = {"place": f"{FOLDER}/greenness"}

    def items(self, planning: Planning, settings: module.Settings) -> Sequence[Item]:
        """The periods of the date range."""
        del settings
        subject, collection = Subject.of(planning.scope), known_collection(planning.scope)
        return source_of(collection).items(collection, subject.place, subject.date_range)

    def fingerprint(self, scope: Scope, item: Item, settings: module.Settings) -> str:
        """What the camera has of a period."""
        del settings
        return source_of(known_collection(scope)).fingerprint(_request(scope, item))

    def run(self, job: EarthJob[module.Settings]) -> None:
        """Measure one period."""
        for name in (ROISTATS, FAILURES):  # of an earlier try, which had other images
            job.store.delete(job.layout.table(job.item.name, f"{FOLDER}/{name}"))
        scene = job.source.fetch(_request(job.scope, job.item))
        job.notes.update(scene.record)
        # First, as images that do not count belong to PhenoCam's table too.
        for name, data in scene.tables.items():
            job.store.write(job.layout.table(job.item.name, f"{FOLDER}/{name}"), data)
        values = {name: float(raster.array[0, 0]) for name, raster in scene.rasters.items()}
        if not values["camera_images"]:
            job.skip(
                "no image of it counts: all are dark, white, of a low sun, or of a camera that "
                "balanced white by itself (awbflag 1)"
            )
        job.write_place_record(values)


def _request(scope: Scope, item: Item) -> Request:
    bands = {metric.name: metric.name for metric in METRICS}
    return Request(Subject.of(scope).place, known_collection(scope), item, bands)
