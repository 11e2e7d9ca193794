"""A plain Python order flow: objects, heapq and one message at a time to the engine; the same draws as the kernel."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

import numpy as np

from agents.background import BACKGROUND_BASE, BackgroundParameters, Profile, patience_time
from twin.clock import Phase, at
from twin.contracts import Messages, TapeKind
from twin.kernels import philox
from twin.matching.engine import MatchingEngine

EACH = 10_000


@dataclass
class Instrument:
    """Where the flow of one instrument stands."""

    fast: float
    slow: float
    gap: float = 0.0
    due: float = 0.0
    opinion: float = 0.0
    taken: int = 0
    imbalance: float = 0.0
    orders: int = 0
    runs: int = 0
    run_left: int = 0
    run_sign: int = 0
    waiting: list[tuple[int, int]] = field(default_factory=list)


class Reference:
    """Handles are BACKGROUND_BASE + instrument x EACH + order number."""

    def __init__(self, p: BackgroundParameters, instruments, weight, seed: int, sizes, cages) -> None:
        self.p, self.ins, self.weight, self.seed = p, instruments, weight, np.uint64(seed)
        self.sizes, self.cages = sizes, cages
        self.engine = MatchingEngine(instruments)
        self.profile = Profile(p.profile)
        self.one: list[Instrument] = []
        for i in range(len(weight)):
            state = Instrument(p.branching * p.fast_share, p.branching * (1 - p.fast_share))
            a, b, c, _ = self.block(20, i, 0)
            state.gap = state.due = self.gap(a, b, c, state)
            self.one.append(state)
        self.last_patience = patience_time(at("15:00"))
        self.sent: list[tuple[int, ...]] = []
        self.tape: list[tuple[int, ...]] = []

    def block(self, stream: int, entity: int, counter: int):
        return philox.block(self.seed, 0, stream, entity, counter)

    @staticmethod
    def u(word) -> float:
        return (float(word) + 0.5) / 2**32

    def gap(self, a, b, c, s: Instrument) -> float:
        p = self.p
        gaps = [-math.log(self.u(a)) / (1 - p.branching)]
        for word, level, decay in ((b, s.fast, p.fast_decay), (c, s.slow, p.slow_decay)):
            reach = -math.log(self.u(word)) * decay
            if reach < level:
                gaps.append(-math.log1p(-reach / level) / decay)
        return min(gaps)

    def handle(self, t: int, kind: int, i: int, side: int, price: int, quantity: int, order: int) -> None:
        row = (t, kind, i, side, price, quantity, order)
        self.sent.append(row)
        tape = self.engine.process(Messages(*[np.array([x], np.int64) for x in row]))
        rows = list(zip(*(c.tolist() for c in vars(tape).values()), strict=True))
        self.tape += rows
        if order < BACKGROUND_BASE:
            self.one[i].taken += sum(x[3] * x[5] for x in rows if x[1] == TapeKind.TRADE)

    def step(self, t0: int, t1: int, phase: Phase, value, others) -> None:
        rate = self.profile.between(t0, t1) * self.p.orders_per_day / (t1 - t0)
        for i, s in enumerate(self.one):
            mine = [o for o in others if o[2] == i]
            r, since = rate * self.weight[i], float(t0)
            p0, p1 = patience_time(t0), patience_time(t1)
            while True:
                end = 1 << 62
                arrival = since + s.due / r if r > 0 else end
                arrival = int(arrival) if arrival < t1 else end
                while s.waiting and self.engine.handles[s.waiting[0][1]] == 0:
                    heapq.heappop(s.waiting)
                cancel = end
                if p1 > p0 and s.waiting and s.waiting[0][0] < p1:
                    cancel = t0 + max(s.waiting[0][0] - p0, 0)
                other = mine[0][0] if mine else end
                first = min(arrival, cancel, other)
                if first == end:
                    break
                if other == first:
                    self.handle(*mine.pop(0))
                elif arrival == first:
                    since += s.due / r
                    self.arrive(i, s, arrival, phase, float(value[i]), p0 + (arrival - t0 if p1 > p0 else 0))
                else:
                    _, order = heapq.heappop(s.waiting)
                    self.handle(cancel, 2, i, 0, 0, 0, order)
            s.due = max(s.due - (t1 - since) * r, 0.0)

    def arrive(self, i: int, s: Instrument, t: int, phase: Phase, fair: float, clock: int) -> None:
        p, k = self.p, s.orders
        a, b, c, spare = self.block(20, i, k + 1)
        w0, w1, x0, x1 = self.block(21, i, k)
        side, price, factor, depth = self.place(i, s, phase, fair, self.u(w0), self.u(w1))
        price = min(max(price, int(self.ins.limit_down[i])), int(self.ins.limit_up[i]))
        radius, angle = math.sqrt(-2 * math.log(self.u(x0))), 2 * math.pi * self.u(x1)
        u_round, u_willing = ((int(spare) >> 16) + 0.5) / 65536, ((int(spare) & 0xFFFF) + 0.5) / 65536
        quantity = self.size(radius * math.cos(angle), u_round, factor, fair, *(int(x) for x in self.sizes[:3, i]))
        if depth:
            quantity = min(quantity, max(depth // int(self.sizes[0, i]) * int(self.sizes[0, i]), int(self.sizes[1, i])))
        s.fast = s.fast * math.exp(-p.fast_decay * s.gap) + p.branching * p.fast_share * p.fast_decay
        s.slow = s.slow * math.exp(-p.slow_decay * s.gap) + p.branching * (1 - p.fast_share) * p.slow_decay
        s.opinion *= math.exp(-p.signal_decay * s.gap)
        s.gap = s.due = self.gap(a, b, c, s)
        s.orders += 1
        order = BACKGROUND_BASE + i * EACH + k
        if u_willing < p.willing_share:
            wait = math.exp(p.log_patience + p.log_patience_sd * radius * math.sin(angle)) * 1e9
            due = clock + int(min(wait, 1e15)) + 1
            if due < self.last_patience:
                heapq.heappush(s.waiting, (due, order))
        self.handle(t, 0, i, side, price, quantity, order)

    def place(self, i: int, s: Instrument, phase: Phase, fair: float, u_side: float, u: float):
        p, down, up = self.p, int(self.ins.limit_down[i]), int(self.ins.limit_up[i])
        bids, bid_depth, asks, ask_depth = (x.tolist() for x in self.engine.depth(i, 1))
        bid, ask = bids[0], asks[0]
        unit = 1 + p.unit_slope * fair
        heard = self.heard(i, s)
        centre = min(max(fair + heard * unit, float(down)), float(up)) if heard else fair
        if phase != Phase.CONTINUOUS or not (bid or ask):
            call = p.close_call if phase == Phase.CLOSE_CALL else p.open_call
            side = 1 if u_side < 0.5 else -1
            point = u * (len(call) - 1)
            low = min(int(point), len(call) - 2)
            x = call[low] + (point - low) * (call[low + 1] - call[low])
            return side, math.floor(centre * (1 - side * x) + 0.5), 1.0, 0
        if bid and ask:
            kind, mid = 0 if ask - bid <= 1 else 1 if ask - bid <= p.wide * unit else 2, 0.5 * (bid + ask)
        else:
            kind, mid = 0, float(bid + ask)
        marketable, inside, best, _ = p.placement[kind]
        sign = self.sign(i, s) if u < marketable else 0
        worth = min(max(fair + (s.opinion + heard) * unit, float(down)), float(up))
        gap = min(max((worth - mid) / unit, -50.0), 50.0)
        gap = max(gap, 2.0) if worth >= up else min(gap, -2.0) if worth <= down else gap
        if u < marketable:
            lean = p.tilt * gap + 2 * math.atanh(p.follow) * sign
            side = 1 if u_side < 1 / (1 + math.exp(-lean)) else -1
            opposite = ask if side > 0 else bid
            if not opposite:
                return side, bid if side > 0 else ask, 1.0, 0
            return self.marketable(
                i, u / marketable, side, opposite, gap, unit, worth, ask_depth if side > 0 else bid_depth
            )
        u = (u - marketable) / (1 - marketable)
        side = 1 if u_side < 1 / (1 + math.exp(-p.tilt_passive * gap)) else -1
        own = bid if side > 0 else ask
        if not own:
            own = (ask if side > 0 else bid) - side * max(1, int(unit + 0.5))
        inside, best = inside / (1 - marketable), best / (1 - marketable)
        if u < inside:
            return side, own + side * (1 + int((u / inside) ** p.inside_power * max(ask - bid - 1, 0))), 1.0, 0
        if u < inside + best:
            return side, own, 1.0, 0
        u = min((u - inside - best) / (1 - inside - best), 1.0)
        room = (own - down if side > 0 else up - own) - 1
        x = self.lomax(u, p.behind_scale, p.behind_exponent, room / unit)
        return side, own - side * (1 + int(x * unit)), 1.0, 0

    def marketable(self, i, u, side, opposite, gap, unit, worth, depth):
        p, factor, price = self.p, 1.0, float(opposite)
        down, up = int(self.ins.limit_down[i]), int(self.ins.limit_up[i])
        if gap * side > p.informed_from:
            factor = 1 + p.informed_slope * (gap * side - p.informed_from)
            price = math.floor(worth) if side > 0 else math.ceil(worth)
        elif u < p.through_share:
            room = (up - opposite if side > 0 else opposite - down) / unit
            x = self.lomax(u / p.through_share, p.through_scale, p.through_exponent, room)
            price += side * (1 + math.floor(x * unit))
        if self.cages[0, i]:
            cage = max(opposite * int(self.cages[0, i]) // 1_000_000, int(self.cages[1, i]))
            price = min(price, opposite + cage) if side > 0 else max(price, opposite - cage)
        cut = factor == 1.0 and u > 1 - p.selective
        return side, int(min(max(price, down), up)), factor, depth[0] if cut else 0

    def sign(self, i: int, s: Instrument) -> int:
        if s.run_left <= 0:
            a, b, _, _ = self.block(26, i, s.runs)
            s.run_left = int(min(self.u(a) ** (-1 / self.p.run_exponent), 100_000.0))
            s.run_sign = 1 if int(b) & 1 else -1
            s.runs += 1
            s.opinion = min(max(s.opinion + self.p.signal * s.run_sign * math.sqrt(s.run_left), -40.0), 40.0)
        s.run_left -= 1
        return s.run_sign

    def heard(self, i: int, s: Instrument) -> float:
        if not (s.taken or s.imbalance):
            return 0.0
        _, _, _, telling, usual, per_day = (int(x) for x in self.sizes[:, i])
        s.imbalance = s.imbalance * math.exp(-s.gap / per_day) + s.taken / usual
        s.taken = 0
        return telling * self.p.heed * self.p.signal * s.imbalance / math.sqrt(1 + abs(s.imbalance))

    @staticmethod
    def lomax(u: float, scale: float, exponent: float, most: float) -> float:
        if most <= 0:
            return 0.0
        return scale * ((1 - u * (1 - (1 + most / scale) ** -exponent)) ** (-1 / exponent) - 1)

    def size(self, z: float, u: float, factor: float, price: float, lot: int, smallest: int, largest: int) -> int:
        p = self.p
        if u < p.spike_share and factor == 1.0:
            return max(lot, smallest)
        multiple = math.exp(p.log_value_sd * min(z, p.tail_from))
        if z > p.tail_from:
            beyond, end = 0.5 * math.erfc(z / math.sqrt(2)) / p.tail_share, p.tail_reach**-p.tail_exponent
            multiple *= (end + (1 - end) * beyond) ** (-1 / p.tail_exponent)
        shares = factor * multiple * (math.exp(p.log_value) * 100 / price + lot)
        lots = max(1, int(min(shares, 1e9) / lot + 0.5))
        if lots >= 5 and u > 1 - p.round_share:
            lots = (lots + 5) // 10 * 10
        return min(max(lots * lot, smallest), largest)

    @staticmethod
    def numbered(rows: list[tuple[int, ...]], columns: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Rows with order numbers in place of handles."""

        def number(column: int, value: int) -> int:
            return (value - BACKGROUND_BASE) % EACH if column in columns and value >= BACKGROUND_BASE else value

        return [tuple(number(c, x) for c, x in enumerate(row)) for row in rows]
