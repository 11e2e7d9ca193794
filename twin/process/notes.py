"""What readers and fits had to assume or leave out: sentences with a key and parameters, in English and Chinese.

A note travels as its English sentence, through files too; `told` finds its key again and says it in another language.
"""

from __future__ import annotations

import re
from functools import cache

NOTES: dict[str, tuple[str, str]] = {
    # calendars
    "days_assumed": (
        "the exchange's holidays are known until {known}: later days are taken as trading days from Monday to Friday.",
        "交易所休市安排仅公布至 {known}：其后的周一至周五均按交易日处理。",
    ),
    # event logs
    "mixed_zones": (
        "{n} of {all} {what} name no zone and are taken as UTC; others do.",
        "{all} 个{what}中有 {n} 个未注明时区，按 UTC 处理；其余已注明。",
    ),
    "no_zone": ("{what} name no zone and are taken as {zone}.", "{what}未注明时区，按 {zone} 处理。"),
    "day_first": (
        "{what} such as {text} are read with the day first, as none of them tells.",
        "{what}（如 {text}）无法区分日与月，按日在前读取。",
    ),
    "times": ("Times", "时间"),
    "some_times": ("times", "时间"),
    "times_in": ("Times in {column}", "{column} 列的时间"),
    "some_times_in": ("times in {column}", "{column} 列的时间"),
    "no_starts": (
        "The log has no start times: every activity counts as an instant.",
        "日志没有开始时间：每项活动按瞬时处理。",
    ),
    "no_start_events": (
        "The log has no start events: every activity counts as an instant.",
        "日志没有开始事件：每项活动按瞬时处理。",
    ),
    "transitions": ("Transitions {names} are left out ({n} events).", "状态 {names} 未采用（{n} 个事件）。"),
    "own_transitions": (
        "No transition is start or complete: every event counts as an instant, whatever its transition ({names}).",
        "没有开始或完成的状态：无论状态（{names}），每个事件按瞬时处理。",
    ),
    "starts_beside": ("Starts are those of the attribute {name}.", "开始时间取自属性 {name}。"),
    "no_time_or_name": (
        "{n} events without a time or a name are left out; the first is {where}.",
        "{n} 个没有时间或名称的事件未采用；第一个在{where}。",
    ),
    "no_time": (
        "{n} rows without a time are left out; the first is row {row}.",
        "{n} 行没有时间，未采用；第一行为第 {row} 行。",
    ),
    "same_names": (
        "{n} traces bear the name of an earlier one: each is a case of its own, with a number added.",
        "{n} 个案例与之前的案例同名：各自为独立案例，名称后加编号。",
    ),
    "encoding": ("The file is not in UTF-8 and is read as {name}.", "文件不是 UTF-8，按 {name} 读取。"),
    "numbers_as_times": (
        "{what} are numbers and are taken as {unit} since 1970.",
        "{what}为数字，按 1970 年以来的 {unit} 处理。",
    ),
    "no_case_object": (
        "{n} events refer to no {kind} and are left out.",
        "{n} 个事件不涉及任何 {kind}，未采用。",
    ),
    "several_case_objects": (
        "{n} events refer to several and are repeated for each.",
        "{n} 个事件涉及多个案例对象，对每个各计一次。",
    ),
    # discovery
    "stage_whole": ("whole log", "全部日志"),
    "stage_split": ("inner split {n}", "内部切分 {n}"),
    "ends_before_start": (
        "{n} activities end before they start; they count as instants.",
        "{n} 项活动的结束早于开始，按瞬时处理。",
    ),
    "no_activity_name": (
        "{n} activities without a name are called 'unknown'.",
        "{n} 项活动没有名称，称为 unknown。",
    ),
    "no_resources": (
        "The log names no resources: nobody's time is limited in the model.",
        "日志没有执行人：模型中人员时间不受限。",
    ),
    "under_way": (
        "{n} cases were under way when recording began; they are no arrivals.",
        "记录开始时已有 {n} 个案例在办，不计为到达。",
    ),
    "clock_change": (
        "The clock changes on {day}: times before it are moved by {hours} h.",
        "时钟于 {day} 调整：此前的时间移动 {hours} 小时。",
    ),
    "closed_days": (
        "Nobody worked on {n} days on which work was to be expected: {days}.",
        "有 {n} 天本应有人工作而无人工作：{days}。",
    ),
    # forecasts
    "tells_path": (
        "Left out, since they tell how a case will go on: {names}.",
        "以下列预示案例的后续走向，未采用：{names}。",
    ),
    "silence": (
        "The log ends {end}: nothing is known of the {days} days before the instant.",
        "日志止于 {end}：该时刻之前的 {days} 天情况不明。",
    ),
    # diagrams
    "loop_marker": (
        "loop markers say not how often, and count as once: draw repetition as a way back from a gateway",
        "循环标记没有说明次数，按一次计：请用网关画出返回路径",
    ),
    "timer_unknown": ("{place}: the timer {text} is no plain duration", "{place}：定时器 {text} 不是简单时长"),
    "timer_repeated": (
        "{place}: of the repeated timer {text} the first counts",
        "{place}：重复定时器 {text} 只计第一次",
    ),
    "several_processes": (
        "of several processes {name} is read; left out, with its messages: {left}",
        "图中有多个流程，读取 {name}；未采用（连同其消息）：{left}",
    ),
    "several_starts": (
        "{n} start events are alternatives: a case begins at one of them",
        "{n} 个开始事件互为备选：案例从其中之一开始",
    ),
    "unreachable": ("no case can reach, and left out: {names}", "案例无法到达，未采用：{names}"),
    "event_assumed": (
        "{place}: it comes after 1 h in the mean, which is assumed",
        "{place}：平均 1 小时后发生（假定）",
    ),
    "instances_unsaid": (
        "{place}: how many instances is not said; it is done once",
        "{place}：未说明实例数，按一次处理",
    ),
    "failure_assumed": (
        "{place}: it fails in 5% of the cases, which is assumed",
        "{place}：5% 的案例失败（假定）",
    ),
    "all_assumed": (
        "staff without limit, times and shares are assumed: give parameters to change them",
        "人数不限、时长与比例均为假定：请提供参数加以修改",
    ),
    "deadline_shown": (
        "deadline {name}: the diagram shows only where it leads",
        "时限 {name}：图中只显示其去向",
    ),
    "no_case_patience": (
        "the patience of the whole case is not in the diagram",
        "图中不含整个案例的耐心时限",
    ),
    "shares_by_default": (
        "probabilities that depend on the case are shown by their default",
        "随案例变化的概率按默认值显示",
    ),
    "not_in_diagram": ("{place}: {key} is not in the diagram", "{place}：图中不含 {key}"),
    "rework_average": (
        "{place}: the limit of its rework is an average in the diagram",
        "{place}：返工次数上限在图中以平均值表示",
    ),
    "event_chance": (
        "{place}: the probability that an event comes at all is not in the diagram",
        "{place}：图中不含事件是否发生的概率",
    ),
    "hours_in_label": ("{place}: opening hours are in the label only", "{place}：开放时间只写在标签中"),
    # parameters of Prosimos
    "law_stuck": (
        "{place}: hardly a draw lies within its limits, so that it is always {value} s",
        "{place}：几乎没有抽样落在上下限内，因此恒为 {value} 秒",
    ),
    "global_attribute": (
        "attribute {name} of the whole simulation is drawn for each case",
        "整个模拟的属性 {name} 改为对每个案例抽取",
    ),
    "event_attributes": ("attributes that events change are left out", "由事件改变的属性未采用"),
    "many_priorities": (
        "of {n} levels of priority those from the {last}th on count as one",
        "共 {n} 个优先级，自第 {last} 个起合并为一级",
    ),
    "given_attribute": (
        "attribute {name}, which requests bring, is left out",
        "由请求带来的属性 {name} 未采用",
    ),
    "fuzzy": (
        "fuzzy calendars count as the likeliest hours, as many as are expected",
        "模糊日历按最可能的时段处理，时数等于期望值",
    ),
    "multitasking": (
        "multitasking: as many at once as are taken in half the cases or more, each at full speed",
        "并行处理：同时处理数取半数以上情形所达到的数目，各按全速进行",
    ),
    "unknown_task": (
        "task {name} of the parameters is not in the diagram",
        "参数中的任务 {name} 不在图中",
    ),
    "batch_in_row": (
        "{place}: every case goes on after its own part, not when the whole batch is done",
        "{place}：各案例完成自身部分后即继续，而非整批完成后",
    ),
    "given_to_on_duty": (
        "pool {pool}: Prosimos gives a case to whoever is free first, at work or not",
        "人员组 {pool}：Prosimos 把案例交给最先空闲的人，不论其是否在岗",
    ),
    "given_to_first_free": (
        "pool {pool}: as in Prosimos, a case goes to whoever is free first, at work or not, and may wait for his hours "
        "while others are at work; given_to: on_duty in the process file gives it to one at work",
        "人员组 {pool}：与 Prosimos 相同，案例交给最先空闲的人，不论其是否在岗，因此可能要等他上班，即使另有人在岗；"
        "在流程文件中写 given_to: on_duty，则只交给在岗的人",
    ),
    "batch_only": ("{place}: nothing of it is done outside batches", "{place}：不在批次之外处理"),
    "batch_mean": ("{place}: batches are of the mean size, {n}", "{place}：批次大小取均值 {n}"),
    "batch_since": (
        "{place}: the time since the last came counts as time since the first came",
        "{place}：距上一个到达的时间按距第一个到达的时间计",
    ),
    "border_left_out": ("{place}: the event on its border is left out", "{place}：边界事件未导出"),
    "done_once": ("{place}: done once instead of several times", "{place}：由多次改为一次"),
    "ends_are_one": ("all ends are one: {names}", "所有结束合并为一个：{names}"),
    "pool_is_large": ("pool {name} is of {n} instead of without limit", "资源池 {name} 由不限改为 {n} 人"),
    "trading_days": ("trading days count as Monday to Friday", "交易日按周一至周五计"),
    "default_times": (
        "{place}: service times are the default for all cases",
        "{place}：所有案例的处理时长均取默认值",
    ),
    "factors_lost": (
        "{place}: factors on its service times, by attribute or by hour, are left out",
        "{place}：按属性或按时段的处理时长系数未导出",
    ),
    "priorities_differ": (
        "priorities differ from task to task, and are left out",
        "各任务优先级不同，未导出",
    ),
    "no_arrivals": (
        "nothing is said of arrivals: one each hour in the mean",
        "未说明到达：平均每小时一个",
    ),
    "gap_runs_on": (
        "the time between arrivals runs on while nobody can come",
        "无法到达的时段内，到达间隔继续计时",
    ),
    "short_history": (
        "The next activity depends on the last {n} here, on up to {all} in the discovered process; --history goes "
        "further back.",
        "此处下一活动取决于前 {n} 个活动，原流程中最多取决于前 {all} 个；--history 可加长。",
    ),
    "rare_ways": (
        "{n} ways taken by less than {least} at their point are left out ({share} of all steps).",
        "{n} 条在其分支点占比低于 {least} 的路径未采用（占全部步骤的 {share}）。",
    ),
    "cases_drawn_apart": (
        "The discovered process repeats whole cases; here waits and services are drawn one by one, and nobody's time "
        "is limited.",
        "原流程重复整个案例；此处等待与处理逐项抽取，人员时间不受限。",
    ),
    "nobody_limited": (
        "Waits are drawn as observed and nobody's time is limited; `twin discover --structure workforce` gives staff "
        "who can be changed.",
        "等待按观测抽取，人员时间不受限；`twin discover --structure workforce` 给出可调整的人员。",
    ),
    "attributes_apart": (
        "The attributes of a case are drawn each by itself here, in the discovered process together: {names}.",
        "此处各案例属性独立抽取，原流程中一起抽取：{names}。",
    ),
    "steering_cut": (
        "After {place} there are too many combinations of attributes; these steer nothing there: {names}.",
        "{place} 之后属性组合过多，以下属性在该处不起作用：{names}。",
    ),
    "fading": (
        "early cases took other routes than late ones: a case weighs half when {share} of all have come after it",
        "早期案例与后期案例的路径不同：其后每到达全部案例的 {share}，案例权重减半",
    ),
    "stage_part": ("only the {part} of the cases", "仅用部分案例：{part}"),
    "latest_cases": (
        "fitted to the latest {n} of {of} cases: later ones are like these more than like all",
        "只用最近的 {n} 个案例（共 {of} 个）：此后的案例与其更相似",
    ),
    "loose_lost": (
        "that people often take other work than what came first is left out",
        "省略了人员常常不按先后次序处理工作的习惯",
    ),
    "batches_lost": (
        "Batches of {place} are begun one by one here: their times differ from day to day.",
        "{place} 的批次在此处逐个开始：各日批次时刻不同。",
    ),
    "batch_ends": (
        "What is begun together of {place} also ends together here, after the time that the first of it takes.",
        "{place} 中同时开始的工作在此处也同时结束，历时取其第一件。",
    ),
    "one_rate": (
        "arrivals have one rate, in the hours of their profile",
        "到达在其时段内取单一速率",
    ),
}


def note(key: str, /, **values: object) -> str:
    """A note in English.

    Args:
        key: of NOTES.
        **values: its parameters.
    """
    return NOTES[key][0].format(**values)


def told(text: str, language: str) -> str:
    """A note in a language; a text that is no note of these stays as it is."""
    if language == "en":
        return text
    for key, pattern in _patterns():
        match = pattern.fullmatch(text)
        if match is not None:
            values = match.groupdict()
            if "what" in values:  # a phrase within the sentence
                values["what"] = told(values["what"], language)
            return NOTES[key][1].format(**values)
    return text


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """How to find a note again: those with most words of their own first."""
    order = sorted(NOTES, key=lambda key: -len(re.sub(r"\{\w+\}", "", NOTES[key][0])))
    return tuple((key, _pattern(NOTES[key][0])) for key in order)


def _pattern(sentence: str) -> re.Pattern[str]:
    """What a note looks like with any values."""
    parts = re.split(r"\{(\w+)\}", sentence)
    return re.compile("".join(f"(?P<{p}>.+?)" if i % 2 else re.escape(p) for i, p in enumerate(parts)), re.DOTALL)
