"""Requests that fail: what is tried again, what is not, and what the user is told."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from unittest.mock import patch

import pytest

from pyveg.core import answers
from pyveg.core.errors import ConfigError, ServiceAwayError, ServiceError, SkipItem
from pyveg.earth.periods import period_of
from pyveg.sources.earth_engine import advice, credentials, session
from pyveg.sources.earth_engine.retry import Backoff
from pyveg.sources.earth_engine.source import EarthEngineSource
from pyveg.testing.earth_engine import Call, Fault, StandIn


def _first(*faults: Fault | Exception) -> Callable[[Call, int], Fault | None]:
    """The first requests go wrong, one after the other."""

    def answer(call: Call, number: int) -> Fault | None:
        del call
        if number > len(faults):
            return None
        fault = faults[number - 1]
        if isinstance(fault, Exception):
            raise fault
        return fault

    return answer


@pytest.fixture
def scenes(sentinel2: Any) -> list[Any]:
    made: list[Any] = sentinel2("a", "2020-01-03", 1000, 5000)
    return made


@pytest.mark.parametrize(
    "fault",
    [
        Fault(429, "Quota exceeded for quota metric 'Concurrent requests'"),
        Fault(429, "Too many concurrent aggregations."),
        Fault(503),
        Fault(500, "Internal error."),
        Fault(403, "Rate Limit Exceeded"),
        ConnectionError("Connection reset by peer"),
        TimeoutError("timed out"),
    ],
    ids=str,
)
def test_what_passes_is_tried_again(scenes: Any, source: Any, request_of: Any, fault: Any) -> None:
    """The listing fails twice, then the pixels once."""
    service = StandIn(scenes, faults=_first(fault, fault))
    with service.instead():
        scene = source().fetch(request_of())
    assert scene.record["n_scenes"] == 1
    assert (service.count("value"), service.count("pixels")) == (3, 1)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            Fault(
                400, "Total request size (1 bytes) must be less than or equal to 50331648 bytes."
            ),
            "max_r",
        ),
        (
            Fault(400, "Pixel grid dimensions (40000x3) must be less than or equal to 32768."),
            "region_si",
        ),
        (Fault(400, "User memory limit exceeded."), "shorten time_per_point"),
        (Fault(400, "Computation timed out."), "shorten time_per_point"),
        (
            Fault(403, "Caller does not have required permission to use project x."),
            "register the project",
        ),
        (
            Fault(403, "Earth Engine API has not been used in project 1 before."),
            "enable the Earth Engine",
        ),
        (Fault(400, "Collection.toList: more than 5000 elements"), "shorten time_per_point"),
        (
            Fault(404, "ImageCollection.load: ImageCollection asset 'x' not found"),
            "not there any more",
        ),
        (Fault(401, "Request had invalid authentication credentials."), "sign in again"),
        (Fault(400, "something new"), "see the service's message"),
    ],
)
def test_what_stays_is_told_at_once(
    scenes: Any, source: Any, request_of: Any, answer: Fault, told: str
) -> None:
    service = StandIn(scenes, faults=lambda *_: answer)
    with (
        service.instead(),
        pytest.raises(ServiceError, match=re.escape(told)) as error,
    ):
        source().fetch(request_of())
    assert answer.message in str(error.value)
    assert f"HTTP {answer.status}" in str(error.value)
    assert "\n" not in str(error.value)
    assert service.count("value") == 1


def _at(ahead: timedelta) -> dict[str, str]:
    """Headers of a service whose clock is that far behind ours."""
    return {"date": format_datetime(datetime.now(UTC) - ahead, usegmt=True)}


@pytest.mark.parametrize("status", [401, 403])
def test_a_clock_that_is_wrong_is_told_as_such(
    scenes: Any, source: Any, request_of: Any, status: int
) -> None:
    told = "Request had invalid authentication credentials."
    ahead = Fault(status, told, _at(timedelta(hours=2)))
    with (
        StandIn(scenes, faults=lambda *_: ahead).instead(),
        pytest.raises(
            ServiceAwayError, match="this machine's clock is 2 h ahead of the s"
        ) as error,
    ):
        source().fetch(request_of())
    assert error.value.cure == answers.CLOCK_CURE
    with (
        StandIn(scenes, faults=lambda *_: Fault(status, told, _at(timedelta(minutes=1)))).instead(),
        pytest.raises(ServiceAwayError, match="sign in again"),
    ):
        source().fetch(request_of())


@pytest.mark.parametrize(
    "text",
    [
        "('invalid_grant: Invalid JWT: Token must be a short-lived token (60 minutes) and in a "
        "reasonable timeframe. Check your iat and exp values in the JWT claim.', {})",
        "Token used too early, 1700000000 < 1700007200. Check that your computer's clock is set "
        "correctly.",
    ],
)
def test_google_says_itself_that_the_clock_is_wrong(
    scenes: Any, source: Any, request_of: Any, text: str
) -> None:
    from google.auth.exceptions import RefreshError

    service = StandIn(scenes, faults=_first(RefreshError(text)))
    with service.instead(), pytest.raises(ServiceAwayError, match="clock is wrong") as error:
        source().fetch(request_of())
    assert error.value.cure == answers.CLOCK_CURE
    assert service.count("value") == 1


@pytest.mark.parametrize(
    ("fault", "shared"),
    [
        (Fault(403, "Caller does not have required permission to use project x."), True),
        (Fault(403, "Earth Engine API has not been used in project 1 before."), True),
        (Fault(429, "The project has exceeded its noncommercial compute quota"), True),
        (Fault(401, "something new"), True),
        (Fault(400, "User memory limit exceeded."), False),
        (Fault(404, "ImageCollection asset 'x' not found"), False),
        (Fault(503), False),
    ],
    ids=str,
)
def test_what_concerns_all_requests_is_marked(
    scenes: Any, source: Any, request_of: Any, fault: Fault, shared: bool
) -> None:
    """And never repeated, whatever its status, unless it passes."""
    service = StandIn(scenes, faults=lambda *_: fault)
    with service.instead(), pytest.raises(ServiceError) as error:
        source(max_wait=0.05).fetch(request_of())
    assert error.value.shared is shared
    assert fault.status == 503 or service.count("value") == 1


def test_all_that_find_the_network_down_say_the_same(
    scenes: Any, source: Any, request_of: Any
) -> None:
    numbers = iter(range(100))

    def down(*_: Any) -> Fault:
        raise ConnectionError(f"[Errno 111] Connection refused, from port {next(numbers)}")

    told = set()
    with StandIn(scenes, faults=down).instead():
        for wait in (0.05, 0.1, 0.2):
            with pytest.raises(ServiceAwayError) as error:
                source(max_wait=wait).fetch(request_of())
            told.add(str(error.value))
    (only,) = told
    assert "cannot be reached: it refuses connections" in only


def test_nothing_left_after_filtering_is_a_skipped_date(
    scenes: Any, source: Any, request_of: Any
) -> None:
    message = "Image.select: Pattern 'B4' did not match any bands."
    with (
        StandIn(
            scenes, faults=lambda call, _: Fault(400, message) if call.kind == "pixels" else None
        ).instead(),
        pytest.raises(SkipItem, match="no scene was left"),
    ):
        source().fetch(request_of())


def test_tries_end_when_the_time_is_up(scenes: Any, source: Any, request_of: Any) -> None:
    service = StandIn(scenes, faults=lambda *_: Fault(503))
    with (
        service.instead(),
        pytest.raises(ServiceError, match=r"given up after 0\.2 s\); try again later"),
    ):
        source(max_wait=0.2).fetch(request_of())
    assert service.count("value") > 1


def test_a_network_that_is_down(scenes: Any, source: Any, request_of: Any) -> None:
    def down(*_: Any) -> Fault:
        raise ConnectionError("Name or service not known")

    with (
        StandIn(scenes, faults=down).instead(),
        pytest.raises(ServiceError, match="check the network"),
    ):
        source(max_wait=0.1).fetch(request_of())


def test_others_do_not_wait_for_a_network_that_is_down(
    scenes: Any, source: Any, request_of: Any
) -> None:
    """After one request was given up, the next is tried once; an answer ends the mistrust."""
    down = True

    def shaky(*_: Any) -> Fault | None:
        if down:
            raise ConnectionError("Network is unreachable")
        return None

    service = StandIn(scenes, faults=shaky)
    with service.instead():
        with pytest.raises(ServiceError, match="check the network"):
            source(max_wait=0.2).fetch(request_of())
        before = service.count("value")
        assert before > 1
        for _ in range(3):
            with pytest.raises(ServiceError, match="check the network"):
                source().fetch(request_of())
        assert service.count("value") == before + 3
        down = False
        assert source().fetch(request_of()).record["n_scenes"] == 1
        assert session._current is not None
        assert session._current._hopeless_until == 0


def test_a_start_that_failed_is_not_tried_by_every_date(source: Any, request_of: Any) -> None:
    class Down(StandIn):
        def _answer(self, call: Call) -> Any:
            raise ConnectionError(f"no route to {call.uri}")

    service, counts = Down(), []
    with service.instead(fresh=True):
        for _ in range(3):
            with pytest.raises(ServiceError, match="check the network"):
                source(max_wait=0.2).fetch(request_of())
            counts.append(service.count("setup"))
    assert counts[0] > 1
    assert counts == [counts[0]] * 3


def test_the_services_own_wish_is_heeded(
    scenes: Any, source: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(session.time, "sleep", waits.append)
    fault = Fault(503, headers={"retry-after": "7"})
    with StandIn(scenes, faults=_first(fault)).instead():
        source().fetch(request_of())
    assert 7 <= max(waits) <= 8


def test_an_answer_that_is_cut_off_is_asked_again(
    scenes: Any, source: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, whole = StandIn(scenes), StandIn._pixels
    answers = iter([b"", b"\x93NUMPY", whole(service, _pixel_request(service, source, request_of))])
    monkeypatch.setattr(StandIn, "_pixels", lambda *_: next(answers))
    with service.instead():
        scene = source(cache="none").fetch(request_of())
    assert scene.record["valid_fraction"] == 1


def _pixel_request(service: StandIn, source: Any, request_of: Any) -> Any:
    with service.instead():
        source(cache="none").fetch(request_of())
    return service.bodies("pixels")[0]


def test_an_answer_of_another_size_is_refused(
    scenes: Any, source: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = StandIn(scenes)
    asked = _pixel_request(service, source, request_of)
    asked["grid"]["dimensions"]["width"] -= 1
    small = service._pixels(asked)
    monkeypatch.setattr(StandIn, "_pixels", lambda *_: small)
    with service.instead(), pytest.raises(ServiceError, match="pixels came instead of"):
        source(cache="none", max_wait=0.1).fetch(request_of())


def test_the_clients_own_tries_are_off(scenes: Any, source: Any, request_of: Any) -> None:
    """A client that is started as in a new process asks once where the answer is final."""
    import ee

    service = StandIn(scenes, faults=_first(Fault(503)))
    with service.instead(fresh=True):
        source().fetch(request_of())
        assert ee.data._get_state().max_retries == 0
        assert ee.data.getWorkloadTag() == "pyveg"
    assert (service.count("value"), service.count("pixels")) == (2, 1)
    assert service.count("setup") >= 2, "discovery and the algorithms"


def test_the_start_is_tried_again_too(scenes: Any, source: Any, request_of: Any) -> None:
    class Shaky(StandIn):
        left = 2

        def _answer(self, call: Call) -> Any:
            if "algorithms" in call.uri and self.left:
                self.left -= 1
                return self._refuse(Fault(503))
            return super()._answer(call)

    with Shaky(scenes).instead(fresh=True):
        assert source().fetch(request_of()).record["n_scenes"] == 1


def test_restricted_mode_is_told_once(
    scenes: Any, source: Any, request_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """By one line of the log rather than by a warning for each answer."""
    headers = {"x-earth-engine-quota-status": "parallelism_restricted=true"}
    with (
        caplog.at_level(logging.WARNING, "pyveg"),
        StandIn(scenes, headers=headers).instead(fresh=True),
    ):
        source().fetch(request_of())
        assert "restricted mode" in source().check()
    assert [record.message for record in caplog.records] == [session.RESTRICTED]


def test_check_says_who_answered(source: Any) -> None:
    with StandIn().instead():
        assert source().check() == "Earth Engine answers (stand-in, stand-in)"


def test_one_project_per_process(source: Any, scenes: Any, request_of: Any) -> None:
    with StandIn(scenes).instead():
        source(project="one").fetch(request_of())
        with pytest.raises(ConfigError, match="one process can use one project"):
            source(project="two", cache="none").fetch(request_of())


def test_what_is_stored_is_known_without_asking(
    scenes: Any, source: Any, request_of: Any, tmp_path: Any
) -> None:
    service = StandIn(scenes)
    with service.instead():
        assert not source().has(request_of())
        assert service.calls == []
        source().fetch(request_of())
        asked = len(service.calls)
        assert source().has(request_of())
        assert not source().has(request_of(bands={"B4": "B4"})), "other pixels"
        assert not source(cache="none").has(request_of())
        assert len(service.calls) == asked
    for file in (tmp_path / "cache").rglob("*.npz"):
        file.unlink()
    assert not source().has(request_of())


def test_that_there_is_no_image_is_stored_too(source: Any, request_of: Any) -> None:
    with StandIn().instead():
        with pytest.raises(SkipItem):
            source().fetch(request_of())
        assert source().has(request_of())


def test_nothing_is_started_before_it_must(source: Any, request_of: Any) -> None:
    """Neither items nor fingerprints nor what is in the cache need the service."""
    made: EarthEngineSource = source()
    request = request_of()
    made.fingerprint(request)
    assert made.items(request.collection, request.place, period_of(request.item))
    assert session._current is None


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("ImageCollection asset 'ECMWF/ERA5_LAND/MONTHLY_AGGR' not found.", "not there any more"),
        ("The project has exceeded its noncommercial compute quota", "compute units of this month"),
        ("Please authorize access to your Earth Engine account", "sign in again"),
        ("RefreshError: ('invalid_grant: Token has been expired or revoked.')", "sign in again"),
        ("no project found. Call with project=", "EE_PROJECT"),
    ],
)
def test_messages_are_told_apart(message: str, told: str) -> None:
    failure = advice.understand(message)
    assert told in str(failure)
    assert not failure.passes


@pytest.mark.parametrize("row", advice.TABLE, ids=lambda row: row.pattern)
def test_advice_is_one_sentence(row: advice.Advice) -> None:
    assert row.cure
    for part in filter(None, (row.meaning, row.cure)):
        assert part[0].islower()
        assert not part.endswith(".")
        assert "\n" not in part


def test_back_off_doubles_and_ends() -> None:
    backoff = Backoff(total=100, first=1, longest=8)
    assert [backoff.wait(n, 0, None, 1.0) for n in (1, 2, 3, 4, 5, 500)] == [1, 2, 4, 8, 8, 8]
    assert backoff.wait(3, 0, None, 0.25) == 1
    assert backoff.wait(1, 99.5, None, 1.0) is None
    assert backoff.wait(1, 0, 30.0, 0.5) == 30.5
    assert backoff.wait(1, 80, 30.0, 0.5) is None


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who has signed in nowhere."""
    import ee

    def refuse() -> None:
        raise ee.EEException("Please authorize access to your Earth Engine account")

    monkeypatch.setattr(ee.data, "get_persistent_credentials", refuse)


