"""The sender of a field camera: what becomes of a file, whatever the service answers."""

from __future__ import annotations

import http.server
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyveg.cameras import station_send
from pyveg.cameras.station_send import Later, Server, Spool, backoff, send_all, wait_of


class _Service(http.server.BaseHTTPRequestHandler):
    """Answers each post with the next of some statuses, and the last one for ever."""

    answers: list[tuple[int, dict[str, str]]]
    bad: set[str]
    """Names of files with which it fails, whatever it answers otherwise."""
    seen: list[tuple[str, str, bytes]]

    dies: bool = False
    """Whether it gives no answer for these, and closes the connection."""

    def do_POST(self) -> None:
        """Take a file."""
        if int(self.headers["Content-Length"]) > 1_000_000:
            self.send_error(413)  # as the service does: whatever comes behind is not read
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers["Authorization"], body))
        if any(f'"{name}"'.encode() in body for name in self.bad):
            if not self.dies:
                self.send_error(500)
            return
        status, headers = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if not status:
            return  # the connection ends without an answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"said")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def service() -> Iterator[tuple[type[_Service], Server]]:
    handler = type("Service", (_Service,), {"answers": [(200, {})], "seen": [], "bad": set()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield handler, Server(f"http://127.0.0.1:{server.server_port}/pre", "oak", "secret", 5)
        server.shutdown()
        thread.join()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "oak"
    folder.mkdir()
    for name in ("b.jpg", "a.JPG", "c.png"):
        (folder / name).write_bytes(name.encode())
    (folder / "notes.txt").touch()
    (folder / ".half.jpg").touch()
    return folder


def _names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def test_each_file_goes_once_in_order(spool: Path, service: tuple[type[_Service], Server]) -> None:
    handler, server = service
    assert send_all(server, spool, settled=0) == (3, 0)
    assert _names(spool / "sent") == ["a.JPG", "b.jpg", "c.png"]
    assert [path for path, _, _ in handler.seen] == ["/pre/v1/stations/oak/images"] * 3
    assert all(key == "Bearer secret" for _, key, _ in handler.seen)
    assert [b"a.JPG" in handler.seen[0][2], b"c.png" in handler.seen[2][2]] == [True, True]
    assert send_all(server, spool, settled=0) == (0, 0)
    assert len(handler.seen) == 3
    # Another file of the same name is another file
    (spool / "b.jpg").write_bytes(b"new")
    assert send_all(server, spool, settled=0) == (1, 0)
    assert (spool / "sent/b.jpg").read_bytes() == b"b.jpg"
    assert (spool / "sent/b.1.jpg").read_bytes() == b"new"


@pytest.mark.parametrize("status", [0, 302, 401, 403, 404, 429, 500, 502, 503])
def test_what_may_pass_later_stays(
    spool: Path, service: tuple[type[_Service], Server], status: int
) -> None:
    handler, server = service
    handler.answers[:] = [(200, {}), (status, {"Retry-After": "7"}), (200, {})]
    with pytest.raises(Later) as caught:
        send_all(server, spool, settled=0)
    assert caught.value.after == (7.0 if status else None)
    assert "secret" not in str(caught.value)
    assert _names(spool / "sent") == ["a.JPG"]
    assert not (spool / "refused").exists()
    assert send_all(server, spool, settled=0) == (2, 0)


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422])
def test_what_never_will_is_put_aside_with_its_reason(
    spool: Path, service: tuple[type[_Service], Server], status: int
) -> None:
    handler, server = service
    handler.answers[:] = [(status, {}), (200, {})]
    assert send_all(server, spool, settled=0) == (2, 1)
    assert _names(spool / "refused") == ["a.JPG", "a.JPG.txt"]
    assert (spool / "refused/a.JPG.txt").read_text() == f"{status} said\n"
    assert _names(spool / "sent") == ["b.jpg", "c.png"]


def _round(spool: Spool) -> str:
    try:
        spool.send(settled=0)
    except Later as error:
        return str(error)[:3]
    return "done"


