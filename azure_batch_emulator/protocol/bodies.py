"""The shapes of the request bodies that the emulator takes."""

from __future__ import annotations

from typing import Any

from azure_batch_emulator.errors import BatchError, invalid_property
from azure_batch_emulator.protocol.shapes import (
    Check,
    Shape,
    anything,
    choice,
    duration,
    flag,
    many,
    number,
    only,
    refused,
    text,
)

MOST = 2**31 - 1
IDENTIFIER = text(64, "[A-Za-z0-9_-]+")
ONE_NODE = "nodes of the emulator do not speak to each other"
NAME_VALUE = Shape({"name": text(), "value": text()}, ("name",))
METADATA = many(Shape({"name": text(), "value": text()}, ("name", "value")))
USER = Shape(
    {
        "username": refused,
        "autoUser": Shape(
            {"scope": choice("task", "pool"), "elevationLevel": choice("nonadmin", "admin")}
        ),
    }
)
"""Accepted, because a start task must ask for it; everything runs as the user of the emulator."""


def _one_source(value: Any, name: str) -> None:
    """A resource file comes from exactly one place; one file needs a name."""
    if (value.get("httpUrl") is None) == (value.get("storageContainerUrl") is None):
        raise invalid_property(name, value, "Give either httpUrl or storageContainerUrl.")
    if value.get("httpUrl") and not value.get("filePath"):
        raise invalid_property(f"{name}.filePath", None, "It is required with httpUrl.")
    if value.get("httpUrl") and value.get("blobPrefix"):
        raise invalid_property(
            f"{name}.blobPrefix", value["blobPrefix"], "It goes with a container only."
        )


RESOURCE_FILE = Shape(
    {
        "httpUrl": text(),
        "storageContainerUrl": text(),
        "autoStorageContainerName": refused,
        "blobPrefix": text(),
        "filePath": text(),
        "fileMode": text(pattern="[0-7]{3,4}"),
        "identityReference": refused,
    },
    rule=_one_source,
)
OUTPUT_FILE = Shape(
    {
        "filePattern": text(),
        "destination": Shape(
            {
                "container": Shape(
                    {
                        "path": text(),
                        "containerUrl": text(),
                        "identityReference": refused,
                        "uploadHeaders": many(NAME_VALUE),
                    },
                    ("containerUrl",),
                )
            },
            ("container",),
        ),
        "uploadOptions": Shape(
            {"uploadCondition": choice("tasksuccess", "taskfailure", "taskcompletion")},
            ("uploadCondition",),
        ),
    },
    ("filePattern", "destination", "uploadOptions"),
)
CONTAINER = Shape(
    {
        "imageName": text(),
        "containerRunOptions": text(),
        "workingDirectory": choice("taskWorkingDirectory"),
        "registry": refused,
        "containerHostBatchBindMounts": refused,
    },
    ("imageName",),
)
CONTAINER_POOL = Shape(
    {
        "type": choice("dockerCompatible"),
        "containerImageNames": many(text()),
        "containerRegistries": many(
            Shape(
                {
                    "registryServer": text(),
                    "username": text(),
                    "password": text(),
                    "identityReference": refused,
                }
            )
        ),
    },
    ("type",),
)
"""Its images are not fetched, and nobody asks its registries."""


_TASK_CONSTRAINTS = Shape(
    {
        "maxWallClockTime": duration(),
        "retentionTime": duration(),
        "maxTaskRetryCount": number(-1, MOST),
    }
)


def _start_task(container: Check) -> Shape:
    return Shape(
        {
            "commandLine": text(),
            "containerSettings": container,
            "resourceFiles": many(RESOURCE_FILE),
            "environmentSettings": many(NAME_VALUE),
            "userIdentity": USER,
            "maxTaskRetryCount": number(-1, MOST),
            "waitForSuccess": flag,
        },
        ("commandLine",),
    )


