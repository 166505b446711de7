"""Operations on pools, and what can be had for them."""

from __future__ import annotations

from azure_batch_emulator.account.account import EVALUATION_INTERVAL, Account
from azure_batch_emulator.account.autoscaling import statements_of
from azure_batch_emulator.account.pools import Pool
from azure_batch_emulator.errors import BatchError
from azure_batch_emulator.operations.operation import LISTED, SHOWN, Operation, listing, shown
from azure_batch_emulator.protocol import bodies, conditions, filters, images
from azure_batch_emulator.protocol.messages import Answer, Request, about, made


def _pool(account: Account, request: Request) -> Pool:
    pool = account.pool(request.ids["pool"])
    conditions.check(request, pool)
    return pool


def _create(account: Account, request: Request) -> Answer:
    containers = account.host.settings.containers_as_processes
    body = request.body(bodies.POOL_ADD_CONTAINERS if containers else bodies.POOL_ADD)
    images.check(body["virtualMachineConfiguration"])
    return made(account.add_pool(body))


def _list(account: Account, request: Request) -> Answer:
    documents = (account.pools[key].document for key in sorted(account.pools))
    return listing(account, request, documents, filters.POOL_FIELDS)


def _get(account: Account, request: Request) -> Answer:
    pool = _pool(account, request)
    return Answer(shown(request, pool.document), headers=about(pool))


def _exists(account: Account, request: Request) -> Answer:
    return Answer(headers=about(_pool(account, request)))


def _update(account: Account, request: Request) -> Answer:
    pool = _pool(account, request)
    body = request.body(bodies.POOL_PATCH)
    pool.change(body)
    return Answer(headers=about(pool))


def _replace(account: Account, request: Request) -> Answer:
    pool = _pool(account, request)
    body = request.body(bodies.POOL_PROPERTIES)
    pool.change({"metadata": body["metadata"]})
    return Answer(headers=about(pool))


def _delete(account: Account, request: Request) -> Answer:
    _pool(account, request).delete()
    account.settle()
    return Answer()


def _resize(account: Account, request: Request) -> Answer:
    pool = _pool(account, request)
    body = request.body(bodies.POOL_RESIZE)
    if body.get("targetDedicatedNodes") is None and body.get("targetLowPriorityNodes") is None:
        raise BatchError("MissingRequiredProperty", PropertyName="targetDedicatedNodes")
    pool.resize(body)
    return Answer(headers=about(pool))


def _stop_resize(account: Account, request: Request) -> Answer:
    pool = _pool(account, request)
    pool.stop_resize()
    return Answer(headers=about(pool))


def _remove_nodes(account: Account, request: Request) -> Answer:
    pool = _pool(account, request)
    body = request.body(bodies.NODES_REMOVE)
    pool.remove(body["nodeList"], body.get("nodeDeallocationOption") or "requeue")
    return Answer(headers=about(pool))


def _enable_autoscale(account: Account, request: Request) -> Answer:
    pool = _pool(account, request)
    body = request.body(bodies.POOL_AUTOSCALE)
    pool.refuse_if_busy()
    now = pool.document
    formula = body.get("autoScaleFormula") or now.get("autoScaleFormula")
    if formula is None:
        raise BatchError("MissingRequiredProperty", PropertyName="autoScaleFormula")
    statements_of(formula)
    interval = body.get("autoScaleEvaluationInterval") or now.get("autoScaleEvaluationInterval")
    account.autoscaling.enable(pool, formula, interval or EVALUATION_INTERVAL)
    return Answer(headers=about(pool))


def _disable_autoscale(account: Account, request: Request) -> Answer:
    pool = _pool(account, request)
    account.autoscaling.disable(pool)
    return Answer(headers=about(pool))


def _evaluate_autoscale(account: Account, request: Request) -> Answer:
    pool = _pool(account, request)
    body = request.body(bodies.POOL_EVALUATE)
    run = account.autoscaling.evaluate(pool, body["autoScaleFormula"])
    return Answer(run, headers=about(pool))


def _node_counts(account: Account, request: Request) -> Answer:
    documents = (account.pools[key].node_counts() for key in sorted(account.pools))
    return listing(account, request, documents, filters.NODE_COUNT_FIELDS)


def _images(account: Account, request: Request) -> Answer:
    documents = sorted(images.documents(), key=images.order)
    return listing(account, request, documents, filters.IMAGE_FIELDS, images.order)


OPERATIONS = (
    Operation("create_pool", "POST", "/pools", 201, _create),
    Operation("list_pools", "GET", "/pools", 200, _list, LISTED),
    Operation("get_pool", "GET", "/pools/{pool}", 200, _get, SHOWN),
    Operation("pool_exists", "HEAD", "/pools/{pool}", 200, _exists),
    Operation("update_pool", "PATCH", "/pools/{pool}", 200, _update),
    Operation("delete_pool", "DELETE", "/pools/{pool}", 202, _delete),
    Operation("replace_pool_properties", "POST", "/pools/{pool}/updateproperties", 204, _replace),
    Operation("resize_pool", "POST", "/pools/{pool}/resize", 202, _resize),
    Operation("stop_pool_resize", "POST", "/pools/{pool}/stopresize", 202, _stop_resize),
    Operation("remove_nodes", "POST", "/pools/{pool}/removenodes", 202, _remove_nodes),
    Operation(
        "enable_pool_auto_scale", "POST", "/pools/{pool}/enableautoscale", 200, _enable_autoscale
    ),
    Operation(
        "disable_pool_auto_scale", "POST", "/pools/{pool}/disableautoscale", 200, _disable_autoscale
    ),
    Operation(
        "evaluate_pool_auto_scale",
        "POST",
        "/pools/{pool}/evaluateautoscale",
        200,
        _evaluate_autoscale,
    ),
    Operation("list_pool_node_counts", "GET", "/nodecounts", 200, _node_counts, LISTED),
    Operation("list_supported_images", "GET", "/supportedimages", 200, _images, LISTED),
)
