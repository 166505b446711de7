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
WIDTH, BELOW = 1120, 16
"""Pixels: width of the page, and what is left below what happened."""
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
    """Its report down to the end of what happened, of few colours so that the file is small."""
    (report,) = run.glob("analysis/*/report.html")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(OPTIONS))
        page = browser.new_page(viewport={"width": WIDTH, "height": 1000})
        page.goto(report.absolute().as_uri())
        box = page.locator("section.summary").bounding_box()
        height = box["y"] + box["height"] + BELOW if box else 1000
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": height}
        page.screenshot(path=target, full_page=True, clip=clip)
        browser.close()
    with Image.open(target) as picture:
        _small(picture, target)


def _small(picture: Image.Image, target: Path) -> None:
    few = picture.convert("RGB").quantize(64, dither=Image.Dither.NONE)
    few.save(target, optimize=True)


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
    _small(whole, target)


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
