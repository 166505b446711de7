"""Both summaries of a real camera, against those that PhenoCam's own tool makes of the same table.

::

    python tests/drivers/against_vegindex.py
    python tests/drivers/against_vegindex.py --python OTHER/bin/python

The tool, vegindex, needs packages of its own: it is installed into an environment that is removed
afterwards, unless a Python that has it is named.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from pyveg.caches import cache_folder
from pyveg.cameras.roistats import read_roistats
from pyveg.cameras.summaries import write_summary
from pyveg.testing.harvard import (
    ELEVATION,
    LATITUDE,
    LONGITUDE,
    ROI,
    SITE,
    UTC_OFFSET,
    VERSION,
    harvard,
)

CLOSE = 1e-5
"""Both round to five decimals."""
PERIODS = {1: 637, 3: 213}
_ITS_TOOL = """
import sys
import vegindex.config
vegindex.config.archive_dir = sys.argv.pop(1)
vegindex.config.site_info_file = vegindex.config.archive_dir + "/site_info.csv"
from vegindex import generate_summary_timeseries
generate_summary_timeseries.main()
"""


def their_python(folder: Path) -> Path:
    """A Python that has vegindex."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    wanted = [f"vegindex=={VERSION}"]
    subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True)
    return python


def theirs(python: Path, archive: Path, days: int) -> bytes:
    """The summary that vegindex makes."""
    command = [python, "-c", _ITS_TOOL, archive, "-p", str(days), SITE, ROI]
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    return (archive / SITE / "ROI" / f"{SITE}_{ROI}_{days}day.csv").read_bytes()


def table(data: bytes) -> list[dict[str, str]]:
    """The rows of a CSV with a comment in front."""
    lines = [line for line in data.decode().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def differences(ours: list[dict[str, str]], others: list[dict[str, str]]) -> list[str]:
    """What is not equal, field by field."""
    if len(ours) != len(others) or (ours and list(ours[0]) != list(others[0])):
        return [f"{len(ours)} rows of {list(ours[0])}, {len(others)} rows of {list(others[0])}"]
    return [
        f"{mine['date']} {name}: {value}, vegindex has {other[name]}"
        for mine, other in zip(ours, others, strict=True)
        for name, value in mine.items()
        if not alike(value, other[name])
    ]


def alike(one: str, other: str) -> bool:
    """Whether two fields say the same."""
    if one == other:
        return True
    try:
        return abs(float(one) - float(other)) <= CLOSE * 1.000001
    except ValueError:
        return False


def main() -> int:
    """Read the command line; 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path)
    asked = parser.parse_args()
    source = harvard(cache_folder()) / "ROI" / f"{SITE}_{ROI}_roistats.csv"
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        archive = Path(name) / "archive"
        (archive / SITE / "ROI").mkdir(parents=True)
        shutil.copytree(source.parent, archive / SITE / "ROI", dirs_exist_ok=True)
        (archive / "site_info.csv").write_text(
            "sitename,lat,lon,elev,start_date,end_date,tzoffset,nimage\n"
            f"{SITE},{LATITUDE},{LONGITUDE},{ELEVATION},2008-04-04,2017-11-23,{UTC_OFFSET},300\n"
        )
        python = asked.python or their_python(Path(name) / "environment")
        stats = read_roistats(source.read_bytes(), source.name)
        for days, rows in PERIODS.items():
            ours = table(write_summary(stats, days))
            found = differences(ours, table(theirs(python, archive, days)))
            print(f"{days}-day: {len(ours)} rows, {len(ours) * len(ours[0])} fields, "
                  f"{len(found)} differ")  # fmt: skip
            wrong += found[:10] if len(ours) == rows else [f"{len(ours)} rows of {rows}", *found]
    print("\n".join(wrong) or "all is equal")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
