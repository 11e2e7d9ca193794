"""Compiled loops of the client cohorts.

A client acts at the points of a Poisson process of his own, run in operational time: calendar time stretched by the
day's profile and by the attention that his segment pays to the market. The points in operational time are drawn
once per client, so a busier or a slower day moves a client's actions, never his luck; and a tick costs time in
proportion to the clients who act in it, not to the population.

Times are int64 ns, prices int64 ticks, money int64 fen. `Cohort` arrays have one row per client who has logged in
today.
"""

from __future__ import annotations

import math

import numpy as np

from twin.kernels import kernel
from twin.kernels.philox import block, exponential, unit32

WHEEL = np.dtype(
    [
        ("client", np.int64),
        ("weight", np.float64),
        ("threshold", np.float64),
        ("actions", np.int64),
        ("link", np.int32),
        ("risk_class", np.int8),
        ("permission", np.uint8),
    ],
    align=True,
)
"""An active client: his number, rate of action, operational time of his next action, actions so far, the next client in
the same bucket of the wheel, risk class and permissions."""
BUCKETS_PER_UNIT = 16384
"""Resolution of the wheel of operational time: one unit is an ordinary day."""
_FURTHEST = 0.1
"""Orders behind the best price are truncated at this distance, as a share of the price (the main boards' limit)."""
_TWO_PI = 2.0 * math.pi
_SPARE = 1 << 31
"""Counters from here on are drawn only by those who need more words for a decision."""


@kernel
def normal_pair(a, b):
    """Two standard normals from two 32-bit words (Box and Muller 1958)."""
    r = math.sqrt(-2.0 * math.log(unit32(a)))
    angle = _TWO_PI * unit32(b)
    return r * math.cos(angle), r * math.sin(angle)


@kernel
def login_thresholds(seed, replication, stream, first, hazard, out):
    """Operational time at which each client would log in: exponential with the segment's daily hazard.

    Args:
        first: identifier of the first client; hazard: per ordinary day (float64); out: float64, one per client.
    """
    for i in range(out.shape[0]):
        out[i] = exponential(seed, replication, stream, first + i, 0) / hazard


@kernel
def _alias(u, probability, alias):
    """Draw from a discrete distribution by Walker's alias method with one uniform."""
    n = probability.shape[0]
    x = u * n
    k = min(int(x), n - 1)
    return k if x - k < probability[k] else alias[k]


@kernel
def portfolio(
    seed,
    replication,
    stream,
    clients,
    weight_mean,
    weight_sigma,
    kinship,
    assets_mu,
    assets_sigma,
    invested,
    risk_cdf,
    lowest,
    price,
    lot,
    board,
    risk_level,
    probability,
    alias,
    weight,
    cash,
    risk,
    permission,
    names,
    instrument,
    shares,
):
    """What a client is and holds: a pure function of the client, worked out when he first logs in.

    Args:
        clients: int64 identifiers. weight_mean: actions per unit of operational time; kinship: correlation of the
            logarithms of activity and assets. assets_mu, assets_sigma: of the
            logarithm of total assets in fen. invested: share of assets in shares. risk_cdf: cumulative shares of the
            classes C1 to C5; C1 and C2 count as C3, having confirmed the risk of shares in writing (A31), but for the
            share `lowest` of clients, who may not. price, lot, board, risk_level, probability, alias: per instrument.
        weight, cash, risk, permission, names: outputs per client; instrument, shares: outputs, 4 slots per client.

    Permissions follow assets (O15): ChiNext from 100,000 CNY, STAR and Beijing from 500,000 CNY; funds need none. The
    24 months of experience that they demand too are taken as given.
    """
    for i in range(clients.shape[0]):
        c = clients[i]
        w0, w1, w2, w3 = block(seed, replication, stream, c, 0)
        z0, z1 = normal_pair(w0, w1)
        assets = math.exp(assets_mu + assets_sigma * z1)
        z = kinship * z1 + math.sqrt(1.0 - kinship * kinship) * z0
        weight[i] = weight_mean * math.exp(weight_sigma * z - 0.5 * weight_sigma * weight_sigma)
        u = unit32(w2)
        k = 0
        while k < 4 and u > risk_cdf[k]:
            k += 1
        risk[i] = max(k + 1, 3) if u > lowest else 1
        permission[i] = 1 | 16
        if assets >= 1.0e7:
            permission[i] |= 2
        if assets >= 5.0e7:
            permission[i] |= 4 | 8
        wanted = 1 + int(unit32(w3) * 4.0)
        v0, v1, v2, v3 = block(seed, replication, stream, c, 1)
        free = assets
        n = 0
        for j in range(wanted):
            word = v0 if j == 0 else (v1 if j == 1 else (v2 if j == 2 else v3))
            m = _alias(unit32(word), probability, alias)
            duplicate = False
            for q in range(n):
                if instrument[4 * i + q] == m:
                    duplicate = True
            lots = int(assets * invested / wanted / (price[m] * lot[m]))
            allowed = (permission[i] >> board[m]) & 1 and risk_level[m] <= risk[i]
            if duplicate or lots == 0 or not allowed:
                continue
            instrument[4 * i + n] = m
            shares[4 * i + n] = lots * lot[m]
            free -= float(lots * lot[m] * price[m])
            n += 1
        names[i] = n
        cash[i] = int(max(free, 0.0))


