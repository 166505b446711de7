"""What a node executes for the documents of start tasks, job preparations and tasks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from azure_batch_emulator.host import environment
from azure_batch_emulator.host.execution import Work

Document = dict[str, Any]


def task_root(job_id: str, task_id: str) -> str:
    """The folder of a task, from the root of its node."""
    return f"workitems/{job_id}/job-1/{task_id}"


def of_start_task(task: Document, node: Mapping[str, str], folder: Path) -> Work:
    """The work of a start task.

    Parameters
    ----------
    task : dict
        The ``startTask`` of the pool.
    node : mapping
        Variables of the node.
    folder : Path
        Where it runs.
    """
    return Work(
        task["commandLine"],
        folder,
        environment.of_command(node, folder, task.get("environmentSettings")),
        task.get("resourceFiles") or [],
        retries=task["maxTaskRetryCount"],
    )


def of_preparation(job: Document, node: Mapping[str, str], folder: Path) -> Work:
    """The work of a job's preparation.

    Parameters
    ----------
    job : dict
        A job that has a ``jobPreparationTask``.
    node : mapping
        Variables of the node.
    folder : Path
        Where it runs.
    """
    return of_task(job, job["jobPreparationTask"], node, folder, folder)


def of_task(
    job: Document,
    task: Document,
    node: Mapping[str, str],
    folder: Path,
    preparation: Path | None,
) -> Work:
    """The work of a task.

    Parameters
    ----------
    job, task : dict
        What it is.
    node : mapping
        Variables of the node.
    folder : Path
        Where it runs.
    preparation : Path or None
        Where the preparation of its job has run, if it has one.
    """
    return Work(
        task["commandLine"],
        folder,
        environment.of_command(
            node,
            folder,
            job.get("commonEnvironmentSettings"),
            task.get("environmentSettings"),
            job=job["id"],
            task=task["id"],
            preparation=preparation,
        ),
        task.get("resourceFiles") or [],
        task.get("outputFiles") or [],
        task["constraints"]["maxTaskRetryCount"],
    )
