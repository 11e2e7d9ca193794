"""A synthetic run folder for layout and arithmetic of the report: plausible shapes, no model behind them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from twin.measures.tidy import MEASURES_SCHEMA

MINUTE = 60_000_000_000
STEPS = ("start", "identity_documents", "face_check", "risk_test", "video_witness", "bank_link", "registry")
LOST = (0.03, 0.05, 0.04, 0.12, 0.07, 0.03, 0.01)
STATIONS = ("gateway", "authentication", "checks", "core", "exchange_gateway", "report")
CLIENT_EXPERIENCE = {
    "orders_submitted": 6.2e6,
    "order_latency_p50": 24.0,
    "order_latency_p99": 61.0,
    "order_latency_p999": 180.0,
    "order_refused_share": 0.021,
    "order_stuck_count": 0.0,
    "order_stuck_share": 0.0,
    "login_wait_p99": 0.8,
    "logins": 400_000.0,
    "fill_share": 0.62,
    "onboarding_applications": 2200.0,
    "onboarding_time_mean": 25.0,
    "onboarding_abandoned_share": 0.35,
    "service_calls": 1500.0,
    "service_wait_mean": 6.0,
    "service_wait_p90": 21.0,
    "service_abandoned_share": 0.01,
    "service_level_20s": 0.88,
    "complaints": 14.0,
    "churn_expected_month": 82_000.0,
    "churn_hazard_month": 16.5,
}
EFFICIENCY = {
    "peak_orders_per_s": 2500.0,
    "core_queue_max": 40.0,
    "revenue_day": 2.1e7,
    "batch_finish": 20.8,
    "batch_breaks": 130.0,
    "records_cleared": 5.1e6,
}
COMPLIANCE = {
    "unsuitable_blocked": 900.0,
    "unsuitable_passed": 31.0,
    "late_checks": 4.0,
    "next_open_late": 0.0,
    "accounts_late": 12.0,
    "reconciliation_differences": 0.0,
    "cash_out_of_balance": 0.0,
}
STRESS = {
    "order_latency_p50": 1.6,
    "order_latency_p99": 200.0,
    "order_latency_p999": 130.0,
    "orders_submitted": 2.4,
    "peak_orders_per_s": 3.2,
    "core_queue_max": 9000.0,
    "service_wait_mean": 15.0,
    "service_wait_p90": 11.0,
    "service_abandoned_share": 31.0,
    "service_level_20s": 0.4,
    "service_calls": 5.0,
    "batch_finish": 1.28,
    "complaints": 9.0,
    "fill_share": 0.83,
    "login_wait_p99": 40.0,
    "batch_breaks": 2.4,
    "records_cleared": 2.3,
    "revenue_day": 2.1,
    "late_checks": 7.0,
    "onboarding_abandoned_share": 0.97,
}


def write_synthetic_run(
    folder: Path, *, stress: float = 0.0, replications: int = 3, without: tuple[str, ...] = (), **scenario: Any
) -> Path:
    """Write a run folder; `stress` in 0..1 moves an ordinary to an extreme day; names in `without` are left out."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(7)  # the same luck for every folder: paired like common random numbers
    luck = rng.standard_normal((replications, 64))
    name = scenario.pop("name", "extreme-day" if stress else "ordinary-day")
    _write_manifest(folder, name, stress, replications, scenario)
    _write_measures(folder, stress, luck, without)
    _write_timeline(folder, stress, luck, without)
    return folder


