"""An emulator of Azure Batch on this machine, for tests.

It speaks the REST interface of the service to the real client, runs tasks as real processes, and
plays the faults that are asked for. It needs nothing but the standard library. What it does not
do, it refuses with the error ``NotImplemented`` (501).
"""

from azure_batch_emulator.emulator import Emulator
from azure_batch_emulator.faults import Faults
from azure_batch_emulator.settings import Settings
from azure_batch_emulator.web.request_log import LoggedRequest, RequestLog

__all__ = ["Emulator", "Faults", "LoggedRequest", "RequestLog", "Settings"]
