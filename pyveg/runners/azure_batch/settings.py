"""What the engine is told: the account, the pool, and what Tasks need on their nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyveg.runners.azure_batch.sizes import Fit


@dataclass(frozen=True, kw_only=True)
class PoolSettings:
    """Nodes to ask for; of no effect where the pool is there already.

    Parameters
    ----------
    id : str
        Of the pool.
    vm_size : str
        Size of a node.
    dedicated, spot : int
        Numbers of nodes that stay, and of cheaper ones that may be taken away.
    autoscale_formula : str
        Instead of the two numbers, as the service understands it.
    slots : int
        Tasks on a node at once.
    image : mapping of str to str
        ``publisher, offer, sku, version`` of the system on a node, or the ``id`` of an own image.
    node_agent : str
        The agent that goes with the image; asked of the service where empty.
    container_image, container_registry : str
        The image that Tasks run in instead of an environment of their own, and its registry.
    registry_user, registry_password : str
        Who asks the registry, where no identity does.
    identity : str
        Resource id of the pool's managed identity; nodes get no SAS then.
    identity_client_id : str
        Client id of it.
    keep : bool
        Leave a pool that a run has made.
    next_sizes : tuple of str
        Sizes to try in turn where Azure gives no node of `vm_size`.
    price : float, optional
        Of a dedicated node in an hour, where it was told.
    """

    id: str
    vm_size: str
    dedicated: int = 1
    spot: int = 0
    autoscale_formula: str = ""
    slots: int = 1
    image: Mapping[str, str] = field(default_factory=dict)
    node_agent: str = ""
    container_image: str = ""
    container_registry: str = ""
    registry_user: str = ""
    registry_password: str = field(default="", repr=False)
    identity: str = ""
    identity_client_id: str = ""
    keep: bool = False
    next_sizes: tuple[str, ...] = ()
    price: float | None = None


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """Everything that the engine needs to know.

    Parameters
    ----------
    account_url : str
        ``https://NAME.REGION.batch.azure.com``.
    credential : callable
        Makes what the SDK signs requests with.
    run : str
        Name of the run's container; tags what the run makes.
    pool : PoolSettings
    lane : str
        Name of the pool where Modules of the run go to several; empty for the first.
    blob_url : str
        Address of the run's container, without a SAS.
    environment : mapping of str to str
        Variables of every Task; secrets among them.
    read_sas, write_sas : str
        Tokens with which nodes fetch packages and leave logs; empty with a managed identity.
    totals : mapping of str to int
        Label of a Step -> how many Tasks it has in all.
    plugins : tuple of str
        Packages of other people that nodes need.
    extras : tuple of str
        Extras of pyveg that they need.
    hours : float
        How long a job may last, so that it ends before its SAS does.
    task_retries : int
        How often a task is tried again that ended with an error.
    node_start_minutes : float
        How long no node may come up, or none take a task, before the run gives up.
    waiting_minutes : float
        How long tasks may wait while nodes idle before all that can keep them back is looked at.
    poll_seconds : float
        Shortest time between two looks at the service; the longest is 30 seconds.
    fit : Fit, optional
        How tasks share a node, where Modules say what they need.
    wait_seconds : float
        How long to wait for a quota that is used up, and for machines.
    dedicated_after_seconds : float
        How long Spot nodes may be missing before dedicated ones replace them; 0 for ever.
    labels : mapping of str to str
        The user's own, which pools and jobs that the run makes carry as metadata.
    """

    account_url: str
    credential: Callable[[], Any] = field(repr=False)
    run: str
    pool: PoolSettings
    blob_url: str
    lane: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    read_sas: str = field(default="", repr=False)
    write_sas: str = field(default="", repr=False)
    totals: Mapping[str, int] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    extras: tuple[str, ...] = ("azure",)
    hours: float = 167.0
    task_retries: int = 1
    node_start_minutes: float = 60.0
    waiting_minutes: float = 1.0
    poll_seconds: float = 1.0
    fit: Fit | None = None
    wait_seconds: float = 0.0
    dedicated_after_seconds: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
