"""The pages of the service: over HTTP, and in a real browser without a network."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from pyveg.jobs.run import prepare, start
from pyveg.runs.run import Run, open_run
from pyveg.service import keys, table
from pyveg.service.config import ServiceConfig
from pyveg.service.desk import Desk
from pyveg.service.pages import answers
from pyveg.service.pages.mounting import watch_app
from pyveg.service.records import Caller
from pyveg.service.web.app import create_app
from pyveg.testing.gate import Gate
from pyveg.testing.graphs import FAKES

OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
EVIL = "<script>alert(1)</script>"
PLACE = {
    "longitude": "27.95", "latitude": "11.57", "start_date": "2016-01-01",
    "end_date": "2017-01-01", "collections": "SimulatedSentinel2", "analysis": "false",
}  # fmt: skip


HIDE = """hidden => {
    Object.defineProperty(document, "hidden", {get: () => hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
    return source.readyState;
}"""
"""Does with a page what a change of tabs does, and tells how its stream of events is."""
CONNECTING, CLOSED = 0, 2


class Served:
    """An application at a port of this machine, which can go away and come back."""

    def __init__(self, app: Any, port: int = 0) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self._app = app
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._thread.start()

    def stop(self) -> None:
        self._app.state.hub.close()
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._socket.close()

    def ask(
        self,
        path: str,
        form: Mapping[str, Any] | None = None,
        cookie: str = "",
    ) -> SimpleNamespace:
        """One request: a GET, or a POST of a form; what it led to is not followed."""
        body = urlencode(form, doseq=True) if form is not None else None
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as line:
            line.request("GET" if form is None else "POST", path, body, headers)
            answer = line.getresponse()
            return SimpleNamespace(
                status=answer.status, headers=answer.headers, text=answer.read().decode()
            )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, small_run: Any) -> Path:
    """A folder with a run of a place, and one of odd names of which some tasks failed."""
    folder = tmp_path_factory.mktemp("runs")
    place = folder / "place_2026-01-31_12-00-00"
    shutil.copytree(small_run.folder, place)
    report = place / "analysis" / "SimulatedSentinel2"
    report.mkdir(parents=True)
    (report / "report.html").write_text(f"<title>r</title><h1>Report</h1>{EVIL}")
    (report / "analysis.json").write_text("{}")
    finished(folder / "odd", names=(EVIL, "a\u202eb", "größe", "c"), fail=(EVIL, "c"))
    return folder


def finished(where: Path, **settings: Any) -> Run:
    """A run of the fake Modules, done in this process."""
    done(where, **settings)
    return open_run(where)


def done(where: Path, **settings: Any) -> None:
    config = where.parent / f"{where.name}.py"
    config.write_text(
        f"name = 'fakes'\noutput_location = 'unused'\n"
        f"modules_to_use = {{'job': ['{FAKES}:Start']}}\n"
        f"special_config = {{'job': {settings!r}}}\n"
    )
    start(prepare(str(config), at=str(where), runner="serial"))


@pytest.fixture(scope="module")
def watched(runs: Path) -> Iterator[Served]:
    served = Served(watch_app(str(runs)))
    yield served
    served.stop()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk without a supervisor: jobs that come in wait."""
    config = ServiceConfig(data=str(tmp_path / "service"), runs=str(tmp_path / "runs"))
    config.folder.mkdir()
    keys.make(config.folder)
    table.make(config.table_path)
    return Desk(config)


@pytest.fixture
def served(desk: Desk) -> Iterator[Served]:
    made = Served(create_app(desk))
    yield made
    made.stop()


def signed_in(served: Served, desk: Desk, name: str = "kim") -> str:
    """The cookie of a browser whose user has shown a token."""
    token = desk.callers.add(Caller(name))
    answer = served.ask("/login", {"token": token, "next": "/page"})
    assert (answer.status, answer.headers["location"]) == (303, "/page")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    return str(cookie.partition(";")[0])


def csrf_of(served: Served, cookie: str, path: str = "/page") -> str:
    found = re.search('name="csrf" value="([^"]+)"', served.ask(path, cookie=cookie).text)
    assert found is not None
    return found[1]


def address(served: Served, name: str) -> str:
    """The page of a run by its name."""
    found = re.search(f'href="(/page/runs/[0-9a-f]+)">{name}<', served.ask("/page").text)
    assert found is not None
    return found[1]


# Runs at a location


def test_the_list_and_the_page_of_a_run_tell_how_it_is(watched: Served) -> None:
    found = watched.ask("/page")
    assert found.status == 200
    assert watched.ask("/").headers["location"] == "/page"
    one = watched.ask(address(watched, "place_2026-01-31_12-00-00")).text
    for told in ("of 25 tasks", "NDVICalculator", "Everything that was measured", "2016-04-16"):
        assert told in one
    assert 'src="' + address(watched, "place_2026-01-31_12-00-00") + "/files/analysis" in one
    assert "sandbox" in one
    odd = watched.ask(address(watched, "odd")).text
    assert "2 of 4" not in odd
    assert "2 failed" in odd
    assert "is bad" in odd


def test_nothing_of_others_is_html_or_hidden(watched: Served) -> None:
    odd = address(watched, "odd")
    task = quote(next(line for line in tasks_in(watched, odd) if "script" in line), safe="")
    pages = [odd, f"{odd}/tasks", f"{odd}/log", f"{odd}/files", f"{odd}/task?id={task}"]
    for page in pages:
        text = watched.ask(page).text
        assert EVIL not in text, page
        assert "\u202e" not in text, page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; is bad" in watched.ask(pages[-1]).text


def tasks_in(watched: Served, page: str) -> list[str]:
    return re.findall(r'task\?id=[^"]+">([^<]+)<', watched.ask(f"{page}/tasks?state=failed").text)


def test_pages_load_nothing_from_elsewhere_and_no_script_of_their_own_text(
    watched: Served,
) -> None:
    place = address(watched, "place_2026-01-31_12-00-00")
    for page in ("/page", place, f"{place}/log", "/page/runs/none"):
        answer = watched.ask(page)
        policy = answer.headers["content-security-policy"]
        assert policy == answers.POLICY
        assert "unsafe" not in policy
        assert not re.search(r"<script>|<style|\son\w+=|style=|javascript:|https?://", answer.text)
    assert watched.ask("/page/runs/none").status == 404
    assert watched.ask("/elsewhere").status == 404


def test_files_of_a_run_are_looked_at_and_never_executed(watched: Served) -> None:
    place = address(watched, "place_2026-01-31_12-00-00")
    report = watched.ask(f"{place}/files/analysis/SimulatedSentinel2/report.html")
    assert EVIL in report.text
    assert report.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    summary = watched.ask(f"{place}/files/gee_27.95_11.57_combine/series.csv")
    assert summary.headers["content-type"] == "text/plain; charset=utf-8"
    assert int(summary.headers["content-length"]) == len(summary.text)
    raster = re.search(r'files/([^"]+NDVI\.tif)"', watched.ask(f"{place}/files").text)
    assert raster is not None
    for key in ("_pyveg/run.json", "_pyveg/config.py", "..%2f..%2fodd.py", "%2fetc%2fpasswd", "no"):
        assert watched.ask(f"{place}/files/{key}").status == 404, key


def test_tasks_and_files_are_paged(watched: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyveg.service.pages.watched.TASKS", 3)
    monkeypatch.setattr("pyveg.service.pages.watched.FILES", 2)
    odd = address(watched, "odd")
    for name, items in (("tasks", 4), ("files", 2)):
        seen: list[str] = []
        page: str | None = f"{odd}/{name}"
        while page is not None:
            text = watched.ask(page).text
            pattern = r'task\?id=([^"]+)' if name == "tasks" else r'/files/([^"?]+)"'
            seen += re.findall(pattern, text)
            following = re.search(r'href="([^"]+)">More<', text)
            page = following[1].replace("&amp;", "&") if following else None
        assert len(seen) == len(set(seen)) == items, name


# Jobs


def test_a_browser_signs_in_with_a_token_and_is_sent_back(served: Served, desk: Desk) -> None:
    asked = served.ask("/page?state=failed")
    assert asked.status == 303
    assert asked.headers["location"] == "/login?next=%2Fpage%3Fstate%3Dfailed"
    wrong = served.ask("/login", {"token": "pyveg_nobody", "next": "/page"})
    assert wrong.status == 401
    assert "nobody has this token" in wrong.text
    token = desk.callers.add(Caller("ada"))
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example"):
        answer = served.ask("/login", {"token": token, "next": elsewhere})
        assert answer.headers["location"] == "/page"


def test_a_place_is_submitted_from_the_form_once(served: Served, desk: Desk) -> None:
    cookie = signed_in(served, desk)
    page = "/page/processes/resilience"
    form = served.ask(page, cookie=cookie).text
    for name in PLACE:
        assert f'name="{name}"' in form
    key = re.search('name="key" value="([^"]+)"', form)
    assert key is not None
    sent = {**PLACE, "csrf": csrf_of(served, cookie), "key": key[1]}
    assert served.ask(page, {**sent, "csrf": "other"}, cookie).status == 403
    assert served.ask(page, sent).status == 303  # to sign in
    assert desk.jobs(Caller("kim")).jobs == []
    places = {served.ask(page, sent, cookie).headers["location"] for _ in range(2)}
    (job,) = desk.jobs(Caller("kim")).jobs
    assert places == {f"/page/jobs/{job.id}"}
    assert job.inputs == {
        "longitude": 27.95, "latitude": 11.57, "start_date": "2016-01-01",
        "end_date": "2017-01-01", "collections": ["SimulatedSentinel2"], "analysis": False,
    }  # fmt: skip
    shown = served.ask(f"/page/jobs/{job.id}", cookie=cookie).text
    assert "resilience at 27.95, 11.57" in shown
    assert "Cancel this job" in shown


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("latitude", "95", "latitude = 95"),
        ("longitude", "east", "longitude"),
        ("collections", "", "collections is empty"),
        ("end_date", "2015-01-01", "is not after"),
    ],
)
def test_what_is_wrong_is_said_beside_what_was_given(
    served: Served, desk: Desk, name: str, value: str, told: str
) -> None:
    cookie = signed_in(served, desk)
    sent = {**PLACE, name: value, "csrf": csrf_of(served, cookie)}
    answer = served.ask("/page/processes/resilience", sent, cookie)
    assert answer.status == 422
    assert told in answer.text
    assert 'value="2016-01-01"' in answer.text
    if name in ("latitude", "longitude"):
        assert re.search(f'id="f-{name}"[^>]*aria-invalid="true"', answer.text)


def test_only_its_caller_sees_and_stops_a_job(served: Served, desk: Desk) -> None:
    cookie, other = signed_in(served, desk), signed_in(served, desk, "eve")
    job = desk.submit(Caller("kim"), "resilience", typed()).job
    page = f"/page/jobs/{job.id}"
    assert job.id not in served.ask("/page", cookie=other).text
    for path in ("", "/tasks", "/log", "/files", "/files/a"):
        assert served.ask(f"{page}{path}", cookie=other).status == 404, path
    for cookie_of_another in (other, ""):  # their browsers load the page again, which says why
        assert served.ask(f"{page}/live", cookie=cookie_of_another).text == "event: gone\ndata:\n\n"
    csrf = csrf_of(served, other)
    assert served.ask(f"{page}/cancel", {"csrf": csrf}, other).status == 404
    assert served.ask(f"{page}/cancel", {"csrf": csrf}, cookie).status == 403
    assert served.ask(f"{page}/purge", {"csrf": csrf_of(served, cookie)}, cookie).status == 409
    assert not desk.job(Caller("kim"), job.id).stopping
    done = served.ask(f"{page}/cancel", {"csrf": csrf_of(served, cookie)}, cookie)
    assert done.headers["location"] == page
    assert "It was asked to stop" in served.ask(page, cookie=cookie).text


def typed() -> dict[str, Any]:
    return {**PLACE, "longitude": 27.95, "latitude": 11.57, "analysis": False,
            "collections": ["SimulatedSentinel2"]}  # fmt: skip


def test_signing_out_ends_the_session(served: Served, desk: Desk) -> None:
    cookie = signed_in(served, desk)
    assert served.ask("/logout", {"csrf": "other"}, cookie).status == 403
    assert served.ask("/page", cookie=cookie).status == 200
    assert served.ask("/logout", {"csrf": csrf_of(served, cookie)}, cookie).status == 303
    assert served.ask("/page", cookie=cookie).headers["location"].startswith("/login")


# In a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser ({', '.join(BROWSERS)}): apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=list(OPTIONS))
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Page]]:
    contexts: list[BrowserContext] = []

    def new(address: str, cookie: str = "", **settings: Any) -> Page:
        context = browser.new_context(**settings)
        contexts.append(context)
        if cookie:
            name, _, value = cookie.partition("=")
            context.add_cookies([{"name": name, "value": value, "url": address}])
        page = context.new_page()
        page.goto(address)
        return page

    yield new
    for context in contexts:
        context.close()


