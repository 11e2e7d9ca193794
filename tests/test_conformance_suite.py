"""The engine against a public conformance suite: outcomes, reasons, trades and full queues after each event."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import benchmarks.conformance as ours
from twin.contracts import MessageKind
from twin.errors import DataError

ROOT = Path(__file__).resolve().parents[1]
if importlib.util.find_spec("tracebook") is None:
    if os.environ.get("CI") == "true":
        pytest.fail("tracebook-conformance is not installed (extra `test`)", pytrace=False)
    pytest.skip("tracebook-conformance is not installed (extra `test`)", allow_module_level=True)

from tracebook.conformance import qualification  # noqa: E402
from tracebook.conformance.model import BookState, EngineMetadata, Observation  # noqa: E402

PROFILES = ("fifo-limit-v1", "fifo-full-v1", "fifo-partial-fill-v1")


class InProcess:
    """The same adapter that serves the suite over pipes, without a process for each trace."""

    def __init__(self, config):
        self.metadata = EngineMetadata("broker-twin", "test", "Python")
        self.adapter = ours.Adapter(config.to_dict())

    def apply(self, event, index):
        return Observation.from_dict(self.adapter.observe(event.to_dict(), index))

    def snapshot(self):
        return BookState.from_dict(self.adapter.state())

    def close(self):
        self.adapter.engine.check()


def qualify(profile: str, *, seed: int = 42, traces: int = 8, events: int = 200):
    return qualification.run_qualification(
        InProcess, profile, seed=seed, traces=traces, events_per_trace=events, max_minimize_runs=1
    )


@pytest.mark.parametrize("profile", [PROFILES[0], *(pytest.param(p, marks=pytest.mark.slow) for p in PROFILES[1:])])
def test_suite_profile_qualifies(profile):
    result = qualify(profile)
    assert result.qualified, result.to_dict()["checks"]


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_suite_profile_qualifies_at_another_seed(profile):
    result = qualify(profile, seed=1337, traces=10, events=300)
    assert result.qualified, result.to_dict()["checks"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("IOC", MessageKind.NEW_LIMIT), ("FOK", MessageKind.NEW_IOC), ("MARKET", MessageKind.NEW_COUNTER_BEST)],
)
def test_suite_finds_a_wrong_kind_of_order(monkeypatch, name, kind):
    monkeypatch.setitem(ours._NEW, name, kind)
    assert not qualify("fifo-full-v1").qualified


@pytest.mark.parametrize(
    ("right", "wrong"), [(MessageKind.REPLACE, MessageKind.AMEND), (MessageKind.REDUCE, MessageKind.REPLACE)]
)
def test_suite_finds_a_wrong_priority(monkeypatch, right, wrong):
    send = ours.Adapter.send
    monkeypatch.setattr(
        ours.Adapter, "send", lambda self, time, kind, *rest: send(self, time, wrong if kind == right else kind, *rest)
    )
    assert not qualify("fifo-limit-v1", traces=4).qualified


@pytest.mark.parametrize("change", [{"matching_algorithm": "pro_rata"}, {"self_trade_policy": "CANCEL_RESTING"}])
def test_suite_adapter_refuses_what_is_not_modelled(change):
    with pytest.raises(DataError, match="engine models"):
        ours.Adapter({"matching_algorithm": "fifo", "self_trade_policy": "NONE", "tick_size": "0.01"} | change)


@pytest.mark.parametrize(
    "messages",
    [
        [{"type": "event", "index": 1}],
        [{"type": "hello", "config": {}}, {"type": "event", "index": 2, "event": {}}],
        [{"type": "hello", "config": {}}, {"type": "finish", "event_count": 3}],
    ],
)
def test_suite_protocol_violation_is_an_error(messages):
    with pytest.raises(DataError):
        list(ours.answers(json.dumps(message) for message in messages))


def command_line(tmp_path: Path, profile: str, traces: int, events: int) -> None:
    candidate = f"{sys.executable} -m benchmarks.conformance"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tracebook.conformance.cli", "qualify", "--profile", profile),
            *("--seed", "42", "--traces", str(traces), "--events-per-trace", str(events), "--timeout", "120"),
            *("--output-dir", str(tmp_path / "out"), "--candidate-cmd", candidate),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Qualification: PASS" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES[:2])
def test_suite_command_line_qualifies(tmp_path, profile):
    command_line(tmp_path, profile, 2, 400)  # a process for each trace; what they may hold is tested within one
