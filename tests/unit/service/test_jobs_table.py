"""The statements about jobs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pyveg.core.errors import ConfigError, StoreError
from pyveg.service import filesystems, table
from pyveg.service.admission import Limits, Order
from pyveg.service.jobs_table import Jobs, Wanted
from pyveg.service.records import Told
from pyveg.service.refusals import Refusal
from pyveg.service.states import JobState

MANY = Limits(1000, 1000)


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(table.make(tmp_path / "service" / "jobs.sqlite"))


def order(name: str, caller: str = "kim", key: str | None = None, digest: str = "d") -> Order:
    return Order(name, "steps", caller, f"/runs/{name}", {"count": 3}, digest, key)


def test_a_job_is_what_was_asked_for(jobs: Jobs) -> None:
    admitted = jobs.admit(order("a"), MANY)
    assert admitted.new
    assert jobs.get("a") == admitted.job
    job = admitted.job
    assert (job.state, job.caller, job.inputs, job.url) == (
        JobState.ACCEPTED,
        "kim",
        {"count": 3},
        "/runs/a",
    )
    assert jobs.get("b") is None


def test_a_key_gives_the_same_job(jobs: Jobs) -> None:
    first = jobs.admit(order("a", key="k"), MANY)
    again = jobs.admit(order("b", key="k"), MANY)
    assert (again.job.id, again.new) == ("a", False)
    assert jobs.admit(order("c", caller="lee", key="k"), MANY).job.id == "c"
    with pytest.raises(Refusal, match="used for another request") as caught:
        jobs.admit(order("d", key="k", digest="other"), MANY)
    assert caught.value.status == 409
    assert first.new


def test_one_key_many_times_at_once_is_one_job(jobs: Jobs) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: jobs.admit(order(f"j{n}", key="k"), MANY), range(50)))
    assert len({one.job.id for one in made}) == 1
    assert sum(one.new for one in made) == 1


def test_limits_hold_for_callers_and_processes(jobs: Jobs) -> None:
    limits = Limits(2, 3)
    for name in ("a", "b"):
        jobs.admit(order(name), limits)
    with pytest.raises(Refusal, match="2 jobs of kim are active") as caught:
        jobs.admit(order("c"), limits)
    assert (caught.value.status, caught.value.retry_after) == (429, 30)
    jobs.admit(order("c", "lee"), limits)
    with pytest.raises(Refusal, match="3 jobs of the process steps") as caught:
        jobs.admit(order("d", "lee"), limits)
    assert caught.value.status == 503
    jobs.move("a", JobState.DISMISSED)
    assert jobs.admit(order("d"), limits).new, "what is over counts no more"


def test_many_at_once_are_never_more_than_the_limit(jobs: Jobs) -> None:
    def post(number: int) -> bool:
        try:
            return jobs.admit(order(f"j{number}"), Limits(10, 100)).new
        except Refusal:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(post, range(40))) == 10


def test_pages_have_each_job_once_newest_first(jobs: Jobs) -> None:
    for number in range(7):
        jobs.admit(order(f"j{number}", "kim" if number % 2 else "lee"), MANY)
    found, cursor = jobs.page(Wanted(), 3)
    names = [job.id for job in found]
    jobs.admit(order("late"), MANY)
    while cursor:
        found, cursor = jobs.page(Wanted(), 3, cursor)
        names += [job.id for job in found]
    assert names == [f"j{number}" for number in range(6, -1, -1)]
    assert [job.id for job in jobs.page(Wanted("lee"), 9)[0]] == ["j6", "j4", "j2", "j0"]
    jobs.move("j4", JobState.RUNNING)
    running = Wanted(states=[JobState.RUNNING], processes=["steps"])
    assert [job.id for job in jobs.page(running, 9)[0]] == ["j4"]
    assert jobs.page(Wanted(processes=["other"]), 9) == ([], "")


def test_changes_are_numbered(jobs: Jobs) -> None:
    for name in ("a", "b"):
        jobs.admit(order(name), MANY)
    seen = jobs.last_change()
    assert jobs.changed(seen, 9) == []
    jobs.tell([("a", "half", Told(tasks=4, done=2, counts={"succeeded": 2}))])
    (one,) = jobs.changed(seen, 9)
    assert (one.id, one.message, one.progress, one.told.counts) == (
        "a",
        "half",
        50,
        {"succeeded": 2},
    )
    assert [job.id for job in jobs.changed(-1, 9)] == ["b", "a"]
    assert [job.id for job in jobs.changed(-1, 9, job="b")] == ["b"]
    assert jobs.changed(-1, 9, caller="lee") == []


def test_a_stop_is_asked_once_and_only_of_what_goes_on(jobs: Jobs) -> None:
    jobs.admit(order("a"), MANY)
    first = jobs.ask_to_stop("a")
    second = jobs.ask_to_stop("a")
    assert first
    assert second
    assert first.wants_stop == second.wants_stop
    assert first.stopping
    jobs.move("a", JobState.DISMISSED, "stopped")
    assert jobs.ask_to_stop("a") is None
    found = jobs.get("a")
    assert found
    assert not found.stopping


def test_what_is_purged_is_in_no_list_and_its_key_is_free(jobs: Jobs) -> None:
    jobs.admit(order("a", key="k"), MANY)
    assert jobs.ask_to_purge("a") is None, "it is not over"
    jobs.move("a", JobState.DISMISSED)
    asked = jobs.ask_to_purge("a")
    assert asked
    assert asked.purged
    assert [job.id for job in jobs.to_purge()] == ["a"]
    jobs.purged("a")
    assert jobs.to_purge() == []
    assert jobs.get("a") is None
    assert jobs.page(Wanted(), 9) == ([], "")
    assert jobs.counts() == {("steps", "dismissed"): 1}, "numbers do not go back"
    assert jobs.admit(order("b", key="k"), MANY).new


def test_jobs_expire_by_when_they_ended(jobs: Jobs) -> None:
    for name in ("a", "b"):
        jobs.admit(order(name), MANY)
    jobs.move("a", JobState.FAILED, at=1000.0)
    assert [job.id for job in jobs.ended_before("steps", 1001.0)] == ["a"]
    assert jobs.ended_before("steps", 999.0) == []


def test_a_table_keeps_what_it_has_when_it_is_made_again(jobs: Jobs) -> None:
    jobs.admit(order("a"), MANY)
    again = Jobs(table.make(jobs.table.path))
    assert again.get("a")
    assert again.table.read("PRAGMA journal_mode")[0][0] == "wal"
    assert jobs.table.path.stat().st_mode & 0o077 == 0, "nobody else may read it"


@pytest.mark.parametrize("damage", [b"", b"no database at all, and long enough to be one" * 99])
def test_a_damaged_table_is_told(jobs: Jobs, damage: bytes) -> None:
    jobs.admit(order("a"), MANY)
    jobs.table.close()
    for path in jobs.table.path.parent.glob("jobs.sqlite-*"):
        path.unlink()
    jobs.table.path.write_bytes(damage)
    with pytest.raises(StoreError, match=r"jobs.sqlite, is damaged.*backup"):
        jobs.get("a")
    if damage:
        with pytest.raises(table.TableError, match="is damaged"):
            table.make(jobs.table.path)


def test_a_table_that_is_gone_is_not_made_anew(jobs: Jobs) -> None:
    jobs.table.close()
    for path in jobs.table.path.parent.glob("jobs.sqlite*"):
        path.unlink()
    with pytest.raises(table.TableError, match="is not there"):
        jobs.get("a")
    assert not jobs.table.path.exists()


def test_a_table_of_a_later_version_is_refused(jobs: Jobs) -> None:
    with jobs.table.write() as at:
        at.execute(f"PRAGMA user_version={table.VERSION + 1}")
    with pytest.raises(table.TableError, match="later version"):
        table.make(jobs.table.path)


def test_a_network_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nnas:/x {tmp_path / 'far'} nfs4 rw 0 0\n")
    monkeypatch.setattr(filesystems, "_MOUNTS", mounts)
    with pytest.raises(ConfigError, match=r"network disk \(nfs4\)"):
        table.make(tmp_path / "far" / "jobs.sqlite")
    assert not (tmp_path / "far").exists()
    table.make(tmp_path / "near" / "jobs.sqlite")


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ("/dev/a / ext4 rw 0 0", ""),
        ("s /data cifs rw 0 0", "cifs"),
        ("s /data fuse.sshfs rw 0 0", "fuse.sshfs"),
        ("s /data fuse.fuse-overlayfs rw 0 0", ""),
        ("s /data nfs rw 0 0\n/dev/b /data/x ext4 rw 0 0", ""),
        ("s /data nfs rw 0 0\n/dev/b /data/x2 ext4 rw 0 0", "nfs"),
        ("s /dat nfs rw 0 0", ""),
    ],
)
def test_which_disk_a_path_is_on(lines: str, kind: str) -> None:
    assert filesystems.network_kind(Path("/data/x/jobs.sqlite"), lines) == kind


def test_a_full_disk_undoes_what_was_begun(jobs: Jobs) -> None:
    jobs.admit(order("a"), MANY)
    pages = jobs.table.read("PRAGMA page_count")[0][0]
    jobs.table.read(f"PRAGMA max_page_count={pages}")
    big = "x" * 2_000_000
    with pytest.raises(StoreError, match=r"disk of the table of jobs, .* is full"):
        jobs.admit(Order("b", "steps", "kim", "/runs/b", {"x": big}, "d"), MANY)
    assert jobs.get("b") is None
    assert jobs.get("a")
