"""Hands out Tasks to the workers of a scheduler, and takes what comes back.

It lives on the event loop of the engine's thread and is woken by Tasks that come and chunks that
end. A few chunks for each thread of the workers are with the scheduler at once, so that a run of
any length costs it little; short Tasks travel several to a chunk.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import dask
from distributed import KilledWorker
from distributed.client import FutureCancelledError

from pyveg.core.errors import EngineError
from pyveg.core.events import EngineStatus
from pyveg.core.execute import describe
from pyveg.core.nodes import NodeClock
from pyveg.core.ports import Listener
from pyveg.core.tasks import State, Task, TaskResult
from pyveg.runners.dask import worker, worker_checks
from pyveg.runners.dask.messages import TOPIC, Chunk, Unready, results_in
from pyveg.runners.dask.opening import Opening
from pyveg.runners.dask.placing import Placing, Workers
from pyveg.runners.dask.sizes import Sizes

if TYPE_CHECKING:
    from distributed import Client, Future

AHEAD = 8
"""Chunks with the scheduler for each thread of its workers."""
LEAST_AHEAD = 64
"""The same where there are few threads, or none yet."""
TRIES = 4
"""How often a Task goes out before it has failed with its workers."""
DASK = "dask"
"""The size of a machine with workers, in tables of prices."""
LOOK = 5.0
"""How often the number of workers is asked for, seconds."""
_LOST = "scheduler-connection-lost"


class Dispatch:
    """The Tasks of one run on one scheduler.

    Parameters
    ----------
    client : Client
        Of the running event loop.
    opening : Opening
    listener : Listener
    modules : sequence of str
        Modules that all workers must have.
    standing : NodeClock, optional
        Told how many machines they are on.
    """

    def __init__(
        self,
        client: Client,
        opening: Opening,
        listener: Listener,
        modules: Sequence[str] = (),
        standing: NodeClock | None = None,
    ) -> None:
        self._modules = modules
        self._standing = standing or NodeClock()
        self._client = client
        self._address = client.scheduler.address
        self._opening = opening
        self._listener = listener
        self._waiting: deque[Task] = deque()
        self._out: dict[int, tuple[Chunk, asyncio.Task[None]]] = {}
        """Number -> a chunk that is with the scheduler, and who waits for it."""
        self._number = 0
        self._threads = 0
        self._sizes = Sizes()
        self._workers = Workers()
        self._tries: Counter[str] = Counter()
        """Id of a Task -> how often it came back without a result."""
        self._isolated: set[str] = set()
        """Ids of Tasks that had a worker die around them, or may have."""
        self._met: set[str] = set()
        """Ids of Tasks that have begun, or that came to a worker which had not been told."""
        self._hopeless = ""
        """Why no Task can be done any more."""
        self._asking = asyncio.Lock()
        self._prepared: dict[str, int] = {}
        """Address of a worker that came during the run -> number of the last chunk before it was
        told of the run."""
        self._watch: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """See whether the workers can do the work, and begin to watch them.

        Raises
        ------
        EngineError
            If one of them cannot, with what to do.
        """
        troubles, notes = await worker_checks.prepare(self._client, self._opening, self._modules)
        if troubles:
            raise EngineError(f"{self._address}: {worker_checks.sentence(troubles)}")
        for note in notes:
            self._listener.tell(EngineStatus(f"dask: {note}", urgent=True))
        self._client.subscribe_topic(TOPIC, self._told)
        await self._count()
        self._watch = asyncio.create_task(self._keep_counting())

    def take(self, tasks: Sequence[Task]) -> None:
        """Take Tasks."""
        self._waiting.extend(tasks)
        self._feed()

    def drop(self, unwanted: Collection[str]) -> None:
        """Forget Tasks that have not gone out."""
        self._waiting = deque(task for task in self._waiting if task.id not in unwanted)

    async def end(self) -> None:
        """Give up what is out and what waits; report nothing more."""
        followers = [follower for _, follower in self._out.values()]
        followers += [self._watch] if self._watch is not None else []
        self._out.clear()
        self._waiting.clear()
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)

    def give_up(self, reason: str) -> None:
        """Fail what is in hand and all that comes."""
        if self._hopeless:
            return
        self._hopeless = reason
        self._listener.tell(EngineStatus(f"dask: {reason}", urgent=True))
        for chunk, follower in self._out.values():
            if follower is not asyncio.current_task():
                follower.cancel()
            self._fail(chunk.tasks, reason)
        self._out.clear()
        self._feed()

    # Out

    def _feed(self) -> None:
        """Hand out what there is room for, many chunks in one message."""
        if self._client.status != "running" and not self._hopeless:
            self._lose()
        if self._hopeless:
            self._fail(self._waiting, self._hopeless)
            self._waiting.clear()
            return
        ahead = max(LEAST_AHEAD, AHEAD * self._threads)
        room = ahead - len(self._out)
        if room <= ahead // 2:  # there is work for a while: wait until it pays
            return
        chunks: list[Chunk] = []
        while self._waiting and len(chunks) < room:
            chunks.append(self._next_chunk())
        by_place: dict[Placing, list[Chunk]] = {}
        for chunk in chunks:
            if why := self._workers.why_not(chunk.tasks[0]):
                self._fail(chunk.tasks, why)
            else:
                by_place.setdefault(self._workers.place(chunk.tasks[0]), []).append(chunk)
        for placing, placed in by_place.items():
            self._send(placed, placing)

    def _next_chunk(self) -> Chunk:
        self._number += 1
        first = self._waiting.popleft()
        isolated = self._runs_isolated(first)
        tasks = [first]
        if not isolated:
            most = self._sizes.of(first, len(self._waiting), self._threads)
            while self._waiting and len(tasks) < most and self._joins(first):
                tasks.append(self._waiting.popleft())
        return Chunk(self._opening.token, self._number, tuple(tasks), isolated)

    def _joins(self, first: Task) -> bool:
        """Whether the Task that waits next can go with another."""
        following = self._waiting[0]
        return following.step is first.step and not self._runs_isolated(following)

    def _runs_isolated(self, task: Task) -> bool:
        limited = task.step.timeout is not None or task.memory_gb > 0
        return limited or task.id in self._isolated

    def _send(self, chunks: Sequence[Chunk], placing: Placing) -> None:
        try:
            futures = self._mapped(chunks, placing)
        except Exception as error:  # noqa: BLE001 - what was not sent must not be waited for
            for chunk in chunks:
                self._fail(chunk.tasks, f"it could not be sent: {describe(error)}")
            return
        for chunk, future in zip(chunks, futures, strict=True):
            follower = asyncio.create_task(self._follow(chunk, future))
            follower.add_done_callback(self._followed)
            self._out[chunk.number] = chunk, follower

    def _mapped(self, chunks: Sequence[Chunk], placing: Placing) -> Sequence[Future[Any]]:
        keys = [self._key(chunk) for chunk in chunks]
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
            more = placing.options()
            futures: Sequence[Future[Any]] = self._client.map(
                worker.run, chunks, key=keys, pure=False, **more
            )
        return futures

    def _key(self, chunk: Chunk) -> tuple[str, str, int]:
        """What people see of it at the scheduler; the number makes it unique."""
        first = chunk.tasks[0]
        return f"{first.step.name}-{self._opening.token}", first.id, chunk.number

    # Back

    def _told(self, event: tuple[float, Sequence[Any]]) -> None:
        """A chunk of this run or of another one has begun or ended, says a worker."""
        token, number, plain = event[1]
        if token != self._opening.token or number not in self._out:
            return
        chunk, follower = self._out[number]
        if plain is None:
            for task in chunk.tasks:
                self._met.add(task.id)
                self._listener.started(task.id)
        else:
            follower.cancel()
            self._done(chunk, results_in(chunk, plain))

    def _done(self, chunk: Chunk, results: Sequence[TaskResult]) -> None:
        del self._out[chunk.number]
        self._sizes.learn(chunk.tasks[0], results)
        for result in results:
            self._listener.report(result)
        self._feed()

    async def _follow(self, chunk: Chunk, future: Future[Any]) -> None:
        """Wait for a chunk of which no worker tells that it has ended.

        The event comes first, so what arrives here is mostly trouble. Results are not fetched: to
        ask a worker that has died meanwhile takes half a minute.
        """
        outcome: Any
        try:
            outcome = await future
        except Exception as error:  # noqa: BLE001 - whatever a worker, or the way to it, raised
            outcome = error
        if isinstance(outcome, Unready):
            await self._prepare(outcome.worker, chunk.number)
            self._suspect(chunk)
            self._again(chunk)
        elif isinstance(outcome, Exception):
            await self._see_to(chunk, outcome)
        elif chunk.number in self._out:
            self._done(chunk, outcome)
        self._feed()

    def _followed(self, follower: asyncio.Task[None]) -> None:
        """Nothing that goes wrong here may leave Tasks waiting for ever."""
        error = None if follower.cancelled() else follower.exception()
        if error is not None:
            self.give_up(describe(error))

    async def _see_to(self, chunk: Chunk, error: Exception) -> None:
        """Try a chunk again that came to nothing, unless it cannot help."""
        if self._client.status != "running" or getattr(error, "reason", "") == _LOST:
            self._lose()
        elif isinstance(error, KilledWorker):
            self._isolated.update(task.id for task in chunk.tasks)
            self._again(chunk, "the workers that it ran on died")
        elif isinstance(error, FutureCancelledError):  # such as all workers started anew
            self._again(chunk, f"the scheduler gave it up ({error.reason})")
        else:
            async with self._asking:
                if not self._hopeless:
                    await self._ask_workers()
            self._again(chunk, describe(error))

    def _again(self, chunk: Chunk, why: str = "") -> None:
        """Let Tasks wait anew; where there is a reason, not for ever."""
        if self._out.pop(chunk.number, None) is None:  # given up meanwhile
            return
        for task in reversed(chunk.tasks):
            self._tries[task.id] += bool(why)
            if self._tries[task.id] < TRIES:
                self._waiting.appendleft(task)
            else:
                self._fail([task], f"{why}, {TRIES} times")

    def _suspect(self, chunk: Chunk) -> None:
        """A Task that has been with a worker before may have killed it: this one is new."""
        for task in chunk.tasks:
            if task.id in self._met:
                self._isolated.add(task.id)
            self._met.add(task.id)

    async def _prepare(self, address: str, number: int) -> None:
        """Tell a worker of the run that came after its beginning; several chunks may ask."""
        async with self._asking:
            if number > self._prepared.get(address, 0) and not self._hopeless:
                last = self._number
                await self._ask_workers([address])
                self._prepared[address] = last

    async def _ask_workers(self, addresses: Sequence[str] | None = None) -> None:
        """Look whether workers are to blame."""
        troubles, _ = await worker_checks.prepare(
            self._client, self._opening, self._modules, addresses
        )
        if troubles:
            self.give_up(
                f"{self._address}: {worker_checks.sentence(troubles)}; then finish the run with "
                "--from_cache"
            )

    def _lose(self) -> None:
        self.give_up(
            f"the Dask scheduler {self._address} went away; what is done is kept: start it again "
            "and finish the run with --from_cache"
        )

    def _fail(self, tasks: Iterable[Task], reason: str) -> None:
        for task in tasks:
            self._listener.report(TaskResult(task.id, State.FAILED, reason))

    # Around

    async def _keep_counting(self) -> None:
        """No Task ends where there are no workers, so nothing else would tell of it."""
        while not self._hopeless:
            await asyncio.sleep(LOOK)
            try:
                await self._count()
            except (OSError, EngineError):  # those who wait for chunks are told of it
                continue

    async def _count(self) -> None:
        """Ask how many workers there are, and tell when it has changed."""
        workers = await self._client.nthreads()
        self._workers.learn(await self._client.scheduler.identity(n_workers=-1))
        threads = sum(workers.values())
        self._standing.see({DASK: len({_host(address) for address in workers})})
        if threads != self._threads or not workers:
            text = f"dask: {len(workers)} workers, {threads} threads at {self._address}"
            cure = "; tasks wait until some are started" if not workers else ""
            self._listener.tell(EngineStatus(text + cure, urgent=not workers))
        self._threads = threads


def _host(address: str) -> str:
    """The machine of a worker; workers of this process have names of their own."""
    return urlsplit(address).hostname or address
