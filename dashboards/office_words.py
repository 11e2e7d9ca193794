"""Words of the comparison of a process in two forms, in English and Chinese."""

from __future__ import annotations

from dashboards.i18n import LANGUAGES

_WORDS: dict[str, tuple[str, str]] = {
    "measure": ("measure", "指标"),
    "unit": ("unit", "单位"),
    "today": ("today", "现状"),
    "reformed": ("reformed", "改造后"),
    "difference": ("difference", "差异"),
    "verdict": ("verdict", "判断"),
    "process": ("process", "流程"),
    "forms": ("forms", "形式"),
    "headline": (
        "{reformed} against {today}: {days} days, {n} replications, seed {seed}; "
        "the same cases with the same luck, differences with their 95% intervals",
        "{reformed} 对比 {today}：{days} 天，{n} 次重复，种子 {seed}；案例与随机数相同，差异附 95% 置信区间",
    ),
    "one": (
        "One replication gives no interval: add --replications 10.",
        "只有一次重复，无法给出置信区间：请加 --replications 10。",
    ),
    "caption": ("{n} replications of {days} days after a week", "{n} 次重复，预热一周后各 {days} 天"),
    "written": ("written: {path}", "已写入：{path}"),
    "progress": ("{done} of {n} replications", "已完成 {done}/{n} 次重复"),
    # measures
    "cases": ("cases", "案例数"),
    "cycle_mean": ("cycle time of the served, mean", "办结时长（均值）"),
    "cycle_p90": ("cycle time of the served, 90th percentile", "办结时长（90 分位）"),
    "cycle_working_days": ("cycle time without days off, mean", "办结时长（剔除非交易日，均值）"),
    "client_time": ("client's own time until his part is done", "客户本人投入时间"),
    "waiting_mean": ("waiting in all, mean", "累计等待（均值）"),
    "served": ("served", "办结比例"),
    "abandoned": ("abandoned", "放弃比例"),
    "refused": ("refused", "拒绝比例"),
    "unfinished": ("not ended after four months", "四个月后仍未办结"),
    "late": ("deadline breached: {name}", "超过时限：{name}"),
    "staff_hours_paid": ("staff hours present", "在岗工时"),
    "staff_hours_worked": ("staff hours at work", "作业工时"),
    "cost_per_case": ("cost of work per case", "单案作业成本"),
    "ends": ("ended at {name}", "终于 {name}"),
    "passes": ("went through {name}", "经过 {name}"),
    # units
    "share": ("share", "比例"),
    "h": ("h", "小时"),
    "min": ("min", "分钟"),
    "d": ("d", "天"),
    "CNY": ("CNY", "元"),
    # verdicts
    "better": ("better", "更好"),
    "worse": ("worse", "更差"),
    "same": ("same", "相同"),
    "more": ("more", "更多"),
    "less": ("less", "更少"),
    "can't tell": ("can't tell", "尚难判断"),
    "rose in one run": ("rose in one run", "单次运行上升"),
    "fell in one run": ("fell in one run", "单次运行下降"),
}


def say(key: str, language: str = "en", **values: object) -> str:
    """A word or sentence in a language; one that is not known stands for itself."""
    texts = _WORDS.get(key)
    if texts is None:
        return key
    text = texts[LANGUAGES.index(language)]
    return text.format(**values) if values else text


def measure_label(name: str, language: str) -> str:
    """Label of a measure; `late:NAME` and `ends:NAME` name a deadline or an end."""
    kind, _, rest = name.partition(":")
    return say(kind, language, name=rest) if rest else say(name, language)
