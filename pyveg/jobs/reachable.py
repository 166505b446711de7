"""Look, in the first seconds of a run, whether the services that its Tasks will ask are there.

Without this each Task would find out by its own time-outs and repetitions, and the user after
minutes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from pyveg.core import registry
from pyveg.core.errors import ConfigError, PyvegError, ServiceAwayError
from pyveg.core.module import settings_of
from pyveg.core.tasks import Step, Task, TaskGraph

LIMIT = 12.0
"""Seconds after which a look that has not ended counts for nothing: the service is slow."""
MOST_ITEMS = 3_000
"""Items of a Module that are looked at; the others count as both at hand and not."""


@dataclass
class _Outlook:
    """What the first Module of a Sequence has to expect."""

    step: Step
    some: bool
    """Whether anything can be done without asking."""
    lacking: bool
    """Whether anything cannot."""
    error: BaseException | None = field(default=None, init=False)

    def look(self) -> None:
        """Have the Module look; errors are kept."""
        module = registry.load("module", self.step.module)
        try:
            module().reach(self.step.scope, settings_of(module, self.step.settings))
        except (ServiceAwayError, ConfigError) as error:
            self.error = error
        except PyvegError:  # of this one request: the Tasks may fare better
            return
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            self.error = error


def check(graph: TaskGraph, done: Collection[str], far_modes: Collection[str]) -> list[str]:
    """Look at each service that will be asked, at all of them at once.

    Parameters
    ----------
    graph : TaskGraph
    done : collection of str
        Ids of Tasks that an earlier attempt has done.
    far_modes : collection of str
        Run modes of which Tasks may run on other machines; these may reach what this one does not.

    Returns
    -------
    list of str
        What the user should know of a run that can do a part of its work.

    Raises
    ------
    ServiceAwayError, ConfigError
        If nothing can be done: no service that is needed is there or lets this user in, and
        nothing is stored, or was done before.
    """
    outlooks = [_outlook(tasks, done, far_modes) for tasks in _first(graph)]
    _look(outlook for outlook in outlooks if outlook.lacking)
    away = [outlook for outlook in outlooks if outlook.error is not None]
    if not away:
        return []
    error = _joined([outlook.error for outlook in away if outlook.error is not None])
    if len(away) == len(outlooks) and not any(outlook.some for outlook in away):
        raise error
    return [f"{error}; what needs no service is done"]


def _first(graph: TaskGraph) -> Iterable[list[Task]]:
    """The Tasks that wait for no other, those of each Step together."""
    found: dict[str, list[Task]] = {}
    for task in graph:
        if not task.after and not task.after_any:
            found.setdefault(task.step.label, []).append(task)
    return found.values()


def _outlook(tasks: list[Task], done: Collection[str], far_modes: Collection[str]) -> _Outlook:
    step = tasks[0].step
    if step.run_mode in far_modes:
        return _Outlook(step, some=True, lacking=False)
    cls = registry.load("module", step.module)
    items = [task.item for task in tasks if task.id not in done]
    some, lacking = len(items) < len(tasks), len(items) > MOST_ITEMS
    some |= lacking
    for at_hand in cls().at_hand(step.scope, items[:MOST_ITEMS], settings_of(cls, step.settings)):
        some, lacking = some or at_hand, lacking or not at_hand
        if some and lacking:
            break
    return _Outlook(step, some, lacking)


def _look(outlooks: Iterable[_Outlook]) -> None:
    """Look at all at once, and wait for none that takes too long."""
    end = time.monotonic() + LIMIT
    # Daemons: a name server that is silent must not hold up the end of the process.
    threads = [threading.Thread(target=outlook.look, daemon=True) for outlook in outlooks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))


def _joined(errors: list[BaseException]) -> PyvegError:
    """Several errors as one sentence; one that is no answer about services is raised."""
    told: dict[str, PyvegError] = {}
    for error in errors:
        if not isinstance(error, PyvegError):
            raise error
        told.setdefault(str(error), error)
    first, *others = told.values()
    if not others:
        return first
    wrong = " and ".join(dict.fromkeys(error.wrong for error in told.values()))
    cure = "; ".join(dict.fromkeys(error.cure for error in told.values()))
    return ServiceAwayError(wrong, cure)
