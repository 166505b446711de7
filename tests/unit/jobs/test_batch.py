"""What is refused, or warned of, before anything is made at Azure Batch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.errors import ConfigError
from pyveg.core.pipeline import Pipeline
from pyveg.core.tasks import TaskGraph
from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import prepare
from pyveg.runners.azure_batch.options import BatchOptions, config_of
from pyveg.runners.azure_batch.plan import make_settings
from pyveg.runners.azure_batch.settings import BatchSettings
from pyveg.storage.azure import open_store, read_url
from pyveg.testing.azurite import ACCOUNT, KEY
from pyveg.testing.graphs import fake_pipeline, work_of

ACCOUNTS = {
    "storage_account_name": ACCOUNT,
    "storage_account_key": KEY,
    "storage_account_url": f"http://127.0.0.1:9/{ACCOUNT}",
    "batch_account_name": "me",
    "batch_account_key": "a2V5",
    "batch_account_url": "http://127.0.0.1:9",
}


@pytest.fixture
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes an azure_config.py, with changes."""
    path = tmp_path / "azure_config.py"
    monkeypatch.setenv("PYVEG_AZURE_CONFIG", str(path))
    monkeypatch.delenv("PYVEG_AZURE_SAS", raising=False)

    def write(**changes: Any) -> None:
        lines = [f"{name} = {value!r}\n" for name, value in {**ACCOUNTS, **changes}.items()]
        path.write_text("".join(lines))

    return write


def _pipeline(**more: Any) -> Pipeline:
    start = {"count": 4, "run_mode": "batch", **more.pop("start", {})}
    return fake_pipeline(start=start, **{"output_location_type": "azure", **more})


def _warnings(pipeline: Pipeline) -> list[str]:
    return list(prepare(pipeline).plan.warnings)


def _told(graph: TaskGraph, **options: Any) -> BatchSettings:
    """What the engine is told for a run in a container that is not there."""
    work = work_of(graph, open_store("told-2026"), ["batch"])
    return make_settings(config_of(BatchOptions(**options)), work)


def test_nodes_cannot_reach_this_machine(accounts: Any) -> None:
    accounts()
    words = 'A/Start: run_mode "batch" is set, .*; set output_location_type = "azure"'
    with pytest.raises(ConfigError, match=words):
        prepare(_pipeline(output_location_type="local"))


def test_what_is_right_has_no_warnings(accounts: Any) -> None:
    accounts()
    assert _warnings(_pipeline()) == []
    assert _warnings(fake_pipeline()) == []


@pytest.mark.parametrize("name", ["batch_account_name", "batch_account_url"])
def test_an_account_that_is_not_named(accounts: Any, name: str) -> None:
    accounts(**{name: ""})
    with pytest.raises(ConfigError, match=f"{name} is missing; write an azure_config.py with"):
        prepare(_pipeline())


def test_a_login_needs_https(accounts: Any) -> None:
    accounts(batch_account_key="")
    with pytest.raises(ConfigError, match="a login works with https only; set batch_account_key"):
        prepare(_pipeline())


def test_a_pool_needs_nodes(accounts: Any) -> None:
    accounts(pool_dedicated_node_count=0)
    with pytest.raises(ConfigError, match="a pool without nodes runs nothing"):
        prepare(_pipeline())
    accounts(pool_dedicated_node_count=0, pool_autoscale_formula="$TargetDedicatedNodes=1;")
    assert _warnings(_pipeline()) == []


def test_a_sas_that_ends_before_its_tasks(accounts: Any) -> None:
    accounts(sas_hours=2, task_retries=1)
    assert _warnings(_pipeline(start={"timeout": 20.0})) == []
    with pytest.raises(ConfigError, match=r"sas_hours = 2 is too short: .* make 1\.3 hours"):
        prepare(_pipeline(start={"timeout": 40.0}))


