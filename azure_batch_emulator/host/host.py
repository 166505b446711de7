"""What an account stands on."""

from __future__ import annotations

from collections.abc import Callable

from azure_batch_emulator.host.background import Background
from azure_batch_emulator.host.execution import Execution, Work
from azure_batch_emulator.host.folders import Folders
from azure_batch_emulator.host.outcomes import Outcome
from azure_batch_emulator.host.watchdog import Watchdog
from azure_batch_emulator.settings import Settings


class Host:
    """The machine under an account: it knows neither pools nor jobs.

    Parameters
    ----------
    settings : Settings
        How the emulator is set up.

    Attributes
    ----------
    url : str
        Where the account is; empty before `open`.
    faults : Faults
        What goes wrong from now on.
    background : Background
        Its lock, threads and timers.
    folders : Folders
        Where nodes keep their files.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.faults = settings.faults
        self.url = ""
        self.background = Background()
        self.folders = Folders(settings.location)
        self._watchdog = Watchdog()

    def open(self, url: str) -> None:
        """Be there, at some address."""
        self.url = url
        self.folders.open()
        root = self.folders.root
        self._watchdog.open(
            (f"AZ_BATCH_ACCOUNT_URL={url}/", f"AZ_BATCH_NODE_ROOT_DIR={root}/"),
            root if self.folders.is_temporary else None,
        )
        self.background.start()

    def close(self) -> None:
        """Wait for what was told to end, and remove the files if nobody else wants them."""
        self.background.stop()
        self.folders.stop()
        self._watchdog.close()
        self.folders.remove()

    def execution(self, work: Work) -> Execution:
        """Work that can be executed here."""
        return Execution(work, self._watchdog)

    def execute(self, work: Work, on_end: Callable[[Outcome, int], None]) -> Execution:
        """Execute work, with its retries, in a thread of its own; called under the lock.

        Parameters
        ----------
        work : Work
            What is to be done.
        on_end : callable
            Called under the lock with the outcome and the number of retries.
        """
        execution = self.execution(work)

        def run() -> None:
            outcome, retries = execution.run()
            with self.background.lock:
                on_end(outcome, retries)

        self.background.spawn(run)
        return execution
