"""CombineDetections: what a model has found in all images of a run, in one file.

The file is MegaDetector's results format, which tools for camera traps read.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from pyveg.core import module
from pyveg.core.errors import KeyMissingError
from pyveg.core.module import Job, Planning, SequencePlan
from pyveg.core.params import setting
from pyveg.core.ports import Store
from pyveg.core.tasks import plain_scope, scope_from_json
from pyveg.core.texts import cell
from pyveg.core.types import Item
from pyveg.modules.scoring import lines, shards
from pyveg.modules.scoring.best import Best, page
from pyveg.modules.scoring.score import best_key, detections_key

RESULTS = "detections.json"
FAILURES = "failures.csv"
SHEET = "best.html"
_LOST = "its shard failed"


@dataclass(frozen=True, kw_only=True)
class CombineSettings(module.Settings):
    """Settings of `CombineDetections`."""

    format: Literal["1.6", "1.1"] = setting(
        "1.6", doc='version of the results format; "1.1" for programs of before 2022'
    )
    pictures: int = setting(
        24, doc="pictures of the surest detections of each category in best.html", low=0, high=1000
    )


@dataclass
class _Tally:
    """What is known when all lines have been read."""

    images: int = 0
    failures: int = 0
    shards: int = 0
    """That gave nothing."""
    header: Mapping[str, Any] = field(default_factory=dict)
    """Which model it was."""


class CombineDetections(module.Module[CombineSettings]):
    """Join the detections of all shards.

    ``detections.json`` has each image with its detections, or why there are none; ``failures.csv``
    has the latter alone. A shard that failed has its images there too. ``best.html`` shows the
    surest detections of each category.
    """

    Settings = CombineSettings
    role: ClassVar[module.Role] = "combine"

    def items(self, planning: Planning, settings: CombineSettings) -> Sequence[Item]:
        """One Item: everything."""
        del settings
        return [Item("all", {"sequences": [_pack(plan) for plan in planning.upstream]})]

    def run(self, job: Job[CombineSettings]) -> None:
        """Write block by block, so that memory does not grow with the number of images."""
        root, tally, best = job.scope.root, _Tally(), Best(job.settings.pictures)
        version = job.settings.format
        with (
            job.store.open_write(f"{root}/{RESULTS}") as results,
            job.store.open_write(f"{root}/{FAILURES}") as failures,
        ):
            results.write(b'{\n"images": [')
            failures.write(b"file,reason\n")
            for block in _blocks(job, tally, best):
                failed = lines.failures(block)
                failures.write(_rows(failed))
                tally.failures += len(failed)
                results.write(b",\n" if tally.images else b"\n")
                results.write(lines.joined(block, version))
                tally.images += len(block)
            results.write(b"\n],\n" + _closing(tally, version) + b"}\n")
        if job.settings.pictures:
            sheet = page(best, tally.header.get("categories", {}), _about(tally))
            job.store.write(f"{root}/{SHEET}", sheet)
        job.notes["images"] = tally.images
        job.notes["failed_images"] = tally.failures
        job.notes["num_failed_shards"] = tally.shards


def _rows(failed: Sequence[tuple[str, str]]) -> bytes:
    """Failures as lines of a table."""
    rows = io.StringIO()
    csv.writer(rows, lineterminator="\n").writerows([map(cell, row) for row in failed])
    return rows.getvalue().encode()


def _about(tally: _Tally) -> str:
    """What stands above the pictures."""
    failed = f", could not be looked at: {tally.failures:,}" if tally.failures else ""
    return f"Detector: {tally.header.get('detector', 'unknown')}. Images: {tally.images:,}{failed}."


def _pack(plan: SequencePlan) -> dict[str, Any]:
    """What there is to know of a Sequence of scored images, as plain data."""
    items = [[item.name, dict(item.details), plan.task_ids[item.name][-1]] for item in plan.items]
    return {"scope": plain_scope(plan.scope), "items": items}


def _blocks(job: Job[CombineSettings], tally: _Tally, best: Best) -> Iterator[list[bytes]]:
    """What is said of the images of all shards, some thousand lines at a time."""
    for packed in job.item.details["sequences"]:
        scope = scope_from_json(packed["scope"])
        for name, details, task in packed["items"]:
            item = Item(name, details)
            if task in job.missing:
                tally.shards += 1
                yield from lines.blocks(_lost(job.store, item, f"{_LOST}: {job.missing[task]}"))
                continue
            with suppress(KeyMissingError):  # of a run that kept none
                best.add_encoded(job.store.read(best_key(scope, item)))
            with job.store.open_read(detections_key(scope, item)) as stream:
                each = iter(stream)
                header = json.loads(next(each))
                tally.header = tally.header or header
                yield from lines.blocks(each)


def _lost(store: Store, item: Item, reason: str) -> Iterator[bytes]:
    try:
        for image in shards.images_in(store, item):
            yield lines.failure(image, reason)
    except KeyMissingError:  # its images changed before there was a list of them
        yield lines.failure(Item(item.name), f"{item.details['count']} images: {reason}")


def _closing(tally: _Tally, version: str) -> bytes:
    """What stands behind the images: which model looked at them, and when."""
    info = {
        "detector": tally.header.get("detector", "unknown"),
        "detection_completion_time": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
        "format_version": version,
    }
    rest = {"detection_categories": tally.header.get("categories", {}), "info": info}
    return json.dumps(rest, indent=1).encode()[2:-1]
