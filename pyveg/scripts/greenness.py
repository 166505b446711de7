"""`pyveg_greenness`: how green a field camera's images are, as PhenoCam's tables."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyveg.core.errors import ConfigError
from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, say, version_option

if TYPE_CHECKING:
    from pyveg.cameras.measuring import NotMeasured
    from pyveg.cameras.roistats import Camera, ImageRow, RoiStats

_META = {
    "latitude": "lat",
    "longitude": "lon",
    "elevation": "elevation",
    "utc_offset": "utc_offset",
}
_SHOWN = 3


@click.command(context_settings=CONTEXT)
@click.option("--images", type=click.Path(), help="Folder of images, and those below it.")
@click.option(
    "--mask",
    type=click.Path(),
    help="Which pixels count: an image in which they are black, or a list SITE_ROI_roi.csv of "
    "masks with their dates.",
)
@click.option("--roistats", type=click.Path(), help="A SITE_ROI_roistats.csv to sum up instead.")
@click.option("--site", default="", help="Whose images; as their names say where left out.")
@click.option("--roi", help="Region of interest: kind of vegetation and number. [XX_0001]")
@click.option("--latitude", type=click.FloatRange(-90, 90), help="Of the camera, degrees north.")
@click.option("--longitude", type=click.FloatRange(-180, 180), help="Degrees east.")
@click.option(
    "--utc_offset",
    type=click.FloatRange(-14, 14),
    help="Hours of local standard time ahead of UTC, without daylight saving.",
)
@click.option("--output_dir", required=True, type=click.Path(), help="Where tables are written.")
@debug_option
@version_option
def main(images: str | None, roistats: str | None, debug: bool, **given: Any) -> None:
    """Measure greenness of a field camera: tables of images, of days and of three days.

    \b
    pyveg_greenness --images harvard --mask harvard_DB_0001_roi.csv --output_dir greenness
    pyveg_greenness --roistats harvard_DB_0001_roistats.csv --output_dir greenness

    Names of images are SITE_YYYY_MM_DD_HHMMSS.jpg, in local standard time; else their Exif says
    when they were taken. Dark and white images, and those of a sun below 10 degrees, are left out
    of days. Where the camera stands is read from SITE_meta.json in the folder, if that is there;
    without it and the options, no image is left out for the sun.

    Exit code 0: all fine; 1: some images could not be measured; 2: the command line is wrong.
    """  # noqa: D301 - click wants the character
    with plain_errors(debug=debug):
        if (images is None) == (roistats is None):
            raise click.UsageError("give --images with --mask, or --roistats")
        folder = Path(given["output_dir"])
        if roistats is not None:
            _write(folder, _read(Path(roistats)))
            return
        if not given["mask"]:
            raise click.UsageError("--images needs --mask, which says which pixels count")
        sys.exit(_measure(Path(images or ""), folder, given))


def _read(path: Path) -> RoiStats:
    from pyveg.cameras.roistats import read_roistats
    from pyveg.core.reading import read_whole
    from pyveg.core.texts import said

    try:
        data = read_whole(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {said(error)}", "give a file") from error
    return read_roistats(data, path.name)


def _measure(images: Path, folder: Path, given: dict[str, Any]) -> int:
    """Measure a folder of images; the exit code."""
    from pyveg.cameras.masks import read_masks
    from pyveg.cameras.measuring import images_below, measured
    from pyveg.cameras.roistats import ImageRow, read_roistats, write_roistats

    mask = Path(given["mask"])
    site, found = images_below(images, given["site"])
    camera = _camera(images, site, given["roi"] or _roi_of(mask), given)
    masks = read_masks(mask)
    rows: list[ImageRow] = []
    failed: list[NotMeasured] = []
    for one in measured(found, masks):
        if isinstance(one, ImageRow):
            rows.append(one)
        else:
            failed.append(one)
    _tell_failures(folder, camera, failed)
    if not rows:
        return 1
    data = write_roistats(camera, rows)
    name = f"{camera.prefix}_roistats.csv"
    _save(folder / name, data)
    if camera.utc_offset is None or camera.latitude is None or camera.longitude is None:
        say("note: where the camera stands is not known, so no image is left out for a low sun")
    _write(folder, read_roistats(data, name))
    return 1 if failed else 0


def _camera(images: Path, site: str, roi: str, given: dict[str, Any]) -> Camera:
    from pyveg.cameras.masks import ROI
    from pyveg.cameras.names import SITE
    from pyveg.cameras.roistats import Camera

    if not ROI.fullmatch(roi):
        raise ConfigError(f"--roi {roi} is no region of interest", "write it as DB_0001")
    if not SITE.fullmatch(site):
        raise ConfigError(f"--site {site} is no name of a site", "give letters, digits and hyphens")
    camera = Camera(site, roi, **_meta(images / f"{site}_meta.json"))
    known = {name: given[name] for name in _META if given.get(name) is not None}
    return replace(camera, **known)


def _meta(path: Path) -> dict[str, float]:
    """Where a camera stands, as PhenoCam's file about its site says it."""
    from pyveg.core.reading import read_text

    if not path.is_file():
        return {}
    try:
        said = json.loads(read_text(path))["phenocam_site"]
        return {name: float(said[key]) for name, key in _META.items() if said.get(key) is not None}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} does not say where the camera stands: {error}", "mend it, or move it away"
        ) from error


def _roi_of(mask: Path) -> str:
    """The region that the name of a mask says."""
    from pyveg.cameras.masks import ROI

    found = ROI.search(mask.name)
    return found.group().upper() if found else "XX_0001"


def _write(folder: Path, stats: RoiStats) -> None:
    from pyveg.cameras.summaries import DAYS, write_summary

    for days in DAYS:
        _save(folder / f"{stats.camera.prefix}_{days}day.csv", write_summary(stats, days))


def _tell_failures(folder: Path, camera: Camera, failed: list[NotMeasured]) -> None:
    if not failed:
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["filename", "reason"])
    writer.writerows(failed)
    path = folder / f"{camera.prefix}_failures.csv"
    for one in failed[:_SHOWN]:
        say(f"not measured: {one.filename}: {one.reason}", err=True)
    if len(failed) > _SHOWN:
        say(f"and {len(failed) - _SHOWN} more: {path}", err=True)
    _save(path, text.getvalue().encode("utf-8", "backslashreplace"))


def _save(path: Path, data: bytes) -> None:
    from pyveg.core.texts import said

    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {said(error)}", "choose another") from error
    say(f"wrote {path}")


if __name__ == "__main__":
    main()
