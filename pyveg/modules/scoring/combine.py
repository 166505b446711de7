"""CombineDetections: what a model has found in all images of a run, in one file.

The file is MegaDetector's results format, which tools for camera traps read.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
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
from pyveg.modules.scoring import shards
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
    found: Counter[str] = field(default_factory=Counter)
    """Images with a category."""


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
        """Write line by line, so that memory does not grow with the number of images."""
        root, tally, best = job.scope.root, _Tally(), Best(job.settings.pictures)
        rows = io.StringIO()
        table = csv.writer(rows, lineterminator="\n")
        table.writerow(["file", "reason"])
        with job.store.open_write(f"{root}/{RESULTS}") as stream:
            stream.write(b'{\n"images": [')
            for line in _lines(job, tally, best):
                if "failure" in line:
                    table.writerow([cell(line["file"]), cell(line["failure"])])
                image = _image(line, job.settings.format)
                stream.write(b",\n" if tally.images else b"\n")
                stream.write(json.dumps(image, separators=(",", ":")).encode())
                tally.images += 1
            stream.write(b"\n],\n" + _closing(tally, job.settings.format) + b"}\n")
        job.store.write(f"{root}/{FAILURES}", rows.getvalue().encode())
        if job.settings.pictures:
            names = tally.header.get("categories", {})
            sheet = page(best, names, tally.found, _about(tally))
            job.store.write(f"{root}/{SHEET}", sheet)
        job.notes["images"] = tally.images
        job.notes["failed_images"] = tally.failures
        job.notes["num_failed_shards"] = tally.shards


def _about(tally: _Tally) -> str:
    """What stands above the pictures."""
    failed = f", could not be looked at: {tally.failures:,}" if tally.failures else ""
    return f"Detector: {tally.header.get('detector', 'unknown')}. Images: {tally.images:,}{failed}."


def _pack(plan: SequencePlan) -> dict[str, Any]:
    """What there is to know of a Sequence of scored images, as plain data."""
    items = [[item.name, dict(item.details), plan.task_ids[item.name][-1]] for item in plan.items]
    return {"scope": plain_scope(plan.scope), "items": items}


def _lines(job: Job[CombineSettings], tally: _Tally, best: Best) -> Iterator[dict[str, Any]]:
    """What is said of each image of each shard."""
    for packed in job.item.details["sequences"]:
        scope = scope_from_json(packed["scope"])
        for name, details, task in packed["items"]:
            item = Item(name, details)
            if task in job.missing:
                tally.shards += 1
                reason = f"{_LOST}: {job.missing[task]}"
                lines = _lost(job.store, item, reason)
            else:
                lines = _found(job.store, detections_key(scope, item), tally)
                with suppress(KeyMissingError):  # of a run that kept none
                    best.add_encoded(job.store.read(best_key(scope, item)))
            for line in lines:
                tally.failures += "failure" in line
                tally.found.update({one["category"] for one in line.get("detections", ())})
                yield line


def _found(store: Store, key: str, tally: _Tally) -> Iterator[dict[str, Any]]:
    with store.open_read(key) as stream:
        lines = iter(stream)
        header = json.loads(next(lines))
        tally.header = tally.header or header
        yield from map(json.loads, lines)


def _lost(store: Store, item: Item, reason: str) -> Iterator[dict[str, Any]]:
    try:
        for image in shards.images_in(store, item):
            yield {"file": image.name, "failure": reason}
    except KeyMissingError:  # its images changed before there was a list of them
        yield {"file": item.name, "failure": f"{item.details['count']} images: {reason}"}


def _image(line: Mapping[str, Any], version: str) -> dict[str, Any]:
    """An image as a version of the format has it."""
    if "failure" in line:
        return {"file": line["file"], "failure": line["failure"], "detections": None}
    if version == "1.1":
        surest = max((one["conf"] for one in line["detections"]), default=0.0)
        return {"file": line["file"], "max_detection_conf": surest, **line}
    return dict(line)


def _closing(tally: _Tally, version: str) -> bytes:
    """What stands behind the images: which model looked at them, and when."""
    info = {
        "detector": tally.header.get("detector", "unknown"),
        "detection_completion_time": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
        "format_version": version,
    }
    rest = {"detection_categories": tally.header.get("categories", {}), "info": info}
    return json.dumps(rest, indent=1).encode()[2:-1]
