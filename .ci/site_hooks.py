"""What MkDocs does not know by itself of this repository: pages from code, files beside docs/."""

from __future__ import annotations

import json
import os
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".ci"))

from reference_pages import pages  # noqa: E402

BESIDE = {
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CODE_OF_CONDUCT.md": "project/code_of_conduct.md",
    "azure_batch_emulator/README.md": "project/azure_batch_emulator.md",
}
"""Pages that stand where GitHub looks for them, and where the site has them."""

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(((?!https?:|mailto:|#)[^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are not in docs/."""
    for path, made in pages().items():
        files.append(File.generated(config, path, content=made()))
    for path in _tutorials():
        made_of = (ROOT / "docs" / path).read_text(encoding="utf-8")
        name = str(Path(path).with_suffix(".ipynb"))
        files.append(File.generated(config, name, content=notebook(made_of)))
    for source, path in BESIDE.items():
        text = _relinked((ROOT / source).read_text(encoding="utf-8"), source, path)
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links out of docs/ to where the site has their pages; show what tutorials print."""
    path = page.file.src_uri
    if path in BESIDE.values():
        return markdown
    text = _relinked(markdown, f"docs/{path}", path)
    outputs = os.environ.get("PYVEG_TUTORIAL_OUTPUTS")
    if path in _tutorials():
        if outputs:
            text = _with_outputs(text, Path(outputs) / f"{Path(path).stem}.json")
        text += f"\n\n[This page as a notebook]({Path(path).stem}.ipynb){{ download }}\n"
    return text


def on_post_page(output: str, **_: Any) -> str:
    """Name what the theme leaves without a name for readers of screens."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"')


def _tutorials() -> list[str]:
    """Pages that have cells."""
    pages = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
    return [*(f"tutorials/{page.name}" for page in pages), "gallery.md"]


def notebook(text: str) -> str:
    r"""A page with cells as a notebook without outputs, version 4 of the format.

    Examples
    --------
    >>> made = json.loads(notebook("---\na: b\n---\n# A\n```python\n1 + 1\n```\nend\n"))
    >>> [(cell["cell_type"], cell["source"]) for cell in made["cells"]]
    [('markdown', '# A'), ('code', '1 + 1'), ('markdown', 'end')]
    """
    body = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    made = []
    for number, part in enumerate(re.split(r"^```python\n(.*?)^```$", body, flags=re.S | re.M)):
        if not part.strip():
            continue
        cell: dict[str, Any] = {"id": f"cell-{number}", "metadata": {}, "source": part.strip("\n")}
        if number % 2:
            cell |= {"cell_type": "code", "execution_count": None, "outputs": []}
        else:
            cell |= {"cell_type": "markdown"}
        made.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False)


def _relinked(text: str, source: str, path: str) -> str:
    """Links of a file of the repository, as the page `path` of the site needs them."""

    def link(match: re.Match[str]) -> str:
        words, target = match[1], match[2]
        name, _, anchor = target.partition("#")
        file = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
        if file.startswith("docs/"):
            to = file.removeprefix("docs/")
        elif file in BESIDE:
            to = BESIDE[file]
        else:  # a file that the site does not have: its name alone
            return words if words.startswith("`") else f"{words} (`{file}`)"
        to = posixpath.relpath(to, posixpath.dirname(path) or ".")
        return f"[{words}]({to}{'#' + anchor if anchor else ''})"

    return LINK.sub(link, text)


def _with_outputs(text: str, file: Path) -> str:
    """Put behind each cell of a tutorial what it printed and showed when it was run."""
    outputs = iter(json.loads(file.read_text(encoding="utf-8")))
    return re.sub(
        r"^```python\n.*?^```$", lambda cell: cell[0] + next(outputs), text, flags=re.S | re.M
    )
