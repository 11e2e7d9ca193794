"""A good order book in plain Python: dict of levels, a heap of prices per side, deques with lazy cancellation."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush

Tape = list[tuple[int, int, int, int, int]]


class PlainBook:
    """One book in price-time priority; a report row is (kind, order, counter, price, quantity)."""

    def __init__(self) -> None:
        self.levels: tuple[dict[int, deque[list[int]]], dict[int, deque[list[int]]]] = ({}, {})
        self.heaps: tuple[list[int], list[int]] = ([], [])  # bids hold the negated price
        self.live: dict[int, list[int]] = {}  # handle -> [handle, leaves, price]
        self.tape: Tape = []
        self.traded = 0

    def add(self, handle: int, buy: bool, price: int, quantity: int) -> None:
        report = self.tape.append
        report((0, handle, -1, price, quantity))
        other = 1 if buy else 0
        heap, levels, live = self.heaps[other], self.levels[other], self.live
        while quantity and heap:
            best = heap[0] if buy else -heap[0]
            if (best > price) if buy else (best < price):
                break
            queue = levels[best]
            while queue and quantity:
                resting = queue[0]
                leaves = resting[1]
                if not leaves:  # cancelled
                    queue.popleft()
                elif leaves <= quantity:
                    quantity -= leaves
                    self.traded += leaves
                    resting[1] = 0
                    queue.popleft()
                    del live[resting[0]]
                    report((1, handle, resting[0], best, leaves))
                else:
                    resting[1] = leaves - quantity
                    self.traded += quantity
                    report((1, handle, resting[0], best, quantity))
                    quantity = 0
            if not queue:
                del levels[best]
                heappop(heap)
        if quantity:
            own = self.levels[1 - other]
            order = [handle, quantity, price]
            live[handle] = order
            queue = own.get(price)
            if queue is None:
                own[price] = deque((order,))
                heappush(self.heaps[1 - other], -price if buy else price)
            else:
                queue.append(order)

    def cancel(self, handle: int) -> None:
        order = self.live.pop(handle, None)
        if order is None:
            self.tape.append((3, handle, -1, 0, 0))
        else:
            self.tape.append((2, handle, -1, order[2], order[1]))
            order[1] = 0

    def run(self, kinds: list[int], sides: list[int], prices: list[int], sizes: list[int], orders: list[int]) -> None:
        add, cancel = self.add, self.cancel
        for kind, side, price, size, handle in zip(kinds, sides, prices, sizes, orders, strict=True):
            if kind == 2:
                cancel(handle)
            else:
                add(handle, side == 1, price, size)
