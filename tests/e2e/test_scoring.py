"""Images through a model, by the command and by a config: every one ends with a result."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from click.testing import CliRunner, Result
from PIL import Image

from pyveg.photos import MOST_PIXELS
from pyveg.runs.run import open_run
from pyveg.scripts.run_pipeline import main as pipeline_command
from pyveg.scripts.score_images import main as command
from pyveg.testing.small_models import COLOURS, colour_model

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a user, with a model that knows colours and an empty folder for photos."""
    monkeypatch.chdir(tmp_path)
    colour_model(tmp_path)
    (tmp_path / "photos").mkdir()
    return tmp_path


def _invoke(*arguments: str, main: Any = command) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    assert not result.exception or isinstance(result.exception, SystemExit), result.output
    return result


def _score(*more: str, code: int = 0, model: str = "colours.onnx") -> tuple[Path, str]:
    """Score the photos in this process; gives the folder of the run, and what was printed."""
    usual = ("photos", "--model", model, "--output_location", "out")
    result = _invoke(*usual, "--runner", "serial", *more)
    assert result.exit_code == code, result.output
    return _folder(result.output), result.output


def _folder(output: str) -> Path:
    (url,) = set(re.findall(r"^run: (\S+)$", output, re.MULTILINE))
    return Path(url)


def _found(run: Path) -> dict[str, Any]:
    """Results but for the time; names are there once."""
    found: dict[str, Any] = json.loads((run / "combine/detections.json").read_text())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", _time_of(found))
    names = [image["file"] for image in found["images"]]
    assert len(set(names)) == len(names)
    return found


def _time_of(found: dict[str, Any]) -> str:
    time: str = found["info"].pop("detection_completion_time")
    return time


def _fates(run: Path) -> dict[str, str]:
    """Name of an image -> its surest category, or the reason of its failure."""
    found = _found(run)
    rows = csv.DictReader(io.StringIO((run / "combine/failures.csv").read_text()))
    failures = {row["file"]: row["reason"] for row in rows}
    fates = {}
    for image in found["images"]:
        if "failure" in image:
            assert image["detections"] is None
            fates[image["file"]] = image["failure"]
        else:
            names = [found["detection_categories"][one["category"]] for one in image["detections"]]
            fates[image["file"]] = names[0] if names else "nothing"
    failed = {name for name, fate in fates.items() if fate not in {*COLOURS, "nothing"}}
    assert set(failures) == {name.replace("\n", " ") for name in failed}
    return fates


def _photo(path: Path, colour: tuple[int, int, int], size: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), colour).save(path, "PNG" if path.suffix == ".png" else "JPEG")


def _colours(folder: Path, count: int) -> None:
    for number in range(count):
        _photo(folder / f"{number:04}.png", (RED, GREEN, BLUE)[number % 3])


def test_photos_through_the_demo_model_here_and_in_worker_processes(desk: Path) -> None:
    cat, person = skimage.data.chelsea(), skimage.data.astronaut()
    (desk / "photos/north").mkdir()
    Image.fromarray(cat).save(desk / "photos/north/IMG_1.JPG", quality=95)
    Image.fromarray(np.ascontiguousarray(cat[:, ::-1])).save(desk / "photos/north/IMG_2.JPG")
    Image.fromarray(person).save(desk / "photos/person.Png")
    (desk / "photos/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and nothing else")
    (desk / "photos/notes.txt").write_text("no image")
    run, output = _score("--images_per_task", "2", model="demo")
    assert "left out, as their endings ('.txt') are those of no image: 1; endings = []" in output
    assert "images: 4, 1 failed: " in output
    assert re.search(r"images: 2 of 4, [\d.]+ a second, about 0:00:\d\d left", output)
    page = (run / "combine/best.html").read_text()
    assert re.findall(r"<h2>(.+)</h2>", page)[:2] == [
        "animal, in 2 of the images",
        "person, in 1 of the images",
    ]
    assert [one for one in re.findall(r'alt="(.+?)"', page) if "animal" in one] == [
        "animal in north/IMG_2.JPG",
        "animal in north/IMG_1.JPG",
    ]
    found = _found(run)
    by_name = {image["file"]: image["detections"] for image in found["images"]}
    assert list(by_name) == ["broken.jpg", "person.Png", "north/IMG_1.JPG", "north/IMG_2.JPG"]
    first = {name: one[0] for name, one in by_name.items() if one}
    assert [one["category"] for one in first.values()] == ["2", "1", "1"]
    sure = [one["conf"] for one in first.values()]
    assert sure[:2] == pytest.approx([0.592, 0.847], abs=0.02)
    assert sure[2] > 0.8  # the same cat, the other way round
    assert found["info"] == {"detector": "objectron_ssd_mobilenetv2_oidv4", "format_version": "1.6"}
    processes = _invoke("photos", "--model", "demo", "--output_location", "out2",
                        "--images_per_task", "2", "--n_workers", "2")  # fmt: skip
    assert processes.exit_code == 0, processes.output
    assert _found(_folder(processes.output)) == found


