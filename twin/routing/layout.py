"""Which stations the order path has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.kernels import order_codes as codes
from twin.routing.config import OrderPathConfig, StationConfig
from twin.routing.stations import Pacer, Pipe, Station

_SERVED = ("authentication", "suitability", "checks", "core", "report")
_LINES = ("overdue", "direct", "wire_sse", "wire_szse", "wire_bse", "wire_north", "timely", "checked")


def send_windows(config: OrderPathConfig) -> tuple[tuple[int, int], ...]:
    """When the exchange gateways send: what leaves them must arrive before the exchange closes."""
    return tuple((start, end - config.exchange_latency_ns) for start, end in config.acceptance)


def build_stations(
    config: OrderPathConfig, numbers: NDArray[np.int64]
) -> tuple[tuple[Pipe, ...], dict[str, StationConfig]]:
    """The stations in the order of `twin.kernels.order_codes`, and the configurations of those that serve.

    Args:
        config: of the order path.
        numbers: rows for the stations' numbers.
    """
    configs: dict[str, StationConfig] = {name: getattr(config, name) for name in _SERVED}

    def station(k: int, name: str) -> Station:
        return Station(name, configs[name].servers(configs[name].capacity), numbers[k])

    def exchange(k: int, name: str) -> Pacer:
        return Pacer(name, config.exchange_rate, config.exchange_slot_ns, send_windows(config), numbers[k])

    return (
        Pipe("network", numbers[codes.NETWORK]),
        Pacer("gateway", config.gateway_rate, config.gateway_slot_ns, numbers=numbers[codes.GATEWAY]),
        station(codes.AUTHENTICATION, "authentication"),
        station(codes.SUITABILITY, "suitability"),
        station(codes.CHECKS, "checks"),
        station(codes.CORE, "core"),
        exchange(codes.SSE, "sse"),
        exchange(codes.SZSE, "szse"),
        exchange(codes.BSE, "bse"),
        station(codes.REPORT, "report"),
        Pipe("network_back", numbers[codes.BACK], codes.N_REPLY),
        *(Pipe(name, numbers[codes.OVERDUE + k]) for k, name in enumerate(_LINES)),
    ), configs
