"""A zoo of records: situations in which resilience does not change, and some in which it is lost.

Each is a short generator of a place's chips. What the verdict says of them is counted, for a rule
is as good as its rates where memory is constant and something else happens.
"""

from pyveg.calibration.zoo.judge import Seen, judge
from pyveg.calibration.zoo.record import Record, Simulated
from pyveg.calibration.zoo.situations import LOSING, SITUATIONS, STEADY, zoo_place, zoo_series

__all__ = [
    "LOSING", "SITUATIONS", "STEADY", "Record", "Seen", "Simulated", "judge", "zoo_place",
    "zoo_series",
]  # fmt: skip
