"""A run that reaches a limit stops, says so, leaves nothing, and is finished to equal results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import pyveg
from pyveg.core import prices
from pyveg.core.errors import ConfigError
from pyveg.core.layout import RUN_FILE
from pyveg.core.limits import Limits
from pyveg.core.nodes import Capacity, NodeUse
from pyveg.core.report import EXIT_LIMIT
from pyveg.core.tasks import State
from pyveg.core.transfers import Transfers
from pyveg.jobs import metering, operating, run_use
from pyveg.jobs.run_use import ModuleUse, RunUse
from pyveg.runs.run import open_run
from pyveg.storage.memory import MemoryStore

DAYS = ["2016-01-01", "2016-07-01"]
PRICED = {"currency": "EUR", "node_hour": {"local": 3600.0}}


def _job(**more: Any) -> pyveg.Pipeline:
    return pyveg.load_pipeline("demo", date_range=DAYS, runner="serial", analysis=False, **more)


def _results(url: str) -> bytes:
    (summary,) = Path(url).glob("gee_*_combine/results_summary.json")
    return summary.read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return _results(pyveg.run_pipeline(_job(), at=tmp_path_factory.mktemp("w") / "run").url)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"max_hours": 1e-9}, "max_hours"),
        ({"max_node_hours": 1e-9, "at_limit": "cancel"}, "max_node_hours"),
        ({"max_cost": 1e-9, "prices": PRICED}, "max_cost"),
    ],
)
def test_a_limit_ends_a_run_that_is_finished_later(
    given: dict[str, Any],
    name: str,
    whole: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metering, "LOOK", 0.05)
    report = pyveg.run_pipeline(_job(), at=tmp_path / "run", operating=given)
    assert report.exit_code == EXIT_LIMIT
    assert f"the run has reached {name} = 1e-09" in report.limit
    assert report.counts[State.CANCELLED]
    assert not report.counts[State.FAILED] + report.counts[State.BLOCKED]
    run = open_run(report.url)
    assert report.limit in run.status().told.error
    assert report.limit in run.log
    with pytest.raises(ConfigError, match=f"give a larger --{name}"):
        pyveg.run_pipeline(from_cache=report.url)
    done = {id_ for id_, result in report.results.items() if result.state is State.SUCCEEDED}
    again = pyveg.run_pipeline(from_cache=report.url, operating={name: 1000.0})
    assert again.exit_code == 0
    assert all(again.results[id_].state is State.CACHED for id_ in done)
    assert _results(report.url) == whole
    kept = json.loads((tmp_path / "run/_pyveg/run.json").read_text())
    assert [use["attempt"] for use in kept["usage"]] == [1, 2]
    tasks = sum(RunUse.from_json(use).tasks.tasks for use in kept["usage"])
    # A task that was given up as it began may have come to its end unseen.
    assert len(again.graph) - 1 <= tasks <= len(again.graph)


def test_costs_are_said_as_far_as_prices_are_known() -> None:
    table = prices.build({"node_hour": {"D2": 2, "D2 spot": 0.5}, "currency": "EUR"})
    nodes = [NodeUse("D2", False, 1800), NodeUse("D2", True, 7200)]
    moved = Transfers(requests=9, storage_requests=5, storage_received=10)
    cost = prices.cost(table, nodes, moved)
    assert cost.known == pytest.approx(2.0)
    assert str(cost) == "2.00 EUR, without requests to the storage, bytes out of it (no price)"
    told = NodeUse("D4", seconds=3600, price=0.25)
    assert prices.cost(table, [told]).known == 0.25
    other = prices.cost(table, [NodeUse("D8", seconds=1)])
    assert other.known is None
    assert not Limits(max_cost=1).reached(hours=0, node_hours=0, cost=other.known)
    full = prices.build({"gb_out": 0.1, "requests_10000": 0.05})
    moved = Transfers(storage_requests=20_000, storage_received=2 * 10**9)
    assert prices.cost(full, [], moved).known == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_hours": -1}, "max_hours = -1"),
        ({"at_limit": "explode"}, "at_limit"),
        ({"prices": {"node_hour": {"D2": "much"}}}, r'node_hour\["D2"\] = .much. is no price'),
        ({"prices": {"node_hours": {}}}, "node_hour"),
        ({"prices": "no/such.json"}, "no/such.json is no table of prices"),
        ({"max_cost": 5.0}, "nothing has a price"),
        ({"webhook": "smoke"}, "webhook"),
    ],
)
def test_wrong_limits_and_prices_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        operating.replaced(_job(), given, "this run")


def test_a_config_may_say_them(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps(PRICED))
    job = _job(max_node_hours=2, at_limit="cancel", prices=str(file), webhook="teams")
    assert job.limits == {"max_node_hours": 2.0, "at_limit": "cancel"}
    assert job.prices == PRICED
    assert job.webhook["shape"] == "teams"
    assert pyveg.Pipeline.from_json(json.loads(json.dumps(job.to_json()))) == job


def test_a_cost_that_nobody_can_know_limits_nothing_and_is_told() -> None:
    job = operating.replaced(_job(), {"max_cost": 1.0, "prices": PRICED}, "this run")
    spot = Capacity(4, ((NodeUse("D2"), 0), (NodeUse("D4", spot=True), 2)))
    assert operating.unpriced(job, [spot]) == [
        "max_cost limits nothing: there is no price of a node of D4 spot"
    ]
    assert not operating.unpriced(job, [Capacity(2), Capacity(2, ((NodeUse("D", price=1.0), 1),))])


def test_attempts_add_up() -> None:
    one = RunUse(1, 10.0, (NodeUse("D2", seconds=5),), Transfers(1), {"a/B": ModuleUse(1, 2.0)})
    both = one + RunUse.from_json(json.loads(json.dumps({**one.to_json(), "attempt": 2})))
    assert (both.attempt, both.seconds, both.node_hours * 3600) == (2, 20.0, pytest.approx(10))
    assert both.modules["a/B"] == ModuleUse(2, 4.0)
    with pytest.raises(ValueError, match="no record"):
        RunUse.from_json({"attempt": 1})
    for record in ("[]", '{"usage": 7}', '{"usage": [{"attempt": "x"}]}', "{", '{"usage": [[]]}'):
        store = MemoryStore("damaged")
        store.write(RUN_FILE, record.encode())
        assert run_use.of_run(store) == []
