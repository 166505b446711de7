"""The reference trainer: what it learns, what it leaves, and what it refuses."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyveg.core import registry
from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import prepare, start
from pyveg.jobs.scoring import make_settings
from pyveg.training import predict_chips, texture, train_chips
from pyveg.training.catalogue import load_catalogue, load_manifest
from pyveg.training.promotion import checkpoints
from pyveg.training.reading import chip_of


@pytest.fixture(scope="module")
def model(chips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best checkpoint of the reference trainer."""
    folder = tmp_path_factory.mktemp("model")
    begin = time.process_time()
    assert train_chips.main(["--catalog", str(chips), "--save-dir", str(folder)]) == 0
    assert time.process_time() - begin < 10
    losses = json.loads((folder / "losses.json").read_text())
    best = checkpoints([path.name for path in folder.iterdir()], losses)[0]
    assert best.loss == min(losses.values())
    return folder / best.name


def _labels(catalogue: Path) -> dict[str, int]:
    rows = load_catalogue(catalogue).rows
    return {row.file: int(np.argmax(row.counts)) for row in rows}


def test_its_onnx_runs_through_score_images_and_is_right_on_places_it_has_not_seen(
    model: Path, unseen: Path, tmp_path: Path
) -> None:
    top = {"output_location": str(tmp_path / "run"), "runner": "serial"}
    score = {"images": (str(unseen.parent),), "model": str(model), "threshold": 0.001}
    prepared = prepare(resolve(make_settings(top, score, {}, None)))
    report = start(prepared, picture=False)
    assert report.exit_code == 0
    (path,) = tmp_path.glob("run_*/combine/detections.json")
    found = json.loads(path.read_text())
    assert set(found["detection_categories"].values()) == {"bare", "patterned"}
    labels = _labels(unseen)
    assert len(found["images"]) == len(labels) == 16
    right = 0
    for image in found["images"]:
        best = max(image["detections"], key=lambda one: one["conf"])
        name = found["detection_categories"][best["category"]]
        right += (name == "patterned") == bool(labels[image["file"]])
    assert right >= 15


def test_the_graph_says_what_the_formula_says(model: Path) -> None:
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (6, 50, 50, 3), dtype=np.uint8)
    images[3:] = images[3:] // 16 + 100
    fitted = texture.Texture(np.array([1.0, -0.3, 0.2, 0.4, -0.5]), 0.7, ("bare", "patterned"))
    path = model.with_name("other.onnx")
    path.write_bytes(texture.to_onnx(fitted))
    kind = registry.scorer_class("onnx")
    scorer = kind(str(path), texture.record_of(fitted, "other"), 0.001)
    for image, share in zip(images, fitted.probability(images), strict=True):
        (found,) = scorer.score([image])
        by_number = {one.category: one.confidence for one in found}
        assert by_number.get("2", 0.0) == pytest.approx(share, abs=2e-5)


def test_a_pattern_that_is_shifted_by_squares_or_turned_is_the_same_pattern() -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (50, 50, 3), dtype=np.uint8)
    others = np.stack([image, np.rot90(image), image[::-1], np.roll(image, 10, axis=0)])
    found = texture.features(others)
    np.testing.assert_allclose(found, found[[0, 0, 0, 0]], rtol=1e-12)


def test_predictions_name_each_failure(model: Path, unseen: Path, tmp_path: Path) -> None:
    file = next(iter(_labels(unseen)))
    shutil.copy(unseen.parent / file, tmp_path / "fine.png")
    (tmp_path / "text.png").write_text("no image")
    whole = (tmp_path / "fine.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    entries = [
        [name, json.dumps({"subject_id": name, "frame_id": 0})]
        for name in ("fine.png", "text.png", "half.png", "missing.png", "http://127.0.0.1/a.png")
    ]
    (tmp_path / "manifest.json").write_text(json.dumps(entries))
    into = tmp_path / "predictions.json"
    call = ["--checkpoint-path", str(model), "--save-path", str(into)]
    assert predict_chips.main([*call, "--catalog-url", str(tmp_path / "manifest.json")]) == 0
    found = json.loads(into.read_text())
    assert set(found["data"]) == {"fine.png"}
    probability, shares = found["data"]["fine.png"]["0"]
    assert 0 <= probability <= 1
    assert len(shares) == 2
    failed = {one["subject_id"]: one["reason"] for one in found["failures"]}
    assert set(failed) == {"text.png", "half.png", "missing.png", "http://127.0.0.1/a.png"}
    assert all(failed.values())


