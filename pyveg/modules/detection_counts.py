"""Animals, people and whatever else was seen by cameras at a place, period by period."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pyveg.core import module
from pyveg.core.errors import ConfigError
from pyveg.core.module import Planning
from pyveg.core.params import setting
from pyveg.core.texts import brief
from pyveg.core.types import Item, Scope
from pyveg.earth.metrics import Metric, Support
from pyveg.earth.module import EarthJob, EarthModule, known_collection
from pyveg.earth.source import Request, source_of
from pyveg.earth.subject import Subject

USUAL = ("animal", "person", "vehicle")
"""What MegaDetector and the detector to try it with know."""
_COLOURS = ("#882255", "#332288", "#DDCC77", "#88CCEE", "#CC6677")
_LOOKED_AT = Metric(
    "trap_images", "1", "images of the camera that a detector has looked at",
    "Camera images", "place", test="none", low=1, colour="#888888",
)  # fmt: skip


def name_of(category: str) -> str:
    """What a category is called in tables.

    Examples
    --------
    >>> name_of("Red deer"), name_of("2nd kind")
    ('red_deer', '_2nd_kind')
    """
    found = re.sub(r"\W+", "_", category.strip().lower()).strip("_")
    return found if found[:1].isalpha() else f"_{found}"


def metrics_of(categories: Sequence[str]) -> tuple[Metric, ...]:
    """What is measured of some categories.

    Parameters
    ----------
    categories : sequence of str
        As the detector has them.
    """
    found: list[Metric] = []
    for number, category in enumerate(categories):
        name, colour = name_of(category), _COLOURS[number % len(_COLOURS)]
        label = category.strip().capitalize()
        found += [
            Metric(f"{name}_count", "1", f'detections of "{category}" in all images of the period',
                   f"{label} count", "place", test="level", low=0, colour=colour),
            Metric(f"{name}_images", "1", f'images of the period with a "{category}"',
                   f"Images with {category}", "place", test="none", low=0, colour=colour),
        ]  # fmt: skip
    return (*found, _LOOKED_AT)


@dataclass(frozen=True, kw_only=True)
class DetectionCounterSettings(module.Settings):
    """Settings of `DetectionCounter`."""

    categories: tuple[str, ...] = setting(USUAL, doc="what is counted, as the detector calls it")


class DetectionCounter(EarthModule[DetectionCounterSettings]):
    """Count what a detector saw in a camera's images: of each period and category.

    The collection's source is ``camera_traps``. With ``time_per_point = "1w"`` its Items are weeks.
    A period in which images were looked at and nothing was seen is 0; one without images is a gap.
    """

    Settings = DetectionCounterSettings
    role: ClassVar[module.Role] = "start"
    data_type = "vegetation"
    metrics = metrics_of(USUAL)
    records_files: ClassVar[Mapping[Support, str]] = {"place": "CAMERA/detections"}

    @classmethod
    def measures(cls, settings: DetectionCounterSettings) -> tuple[Metric, ...]:
        """Two numbers for each category, and how many images there were."""
        return metrics_of(settings.categories)

    @classmethod
    def settled(
        cls, settings: DetectionCounterSettings, where: str, warn: Any
    ) -> DetectionCounterSettings:
        """Categories that can be told apart."""
        del warn
        names = [name_of(one) for one in settings.categories]
        twice = next((one for one in names if names.count(one) > 1), None)
        if not names or twice is not None:
            raise ConfigError(
                f"{where}: categories = {brief(settings.categories)} has none, or two of one name",
                "name each once, as the detector calls it",
            )
        return settings

    def items(self, planning: Planning, settings: DetectionCounterSettings) -> Sequence[Item]:
        """The periods of the date range."""
        del settings
        subject, collection = Subject.of(planning.scope), known_collection(planning.scope)
        return source_of(collection).items(collection, subject.place, subject.date_range)

    def fingerprint(self, scope: Scope, item: Item, settings: DetectionCounterSettings) -> str:
        """What was seen in a period."""
        return source_of(known_collection(scope)).fingerprint(_request(scope, item, settings))

    def run(self, job: EarthJob[DetectionCounterSettings]) -> None:
        """Count one period."""
        scene = job.source.fetch(_request(job.scope, job.item, job.settings))
        job.write_place_record(
            {name: float(raster.array[0, 0]) for name, raster in scene.rasters.items()}
        )
        job.notes.update(scene.record)


def _request(scope: Scope, item: Item, settings: DetectionCounterSettings) -> Request:
    """Names of metrics -> bands of the source, which has them by category."""
    bands = {_LOOKED_AT.name: "images"}
    for category in settings.categories:
        bands[f"{name_of(category)}_count"] = f"seen:{category}"
        bands[f"{name_of(category)}_images"] = f"with:{category}"
    return Request(Subject.of(scope).place, known_collection(scope), item, bands)
