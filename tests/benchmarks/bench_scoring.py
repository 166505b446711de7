"""What scoring costs: CPU of an image, memory of a worker, and of a million lines joined.

Run ``python tests/benchmarks/bench_scoring.py``. Exits with 1 where a JPEG of 1600 x 1200 pixels
takes 32 ms of a core, a worker 350 MB, or a million lines 2 seconds of a core or 100 MB more than
what was imported; or where the plan of 100,000 images takes 2 seconds of a core or 300 MB. With
``--listed 4000000`` the plan of a list of so many addresses is measured too, and what it takes to
write the lists of its shards.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCOPE = {"sequence": "images", "folder": "", "subject": {}, "extent": {}}
SHARD = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200, help="that are scored")
    parser.add_argument("--lines", type=int, default=1_000_000, help="that are joined")
    parser.add_argument("--planned", type=int, default=100_000, help="images of a plan")
    parser.add_argument("--listed", type=int, default=100_000, help="addresses of a list")
    parser.add_argument("--inside", nargs=3, help="measure here; for the script itself")
    given = parser.parse_args()
    if given.inside:
        kind, folder, count = given.inside
        print(json.dumps(PARTS[kind](Path(folder), int(count))))
        return
    wrong = False
    with tempfile.TemporaryDirectory() as name:
        made = {"score": given.images, "join": given.lines, "plan": given.planned}
        made["list"] = given.listed
        for kind, count in made.items():
            folder = Path(name) / kind
            folder.mkdir()
            MAKERS[kind](folder, count)
            call = [sys.executable, __file__, "--inside", kind, str(folder), str(count)]
            found = json.loads(subprocess.run(call, stdout=subprocess.PIPE, check=True).stdout)
            print(kind, count, found)
            wrong |= any(found[what] >= limit for what, limit in LIMITS[kind].items())
    sys.exit(int(wrong))


LIMITS = {
    "score": {"core_ms_per_image": 32.0, "megabytes": 350.0},
    "join": {"core_seconds": 2.0, "more_megabytes": 100.0},
    "plan": {"core_seconds": 2.0, "megabytes": 300.0},
    "list": {"core_us_per_image": 40.0, "megabytes": 1500.0},
}


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _photos(folder: Path, count: int) -> None:
    """Crops of real photos, in the size that cameras have."""
    import skimage.data
    from PIL import Image

    names = ("chelsea", "astronaut", "coffee", "rocket")
    for number in range(count):
        image = Image.fromarray(getattr(skimage.data, names[number % 4])())
        box = (number % 40, number % 30, image.width - number % 50, image.height - number % 20)
        image.resize((1600, 1200), box=box).save(folder / f"{number:05}.JPG", quality=90)


def _score(folder: Path, count: int) -> dict[str, Any]:
    """A shard in this process, as a worker does it."""
    from pyveg.core.module import Job, Planning, Shipment
    from pyveg.core.types import Scope
    from pyveg.modules.scoring.score import ScoreImages, ScoreSettings
    from pyveg.storage.local import LocalStore

    store, scope, module = LocalStore(folder / "run"), Scope("images"), ScoreImages()
    given = ScoreSettings(images=(str(folder / "*.JPG"),), model="demo", images_per_task=count)
    settings = module.settled(given, "benchmark", print)
    (item,) = module.items(Planning(scope), settings)
    module.prepare(Shipment(scope, settings, (item,), store, far=False, tell=print))
    begin = time.process_time()
    module.run(Job(scope, item, settings, store))
    core = time.process_time() - begin
    return {"core_ms_per_image": round(1000 * core / count, 2), "megabytes": round(_megabytes())}


def _shards(folder: Path, count: int) -> None:
    """What shards have written: of three images one is empty, and of a thousand one has failed."""
    from pyveg.core.types import Item, Scope
    from pyveg.modules.scoring import lines
    from pyveg.modules.scoring.score import detections_key

    found = {"category": "1", "conf": 0.847, "bbox": [0.079, 0.0, 0.633, 0.857]}
    scope = Scope("images")
    for begin in range(0, count, SHARD):
        path = folder / detections_key(scope, Item(f"shard_{begin // SHARD:05d}"))
        path.parent.mkdir(parents=True)
        with path.open("wb") as out:
            out.write(lines.encoded({"detector": "d", "categories": {"1": "animal"}}))
            for number in range(begin, min(count, begin + SHARD)):
                name = f"station_{number % 50}/2026/IMG_{number:08}.JPG"
                if number % 1000 == 0:
                    out.write(lines.failure(Item(name), "it is damaged"))
                else:
                    out.write(lines.detections(Item(name), [found] * (number % 3)))


def _join(folder: Path, count: int) -> dict[str, Any]:
    from pyveg.core.module import Job
    from pyveg.core.types import Item, Scope
    from pyveg.modules.scoring.combine import CombineDetections, CombineSettings
    from pyveg.storage.local import LocalStore

    names = [f"shard_{number:05d}" for number in range(-(-count // SHARD))]
    packed = [[name, {"list": name, "count": SHARD}, name] for name in names]
    item = Item("all", {"sequences": [{"scope": SCOPE, "items": packed}]})
    store = LocalStore(folder)
    before, begin = _megabytes(), time.process_time()
    job = Job(Scope("combine"), item, CombineSettings(), store)
    CombineDetections().run(job)
    core = time.process_time() - begin
    assert job.notes["images"] == count, job.notes
    return {
        "core_seconds": round(core, 2),
        "megabytes": round(_megabytes()),
        "more_megabytes": round(_megabytes() - before),
        "json_megabytes": round((folder / "combine/detections.json").stat().st_size / 1e6),
    }


def _names(folder: Path, count: int) -> None:
    for number in range(count):
        path = folder / f"station_{number % 50}"
        path.mkdir(exist_ok=True)
        (path / f"IMG_{number:08}.JPG").touch()


def _plan(folder: Path, count: int) -> dict[str, Any]:
    from pyveg.jobs.resolve import resolve
    from pyveg.jobs.run import prepare
    from pyveg.jobs.scoring import make_settings

    top = {"output_location": str(folder / "out"), "output_location_type": "local"}
    settings = make_settings(top, {"images": (str(folder),), "model": "demo"}, {}, None)
    begin = time.process_time()
    prepared = prepare(resolve(settings, None))
    core = time.process_time() - begin
    shards = -(-count // SHARD)
    assert len(prepared.plan.graph) == shards + 1
    return {
        "core_seconds": round(core, 2),
        "megabytes": round(_megabytes()),
        "tasks": len(prepared.plan.graph),
    }


def _addresses(folder: Path, count: int) -> None:
    with (folder / "images.txt").open("w") as out:
        for number in range(count):
            out.write(f"https://photos.example.org/{number % 50}/IMG_{number:08}.JPG\n")


def _list(folder: Path, count: int) -> dict[str, Any]:
    """The plan of a list, and then the lists of its shards."""
    from pyveg.core.module import Shipment
    from pyveg.jobs.resolve import resolve
    from pyveg.jobs.run import prepare
    from pyveg.jobs.scoring import make_settings
    from pyveg.modules.scoring.score import ScoreImages
    from pyveg.storage.local import LocalStore

    top = {"output_location": str(folder / "out"), "output_location_type": "local"}
    given = {"images": (f"@{folder / 'images.txt'}",), "model": "demo"}
    begin = time.process_time()
    prepared = prepare(resolve(make_settings(top, given, {}, None), None))
    planned = time.process_time() - begin
    first = _megabytes()
    tasks = [task for task in prepared.plan.graph if task.step.module == "ScoreImages"]
    scope, settings = tasks[0].step.scope, prepared.pipeline.sequences[0].modules[0].settings
    items = [task.item for task in tasks]
    store, begin = LocalStore(folder / "run"), time.process_time()
    ScoreImages().prepare(Shipment(scope, settings, items, store, far=False, tell=print))
    written = time.process_time() - begin
    return {
        "tasks": len(tasks),
        "core_seconds_of_plan": round(planned, 1),
        "core_us_per_image": round(1e6 * planned / count, 1),
        "megabytes_of_plan": round(first),
        "core_seconds_of_lists": round(written, 1),
        "megabytes": round(_megabytes()),
    }


MAKERS: dict[str, Callable[[Path, int], None]] = {
    "score": _photos,
    "join": _shards,
    "plan": _names,
    "list": _addresses,
}
PARTS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "score": _score,
    "join": _join,
    "plan": _plan,
    "list": _list,
}


if __name__ == "__main__":
    main()
