"""The report that docs/ keeps as an example: that of `pyveg run demo`.

``python tests/drivers/example_report.py`` runs it and writes docs/example_report.html anew.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET = Path(__file__).parents[2] / "docs" / "example_report.html"


def main() -> None:
    """Run the demo as a user does, in a folder of its own, and keep its report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        command = [sys.executable, "-m", "pyveg.scripts.run_pipeline", "demo"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (report,) = folder.glob("demo_*/analysis/*/report.html")
        text = report.read_text(encoding="utf-8")
    text = text.replace(f"{folder}{os.sep}", "")  # where it was on this machine
    lines = [line.rstrip() for line in text.splitlines()]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{TARGET}: {TARGET.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
