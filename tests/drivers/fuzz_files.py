"""Runs folders with damaged and odd files, and looks at what becomes of each date.

    python tests/drivers/fuzz_files.py --files 300 --seed 1

Each run has six dates in one of four forms of names, two of them with one odd file: bytes flipped,
cut off or exchanged, other types, tags, grids and masks, odd things beside it or in its place.
Nothing may raise anything but an error for the user; each date must end in a state, with a reason
where it did not succeed; and a date that did not succeed must leave nothing that a reader would
take for its rasters.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from pyveg import formats
from pyveg.core.errors import ConfigError
from pyveg.core.report import RunReport
from pyveg.core.tasks import State
from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import run_pipeline
from pyveg.testing.own_images import BANDS, HERE, bands, write, write_date

DAYS = ("2019-01-05", "2019-02-05", "2019-03-05", "2019-04-05", "2019-05-05", "2019-06-05")
SHAPE = (60, 60)
Rng = np.random.Generator
Odd = Callable[[Path, Rng], None]


def flip(path: Path, rng: Rng) -> None:
    """Some bytes anywhere are others."""
    data = bytearray(path.read_bytes())
    for place in rng.integers(0, len(data), rng.integers(1, 40)):
        data[place] = int(rng.integers(256))
    path.write_bytes(data)


def flip_head(path: Path, rng: Rng) -> None:
    """Some of the first bytes, or of the last ones, where a TIFF keeps its tags."""
    data = bytearray(path.read_bytes())
    places = [*rng.integers(0, 400, 4), *(len(data) - rng.integers(1, 400, 4))]
    for place in rng.choice(places, rng.integers(1, 6)):
        data[min(int(place), len(data) - 1)] = int(rng.integers(256))
    path.write_bytes(data)


def cut(path: Path, rng: Rng) -> None:
    """The end is missing."""
    data = path.read_bytes()
    path.write_bytes(data[: rng.integers(0, len(data))])


def noise(path: Path, rng: Rng) -> None:
    """No image at all, whatever its first bytes say."""
    first = [
        b"",
        b"II*\0",
        b"MM\0*",
        b"II+\0",
        b"\0\0\0\x0cjP  \r\n\x87\n",
        b"\x89PNG\r\n",
        b"<VRT",
    ]
    path.write_bytes(first[rng.integers(len(first))] + rng.bytes(rng.integers(0, 3000)))


def other_type(path: Path, rng: Rng) -> None:
    """Other numbers of other types, with any no-data value."""
    kind = rng.choice(["uint8", "int8", "int16", "uint32", "int32", "float32", "float64"])
    spread = rng.choice([1.0, 255.0, 1e4, 1e9, 1e30])
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        array = (rng.normal(size=SHAPE) * spread).astype(kind)
    if array.dtype.kind == "f":
        array[rng.random(SHAPE) < 0.2] = rng.choice([np.nan, np.inf, -np.inf, -3.4e38])
    nodata = rng.choice([None, 0, 1, float("nan"), float(array[0, 0])])
    if nodata is not None and array.dtype.kind != "f" and not np.isfinite(nodata):
        nodata = None
    write(path, array, nodata=nodata)


def complex_numbers(path: Path, rng: Rng) -> None:
    """Radar."""
    write(path, (rng.normal(size=SHAPE) + 1j).astype("complex64"))


def several(path: Path, rng: Rng) -> None:
    """More bands than one."""
    write(path, [bands(SHAPE)["B4"]] * int(rng.integers(2, 6)))


def tags(path: Path, rng: Rng) -> None:
    """Scales and offsets of any size."""
    scale = float(rng.choice([1e-4, -1.0, 0.0, 1e9, float("nan"), float("inf")]))
    offset = float(rng.choice([0.0, -0.1, 1e12, float("nan")]))
    write(path, bands(SHAPE)["B4"], scale=scale, offset=offset, unit="furlong")


def other_grid(path: Path, rng: Rng) -> None:
    """Other pixels, zones, directions, or none."""
    a, b, c, d, e, f = HERE
    shapes = [
        (20.0, b, c, d, -20.0, f), (a, b, c + 5, d, e, f), (a, b, c, d, 10.0, f - 600),
        (a, 3.0, c, 3.0, e, f), (0.0, 10.0, c, -10.0, 0.0, f), (1e-300, 0, c, 0, -1e-300, f),
        (1e300, 0, c, 0, -1e300, f), (a, b, 1e12, d, e, 1e12), (a, b, c + 200, d, e, f),
    ]  # fmt: skip
    transform = shapes[rng.integers(len(shapes))] if rng.random() < 0.7 else HERE
    crs = rng.choice(["EPSG:32633", "EPSG:32634", "EPSG:4326", "EPSG:3857", "EPSG:3413"])
    write(path, bands(SHAPE)["B4"], transform=transform, crs=str(crs))


def other_size(path: Path, rng: Rng) -> None:
    """From one pixel to a long strip."""
    sizes = [(1, 1), (1, 60), (60, 1), (49, 60), (60, 61), (200, 10), (120, 120)]
    write(path, bands(sizes[rng.integers(len(sizes))])["B4"])


def unplaced(path: Path, rng: Rng) -> None:
    """Half of the georeferencing, or none."""
    crs = None if rng.random() < 0.5 else "EPSG:32633"
    write(path, bands(SHAPE)["B4"], crs=crs, transform=HERE if crs is None else None)


def empty(path: Path, rng: Rng) -> None:
    """Nothing but one number."""
    write(path, np.full(SHAPE, rng.choice([0, 1, 65535]), "uint16"))


def beside(path: Path, rng: Rng) -> None:
    """Odd files beside a sound one."""
    name = rng.choice([".aux.xml", ".msk", ".ovr"])
    texts = [b"<PAMDataset><SRS>EPSG:99999</SRS></PAMDataset>", b"<broken", rng.bytes(200), b""]
    path.with_name(path.name + str(name)).write_bytes(texts[rng.integers(len(texts))])
    for ending in (".tfw", ".prj"):
        if rng.random() < 0.5:
            path.with_suffix(ending).write_bytes(texts[rng.integers(len(texts))])


def masked(path: Path, rng: Rng) -> None:
    """A mask that hides some, or all."""
    write(path, bands(SHAPE)["B4"], mask=rng.random(SHAPE) < rng.choice([0.0, 0.5, 1.0]),
          mask_inside=bool(rng.random() < 0.5))  # fmt: skip


def in_its_place(path: Path, rng: Rng) -> None:
    """A folder, a link to nowhere or to itself, or nothing."""
    path.unlink()
    kind = rng.integers(4)
    if kind == 0:
        path.mkdir()
    elif kind == 1:
        path.symlink_to(path.with_name("nowhere"))
    elif kind == 2:
        path.symlink_to(path.name)


ODD: tuple[Odd, ...] = (
    flip, flip, flip_head, flip_head, flip_head, cut, cut, noise, other_type, other_type,
    complex_numbers, several, tags, other_grid, other_grid, other_size, unplaced, empty, beside,
    masked, in_its_place,
)  # fmt: skip


def job(root: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """A config that measures NDVI of the folder."""
    return {
        "name": "fuzz",
        "output_location": str(root / "out"),
        "coordinates": (14.556, 45.872),
        "date_range": ("2019-01-01", "2020-01-01"),
        "data_collections": {
            "Mine": {
                "data_type": "vegetation", "source": "folder", "path": str(root / "in"),
                "RGB_bands": ["B4", "B3", "B2"], "NIR_band": "B8", **settings,
            }
        },
        "collections_to_use": ["Mine"],
        "modules_to_use": {
            "Mine": ["VegetationDownloader", "VegetationImageProcessor", "NDVICalculator"]
        },
        "runner": "serial",
    }  # fmt: skip


def look(root: Path, settings: dict[str, Any]) -> Counter[str]:
    """Run a folder, and count how its dates ended.

    Raises
    ------
    AssertionError
        For anything that must not be.
    """
    try:
        report = run_pipeline(resolve(job(root, settings)))
    except ConfigError as error:
        refusal = error
    else:
        return counted(report)
    assert refusal.wrong, "a refusal without a reason"
    assert refusal.cure, f"no cure: {refusal.wrong}"
    assert "\n" not in str(refusal)
    assert not list(root.glob("out_*")), "refused, and something was written"
    return Counter(refused=1)


def counted(report: RunReport) -> Counter[str]:
    """How the dates of a run ended, each looked at."""
    states: Counter[str] = Counter()
    run = Path(report.url)
    for task in report.graph:
        result = report.results[task.id]
        if task.step.module == "VegetationDownloader":
            states[str(result.state)] += 1
            raw = list(run.glob(f"gee_*_Mine/{task.item.name}/RAW/*"))
            assert bool(raw) is (result.state is State.SUCCEEDED), (result, raw)
            for file in (path for path in raw if path.suffix == ".tif"):
                formats.decode_geotiff(file.read_bytes())
        if result.state is not State.SUCCEEDED:
            assert result.reason, f"{task.id} is {result.state} without a reason"
        assert not result.reason.split(":")[0].endswith(("Error", "Warning", "Exception")), (
            f"{task.id}: {result.reason}\n{result.details}"
        )
    assert sum(states.values()) == len(DAYS)
    return states


def dated_folders(root: Path, day: str, images: dict[str, Any]) -> None:
    """As pyveg keeps its own rasters."""
    write_date(root, day, images)


def flat(root: Path, day: str, images: dict[str, Any]) -> None:
    """Date and band in the name of each file."""
    write_date(root, day.replace("-", ""), images, "{band}_{date}.tif")


def one_file(root: Path, day: str, images: dict[str, Any]) -> None:
    """All bands in one."""
    write(root / f"site_{day}.tif", list(images.values()), descriptions=BANDS)


def hls(root: Path, day: str, images: dict[str, Any]) -> None:
    """With a mask."""
    stem = f"HLS.S30.T33TVL.{date.fromisoformat(day):%Y%j}T100016.v2.0"
    flags = {"Fmask": np.zeros(SHAPE, "uint8")}
    for band, array in {**images, **flags}.items():
        name = f"B0{band[1:]}" if band in images else band
        write(root / stem / f"{stem}.{name}.tif", array)


FORMS: tuple[tuple[Callable[[Path, str, dict[str, Any]], None], dict[str, Any]], ...] = (
    (dated_folders, {}),
    (flat, {}),
    (one_file, {}),
    (hls, {"mask_band": "Fmask"}),
)


def one_run(number: int, seed: int) -> tuple[list[str], Counter[str]]:
    """A folder with two odd files: what they are, and how its dates ended."""
    rng = np.random.default_rng([seed, number])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        form, settings = FORMS[rng.integers(len(FORMS))]
        files: dict[str, list[Path]] = {}
        for index, day in enumerate(DAYS):
            before = set(root.rglob("*.tif"))
            form(root / "in", day, bands(SHAPE, index))
            files[day] = sorted(set(root.rglob("*.tif")) - before)
        kinds = [form.__name__]
        for day in rng.choice(DAYS, 2, replace=False):
            odd = ODD[rng.integers(len(ODD))]
            if form is one_file and odd is in_its_place:
                odd = cut  # without its only file a date is not there at all
            path = files[str(day)][rng.integers(len(files[str(day)]))]
            kinds.append(f"{odd.__name__} of {path.name}")
            odd(path, rng)
        settings = {**settings, **({"regrid": True} if rng.random() < 0.3 else {})}
        try:
            return kinds, look(root, settings)
        except BaseException as error:
            error.add_note(f"run {number} of seed {seed}: {kinds} with {settings}")
            raise


def main() -> None:
    """Run as many folders as it takes, and print how their dates ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    total: Counter[str] = Counter()
    failed = 0
    for number in range((options.files + 1) // 2):
        try:
            total += one_run(number, options.seed)[1]
        except Exception as error:  # noqa: BLE001 - counted, told, and the next one is tried
            failed += 1
            print(f"WRONG: {type(error).__name__}: {error} {getattr(error, '__notes__', '')}")
    print(
        f"{options.files} files in {(options.files + 1) // 2} runs: {dict(total)}, {failed} wrong"
    )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
