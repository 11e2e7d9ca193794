"""A plain Python background flow: objects and sorted lists instead of slots and a wheel, the same draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from agents.background import BackgroundParameters
from twin.kernels import philox


@dataclass
class Order:
    instrument: int
    left: int
    due: int | None


class Reference:
    """Continuous trading only; orders are numbered by arrival."""

    def __init__(self, p: BackgroundParameters, instruments, share, other, seed, slope_h):
        self.p, self.ins, self.seed = p, instruments, np.uint64(seed)
        self.share, self.other, self.h = share, other, slope_h
        self.k, self.hazard = 0, -math.log(0.5)
        self.runs = [[0, 0] for _ in range(len(instruments))]
        self.orders: dict[int, Order] = {}

    def step(self, t0, t1, rate, patience0, patience1, bid, ask, value, sizes):
        done, new = 0.0, []
        while True:
            wait = self.hazard / rate
            if done + wait >= t1 - t0:
                self.hazard -= rate * (t1 - t0 - done)
                break
            done += wait
            t = t0 + int(done)
            a, b, w0, w1 = philox.block(self.seed, 0, 20, self.k, 0)
            x0, x1, x2, w2 = philox.block(self.seed, 0, 21, self.k, 0)
            u = [(float(w) + 0.5) / 2**32 for w in (a, b, w0, w1, w2, x0, x1)]
            self.hazard = -math.log(u[0])
            n = len(self.ins)
            i = min(int(u[1] * n), n - 1)
            if u[1] * n - i >= self.share[i]:
                i = int(self.other[i])
            side, price, factor = self.place(i, u[2], u[3], u[4], bid[i], ask[i], value[i])
            radius, angle = math.sqrt(-2 * math.log(u[5])), 2 * math.pi * u[6]
            quantity = self.shares(
                radius * math.cos(angle), ((int(x2) >> 16) + 0.5) / 65536, factor, value[i], sizes[0, i], sizes[1, i]
            )
            due = None
            if ((int(x2) & 0xFFFF) + 0.5) / 65536 < self.p.willing_share:
                wait = math.exp(self.p.log_patience + self.p.log_patience_sd * radius * math.sin(angle)) * 1e9
                due = patience0 + (t - t0) + int(wait) + 1
            self.orders[self.k] = Order(i, quantity, due)
            new.append((t, 0, i, side, price, quantity, self.k))
            self.k += 1
        cancels = []
        for k, order in self.orders.items():
            if order.left and order.due is not None and order.due < patience1:
                cancels.append((t0 + order.due - patience0, 2, order.instrument, 0, 0, 0, k))
                order.due = None
        return sorted(new + cancels, key=lambda row: (row[0], row[1]))

    def lomax(self, u, scale, exponent, most):
        if most <= 0:
            return 0.0
        return scale * ((1 - u * (1 - (1 + most / scale) ** -exponent)) ** (-1 / exponent) - 1)

    def place(self, i, u_side, u_class, u_place, bid, ask, fair):
        p, down, up = self.p, int(self.ins.limit_down[i]), int(self.ins.limit_up[i])
        unit = 1 + p.unit_slope * fair
        if bid and ask:
            kind = 0 if ask - bid <= 1 else 1 if ask - bid <= p.wide * unit else 2
            mid = 0.5 * (bid + ask)
        else:
            kind, mid = 0, float(bid or ask)
        gap = min(max((fair - mid) / unit, -50.0), 50.0)
        if fair >= up:
            gap = max(gap, 2.0)
        elif fair <= down:
            gap = min(gap, -2.0)
        marketable, inside, best, _ = p.placement[kind]

        def clip(price):
            return int(min(max(price, down), up))

        if u_class < marketable:
            run = self.runs[i]
            if run[0] <= 0:
                run[0] = int(min(((u_place + 1e-10) % 0.5 * 2) ** (-1 / p.run_exponent), 100_000))
                run[1] = 1 if u_place < 0.5 else -1
            run[0] -= 1
            side = 1 if u_side < 1 / (1 + math.exp(-(p.tilt * gap + self.h * run[1]))) else -1
            opposite = ask if side > 0 else bid
            if not opposite:
                return side, int(bid if side > 0 else ask), 1.0
            if gap * side > p.informed_from:
                price = math.floor(fair) if side > 0 else math.ceil(fair)
                return side, clip(price), 1 + p.informed_slope * (gap * side - p.informed_from)
            price = opposite
            if u_class < marketable * p.through_share:
                room = (up - ask if side > 0 else bid - down) / unit
                u = u_class / (marketable * p.through_share)
                x = self.lomax(u, p.through_scale, p.through_exponent, room)
                price += side * (1 + math.floor(x * unit))
            return side, clip(price), 1.0
        side = 1 if u_side < 1 / (1 + math.exp(-p.tilt_passive * gap)) else -1
        own = bid if side > 0 else ask
        if not own:
            own = (ask if side > 0 else bid) - side * max(1, int(unit + 0.5))
        if u_class < marketable + inside:
            return side, clip(own + side * (1 + int(u_place * (ask - bid - 1)))), 1.0
        if u_class < marketable + inside + best:
            return side, clip(own), 1.0
        room = (own - down if side > 0 else up - own) - 1
        x = self.lomax(u_place, p.behind_scale, p.behind_exponent, room / unit)
        return side, clip(own - side * (1 + int(x * unit))), 1.0

    def shares(self, z, u, factor, value, least, most):
        p = self.p
        if u < p.spike_share and factor == 1.0:
            return max(100, int(least))
        lots = max(1, int(factor * math.exp(p.log_value + p.log_value_sd * z) * 100 / value / 100 + 0.5))
        if lots >= 5 and u > 1 - p.round_share:
            lots = (lots + 5) // 10 * 10
        return int(min(max(lots * 100, least), most))
