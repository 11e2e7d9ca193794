"""The flows that other books are measured on, and how a peer that cannot be measured is reported."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.__main__ import PARTS, cells, main
from benchmarks.flows import SHAPES, random_flow, recorded_flow
from benchmarks.measure import missing, row
from benchmarks.one_book import drive
from benchmarks.peers import drivers
from benchmarks.peers.environment import Environment, pins
from twin.contracts import MessageKind, TapeKind


@pytest.mark.parametrize("shape", list(SHAPES))
def test_flow_names_only_resting_orders(shape):
    resting, spread = SHAPES[shape]
    messages = random_flow(60_000, target=resting, spread=spread)
    result = drive(messages, keep=True)
    assert not (result.tape.kind == TapeKind.REJECTED).any()
    assert 0.25 < (messages.kind == MessageKind.CANCEL).mean() < 0.4
    assert result.traded > 0
    assert result.resting == pytest.approx(resting, rel=0.5)


@pytest.mark.data
def test_flow_of_a_recorded_day_is_taken_whole(shared_data):
    messages = recorded_flow(shared_data / "market" / "sse_l2_605580_20230711")
    result = drive(messages, keep=True)
    assert not (result.tape.kind == TapeKind.REJECTED).any()
    assert (result.tape.kind == TapeKind.TRADE).sum() > 10_000
    assert set(np.unique(messages.kind)) == {MessageKind.NEW_LIMIT, MessageKind.CANCEL}


def test_every_peer_is_pinned_and_has_a_driver():
    names = {peer.name for peer in peers.PEERS}
    assert names == set(drivers.DRIVERS)
    assert names < set(pins())
    assert all("==" in requirement for requirement in pins().values())


def test_peer_whose_python_is_absent_is_reported():
    environment = Environment("3.99")
    environment.prepare(["limit-order-book"])
    with pytest.raises(peers._PeerError, match=r"needs Python 3\.99"):
        peers._measure(peers.PEERS[0], random_flow(100, target=10, spread=5), Path(), environment)


def test_peer_that_fails_is_reported(tmp_path):
    environment = Environment("3.11", python=Path(sys.executable))
    peer = peers.Peer("no-such-book", "3.11", "none")
    with pytest.raises(peers._PeerError, match="fails: KeyError: 'no-such-book'"):
        peers._measure(peer, random_flow(100, target=10, spread=5), tmp_path, environment)


def test_peer_that_trades_something_else_is_reported(tmp_path):
    messages = random_flow(1_000, target=50, spread=20)
    wrong = tmp_path / "python"
    wrong.write_text('#!/bin/sh\necho \'{"seconds": [1.0], "traded": 1, "version": "1"}\'\n')
    wrong.chmod(0o755)
    with pytest.raises(peers._PeerError, match="trades 1 shares where"):
        peers._measure(peers.PEERS[0], messages, tmp_path, Environment("3.11", python=wrong))


def test_rows_say_what_was_and_what_was_not_measured():
    assert cells(row("a", 1_000, [2.0, 1.0, 4.0], 1_000.0, "note")) == [
        *("a", "1,000", "2.000", "1.000", "500", "2", "note")
    ]
    assert cells(missing("b", "why")) == ["b", "", "", "", "", "", "why"]


def test_unknown_part_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["nothing"])
    said = " ".join(capsys.readouterr().out.split())
    assert all(part in said for part in PARTS)
