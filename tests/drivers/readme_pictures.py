"""The pictures of the README: the head of the demo's report, and the place at both ends.

Run ``python tests/drivers/readme_pictures.py``, or with ``--run FOLDER`` of a run of the demo.
Needs Chromium and the packages of the tests.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDTH, HEIGHT = 1120, 1010
"""Pixels of the head of the report: what happened, and the series."""
SIDE, GAP = 300, 12
MONTH = "09"
"""Of the pictures of the place: the end of the rains, when plants are green."""
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


def run_demo(folder: Path) -> Path:
    """The demo as a user runs it."""
    command = [sys.executable, "-m", "pyveg.scripts.run_pipeline", "demo"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (found,) = folder.glob("demo_*")
    return found


def head_of_report(run: Path, target: Path) -> None:
    """The first screen of its report, of few colours so that the file is small."""
    (report,) = run.glob("analysis/*/report.html")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(OPTIONS))
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(report.absolute().as_uri())
        page.screenshot(path=target)
        browser.close()
    with Image.open(target) as picture:
        picture.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(target, optimize=True)


def both_ends(run: Path, target: Path) -> None:
    """The image and what pyveg takes for bare soil, in the first and in the last year."""
    found = sorted(run.glob(f"gee_*_SimulatedSentinel2/*-{MONTH}-*/PROCESSED/*_RGB.png"))
    pictures = [
        path.with_name(path.name.replace("_RGB.png", f"_{kind}.png"))
        for path in (found[0], found[-1])
        for kind in ("RGB", "BWNDVI")
    ]
    whole = Image.new("RGB", (4 * SIDE + 3 * GAP, SIDE), "white")
    for number, path in enumerate(pictures):
        with Image.open(path) as picture:
            small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            whole.paste(small, (number * (SIDE + GAP), 0))
    whole.save(target, optimize=True)


def main() -> int:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="a run of the demo; else one is made")
    parser.add_argument("--output_dir", type=Path, default=IMAGES)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run = given.run or run_demo(Path(name))
        head_of_report(run, given.output_dir / "demo_report.png")
        both_ends(run, given.output_dir / "demo_pictures.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
