"""PhenoCam's tables of a field camera, from what `GreennessCalculator` has measured."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from pyveg.cameras.roistats import read_roistats
from pyveg.cameras.summaries import DAYS, write_summary
from pyveg.cameras.table_parts import FAILURES, ROISTATS, joined
from pyveg.core import module, registry
from pyveg.core.errors import DataError, KeyMissingError
from pyveg.core.module import Planning
from pyveg.core.tasks import plain_scope, scope_from_json
from pyveg.core.types import Item
from pyveg.earth.layout import Layout
from pyveg.earth.module import EarthJob, EarthModule
from pyveg.earth.subject import Subject
from pyveg.modules.greenness import FOLDER, GreennessCalculator

_ENDS = ("_roistats.csv", "_failures.csv", *(f"_{days}day.csv" for days in DAYS))


class GreennessTables(EarthModule[module.Settings]):
    """Write `<site>_<roi>_roistats.csv`, `_1day.csv` and `_3day.csv` of each camera of a run.

    It is a combiner, and its cameras are the sequences with `GreennessCalculator`. What could not
    be measured is listed with its reason in `_failures.csv`.
    """

    role: ClassVar[module.Role] = "combine"

    def items(self, planning: Planning, settings: module.Settings) -> Sequence[Item]:
        """One Item: all cameras."""
        del settings
        cameras = [
            {"scope": plain_scope(plan.scope), "items": [item.name for item in plan.items]}
            for plan in planning.upstream
            if any(_measures_greenness(name) for name in plan.modules)
        ]
        return [Item("tables", {"cameras": cameras})]

    def run(self, job: EarthJob[module.Settings]) -> None:
        """Write the tables.

        Raises
        ------
        SkipItem
            If no camera has an image.
        """
        written: set[str] = set()
        for camera in job.item.details["cameras"]:
            scope = scope_from_json(camera["scope"])
            layout = Layout(Subject.of(scope).place, scope.sequence)
            written |= _write(job, layout, camera["items"])
        for key in list(job.store.list(f"{job.layout.root}/")):
            if key.endswith(_ENDS) and key not in written:
                job.store.delete(key)  # of an earlier try, which had other images
        if not written:
            job.skip("no camera has an image of these days")


def _measures_greenness(name: str) -> bool:
    cls = registry.load("module", name)
    return isinstance(cls, type) and issubclass(cls, GreennessCalculator)


def _write(job: EarthJob[Any], layout: Layout, items: Sequence[str]) -> set[str]:
    """Write the tables of one camera; their keys, none where it has no image."""
    parts = list(_tables(job, layout, items, ROISTATS))
    if not parts:
        return set()
    data = joined(parts)
    stats = read_roistats(data, "roistats.csv")
    made = {"roistats": data}
    failed = list(_tables(job, layout, items, FAILURES))
    if failed:
        made["failures"] = joined(failed)
    try:
        made |= {f"{days}day": write_summary(stats, days) for days in DAYS}
    except DataError as error:  # the images are there, and none of them counts
        job.notes[f"{stats.camera.prefix}: no summary"] = error.wrong
    job.notes[stats.camera.prefix] = {"images": len(stats.filenames), "failed": _count(failed)}
    keys = {f"{job.layout.root}/{stats.camera.prefix}_{name}.csv": made[name] for name in made}
    for key, table in keys.items():
        job.store.write(key, table)
    return set(keys)


def _tables(job: EarthJob[Any], layout: Layout, items: Sequence[str], name: str) -> Iterator[bytes]:
    for item in items:
        try:
            yield job.store.read(layout.table(item, f"{FOLDER}/{name}"))
        except KeyMissingError:  # a day without images, or one that has failed
            continue


def _count(tables: Sequence[bytes]) -> int:
    return sum(len(list(csv.reader(io.StringIO(one.decode())))) - 1 for one in tables)