@kernel
def schedule(seed, replication, stream, rows, now, wheel, heads):
    """Put clients (rows of the cohort) on the wheel: next action after operational time `now`."""
    for i in range(rows.shape[0]):
        a = rows[i]
        wheel[a].threshold = (
            now + exponential(seed, replication, stream, wheel[a].client, wheel[a].actions) / wheel[a].weight
        )
        b = int(wheel[a].threshold * BUCKETS_PER_UNIT)
        if b < heads.shape[0]:
            wheel[a].link = heads[b]
            heads[b] = a


@kernel
def _round_lot(quantity, lot):
    return max(quantity // lot, 1) * lot


@kernel
def _choose_sale(start, count, u, slot_instrument, sellable):
    """A random slot with something to sell, or -1."""
    if count == 0:
        return -1
    first = min(int(u * count), count - 1)
    for j in range(count):
        s = start + (first + j) % count
        if slot_instrument[s] >= 0 and sellable[s] > 0:
            return s
    return -1


@kernel
def _limit_price(
    side, auction, word_a, word_b, aggressive, at_best, behind_scale, behind_tail, auction_width, last, bid, ask
):
    """Limit price in ticks from the quotes that the client sees; shares of placement as fitted to recorded days."""
    if auction:
        z, _ = normal_pair(word_a, word_b)
        return int(last * (1.0 + auction_width * z + side * 0.25 * auction_width) + 0.5)
    own = bid if side > 0 else ask
    other = ask if side > 0 else bid
    if other == 0:
        other = last
    if own == 0:
        own = last
    u = unit32(word_a)
    if u < aggressive:
        return other
    if u < aggressive + at_best:
        return own
    beyond = (1.0 + _FURTHEST / behind_scale) ** -behind_tail
    part = behind_scale * ((1.0 - unit32(word_b) * (1.0 - beyond)) ** (-1.0 / behind_tail) - 1.0)
    return own - side * (1 + int(part * last))


@kernel
def _put(a, wheel, heads):
    """Put a client into the bucket of his next action."""
    b = int(wheel[a].threshold * BUCKETS_PER_UNIT)
    if b < heads.shape[0]:
        wheel[a].link = heads[b]
        heads[b] = a


@kernel
def _gather(bucket, final, until, wheel, heads, slot_start, due):
    """Take clients who are due off the wheel, as many as `due` holds; returns (bucket to go on from, number).

    Their accounts are then read in a tight loop, so that the memory is asked for all at once and not one by one; the
    sum, in the last cell of `due`, keeps the compiler from leaving the loop out.
    """
    n = 0
    while bucket <= final:
        a = heads[bucket]
        kept = -1
        while a >= 0:
            following = wheel[a].link
            if wheel[a].threshold < until and n < due.shape[0] - 1:
                due[n] = a
                n += 1
            else:
                wheel[a].link = kept
                kept = a
            a = following
        heads[bucket] = kept
        if n == due.shape[0] - 1:
            break
        bucket += 1
    touched = 0
    for i in range(n):
        touched += slot_start[wheel[due[i]].client]
    due[due.shape[0] - 1] = touched
    return bucket, n


@kernel
def act(
    seed,
    replication,
    stream,
    decide,
    now,
    until,
    t0,
    t1,
    auction,
    fear,
    wheel,
    heads,
    cash,
    slot_start,
    slot_count,
    slot_instrument,
    sellable,
    last,
    bid,
    ask,
    limit_down,
    limit_up,
    lot,
    board,
    risk_level,
    probability,
    alias,
    main_probability,
    main_alias,
    main_members,
    top,
    top_share,
    mismatch,
    limit_share,
    panic,
    trend,
    index_move,
    value_mu,
    value_sigma,
    aggressive,
    at_best,
    behind_scale,
    behind_tail,
    auction_width,
    due,
    out,
):
    """Let every client act whose next point lies in operational time [now, until); returns the number of orders.

    Every action is one order. `out` is int64 [capacity, 8]: time, account, instrument, side, kind, price, quantity,
    number of the action. When `out` is full the wheel keeps what is left and the caller calls again; `due` is int64
    scratch. Segments differ in their parameters: top_share (attention to the ten leading names), panic and trend (what
    a fall does to the wish to sell), order value.
    """
    n = 0
    bucket = int(now * BUCKETS_PER_UNIT)
    final = min(int(until * BUCKETS_PER_UNIT), heads.shape[0] - 1)
    scale = (t1 - t0) / (until - now)
    found = 1
    while found > 0:
        bucket, found = _gather(bucket, final, until, wheel, heads, slot_start, due)
        for i in range(found):
            a = due[i]
            while wheel[a].threshold < until:
                if n == out.shape[0]:
                    for rest in range(i, found):
                        _put(due[rest], wheel, heads)
                    return n
                c = wheel[a].client
                k = wheel[a].actions
                w0, w1, w2, w3 = block(seed, replication, decide, c, 3 * k)
                x0, x1, x2, x3 = block(seed, replication, decide, c, 3 * k + 1)
                y0, y1, _, y3 = block(seed, replication, decide, c, 3 * k + 2)
                t = t0 + int((wheel[a].threshold - now) * scale)
                start, count = slot_start[c], slot_count[c]
                slot = -1
                wish = 0.5 + panic * fear - trend * index_move
                if unit32(w0) < wish:
                    slot = _choose_sale(start, count, unit32(w1), slot_instrument, sellable)
                side = -1 if slot >= 0 else 1
                quantity = 0
                m = 0
                if side > 0:
                    m = (
                        top[min(int(unit32(w2) * top.shape[0]), top.shape[0] - 1)]
                        if unit32(w1) < top_share
                        else _alias(unit32(w2), probability, alias)
                    )
                    fits = (wheel[a].permission >> board[m]) & 1 and risk_level[m] <= wheel[a].risk_class
                    if not fits and unit32(w3) >= mismatch:
                        m = main_members[_alias(unit32(x3), main_probability, main_alias)]
                    z, _ = normal_pair(x0, x1)
                    value = min(math.exp(value_mu + value_sigma * z), 0.5 * cash[c])
                    quantity = int(value / (last[m] * 1.01))
                    least = lot[m]
                    if least * last[m] * 1.01 + 600.0 > cash[c]:
                        slot = _choose_sale(start, count, unit32(x2), slot_instrument, sellable)
                        side = -1 if slot >= 0 else 1
                        if side > 0:
                            # nothing to sell: the cheapest of a few names that he might afford
                            more = block(seed, replication, decide, c, _SPARE + k)
                            for j in range(4):
                                other = main_members[int(unit32(more[j]) * main_members.shape[0])]
                                if last[other] < last[m]:
                                    m = other
                if side < 0:
                    m = slot_instrument[slot]
                    z, _ = normal_pair(x0, x1)
                    quantity = int(math.exp(value_mu + value_sigma * z) / last[m])
                    whole = sellable[slot]
                    least = lot[m]
                    quantity = (
                        whole if quantity >= whole or whole < 2 * least else max(_round_lot(quantity, lot[m]), least)
                    )
                else:
                    quantity = _round_lot(quantity, lot[m])
                kind = 0
                price = 0
                if unit32(y3) >= limit_share and not auction:
                    kind = 1
                else:
                    eager = aggressive + (0.5 * fear if side < 0 else 0.0)
                    price = _limit_price(
                        side,
                        auction,
                        y0,
                        y1,
                        eager,
                        at_best,
                        behind_scale,
                        behind_tail,
                        auction_width,
                        last[m],
                        bid[m],
                        ask[m],
                    )
                    price = min(max(price, limit_down[m]), limit_up[m])
                out[n, 0] = t
                out[n, 1] = c
                out[n, 2] = m
                out[n, 3] = side
                out[n, 4] = kind
                out[n, 5] = price
                out[n, 6] = quantity
                out[n, 7] = k
                n += 1
                wheel[a].actions = k + 1
                wheel[a].threshold += exponential(seed, replication, stream, c, k + 1) / wheel[a].weight
            _put(a, wheel, heads)
    return n
