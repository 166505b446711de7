"""What the makers of images put beside them: metadata that say what numbers mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring

from pyveg.core.errors import DataError

SIDECARS = (".aux.xml", ".msk")
"""Added to the whole name of a file."""
WORLD = (".tfw", ".tifw", ".wld", ".j2w", ".jgw", ".pgw", ".prj", ".hdr")
"""In place of the ending of a file."""
SENTINEL2 = ("MTD_MSIL2A.xml", "MTD_MSIL1C.xml")
_LEVEL2 = "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"
_NEWER = re.compile(r"^S2[A-D]_MSI.*_N(?:0[4-9]|[1-9]\d)\d\d_")
_UP = 4
"""Folders above a Sentinel-2 band in which the metadata of its product lie."""


@dataclass(frozen=True)
class ProductNumbers:
    """reflectance = number x scale + offset."""

    scale: float
    offset: float
    nodata: float | None


def files(path: Path) -> list[Path]:
    """All files that are looked at when one is opened, itself first."""
    candidates = [
        *(path.with_name(path.name + ending) for ending in SIDECARS),
        *(path.with_suffix(ending) for ending in WORLD),
        *_metadata(path),
    ]
    return [path, *(file for file in candidates if file.is_file())]


def product_numbers(path: Path, band: str) -> ProductNumbers | None:
    """What the metadata of a Sentinel-2 or Landsat product say of a band.

    Parameters
    ----------
    path : Path
        Of the band's file.
    band : str

    Returns
    -------
    ProductNumbers or None
        None where there are none.

    Raises
    ------
    DataError
        For metadata that cannot be read.
    """
    landsat = re.search(r"_(SR_)?B(\d{1,2})\.tiff?$", path.name, re.IGNORECASE)
    for file in _metadata(path):
        if file.suffix == ".xml":
            return _sentinel2(file, band)
        if landsat:
            return _landsat(file, bool(landsat[1]), landsat[2])
    if landsat and landsat[1] and re.search(r"_02_(T1|T2|RT)_SR_B", path.name):
        # Published for all of Collection 2 Level 2 (Science Product Guide, table 6-1).
        return ProductNumbers(2.75e-5, -0.2, 0.0)
    return None


def lacks_offset(path: Path) -> bool:
    """Whether a Sentinel-2 file is of a baseline that has an offset, and nothing states it.

    Since baseline 04.00 numbers are 1000 too large; the name of the product has the baseline.
    """
    newer = any(_NEWER.search(part) for part in path.parts)
    return newer and not _metadata(path)


def _metadata(path: Path) -> list[Path]:
    """Metadata files of the product that a file belongs to."""
    product = re.match(r"(L[COTEM]0\d_L\d[A-Z]{2}_\d{6}_\d{8}_\d{8}_\d\d_(?:T1|T2|RT))_", path.name)
    if product:
        file = path.with_name(f"{product[1]}_MTL.txt")
        return [file] if file.is_file() else []
    if not re.search(r"T\d\d[A-Z]{3}_\d{8}T", path.name):
        return []
    folders = list(path.parents)[: _UP + 1]
    return [f / name for f in folders for name in SENTINEL2 if (f / name).is_file()][:1]


def _sentinel2(file: Path, band: str) -> ProductNumbers:
    """Quantification and, since baseline 04.00, the offset of each band."""
    try:
        root = _xml(file)
        of_all = {_tag(element): element.text or "" for element in root.iter()}
        quantification = float(
            of_all.get("BOA_QUANTIFICATION_VALUE") or of_all.get("QUANTIFICATION_VALUE") or 1e4
        )
        ids = {e.get("physicalBand", "").upper(): e.get("bandId") for e in root.iter()}
        wanted = ids.get(re.sub(r"^B0", "B", band.upper()))
        offsets = {
            element.get("band_id"): float(element.text or 0)
            for element in root.iter()
            if _tag(element) in {"BOA_ADD_OFFSET", "RADIO_ADD_OFFSET"}
        }
    except (OSError, ParseError, ValueError) as error:
        raise DataError(
            f"{file} cannot be read: {error}", "replace it by the product's own"
        ) from error
    offset = offsets.get(wanted, next(iter(offsets.values()), 0.0))
    return ProductNumbers(1 / quantification, offset / quantification, 0.0)


def _xml(file: Path) -> Element:
    """The tree of a file; entities, which can grow beyond any memory, are refused."""
    text = file.read_text(encoding="utf-8")
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise ValueError("it declares entities")
    return fromstring(text)


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _landsat(file: Path, surface: bool, number: str) -> ProductNumbers | None:
    """Multiplier and addend of a band by ``<product>_MTL.txt``."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error}", "make it readable") from error
    if surface and _LEVEL2 in text:
        text = text.split(_LEVEL2)[1]
    found = [
        re.search(rf"REFLECTANCE_{what}_BAND_{int(number)}\s*=\s*([-+.\deE]+)", text)
        for what in ("MULT", "ADD")
    ]
    if None in found:
        return None
    scale, offset = (float(match[1]) for match in found if match)
    return ProductNumbers(scale, offset, 0.0)