def _preparation(container: Check) -> Shape:
    return Shape(
        {
            "id": IDENTIFIER,
            "commandLine": text(),
            "containerSettings": container,
            "resourceFiles": many(RESOURCE_FILE),
            "environmentSettings": many(NAME_VALUE),
            "constraints": _TASK_CONSTRAINTS,
            "waitForSuccess": flag,
            "userIdentity": USER,
            "rerunOnNodeRebootAfterSuccess": flag,
        },
        ("commandLine",),
    )


EVALUATION_INTERVAL = duration(300, 168 * 3600)


def _one_scaling(value: Any, _name: str) -> None:
    """A pool has numbers of nodes or a formula, not both."""
    targets = ("targetDedicatedNodes", "targetLowPriorityNodes")
    scales = value.get("enableAutoScale")
    if scales and not value.get("autoScaleFormula"):
        raise BatchError("MissingRequiredProperty", PropertyName="autoScaleFormula")
    for other in targets if scales else ("autoScaleFormula", "autoScaleEvaluationInterval"):
        if value.get(other) is not None:
            raise invalid_property(other, value[other], f"enableAutoScale is {bool(scales)}.")


def _pool(container: Check, container_pool: Check) -> Shape:
    machine = Shape(
        {
            "imageReference": Shape(
                {
                    "publisher": text(),
                    "offer": text(),
                    "sku": text(),
                    "version": text(),
                    "virtualMachineImageId": refused,
                    "sharedGalleryImageId": refused,
                    "communityGalleryImageId": refused,
                },
            ),
            "nodeAgentSKUId": text(),
            "containerConfiguration": container_pool,
            "windowsConfiguration": refused,
            "dataDisks": refused,
            "licenseType": refused,
            "diskEncryptionConfiguration": refused,
            "nodePlacementConfiguration": refused,
            "extensions": refused,
            "osDisk": refused,
            "securityProfile": refused,
            "serviceArtifactReference": refused,
        },
        ("imageReference", "nodeAgentSKUId"),
    )
    return Shape(
        {
            "id": IDENTIFIER,
            "displayName": text(1024),
            "vmSize": text(),
            "virtualMachineConfiguration": machine,
            "resizeTimeout": duration(300),
            "targetDedicatedNodes": number(0, 1000),
            "targetLowPriorityNodes": number(0, 1000),
            "enableAutoScale": flag,
            "autoScaleFormula": text(),
            "autoScaleEvaluationInterval": EVALUATION_INTERVAL,
            "enableInterNodeCommunication": only(False, ONE_NODE),
            "networkConfiguration": refused,
            "startTask": _start_task(container),
            "applicationPackageReferences": refused,
            "taskSlotsPerNode": number(1, 256),
            "taskSchedulingPolicy": Shape(
                {"nodeFillType": choice("spread", "pack"), "jobDefaultOrder": choice("none")}
            ),
            "userAccounts": refused,
            "metadata": METADATA,
            "mountConfiguration": refused,
            "upgradePolicy": refused,
        },
        ("id", "vmSize", "virtualMachineConfiguration"),
        rule=_one_scaling,
    )


def _task(container: Check) -> Shape:
    options = Shape(
        {
            "jobAction": choice("none", "disable", "terminate"),
            "dependencyAction": choice("satisfy", "block"),
        }
    )
    code = number(-(2**31), MOST)
    return Shape(
        {
            "id": IDENTIFIER,
            "displayName": text(1024),
            "commandLine": text(),
            "containerSettings": container,
            "exitConditions": Shape(
                {
                    "exitCodes": many(
                        Shape({"code": code, "exitOptions": options}, ("code", "exitOptions"))
                    ),
                    "exitCodeRanges": many(
                        Shape(
                            {"start": code, "end": code, "exitOptions": options},
                            ("start", "end", "exitOptions"),
                        )
                    ),
                    "preProcessingError": options,
                    "fileUploadError": options,
                    "default": options,
                }
            ),
            "resourceFiles": many(RESOURCE_FILE),
            "outputFiles": many(OUTPUT_FILE),
            "environmentSettings": many(NAME_VALUE),
            "affinityInfo": refused,
            "constraints": _TASK_CONSTRAINTS,
            "requiredSlots": number(1, 256),
            "userIdentity": USER,
            "multiInstanceSettings": refused,
            "dependsOn": Shape(
                {
                    "taskIds": many(IDENTIFIER),
                    "taskIdRanges": many(
                        Shape({"start": number(0, MOST), "end": number(0, MOST)}, ("start", "end"))
                    ),
                }
            ),
            "applicationPackageReferences": refused,
        },
        ("id", "commandLine"),
    )


