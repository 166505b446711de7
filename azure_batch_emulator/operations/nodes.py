"""Operations on nodes."""

from __future__ import annotations

from azure_batch_emulator.account.account import Account
from azure_batch_emulator.account.nodes import Node
from azure_batch_emulator.operations.operation import LISTED, SHOWN, Operation, listing, shown
from azure_batch_emulator.protocol import bodies, filters
from azure_batch_emulator.protocol.messages import Answer, Request

NODE = "/pools/{pool}/nodes/{node}"


def find(account: Account, request: Request) -> Node:
    """The node that a request names."""
    return account.pool(request.ids["pool"]).find(request.ids["node"])


def _list(account: Account, request: Request) -> Answer:
    nodes = account.pool(request.ids["pool"]).nodes
    documents = (nodes[key].document for key in sorted(nodes))
    return listing(account, request, documents, filters.NODE_FIELDS)


def _get(account: Account, request: Request) -> Answer:
    return Answer(shown(request, find(account, request).document))


def _reboot(account: Account, request: Request) -> Answer:
    node = find(account, request)
    option = request.body(bodies.NODE_REBOOT).get("nodeRebootOption")
    node.reboot(option or "requeue")
    return Answer()


def _reimage(account: Account, request: Request) -> Answer:
    node = find(account, request)
    option = request.body(bodies.NODE_REIMAGE).get("nodeReimageOption")
    node.reimage(option or "requeue")
    return Answer()


def _disable(account: Account, request: Request) -> Answer:
    node = find(account, request)
    option = request.body(bodies.NODE_DISABLE).get("nodeDisableSchedulingOption")
    node.disable(option or "requeue")
    return Answer()


def _enable(account: Account, request: Request) -> Answer:
    find(account, request).enable()
    account.schedule(account.pool(request.ids["pool"]).key)
    return Answer()


OPERATIONS = (
    Operation("list_nodes", "GET", "/pools/{pool}/nodes", 200, _list, LISTED),
    Operation("get_node", "GET", NODE, 200, _get, SHOWN),
    Operation("reboot_node", "POST", f"{NODE}/reboot", 202, _reboot),
    Operation("reimage_node", "POST", f"{NODE}/reimage", 202, _reimage),
    Operation("disable_node_scheduling", "POST", f"{NODE}/disablescheduling", 200, _disable),
    Operation("enable_node_scheduling", "POST", f"{NODE}/enablescheduling", 200, _enable),
)
