"""Text in drawings: estimated widths (a Chinese character is as wide as two Latin ones), wrapping, words."""

from __future__ import annotations

import unicodedata

FONTS = (
    "'Noto Sans','Noto Sans CJK SC','Noto Sans SC','Source Han Sans SC','PingFang SC','Microsoft YaHei',"
    "'WenQuanYi Micro Hei',Arial,sans-serif"
)
_NARROW = frozenset("iIl.,:;'|!()[]ftj ")

WORDS = {
    "cases": ("cases", "例"),
    "wait": ("wait", "等待"),
    "service": ("service", "处理"),
    "utilisation": ("utilisation", "利用率"),
    "mean wait": ("mean wait", "平均等待"),
    "no_data": ("not reached", "未到达"),
    "flow": ("line width: cases", "线宽：案例数"),
    "begin": ("begin", "开始"),
    "finish": ("end", "结束"),
    "mean": ("mean", "平均"),
    "median": ("median", "中位数"),
    "in cases": ("in {n} cases", "涉及 {n} 例"),
    "people": ("{n} people, busiest {share}", "{n} 人，最忙者占 {share}"),
    "map caption": (
        "{cases} cases; {activities} of {of} activities ({work} of the work); "
        "the commonest {ways} of {all} ways between them ({steps} of all steps, begin and end among them)",
        "{cases} 个案例；显示 {of} 种活动中的 {activities} 种（占活动次数 {work}）；"
        "{all} 条活动间路径中最常见的 {ways} 条（占全部步骤的 {steps}，含起止）",
    ),
    "map colours": (
        "line colour: share of all waiting, 0 to {most}; width: how often",
        "线条颜色：占全部等待的比例，0 至 {most}；宽度：次数",
    ),
    "map texts": (
        "on lines: how often · {kind} wait from the end of one activity to the start of the next",
        "线上文字：次数 · 前一活动结束至后一活动开始的等待（{kind}）",
    ),
    "s": ("s", "秒"),
    "min": ("min", "分"),
    "h": ("h", "小时"),
    "d": ("d", "天"),
}


def word(key: str, language: str) -> str:
    """A word of the drawing."""
    return WORDS[key][language == "zh"]


def is_wide(character: str) -> bool:
    """Whether a character takes the place of two Latin ones."""
    return unicodedata.east_asian_width(character) in "WF"


def width_of(text: str, size: float) -> float:
    """Estimated width of a text in the units of the font size."""
    return size * sum(1.0 if is_wide(c) else 0.3 if c in _NARROW else 0.58 for c in text)


def _pieces(text: str) -> list[str]:
    """Where a line may break: after spaces and hyphens, and around every Chinese character."""
    pieces, piece = list[str](), ""
    for character in text:
        if is_wide(character):
            pieces += [piece, character] if piece else [character]
            piece = ""
        else:
            piece += character
            if character in " -/_":
                pieces.append(piece)
                piece = ""
    return [*pieces, piece] if piece else pieces


def wrapped(text: str, width: float, size: float, lines: int) -> list[str]:
    """A text in at most `lines` lines of a width; what does not fit ends in an ellipsis."""
    found, line = list[str](), ""
    for piece in _pieces(text):
        while width_of(piece, size) > width:
            cut = next(i for i in range(len(piece), 0, -1) if i == 1 or width_of(piece[:i], size) <= width)
            if line:
                found.append(line)
            line, piece = "", piece[cut:] if (head := piece[:cut]) else ""
            found.append(head)
        if line and width_of((line + piece).rstrip(), size) > width:
            found.append(line)
            line = ""
        line += piece
    if line:
        found.append(line)
    found = [f.strip() for f in found if f.strip()]
    if len(found) > lines:
        last = found[lines - 1]
        while last and width_of(last + "…", size) > width:
            last = last[:-1]
        found = [*found[: lines - 1], last.rstrip() + "…"]
    return found


def short_number(value: float) -> str:
    """A count or amount in at most about four digits."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g}M"
    if abs(value) >= 1e4:
        return f"{value / 1e3:.3g}k"
    return f"{value:.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"


def short_span(seconds: float, language: str) -> str:
    """A time span in the largest unit that leaves at least one."""
    for key, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {word(key, language)}"
    return f"{seconds:.2g} {word('s', language)}" if seconds else f"0 {word('s', language)}"
