"""What the faults have in store for one run of a task."""

from __future__ import annotations

from dataclasses import dataclass

from azure_batch_emulator.dice import chance, hits
from azure_batch_emulator.faults import Faults


@dataclass(frozen=True)
class Fate:
    """What will happen to a run, whenever and wherever it is.

    Parameters
    ----------
    faults : Faults
        How often things go wrong.
    mark : tuple
        Key of the job, key of the task, and which of its runs it is.
    """

    faults: Faults
    mark: tuple[str, str, int]

    def dies(self, tried: int) -> bool:
        """Whether the command fails after so many tries."""
        return hits(self.faults.fail_rate, self.faults.seed, "fail", *self.mark, tried)

    @property
    def loses_node(self) -> bool:
        """Whether the node is taken away, if it is a low-priority one."""
        return hits(self.faults.preempt_rate, self.faults.seed, "preempt", *self.mark)

    @property
    def moment(self) -> float:
        """Seconds after its start when the node is taken away."""
        share = chance(self.faults.seed, "moment", *self.mark)
        return self.faults.preempt_within_seconds * share
