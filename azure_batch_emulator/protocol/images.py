"""Images of virtual machines that pools may have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from azure_batch_emulator.errors import invalid_property

Document = dict[str, Any]
_DOCKER = ("DockerCompatible", "NvidiaTeslaDriverInstalled")
_IMAGES = (
    ("almalinux", "8-gen2", "almalinux", "batch.node.el 8", ()),
    ("canonical", "22_04-lts", "0001-com-ubuntu-server-jammy", "batch.node.ubuntu 22.04", ()),
    ("canonical", "server", "ubuntu-24_04-lts", "batch.node.ubuntu 24.04", ()),
    ("microsoft-dsvm", "2204", "ubuntu-hpc", "batch.node.ubuntu 22.04", _DOCKER),
    ("microsoft-dsvm", "2404", "ubuntu-hpc", "batch.node.ubuntu 24.04", _DOCKER),
)
"""Publisher, sku, offer, node agent and capabilities; Linux all of them, as the emulator's host."""


def documents() -> Iterator[Document]:
    """Each image as the service lists it."""
    for publisher, sku, offer, agent, capabilities in _IMAGES:
        yield {
            "nodeAgentSKUId": agent,
            "imageReference": {
                "publisher": publisher,
                "offer": offer,
                "sku": sku,
                "version": "latest",
            },
            "osType": "linux",
            "capabilities": list(capabilities),
            "verificationType": "verified",
        }


def order(document: Document) -> str:
    """The place of an image in the list."""
    reference = document["imageReference"]
    return f"{reference['publisher']}:{reference['offer']}:{reference['sku']}"


def check(machine: Document) -> None:
    """Raise ``InvalidPropertyValue`` for a pool's image that is not in the list.

    Parameters
    ----------
    machine : dict
        The ``virtualMachineConfiguration``.
    """
    reference = machine["imageReference"]
    name = "virtualMachineConfiguration.imageReference"
    for image in documents():
        listed = image["imageReference"]
        if all(_same(reference.get(key), listed[key]) for key in ("publisher", "offer", "sku")):
            break
    else:
        raise invalid_property(name, reference, "The image is not among the supported images.")
    if not _same(reference.get("version") or "latest", "latest"):
        raise invalid_property(
            f"{name}.version", reference["version"], "The image has no such version."
        )
    agent = machine["nodeAgentSKUId"]
    if not _same(agent, image["nodeAgentSKUId"]):
        reason = f"The image needs {image['nodeAgentSKUId']!r}."
        raise invalid_property("virtualMachineConfiguration.nodeAgentSKUId", agent, reason)
    if machine.get("containerConfiguration") and "DockerCompatible" not in image["capabilities"]:
        raise invalid_property(name, reference, "The image cannot run containers.")


def _same(given: object, listed: str) -> bool:
    return str(given).lower() == listed.lower()