def test_a_file_with_which_the_service_fails_holds_up_no_other(
    spool: Path, service: tuple[type[_Service], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, server = service
    handler.bad.add("a.JPG")
    made = Spool(server, spool)
    assert [_round(made) for _ in range(4)] == ["500", "500", "done", "done"]
    assert _names(spool / "sent") == ["b.jpg", "c.png"]
    assert _names(spool / "later") == ["a.JPG", "a.JPG.txt"]
    reason = (spool / "later/a.JPG.txt").read_text()
    assert (reason.startswith("500 "), "secret" in reason) == (True, False)
    # Three tries, and one more when the next had passed; then not for an hour
    assert len(handler.seen) == 6
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3601)
    assert _round(made) == "done"
    assert _names(spool / "later") == ["a.JPG", "a.JPG.txt"], "it fails still"
    handler.bad.clear()
    monkeypatch.setattr(time, "time", lambda: now + 2 * 3601)
    assert _round(Spool(server, spool)) == "done"
    assert _names(spool / "later") == []
    assert _names(spool / "sent") == ["a.JPG", "b.jpg", "c.png"]


def test_a_file_that_the_service_dies_of_holds_up_no_other(
    spool: Path, service: tuple[type[_Service], Server]
) -> None:
    """No answer at all, whenever it is sent; a service that is not there is another matter."""
    handler, server = service
    handler.bad.add("a.JPG")
    handler.dies = True
    made = Spool(server, spool)
    with pytest.raises(Later, match="RemoteDisconnected"):
        made.send(settled=0)
    for _ in range(2):
        _round(made)
    assert _names(spool / "sent") == ["b.jpg", "c.png"]
    assert _names(spool / "later") == ["a.JPG", "a.JPG.txt"]
    (spool / "d.jpg").touch()
    gone = Spool(server._replace(address="http://127.0.0.1:1"), spool)
    assert [_round(gone) for _ in range(5)] == ["Con"] * 5
    assert gone._failed == {}, "that says nothing of any file"


def test_a_file_that_is_too_large_is_refused_though_nobody_reads_it(
    spool: Path, service: tuple[type[_Service], Server]
) -> None:
    (spool / "b.jpg").write_bytes(bytes(20_000_000))
    assert send_all(service[1], spool, settled=0) == (2, 1)
    assert (spool / "refused/b.jpg.txt").read_text().startswith("413 ")


def test_a_service_that_fails_with_all_files_puts_none_aside(
    spool: Path, service: tuple[type[_Service], Server]
) -> None:
    handler, server = service
    handler.bad |= {"a.JPG", "b.jpg", "c.png"}
    made = Spool(server, spool)
    assert {_round(made) for _ in range(12)} == {"500"}
    assert len(handler.seen) <= 15, "each round sends two at most"
    assert not (spool / "later").exists()
    handler.bad.remove("b.jpg")
    handler.bad.remove("a.JPG")
    assert _round(made) == "done"
    assert _names(spool / "sent") == ["a.JPG", "b.jpg"]
    assert _names(spool / "later") == ["c.png", "c.png.txt"]
    # Alone, it waits for another that passes; and the service may take it after all
    (spool / "later/c.png").rename(spool / "d.png")
    handler.bad |= {"d.png"}
    alone = Spool(server, spool)
    assert [_round(alone) for _ in range(5)] == ["500"] * 5
    handler.bad.clear()
    assert _round(alone) == "done"
    assert _names(spool / "sent") == ["a.JPG", "b.jpg", "d.png"]


def test_once_sends_all_the_others(
    spool: Path, service: tuple[type[_Service], Server], capsys: pytest.CaptureFixture[str]
) -> None:
    handler, server = service
    handler.bad.add("b.jpg")
    key = spool / "key.txt"
    key.write_text("secret")
    given = {"watch": str(spool), "server": server.address, "key_file": str(key), "once": True}
    assert station_send.run(**given) == 1  # type: ignore[arg-type]
    assert _names(spool / "sent") == ["a.JPG", "c.png"]
    assert _names(spool / "later") == ["b.jpg", "b.jpg.txt"]
    handler.bad.clear()
    assert station_send.run(**given) == 0  # type: ignore[arg-type]
    assert _names(spool / "sent") == ["a.JPG", "b.jpg", "c.png"]
    assert "sent 1, refused 0, put aside 0" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_holds_up_no_other(
    spool: Path, service: tuple[type[_Service], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == "a.JPG":
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises(PermissionError, match=r"a\.JPG"):
        send_all(service[1], spool, settled=0)
    assert _names(spool / "sent") == ["b.jpg", "c.png"]
    assert (spool / "a.JPG").exists()


def test_a_file_that_is_being_written_waits(
    spool: Path, service: tuple[type[_Service], Server]
) -> None:
    assert send_all(service[1], spool, settled=60) == (0, 0)
    assert send_all(service[1], spool, settled=0) == (3, 0)


def test_waits_double_and_are_not_all_the_same() -> None:
    for failures, longest in ((1, 1), (2, 2), (5, 16), (11, 600), (10_000, 600)):
        found = {backoff(failures) for _ in range(50)}
        assert len(found) > 1
        assert longest / 2 <= min(found) <= max(found) <= longest
    assert wait_of("Thu, 01 Jan 1970 00:00:00 GMT") == 0
    assert wait_of("-5") == 0


def test_command_lines_that_are_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key, empty = tmp_path / "key", tmp_path / "empty"
    key.write_text("secret\n")
    empty.touch()
    good = {"watch": str(tmp_path), "server": "http://127.0.0.1:1", "key_file": str(key)}
    for wrong in (
        {"watch": "gone"},
        {"server": "127.0.0.1"},
        {"server": "http://kim:pw@127.0.0.1"},
        {"server": "http://127.0.0.1:http"},
        {"server": "http://[::1"},
        {"server": "http://:8000"},
        {"timeout": 0.0},
        {"timeout": float("nan")},
        {"every": -1.0},
        {"key_file": "gone"},
        {"key_file": str(empty)},
    ):
        assert station_send.run(**{**good, **wrong}, once=True) == 2, wrong  # type: ignore[arg-type]
    (tmp_path / "x.jpg").touch()
    assert station_send.run(**good, once=True) == 1, "nobody answers there"
    assert "secret" not in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is of POSIX systems")
def test_a_sender_that_is_killed_loses_no_file(
    tmp_path: Path, service: tuple[type[_Service], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies before the service has the file, before the answer, and before the file is moved."""
    handler, server = service
    spool, key = tmp_path / "spool", tmp_path / "key"
    spool.mkdir()
    key.write_text("secret")
    for number in range(7):
        (spool / f"{number}.jpg").write_bytes(b"%d" % number)
    given = ["--watch", str(spool), "--server", server.address, "--key_file", str(key), "--once"]
    command = [sys.executable, "-I", "-S", station_send.__file__, *given]
    running: list[subprocess.Popen[bytes]] = []
    taken: list[bytes] = []
    whole = handler.do_POST

    def do_post(self: _Service) -> None:
        moment = len(taken) + len(deaths)
        if moment % 3 == 0 and len(deaths) < 6:
            deaths.append("before")
            running[-1].kill()
            return
        whole(self)
        taken.append(handler.seen[-1][2].split(b"\r\n\r\n")[1][:1])
        if moment % 3 == 1 and len(deaths) < 6:
            deaths.append("after")
            running[-1].kill()

    deaths: list[str] = []
    monkeypatch.setattr(handler, "do_POST", do_post)
    codes = []
    while not codes or codes[-1]:
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            running.append(process)
            codes.append(process.wait(30))
        assert len(codes) < 9
    assert {"before", "after"} == set(deaths)
    assert codes == [-signal.SIGKILL] * len(deaths) + [0]
    assert _names(spool) == ["sent"]
    assert _names(spool / "sent") == [f"{number}.jpg" for number in range(7)]
    assert sorted(set(taken)) == [b"%d" % number for number in range(7)]
    # What was taken and not moved comes again, once for each death; nothing else does
    assert len(taken) <= 7 + deaths.count("after")
    assert taken == sorted(taken), "in order"


def test_it_needs_the_standard_library_alone(tmp_path: Path) -> None:
    copy = tmp_path / "station_send.py"
    copy.write_bytes(Path(station_send.__file__).read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(copy), "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "--key_file" in done.stdout
