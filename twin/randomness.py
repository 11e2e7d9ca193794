"""Counter-based random streams: every draw is a pure function of (seed, replication, stream, entity, counter).

From NumPy code, `Streams` draws whole columns; compiled kernels call `twin.kernels.philox` with `Streams.seed`,
`Streams.replication` and a `Stream` number. Both give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from twin.errors import ScenarioError
from twin.kernels import philox

_MAX_REPLICATION = 1 << 16


class Stream(IntEnum):
    """One number per purpose; never renumber (results would change), only append."""

    POPULATION = 1
    LOGIN = 2
    ACTION = 3
    DECISION = 4
    PATIENCE = 5
    HOLDINGS = 6
    SUITABILITY = 7
    RETRY = 8
    BACKGROUND_ARRIVAL = 20
    BACKGROUND_ORDER = 21
    NEWS_INDEX = 22
    NEWS_INSTRUMENT = 23
    INSTITUTION = 24
    INSTRUMENT = 25
    BACKGROUND_RUN = 26
    GATEWAY = 40
    AUTHENTICATION = 41
    CHECK = 42
    CORE = 43
    EXCHANGE = 44
    REPORT = 45
    NETWORK_DELAY = 46
    PROCESS_ARRIVAL = 60
    PROCESS_SERVICE = 61
    PROCESS_ROUTE = 62
    PROCESS_PATIENCE = 63
    CALL = 64
    PROCESS_ATTRIBUTE = 65
    WORK_ARRIVAL = 66
    WORK_ROUTE = 67
    WORK_TIME = 68
    WORK_CASE = 69
    WORK_PICK = 74
    PROCESS_COUNT = 70
    PROCESS_RETRY = 71
    PROCESS_ALLOCATION = 72
    PROCESS_DEADLINE = 73
    CLEARING_BREAK = 80
    CLEARING_REPAIR = 81
    BOOTSTRAP = 100
    FORECAST_LEVEL = 110
    FORECAST_ARRIVAL = 111
    FORECAST_STATE = 112
    FORECAST_RANK = 113
    PROCESS_EVENT = 1024
    """The first of 1,024: one per timer or message of a node."""
    PROCESS_SPLIT = 2048
    """The first of 2,048: one per branch of an inclusive split."""
    PROCESS_INSTANCE = 4096
    """The first of 4,096: one per instance of a repeated task; the first instance draws from PROCESS_SERVICE."""
    TEST = 65535


@dataclass(frozen=True)
class Streams:
    """The random numbers of one replication.

    Args:
        seed: 0 to 2**64 - 1.
        replication: 0 to 65,535.
    """

    seed: int
    replication: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 1 << 64:
            raise ScenarioError(f"seed {self.seed} is out of range", hint="Give an integer from 0 to 2**64 - 1.")
        if not 0 <= self.replication < _MAX_REPLICATION:
            raise ScenarioError(f"replication {self.replication} is out of range", hint="Give 0 to 65535.")

    @property
    def key(self) -> np.uint64:
        """The seed as the unsigned integer that kernels expect."""
        return np.uint64(self.seed)

    def uniform(self, stream: Stream, entities: ArrayLike, counter: int = 0) -> NDArray[np.float64]:
        """Uniform doubles in (0, 1), one per entity (any shape of non-negative integers)."""
        ids = np.asarray(entities, dtype=np.int64)
        out = np.empty(ids.size)
        philox.fill_uniform(self.key, self.replication, int(stream), ids.ravel(), counter, out)
        return out.reshape(ids.shape)

    def exponential(self, stream: Stream, entities: ArrayLike, counter: int = 0) -> NDArray[np.float64]:
        """Exponential doubles of mean 1, one per entity, by inversion."""
        return np.asarray(-np.log(self.uniform(stream, entities, counter)))

    def normal(self, stream: Stream, entities: ArrayLike, counter: int = 0) -> NDArray[np.float64]:
        """Standard normal doubles, one per entity, by inversion."""
        return np.asarray(ndtri(self.uniform(stream, entities, counter)))