def test_numbers_move_while_the_server_is_started_anew(
    opened: Callable[..., Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = {"id": "node-7", "state": "unusable", "reason": "its disk is full", "tasks": ["a/b/c"]}
    monkeypatch.setattr("pyveg.service.telling.nodes", lambda _: ([node], ["dask: no answer"]))
    gate = Gate(tmp_path / "gate")
    names = tuple(f"{number:05}" for number in range(4))
    run = threading.Thread(
        target=done,
        args=(tmp_path / "runs" / "slow",),
        kwargs={"names": names, "gate": str(gate.folder), "held": (names[-1],)},
    )
    (tmp_path / "runs").mkdir()
    served = Served(watch_app(str(tmp_path / "runs")))
    try:
        page = opened(f"{served.base}/page")
        expect(page.locator("#part-list")).to_contain_text("There is no run yet")
        run.start()
        page.get_by_role("link", name="slow").click(timeout=30_000)
        gate.wait_for(names[-1])
        state = page.locator("#part-state")
        expect(state).to_contain_text("3 of 4 tasks", timeout=20_000)
        nodes = page.locator("#part-nodes")
        for told in ("node-7", "unusable: its disk is full", "a/b/c", "dask: no answer"):
            expect(nodes).to_contain_text(told)
        page.evaluate("window.same = true")
        # Tabs that nobody sees hold no connection, as a browser has but six for all of them.
        assert [page.evaluate(HIDE, hidden) for hidden in (True, False)] == [CLOSED, CONNECTING]
        served.stop()
        expect(page.locator("#connection")).to_contain_text("does not answer", timeout=20_000)
        gate.open()
        run.join()
        served = Served(watch_app(str(tmp_path / "runs")), served.port)
        expect(state).to_contain_text("4 of 4 tasks", timeout=20_000)
        expect(state).to_contain_text("ended")
        expect(nodes).not_to_contain_text("node-7")
        expect(page.locator("#tail")).to_contain_text("attempt 1 ends")
        expect(page.locator("#news")).to_have_text("ended")  # as screen readers hear it
        assert page.evaluate("window.same") is True  # it was never loaded again
    finally:
        gate.open()
        served.stop()


def test_without_scripts_the_page_loads_itself_again_until_the_run_ends(
    opened: Callable[..., Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "REFRESH", 1)
    folder = tmp_path / "runs"
    folder.mkdir()
    served = Served(watch_app(str(folder)))
    try:
        page = opened(f"{served.base}/page", java_script_enabled=False)
        expect(page.locator("main")).to_contain_text("There is no run yet")
        done(folder / "quick", count=2)
        expect(page.locator("main")).to_contain_text("2 of 2", timeout=20_000)
        page.get_by_role("link", name="Stop that").click()
        assert page.locator("meta[http-equiv=refresh]").count() == 0
    finally:
        served.stop()


PLACE_RUN = "place_2026-01-31_12-00-00"
SEEN = ("", PLACE_RUN, "odd/tasks")
ALL = (*SEEN, "odd", "odd/log", f"odd/task?id={quote('job/Start/c', safe='')}", "odd/files")
LOOKS = ((360, "dark", SEEN), (1280, "light", (PLACE_RUN,)))
ALL_LOOKS = [(width, scheme, ALL) for width in (360, 768, 1280) for scheme in ("dark", "light")]


@pytest.mark.parametrize(
    "looks",
    [pytest.param(LOOKS, id="some"), pytest.param(ALL_LOOKS, id="all", marks=pytest.mark.slow)],
)
def test_pages_fit_every_screen_and_axe_finds_nothing_to_mend(
    opened: Callable[..., Page], watched: Served, looks: Any
) -> None:
    page = opened(f"{watched.base}/page")
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    with_report = 0
    for width, scheme, paths in looks:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        for path in paths:
            name, slash, rest = path.partition("/")
            with_report += path == PLACE_RUN
            page.goto(f"{watched.base}{address(watched, name) if name else '/page'}{slash}{rest}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            found = Axe().run(page)
            assert len(found.response["passes"]) > 15
            assert found.violations_count == 0, (path, found.generate_report())
    # The script in the report, once each time: its frame runs none, and is not loaded again.
    # (axe tries to talk to the frame, which answers nobody.)
    ours = [error[:24] for error in errors if "postMessage" not in error]
    assert ours == ["Blocked script execution"] * with_report, errors


def test_a_region_is_drawn_on_the_map(
    opened: Callable[..., Page], served: Served, desk: Desk
) -> None:
    errors: list[str] = []
    page = opened(f"{served.base}/login", signed_in(served, desk))
    page.on("console", lambda message: errors.append(message.text))
    page.goto(f"{served.base}/page/processes/resilience")
    assert Axe().run(page).violations_count == 0
    box = page.locator("#map svg").bounding_box()
    assert box is not None
    at = {"x": round(207.95 / 360 * box["width"]), "y": round(78.43 / 180 * box["height"])}
    page.locator("#map svg").click(position=at)
    for _ in range(6):
        page.get_by_role("button", name="Closer").click()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(middle[0] - 50, middle[1] - 50)
    page.mouse.down()
    page.mouse.move(middle[0] + 50, middle[1] + 50)
    page.mouse.up()
    values = [float(page.input_value(f"#f-{one}")) for one in ("longitude", "latitude")]
    assert values == [pytest.approx(27.95, abs=0.5), pytest.approx(11.57, abs=0.5)]
    degrees = 100 * 360 / 3**6 / box["width"]
    assert float(page.input_value("#f-region_size")) == pytest.approx(degrees, rel=0.05)
    page.fill("#f-start_date", "2016-01-01")
    page.fill("#f-end_date", "2017-01-01")
    page.get_by_role("button", name="Submit job").click()
    expect(page.locator("#part-state")).to_contain_text("accepted")
    (job,) = desk.jobs(Caller("kim")).jobs
    assert [job.inputs["longitude"], job.inputs["latitude"]] == values
    page.get_by_role("button", name="Cancel this job").click()
    expect(page.locator("#part-actions")).to_contain_text("It was asked to stop")
    assert errors == []