POOL_ADD = _pool(refused, refused)
POOL_ADD_CONTAINERS = _pool(CONTAINER, CONTAINER_POOL)
TASK_ADD = _task(refused)
TASK_ADD_CONTAINERS = _task(CONTAINER)
POOL_PATCH = Shape(
    {
        name: POOL_ADD.fields[name] if name in {"displayName", "metadata"} else refused
        for name in POOL_ADD.fields
        if name != "id"
    }
)
"""Names and metadata; what would change nodes that exist is refused."""

POOL_PROPERTIES = Shape(
    {"metadata": METADATA, "startTask": refused, "applicationPackageReferences": refused},
    ("metadata", "applicationPackageReferences"),
)

POOL_AUTOSCALE = Shape(
    {"autoScaleFormula": text(), "autoScaleEvaluationInterval": EVALUATION_INTERVAL}
)
POOL_EVALUATE = Shape({"autoScaleFormula": text()}, ("autoScaleFormula",))
_DEALLOCATION = choice("requeue", "terminate", "taskcompletion", unsupported=("retaineddata",))
POOL_RESIZE = Shape(
    {
        "targetDedicatedNodes": number(0, 1000),
        "targetLowPriorityNodes": number(0, 1000),
        "resizeTimeout": duration(300),
        "nodeDeallocationOption": _DEALLOCATION,
    }
)
NODES_REMOVE = Shape(
    {
        "nodeList": many(text(), 100),
        "resizeTimeout": duration(300),
        "nodeDeallocationOption": _DEALLOCATION,
    },
    ("nodeList",),
)
_JOB_CONSTRAINTS = Shape({"maxWallClockTime": duration(), "maxTaskRetryCount": number(-1, MOST)})
_POOL_INFO = Shape({"poolId": IDENTIFIER, "autoPoolSpecification": refused}, ("poolId",))
_JOB_CHANGE: dict[str, Check] = {
    "priority": number(-1000, 1000),
    "allowTaskPreemption": only(False, "tasks of other jobs are never pre-empted"),
    "maxParallelTasks": number(-1, MOST),
    "constraints": _JOB_CONSTRAINTS,
    "onAllTasksComplete": choice("noaction", "terminatejob"),
    "metadata": METADATA,
    "networkConfiguration": refused,
}
JOB_ADD = Shape(
    {
        **_JOB_CHANGE,
        "id": IDENTIFIER,
        "displayName": text(1024),
        "poolInfo": _POOL_INFO,
        "usesTaskDependencies": flag,
        "commonEnvironmentSettings": many(NAME_VALUE),
        "onTaskFailure": choice("noaction", "performexitoptionsjobaction"),
        "jobManagerTask": refused,
        "jobPreparationTask": _preparation(refused),
        "jobReleaseTask": refused,
    },
    ("id", "poolInfo"),
)
JOB_PATCH = Shape({**_JOB_CHANGE, "poolInfo": refused})
JOB_PUT = Shape({**_JOB_CHANGE, "poolInfo": _POOL_INFO}, ("poolInfo",))
TASK_PUT = Shape({"constraints": TASK_ADD.fields["constraints"]})
JOB_TERMINATE = Shape({"terminateReason": text()})
JOB_DISABLE = Shape({"disableTasks": choice("requeue", "terminate", "wait")}, ("disableTasks",))
TASK_COLLECTION = Shape({"value": many(anything, 100)}, ("value",))
_RESTART = choice("requeue", "terminate", unsupported=("taskcompletion", "retaineddata"))
NODE_REBOOT = Shape({"nodeRebootOption": _RESTART})
NODE_REIMAGE = Shape({"nodeReimageOption": _RESTART})
NODE_DISABLE = Shape(
    {"nodeDisableSchedulingOption": choice("requeue", "terminate", "taskcompletion")}
)
