"""Reading bands of a scene on the grid of a place, through odc-stac and GDAL."""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import odc.stac
import pystac
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio import Affine
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from pyveg.core import answers, waiting
from pyveg.core.errors import DataError, PyvegError, ServiceError
from pyveg.core.texts import said, shown
from pyveg.kernels.composite import FMASK_FILL
from pyveg.sources import hls, http
from pyveg.sources.circuit import CIRCUIT, host_of
from pyveg.sources.grid import Grid
from pyveg.sources.stac import counting
from pyveg.sources.stac.settings import StacSettings
from pyveg.sources.stac.signing import signed
from pyveg.sources.stac.trust import check_scene, gate_of

Band = NDArray[Any]

GONE = (404, 410)
QA_FILL = 1
"""QA_PIXEL of pixels outside of a Landsat scene."""

log = logging.getLogger(__name__)


def _without_tokens(record: logging.LogRecord) -> bool:
    """Take the signatures out of what is logged of files that cannot be read."""
    record.msg, record.args = http.without_queries(record.getMessage()), ()
    return True


_WAITS = re.compile(r"HTTP error code: (\d+) - (\S+?)\. Retrying again in ([\d.]+) secs")
"""GDAL's words before it waits; 0 where there was no answer."""


def _tell_waits(record: logging.LogRecord) -> bool:
    """Let progress bars know whom GDAL waits for; it says so in its log alone."""
    if found := _WAITS.search(record.getMessage()):
        why = f"HTTP {found[1]}" if found[1] != "0" else "no connection"
        waiting.heard_of(host_of(found[2]), why, float(found[3]))
    return True


for _name in ("odc.loader._rio", "rasterio._env"):
    logging.getLogger(_name).addFilter(_without_tokens)
    # Whoever listens hears of each band; nobody who has not asked for it finds it on the terminal,
    # where the reason of the date says the same.
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).addFilter(_tell_waits)

_failed: set[str] = set()
"""Scenes that could not be read. GDAL remembers a file that it once could not have as one that is
not there, and must be told to ask again."""


class SceneGoneError(Exception):
    """A file that the catalogue names is not there."""


def read(
    scene: dict[str, Any], bands: Sequence[str], grid: Grid, settings: StacSettings
) -> dict[str, tuple[Band, float]]:
    """Read bands of a scene, each on the pixels of a grid, by the nearest pixel.

    Parameters
    ----------
    scene : dict
        STAC item as JSON.
    bands : sequence of str
        Keys of its assets.
    grid : Grid
    settings : StacSettings

    Returns
    -------
    dict of str to (ndarray, float)
        Stored numbers, shape (rows, columns), and the number that stands for none.

    Raises
    ------
    SceneGoneError
        If a file is not there.
    DataError, ServiceError
        If it cannot be read, with advice.
    """
    check_scene(scene, bands, settings)
    address, begin = _address(scene, bands), time.monotonic()
    for anew in (False, True):
        CIRCUIT.check(host_of(address))
        try:
            read = _load(signed(scene, settings, anew=anew), bands, grid, settings)
        except RasterioError as error:
            _failed.add(scene["id"])
            gate = gate_of(settings)
            if gate is not None and (refused := gate.refused(begin)):
                raise refused from error
            status = _status(error)
            if status in answers.NOT_AUTHENTIC and settings.signing and not anew:
                log.info("%s: the signature is refused; signing anew", scene["id"])
                continue
            if status in GONE or _missing(error):
                raise SceneGoneError(scene["id"]) from error
            lost = gate and gate.lost(host_of(address), begin)
            raise _failure(scene, lost or error, status, settings) from error
        CIRCUIT.answered(host_of(address))
        return read
    raise AssertionError("the second attempt returns or raises")


def _load(
    scene: dict[str, Any], bands: Sequence[str], grid: Grid, settings: StacSettings
) -> dict[str, tuple[Band, float]]:
    """As GDAL gives them; what odc-stac says of a scene that it cannot understand, in our words."""
    counting.count()
    try:
        return _loaded(scene, bands, grid, settings)
    except (RasterioError, MemoryError):
        raise
    except Exception as error:  # a scene may have anything in it
        raise DataError(
            f"the scene {shown(str(scene['id']))} is not as STAC has them: {said(error)}",
            "leave it out, or use another catalogue",
        ) from error
    finally:
        counting.count()


