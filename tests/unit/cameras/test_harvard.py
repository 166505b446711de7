"""All rows of a real camera: where the sun stood, and how soon they are summed up."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from pyveg.cameras.roistats import read_roistats
from pyveg.cameras.summaries import write_summary
from pyveg.kernels.sun import solar_elevation
from pyveg.testing.harvard import LATITUDE, LONGITUDE, ROI, SITE, UTC_OFFSET

ROWS = 21_750


def test_the_sun_stands_where_it_was_published_for_all_images(harvard: Path) -> None:
    path = harvard / f"ROI/{SITE}_{ROI}_roistats.csv"
    images = read_roistats(path.read_bytes(), path.name).images
    assert len(images.sun) == ROWS
    utc = images.seconds - 3600 * UTC_OFFSET
    found = solar_elevation(utc, LONGITUDE, LATITUDE)
    assert np.abs(found - images.sun).max() < 0.05
    assert images.sun.min() < -60, "nights are there, too"


def test_all_rows_become_both_summaries_in_three_seconds(harvard: Path) -> None:
    path = harvard / f"ROI/{SITE}_{ROI}_roistats.csv"
    begin = time.process_time()
    stats = read_roistats(path.read_bytes(), path.name)
    summaries = [write_summary(stats, days) for days in (1, 3)]
    assert time.process_time() - begin < 3
    lines = [[x for x in text.splitlines() if not x.startswith(b"#")] for text in summaries]
    assert [len(rows) - 1 for rows in lines] == [637, 213]
