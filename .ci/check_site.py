"""Whether the built site is whole: links, public names, and nothing that comes from elsewhere.

``python .ci/check_site.py site`` ends with 1 and a line for each fault.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from reference_pages import homes

import pyveg
import pyveg.plugin

LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
}
"""Tags and the attribute by which a page loads something."""
LOADING_LINKS = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
}


class Page(HTMLParser):
    """What a page loads, where it leads, and which anchors it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.anchors: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect one tag."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag in LOADS and given.get(LOADS[tag]):
            self.loads.append(given[LOADS[tag]])
        if tag == "link" and LOADING_LINKS & set(given.get("rel", "").split()):
            self.loads.append(given.get("href", ""))
        if tag == "a" and given.get("href"):
            self.leads.append(given["href"])


def faults(site: Path) -> list[str]:
    """One line for each fault of a built site."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    found = []
    for path, page in pages.items():
        if path.name != "404.html":  # which knows no place of its own
            where = path.relative_to(site)
            found += [f"{where} loads {one}" for one in page.loads if not _is_here(path, one)]
            found += [f"{where} leads to {one}, and nothing is there" for one in _lost(path, pages)]
    for sheet in site.rglob("*.css"):
        urls = re.findall(r"(?:@import\s+|url\()[\"']?((?:https?:)?//[^)\"']+)", sheet.read_text())
        found += [f"{sheet.relative_to(site)} loads {url}" for url in urls]
    return found + _missing(pages, site)


def _is_here(path: Path, load: str) -> bool:
    """Whether what a page loads is a file of the site."""
    parts = urlsplit(load)
    if parts.scheme == "data":
        return True
    return not parts.scheme and not parts.netloc and (path.parent / unquote(parts.path)).is_file()


def _lost(path: Path, pages: dict[Path, Page]) -> list[str]:
    """Links within the site that lead to no page, or to no place on one."""
    lost = []
    for lead in pages[path].leads:
        parts = urlsplit(lead)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if target.is_dir():
            target /= "index.html"
        anchors = pages[target].anchors if target in pages else {parts.fragment}
        if not target.is_file() or unquote(parts.fragment) not in anchors:
            lost.append(lead)
    return lost


def _missing(pages: dict[Path, Page], site: Path) -> list[str]:
    """Public names without a place in the reference."""
    found = []
    for module, name in ((pyveg, "api"), (pyveg.plugin, "plugin")):
        anchors = pages[site / f"reference/{name}.html"].anchors
        found += [
            f"reference/{name}.html has no {public}"
            for public, home in homes(module).items()
            if home not in anchors
        ]
    return found


def main() -> None:
    """Print the faults."""
    site = Path(sys.argv[1]).resolve()
    found = faults(site)
    count = len(list(site.rglob("*.html")))
    print(*found, f"{count} pages, {len(found)} faults", sep="\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
