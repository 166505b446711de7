"""Leases while anybody may be suspended at any moment, for any time.

Each process is a thread that waits for its turn before everything that it does to the Store, and
the clock is put forward between the turns.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pyveg.core.errors import KeyMissingError, LockLostError, RunLockedError
from pyveg.storage import lease, renewed_lock
from pyveg.storage.lease import Lease, epoch_of

SECONDS = 60.0
HISTORIES = 150


class World:
    """Turns and time, both drawn at random."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.now = 1e9
        self._condition = threading.Condition()
        self._alive: dict[threading.Thread, bool] = {}
        self._turn: threading.Thread | None = None

    def run(self, *acts: Callable[[], None]) -> None:
        """Let processes act at once, until all have ended."""
        threads = [threading.Thread(target=self._body, args=(act,)) for act in acts]
        self._alive = dict.fromkeys(threads, True)
        with self._condition:
            self._next()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(self._alive.values())

    def wait_for_turn(self) -> None:
        me = threading.current_thread()
        if me not in self._alive:
            return
        with self._condition:
            self._next()
            self._condition.wait_for(lambda: self._turn is me, timeout=60)

    def sleep(self, seconds: float) -> None:
        end = self.now + seconds
        self.wait_for_turn()
        while self.now < end:  # the others may act meanwhile, and more time goes by
            self.now += min(seconds / 3 + 1e-6, max(end - self.now, 1e-6))
            self.wait_for_turn()

    def _body(self, act: Callable[[], None]) -> None:
        me = threading.current_thread()
        with self._condition:
            self._condition.wait_for(lambda: self._turn is me, timeout=60)
        try:
            act()
        finally:
            with self._condition:
                self._alive[me] = False
                self._next()

    def _next(self) -> None:
        alive = [thread for thread, lives in self._alive.items() if lives]
        self.now += self.random.choice([0, 0, 0, 0, 0, 0, 0.01, 1, 20, 70])
        self._turn = self.random.choice(alive) if alive else None
        self._condition.notify_all()


class SlowObjects:
    """Objects of a Store, each request of which may take its time."""

    url = "slow://"

    def __init__(self, world: World) -> None:
        self.world = world
        self.values: dict[str, bytes] = {}

    def read(self, key: str) -> bytes:
        self.world.wait_for_turn()
        if key not in self.values:
            raise KeyMissingError(key, self.url)
        return self.values[key]

    def write(self, key: str, data: bytes) -> None:
        self.world.wait_for_turn()
        self.values[key] = data

    def create(self, key: str, data: bytes) -> bool:
        self.world.wait_for_turn()
        if key in self.values:
            return False
        self.values[key] = data
        return True

    def delete(self, key: str) -> None:
        self.world.wait_for_turn()
        self.values.pop(key, None)


class Seen:
    """Who was sure to hold the lock, and when."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.spans: list[tuple[float, float, int]] = []
        self.epochs: list[int] = []
        self.leases: list[Lease] = []

    def held(self, one: Lease) -> None:
        if self.world.now < one._held_until:
            self.spans.append((self.world.now, one._held_until, one.epoch))

    def given_back(self, one: Lease) -> None:
        """What it had is over now, and may be somebody else's."""
        self.spans = [
            (begin, min(end, self.world.now) if epoch == one.epoch else end, epoch)
            for begin, end, epoch in self.spans
        ]

    def forget(self) -> None:
        """End the threads that would renew leases."""
        for one in self.leases:
            one._stop.set()

    def overlaps(self) -> list[tuple[int, int]]:
        return [
            (mine, other)
            for begin, end, mine in self.spans
            for start, stop, other in self.spans
            if mine < other and begin < stop and start < end
        ]


