"""The environment variables of commands on nodes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from azure_batch_emulator.settings import Settings

Document = dict[str, Any]
HOST_VARIABLES = ("PATH", "HOME", "LANG")
"""What tasks get to see of the environment of the emulator."""


def of_node(
    settings: Settings, url: str, *, pool_id: str, node_id: str, dedicated: bool, root: Path
) -> dict[str, str]:
    """Variables of every command on a node.

    Parameters
    ----------
    settings : Settings
        Of the emulator.
    url : str
        Where the account is.
    pool_id, node_id : str
        Which node.
    dedicated : bool
        False is low-priority, that is Spot.
    root : Path
        The folder of the node.
    """
    return {
        **{name: os.environ[name] for name in HOST_VARIABLES if name in os.environ},
        **settings.environment,
        "AZ_BATCH_ACCOUNT_NAME": settings.account,
        "AZ_BATCH_ACCOUNT_URL": f"{url}/",
        "AZ_BATCH_POOL_ID": pool_id,
        "AZ_BATCH_NODE_ID": node_id,
        "AZ_BATCH_NODE_IS_DEDICATED": str(dedicated).lower(),
        "AZ_BATCH_NODE_ROOT_DIR": str(root),
        "AZ_BATCH_NODE_SHARED_DIR": str(root / "shared"),
        "AZ_BATCH_NODE_STARTUP_DIR": str(root / "startup"),
        "AZ_BATCH_NODE_MOUNTS_DIR": str(root / "fsmounts"),
    }


def of_command(
    node: Mapping[str, str],
    folder: Path,
    *settings: Iterable[Document] | None,
    job: str | None = None,
    task: str | None = None,
    preparation: Path | None = None,
) -> dict[str, str]:
    """Variables of one command.

    Parameters
    ----------
    node : mapping
        Those of its node.
    folder : Path
        The task's folder.
    *settings : lists of name and value
        Of the job and of the task; the later is stronger.
    job, task : str, optional
        Their ids; a start task has neither.
    preparation : Path, optional
        The folder of the job's preparation task, if it has one.
    """
    variables = {
        **node,
        "AZ_BATCH_TASK_DIR": str(folder),
        "AZ_BATCH_TASK_WORKING_DIR": str(folder / "wd"),
    }
    if job is not None and task is not None:
        variables |= {"AZ_BATCH_JOB_ID": job, "AZ_BATCH_TASK_ID": task}
    if preparation is not None:
        variables["AZ_BATCH_JOB_PREP_DIR"] = str(preparation)
        variables["AZ_BATCH_JOB_PREP_WORKING_DIR"] = str(preparation / "wd")
    for layer in settings:
        variables |= {pair["name"]: pair.get("value") or "" for pair in layer or ()}
    return variables