def test_a_sas_that_ends_before_a_command_of_many_items(accounts: Any, tmp_path: Path) -> None:
    """Which keeps its own time, and does the items of one task in a row."""
    accounts(sas_hours=3, pool_dedicated_node_count=8)
    for number in range(8):
        (tmp_path / f"{number}.csv").touch()
    settings = {"command": ["cat", "{input}"], "inputs": [f"{tmp_path}/*.csv"], "timeout": 15}

    def job(**more: Any) -> Pipeline:
        return resolve(
            {
                "output_location": "x",
                "output_location_type": "azure",
                "modules_to_use": {"job": ["CommandModule"]},
                "special_config": {"job": {**settings, "run_mode": "batch", **more}},
            }
        )

    assert _warnings(job()) == []
    assert _warnings(job(items_per_task=4)) == []
    with pytest.raises(ConfigError, match=r"make 2\.2 hours with retries"):
        prepare(job(items_per_task=3, retries=2))


def test_more_work_than_a_sas_lasts_for(accounts: Any) -> None:
    accounts(sas_hours=24, pool_dedicated_node_count=1, task_slots_per_node=1)
    (warning,) = _warnings(_pipeline(start={"timeout": 60.0, "count": 40}))
    assert "would need 40 hours on 1 task slots, but its SAS lasts 24" in warning


def test_the_sas_of_a_login_is_short(accounts: Any) -> None:
    accounts(
        storage_account_key="",
        storage_account_url="https://me.blob.core.windows.net",
        sas_hours=200,
    )
    with pytest.raises(ConfigError, match="the SAS of a login lasts 168 hours at most"):
        prepare(_pipeline())


