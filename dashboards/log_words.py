"""Words of `twin log` and `twin score` in English and Chinese."""

from __future__ import annotations

from dashboards.i18n import LANGUAGES

_WORDS: dict[str, tuple[str, str]] = {
    "fault": ("fault", "问题"),
    "count": ("rows", "行数"),
    "share": ("share", "占比"),
    "where": ("first seen", "首次出现"),
    "right": ("what would be right", "正确的做法"),
    "row": ("row {n}", "第 {n} 行"),
    "sound": ("{rows} rows of {cases} cases: nothing found", "{cases} 个案例共 {rows} 行：未发现问题"),
    "found": (
        "{rows} rows of {cases} cases: {serious} kinds of serious fault (marked !), {others} to look at",
        "{cases} 个案例共 {rows} 行：严重问题 {serious} 类（标 !），另有 {others} 类需留意",
    ),
    "rows": ("activities", "活动"),
    "cases": ("cases", "案例"),
    "activities": ("kinds of activity", "活动种类"),
    "resources": ("resources", "执行人"),
    "first": ("first instant", "最早时刻"),
    "last": ("last instant", "最晚时刻"),
    "days": ("days", "天数"),
    "cases_per_day": ("cases a day", "每日案例"),
    "rows_per_case": ("activities a case", "每案例活动"),
    "cycle_hours": ("cycle time, hours", "周期时间（小时）"),
    "variants": ("variants", "变体"),
    "activity": ("activity", "活动"),
    "median_minutes": ("median, min", "中位数（分钟）"),
    "mean_minutes": ("mean, min", "均值（分钟）"),
    "variant": ("variant", "变体"),
    "picture": ("picture: {path}", "图片：{path}"),
    "written": ("{path}: {rows} activities of {cases} cases", "{path}：{cases} 个案例，{rows} 项活动"),
    "left_out": ("{n} cases across the cut are left out", "跨越切分点的 {n} 个案例未收入"),
    "distance": ("distance", "距离"),
    "mean": ("mean", "均值"),
    "sd": ("sd", "标准差"),
    "NGD": ("n-grams (control flow)", "n-gram（控制流）"),
    "AEDD": ("events on the time line, h", "事件绝对时间分布（小时）"),
    "CEDD": ("events in the week, h", "事件周内时刻分布（小时）"),
    "REDD": ("events in the case, h", "事件相对时间分布（小时）"),
    "CTDD": ("cycle times, h", "周期时间分布（小时）"),
    "bad_column": ("{value!r} does not name a column", "{value!r} 不是列的写法"),
    "column_hint": (
        "Write ROLE=COLUMN; roles are case, activity, resource, start, end, enabled, transition, instance.",
        "请写成 角色=列名；角色有 case、activity、resource、start、end、enabled、transition、instance。",
    ),
}


def say(key: str, language: str = "en", **values: object) -> str:
    """A phrase in a language with its values filled in."""
    texts = _WORDS.get(key)
    if texts is None:
        return key
    text = texts[LANGUAGES.index(language)]
    return text.format(**values) if values else text
