"""PhenoCam's tables and masks: written, read, and made from a folder by the command."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pyveg.cameras.masks import read_masks
from pyveg.cameras.measuring import measure
from pyveg.cameras.names import taken_of_exif
from pyveg.cameras.roistats import COLUMNS, Camera, ImageRow, read_roistats, write_roistats
from pyveg.cameras.summaries import write_summary
from pyveg.core.errors import ConfigError, DataError
from pyveg.kernels.greenness import QUANTILES, Colour
from pyveg.scripts.greenness import main

HARVARD = Camera("harvard", "DB_0001", 42.5378, -72.1715, 340, -5)
LIST = "start_date,start_time,end_date,end_time,maskfile,sample_image\n"


def _save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def _mask(path: Path, rows: slice, shape: tuple[int, int] = (8, 12)) -> None:
    mask = np.full(shape, 255, dtype=np.uint8)
    mask[rows] = 0
    _save(path, mask)


def _picture(green: int, lower: int = 90) -> np.ndarray:
    """Grey below, and greener above."""
    image = np.full((8, 12, 3), lower, dtype=np.uint8)
    image[:4, :, 1] = green
    return image


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two days of images of every second hour; the camera is moved at the second noon."""
    for hour in range(0, 48, 2):
        when = datetime(2009, 6, 29) + timedelta(hours=hour)
        name = f"harvard_{when:%Y_%m_%d_%H%M%S}.png"
        _save(tmp_path / "harvard" / f"{when:%Y}" / f"{when:%m}" / name, _picture(100 + hour))
    _mask(tmp_path / "a.tif", slice(0, 4))
    _mask(tmp_path / "b.tif", slice(4, 8))
    (tmp_path / "harvard_DB_0001_roi.csv").write_text(
        f"#\n# ROI List for harvard\n#\n{LIST}"
        "2009-06-01,00:00:00,2009-06-30,11:00:00,a.tif,x.jpg\n"
        "2009-06-30,11:00:01,9999-01-01,00:00:00,b.tif,x.jpg\n"
    )
    return tmp_path


def test_a_list_of_masks_with_a_byte_order_mark(site: Path) -> None:
    path = site / "harvard_DB_0001_roi.csv"
    plain = [mask.name for mask in read_masks(path).masks]
    for text in (path.read_text(), path.read_text().split("#\n")[-1]):
        path.write_text(text, "utf-8-sig")
        assert [mask.name for mask in read_masks(path).masks] == plain == ["a.tif", "b.tif"]


@pytest.mark.parametrize("name", ["a, b.jpg", 'a "b".jpg', "photo#1.jpg", "caf\u00e9.jpg"])
def test_names_of_files_change_no_number(name: str) -> None:
    colour = Colour(120.0, 1.0, (119.0,) * len(QUANTILES))
    at = datetime(2009, 6, 30, 12, 1, 38)
    row = ImageRow(at, name, 1, (colour, colour, colour), (0.5, 0.5, 0.5))
    data = write_roistats(HARVARD, [row])
    for text in (data, b"\xef\xbb\xbf" + data):
        read = read_roistats(text, "harvard_DB_0001_roistats.csv")
        assert (read.filenames, read.camera) == ([name], HARVARD)
        assert read.images.gcc[0] == pytest.approx(1 / 3, abs=1e-5)
        days = write_summary(read, 1).decode().splitlines()
        (day,) = csv.DictReader(line for line in days if not line.startswith("#"))
        assert (day["midday_filename"], day["gcc_90"]) == (name, "0.33333")


def test_damaged_exif_tells_nothing() -> None:
    exif = Image.Exif()
    exif[0x8769] = {0x9003: "2009:06:30 12:01:38"}
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG", exif=exif)
    data = stream.getvalue()
    assert taken_of_exif(data) == datetime(2009, 6, 30, 12, 1, 38)
    at, told = data.index(b"Exif"), set()
    for place in range(at + 6, data.index(b"2009:06:30") + 20):
        for value in (0, 255):
            broken = bytearray(data)
            broken[place] = value
            told.add(taken_of_exif(bytes(broken)) is None)
    assert told == {True, False}


