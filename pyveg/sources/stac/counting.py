"""Counts GDAL's requests and bytes, which it tells in its debug messages alone."""

from __future__ import annotations

import logging
import re

from pyveg.core import transfers

OPTIONS = {"CPL_DEBUG": "VSICURL"}
"""Has GDAL tell of each request; of nothing else."""
_LOGGER = "rasterio._env"
_ASKED = re.compile(r"VSICURL: (?:GetFileSize\(|Downloading (\d+)-(\d+)(.*?) ?\()")
_RANGE = re.compile(r"(\d+)-(\d+)")


def listen() -> None:
    """Hear GDAL from now on. What nobody has asked to hear stays unheard."""
    logger = logging.getLogger(_LOGGER)
    parent = logger.parent or logger
    logger.setLevel(logging.DEBUG)

    def count(record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            heard(record.getMessage())
        return parent.isEnabledFor(record.levelno)

    logger.addFilter(count)


def heard(message: str) -> None:
    """Count the request that a message of GDAL tells of, if it tells of one.

    Examples
    --------
    >>> before = transfers.take()
    >>> heard("CPLE_None in VSICURL: GetFileSize(http://host/a.tif)=270388  response_code=200")
    >>> heard("CPLE_None in VSICURL: Downloading 0-32767 (http://host/a.tif)...")
    >>> heard("CPLE_None in VSICURL: Got response_code=206")
    >>> taken = transfers.take()
    >>> taken.requests, taken.received
    (2, 32768)
    """
    asked = _ASKED.search(message)
    if asked is None:
        return
    ranges = _RANGE.findall(message[asked.start() : asked.end()])
    transfers.count(1, sum(int(last) - int(first) + 1 for first, last in ranges))
