"""What a pool asks for against what its account may have."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from pyveg.azure_config import AzureConfig, with_given
from pyveg.core.errors import ConfigError
from pyveg.runners.azure_batch import models
from pyveg.runners.azure_batch.quotas import asked_too_much, used
from pyveg.runners.azure_batch.settings import BatchSettings, PoolSettings

D2 = "Standard_D2s_v5"


def test_more_cores_than_the_account_may_have_are_told_of() -> None:
    config = AzureConfig(
        pool_vm_size=D2,
        pool_dedicated_node_count=11,
        pool_low_priority_node_count=3,
        quotas={"dedicated_cores": 20, "spot_cores": 6},
    )
    (note,) = asked_too_much([config])
    assert note.startswith(f"11 nodes of {D2} have 22 cores, and the account may have 20")
    assert not list(asked_too_much([AzureConfig(pool_dedicated_node_count=900)]))
    # Pools of one run stand at once.
    half = replace(config, pool_dedicated_node_count=6, pool_low_priority_node_count=0)
    assert not list(asked_too_much([half]))
    (note,) = asked_too_much([half, replace(half, pool_vm_size="standard_d3_v2")])
    assert note.startswith(f"6 nodes of {D2} and 6 nodes of standard_d3_v2 have 36 cores")


def test_what_an_account_uses_of_its_quotas() -> None:
    pool = SimpleNamespace(vm_size=D2, current_dedicated_nodes=3, current_low_priority_nodes=None)
    config = AzureConfig(quotas={"dedicated_cores": 20, "jobs": 300})
    assert used(config, [pool], 4) == "6 of 20 dedicated cores, 4 of 300 jobs"  # type: ignore[list-item]
    assert not used(AzureConfig(), [pool], 4)  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"quotas": {"cores": 2}}, 'quotas has no "cores"|cores'),
        ({"quotas": {"pools": -1}}, "pools = -1"),
        ({"labels": {"pyveg_run": "mine"}}, "labels"),
        ({"labels": {"a": "b" * 65}}, "labels"),
    ],
)
def test_wrong_quotas_and_labels_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        with_given(AzureConfig(), given, "here")


def test_labels_go_with_the_tag_of_the_run() -> None:
    settings = BatchSettings(
        account_url="",
        credential=lambda: None,
        run="r-1",
        pool=PoolSettings(id="p", vm_size=D2),
        blob_url="",
        labels={"project": "sahel"},
    )
    tags = models.tags(settings)
    assert {tag.name: tag.value for tag in tags} == {"project": "sahel", models.TAG: "r-1"}
    assert models.tag_of(tags) == "r-1"
