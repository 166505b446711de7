"""The report in a real browser: Debian's Chromium, without a network."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from pyveg.analysis.report import report_html
from pyveg.analysis.settings import AnalysisSettings
from pyveg.jobs.execution_report import execution_html
from pyveg.testing.analyses import made_analysis, made_series
from pyveg.testing.executions import made_execution

OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser ({', '.join(BROWSERS)}): apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=list(OPTIONS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def files(made_place: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of a place with everything, and of one that cannot tell."""
    folder = tmp_path_factory.mktemp("reports")
    short = made_analysis(
        made_series(chips=1, months=12, weather=False), settings=AnalysisSettings(surrogates=19)
    )
    found = {}
    pages = {
        "whole": made_place.html,
        "short": report_html(short),
        "execution": execution_html(made_execution(60)),
    }
    for name, html in pages.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(html, encoding="utf-8")
    return found


class Seen:
    """What a browser did with a page."""

    def __init__(self, page: Page, address: str) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(address)
        self.page = page

    def ask(self, code: str) -> Any:
        return self.page.evaluate(code)


@pytest.fixture
def open_report(browser: Browser, files: dict[str, Path]) -> Iterator[Any]:
    contexts = []

    def opened(name: str, width: int) -> Seen:
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}))
        contexts[-1].set_offline(True)
        return Seen(contexts[-1].new_page(), files[name].as_uri())

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("name", ["whole", "short"])
def test_it_fits_every_screen(open_report: Any, name: str, width: int) -> None:
    seen = open_report(name, width)
    assert seen.errors == []
    assert [one for one in seen.requests if not one.startswith("data:")] == [seen.page.url]
    assert seen.ask("document.documentElement.scrollWidth") <= width
    images = seen.ask("[...document.images].map(one => one.complete && one.naturalWidth > 0)")
    assert all(images)
    figures = seen.ask("document.querySelectorAll('[role=img]').length")
    assert figures == {"whole": 12, "short": 1}[name]
    assert len(images) > 2 * figures - 1


@pytest.mark.parametrize("width", [360, 1280])
def test_figures_can_be_read_without_being_moved(open_report: Any, width: int) -> None:
    """Panels fit the page, and their letters are not smaller than they were drawn by much."""
    seen = open_report("whole", width)
    sizes = seen.ask(
        "[...document.querySelectorAll('.plot')].map(one =>"
        " [one.getBoundingClientRect().width, one.getBoundingClientRect().right, one.naturalWidth])"
    )
    assert len(sizes) > 40
    assert all(right <= width for _, right, _ in sizes)
    assert min(shown / drawn for shown, _, drawn in sizes) > 0.85
    frames = seen.ask("[...document.querySelectorAll('.scroll')].map(one => one.tabIndex)")
    assert frames == [0, 0]  # wide tables only


def test_the_page_uses_a_desk(open_report: Any) -> None:
    seen = open_report("whole", 1280)
    box = seen.page.locator("section.summary").bounding_box()
    assert box is not None
    assert box["width"] > 1150
    told = [one.bounding_box() for one in seen.page.locator(".told").all()]
    assert told[0]["y"] == told[1]["y"]  # type: ignore[index]  # side by side


@pytest.mark.parametrize(("name", "width"), [("whole", 360), ("whole", 1280), ("short", 360)])
def test_axe_finds_nothing_to_mend(open_report: Any, name: str, width: int) -> None:
    seen = open_report(name, width)
    seen.ask("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = Axe().run(seen.page)
    assert len(found.response["passes"]) > 20
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_an_execution_report_fits_and_axe_finds_nothing(
    open_report: Any, width: int, scheme: Literal["dark", "light"]
) -> None:
    seen = open_report("execution", width)
    seen.page.emulate_media(color_scheme=scheme)
    assert (seen.errors, seen.requests) == ([], [seen.page.url])
    assert seen.ask("document.documentElement.scrollWidth") <= width
    assert (
        seen.ask("getComputedStyle(document.body).backgroundColor")
        == {
            "dark": "rgb(22, 25, 28)",
            "light": "rgb(255, 255, 255)",
        }[scheme]
    )
    bars = seen.ask("[...document.querySelectorAll('.lane rect')].map(one => one.getBBox().width)")
    assert len(bars) == 60
    assert min(bars) > 0
    found = Axe().run(seen.page)
    assert len(found.response["passes"]) > 20
    assert found.violations_count == 0, found.generate_report()


def test_wide_tables_move_in_their_frames(open_report: Any) -> None:
    """Also by keyboard."""
    seen = open_report("whole", 360)
    frames = seen.ask(
        "[...document.querySelectorAll('.scroll')].map(one => [one.scrollWidth, one.clientWidth])"
    )
    assert all(inside >= 460 > outside for inside, outside in frames)
    seen.page.locator(".scroll").first.focus()
    seen.page.keyboard.press("ArrowRight")
    seen.page.wait_for_function("document.querySelector('.scroll').scrollLeft > 0")


def test_the_keyboard_can_skip_the_contents(open_report: Any) -> None:
    seen = open_report("short", 1280)
    seen.page.keyboard.press("Tab")
    box = seen.page.locator(".skip").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    seen.page.keyboard.press("Enter")
    assert seen.ask("document.activeElement.id") == "main"


@pytest.mark.parametrize(("name", "pages"), [("whole", (6, 22)), ("short", (3, 10))])
def test_it_prints(open_report: Any, name: str, pages: tuple[int, int]) -> None:
    seen = open_report(name, 1280)
    printed = seen.page.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    count = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert pages[0] <= count <= pages[1]
    seen.page.emulate_media(media="print")
    seen.page.set_viewport_size({"width": 688, "height": 1000})
    assert seen.ask("document.documentElement.scrollWidth") <= 688
    assert seen.ask("getComputedStyle(document.querySelector('nav')).display") == "none"
    page_of_a4 = 269 / 25.4 * 96  # less the margins
    bottom = "document.querySelector('.summary').getBoundingClientRect().bottom"
    assert seen.ask(f"{bottom} + window.scrollY") < page_of_a4  # it is one page
    widths = "[...document.querySelectorAll('table')].map(one => one.scrollWidth)"
    assert max(seen.ask(widths)) <= 688
