"""Tasks and settings -> what the SDK sends. Pure functions."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from pyveg.runners.azure_batch import names
from pyveg.runners.azure_batch.bundles import Bundle, log_folder, task_file_key
from pyveg.runners.azure_batch.packages import SCRIPT, Delivery

if TYPE_CHECKING:
    from azure.batch import models as m

    from pyveg.runners.azure_batch.settings import BatchSettings, PoolSettings

TAG = "pyveg_run"
"""Name of the metadata that tells which run has made a pool or a job."""
SEQUENCE = "pyveg_sequence"
ATTEMPT = "pyveg_attempt"
DELIVERY = "pyveg_delivery"
LANE = "pyveg_lane"
"""Names of the metadata of a job."""
RESIZE = timedelta(minutes=15)
SHORT_RESIZE = timedelta(minutes=5)
"""The shortest that the service takes: until then a pool that lacks Spot nodes takes no request."""
EVALUATION = timedelta(minutes=5)
"""How often a formula is evaluated: as often as the service allows, as tasks wait for it."""
EXIT_TASK_FAILED = 1


def pool(
    id_: str,
    settings: BatchSettings,
    image: m.BatchVmImageReference,
    agent: str,
    delivery: Delivery,
) -> m.BatchPoolCreateOptions:
    """A pool whose nodes set themselves up with pyveg."""
    from azure.batch import models as m

    wanted = settings.pool
    machine = m.VirtualMachineConfiguration(image_reference=image, node_agent_sku_id=agent)
    options = m.BatchPoolCreateOptions(
        id=id_,
        vm_size=wanted.vm_size,
        virtual_machine_configuration=machine,
        task_slots_per_node=wanted.slots,
        task_scheduling_policy=m.BatchTaskSchedulingPolicy(node_fill_type="spread"),
        metadata=tags(settings),
    )
    scale(options, wanted)
    if settings.dedicated_after_seconds and not wanted.autoscale_formula:
        options.resize_timeout = SHORT_RESIZE
    if wanted.container_image:
        machine.container_configuration = containers(wanted)
    else:
        options.start_task = m.BatchStartTask(
            command_line=setup_command(delivery),
            wait_for_success=True,
            max_task_retry_count=1,
            resource_files=_resources(settings, delivery),
            user_identity=_admin(),
        )
    return options


def scale(options: m.BatchPoolCreateOptions, wanted: PoolSettings) -> None:
    """Ask for the numbers of nodes, or for the formula that goes before them."""
    if wanted.autoscale_formula:
        options.enable_auto_scale = True
        options.auto_scale_formula = wanted.autoscale_formula
        options.auto_scale_evaluation_interval = EVALUATION
    else:
        options.resize_timeout = RESIZE
        options.target_dedicated_nodes = wanted.dedicated
        options.target_low_priority_nodes = wanted.spot


def job(
    sequence: str,
    attempt: int,
    pool_id: str,
    settings: BatchSettings,
    delivery: Delivery,
    *,
    prepare: bool,
) -> m.BatchJobCreateOptions:
    """A job for the Tasks of one Sequence.

    Parameters
    ----------
    prepare : bool
        Whether its nodes belong to a pool that was there before and may lack this pyveg.
    """
    from azure.batch import models as m

    # No name of a Sequence alone becomes the same id: what ids cannot have leaves a digest.
    name = f"{sequence}@{settings.lane}" if settings.lane else sequence
    lane = [m.BatchMetadataItem(name=LANE, value=settings.lane)] if settings.lane else []
    options = m.BatchJobCreateOptions(
        id=names.job_id(name, settings.run, attempt),
        pool_info=m.BatchPoolInfo(pool_id=pool_id),
        uses_task_dependencies=True,
        constraints=m.BatchJobConstraints(max_wall_clock_time=timedelta(hours=settings.hours)),
        common_environment_settings=_environment(settings.environment),
        metadata=[
            *tags(settings),
            m.BatchMetadataItem(name=SEQUENCE, value=sequence),
            m.BatchMetadataItem(name=ATTEMPT, value=str(attempt)),
            m.BatchMetadataItem(name=DELIVERY, value=delivery.digest),
            *lane,
        ],
    )
    if prepare and not settings.pool.container_image:
        options.job_preparation_task = m.BatchJobPreparationTask(
            command_line=setup_command(delivery),
            wait_for_success=True,
            resource_files=_resources(settings, delivery),
            user_identity=_admin(),
            constraints=m.BatchTaskConstraints(max_task_retry_count=1),
        )
    return options


def task(
    bundle: Bundle, job_id: str, settings: BatchSettings, delivery: Delivery
) -> m.BatchTaskCreateOptions:
    """One task of a job."""
    from azure.batch import models as m

    limit = bundle.minutes
    options = m.BatchTaskCreateOptions(
        id=bundle.id,
        display_name=bundle.label[:1024],
        command_line=_task_command(
            f"{settings.blob_url}/{quote(task_file_key(job_id, bundle.id))}",
            settings,
            delivery,
        ),
        constraints=m.BatchTaskConstraints(
            max_task_retry_count=0 if _tries_itself(bundle) else settings.task_retries,
            max_wall_clock_time=None if limit is None else timedelta(minutes=limit),
            retention_time=timedelta(days=1),
        ),
        output_files=[_logs(bundle, job_id, settings)],
    )
    if settings.fit is not None:
        options.required_slots = max(map(settings.fit.slots_of, bundle.tasks))
    if bundle.after:
        options.depends_on = m.BatchTaskDependencies(task_ids=list(bundle.after))
    go_on = m.ExitOptions(dependency_action="satisfy")
    options.exit_conditions = m.ExitConditions(file_upload_error=go_on)  # only logs are lost
    if len(bundle.tasks) > 1:  # a date that failed holds up its own date only; see run_task
        options.exit_conditions.exit_codes = [
            m.ExitCodeMapping(code=EXIT_TASK_FAILED, exit_options=go_on)
        ]
    if settings.pool.container_image:
        options.container_settings = m.BatchTaskContainerSettings(
            image_name=settings.pool.container_image, container_run_options="--rm"
        )
    return options


def _tries_itself(bundle: Bundle) -> bool:
    """Whether the Module has a number of retries of its own; both would multiply."""
    return "retries" in bundle.tasks[0].step.settings


def tags(settings: BatchSettings) -> list[m.BatchMetadataItem]:
    """What tells which run has made it, and the user's own labels."""
    from azure.batch import models as m

    own = {**settings.labels, TAG: settings.run}
    return [m.BatchMetadataItem(name=name, value=value) for name, value in own.items()]


