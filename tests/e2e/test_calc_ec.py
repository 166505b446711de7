"""`pyveg_calc_EC` on images of every kind."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pyveg import formats
from pyveg.kernels.centrality import feature_vector, feature_vector_metrics
from pyveg.scripts.calc_EC import main

MASK = np.random.default_rng(7).random((50, 60)) < 0.7


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def _write(folder: Path, kind: str) -> Path:
    path = folder / f"chip.{kind}"
    values = np.where(MASK, 255, 0).astype(np.uint8)
    if kind == "png":
        path.write_bytes(formats.encode_png(values))
    elif kind == "tif":
        path.write_bytes(formats.encode_geotiff(formats.Raster(values)))
    else:
        separator = "," if kind == "csv" else " "
        lines = [separator.join(map(str, row)) for row in values.tolist()]
        path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("kind", ["png", "tif", "csv", "txt"])
def test_every_kind_of_image(tmp_path: Path, kind: str) -> None:
    option = "--input_txt" if kind in ("csv", "txt") else "--input_img"
    result = _run(option, _write(tmp_path, kind), "--do_EC")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    vector = feature_vector(MASK)
    assert found["feature_vec"] == vector.tolist()
    assert {name: found[name] for name in ("slope", "offset50")} == {
        name: feature_vector_metrics(vector)[name] for name in ("slope", "offset50")
    }
    assert found["signal_pixels"] == MASK.sum()


def test_options_act(tmp_path: Path) -> None:
    values = np.arange(3000.0).reshape(50, 60)
    path = tmp_path / "ramp.csv"
    np.savetxt(path, values, delimiter=",")
    options = ["--sig_threshold", 500, "--upper_threshold", 2500, "--num_quantiles", 10]
    result = _run("--input_txt", path, *options, "--use_diagonal_neighbours")
    mask = (values >= 500) & (values <= 2500)
    expected = feature_vector(mask, num_quantiles=10, diagonal=True)
    assert json.loads(result.output)["feature_vec"] == expected.tolist()


def test_csv_and_files(tmp_path: Path) -> None:
    table, picture = tmp_path / "out.csv", tmp_path / "out.png"
    result = _run(
        "--input_img", _write(tmp_path, "png"), "--format", "csv",
        "--output_csv", table, "--output_png", picture,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (row,) = csv.DictReader(io.StringIO(result.output))
    vector = feature_vector(MASK)
    assert float(row["offset50"]) == vector[19] - vector[10]
    assert float(row["f95"]) == vector[19]
    assert [float(value) for value in table.read_text().split(",")] == vector.tolist()
    pixels = formats.decode_png(picture.read_bytes())
    assert pixels.shape == (400, 480, 3)
    assert np.array_equal((pixels[::8, ::8] != 255).any(axis=2), MASK)


def test_an_empty_image(tmp_path: Path) -> None:
    path, picture = tmp_path / "empty.png", tmp_path / "out.png"
    path.write_bytes(formats.encode_png(np.zeros((50, 50), np.uint8)))
    result = _run("--input_img", path, "--output_png", picture)
    found = json.loads(result.output)
    assert found["feature_vec"] == [0] * 20
    assert found["signal_cover"] == 0
    assert "no pixel is signal (at 255 or above; they have 0 to 0)" in found["note"]
    assert picture.is_file()
    warned = _run("--input_img", path, "--format", "csv")
    assert "the zeros are no measurement" in warned.output


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("no.png", None, "cannot be read"),
        ("bad.png", b"not a picture", "bad.png"),
        ("bad.tif", b"not a picture", "bad.tif"),
        ("bad.csv", b"1,2\n3\n", "bad.csv"),
        ("bad.csv", b"1,a\n", "bad.csv"),
        ("bad.jpg", b"", ".png, .tif, .csv or .txt"),
    ],
)
def test_bad_input(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    result = _run("--input_img", path)
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")
    assert words in result.output


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "none" / "out.csv"
    result = _run("--input_img", _write(tmp_path, "png"), "--output_csv", path)
    assert result.exit_code == 2
    assert f"{path} cannot be written" in result.output


def test_one_image_is_asked_for(tmp_path: Path) -> None:
    path = _write(tmp_path, "png")
    assert _run().exit_code == 2
    assert _run("--input_img", path, "--input_txt", path).exit_code == 2


def test_a_published_chip(shared_data: Path) -> None:
    folder = shared_data / "sahel_subimages"
    for record in json.loads((folder / "network_centralities.json").read_text()):
        result = _run("--input_img", folder / record["file"])
        found = json.loads(result.output)
        assert found["feature_vec"] == record["feature_vec"]
        assert found["offset50"] == record["offset50"]
        assert found["std"] == pytest.approx(record["std"], rel=1e-14)
