"""Random processes with everything that the general kernel does, in block structure so that joins are sound."""

from __future__ import annotations

from hypothesis import strategies as st

from twin.process.model import ProcessModel

durations = st.sampled_from(
    [
        "20 min",
        "7 min",
        {"distribution": "exponential", "mean": "30 min"},
        {"distribution": "exponential", "mean": "3 h"},
        {"distribution": "uniform", "low": "0 s", "high": "1 h"},
        {"distribution": "lognormal", "mean": "40 min", "cv": 1.5},
    ]
)
conditions = st.sampled_from(
    [
        {"attribute": "amount", "at_least": 100},
        {"attribute": "risk", "in": ["high"]},
        {"attribute": "segment", "not_in": ["retail"]},
        {"any": [{"attribute": "amount", "below": 20}, {"attribute": "risk", "in": ["middle"]}]},
        [{"attribute": "amount", "above": 30}, {"attribute": "risk", "not_in": ["low"]}],
    ]
)
seldom = st.sampled_from([False, False, False, True])


@st.composite
def varied(draw, values):
    value = {"default": draw(values)}
    if draw(seldom):
        value["cases"] = [{"when": draw(conditions), "value": draw(values)}]
    return value if len(value) > 1 else value["default"]


class Builder:
    """Adds blocks of nodes one behind the other."""

    def __init__(self, draw):
        self.draw, self.nodes, self.n, self.inside = draw, {}, 0, 0

    def name(self, kind):
        self.n += 1
        return f"{kind}{self.n}"

    def block(self, depth, after):
        """A block that leads to `after`; returns its first node."""
        kinds = ["task"] * 5 + ["delay", "race"] + (["both", "some", "either", "row", "window"] * 2 if depth else [])
        return getattr(self, f"_{self.draw(st.sampled_from(kinds))}")(depth, after)

    def _row(self, depth, after):
        return self.block(depth - 1, self.block(depth - 1, after))

    def _both(self, depth, after):
        fork, join = self.name("fork"), self.name("join")
        self.nodes[join] = {"kind": "join", "next": after}
        ways = []
        self.inside += 1
        for _ in range(self.draw(st.integers(2, 3))):
            # Alternatives within a way meet before the join, which counts its ways in.
            meet = self.name("choice")
            self.nodes[meet] = {"kind": "choice", "next": join}
            ways.append(self.block(depth - 1, meet))
        self.inside -= 1
        self.nodes[fork] = {"kind": "fork", "next": ways}
        return fork

    def _some(self, depth, after):
        split, join = self.name("split"), self.name("merge")
        self.nodes[join] = {"kind": "inclusive_join", "next": after}
        ways = []
        for _ in range(self.draw(st.integers(2, 3))):
            way = {"to": self.block(depth - 1, join)}
            if self.draw(seldom):
                way["when"] = self.draw(conditions)
            else:
                way["probability"] = self.draw(st.sampled_from([0.2, 0.6]))
            ways.append(way)
        self.nodes[split] = {"kind": "inclusive_split", "next": ways}
        if self.draw(st.booleans()):
            self.nodes[split]["otherwise"] = ways[-1]["to"]
        return split

    def _either(self, depth, after):
        choice = self.name("choice")
        ways = [
            {"to": self.block(depth - 1, after), "when": self.draw(conditions)},
            {"to": self.block(depth - 1, after), "probability": self.draw(varied_half)},
            {"to": after, "probability": 0.5},
        ]
        self.nodes[choice] = {"kind": "choice", "next": ways}
        return choice

    def _delay(self, _, after):
        name = self.name("delay")
        self.nodes[name] = {"kind": "delay", "duration": self.draw(varied(durations)), "next": after}
        if self.draw(seldom):
            self.nodes[name] |= {"calendar": "office", "scale": {"attribute": "amount", "slope": 0.02, "most": 3}}
        return name

    def _window(self, _, after):
        name = self.name("window")
        days = self.draw(st.sampled_from(["trading", "every", ["mon", "wed"]]))
        self.nodes[name] = {"kind": "window", "opens": "08:30", "closes": "16:00", "days": days, "next": after}
        return name

    def _race(self, _, after):
        name = self.name("race")
        ways = [
            {"to": after, "after": self.draw(varied(durations)), "probability": 0.7},
            {"to": "side", "after": self.draw(durations), "probability": self.draw(st.sampled_from([0.0, 0.3]))},
            {"to": after, "after": "2 h", "calendar": self.draw(st.sampled_from([None, "office"]))},
        ]
        ways[1]["to"] = after
        self.nodes[name] = {"kind": "race", "next": ways}
        return name

    def _task(self, _, after):
        draw, name = self.draw, self.name("task")
        pool = draw(st.sampled_from(["few", "shifts", "urgent", "team", "team", "jugglers"]))
        node = {"kind": "task", "pool": pool, "service": draw(varied(durations)), "next": after}
        node["priority"] = draw(varied(st.integers(0, 2)))
        node["active"] = draw(st.booleans())
        if draw(seldom):
            node["rework"] = {"to": name, "probability": draw(st.sampled_from([0.1, 0.4]))}
        if pool == "team":
            node["skills"] = draw(st.sampled_from([[], ["a"], ["b"]]))
            if draw(seldom):
                node["by_member"] = {"x": "11 min"}
        if draw(seldom):
            node["scale"] = [{"attribute": "amount", "intercept": 0.5, "slope": 0.01, "most": 2}]
        if draw(seldom):
            cases = [{"when": draw(conditions), "value": 1.5}, {"when": draw(conditions), "value": 0.25}]
            node["scale"] = [*node.get("scale", []), {"cases": cases}]
        if draw(seldom):
            node["by_hour"] = [
                {"from": "22:00", "to": "09:15", "factor": 1.7},
                {"from": "12:00", "to": "13:00", "factor": 0.3},
            ]
        self._patience(node)
        self._extras(node)
        self.nodes[name] = node
        return name

    def _patience(self, node):
        draw = self.draw
        if draw(st.booleans()):
            node["patience"] = draw(varied(durations))
            if draw(st.booleans()):
                node["retry"] = {"probability": 0.6, "after": "40 min"}
                if draw(st.booleans()):
                    node["retry"]["attempts"] = 3
            if draw(st.booleans()):
                node["on_abandon"] = self.aside(node)

    def aside(self, node):
        """Where a case goes instead; out of a parallel branch seldom, for then its join waits in vain."""
        return node["next"] if self.inside and self.draw(st.integers(0, 9)) else "side"

    def _extras(self, node):
        draw = self.draw
        kind = draw(st.sampled_from(["", "", "", "repeat", "batch", "limit"]))
        if kind == "repeat":
            count = draw(st.sampled_from([2, {"shares": {1: 0.3, 3: 0.7}}, {"attribute": "items"}]))
            node["repeat"] = {"count": count, "mode": draw(st.sampled_from(["parallel", "sequential"]))}
        elif kind == "batch":
            node["batch"] = draw(
                st.sampled_from(
                    [
                        {"size": 3, "longest_wait": "2 h"},
                        {"at": ["10:00", "15:30"], "days": "mon-fri"},
                        {"size": 2, "at": "12:00", "service": "item"},
                        {"longest_wait": "30 min", "service": "item"},
                        {"size": 3, "longest_wait": "1 h", "service": "item", "mode": "sequential"},
                    ]
                )
            )
        elif kind == "limit":
            full = draw(st.sampled_from([{"when_full": "block"}, {"when_full": "refuse"}, {"to": self.aside(node)}]))
            node["queue_limit"] = {"most": draw(st.integers(0, 2)), **full}
        if draw(seldom):
            node["boundary"] = [
                {"after": draw(durations), "to": self.aside(node), "probability": 0.7},
                {"after": "5 h", "to": "side", "interrupting": False, "calendar": "office"},
            ][: draw(st.integers(1, 2))]