def test_a_module_that_nodes_cannot_get(
    accounts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts()
    (tmp_path / "loose_module.py").write_text(
        "from pyveg.testing import fakes\nclass Start(fakes.Start):\n    'Of no package.'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    pipeline = _pipeline()
    first, *rest = pipeline.sequences
    start, follow = first.modules
    loose = type(start)("loose_module:Start", start.settings)
    sequences = (type(first)(first.scope, (loose, follow)), *rest)
    with pytest.raises(ConfigError, match="loose_module belongs to no installed package"):
        prepare(type(pipeline)("t", sequences, "x", output_location_type="azure"))
    sys.modules.pop("loose_module")


def test_what_the_engine_is_told_shows_no_secret(accounts: Any) -> None:
    accounts()
    told = _told(TaskGraph([]))
    assert told.run == "told-2026"
    assert told.hours == 167
    for secret in (KEY, "a2V5", "sig="):
        assert secret not in repr(told)
    sas = told.environment["PYVEG_AZURE_SAS"]
    assert "sp=racwdl" in sas
    assert "sr=c" in sas
    assert "sp=r&" in told.read_sas
    assert "sp=cw&" in told.write_sas


def test_with_an_identity_nodes_get_no_sas(accounts: Any) -> None:
    accounts(pool_identity="/subscriptions/x", pool_identity_client_id="client")
    told = _told(TaskGraph([]))
    assert told.environment == {"AZURE_CLIENT_ID": "client"}
    assert (told.read_sas, told.write_sas) == ("", "")


@pytest.mark.parametrize(
    "url",
    [
        "https://me.blob.core.windows.net/only-a-container",
        "http://127.0.0.1:10000/account/container",
    ],
)
def test_an_address_of_no_blob(accounts: Any, url: str) -> None:
    accounts()
    with pytest.raises(ConfigError, match="is no address of a blob"):
        read_url(url)


def test_variables_that_the_user_sends(accounts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts(node_environment=["MY_TOKEN"])
    with pytest.raises(ConfigError, match="node_environment names MY_TOKEN, which is not set"):
        prepare(_pipeline())
    monkeypatch.setenv("MY_TOKEN", "geheim")
    told = _told(TaskGraph([]))
    assert told.environment["MY_TOKEN"] == "geheim"
    assert "geheim" not in repr(told)


@pytest.mark.parametrize(
    ("source", "mode", "extras"),
    [
        ("stac", "batch", {"azure", "stac"}),
        ("stac", "local", {"azure"}),
        ("simulated", "batch", {"azure"}),
    ],
)
def test_nodes_get_the_extras_that_they_need(
    accounts: Any, write_config: Any, source: str, mode: str, extras: set[str]
) -> None:
    from pyveg.jobs.load import load_pipeline

    accounts()
    key = {"stac": "Sentinel2_EarthSearch", "simulated": "SimulatedSentinel2"}[source]
    modules = ["VegetationDownloader", "VegetationImageProcessor"]
    path = write_config(
        date_range=["2020-01-01", "2020-03-01"],
        collections_to_use=[key],
        modules_to_use={key: modules},
        special_config={
            "VegetationDownloader": {"run_mode": mode},
            "VegetationImageProcessor": {"run_mode": "batch"},
        },
        output_location_type="azure",
    )
    told = _told(load_pipeline(path).plan().graph)
    assert set(told.extras) == extras


# Settings in a config, beside azure_config.py


def _with(**options: Any) -> Pipeline:
    return _pipeline(engines={"batch": options})


def test_a_config_goes_before_the_file_and_the_file_before_the_environment(
    accounts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts(pool_vm_size="of_the_file", pool_dedicated_node_count=3)
    monkeypatch.setenv("PYVEG_AZURE_POOL_VM_SIZE", "of_the_environment")
    monkeypatch.setenv("PYVEG_AZURE_TASK_SLOTS_PER_NODE", "4")
    told = _told(TaskGraph([]), pool_dedicated_node_count=5, sas_hours=20.0)
    assert (told.pool.vm_size, told.pool.dedicated, told.pool.slots) == ("of_the_file", 5, 4)
    assert told.hours == 19
    assert config_of(BatchOptions()).source.endswith("azure_config.py")
    assert config_of(BatchOptions(keep_pool=True)).source.startswith('engines["batch"] and /')


def test_an_account_in_a_config_alone(accounts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts(batch_account_name="", batch_account_key="", batch_account_url="")
    monkeypatch.setenv("PYVEG_AZURE_BATCH_ACCOUNT_KEY", "a2V5")
    given = {"batch_account_name": "me", "batch_account_url": "http://127.0.0.1:9"}
    assert prepare(_with(**given)).plan.warnings == ()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"pool_vm_sise": "x"},
            r'engines\["batch"\]: unknown setting "pool_vm_sise"; did you mean',
        ),
        ({"storage_account_name": "x"}, r'unknown setting "storage_account_name"'),
        ({"task_slots_per_node": 0}, "task_slots_per_node = 0 is out of range"),
        ({"pool_image": {"puplisher": "x"}}, 'unknown part of pool_image "puplisher"'),
        ({"batch_account_url": "http://x.y"}, "http is for emulators on this machine"),
        ({"pool_dedicated_node_count": 0}, "a pool without nodes runs nothing"),
        ({"sas_hours": 1.5}, r'engines\["batch"\] and .*: sas_hours = 1\.5 is too short'),
    ],
)
def test_what_a_config_says_of_the_account_is_checked(
    accounts: Any, given: dict[str, Any], words: str
) -> None:
    accounts()
    pipeline = _pipeline(start={"timeout": 40.0}, engines={"batch": given})
    with pytest.raises(ConfigError, match=words):
        prepare(pipeline)


def test_a_key_in_a_config_is_refused_and_not_shown(accounts: Any) -> None:
    accounts()
    with pytest.raises(ConfigError, match='"batch_account_key" is a secret, and a config') as told:
        prepare(_with(batch_account_key="Z2VoZWlt"))
    assert "Z2VoZWlt" not in str(told.value)
    assert "azure_config.py" in told.value.cure
    for text in (repr(config_of(BatchOptions())), repr(BatchOptions(batch_account_key="Z2VoZWlt"))):
        assert "Z2VoZWlt" not in text
        assert "a2V5" not in text
        assert KEY not in text


def test_options_of_a_command_line(accounts: Any) -> None:
    from pyveg.jobs.engines import from_options

    accounts()
    given = from_options(
        ["batch.pool_vm_size=Standard_D4", "batch.keep_pool=true", "batch.node_environment=A,B",
         'batch.pool_image={"id": "/x"}', "batch.pool_dedicated_node_count=3"]
    )  # fmt: skip
    assert given["batch"] == {
        "pool_vm_size": "Standard_D4",
        "keep_pool": True,
        "node_environment": ("A", "B"),
        "pool_image": {"id": "/x"},
        "pool_dedicated_node_count": 3,
    }