def tag_of(metadata: Sequence[m.BatchMetadataItem] | None) -> str | None:
    """The run that has made a pool or job; None where none has."""
    return next((item.value for item in metadata or () if item.name == TAG), None)


def _environment(values: Mapping[str, str]) -> list[m.EnvironmentSetting]:
    from azure.batch import models as m

    return [m.EnvironmentSetting(name=name, value=value) for name, value in values.items()]


def setup_command(delivery: Delivery) -> str:
    """What sets a node up; tasks run without a shell, so one is asked for."""
    return f"/bin/bash {SCRIPT} setup {delivery.digest}"


def _task_command(url: str, settings: BatchSettings, delivery: Delivery) -> str:
    if settings.pool.container_image:
        return f"pyveg_run_module --config_file {shlex.quote(url)}"
    root = '"${PYVEG_ENVIRONMENTS:-$AZ_BATCH_NODE_SHARED_DIR/pyveg}"'
    script = (
        f"cd {root}/{delivery.digest} && NUMBA_CACHE_DIR=$PWD/numba "
        f"exec bin/pyveg_run_module --config_file {shlex.quote(url)}"
    )
    return f"/bin/sh -c {shlex.quote(script)}"


def _resources(settings: BatchSettings, delivery: Delivery) -> list[m.ResourceFile]:
    """The packages, each fetched by its address."""
    from azure.batch import models as m

    identity = _identity(settings)
    token = "" if identity else f"?{settings.read_sas}"
    return [
        m.ResourceFile(
            http_url=f"{settings.blob_url}/{quote(key)}{token}",
            file_path=key.rpartition("/")[2],
            identity_reference=identity,
        )
        for key in delivery.keys
    ]


def _logs(bundle: Bundle, job_id: str, settings: BatchSettings) -> m.OutputFile:
    """Output and errors go to the container, however the task ends."""
    from azure.batch import models as m

    identity = _identity(settings)
    return m.OutputFile(
        file_pattern="../std*.txt",
        destination=m.OutputFileDestination(
            container=m.OutputFileBlobContainerDestination(
                container_url=settings.blob_url + ("" if identity else f"?{settings.write_sas}"),
                path=log_folder(job_id, bundle.id),
                identity_reference=identity,
            )
        ),
        upload_options=m.OutputFileUploadConfiguration(upload_condition="taskcompletion"),
    )


def _identity(settings: BatchSettings) -> m.BatchNodeIdentityReference | None:
    from azure.batch import models as m

    if not settings.pool.identity:
        return None
    return m.BatchNodeIdentityReference(resource_id=settings.pool.identity)


def _admin() -> m.UserIdentity:
    """Setting up a node may need packages of the system."""
    from azure.batch import models as m

    return m.UserIdentity(auto_user=m.AutoUserSpecification(scope="pool", elevation_level="admin"))


def containers(wanted: PoolSettings) -> m.BatchContainerConfiguration:
    """The container of a pool's tasks, and who asks its registry: an identity, or a password."""
    from azure.batch import models as m

    registries = None
    if wanted.container_registry:
        identity = m.BatchNodeIdentityReference(resource_id=wanted.identity)
        registries = [
            m.ContainerRegistryReference(
                registry_server=wanted.container_registry,
                identity_reference=identity if wanted.identity else None,
                username=wanted.registry_user or None,
                password=wanted.registry_password or None,
            )
        ]
    return m.BatchContainerConfiguration(
        type="dockerCompatible",
        container_image_names=[wanted.container_image],
        container_registries=registries,
    )
