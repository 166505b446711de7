"""The report that docs/ keeps as an example: that of `pyveg run demo`.

``python tests/drivers/example_report.py`` runs it and writes docs/example_report.html anew; with
``--run FOLDER`` it takes the report of a run that is there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET = Path(__file__).parents[2] / "docs" / "example_report.html"


def run_demo(folder: Path) -> Path:
    """The demo as a user runs it."""
    command = [sys.executable, "-m", "pyveg.scripts.run_pipeline", "demo"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (found,) = folder.glob("demo_*")
    return found


def main() -> None:
    """Keep the report of a run, without the address that it had on this machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="a run of the demo that is there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run = (given.run or run_demo(Path(name))).resolve()
        (report,) = run.glob("analysis/*/report.html")
        text = report.read_text(encoding="utf-8").replace(f"{run.parent}{os.sep}", "")
    lines = [line.rstrip() for line in text.splitlines()]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{TARGET}: {TARGET.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