def test_no_image_at_all_is_no_prediction(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text('[["missing.png", "{\\"subject_id\\": 1}"]]')
    call = ["--checkpoint-path", str(model), "--save-path", str(tmp_path / "predictions.json")]
    assert predict_chips.main([*call, "--catalog-url", str(manifest)]) == 1
    assert "no image of the manifest" in capsys.readouterr().err
    assert not (tmp_path / "predictions.json").exists()


BAD = {
    "no column": ("id_str,bare,patterned\na,1,0\n", 'no column "file_loc"'),
    "no label": ("id_str,file_loc\na,a.png\n", "no labels"),
    "two of a name": ("id_str,file_loc,bare,bare\na,a.png,1,0\n", "two columns of one name"),
    "short": ("id_str,file_loc,bare,patterned\na,a.png,1\n", 'ends before "patterned"'),
    "NaN": ("id_str,file_loc,bare,patterned\na,a.png,nan,1\n", "'nan' is no count"),
    "empty": ("id_str,file_loc,bare,patterned\na,a.png,,1\n", "is no count"),
    "negative": ("id_str,file_loc,bare,patterned\na,a.png,-1,1\n", "is no count"),
    "infinite": ("id_str,file_loc,bare,patterned\na,a.png,inf,1\n", "is no count"),
    "leaves": ("id_str,file_loc,bare,patterned\na,../a.png,0,1\n", "leaves the folder"),
    "twice": ("id_str,file_loc,bare,patterned\na,a.png,0,1\na,b.png,0,1\n", "two rows"),
    "no row": ("id_str,file_loc,bare,patterned\n", "has no row"),
    "nothing": ("", 'no column "id_str"'),
    "one label": ("id_str,file_loc,bare\na,a.png,1\n", "takes two"),
    "one class": (
        "id_str,file_loc,bare,patterned\na,a/a.png,1,0\nb,b/b.png,1,0\n",
        '0 folders have images of "patterned"',
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_catalogue_is_refused_with_its_reason(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, said = BAD[name]
    for part in "ab":
        (tmp_path / part).mkdir()
        Image.new("L", (50, 50), 7).save(tmp_path / part / f"{part}.png")
    (tmp_path / "catalogue.csv").write_text(text)
    call = ["--catalog", str(tmp_path / "catalogue.csv"), "--save-dir", str(tmp_path / "model")]
    assert train_chips.main(call) == 1
    assert said in capsys.readouterr().err
    assert not list((tmp_path / "model").iterdir())


def test_images_that_cannot_be_read_are_left_out_and_named(chips: Path, tmp_path: Path) -> None:
    shutil.copytree(chips.parent, tmp_path / "chips")
    broken, missing, *_ = load_catalogue(chips).rows
    (tmp_path / "chips" / broken.file).write_bytes(b"\x89PNG no more")
    (tmp_path / "chips" / missing.file).unlink()
    catalogue = load_catalogue(tmp_path / "chips/catalogue.csv")
    (tmp_path / "model").mkdir()
    report = train_chips.train(catalogue, tmp_path / "chips", tmp_path / "model")
    assert {one["id"] for one in report["failures"]} == {broken.id, missing.id}
    assert report["images"] == 22


def test_a_photo_of_another_size_is_made_a_chip(tmp_path: Path) -> None:
    Image.new("CMYK", (200, 120)).save(tmp_path / "photo.jpg")
    assert chip_of((tmp_path / "photo.jpg").read_bytes()).shape == (50, 50, 3)


def test_files_of_windows_are_read(tmp_path: Path) -> None:
    manifest, catalogue = tmp_path / "m.json", tmp_path / "c.csv"
    manifest.write_text('[["a.png", "{\\"subject_id\\": 14}"]]', "utf-8-sig")
    catalogue.write_text("id_str,file_loc,bare,patterned\r\na,x/a.png,0,1\r\n", "utf-8-sig")
    assert [one.id for one in load_manifest(manifest)] == ["14"]
    assert load_catalogue(catalogue).rows[0].counts == (0, 1)
