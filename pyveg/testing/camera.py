"""A field camera in PhenoCam's layout, whose greenness is known."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from pyveg.cameras.names import file_name
from pyveg.earth.types import DateRange

ROI = "GR_1000"
_LIST = "start_date,start_time,end_date,end_time,maskfile,sample_image\n"


def green_of(day: int) -> int:
    """Mean green of the image of a day, counted from the first; red and blue are 90."""
    return 100 + day % 60


def write_camera(folder: Path, dates: DateRange, every: int = 5) -> None:
    """Write an image of noon of some days, and a mask of the upper half.

    Parameters
    ----------
    folder : Path
        Its name is that of the site.
    dates : DateRange
    every : int
        Days from one image to the next.
    """
    for day in range(0, (dates.end - dates.start).days, every):
        when = datetime.combine(dates.start + timedelta(days=day), time(12))
        image = np.full((8, 12, 3), 90, dtype=np.uint8)
        image[:4, :, 1] = green_of(day)
        path = folder / f"{when:%Y}" / f"{when:%m}" / file_name(folder.name, when, "png")
        if path.exists():
            continue  # it is known by when it was written
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    mask = np.full((8, 12), 255, dtype=np.uint8)
    mask[:4] = 0
    home = folder / "ROI"
    if home.exists():
        return
    home.mkdir(parents=True)
    Image.fromarray(mask).save(home / f"{folder.name}_{ROI}_01.tif")
    row = f"1970-01-01,00:00:00,9999-01-01,00:00:00,{folder.name}_{ROI}_01.tif,\n"
    (home / f"{folder.name}_{ROI}_roi.csv").write_text(_LIST + row)