def _table(path: Path) -> list[dict[str, str]]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def test_a_folder_becomes_three_tables_with_masks_that_change(site: Path) -> None:
    out = site / "out"
    given = ["--images", str(site / "harvard"), "--mask", str(site / "harvard_DB_0001_roi.csv")]
    where = ["--latitude", "42.5378", "--longitude", "-72.1715", "--utc_offset", "-5"]
    done = CliRunner().invoke(main, [*given, *where, "--output_dir", str(out)])
    assert done.exit_code == 0, done.output

    rows = _table(out / "harvard_DB_0001_roistats.csv")
    assert list(rows[0]) == list(COLUMNS)
    assert [row["mask_index"] for row in rows] == ["1"] * 18 + ["2"] * 6
    assert rows[6]["gcc"] == f"{112 / 292:.5f}"
    assert rows[-1]["gcc"] == f"{1 / 3:.5f}", "the second mask has grey alone"
    # Published for this camera and minute: 70.504 at 12:01:38 of the day after
    assert float(rows[18]["solar_elev"]) == pytest.approx(70.5, abs=0.1)

    days = _table(out / "harvard_DB_0001_1day.csv")
    assert [day["date"] for day in days] == ["2009-06-29", "2009-06-30"]
    # 06:00 to 18:00 have a sun of 10 degrees or more
    lit = [row for row in rows[:12] if float(row["solar_elev"]) >= 10]
    assert 0 < len(lit) < 12
    assert days[0]["image_count"] == str(len(lit))
    expected = np.percentile([float(row["gcc"]) for row in lit], 90)
    assert float(days[0]["gcc_90"]) == pytest.approx(expected, abs=1e-5)
    assert days[0]["midday_filename"] == "harvard_2009_06_29_120000.png"
    # Days 178 to 180 and 181 to 183 of the year
    three = _table(out / "harvard_DB_0001_3day.csv")
    assert [day["date"] for day in three] == ["2009-06-28", "2009-07-01"]


def test_images_that_cannot_be_measured_are_listed_with_their_reason(site: Path) -> None:
    folder = site / "harvard" / "2009" / "06"
    (folder / "harvard_2009_06_30_230000.jpg").write_bytes(b"\xff\xd8\xff no image")
    _save(folder / "harvard_2009_06_30_233000.png", _picture(1)[:4])
    _save(folder / "other.png", _picture(1))
    out = site / "out"
    given = ["--images", str(site / "harvard"), "--mask", str(site / "a.tif"), "--roi", "GR_1000"]
    done = CliRunner().invoke(main, [*given, "--output_dir", str(out)])
    assert done.exit_code == 1
    assert "no image is left out for a low sun" in done.output
    failed = {
        row["filename"]: row["reason"] for row in _table(out / "harvard_GR_1000_failures.csv")
    }
    assert (
        "damaged" in failed["harvard_2009_06_30_230000.jpg"]
        or "no image" in (failed["harvard_2009_06_30_230000.jpg"])
    )
    assert "12 x 4 pixels, and the mask a.tif 12 x 8" in failed["harvard_2009_06_30_233000.png"]
    assert "Exif" in failed["other.png"]
    assert len(failed) == 3
    assert len(_table(out / "harvard_GR_1000_roistats.csv")) == 24


def test_tables_are_summed_up_by_themselves(site: Path, tmp_path: Path) -> None:
    masks = read_masks(site / "a.tif")
    rows = [
        measure(path.read_bytes(), path.name, datetime(2009, 6, 29) + timedelta(hours=2 * k), masks)
        for k, path in enumerate(sorted((site / "harvard").rglob("*.png")))
    ]
    data = write_roistats(HARVARD, reversed(rows))
    stats = read_roistats(data, "harvard_DB_0001_roistats.csv")
    assert stats.camera == HARVARD
    path = tmp_path / "harvard_DB_0001_roistats.csv"
    path.write_bytes(data)
    done = CliRunner().invoke(main, ["--roistats", str(path), "--output_dir", str(tmp_path / "o")])
    assert done.exit_code == 0, done.output
    made = (tmp_path / "o" / "harvard_DB_0001_1day.csv").read_text()
    assert made.splitlines()[-2:] == write_summary(stats, 1).decode().splitlines()[-2:]

    # An automatic white balance makes colours that cannot be compared
    balanced = data.replace(b",NA,NA,1,", b",NA,1,1,")
    with pytest.raises(DataError, match="no image of harvard_DB_0001 counts"):
        write_summary(read_roistats(balanced, "x"), 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date\n", "no column start_date"),
        (LIST, "lists no mask"),
        (f"{LIST}2009-06-01,00:00:00,9999-01-01,00:00:00,../a.tif,x\n", "no name of a file"),
        (f"{LIST}2009-06-01,00:00:00,2008-01-01,00:00:00,a.tif,x\n", "ends before it begins"),
        (f"{LIST}2009-13-01,00:00:00,9999-01-01,00:00:00,a.tif,x\n", "is no time"),
        (f"{LIST}2009-01-01,00:00:00Z,9999-01-01,00:00:00,a.tif,x\n", "is no time without a zone"),
        (f"{LIST}2009-06-01,00:00:00,9999-01-01,00:00:00,gone.tif,x\n", "cannot be read"),
        (f"{LIST}2009-06-01,00:00:00,9999-01-01,00:00:00,white.tif,x\n", "black"),
    ],
)
def test_lists_of_masks_that_are_wrong(tmp_path: Path, text: str, said: str) -> None:
    _mask(tmp_path / "a.tif", slice(0, 4))
    _mask(tmp_path / "white.tif", slice(0, 0))
    path = tmp_path / "list_roi.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_masks(path)


@pytest.mark.parametrize(
    "given", [[], ["--images", "x"], ["--images", "x", "--roistats", "y"], ["--roistats", "gone"]]
)
def test_command_lines_that_are_wrong(given: list[str]) -> None:
    done = CliRunner().invoke(main, [*given, "--output_dir", "o"])
    assert done.exit_code == 2
    assert "Traceback" not in done.output
