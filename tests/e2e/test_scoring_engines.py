"""The same images on every engine: the same results."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from pyveg.core import registry
from pyveg.scripts.score_images import main as command
from pyveg.testing.dask_processes import DaskProcesses
from pyveg.testing.small_models import colour_model


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Thirty photos of three colours, one that is broken, and a model."""
    monkeypatch.chdir(tmp_path)
    colour_model(tmp_path)
    (tmp_path / "photos").mkdir()
    for number in range(30):
        colour = tuple(255 if number % 3 == channel else 9 for channel in range(3))
        Image.new("RGB", (64, 48), colour).save(tmp_path / f"photos/IMG_{number:04}.JPG")
    (tmp_path / "photos/IMG_0031.JPG").write_bytes(b"\xff\xd8")
    return tmp_path


def _scored(*more: str, model: str = "colours.onnx", images: int = 31) -> dict[str, Any]:
    usual = ("photos", "--model", model, "--output_location", "out")
    size = "7" if images == 31 else "50"
    result = CliRunner().invoke(command, [*usual, "--images_per_task", size, *more])
    assert result.exit_code == 0, result.output
    assert f"images: {images}, 1 failed" in result.output
    (url,) = set(re.findall(r"^run: (\S+)", result.output, re.MULTILINE))
    store = registry.store_at(url)
    found: dict[str, Any] = json.loads(store.read("combine/detections.json"))
    del found["info"]["detection_completion_time"]
    assert not list(store.list("_pyveg/inputs/"))  # copies go when they are done with
    return found


@pytest.fixture
def expected(desk: Path) -> dict[str, Any]:
    """What this process finds."""
    assert desk
    found = _scored("--runner", "serial")
    surest = [one["detections"][0]["category"] for one in found["images"][:-1]]
    assert surest == ["1", "2", "3"] * 10
    assert found["images"][-1]["detections"] is None
    return found


def test_on_workers_of_dask(dask_processes: DaskProcesses, expected: dict[str, Any]) -> None:
    scheduler = f"dask.scheduler={dask_processes.address}"
    assert _scored("--run_mode", "dask", "--engine", scheduler) == expected


@pytest.mark.slow
@pytest.mark.parametrize("bare", [False, True], ids=["lent packages", "own packages"])
def test_on_nodes(make_cloud: Callable[..., Any], expected: dict[str, Any], bare: bool) -> None:
    """Nodes get the package that runs the model too."""
    cloud = make_cloud(bare=bare)
    assert _scored("--run_mode", "batch") == expected
    assert cloud.batch.requests.counts["create_job"] == 1


WHEELS = ("gradio", "imgaug", "insightface", "mahotas", "ultralytics")
"""Packages that have photos, beside those that are installed."""
NO_PHOTOS = re.compile(
    r"logo|mask|copy|text|page|phantom|chessboard|multipage|horse|color|time_for"
)


def _photos(folder: Path) -> list[Image.Image]:
    """Photos that come in packages: of scikit-image, scikit-learn, matplotlib, and `WHEELS`."""
    import matplotlib
    import skimage
    import sklearn

    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*pip, "-d", str(folder), *WHEELS], check=True, capture_output=True)
    data: dict[str, bytes] = {}
    for package in (skimage, sklearn, matplotlib):
        top = Path(str(package.__file__)).parent
        for path in sorted(p for p in top.rglob("*") if p.suffix in {".jpg", ".png"}):
            if (
                path.parent.name in {"data", "images", "sample_data"}
                and path.stat().st_size > 15_000
            ):
                data[path.name] = path.read_bytes()
    for wheel in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith((".jpg", ".jpeg"))]
            data |= {Path(name).name: archive.read(name) for name in names}
    kept = [value for name, value in sorted(data.items()) if not NO_PHOTOS.search(name)]
    found = [Image.open(io.BytesIO(value)).convert("RGB") for value in dict.fromkeys(kept)]
    faces = skimage.data.lfw_subset()[:12]  # small photos of people
    return [
        *found,
        *(Image.fromarray((face * 255).astype("uint8")).convert("RGB") for face in faces),
    ]


@pytest.mark.slow
def test_three_hundred_crops_of_real_photos_everywhere(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dask_processes: DaskProcesses,
    make_cloud: Callable[..., Any],
) -> None:
    """The demo detector on four engines, and what MegaDetector's validator says of the results."""
    from megadetector.postprocessing.validate_batch_results import validate_batch_results

    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    photos = _photos(tmp_path / "wheels")
    assert len(photos) >= 40
    (tmp_path / "photos").mkdir()
    for number in range(300):
        photo = photos[number % len(photos)]
        share = 0.6 + 0.4 * (number * 7 % 11) / 10
        left, top = (round(side * (1 - share) / 2) for side in photo.size)
        box = (left, top, photo.width - left, photo.height - top)
        size = (320 + 40 * (number % 13), 240 + 30 * (number % 9))
        photo.resize(size, box=box).save(tmp_path / f"photos/{number:03}.JPG", quality=90)
    (tmp_path / "photos/broken.JPG").write_bytes(b"\xff\xd8\xff")
    found = _scored("--runner", "serial", model="demo", images=301)
    assert len(found["images"]) == 301
    assert sum("failure" in image for image in found["images"]) == 1
    said = validate_batch_results(found)["validation_results"]
    assert (said["errors"], said["warnings"]) == ([], [])
    assert min(said["detection_category_id_to_count"].values()) > 5
    scheduler = f"dask.scheduler={dask_processes.address}"
    make_cloud()
    for more in (
        ("--runner", "processes", "--n_workers", "2"),
        ("--run_mode", "dask", "--engine", scheduler),
        ("--run_mode", "batch"),
    ):
        assert _scored(*more, model="demo", images=301) == found, more
