"""Formulas, and pools that follow one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from azure.batch import models as m
from azure.core.exceptions import HttpResponseError

from azure_batch_emulator import Emulator, Settings
from azure_batch_emulator.formulas.evaluation import FormulaError, evaluate, not_evaluated
from azure_batch_emulator.formulas.samples import History
from azure_batch_emulator.formulas.syntax import FormulaSyntaxError, parse

NONE_PENDING = "waits = max(0, $PendingTasks.GetSample(TimeInterval_Minute * 5));"
FORMULA = f"""{NONE_PENDING}
$TargetDedicatedNodes = waits > 0 ? min(3, (waits + 1) / 2) : 0;  // two slots
$NodeDeallocationOption = taskcompletion;
"""


def _value(text: str) -> Any:
    """The value of an expression, 600 seconds after samples of 1, 2 .. 20 began."""
    history = History()
    for number in range(1, 21):
        history.add(30.0 * number, {"$A": float(number)})
    measured = {"$A": history.of("$A", 600.0)}
    return evaluate(parse(f"v = {text}"), measured, {"$TargetDedicatedNodes": 7.0})["v"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3 - 8 / 4", 5.0),
        ("-(1 - 4) * 2", 6.0),
        ("1 < 2 && !(3 == 4) || 0", 1.0),
        ("0 ? 1 : 2 > 1 ? 5 : 6", 5.0),
        ("$TargetDedicated / 2", 3.5),
        ("$A", 20.0),
        ("$A.GetSample(2)", (19.0, 20.0)),
        ("$A.GetSample(TimeInterval_Minute * 1)", (18.0, 19.0, 20.0)),
        ("$A.GetSample(1 * TimeInterval_Minute, 2 * TimeInterval_Minute)", (16.0, 17.0, 18.0)),
        ("len($A.GetSample(TimeInterval_Hour))", 20.0),
        ("$A.GetSamplePercent(TimeInterval_Minute * 20)", 50.0),
        ("$A.Count()", 20.0),
        ("avg($A.GetSample(2), 3)", 14.0),
        ("val($A.GetSample(3), 0) + min(4, 2) + max(1, $A.GetSample(1)) + sum(1, 1)", 42.0),
        ("$A.GetSample(2) * 2 + $A.GetSample(2)", (57.0, 60.0)),
        ("range(2, 9) + norm(3, 4) + lg(8) + std(1, 1)", 15.0),
        ("TimeInterval_Hour - TimeInterval_Minute * 30 == TimeInterval_Second * 1800", 1.0),
        ("max(0, $A.GetSample(0))", 0.0),
    ],
)  # fmt: skip
def test_values(text: str, value: Any) -> None:
    assert _value(text) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$B", "the variable $B is not known"),
        ("$A.GetSample(TimeInterval_Minute * 20, 75)", "75% are wanted and 50% are there"),
        ("$A.Guess()", "the method Guess is not known"),
        ("guess(1)", "the function guess is not known"),
        ("max($A.GetSample(0))", "max has no value for []"),
        ("val($A.GetSample(1), 1)", "no element 1"),
        ("1 / 0", "division by zero"),
        ("$A.GetSample(2) + $A.GetSample(3)", "two vectors differ in length"),
        ("TimeInterval_Hour + 1", "a time interval is expected"),
        ("requeue + 1", "a number is expected"),
    ],
)
def test_values_that_cannot_be(text: str, said: str) -> None:
    with pytest.raises(FormulaError) as caught:
        _value(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "a =", "a = 1 b = 2", "a = (1", "a = f(1", "a = 1 ? 2", "1 = a", "a = #"),
        *(f"a = {'(' * 4000}1{')' * 4000}", f"a = {'-' * 8000}1", f"a = 1{' + 1' * 2000}"),
    ],
    ids=lambda text: text[:12],
)
def test_texts_that_are_no_formula(text: str) -> None:
    with pytest.raises(FormulaSyntaxError):
        parse(text)


@pytest.mark.parametrize(
    "text", ["min($CPUPercent.GetSample(1))", "1 + (time() ? 1 : 2)", "$A.HistoryBeginTime()"]
)
def test_what_is_not_evaluated_is_named(text: str) -> None:
    assert not_evaluated(parse(f"a = 1; v = {text}"))
    assert not not_evaluated(parse(FORMULA))


def _pool(cloud: Any, formula: str, **more: Any) -> Any:
    scaling = {"enable_auto_scale": True, "auto_scale_formula": formula, **more}
    return cloud.pool(dedicated=None, task_slots_per_node=2, **scaling)


def test_a_pool_grows_with_its_tasks_and_goes_to_none(make: Any) -> None:
    cloud = make(Settings(autoscale_minute=0.05))
    pool = _pool(cloud, FORMULA, auto_scale_evaluation_interval=timedelta(minutes=5))
    assert (pool.enable_auto_scale, pool.target_dedicated_nodes) == (True, 0)
    assert pool.auto_scale_evaluation_interval == timedelta(minutes=5)
    assert pool.auto_scale_run.results == (
        "$TargetDedicatedNodes=0;$TargetLowPriorityNodes=0;$NodeDeallocationOption=taskcompletion;"
        "waits=0"
    )
    wait = "sh -c 'while [ ! -e $AZ_BATCH_NODE_ROOT_DIR/../go ]; do sleep 0.02; done'"
    cloud.job(uses_task_dependencies=True)
    for number in range(3):
        cloud.add(f"t{number}", wait)
    for number in range(20):  # these wait for another, and count for nothing
        depends = m.BatchTaskDependencies(task_ids=["t0"])
        cloud.add(f"u{number}", "false", depends_on=depends)
    cloud.in_state("running", "t0", "t1", "t2")
    pool = cloud.client.get_pool("p")
    assert (pool.target_dedicated_nodes, pool.current_dedicated_nodes) == (2, 2)
    assert "waits=3" in pool.auto_scale_run.results
    other = "$TargetLowPriorityNodes = $RunningTasks * 10; x = $CurrentDedicatedNodes"
    asked = m.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula=other)
    expected = (
        "$TargetDedicatedNodes=2;$TargetLowPriorityNodes=30;$NodeDeallocationOption=requeue;x=2"
    )
    cloud.until(lambda: cloud.client.evaluate_pool_auto_scale("p", asked).results == expected)
    cloud.client.delete_task("j", "t0")  # those that wait for it wait for ever
    (cloud.emulator.location / "p/go").touch()
    cloud.until(lambda: cloud.client.get_pool("p").current_dedicated_nodes == 0)
    assert cloud.ended("t1").execution_info.exit_code == 0
    assert cloud.client.get_pool("p").target_dedicated_nodes == 0


def test_a_formula_that_fails_changes_nothing_and_says_why(cloud: Any) -> None:
    pool = _pool(cloud, "$TargetDedicatedNodes = 1;")
    assert pool.current_dedicated_nodes == 1
    formula = "$TargetDedicatedNodes = $something_useless;"
    for run in (
        cloud.client.evaluate_pool_auto_scale(
            "p", m.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula=formula)
        ),
        _enabled(cloud, formula).auto_scale_run,
    ):
        assert run.error.code == "AutoScalingFormulaEvaluationError"
        assert run.error.error_values[0].value == "the variable $something_useless is not known"
        assert run.results == (
            "$TargetDedicatedNodes=1;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue"
        )
    assert cloud.client.get_pool("p").current_dedicated_nodes == 1


def _enabled(cloud: Any, formula: str) -> Any:
    cloud.client.enable_pool_auto_scale(
        "p", m.BatchPoolEnableAutoScaleOptions(auto_scale_formula=formula)
    )
    return cloud.client.get_pool("p")


def test_a_pool_that_is_there_follows_a_formula_and_stops_following_it(cloud: Any) -> None:
    cloud.pool(dedicated=1)
    pool = _enabled(cloud, "$TargetDedicatedNodes = $TargetDedicatedNodes + 1;")
    assert (pool.target_dedicated_nodes, pool.enable_auto_scale) == (2, True)
    assert pool.auto_scale_evaluation_interval == timedelta(minutes=15)
    resize = m.BatchPoolResizeOptions(target_dedicated_nodes=1)
    with pytest.raises(HttpResponseError) as caught:
        cloud.client.begin_resize_pool("p", resize)
    assert (caught.value.status_code, caught.value.error.code) == (409, "OperationNotValidOnPool")
    cloud.client.disable_pool_auto_scale("p")
    pool = cloud.client.get_pool("p")
    assert (pool.enable_auto_scale, pool.auto_scale_run) == (False, None)
    assert pool.target_dedicated_nodes == 2
    with pytest.raises(HttpResponseError) as caught:
        cloud.client.evaluate_pool_auto_scale(
            "p", m.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula="a = 1")
        )
    assert (caught.value.status_code, caught.value.error.code) == (409, "OperationNotValidOnPool")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"auto_scale_formula": "a = "}, 400, "AutoScalingFormulaSyntaxError"),
        ({"auto_scale_formula": "a = 1;" * 2000}, 400, "AutoScaleFormulaTooLong"),
        ({"auto_scale_formula": None}, 400, "MissingRequiredProperty"),
        ({"target_dedicated_nodes": 1}, 400, "InvalidPropertyValue"),
        ({"enable_auto_scale": False}, 400, "InvalidPropertyValue"),
        ({"auto_scale_evaluation_interval": timedelta(minutes=4)}, 400, "InvalidPropertyValue"),
        ({"auto_scale_evaluation_interval": timedelta(hours=169)}, 400, "InvalidPropertyValue"),
        ({"auto_scale_formula": "a = min($CPUPercent.GetSample(1))"}, 501, "NotImplemented"),
    ],
)
def test_formulas_that_pools_cannot_have(
    refusing: Any, changes: dict[str, Any], status: int, code: str
) -> None:
    scaling = {"enable_auto_scale": True, "auto_scale_formula": "a = 1", **changes}
    with pytest.raises(HttpResponseError) as caught:
        refusing.pool(**{"target_dedicated_nodes": None, **scaling})
    assert (caught.value.status_code, caught.value.error.code) == (status, code)
    assert list(refusing.client.list_pools()) == []


@pytest.fixture(scope="module")
def refusing() -> Any:
    """An account of which nothing is left by what it refuses."""
    from azure_batch_emulator.tests.conftest import connected

    with Emulator() as emulator:
        cloud = connected(emulator)
        with cloud.client:
            yield cloud
