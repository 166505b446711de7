"""Tells people of a run by a webhook: that it has ended, fails, does not move or is at its limit.

The address comes from the environment, as that of the daily summary does (`pyveg.jobs.webhook`).
Messages go out from a thread of their own, and none that cannot be sent harms the run.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self, get_args

from pyveg.core import params
from pyveg.core.errors import ConfigError, PyvegError
from pyveg.core.events import EngineStatus, Event, RunStarted, TaskEnded, TaskStarted
from pyveg.core.params import setting
from pyveg.core.pipeline import Pipeline
from pyveg.core.report import RunReport
from pyveg.core.secrets import redacted
from pyveg.core.tasks import State
from pyveg.core.texts import said, shown
from pyveg.jobs import webhook
from pyveg.jobs.webhook import Section

Shape = Literal["json", "teams", "slack"]
Occasion = Literal["end", "failure", "stuck", "budget"]
TRIES = 4
_LONGEST_END = 45.0
"""Seconds that the end of a run waits for its last messages to be taken."""
_LOOK = 1.0
_TITLES: Mapping[Occasion, str] = {
    "end": "has ended",
    "failure": "has a task that failed",
    "stuck": "does not move",
    "budget": "has reached a limit",
}

Send = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """How a run tells of itself."""

    shape: Shape = setting(
        "json", doc='"json", or a message as "teams" (Workflows) or "slack" show it'
    )
    on: tuple[Occasion, ...] = setting(
        get_args(Occasion), doc='when: "end", "failure" (the first), "stuck", "budget"'
    )
    stuck_minutes: float = setting(
        60.0, doc="minutes in which no task begins or ends until a run is stuck", low=0.001
    )


@dataclass(frozen=True)
class Message:
    """What is told."""

    occasion: Occasion
    run: str
    """Where it is."""
    name: str
    """Of the job."""
    text: str
    """What happened, in a sentence."""
    facts: Mapping[str, Any]
    """More of it; plain data."""


def settings_of(given: Any, where: str = "webhook") -> WebhookSettings | None:
    """The settings from what a config says; None where it wants no messages.

    Parameters
    ----------
    given : str or mapping
        A shape, or the settings by name.
    where : str
        Begins the messages of errors.

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> settings_of("slack").shape, settings_of({})
    ('slack', None)
    """
    if not given:
        return None
    return params.build(
        WebhookSettings, {"shape": given} if isinstance(given, str) else given, where
    )


def address_for(settings: WebhookSettings | None) -> str | None:
    """Where messages go.

    Raises
    ------
    ConfigError
        If messages are wanted and nothing says where to.
    """
    if settings is None:
        return None
    address = webhook.find_address()
    if address is None:
        raise ConfigError(
            "the run is to tell of itself by a webhook, and nothing says where that is",
            f"set {webhook.VARIABLE} in the environment, or leave out webhook",
        )
    return address


def body_of(message: Message, shape: Shape) -> dict[str, Any]:
    """A message as its receiver takes it.

    Examples
    --------
    >>> told = Message("end", "runs/a", "demo", "all is well", {"exit_code": 0})
    >>> body_of(told, "slack")["text"]
    'pyveg: demo has ended: all is well (exit_code 0; runs/a)'
    >>> sorted(body_of(told, "json"))
    ['event', 'exit_code', 'name', 'run', 'text']
    """
    title = f"pyveg: {shown(message.name)} {_TITLES[message.occasion]}"
    facts = [(name, _fact(value)) for name, value in message.facts.items()]
    if shape == "teams":
        section = Section(message.text, [*facts, ("run", message.run)])
        return webhook.adaptive_card(title, [section])
    if shape == "slack":
        more = "; ".join([*(f"{name} {value}" for name, value in facts), message.run])
        return {"text": _slack(f"{title}: {message.text} ({more})")}
    about = {"event": message.occasion, "name": message.name, "run": message.run}
    return {**about, "text": message.text, **message.facts}


def _fact(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{count} {name}" for name, count in value.items())
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _slack(text: str) -> str:
    """A text in which nothing is a link or calls somebody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Teller:
    """What tells nobody: for a run that wants no messages."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def __call__(self, event: Event) -> None:
        """Pass over it."""

    def at_limit(self, why: str) -> None:
        """Pass over it."""

    def close_with(self, report: RunReport) -> None:
        """Pass over it."""


class Notifier(Teller):
    """An observer of a run that posts messages.

    Parameters
    ----------
    settings : WebhookSettings
    address : str
    name : str
        Of the job.
    url : str
        Of the run.
    tell : callable
        Told of messages that could not be sent.
    send : callable
        Posts one; `pyveg.jobs.webhook.send` where left out.
    now : callable
        Gives seconds.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        address: str,
        *,
        name: str,
        url: str,
        tell: Callable[[Event], None] = lambda _: None,
        send: Send | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._address, self._name, self._url = settings, address, name, url
        self._tell, self._now = tell, now
        self._send: Send = send or (lambda to, body: webhook.send(to, body, tries=TRIES))
        self._queue: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._counts: Counter[str] = Counter()
        self._told: set[Occasion] = set()
        self._moved_at = now()
        self._over = threading.Event()
        self._sender = threading.Thread(target=self._work, name="pyveg-webhook", daemon=True)
        self._watch = threading.Thread(target=self._keep_looking, name="pyveg-stuck", daemon=True)

    def __enter__(self) -> Self:
        self._sender.start()
        if "stuck" in self._settings.on:
            self._watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._put("end", f"the run broke off: {redacted(said(error))}", state="failed")
        self._over.set()
        self._queue.put(None)
        self._sender.join(_LONGEST_END)

    def __call__(self, event: Event) -> None:
        """Note what happens; nothing is sent here."""
        if isinstance(event, TaskStarted | TaskEnded | RunStarted):
            self._moved_at = self._now()
            self._told.discard("stuck")
        if isinstance(event, TaskEnded):
            self._counts[str(event.result.state)] += 1
            if event.result.state is State.FAILED and "failure" not in self._told:
                text = f"{event.task.id}: {redacted(event.result.reason)}"
                self._put("failure", text)

    def at_limit(self, why: str) -> None:
        """The run has reached a limit. Any thread may call it."""
        self._put("budget", why)

    def look(self) -> None:
        """See whether the run moves."""
        minutes = (self._now() - self._moved_at) / 60
        if minutes >= self._settings.stuck_minutes and "stuck" not in self._told:
            self._put("stuck", f"no task has begun or ended in {minutes:.0f} minutes")

    def close_with(self, report: RunReport) -> None:
        """The run has ended."""
        state = "interrupted" if report.interrupted else "ended"
        counts = ", ".join(f"{count} {name}" for name, count in report.counts.items())
        text = report.limit or report.analysis_failed or f"{counts} in {report.seconds:.0f} s"
        self._put("end", text, state=state, exit_code=report.exit_code, used=list(report.used))

    def _put(self, occasion: Occasion, text: str, **facts: Any) -> None:
        if occasion in self._settings.on:
            self._told.add(occasion)
            facts = {"tasks": dict(self._counts), **facts}
            self._queue.put(Message(occasion, self._url, self._name, shown(text), facts))

    def _keep_looking(self) -> None:
        while not self._over.wait(_LOOK):
            self.look()

    def _work(self) -> None:
        while (message := self._queue.get()) is not None:
            try:
                self._send(self._address, body_of(message, self._settings.shape))
            except PyvegError as error:
                text = f"a message by the webhook was not taken: {redacted(str(error))}"
                self._tell(EngineStatus(text, urgent=True))
            except Exception as error:  # noqa: BLE001 - no message is worth the run
                text = f"no message by the webhook: {redacted(type(error).__name__)}"
                self._tell(EngineStatus(text, urgent=True))


def notifier(pipeline: Pipeline, url: str, tell: Callable[[Event], None]) -> Teller:
    """Who tells people of a run, as its Pipeline wants it.

    Parameters
    ----------
    pipeline : Pipeline
    url : str
        Of the run.
    tell : callable
        Told of messages that could not be sent.

    Raises
    ------
    ConfigError
        If messages are wanted and nothing says where to.
    """
    settings = settings_of(pipeline.webhook)
    address = address_for(settings)
    if settings is None or address is None:
        return Teller()
    return Notifier(settings, address, name=pipeline.name, url=url, tell=tell)
