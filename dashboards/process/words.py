"""Words of the command `twin process` in English and Chinese."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.i18n import LANGUAGES

_WORDS: dict[str, tuple[str, str]] = {
    "activity": ("activity", "活动"),
    "pool": ("pool", "资源池"),
    "cases": ("cases", "案例"),
    "wait": ("wait", "等待"),
    "service": ("service", "处理"),
    "abandoned": ("abandoned", "放弃"),
    "cost": ("cost CNY", "成本（元）"),
    "utilisation": ("utilisation", "利用率"),
    "queue": ("mean queue", "平均队长"),
    "busy": ("busy h", "忙碌（小时）"),
    "paid": ("paid h", "在岗（小时）"),
    "measure": ("measure", "指标"),
    "mean": ("mean", "均值"),
    "interval": ("95% interval", "95% 区间"),
    "served": ("cases served", "完成案例"),
    "refused": ("refused", "拒绝"),
    "inside": ("under way at the end", "期末在办"),
    "cycle_s": ("cycle time", "周期时间"),
    "cycle_p50_s": ("cycle time, median", "周期时间中位数"),
    "cycle_p90_s": ("cycle time, 90th percentile", "周期时间90分位"),
    "wait_s": ("waiting per case", "每案等待"),
    "cost_per_case": ("cost per case, CNY", "每案成本（元）"),
    "note": ("note: {text}", "说明：{text}"),
    "drawing": ("drawing: {path}", "图：{path}"),
    "log": ("event log of the first replication: {path}", "首次重复的事件日志：{path}"),
    "tables": ("tables: {path}", "表：{path}"),
    "written": ("written: {path}", "已写出：{path}"),
    "parameters": ("parameters: {path}", "参数：{path}"),
    "compiling": (
        "still at the first replication; after an installation or update, kernels are compiled first (a minute or two)",
        "首次重复尚未完成；安装或更新后首次运行需先编译内核（约一两分钟）",
    ),
    "kind_deadline": ("deadlines", "时限"),
    "kind_members": ("people who differ", "人员各异"),
    "kind_preempt": ("work that interrupts work", "抢占"),
    "kind_queue": ("the oldest case first", "先办最早案例"),
    "kind_at_end_of_shift": ("work that rests after the shift", "下班后暂停"),
    "kind_calendar": ("delays by a calendar", "按日历的延时"),
    "kind_scale": ("times by the case", "时长随案例变化"),
    "kind_retry": ("trying again", "重试"),
    "kind_skills": ("skills", "技能"),
    "kind_by_member": ("times by the person", "时长因人而异"),
    "kind_by_hour": ("times by the hour", "时长随时段变化"),
    "kind_boundary": ("events on borders", "边界事件"),
    "kind_repeat": ("several instances", "多实例"),
    "kind_batch": ("batches", "批处理"),
    "kind_queue_limit": ("queues with a limit", "队列上限"),
    "kind_task": ("task", "任务"),
    "kind_choice": ("choice", "选择"),
    "kind_delay": ("delay", "延时"),
    "kind_window": ("window", "时间窗"),
    "kind_end": ("end", "结束"),
    "kind_fork": ("parallel branches", "并行分支"),
    "kind_join": ("parallel join", "并行汇合"),
    "kind_inclusive_split": ("inclusive branches", "相容分支"),
    "kind_inclusive_join": ("inclusive join", "相容汇合"),
    "kind_race": ("waiting for the first of several events", "事件竞争"),
    "progress": ("replication {done} of {n}", "重复 {done}/{n}"),
    "sound": ("{name}: sound", "{name}：可以运行"),
    "kind": ("node kind", "节点类型"),
    "number": ("number", "数量"),
    "staff": ("staff", "人数"),
    "hours": ("hours", "工时"),
    "always": ("always", "全天"),
    "unlimited": ("unlimited", "不限"),
    "arrivals": ("arrivals", "到达"),
    "general": (
        "runs in the general kernel (slower than the fast one), because of {why}",
        "因以下要素在通用内核中运行（慢于快速内核）：{why}",
    ),
    "fast": ("runs in the fast kernel", "在快速内核中运行"),
    "caption_days": ("replications: {n}, of {days} days each", "{n} 次重复，每次 {days} 天"),
    "caption_cases": ("replications: {n}, of {cases} cases each", "{n} 次重复，每次 {cases} 例"),
    "caption_warm_up": (", after {weeks} weeks of warm-up", "，预热 {weeks} 周"),
}


def say(key: str, language: str = "en", **values: object) -> str:
    """A word or sentence in a language."""
    return _WORDS[key][LANGUAGES.index(language)].format(**values)


def joined(words: Sequence[str], language: str) -> str:
    """Words one after another."""
    return ("、" if language == "zh" else ", ").join(words)