@pytest.mark.parametrize("version", ["1.6", "1.1"])
def test_what_readers_of_the_format_want(desk: Path, version: str) -> None:
    _photo(desk / "photos/red.png", RED)
    _photo(desk / "photos/grey.png", (51, 0, 102))
    _photo(desk / "photos/black.png", (0, 0, 0))
    (desk / "photos/empty.png").touch()
    run, _ = _score("--format", version)
    found = _found(run)
    assert found["info"] == {"detector": "colours", "format_version": version}
    assert found["detection_categories"] == {"1": "red", "2": "green", "3": "blue"}
    images = {image.pop("file"): image for image in found["images"]}
    # Confidences are floats, categories texts, and a failure has no list.
    assert images["empty.png"] == {"failure": "the file is empty", "detections": None}
    whole = {"bbox": [0.0, 0.0, 1.0, 1.0]}
    expected = {
        "red.png": [{"category": "1", "conf": 1.0, **whole}],
        "grey.png": [
            {"category": "3", "conf": 0.4, **whole},
            {"category": "1", "conf": 0.2, **whole},
        ],
        "black.png": [],
    }
    for name, detections in expected.items():
        most = {"max_detection_conf": max([one["conf"] for one in detections], default=0.0)}
        assert images[name] == {**(most if version == "1.1" else {}), "detections": detections}
    _check_by_the_format_itself(run, version)
    text = (run / "combine/detections.json").read_text()
    assert '"conf":1.0' in text
    assert '"conf":1,' not in text


def _check_by_the_format_itself(run: Path, version: str) -> None:
    """What the validator of MegaDetector's own tools says, which knows 1.3 and later."""
    from megadetector.postprocessing.validate_batch_results import validate_batch_results

    path = run / "combine/detections.json"
    said = validate_batch_results(str(path))["validation_results"]
    if version == "1.1":
        (error,) = said["errors"]
        assert "1.3" in error
        return
    assert (said["errors"], said["warnings"]) == ([], [])
    assert sum(said["detection_category_id_to_count"].values()) == 3


def _deep(path: Path) -> None:
    """16 bits, grey."""
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(path, "PNG")


def _palette(path: Path) -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, *GREEN])
    image.save(path, "PNG", transparency=0)


def _turned(path: Path) -> None:
    """A picture that is red above and blue below once it is turned."""
    values = np.zeros((64, 32, 3), np.uint8)
    values[:, :16] = BLUE
    values[:, 16:] = RED
    exif = Image.Exif()
    exif[0x0112] = 8  # the camera was held upright
    Image.fromarray(values).save(path, "JPEG", quality=95, exif=exif)


