"""Pools by name: what is asked of the service, and the command against the emulator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.batch import models as m
from azure.core.credentials import AzureNamedKeyCredential
from click.testing import CliRunner

from azure_batch_emulator import Emulator, Settings
from azure_batch_emulator.formulas.evaluation import DEDICATED, evaluate
from azure_batch_emulator.formulas.samples import History
from azure_batch_emulator.formulas.syntax import parse
from pyveg import azure_config
from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.core.ports import Work
from pyveg.runners.azure_batch import options
from pyveg.runners.azure_batch.lanes import lanes, unused
from pyveg.runners.azure_batch.lasting import LastingPool, body
from pyveg.runners.azure_batch.plan import pool_settings
from pyveg.runners.azure_batch.resume import find_jobs
from pyveg.scripts.azure_cleanup import main as cleanup
from pyveg.scripts.azure_pool import main as command
from pyveg.storage.memory import MemoryStore
from pyveg.testing.graphs import fake_pipeline

POOLS = """
pools = {
    "small": {"vm_size": "Standard_D2s_v5", "price": 0.1},
    "growing": {"vm_size": "Standard_D2s_v5", "max_nodes": 4, "slots": 2},
    "gpu": {
        "vm_size": "Standard_NC4as_T4_v3", "max_nodes": 4, "slots": 2,
        "container_image": "zoo.azurecr.io/train:1", "container_registry": "zoo.azurecr.io",
        "registry_user": "zoo", "registry_password_variable": "ZOO_PASSWORD",
    },
}
"""


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulated account, and the file that names it and two pools."""
    with Emulator(Settings(autoscale_minute=0.05)) as emulator:
        path = tmp_path / "azure_config.py"
        lines = [
            f"batch_account_name = {emulator.account!r}",
            f"batch_account_key = {emulator.key!r}",
            f"batch_account_url = {emulator.url!r}",
        ]
        path.write_text("\n".join(lines) + POOLS)
        monkeypatch.setenv("PYVEG_AZURE_CONFIG", str(path))
        yield emulator


def _said(main: Any, *arguments: str) -> str:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 0, result.output
    return str(result.output)


def test_a_pool_is_made_listed_left_by_cleanup_and_removed(account: Emulator) -> None:
    assert account
    assert _said(command, "list") == ""
    made = _said(command, "create", "small")
    assert "pool small: active, Standard_D2s_v5, 0 nodes; costs nothing now" in made
    assert _said(command, "list") == made
    left = _said(cleanup, "--remove")
    assert "pool small was made to last, and stays: pyveg_azure_pool delete small" in left
    assert _said(command, "list") == made
    twice = CliRunner().invoke(command, ["create", "small"])
    assert twice.exit_code == 2
    assert "there is a pool small already" in twice.output
    assert "removed" in _said(command, "delete", "small")
    assert _said(command, "list") == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "smal"], 'did you mean "small"'),
        (["delete", "other"], "lasting pool"),
        (["create"], "name the pool"),
        (["list", "small"], "takes no name"),
    ],
)
def test_what_cannot_be(account: Emulator, arguments: list[str], said: str) -> None:
    assert account
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert said in result.output


def _config(**more: Any) -> azure_config.AzureConfig:
    names: dict[str, Any] = {}
    exec(POOLS, names)
    found = azure_config.AzureConfig(pools=names["pools"], **more)
    return azure_config.of_its_pool(found)


def test_a_pool_is_chosen_by_name_in_a_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYVEG_AZURE_CONFIG", raising=False)
    names: dict[str, Any] = {}
    exec(POOLS, names)
    chosen = options.config_of(options.BatchOptions(batch_pool_id="gpu", pools=names["pools"]))
    assert chosen.pool_vm_size == "Standard_NC4as_T4_v3"
    assert chosen.container_image == "zoo.azurecr.io/train:1"
    assert not chosen.keep_pool
    assert chosen.pool_dedicated_node_count == 4, "what it may grow to"
    assert "min(4, ($pending + 1) / 2)" in chosen.pool_autoscale_formula


def _lanes(
    module_pools: dict[str, Any],
) -> tuple[list[tuple[str, str, str, list[str]]], list[str]]:
    """Name, pool, size and Steps of each lane, and what is told, for the Modules of a fake job."""
    graph = fake_pipeline(start={"run_mode": "batch"}, follow={"run_mode": "batch"}).plan().graph
    config = replace(_config(batch_pool_id="pyveg"), module_pools=module_pools, source="x.py")
    work = Work(graph, frozenset({"batch"}), MemoryStore(), 1)
    shown = [
        (lane.name, lane.config.batch_pool_id, lane.config.pool_vm_size, sorted(lane.labels))
        for lane in lanes(config, work)
    ]
    return shown, unused(config, work)


def test_each_module_goes_to_the_pool_that_it_names() -> None:
    small, gpu = "Standard_D2s_v5", "Standard_NC4as_T4_v3"
    everything = [("", "pyveg", small, ["A/Follow", "A/Start"])]
    assert _lanes({}) == (everything, [])
    assert _lanes({"Follow": "pyveg"}) == (everything, [])
    apart = [("", "pyveg", small, ["A/Start"]), ("gpu", "gpu", gpu, ["A/Follow"])]
    assert _lanes({"Follow": "gpu"}) == (apart, [])
    assert _lanes({"A/Follow": "gpu", "Follow": "small"}) == (apart, [])
    alone = [("gpu", "gpu", gpu, ["A/Follow", "A/Start"])]
    assert _lanes({"Follow": "gpu", "Start": "gpu"}) == (alone, [])
    _, told = _lanes({"Gather": "gpu"})
    assert told == [
        'x.py: module_pools["Gather"] has no effect: its run_mode is not that of Azure Batch'
    ]


