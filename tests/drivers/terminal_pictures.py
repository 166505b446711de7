"""Pictures of a run in terminals of 80 and of 120 columns, for the docs, from a run of the demo.

python tests/drivers/terminal_pictures.py docs/images
"""

from __future__ import annotations

import argparse
import io
import os
import re
import tempfile
from pathlib import Path

import click
from rich.console import Console, Group
from rich.text import Text

from pyveg import run_pipeline
from pyveg.core.events import Event, RunStarted, TaskEnded, TaskStarted
from pyveg.core.report import RunReport
from pyveg.scripts.ending import ending, next_lines
from pyveg.scripts.live_progress import Sheet
from pyveg.scripts.main import main as pyveg
from pyveg.scripts.run_view import RunView

COLUMNS = (80, 120)
SHARE = 45
"""Percent of the run at which its view is drawn."""
HOME = "/home/you/places"


class Camera:
    """An observer that draws the view of a run once, for all widths at the same moment."""

    def __init__(self) -> None:
        self.views: dict[int, Group] = {}
        self._view: RunView | None = None

    def __call__(self, event: Event) -> None:
        """Count, and draw when the time has come."""
        if isinstance(event, RunStarted):
            self._view = RunView(event.graph)
        elif self._view is not None and isinstance(event, TaskStarted):
            self._view.started(event)
        elif self._view is not None and isinstance(event, TaskEnded):
            self._view.ended(event)
            if not self.views and self._view.percent >= SHARE:
                self.views = {width: Group(*Sheet(self._view, width).lines()) for width in COLUMNS}


def closing(report: RunReport, width: int) -> Group:
    """What the command prints at the end, as it is in a terminal of that width."""
    with click.Context(click.Command("run"), parent=click.Context(pyveg, info_name="pyveg")):
        lines = [*ending(report, width), *next_lines(report, None)]
    return Group(*(Text(line.replace(str(Path.cwd()), HOME)) for line in lines))


def save(content: Group, width: int, path: Path) -> None:
    """Write the picture, without fonts from elsewhere."""
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ pyveg run demo", "bold"))
    console.print(content)
    svg = console.export_svg(title=f"{width} columns", unique_id=path.stem.replace("_", "-"))
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    path.write_text(re.sub(r"[ \t]+$", "", svg, flags=re.M), encoding="utf-8")
    print(path)


def main() -> None:
    """Run the demo in a folder of its own, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    target = parser.parse_args().folder.absolute()
    camera = Camera()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        report = run_pipeline("demo", observers=[camera])
        for width in COLUMNS:
            save(camera.views[width], width, target / f"terminal_{width}.svg")
            save(closing(report, width), width, target / f"terminal_end_{width}.svg")
        os.chdir("/")


if __name__ == "__main__":
    main()
