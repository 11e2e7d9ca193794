"""Words of `twin call-centre` in English and Chinese."""

from __future__ import annotations

_WORDS: dict[str, tuple[str, str]] = {
    "arrivals": ("calls per day", "日来电数"),
    "mean_wait_s": ("mean wait, s", "平均等待（秒）"),
    "abandoned": ("abandoned", "放弃比例"),
    "served_within_20_s": ("served within 20 s", "20 秒内接通"),
    "hour": ("hour", "小时"),
    "predicted": ("predicted", "预测"),
    "month band": ("band of the month", "月均区间"),
    "day band": ("band of one day", "单日区间"),
    "happened": ("happened", "实际"),
    "inside": ("inside", "在区间内"),
    "days inside": ("days inside", "单日覆盖率"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "coverage": (
        "{measure}: {inside} of {hours} hours of the month inside the {band:.0%} band; single days {days:.0%}",
        "{measure}：{hours} 个小时中有 {inside} 个的月均值在 {band:.0%} 区间内；单日 {days:.0%}",
    ),
    "outside": (
        "outside ({measure}): {hours}",
        "区间外（{measure}）：{hours}",
    ),
    "above": ("{hour}h above", "{hour} 时偏高"),
    "below": ("{hour}h below", "{hour} 时偏低"),
    "title": (
        "{first} to {last}, {runs} runs, main days of the week; taken from the month itself: {given}",
        "{first} 至 {last}，{runs} 次模拟，主要工作日；取自当月实际：{given}",
    ),
    "nothing": ("nothing but its dates", "仅日期"),
    "given arrivals": ("arrivals", "来电"),
    "given staff": ("staff", "坐席"),
    "written": ("written: {path}", "已写入：{path}"),
    "fitted": (
        "{calls} calls, {first} to {last}; {regular} regular days of {days}, {outages} outages",
        "{calls} 个来电，{first} 至 {last}；{days} 天中 {regular} 天为常规日，{outages} 次中断",
    ),
    "left out": ("left out: {n} x {why}", "剔除：{n} 条 {why}"),
    "doubtful": ("doubtful: {n} x {why}", "可疑：{n} 条 {why}"),
    "type": ("type", "类型"),
    "calls": ("calls", "来电"),
    "service": ("service, s", "通话（秒）"),
    "patience": ("patience, s", "耐心（秒）"),
    "restricted": ("to the longest wait, s", "截至最长等待（秒）"),
    "required": ("required wait, s", "需等待（秒）"),
    "index": ("index", "耐心指数"),
    "backtest": ("predicting months", "逐月回测"),
    "month": ("month", "月份"),
    "forecast": ("forecast", "预测方法"),
    "error": ("mean absolute error", "平均绝对误差"),
    "hours inside": ("hours inside the month band", "月均在区间内的小时"),
    "interval score": ("interval score", "区间得分"),
    "days interval score": ("interval score of days", "单日区间得分"),
    "by twin": ("twin", "孪生"),
    "by mean": ("mean of the months before", "此前各月均值"),
    "by last": ("last month", "上月"),
    "read": ("reading", "读取"),
    "fit": ("fitting", "拟合"),
    "calibrate": ("calibrating", "校准"),
    "simulate": ("simulating", "模拟"),
}


def say(key: str, language: str, **values: object) -> str:
    """A word or sentence in the language."""
    text = _WORDS[key][1 if language == "zh" else 0]
    return text.format(**values) if values else text