def _write_manifest(folder: Path, name: str, stress: float, replications: int, scenario: dict[str, Any]) -> None:
    resolved = {
        "name": name,
        "title": {"en": name.replace("-", " ").capitalize(), "zh": "极端行情日" if stress else "普通交易日"},
        "story": {
            "en": "Synthetic numbers for layout: shapes only, no model behind them. The index falls by 7 %.",
            "zh": "仅供版面使用的合成数据：只有形状，没有模型。指数下跌 7%。",
        },
        "date": "2025-04-07" if stress else "2026-09-15",
        "order_path": {"core": {"capacity": "8000/s"}},
        "service_desk": {"staff": {"agents": 130}},
        "world": {"index": {"close": f"{-7 * stress:+.2f}%"}},
        "clearing": {"target_end": "22:00", "deadline": "08:00"},
        **scenario,
    }
    manifest = {
        "format": 1,
        "scenario": resolved,
        "hash": f"{abs(hash(name)) % 16**8:08x}" * 2,
        "seed": 1,
        "replications": replications,
        "versions": {"broker-twin": "0.1.0", "numpy": "2.4.6", "python": "3.11.7"},
        "machine": {"cores": 2, "system": "Linux"},
        "timings": {"wall_s": 41.5},
        "info": [
            {"market": "300 of 5,100 stocks, background flow at full size", "orders": 6_200_000, "seconds": 13.2}
            for _ in range(replications)
        ],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")


def _write_measures(folder: Path, stress: float, luck: np.ndarray, without: tuple[str, ...]) -> None:
    rows: list[tuple[int, str, str, str, int, float]] = []

    def add(dimension: str, measure: str, segment: str, mean: float, noise: float = 0.02) -> None:
        if measure in without:
            return
        factor = 1 + stress * (STRESS.get(measure, 1.0) - 1)
        for replication in range(len(luck)):
            shake = 1 + noise * luck[replication, len(rows) % 64]
            rows.append((replication, dimension, measure, segment, 15 * 60 * MINUTE, mean * factor * shake))

    for dimension, means in (
        ("client_experience", CLIENT_EXPERIENCE),
        ("operating_efficiency", EFFICIENCY),
        ("compliance", COMPLIANCE),
    ):
        for measure, mean in means.items():
            add(dimension, measure, "", mean)
    entered = 2200.0
    for step, share in zip(STEPS, LOST, strict=True):
        add("client_experience", "onboarding_entered", step, entered)
        lost = 2200 * share * (1 + stress * 0.3)
        add("client_experience", "onboarding_lost", step, lost)
        entered -= lost
    for part, busy in zip(
        (*STATIONS, "service_desk", "video_witness"), (0.2, 0.1, 0.3, 0.45, 0.4, 0.25, 0.8, 0.7), strict=True
    ):
        add("operating_efficiency", "utilisation", part, min(1.0, busy * (1 + stress)), 0.004)
    for part, cost in (("", 4.6e6 + 4e5 * stress), ("staff", 3.2e6 + 4e5 * stress), ("technology", 1.4e6)):
        add("operating_efficiency", "cost_day", part, cost)
    for part, hours in (("service_desk", 780.0), ("onboarding", 420.0)):
        add("operating_efficiency", "staff_hours", part, hours)
    columns = [pa.array(c) for c in zip(*rows, strict=True)]
    plain = pa.table(columns, names=MEASURES_SCHEMA.names)
    pq.write_table(plain.cast(MEASURES_SCHEMA), folder / "measures.parquet")


def _shape(minutes: np.ndarray) -> np.ndarray:
    """An A-share day: busy at the open, quiet at lunch, busy again at the close."""
    open_burst = 3.0 * np.exp(-np.clip(minutes - 570, 0, None) / 15) + 1.1 * np.exp(
        -np.clip(900 - minutes, 0, None) / 20
    )
    trading = ((minutes >= 555) & (minutes < 690)) | ((minutes >= 780) & (minutes < 900))
    return np.where(trading, 0.6 + open_burst * (minutes >= 570), 0.0)


def _write_timeline(folder: Path, stress: float, luck: np.ndarray, without: tuple[str, ...]) -> None:
    tables = []
    minutes = np.arange(540, 906)
    night = np.arange(900, 33 * 60)
    wide = np.arange(510, 1080)
    shape = _shape(minutes)
    for replication, draw in enumerate(luck):
        wobble = 1 + 0.05 * np.sin(minutes / 9 + 3 * draw[0])
        load = 900 * shape * wobble * (1 + 1.4 * stress)
        queue = np.convolve(np.clip(load - 2600, 0, None), np.exp(-np.arange(60) / 18.0))[: len(minutes)] * 6
        lines = {
            ("orders_per_s", ""): (minutes, load),
            ("logins_per_s", ""): (minutes, 0.08 * load + 200 * np.exp(-(((minutes - 555) / 12) ** 2))),
            ("order_latency_ms", "p50"): (minutes, 22 + queue * 0.1 + 3 * shape),
            ("order_latency_ms", "p99"): (minutes, 45 + queue * 1.2 + 9 * shape),
            ("order_latency_ms", "p999"): (minutes, 90 + queue * 2.9 + 30 * shape),
            ("index", "traded"): (
                minutes,
                1 - 0.07 * stress * (1 - np.exp(-(minutes - 540) / 60)) + 0.002 * np.sin(minutes / 17 + draw[1]),
            ),
            ("index", "news"): (minutes, 1 - 0.06 * stress * (minutes > 570) + 0.001 * np.sin(minutes / 29)),
            ("depth", "best5"): (minutes, 9e4 * (1 - 0.5 * stress) * (1 - 0.4 * shape / 4) * wobble),
            ("spread_ticks", ""): (minutes, 1.3 + stress * 1.5 * shape),
            ("calls_waiting", ""): (
                wide,
                np.clip(_shape(wide) - 1 + 2 * stress, 0, None) * 40 * stress * (1 + 0.1 * draw[2]),
            ),
            ("applicants_waiting", "video_witness"): (wide, 8 + 5 * np.sin((wide - 510) / 180)),
            ("applicants_waiting", "registry"): (wide, 3 + np.sin((wide - 510) / 90)),
            ("working_orders", ""): (minutes, np.cumsum(shape) * 800),
            ("batch_queue", "records"): (
                night,
                np.clip(5.1e6 * (1 + 1.3 * stress) - np.clip(night - 990, 0, None) * 18_000, 0, None),
            ),
            ("batch_queue", "breaks"): (
                night,
                np.clip(130 * (1 + stress) - np.clip(night - 1000, 0, None) * 0.5, 0, None),
            ),
        }
        for place, station in enumerate(STATIONS):
            lines["queue_length", station] = (
                minutes,
                queue * (1.0 if station == "core" else 0.002 * place) + 0.2 * shape,
            )
        for place, segment in enumerate(("gen_z", "hnw", "retail")):
            lines["attention", segment] = (
                minutes,
                1 + stress * (2 - 0.5 * place) * np.clip((minutes - 560) / 60, 0, 1),
            )
        for (series, key), (time, values) in lines.items():
            if series in without:
                continue
            tables.append(
                pa.table(
                    {
                        "replication": pa.array(np.full(len(time), replication), pa.int32()),
                        "series": [series] * len(time),
                        "key": [key] * len(time),
                        "time_ns": pa.array(time * MINUTE, pa.int64()),
                        "value": pa.array(values.astype(float), pa.float64()),
                    }
                )
            )
    pq.write_table(pa.concat_tables(tables), folder / "timeline.parquet")