@pytest.mark.usefixtures("nobody")
def test_no_sign_in() -> None:
    with pytest.raises(ServiceAwayError, match=r"earthengine authenticate.*needs no account"):
        credentials.find("", "", {})


def test_a_token_that_was_sent() -> None:
    found = credentials.find("", "", {"EE_TOKEN": "secret-1", "EE_PROJECT": "p"})
    assert (found.kind, found.project) == ("token in EE_TOKEN", "p")
    assert found.open().token == "secret-1"
    assert "secret-1" not in repr(found)


def test_a_project_of_the_config_comes_first() -> None:
    assert credentials.find("mine", "", {"EE_TOKEN": "t", "EE_PROJECT": "p"}).project == "mine"


def test_a_batch_node_uses_nothing_of_its_own() -> None:
    with pytest.raises(ServiceAwayError, match="no sign-in was sent to this batch node"):
        credentials.find("p", "", {"AZ_BATCH_NODE_ID": "n"})


def test_a_key_file_that_is_none(tmp_path: Any) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        credentials.find("p", str(tmp_path / "key.json"), {})
    (tmp_path / "key.json").write_text('{"private_key": "secret-2"}')
    with pytest.raises(ConfigError, match="no service account's key") as error:
        credentials.find("p", str(tmp_path / "key.json"), {})
    assert "secret-2" not in str(error.value)
    assert error.value.__cause__ is None


@pytest.mark.usefixtures("nobody")
def test_a_project_is_needed(monkeypatch: pytest.MonkeyPatch, source: Any) -> None:
    """The true client says so; the user is told what to set."""
    monkeypatch.setattr(credentials, "TOKEN", "PYVEG_TEST_TOKEN")
    monkeypatch.setenv("PYVEG_TEST_TOKEN", "t")
    monkeypatch.delenv("EE_PROJECT", raising=False)
    real = credentials.find
    with (
        StandIn().instead(fresh=True),
        patch.object(credentials, "find", real),
        pytest.raises(ServiceError, match='set "project" for the collection or EE_PROJECT'),
    ):
        source().check()