def _claims(width: int, height: int) -> bytes:
    """A PNG of that many pixels with next to nothing in it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


def _cut(path: Path) -> None:
    whole = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(whole, "JPEG")
    path.write_bytes(whole.getvalue()[:-900])


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.jpg": (lambda path: path.touch(), "the file is empty"),
    "text.jpg": (lambda path: path.write_text("hello"), "it is no image"),
    "cut.jpg": (_cut, "it is damaged"),
    "head.jpg": (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0"), "it is no image|damaged"),
    "bomb.png": (lambda path: path.write_bytes(_claims(30_000, 30_000)), "million pixels"),
    "large.png": (lambda path: path.write_bytes(_claims(10_000, 10_000)), "100 million pixels"),
    "hollow.png": (lambda path: path.write_bytes(_claims(100, 100)), "it is damaged"),
    "floats.TIF": (
        lambda path: Image.fromarray(np.ones((4, 4), np.float32)).save(path, "TIFF"),
        "measurements",
    ),
    "nowhere.png": (lambda path: path.symlink_to("not there"), "is a link to nothing"),
}
ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "deep.png": (_deep, "red"),
    "palette.png": (_palette, "green"),
    "cmyk.jpg": (lambda path: Image.new("CMYK", (8, 8), (255, 255, 0, 0)).save(path), "blue"),
    "grey.jpg": (lambda path: Image.new("L", (8, 8), 200).save(path), "red"),
    "seen_through.png": (lambda path: Image.new("RGBA", (8, 8), (*RED, 128)).save(path), "red"),
    "UPPER.JPEG": (lambda path: _photo(path, RED), "red"),
    "one_pixel.png": (lambda path: _photo(path, BLUE, 1), "blue"),
    "line.png": (lambda path: Image.new("RGB", (5000, 1), GREEN).save(path), "green"),
    "#1 100% of it.png": (lambda path: _photo(path, RED), "red"),
    "größe 気温.png": (lambda path: _photo(path, RED), "red"),
    "two\nlines.png": (lambda path: _photo(path, RED), "red"),
    "=cmd|' !A0.png": (lambda path: _photo(path, RED), "red"),
    "[ab]*?.png": (lambda path: _photo(path, RED), "red"),
    "not what it says.png": (lambda path: Image.new("RGB", (8, 8), BLUE).save(path, "BMP"), "blue"),
}


def test_no_image_ends_the_run(desk: Path) -> None:
    """Whatever is in the folder, each file has its detections or a reason."""
    assert MOST_PIXELS < 100e6
    for name, (make, _) in {**BAD, **ODD}.items():
        make(desk / "photos" / name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run, output = _score("--all_files", "--images_per_task", "7")
    fates = _fates(run)
    assert set(fates) == set(BAD) | set(ODD)
    for name, (_, reason) in BAD.items():
        assert re.search(reason, fates[name]), (name, fates[name])
    assert {name: fates[name] for name in ODD} == {name: fate for name, (_, fate) in ODD.items()}
    assert f"images: {len(fates)}, {len(BAD)} failed" in output
    assert "Traceback" not in output


def test_an_image_is_looked_at_as_the_camera_was_held(desk: Path) -> None:
    """A detector of the upper half sees what is above once the picture is turned."""
    from pyveg.photos import decode_photo

    _turned(desk / "photos/turned.jpg")
    upright = decode_photo((desk / "photos/turned.jpg").read_bytes())
    assert upright.shape == (32, 64, 3)
    assert upright[:12].mean(axis=(0, 1)).argmax() == 0
    assert upright[-12:].mean(axis=(0, 1)).argmax() == 2
    run, _ = _score()
    assert _fates(run)["turned.jpg"] in {"red", "blue"}


def test_images_that_are_added_later(desk: Path) -> None:
    """Ten more behind a thousand: one shard is done anew, and nothing else."""
    _colours(desk / "photos", 1000)
    run, _ = _score("--images_per_task", "100")
    before = _found(run)
    for number in range(10):
        _photo(desk / f"photos/x{number}.png", RED)
    again = _invoke("--from_cache", str(run), "--runner", "serial")
    assert again.exit_code == 0, again.output
    assert re.search(r"images/ScoreImages +1 +10\b", again.output), again.output
    after = _found(run)
    assert after["images"][:1000] == before["images"]
    assert [image["file"] for image in after["images"][1000:]] == [f"x{n}.png" for n in range(10)]


def test_folders_as_shards(desk: Path) -> None:
    for folder, count in (("a", 3), ("b", 2), ("c/d", 1)):
        _colours(desk / "photos" / folder, count)
    run, output = _score("--shard_by", "folder", "--images_per_task", "2")
    assert "images/ScoreImages: 4/4" in output
    _photo(desk / "photos/b/zzz.png", RED)
    again = _invoke("--from_cache", str(run), "--runner", "serial")
    assert re.search(r"images/ScoreImages +1 +4\b", again.output), again.output
    assert len(_found(run)["images"]) == 7


KILLS = '''
import os
from pathlib import Path

from pyveg.scorers.onnx import OnnxScorer


class Deadly(OnnxScorer):
    """Ends its process at the sight of blue, as a library with a fault does."""

    def score(self, images):
        if images[0][0, 0, 2] == 255 and Path("{marker}").exists():
            os._exit(9)
        return super().score(images)
'''


def test_a_shard_that_is_killed(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its images are told, and --from_cache does that shard alone."""
    marker = desk / "deadly"
    marker.touch()
    (desk / "deadly_scorer.py").write_text(KILLS.format(marker=marker))
    monkeypatch.syspath_prepend(desk)
    monkeypatch.setenv("PYTHONPATH", str(desk))
    for number in range(9):
        _photo(desk / f"photos/{number}.png", BLUE if number == 4 else RED)
    scorer = ("--scorer", "deadly_scorer:Deadly", "--images_per_task", "3", "--n_workers", "2")
    result = _invoke("photos", "--model", "colours.onnx", "--output_location", "out", *scorer)
    assert result.exit_code == 1, result.output
    run = _folder(result.output)
    fates = _fates(run)
    lost = {name: fate for name, fate in fates.items() if fate not in COLOURS}
    assert list(lost) == ["3.png", "4.png", "5.png"]
    assert all(reason.startswith("its shard failed: ") for reason in lost.values())
    notes = open_run(run).store.read("_pyveg/manifests/combine/CombineDetections/all.json")
    assert json.loads(notes)["notes"] == {
        "images": 9,
        "failed_images": 3,
        "num_failed_shards": 1,
    }
    marker.unlink()
    again = _invoke("--from_cache", str(run), "--runner", "serial")
    assert again.exit_code == 0, again.output
    assert re.search(r"images/ScoreImages +1 +2\b", again.output), again.output
    assert set(_fates(run).values()) == {"red", "blue"}
    assert len(_fates(run)) == 9