FIRST_FREE = {"at_end_of_shift": "pause", "given_to": "first_free"}
varied_half = st.just({"default": 0.5, "cases": [{"when": {"attribute": "risk", "in": ["low"]}, "value": 0.5}]})


@st.composite
def models(draw):
    build = Builder(draw)
    start = "refused"
    for _ in range(draw(st.integers(1, 3))):
        start = build.block(2, "done" if start == "refused" else start)
    build.nodes |= {
        "side": {"kind": "task", "pool": "few", "service": "9 min", "next": "done"},
        "done": {"kind": "end"},
        "refused": {"kind": "end", "outcome": "refused"},
    }
    pause = draw(st.sampled_from(["pause", "finish"]))
    office = {
        "hours": [
            {"from": "09:00", "to": "12:00", "days": "mon-fri"},
            {"from": "13:00", "to": "17:30", "days": "mon-fri"},
            {"from": "22:00", "to": "02:00", "days": ["fri"]},
        ],
        "closed": ["2026-09-22"],
        "holidays": draw(st.sampled_from(["none", "trading"])),
    }
    pools = {
        "few": {
            "staff": draw(st.integers(1, 2)),
            "preempt": draw(st.sampled_from([True, False, "repeat"])),
            "queue": draw(st.sampled_from(["first_come", "oldest_case"])),
        },
        "shifts": {
            "at_end_of_shift": pause,
            "preempt": draw(st.booleans()),
            "shifts": [
                {"from": "08:00", "to": "17:00", "staff": draw(st.integers(1, 3)), "days": "every"},
                {"from": "16:00", "to": "02:00", "staff": draw(st.integers(0, 2))},
            ],
        },
        "urgent": {"staff": 2, "calendar": "office", "preempt": draw(st.booleans()), "at_end_of_shift": pause},
        "team": {
            "allocation": draw(st.sampled_from(["longest_idle", "preferred", "random"])),
            "queue": draw(st.sampled_from(["first_come", "oldest_case"])),
            "preempt": draw(st.sampled_from([True, False, "repeat"])),
            **draw(st.sampled_from([{}, {"at_end_of_shift": "pause"}, FIRST_FREE])),
            "calendar": "office",
            "members": [
                {
                    "name": "x",
                    "skills": ["a", "b"],
                    "speed": 1.3,
                    "at_once": draw(st.integers(1, 3)),
                    "cost_per_hour": "7 CNY",
                },
                {"name": "y", "skills": ["a"], "calendar": "always", "count": draw(st.integers(1, 2))},
                {"name": "z", "skills": ["b"], "speed": 0.7},
            ],
        },
        "jugglers": {"staff": 1, "at_once": 2, "pace": [1.0, 0.6]},
    }
    model = {
        "name": "random",
        "start": start,
        "pools": pools,
        "nodes": build.nodes,
        "calendars": {"office": office, "always": [{"from": "00:00", "to": "24:00"}]},
        "attributes": {
            "amount": {"distribution": "exponential", "mean": 60},
            "risk": {"shares": {"low": 0.5, "middle": 0.3, "high": 0.2}},
            "items": {"distribution": "uniform", "low": 0, "high": 3},
        },
    }
    if draw(seldom):
        patience = {"distribution": "uniform", "low": "10 min", "high": "5 h"}
        model["case_patience"] = {"patience": {"default": patience, "by_segment": {"hnw": "1 h"}}, "burden": 0.5}
    if draw(st.booleans()):
        model["deadlines"] = {
            "late": {"after": draw(durations), "to": "side", "interrupting": draw(st.booleans())},
            "slow": {"after": "4 h", "from": start, "until": "side", "calendar": "office"},
        }
    return ProcessModel.model_validate(model)
