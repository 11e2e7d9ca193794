"""An order book in plain Python that writes the reports of the public benchmark; the reference of its adapter."""

from __future__ import annotations

from heapq import heappop, heappush

NEW, CANCEL, MODIFY = range(3)


class ReportBook:
    """Price-time priority: per side a dict of levels (each a dict of orders, oldest first) and a heap of prices."""

    def __init__(self) -> None:
        self.levels: tuple[dict[int, dict[int, int]], dict[int, dict[int, int]]] = ({}, {})
        self.heaps: tuple[list[int], list[int]] = ([], [])  # bids hold the negated price; may name empty levels
        self.where: dict[int, tuple[int, int]] = {}
        self.lines: list[str] = []

    def run(self, records) -> list[str]:
        columns = [records[name].tolist() for name in ("type", "side", "ioc", "quantity", "order", "price")]
        for at, (kind, side, ioc, quantity, order, price) in enumerate(zip(*columns, strict=True)):
            if kind == NEW:
                self.lines.append(f"0,{at},{side},{order},{price},{quantity}")
                left = self.match(at, side, price, quantity, order)
                if left and ioc:
                    self.lines.append(f"2,{at},{side},{order},{price}")
                elif left:
                    self.rest(side, price, left, order)
            elif order not in self.where:
                self.lines.append(f"{4 if kind == CANCEL else 5},{at},{order}")
            elif kind == CANCEL:
                own, was = self.where[order]
                self.remove(order)
                self.lines.append(f"2,{at},{own},{order},{was}")
            else:
                own, _ = self.where[order]
                self.remove(order)
                left = self.match(at, own, price, quantity, order)
                self.lines.append(f"3,{at},{own},{order},{price},{quantity}")
                if left:
                    self.rest(own, price, left, order)
        return self.lines

    def best(self, side: int) -> int | None:
        heap, levels = self.heaps[side], self.levels[side]
        while heap:
            price = heap[0] if side else -heap[0]
            if levels.get(price):
                return price
            heappop(heap)
            levels.pop(price, None)
        return None

    def match(self, at: int, side: int, price: int, quantity: int, order: int) -> int:
        other = 1 - side
        while quantity:
            best = self.best(other)
            if best is None or (best > price if side == 0 else best < price):
                break
            maker, there = next(iter(self.levels[other][best].items()))
            size = min(there, quantity)
            quantity -= size
            self.lines.append(f"1,{at},{best},{size},{maker},{order}")
            if size == there:
                self.remove(maker)
            else:
                self.levels[other][best][maker] = there - size
        return quantity

    def rest(self, side: int, price: int, quantity: int, order: int) -> None:
        if price not in self.levels[side]:
            self.levels[side][price] = {}
            heappush(self.heaps[side], price if side else -price)
        self.levels[side][price][order] = quantity
        self.where[order] = side, price

    def remove(self, order: int) -> None:
        side, price = self.where.pop(order)
        del self.levels[side][price][order]
