"""Words of the command `twin rules` in English and Chinese."""

from __future__ import annotations

from dashboards.i18n import LANGUAGES

_WORDS: dict[str, tuple[str, str]] = {
    "rule": ("rule", "规则"),
    "market": ("market", "市场"),
    "status": ("status", "状态"),
    "value": ("value", "内容"),
    "since": ("since", "起始"),
    "source": ("source", "依据"),
    "confidence": ("confidence", "可信度"),
    "official": ("official", "官方"),
    "press": ("press", "媒体"),
    "general knowledge": ("general knowledge", "常识"),
    "title": ("Trading rules of {date}", "{date} 交易规则"),
    "legal": ("legal: {why}", "有效：{why}"),
    "refused": ("refused: {why}", "无效：{why}"),
    "by": ("{source} ({confidence}; since {since})", "{source}（{confidence}；自 {since} 起）"),
    "none": ("none", "无"),
    # statuses
    "normal": ("normal", "正常"),
    "st": ("ST", "风险警示"),
    "delisting": ("delisting", "退市整理"),
    "delisting_first": ("first delisting day", "退市整理首日"),
    "new": ("new", "新股"),
    # rules
    "existence": ("on record", "有记录"),
    "new_listing": ("new listing", "新股期"),
    "price_limit": ("price limit", "涨跌幅限制"),
    "limit_rounding": ("limit rounding", "涨跌停价取整"),
    "tick": ("tick", "最小变动单位"),
    "quantity": ("order size", "申报数量"),
    "cage": ("price cage", "有效申报价格范围"),
    "free_band": ("band without limit", "无涨跌幅限制时的范围"),
    "order_kinds": ("order kinds", "申报方式"),
    "sessions": ("sessions", "交易时间"),
    "no_cancel": ("no cancels", "不可撤单"),
    "acceptance": ("orders taken", "接受申报"),
    "auction": ("call tie-break", "集合竞价同价取舍"),
    "closing_price": ("closing price", "收盘价"),
    "halt": ("volatility halt", "盘中临时停牌"),
    "after_hours": ("trading at the close", "盘后固定价格交易"),
    "settlement": ("settlement", "交收"),
    "circuit_breaker": ("circuit breaker", "指数熔断"),
    # values
    "days": ("counts as new for {n} trading day(s)", "上市后 {n} 个交易日"),
    "limits": ("-{down}% / +{up}%", "-{down}% / +{up}%"),
    "half_up": ("half-up to the tick", "四舍五入至最小变动单位"),
    "floor": (", at least {n} tick off", "，至少相差 {n} 个变动单位"),
    "floor_to": (" up to a close of {n} ticks", "（前收盘价不高于 {n} 个变动单位时）"),
    "sizes": (
        "from {smallest:,} in steps of {step:,}; limit up to {limit:,}, market up to {market:,}",
        "{smallest:,} 起，按 {step:,} 递增；限价不超过 {limit:,}，市价不超过 {market:,}",
    ),
    "cage_is": ("{n}% off the reference", "基准价格 ±{n}%"),
    "or_ticks": (" or {n} ticks", " 或 {n} 个变动单位"),
    "parks": (", outside waits", "，超出者暂存"),
    "refuses": (", outside is refused", "，超出者无效"),
    "opening": ("opening call {low}% to {high}%", "开盘集合竞价 {low}% 至 {high}%"),
    "later": ("later {n}% off the last trade", "其后最近成交价 ±{n}%"),
    "protective": (" (market orders with a protective limit)", "（市价申报须有保护限价）"),
    "open_call": ("opening call", "开盘集合竞价"),
    "continuous": ("continuous", "连续竞价"),
    "close_call": ("closing call", "收盘集合竞价"),
    "held": ("held until the next session", "接受但暂不处理"),
    "unmatched_then_middle": ("least unmatched volume, then the middle", "未成交量最小，再取中间价"),
    "difference_then_nearest": (
        "least difference of the sides, then nearest to the last price",
        "买卖累计数量之差最小，再取最接近前收盘价或最近成交价",
    ),
    "closing_call": ("closing call", "收盘集合竞价"),
    "last_minute_vwap": ("average of the last minute", "最后一分钟成交量加权平均价"),
    "last_trade": ("last trade", "最后一笔成交价"),
    "otherwise": ("{a}, else {b}", "{a}，否则 {b}"),
    "halts": (
        "{first}% and {second}% off the open, {minutes} min, until {until}",
        "较开盘价 {first}% 与 {second}%，各停 {minutes} 分钟，不晚于 {until}",
    ),
    "to_end": (" (the second to the end)", "（第二次停至该时）"),
    "after": (
        "{trading}; orders {entry}, up to {largest:,}",
        "{trading}；申报时间 {entry}，单笔不超过 {largest:,}",
    ),
    "breaker": (
        "{index}: {first}% halts {minutes} min, from {close_from} to the close; {second}% ends the day",
        "{index}：{first}% 暂停 {minutes} 分钟（{close_from} 起至收市）；{second}% 暂停至收市",
    ),
    "limit": ("limit", "限价"),
    "best5_ioc": ("best five, rest cancelled", "最优五档剩余撤销"),
    "best5_limit": ("best five, rest to limit", "最优五档剩余转限价"),
    "own_best": ("own side's best", "本方最优"),
    "counter_best": ("other side's best", "对手方最优"),
    "sweep": ("all levels, rest cancelled", "即时成交剩余撤销"),
    "fok": ("fill or kill", "全额成交或撤销"),
}


def say(key: str, language: str, **values: object) -> str:
    """A message in a language (`en`, `zh`) with its values filled in."""
    text = _WORDS[key][LANGUAGES.index(language)]
    return text.format(**values) if values else text