def _loaded(
    scene: dict[str, Any], bands: Sequence[str], grid: Grid, settings: StacSettings
) -> dict[str, tuple[Band, float]]:
    needed = {name: asset for name, asset in scene["assets"].items() if name in bands}
    item = pystac.Item.from_dict({**scene, "assets": needed, "links": []})
    box = GeoBox(grid.shape, Affine(*grid.transform), grid.crs)
    with (
        warnings.catch_warnings(),
        rasterio.Env(**_gdal_options(settings, again=scene["id"] in _failed)),
    ):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # of arrays, in a reprojection
        data = odc.stac.load(
            [item],
            bands=list(bands),
            geobox=box,
            groupby="id",
            resampling="nearest",
            stac_cfg=_defaults(settings),
            pool=min(settings.read_threads, len(bands)),
        )
    return {band: (data[band].to_numpy()[0], _nodata(data[band])) for band in bands}


def _nodata(array: Any) -> float:
    value = array.attrs.get("nodata")
    return 0.0 if value is None else float(value)


def _defaults(settings: StacSettings) -> dict[str, Any]:
    """What items that are silent about their numbers are taken to have."""
    fill = {"qa_pixel": QA_FILL, "fmask": FMASK_FILL}.get(settings.mask, 0)
    none = hls.NODATA if hls.is_collection(settings.stac_collection) else 0
    assets = {"*": {"data_type": "float32", "nodata": none}}  # float32 holds all 16-bit numbers
    if settings.mask_band:
        assets[settings.mask_band] = {"data_type": "uint16", "nodata": fill}
    if settings.saturation_band:
        assets[settings.saturation_band] = {"data_type": "uint16", "nodata": 0}
    return {"*": {"assets": assets, "warnings": "ignore"}}


def _gdal_options(settings: StacSettings, *, again: bool) -> dict[str, Any]:
    """How GDAL asks for files over HTTP: what passes is tried again, after longer and longer."""
    return {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # or it would list a folder of thousands
        "GDAL_HTTP_MAX_RETRY": settings.retries,
        "GDAL_HTTP_RETRY_DELAY": settings.retry_wait,
        "GDAL_HTTP_RETRY_CODES": ",".join(map(str, sorted(answers.PASSING))),
        "GDAL_HTTP_TIMEOUT": max(1, round(settings.request_timeout)),
        "GDAL_HTTP_CONNECTTIMEOUT": max(1, round(min(settings.request_timeout, 15))),
        "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
        "GDAL_INGESTED_BYTES_AT_OPEN": 32_768,  # heads of most files, in one request
        **({"GDAL_HTTP_PROXY": gate.address} if (gate := gate_of(settings)) else {}),
        **({"CPL_VSIL_CURL_NON_CACHED": "/vsicurl/"} if again else {}),
    }


def _status(error: BaseException) -> int | None:
    """The HTTP status that GDAL mentions, in the error or in what caused it."""
    cause: BaseException | None = error
    while cause is not None:
        status = http.status_in(str(cause))
        if status is not None:
            return status
        cause = cause.__cause__ or cause.__context__
    return None


def _missing(error: BaseException) -> bool:
    return "No such file or directory" in str(error)


def _address(scene: dict[str, Any], bands: Sequence[str]) -> str:
    """Where the first of some bands is; empty where that is on this machine."""
    hrefs = (scene["assets"][band]["href"] for band in bands if band in scene["assets"])
    return next((href for href in hrefs if href.startswith(("http://", "https://"))), "")


def _failure(
    scene: dict[str, Any], error: BaseException, status: int | None, settings: StacSettings
) -> PyvegError:
    text = http.without_queries(str(error))
    address = _address(scene, list(scene["assets"]))
    if not any("://" in asset["href"] for asset in scene["assets"].values()):
        return DataError(
            f"a file of the scene {scene['id']} cannot be read: {text}",
            "copy it anew, and finish the run with --from_cache",
        )
    host = f"the host of the scene {scene['id']}"
    if status in answers.NOT_AUTHENTIC:
        return _refused(address, host, status, settings)
    if status is not None:
        return http.failure(host, status, text)
    if "not recognized" in text:  # GDAL's word for an answer cut short, too
        return DataError(
            f"{host} gave no image: it is in trouble, or the file is damaged ({text})",
            "finish the run later",
        )
    # GDAL's words differ by ports and milliseconds; the host is what all scenes share.
    return http.unreached(f"the images at {host_of(address)}", address, text)


def _refused(address: str, host: str, status: int, settings: StacSettings) -> ServiceError:
    if settings.signing:  # with a new signature too: nobody is let in
        return http.failure(f"the images at {host_of(address)}", status, "", http.head_of(address))
    # Some stores answer so where one file is missing: no reason to give up the others.
    error = http.failure(host, status)
    return ServiceError(error.wrong, error.cure)


def missing_mask(values: Band, nodata: float) -> NDArray[np.bool_]:
    """Pixels that hold no number."""
    if np.isnan(nodata):
        return np.isnan(values)
    missing: NDArray[np.bool_] = (values == nodata) | ~np.isfinite(values)
    return missing
