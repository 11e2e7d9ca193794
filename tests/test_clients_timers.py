"""Timers of orders: who gives up when, who looks when, against a plain account of the same rules."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.kernels import timers as kernel
from agents.kernels.clients import normal_pair
from twin.clock import MINUTE, SECOND, TICK, at
from twin.kernels import philox
from twin.randomness import Stream, Streams
from twin.routing.config import ACCEPTANCE
from twin.routing.orders import OrderState, OrderTable

STREAMS = Streams(7, 1)
START, SLOTS = at("09:30"), 2400
MU, SIGMA, PATIENCE, BACKOFF = math.log(2 * MINUTE), 1.0, 10 * SECOND, 3.0
WILLING = 0.5


class Orders:
    """A few orders of one client each, sent in the first minute, with their timers set."""

    def __init__(self, n, open_from=START):
        self.n = n
        self.sent = np.zeros((n, 8), np.int64)
        self.sent[:, 0] = START + np.arange(n) * (MINUTE // n)
        self.sent[:, 1] = np.arange(n)
        self.sent[:, 7] = np.arange(n) % 5
        table = OrderTable(n)
        table.new_rows(n)
        self.rows = table.rows
        self.rows[:] = np.zeros((), self.rows.dtype)
        self.rows["account"], self.rows["submitted"] = np.arange(n), self.sent[:, 0]
        self.cancel = np.full(SLOTS, -1, np.int32), np.empty(n, np.int32), np.empty(n, np.uint32)
        self.check = np.full(SLOTS, -1, np.int32), np.empty(n, np.int32), np.empty(n, np.uint32)
        self.checks = np.zeros(n, np.uint8)
        self.flags = np.zeros(n, np.uint8)
        kernel.start_timers(
            STREAMS.key, STREAMS.replication, int(Stream.PATIENCE), 0, self.sent, open_from, WILLING, MU, SIGMA,
            PATIENCE, START, TICK, *self.cancel, *self.check, self.checks,
        )  # fmt: skip

    def luck(self, row):
        words = philox.block(STREAMS.key, 1, int(Stream.PATIENCE), self.sent[row, 1], self.sent[row, 7])
        return philox.unit32(words[0]), *normal_pair(words[1], words[2])

    def cancels(self, capacity=64):
        out, found = np.empty((capacity, 3), np.int64), []
        for slot in range(SLOTS):
            n = capacity
            while n == capacity:
                n = kernel.due_cancels(
                    slot,
                    START,
                    TICK,
                    *self.cancel,
                    self.rows["state"],
                    int(OrderState.FILLED),
                    self.rows["account"],
                    out,
                )
                found += [tuple(map(int, row)) for row in out[:n]]
        return found

    def looks(self, looks=1.0, retries=1.0, call_share=1.0, capacity=64):
        queries, calls = np.empty((capacity, 2), np.int64), np.empty((capacity, 2), np.int64)
        active, counts, due = (
            np.arange(1, self.n + 1, dtype=np.int32),
            np.zeros(1, np.int64),
            np.empty(capacity, np.int64),
        )
        asked, called = [], []
        for slot in range(SLOTS):
            done = False
            while not done:
                n, m, done = kernel.due_checks(
                    STREAMS.key, STREAMS.replication, int(Stream.RETRY), slot, START, TICK, *self.check,
                    self.rows["state"], int(OrderState.FILLED), self.rows["acknowledged"], self.rows["done"],
                    self.rows["submitted"], np.array(ACCEPTANCE, np.int64), self.rows["account"], self.checks, active,
                    self.flags, looks, retries, PATIENCE, BACKOFF, 30 * SECOND, call_share, due, queries, calls, counts,
                )  # fmt: skip
                asked += [tuple(map(int, row)) for row in queries[:n]]
                called += [tuple(map(int, row)) for row in calls[:m]]
        return asked, called, int(counts[0])

    def expected_looks(self, row, most=7):
        _, _, z = self.luck(row)
        t = int(self.sent[row, 0]) + int(PATIENCE * math.exp(0.5 * z))
        times = []
        for j in range(most):
            if t >= START + SLOTS * TICK:
                break
            times.append(t)
            slot_end = START + ((t - START) // TICK + 1) * TICK
            t = max(t + int(PATIENCE * BACKOFF ** (j + 1)), slot_end)
        return times


@pytest.mark.parametrize("capacity", [3, 64])
def test_senders_give_up_when_their_patience_ends(capacity):
    orders = Orders(200)
    expected = []
    for row in range(200):
        u, z, _ = orders.luck(row)
        due = int(orders.sent[row, 0]) + int(math.exp(MU + SIGMA * z))
        if u < WILLING and due < START + SLOTS * TICK:
            expected.append((due, row, row))
    assert len(expected) > 50
    assert sorted(orders.cancels(capacity)) == sorted(expected)


def test_nobody_cancels_what_has_ended():
    orders = Orders(100)
    orders.rows["state"] = OrderState.FILLED
    assert orders.cancels() == []


@pytest.mark.parametrize("capacity", [2, 64])
def test_unanswered_orders_are_asked_for_again_and_again_with_growing_waits(capacity):
    orders = Orders(40)
    asked, called, stuck = orders.looks(capacity=capacity)
    assert sorted(asked) == sorted((t, row) for row in range(40) for t in orders.expected_looks(row))
    assert stuck == 40
    assert sorted(account for _, account in called) == list(range(40))
    for t, account in called:
        assert t - orders.sent[account, 0] > 30 * SECOND


def test_an_answered_order_makes_nobody_call_and_an_ended_one_is_looked_at_once():
    orders = Orders(40)
    orders.rows["acknowledged"] = orders.sent[:, 0] + SECOND
    orders.rows["state"] = OrderState.FILLED
    asked, called, stuck = orders.looks()
    assert sorted(asked) == sorted((orders.expected_looks(row)[0], row) for row in range(40))
    assert (called, stuck) == ([], 0)


def test_an_order_sent_before_the_open_is_not_late_before_the_open():
    windows = np.array(ACCEPTANCE, np.int64)
    assert kernel.ready_at(at("08:50"), windows) == at("09:15")
    assert kernel.ready_at(at("09:27"), windows) == at("09:30")
    assert kernel.ready_at(at("12:00"), windows) == at("13:00")
    assert kernel.ready_at(at("10:00"), windows) == at("10:00")