@pytest.mark.parametrize(
    ("module_pools", "said"),
    [
        ({"Folow": "gpu"}, 'did you mean "Follow"'),
        ({"Follow": "gp"}, 'did you mean "gpu"'),
        ({"Follow": 1}, "is no name of a pool"),
    ],
)
def test_pools_of_modules_that_cannot_be(module_pools: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _lanes(module_pools)


def test_jobs_of_pools_that_no_module_names_any_more_are_ended() -> None:
    def job(id_: str, lane: str = "", run: str = "run") -> SimpleNamespace:
        tags = {"pyveg_run": run, "pyveg_sequence": "A", "pyveg_attempt": "1"}
        if lane:
            tags["pyveg_lane"] = lane
        metadata = [m.BatchMetadataItem(name=name, value=value) for name, value in tags.items()]
        return SimpleNamespace(id=id_, metadata=metadata, state="completed", creation_time=None)

    jobs = [job("main"), job("gpu", "gpu"), job("old", "old"), job("theirs", run="another")]
    service: Any = SimpleNamespace(jobs=lambda: jobs)
    settings: Any = SimpleNamespace(run="run", lane="gpu", hours=1.0)
    found = find_jobs(service, settings, ("", "gpu"))
    assert [one.id for one in found.mine.values()] == ["gpu"]
    assert found.strays == ["old"]


def test_the_password_of_a_registry_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = _config(batch_pool_id="gpu")
    monkeypatch.delenv("ZOO_PASSWORD", raising=False)
    with pytest.raises(ConfigError, match="ZOO_PASSWORD"):
        pool_settings(config)
    monkeypatch.setenv("ZOO_PASSWORD", "a password of the registry")
    settings = pool_settings(config)
    assert "a password" not in repr(settings)
    asked = body("gpu", settings, m.BatchVmImageReference(sku="2204"), "agent").as_dict()
    machine = asked["virtualMachineConfiguration"]
    (registry,) = machine["containerConfiguration"]["containerRegistries"]
    assert registry["registryServer"] == "zoo.azurecr.io"
    assert (registry["username"], registry["password"]) == ("zoo", "a password of the registry")
    assert asked["enableAutoScale"]
    assert asked["taskSlotsPerNode"] == 2
    assert "targetDedicatedNodes" not in asked


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_the_formula_gives_nodes_for_the_tasks_however_it_is_rounded(slots: int) -> None:
    statements = parse(azure_config.autoscale(4, slots))
    for newest in range(16):
        history = History()
        history.add(0.0, {"$PendingTasks": 99.0})  # of long ago
        history.add(701.0, {"$PendingTasks": float(newest)})
        history.add(1000.0, {"$PendingTasks": 0.0})
        measured = {"$PendingTasks": history.of("$PendingTasks", 1000.0)}
        nodes = evaluate(statements, measured, {})[DEDICATED]
        assert isinstance(nodes, float)
        needed = min(4, -(-newest // slots))
        assert needed <= nodes < needed + 1 if newest else nodes == 0


def test_a_pool_with_a_formula_of_ours_comes_and_goes_with_its_tasks(
    account: Emulator, tmp_path: Path
) -> None:
    assert "0 nodes; costs nothing now" in _said(command, "create", "growing")
    credential = AzureNamedKeyCredential(account.account, account.key)
    with BatchClient(account.url, credential) as client:

        def comes_to(nodes: int) -> None:
            end = time.monotonic() + 20
            while client.get_pool("growing").current_dedicated_nodes != nodes:
                assert time.monotonic() < end, client.get_pool("growing").auto_scale_run
                time.sleep(0.02)

        where = m.BatchPoolInfo(pool_id="growing")
        client.create_job(m.BatchJobCreateOptions(id="j", pool_info=where))
        wait = f"sh -c 'while [ ! -e {tmp_path}/go ]; do sleep 0.02; done'"
        tasks = [m.BatchTaskCreateOptions(id=f"t{n}", command_line=wait) for n in range(3)]
        client.create_tasks("j", tasks)
        comes_to(2)
        assert "2 nodes cost money" in _said(command, "list")
        (tmp_path / "go").touch()
        comes_to(0)
        assert {task.execution_info.exit_code for task in client.list_tasks("j")} == {0}
    assert "0 nodes; costs nothing now" in _said(command, "list")


def test_a_pool_of_which_nothing_is_said_is_as_before() -> None:
    config = _config(batch_pool_id="pyveg", pool_vm_size="Standard_D4s_v5")
    assert config.pool_vm_size == "Standard_D4s_v5"
    assert not config.keep_pool
    with pytest.raises(UnknownNameError, match="small"):
        azure_config.pool_record(config, "smal")


def test_the_cost_is_said() -> None:
    pool = LastingPool("gpu", "active", "Standard_NC4as_T4_v3", 3, 0.5)
    assert pool.cost == "costs 1.50 an hour, 36.00 a day, while it stands"
    assert "set price" in LastingPool("gpu", "active", "x", 3).cost