def test_all_that_fails_is_an_exit_code(desk: Path) -> None:
    (desk / "photos/a.png").touch()
    _score(code=1)


def test_a_list_of_images_some_of_which_are_not_there(desk: Path) -> None:
    _colours(desk / "photos", 3)
    lines = ["photos/0000.png", "gone.png", "photos/0001.png", "photos/0000.png", "# a comment", ""]
    (desk / "list.txt").write_text("\n".join(lines))
    result = _invoke("@list.txt", "--model", "colours.onnx", "--output_location", "out",
                     "--runner", "serial")  # fmt: skip
    assert result.exit_code == 0, result.output
    fates = _fates(_folder(result.output))
    assert list(fates) == ["photos/0000.png", "gone.png", "photos/0001.png"]
    assert re.search("is not there", fates["gone.png"])


def test_a_list_that_calls_images_anything(desk: Path) -> None:
    """Two of one name, one of them with a megabyte of metadata."""
    _colours(desk / "photos", 2)
    meta = {"note": "x" * 1_000_000}
    lines = [
        {"input": "photos/0000.png", "file": "station 7", "meta": meta},
        {"input": "photos/0001.png", "file": "station 7"},
    ]
    (desk / "list.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    result = _invoke("@list.jsonl", "--model", "colours.onnx", "--output_location", "out",
                     "--runner", "serial")  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads((_folder(result.output) / "combine/detections.json").read_text())
    assert [image["file"] for image in found["images"]] == ["station 7"] * 2
    assert [image["detections"][0]["category"] for image in found["images"]] == ["1", "2"]
    assert [image.get("meta") for image in found["images"]] == [meta, None]


