from __future__ import annotations

from pyveg.earth.layout import Layout
from pyveg.earth.types import Place


def test_dates_are_folders_as_they_are() -> None:
    layout = Layout(Place(27.95, 11.57), "Sentinel2")
    folder = "gee_27.95_11.57_Sentinel2/2020-01-16"
    assert layout.raw("2020-01-16", "B4") == f"{folder}/RAW/download.B4.tif"
    assert layout.processed("2020-01-16", "RGB") == (
        f"{folder}/PROCESSED/2020-01-16_27.95_11.57_RGB.png"
    )
    assert layout.chip("2020-01-16", 3, 27.9, 11.5, "NDVI") == (
        f"{folder}/SPLIT/sub3_27.900_11.500_2020-01-16_NDVI.png"
    )
    assert layout.records("d", "NC/offsets") == "gee_27.95_11.57_Sentinel2/d/JSON/NC/offsets.json"
    assert Layout(Place(1, 2), "a/b").root == "gee_1_2_a-b"
