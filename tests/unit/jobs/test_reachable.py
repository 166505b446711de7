"""What is found about services before a run begins, and when that is a reason not to begin."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.errors import ConfigError, ServiceAwayError
from pyveg.core.tasks import TaskGraph
from pyveg.earth.periods import period_of
from pyveg.earth.source import Reachable
from pyveg.jobs import reachable
from pyveg.jobs.load import load_pipeline
from pyveg.sources.circuit import CIRCUIT
from pyveg.sources.earth_engine import credentials
from pyveg.sources.earth_engine.source import EarthEngineSource
from pyveg.sources.open_meteo import OpenMeteoSource
from pyveg.sources.stac.source import StacSource
from pyveg.testing.earth_engine import StandIn
from pyveg.testing.http_answers import answering, silent

S2, ERA5 = "Sentinel2_EarthSearch_C1", "ERA5_OpenMeteo"
CLOSED = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def believing() -> Iterator[None]:
    CIRCUIT.forget()
    yield
    CIRCUIT.forget()


@pytest.fixture
def graph_of(write_config: Any, tmp_path: Path) -> Any:
    """The TaskGraph of imagery and weather of two services."""

    def make(imagery: str = CLOSED, weather: str = CLOSED, **more: Any) -> TaskGraph:
        cache = str(tmp_path / "cache")
        path = write_config(
            date_range=["2021-01-01", "2021-04-01"],
            collections_to_use=[S2, ERA5],
            modules_to_use={S2: ["VegetationDownloader"], ERA5: ["WeatherDownloader"]},
            special_config={
                S2: {"catalogue": imagery, "cache": cache},
                ERA5: {"url": f"{weather}/v1", "cache": cache},
            },
            **more,
        )
        return load_pipeline(path).plan().graph

    return make


def test_no_network(graph_of: Any) -> None:
    """One sentence for both services, which are looked at side by side."""
    with ExitStack() as stack:
        graph = graph_of(stack.enter_context(silent()), stack.enter_context(silent()))
        begin = time.monotonic()
        with pytest.raises(ServiceAwayError) as error:
            reachable.check(graph, (), ())
        assert time.monotonic() - begin < 8
    text = str(error.value)
    assert text.count("cannot be reached: it does not answer") == 2
    assert text.count("check the network") == 1


def test_one_service_of_two(graph_of: Any) -> None:
    with answering(200, {}) as url:
        (note,) = reachable.check(graph_of(imagery=url), (), ())
        assert "the weather archive 127.0.0.1:9 cannot be reached: it refuses" in note
        assert reachable.check(graph_of(url, url), (), ()) == []


def test_an_answer_that_is_stored(graph_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is reason enough to begin; with all of them nobody is looked at."""
    graph, asked = graph_of(), []
    months = {"2021-01-16"}
    monkeypatch.setattr(StacSource, "has", lambda _, request: request.item.name in months)
    (note,) = reachable.check(graph, (), ())
    assert note.endswith("what needs no service is done")
    months |= {task.item.name for task in graph}
    monkeypatch.setattr(OpenMeteoSource, "has", lambda *_: True)
    for source in (StacSource, OpenMeteoSource):
        monkeypatch.setattr(source, "reach", lambda *_: asked.append(1))
    assert reachable.check(graph, (), ()) == []
    assert asked == []


def test_a_run_of_which_a_part_is_done(graph_of: Any) -> None:
    graph = graph_of()
    with pytest.raises(ServiceAwayError):
        reachable.check(graph, (), ())
    ids = {task.id for task in graph if not task.after}
    assert len(reachable.check(graph, {min(ids)}, ())) == 1
    assert reachable.check(graph, ids, ()) == []


def test_other_machines_may_reach_what_this_one_does_not(graph_of: Any) -> None:
    graph = TaskGraph(
        replace(task, step=replace(task.step, run_mode="batch")) for task in graph_of()
    )
    assert reachable.check(graph, (), {"batch"}) == []


def test_very_many_items_are_not_all_looked_at(
    graph_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reachable, "MOST_ITEMS", 2)
    (note,) = reachable.check(graph_of(), (), ())
    assert "cannot be reached" in note, "a look at some is no reason to refuse the others"


def test_a_service_that_is_slow_is_no_reason(
    graph_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reachable, "LIMIT", 0.2)
    monkeypatch.setattr(StacSource, "reach", lambda _: time.sleep(2))
    monkeypatch.setattr(OpenMeteoSource, "reach", lambda _: time.sleep(2))
    begin = time.monotonic()
    assert reachable.check(graph_of(), (), ()) == []
    assert time.monotonic() - begin < 1.5


def test_what_a_look_breaks_of_is_not_hidden(
    graph_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(StacSource, "reach", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        reachable.check(graph_of(), (), ())


@pytest.fixture
def earth_engine(write_config: Any, tmp_path: Path) -> TaskGraph:
    path = write_config(
        date_range=["2021-01-01", "2021-04-01"],
        collections_to_use=["Sentinel2"],
        modules_to_use={"Sentinel2": ["VegetationDownloader"]},
        special_config={"Sentinel2": {"cache": str(tmp_path / "cache"), "max_wait": 0.1}},
    )
    return load_pipeline(path).plan().graph


def test_no_sign_in(earth_engine: TaskGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    import ee

    def nobody() -> None:
        raise ee.EEException("Please authorize access to your Earth Engine account")

    monkeypatch.setattr(ee.data, "get_persistent_credentials", nobody)
    for variable in (credentials.TOKEN, credentials.KEY_FILE):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ServiceAwayError, match="no sign-in was found; run `earthengine auth"):
        reachable.check(earth_engine, (), ())


def test_a_sign_in_that_is_refused(earth_engine: TaskGraph) -> None:
    class Closed(StandIn):
        def _answer(self, call: Any) -> Any:
            del call
            return self._respond(403, b'{"error": {"message": "not registered", "code": 403}}')

    with Closed().instead(fresh=True), pytest.raises(ServiceAwayError, match="register the proj"):
        reachable.check(earth_engine, (), ())
    with StandIn().instead():
        assert reachable.check(earth_engine, (), ()) == []


def test_a_key_file_that_is_none(write_config: Any, tmp_path: Path) -> None:
    key = {"credentials_file": str(tmp_path / "none.json"), "cache": "none"}
    path = write_config(
        date_range=["2021-01-01", "2021-04-01"],
        collections_to_use=["Sentinel2"],
        modules_to_use={"Sentinel2": ["VegetationDownloader"]},
        special_config={"Sentinel2": key},
    )
    with pytest.raises(ConfigError, match=r"the key file .* cannot be used"):
        reachable.check(load_pipeline(path).plan().graph, (), ())


@pytest.mark.parametrize("source", [StacSource, OpenMeteoSource, EarthEngineSource])
def test_sources_that_ask_services_say_so(source: type[Any]) -> None:
    assert isinstance(object.__new__(source), Reachable)


def test_periods_have_names_that_the_test_relies_on(graph_of: Any) -> None:
    (first, *_) = [task for task in graph_of() if task.step.scope.sequence == S2]
    assert first.item.name == "2021-01-16"
    assert str(period_of(first.item).start) == "2021-01-01"