@pytest.fixture
def worlds(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """One after the other, each with a history of its own."""
    monkeypatch.setattr(lease, "_taking", nullcontext())  # threads are processes here

    def make() -> Iterator[World]:
        for seed in range(HISTORIES):
            world = World(seed)
            clock = SimpleNamespace(time=lambda world=world: world.now, sleep=world.sleep)
            for module in (lease, renewed_lock):
                monkeypatch.setattr(module, "time", clock)
                monkeypatch.setattr(module, "elapsed", clock.time)
            yield world

    return make()


def _process(objects: SlowObjects, seen: Seen, first: Lease | None = None) -> Callable[[], None]:
    """Has the lock since long ago, or takes it as soon as it can, and uses it a while."""

    def act() -> None:
        if first is not None:
            _use(first, seen)
            return
        for _ in range(5):
            one = Lease(objects, "lock", SECONDS)
            seen.leases.append(one)
            try:
                one.acquire()
            except (RunLockedError, LockLostError):
                seen.world.sleep(SECONDS / 2)
                continue
            seen.epochs.append(one.epoch)
            seen.held(one)
            _use(one, seen)
            return

    return act


def _use(one: Lease, seen: Seen) -> None:
    """Renew it a few times; then give it back or die."""
    try:
        for _ in range(seen.world.random.randrange(4)):
            one._try()
            one.check()
            seen.held(one)
        if seen.world.random.random() < 0.5:
            one._give_back()
            seen.given_back(one)
    except LockLostError:
        return


def test_nobody_holds_what_another_holds(worlds: Iterator[World]) -> None:
    """And no epoch is given twice."""
    taken = 0
    for world in worlds:
        objects, seen = SlowObjects(world), Seen(world)
        first = Lease(objects, "lock", SECONDS)
        first.acquire()
        seen.epochs.append(first.epoch)
        try:
            world.run(_process(objects, seen, first), *[_process(objects, seen) for _ in range(4)])
        finally:
            seen.forget()
        assert len(set(seen.epochs)) == len(seen.epochs), world.seed
        assert seen.overlaps() == [], world.seed
        taken += len(seen.epochs)
    assert taken > 2 * HISTORIES


def test_somebody_gets_a_lock_in_the_end(worlds: Iterator[World]) -> None:
    """Whatever those before left behind when they died."""
    for world in worlds:
        objects, seen = SlowObjects(world), Seen(world)
        world.run(*[_process(objects, seen) for _ in range(3)])
        world.now += 2 * SECONDS
        last = Lease(objects, "lock", SECONDS)
        seen.leases.append(last)
        try:
            last.acquire()
            last.check()
        finally:
            seen.forget()
        assert last.epoch > max(seen.epochs, default=0), world.seed
        assert epoch_of(objects, "lock") == last.epoch, world.seed


class Bench:
    """Objects and a clock of which one moment is chosen: before the next write, or a sleep."""

    url = "bench://"

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1e9
        self.values: dict[str, bytes] = {}
        self.before_write: Callable[[], None] | None = None
        self.while_asleep: Callable[[], None] | None = None
        self.leases: list[Lease] = []
        clock = SimpleNamespace(time=lambda: self.now, sleep=self.sleep)
        for module in (lease, renewed_lock):
            monkeypatch.setattr(module, "time", clock)
            monkeypatch.setattr(module, "elapsed", clock.time)
        monkeypatch.setattr(lease, "_taking", nullcontext())

    def sleep(self, seconds: float) -> None:
        act, self.while_asleep = self.while_asleep, None
        if act:
            act()
        self.now += seconds

    def read(self, key: str) -> bytes:
        if key not in self.values:
            raise KeyMissingError(key, self.url)
        return self.values[key]

    def write(self, key: str, data: bytes) -> None:
        act, self.before_write = self.before_write, None
        if act:
            act()
        self.values[key] = data

    def create(self, key: str, data: bytes) -> bool:
        return self.values.setdefault(key, data) is data

    def delete(self, key: str) -> None:
        self.values.pop(key, None)

    def taken(self) -> Lease:
        one = Lease(self, "lock", SECONDS)
        self.leases.append(one)
        one.acquire()
        return one


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(monkeypatch)
    yield made
    for one in made.leases:
        one._stop.set()


def test_a_renewal_that_was_suspended_before_its_write_is_none(bench: Bench) -> None:
    """It began in time; when it wrote, somebody else had the lock."""
    first = bench.taken()
    others: list[Lease] = []

    def take_over() -> None:
        bench.now += 4
        others.append(bench.taken())

    bench.now += 57
    bench.before_write = take_over
    first._try()
    (other,) = others
    assert (first.epoch, other.epoch) == (1, 2)
    with pytest.raises(LockLostError):
        first.check()
    assert epoch_of(bench, "lock") == 2
    other.check()
    other._try()
    other.check()


def test_a_lease_that_an_earlier_holder_wrote_late_is_mended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the next renewal; it does not count as a takeover."""
    first = bench.taken()
    others: list[Lease] = []

    def take_over() -> None:
        bench.now += 4
        others.append(bench.taken())

    bench.now += 57
    bench.before_write = take_over
    monkeypatch.setattr(first, "_hand_over", lambda: None)  # it dies as soon as it has written
    first._try()
    (other,) = others
    assert epoch_of(bench, "lock") == 1
    other._try()
    other.check()
    assert epoch_of(bench, "lock") == 2


def test_a_lease_that_was_overwritten_late_lets_nobody_in(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rightful holder, whose claim is old by now, has the time to mend it."""
    first = bench.taken()
    others: list[Lease] = []

    def take_over() -> None:
        bench.now += 4
        others.append(bench.taken())
        for _ in range(3):
            bench.now += 20
            others[0]._try()

    bench.now += 57
    bench.before_write = take_over
    with monkeypatch.context() as patch:  # it dies as soon as it has written
        patch.setattr(first, "_hand_over", lambda: None)
        first._try()
    (other,) = others
    assert epoch_of(bench, "lock") == 1, "what was written late"
    bench.while_asleep = other._try
    with pytest.raises(RunLockedError):
        bench.taken()
    other.check()
    assert epoch_of(bench, "lock") == other.epoch == 2


def test_of_two_that_find_a_lease_free_one_gets_it(bench: Bench) -> None:
    """Also where one is suspended between its claim and its lease for longer than a lease."""
    first = bench.taken()
    bench.now += SECONDS + 1
    others: list[Lease] = []

    def faster() -> None:
        bench.now += SECONDS + 1
        others.append(bench.taken())

    bench.before_write = faster
    with pytest.raises(RunLockedError):
        bench.taken()
    (other,) = others
    other._try()
    other.check()
    assert other.epoch == epoch_of(bench, "lock") == 3, "2 was claimed and never had"
    with pytest.raises(LockLostError):
        first.check()


def test_a_claim_that_was_withdrawn_costs_nobody_the_lock(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder came back while another was about to take over."""
    first = bench.taken()
    bench.now += SECONDS + 1
    create = bench.create

    def come_back(key: str, data: bytes) -> bool:
        renewed = replace(first._owner, expires=bench.now + SECONDS)
        bench.values["lock"] = renewed.to_json().encode()
        return create(key, data)

    with monkeypatch.context() as patch:
        patch.setattr(bench, "create", come_back)
        with pytest.raises(RunLockedError):
            bench.taken()
    first.check()
    assert first.epoch == epoch_of(bench, "lock") == 1
    first.release()
    assert bench.taken().epoch == 3
