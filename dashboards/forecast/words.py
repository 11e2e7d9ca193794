"""Words of `twin forecast`, `backtest` and `watch` in English and Chinese."""

from __future__ import annotations

from dashboards.i18n import LANGUAGES

_WORDS: dict[str, tuple[str, str]] = {
    # measures
    "wip": ("cases in progress", "在办案例"),
    "waiting": ("cases waiting", "等待案例"),
    "arrivals": ("arrivals", "新到案例"),
    "completions": ("completions", "办结案例"),
    "wait_h": ("mean wait of work begun (h)", "开工前平均等待（小时）"),
    "oldest_h": ("oldest wait (h)", "最长等待（小时）"),
    "utilisation": ("utilisation", "人员利用率"),
    "breaches": ("cases becoming late", "超时案例"),
    # forecasts
    "twin": ("twin, as simulated", "孪生（模拟原值）"),
    "twin_delivered": ("twin, as given out", "孪生（最终预测）"),
    "persistence": ("persistence", "持续性"),
    "seasonal": ("same time last week", "上周同期"),
    "climatology": ("usual for the hour", "同时段常态"),
    # forecast
    "title": (
        "Forecast as of {at}, {horizon} ahead in steps of {step}, {runs} runs ({zone})",
        "{at} 起预测 {horizon}，步长 {step}，{runs} 次模拟（{zone}）",
    ),
    "now": (
        "Open now: {open:.0f} cases expected ({idle} quiet ones judged); {working} activities under way by {people}.",
        "当前在办：预计 {open:.0f} 件（其中 {idle} 件静默案例按概率判断）；{working} 项活动正由 {people} 人办理。",
    ),
    "level": (
        "Arrivals: {level:.1f} a day ± {sd:.1f} now; dispersion {dispersion:.2f} (1 = Poisson), {days} days used.",
        "到达：目前每日 {level:.1f} ± {sd:.1f} 件；离散度 {dispersion:.2f}（1 = 泊松），用 {days} 天数据。",
    ),
    "learned": (
        "Mixed with naive forecasts and widened by the record of {n} forecasts of the recent past.",
        "已按近期 {n} 次回溯预测的成绩与朴素预测混合并调整区间宽度。",
    ),
    "unscaled": ("Bands as simulated.", "区间为模拟原值。"),
    "process": ("Process: {structure}, from {cases} ended cases.", "流程：{structure}，依据 {cases} 件已结案例。"),
    "interval": ("until", "截至"),
    "median_band": ("median [80 %]", "中位数 [80 %]"),
    "open_cases": ("Open cases, longest first ({shown} of {n})", "在办案例，按时长排序（{shown}/{n}）"),
    "case": ("case", "案例"),
    "born": ("since", "开始"),
    "activity": ("activity", "活动"),
    "resource": ("with", "办理人"),
    "since": ("in it since", "状态起始"),
    "chance": ("open", "在办概率"),
    "end": ("expected end", "预计办结"),
    "end_band": ("80 % band", "80 % 区间"),
    "late": ("late", "超时概率"),
    "quiet": ("(waits)", "（等待）"),
    "written": ("written to {path}", "已写入 {path}"),
    "as_of": ("now", "当前"),
    "came": ("what came", "实际"),
    "past": ("past", "过去"),
    "median": ("median", "中位数"),
    "band": ("{n} % band", "{n} % 区间"),
    # progress
    "read": ("reading the log", "读取日志"),
    "discover": ("discovering the process", "发现流程"),
    "calibrate": ("learning from past forecasts", "从回溯预测中学习"),
    "simulate": ("simulating", "模拟"),
    "origin": ("{done}/{of} {at}{kept}", "{done}/{of} {at}{kept}"),
    "kept": (" (kept)", "（已有）"),
    # backtest
    "backtest_title": (
        "Backtest: {n} forecasts from {first} to {last}, {horizon} ahead in steps of {step}",
        "回溯检验：{first} 至 {last} 共 {n} 次预测，预测 {horizon}，步长 {step}",
    ),
    "measure": ("measure", "指标"),
    "n": ("n", "样本"),
    "crps": ("CRPS", "CRPS"),
    "mae": ("MAE", "MAE"),
    "coverage": ("coverage 50/80/95 %", "覆盖率 50/80/95 %"),
    "raw_coverage": ("as simulated", "模拟原值"),
    "best": ("best naive", "最佳朴素预测"),
    "skill": ("skill [95 %]", "技巧分 [95 %]"),
    "verdict": ("twin is", "孪生"),
    "better": ("better", "更好"),
    "worse": ("worse", "更差"),
    "can't tell": ("can't tell", "尚难判断"),
    "beats": ("The twin beats every naive forecast on: {names}.", "孪生优于所有朴素预测的指标：{names}。"),
    "not_better": (
        "It does not beat the best naive forecast on: {names}.",
        "孪生未优于最佳朴素预测的指标：{names}。",
    ),
    "worse_on": ("It is worse than a naive forecast on: {names}.", "孪生劣于某朴素预测的指标：{names}。"),
    "off": (
        "Coverage differs from nominal beyond chance on: {names}.",
        "覆盖率与标称值之差超出偶然范围的指标：{names}。",
    ),
    "how": (
        "Skill = 1 - CRPS / CRPS of the naive forecast; interval by block bootstrap over forecasts. Coverage by ranks, "
        "ties broken at random.",
        "技巧分 = 1 - CRPS / 朴素预测的 CRPS；区间由分块自助法得出。覆盖率按秩计算，并列随机打破。",
    ),
    "pit": ("rank of the truth", "真值的秩"),
    "share": ("share", "比例"),
    # watch
    "watching": ("watching {source}; Ctrl-C ends", "正在监视 {source}；按 Ctrl-C 结束"),
    "first_forecast": ("{at}  {rows} rows, {cases} cases; {bands}", "{at}  {rows} 行，{cases} 件案例；{bands}"),
    "renewed": (
        "{at}  +{rows} rows, +{cases} cases; {bands}",
        "{at}  +{rows} 行，+{cases} 件案例；{bands}",
    ),
    "shrunk": ("the log was cut or made anew: read from its beginning", "日志被截断或重建：从头读取"),
    "away": ("cannot be read now ({why}); keeps trying", "暂时无法读取（{why}）；继续尝试"),
    "back": ("can be read again", "已恢复读取"),
    "too_little": ("{rows} rows: too little to forecast yet ({why})", "{rows} 行：数据尚不足以预测（{why}）"),
    "stopped": ("stopped", "已停止"),
    "band_of": ("{name} {median} [{low}, {high}]{change}", "{name} {median} [{low}, {high}]{change}"),
    "was": (" (was {median})", "（原 {median}）"),
}


def say(key: str, language: str = "en", **values: object) -> str:
    """A text with its places filled."""
    chosen = _WORDS[key][LANGUAGES.index(language)]
    return chosen.format(**values) if values else chosen


def joined(names: list[str], language: str) -> str:
    """Names of measures as a list."""
    return ("、" if language == "zh" else ", ").join(say(name, language) for name in names)