def test_the_same_as_a_config(desk: Path) -> None:
    _colours(desk / "photos", 4)
    run, _ = _score("--write_config", "cameras.py", "--threshold", "0.5")
    assert 'A model over some images; docs/scoring.md."""' in (desk / "cameras.py").read_text()
    result = _invoke("--config_file", "cameras.py", main=pipeline_command)
    assert result.exit_code == 0, result.output
    assert _found(_folder(result.output)) == _found(run)


def test_a_plan_writes_nothing(desk: Path) -> None:
    _colours(desk / "photos", 4)
    result = _invoke("photos", "--model", "colours.onnx", "--output_location", "out",
                     "--images_per_task", "2", "--dry_run")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert re.search(r"images/ScoreImages +local +2 +2\b", result.output), result.output
    assert not list(desk.glob("out_*"))


def test_another_model_does_all_anew(desk: Path) -> None:
    _colours(desk / "photos", 3)
    run, _ = _score()
    (desk / "other").mkdir()
    same = (desk / "other/renamed.onnx").write_bytes((desk / "colours.onnx").read_bytes())
    assert same
    record = json.loads((desk / "colours.json").read_text())
    (desk / "other/renamed.json").write_text(json.dumps(record))
    _, output = _score("--from_cache", str(run), model="other/renamed.onnx")
    assert re.search(r"images/ScoreImages +- +1\b", output), output
    record["category_names"] = {"1": "rouge"}
    (desk / "other/renamed.json").write_text(json.dumps(record))
    _, output = _score("--from_cache", str(run), model="other/renamed.onnx")
    assert re.search(r"images/ScoreImages +1\b", output), output
    assert _found(run)["detection_categories"]["1"] == "rouge"


WRONG = {
    "nothing": ((), "the images must be given"),
    "no model": (("photos", "--output_location", "out"), "the model must be given"),
    "nowhere": (("photos", "--model", "demo"), "the output location must be given"),
    "gone": (("none", "--model", "colours.onnx", "--output_location", "o"), "no input is there"),
    "no images": (("texts", "--model", "colours.onnx", "--output_location", "o"), "no image is"),
    "no file": (("photos", "--model", "x.onnx", "--output_location", "o"), "x.onnx is not there"),
    "no record": (("photos", "--model", "bare.onnx", "--output_location", "o"), "bare.json cannot"),
    "no onnx": (("photos", "--model", "text.onnx", "--output_location", "o"), "is no ONNX"),
    "scorer": (
        ("photos", "--model", "colours.onnx", "--output_location", "o", "--scorer", "onx"),
        "onnx",
    ),
    "threshold": (
        ("photos", "--model", "colours.onnx", "--output_location", "o", "--threshold", "2"),
        "threshold",
    ),
    "again": (("--from_cache", "run", "--threshold", "0.5"), "--threshold changes nothing"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told(desk: Path, case: str) -> None:
    arguments, said = WRONG[case]
    _photo(desk / "photos/a.png", RED)
    (desk / "texts").mkdir()
    (desk / "texts/a.txt").write_text("no image")
    (desk / "bare.onnx").write_bytes((desk / "colours.onnx").read_bytes())
    (desk / "text.onnx").write_text("no model")
    (desk / "text.json").write_text((desk / "colours.json").read_text())
    result = _invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert said in result.output
    assert "Traceback" not in result.output
    assert not list(desk.glob("o_*"))
