"""Run the tutorials cell by cell, as notebooks are run, each in a process and folder of its own.

``python .ci/run_tutorials.py OUTPUTS [NAME...]`` runs two at once, prints how long each took, and
writes what the cells print and show to ``OUTPUTS/<name>.json``, from where `site_hooks` puts it on
the pages. It ends with 1 and the place of the first failed cell where one fails: what a tutorial
claims stands in its cells as ``assert ..., "in plain words"``.
"""

from __future__ import annotations

import argparse
import ast
import base64
import contextlib
import html
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TUTORIALS = ROOT / "docs" / "tutorials"
CELL = re.compile(r"^```python\n(.*?)^```$", re.S | re.M)
AT_ONCE = 2
LONGEST = 300.0
"""Seconds after which a tutorial is given up."""
SHOWN_LINES = 30


@dataclass(frozen=True)
class Cell:
    """Some lines of Python, or of the shell behind ``!``."""

    source: str
    line: int
    """Of the page, where it begins."""


def cells(text: str) -> list[Cell]:
    r"""The cells of a page.

    Examples
    --------
    >>> [cell.line for cell in cells("# A\n```python\n1 + 1\n```\n")]
    [3]
    """
    return [Cell(one[1], text.count("\n", 0, one.start(1)) + 1) for one in CELL.finditer(text)]


def shell(command: str, names: dict[str, Any]) -> None:
    """One line behind ``!``: ``{name}`` is a value of Python, as in IPython.

    Raises
    ------
    RuntimeError
        If it ends with anything but 0.
    """
    braces = command.replace("{{", "\0").replace("}}", "\1")
    filled = re.sub(r"\{([^{}]+)\}", lambda one: str(eval(one[1], names)), braces)
    line = filled.replace("\0", "{").replace("\1", "}")
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout + done.stderr)
    if done.returncode:
        raise RuntimeError(f"{line}: exit code {done.returncode}\n{done.stdout}{done.stderr}")


def as_python(source: str) -> str:
    """A cell whose lines behind ``!`` are calls of `shell`; the count of lines stays."""
    return re.sub(r"^!(.*)$", lambda one: f"__shell__({one[1]!r}, globals())", source, flags=re.M)


def run_cell(cell: Cell, names: dict[str, Any], file: str) -> str:
    """Run a cell; gives what the page shows behind it.

    The value of its last line is shown as a notebook would show it.
    """
    tree = ast.parse(as_python(cell.source), file)
    ast.increment_lineno(tree, cell.line - 1)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        exec(compile(tree, file, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), file, "eval"), names)
    return "".join(part for part in (shown_text(printed.getvalue()), shown_value(value)) if part)


def shown_text(text: str) -> str:
    """What was printed, as a block of the page; the middle of a long text is left out."""
    lines = [line.rpartition("\r")[2].rstrip() for line in text.rstrip().splitlines()]
    if len(lines) > SHOWN_LINES:
        half = SHOWN_LINES // 2
        lines = [*lines[:half], f"... {len(lines) - 2 * half} lines ...", *lines[-half:]]
    return block(f"<pre><code>{html.escape(chr(10).join(lines))}</code></pre>") if lines else ""


def shown_value(value: Any) -> str:
    """A value as a notebook shows it: a picture, a table, or its text."""
    if value is None:
        return ""
    if hasattr(value, "savefig"):
        picture = io.BytesIO()
        value.savefig(picture, format="png", dpi=90)
        data = base64.b64encode(picture.getvalue()).decode()
        return block(f'<img alt="output of the cell" src="data:image/png;base64,{data}">')
    if hasattr(value, "_repr_png_"):
        data = base64.b64encode(value._repr_png_()).decode()
        return block(f'<img alt="output of the cell" src="data:image/png;base64,{data}">')
    if hasattr(value, "_repr_html_"):
        made = re.sub(r"<style.*?</style>", "", value._repr_html_(), flags=re.S)
        made = made.replace("<th></th>", "<td></td>")  # a corner that heads nothing
        return block(re.sub(r"\s*\n\s*", " ", made))
    return shown_text(repr(value))


def block(inner: str) -> str:
    """HTML that Markdown leaves alone."""
    lines = inner.replace("\n", "&#10;")
    return f'\n\n<div class="shown">{lines}</div>\n'


def run_page(path: Path, out: Path) -> None:
    """Run all cells of a page in this process and the working directory."""
    names: dict[str, Any] = {"__name__": "__tutorial__", "__shell__": shell}
    outputs = []
    for cell in cells(path.read_text(encoding="utf-8")):
        try:
            outputs.append(run_cell(cell, names, str(path)))
        except BaseException:  # noqa: BLE001 - whatever it is, the page has failed
            traceback.print_exc()
            sys.exit(1)
    kept = re.sub(re.escape(str(Path.cwd())) + "/?", "", json.dumps(outputs))
    out.write_text(kept, encoding="utf-8")


def run_apart(path: Path, out: Path) -> tuple[str, str]:
    """Run a page in a process of its own; gives its line, and what went wrong."""
    begin = time.perf_counter()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory(prefix="tutorial_") as folder:
        command = [sys.executable, __file__, "--here", str(path), str(out.absolute())]
        log = Path(folder, "tutorial.log")
        with log.open("w") as said:
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=said, stderr=said,
                start_new_session=True,
            )  # fmt: skip
            try:
                code = process.wait(timeout=LONGEST)
                wrong = log.read_text() if code else ""
            except subprocess.TimeoutExpired:
                wrong = f"it took more than {LONGEST:.0f} s"
            finally:  # servers of a tutorial that has failed, too
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    seconds = time.perf_counter() - begin
    return f"{path.stem:<20} {seconds:6.1f} s  {'FAILED' if wrong else 'fine'}", wrong


def run_all(pages: list[Path], folder: Path) -> Iterator[tuple[str, str]]:
    """Run pages, two at once."""
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda page: run_apart(page, folder / f"{page.stem}.json"), pages)


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outputs", type=Path)
    parser.add_argument("names", nargs="*", help="tutorials; all where none is named")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        run_page(given.here, given.outputs)
        return
    pages = [*sorted(TUTORIALS.glob("*.md")), TUTORIALS.parent / "gallery.md"]
    pages = [page for page in pages if cells(page.read_text(encoding="utf-8"))]
    pages = [page for page in pages if not given.names or page.stem in given.names]
    begin, failed = time.perf_counter(), 0
    for line, wrong in run_all(pages, given.outputs):
        print(line, wrong, sep="\n" if wrong else "", flush=True)
        failed += bool(wrong)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    print(f"{len(pages)} tutorials: {time.perf_counter() - begin:.0f} s, CPU {cpu:.0f} s")
    sys.exit(bool(failed or not pages))


if __name__ == "__main__":
    main()
