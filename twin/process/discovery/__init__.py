"""Discovery: a process that can be simulated, fitted to an event log.

process = discover(log)                                   # EventLog -> DiscoveredProcess
process.save("process.yaml"); load_process("process.yaml")
simulate(process, start=t, cases=500, streams=Streams(1)) # -> EventLog
simulate_columns(...)                                     # the same as columns, for ensembles
state = state_of(columns_of(log), t, activities=process.activities, resources=process.resources)
simulate_columns(process, start=t, end=t + month, state=state, streams=Streams(1, replication))
"""

from twin.process.discovery.attributes import rows_like
from twin.process.discovery.columns import LogColumns, columns_of
from twin.process.discovery.discover import Options, discover
from twin.process.discovery.model import DiscoveredProcess, load_process
from twin.process.discovery.simulate import as_log, routes_of, simulate, simulate_columns, simulate_like
from twin.process.discovery.simulated import Simulated
from twin.process.discovery.state import WorkState, state_of
from twin.process.discovery.typical import TYPICAL_OF, simulate_typical

__all__ = [
    "TYPICAL_OF",
    "DiscoveredProcess",
    "LogColumns",
    "Options",
    "Simulated",
    "WorkState",
    "as_log",
    "columns_of",
    "discover",
    "load_process",
    "routes_of",
    "rows_like",
    "simulate",
    "simulate_columns",
    "simulate_like",
    "simulate_typical",
    "state_of",
]
