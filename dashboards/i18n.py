"""Messages of the command line in English and Chinese; labels of measures come from the scorecard's registry."""

from __future__ import annotations

import re

LANGUAGES = ("en", "zh")

_MESSAGES: dict[str, tuple[str, str]] = {
    "error": ("error: {text}", "错误：{text}"),
    "interrupted": ("interrupted; finished replications are kept", "已中断；已完成的重复运行会保留"),
    "usage_hint": ("See `{command} --help`.", "请看 `{command} --help`。"),
    "cannot_use": ("{path}: cannot be read or written: {what}", "{path}：无法读写：{what}"),
    "unknown_language": ("{value!r} is not a language", "不支持语言 {value!r}"),
    "languages_are": ("Give en or zh.", "可选 en 或 zh。"),
    # progress
    "reused": ("{run}: reused ({n} replications)", "{run}：直接使用已有结果（{n} 次重复）"),
    "resumed": ("{run}: resumed {found} of {n} replications", "{run}：接续运行，已有 {found}/{n} 次重复"),
    "planned": ("{run}: {n} replications to run", "{run}：将运行 {n} 次重复"),
    "progress": (
        "{run} #{rep}: {stage} {clock} {percent} {orders} orders {rate}/s",
        "{run} 第{rep}次：{stage} {clock} {percent} {orders} 笔委托 {rate} 笔/秒",
    ),
    "remaining": (", about {time} left", "，约剩 {time}"),
    "seconds": ("{n} s", "{n} 秒"),
    "minutes": ("{n} min", "{n} 分钟"),
    "took": ("{runs} replications computed in {time}", "用时 {time}，计算 {runs} 次重复"),
    # stages of a replication
    "start": ("starting", "启动"),
    "build": ("building", "搭建"),
    "trading": ("trading", "交易"),
    "night": ("night", "夜间清算"),
    "done": ("done", "完成"),
    # tables
    "measure": ("measure", "指标"),
    "segment": ("of", "对象"),
    "baseline": ("baseline", "基准"),
    "scenario": ("scenario", "情景"),
    "difference": ("difference", "差异"),
    "verdict": ("verdict", "判断"),
    "client_experience": ("Client experience", "客户体验"),
    "operating_efficiency": ("Operating efficiency", "运营效率"),
    "compliance": ("Compliance", "合规"),
    "better": ("better", "更好"),
    "worse": ("worse", "更差"),
    "same": ("same", "相同"),
    "more": ("more", "更多"),
    "less": ("less", "更少"),
    "can't tell": ("can't tell", "尚难判断"),
    "rose in one run": ("rose in one run", "单次运行上升"),
    "fell in one run": ("fell in one run", "单次运行下降"),
    # units
    "orders": ("orders", "笔"),
    "orders/s": ("orders/s", "笔/秒"),
    "ms": ("ms", "毫秒"),
    "s": ("s", "秒"),
    "min": ("min", "分钟"),
    "h": ("h", "小时"),
    "h of day": ("h of day", "时"),
    "share": ("share", "比例"),
    "logins": ("logins", "次"),
    "applications": ("applications", "份"),
    "calls": ("calls", "通"),
    "tickets": ("tickets", "件"),
    "clients": ("clients", "位"),
    "per 1,000 clients": ("per 1,000 clients", "每千客户"),
    "CNY": ("CNY", "元"),
    "fen": ("fen", "分"),
    "breaks": ("breaks", "笔"),
    "records": ("records", "条"),
    "checks": ("checks", "次"),
    "accounts": ("accounts", "个"),
    "alerts": ("alerts", "条"),
    "summary_one": ("{scenario}: {n} replications, seed {seed}", "{scenario}：{n} 次重复，种子 {seed}"),
    "summary_two": (
        "{scenario} against {baseline}: {n} replications, seed {seed}; difference is paired, with its 95% interval",
        "{scenario} 对比 {baseline}：{n} 次重复，种子 {seed}；差异为配对差及其 95% 置信区间",
    ),
    "one_replication": (
        "One replication gives no interval: add --replications 3.",
        "只有一次重复，无法给出置信区间：请加 --replications 3。",
    ),
    "run_folder": ("run folder: {path}", "运行目录：{path}"),
    "baseline_folder": ("baseline: {path}", "基准目录：{path}"),
    "report": ("report: {path}", "报告：{path}"),
    "name": ("name", "名称"),
    "title": ("title", "标题"),
    "seed": ("seed", "种子"),
    "replications": ("replications", "重复次数"),
    "time": ("computed in", "计算用时"),
    "folder": ("folder", "目录"),
    "no_runs": (
        "There are no runs in {path} yet. Begin with: twin run ordinary-day",
        "{path} 中还没有运行结果。可先运行：twin run ordinary-day",
    ),
    # replay
    "replay_stage_read": ("reading", "读取"),
    "replay_stage_match": ("matching", "撮合"),
    "replay_stage_done": ("done", "完成"),
    "replay_trades": ("trades: {matched} of {recorded} reproduced", "成交：{matched}/{recorded} 笔重现"),
    "replay_trades_unnamed": (
        "  {n} of them with a resting order that the file does not name",
        "  其中 {n} 笔的挂单在文件中没有编号",
    ),
    "replay_trades_out_of_turn": (
        "  {n} more executed out of turn: the venue passed over an older order at that price",
        "  另有 {n} 笔越序成交：交易所越过了同价位更早的委托",
    ),
    "replay_trades_hidden": (
        "  {n} more with hidden orders, which the book does not show",
        "  另有 {n} 笔与隐藏委托成交，盘口不显示",
    ),
    "replay_trades_unverifiable": (
        "  {n} more of orders that the file does not show: not verifiable",
        "  另有 {n} 笔涉及文件未显示的委托，无法核对",
    ),
    "replay_trades_after_hours": (
        "  {n} rows after 15:05: after-hours trading is not modelled",
        "  15:05 之后 {n} 行：盘后交易未建模",
    ),
    "replay_cancels": ("cancels: {matched} of {recorded} with equal size", "撤单：{matched}/{recorded} 笔数量一致"),
    "replay_auction": (
        "opening call: {matched} of {checked} indicative prices and volumes equal",
        "开盘集合竞价：{matched}/{checked} 个参考价与匹配量一致",
    ),
    "replay_books": ("book rows: {matched} of {checked} equal", "盘口：{matched}/{checked} 行一致"),
    "replay_books_empty": (
        "  {n} published without any level (not verifiable)",
        "  {n} 行没有任何档位（无法核对）",
    ),
    "replay_books_start": ("  {n} more is where the book begins", "  另有 {n} 行为起始盘口"),
    "replay_levels_learned": (
        "  {n} levels came into view and were taken from the file",
        "  {n} 个新进入视野的档位取自文件",
    ),
    "replay_orders_unknown": (
        "{n} rows of orders that rested before the file began (not verifiable)",
        "{n} 行涉及文件开始前的委托（无法核对）",
    ),
    "replay_halts": ("{n} trading halts", "{n} 次停牌"),
    "replay_speed": (
        "{messages} messages: matching {seconds} s ({rate} per second), all in all {wall} s ({wall_rate} per second)",
        "{messages} 条消息：撮合 {seconds} 秒（每秒 {rate} 条），总计 {wall} 秒（每秒 {wall_rate} 条）",
    ),
    # discovery
    "discover_log": (
        "{cases} cases, {events} activities of {activities} kinds, {resources} resources",
        "{cases} 个案例，{events} 项活动（{activities} 种），{resources} 个资源",
    ),
    "discover_workforce": (
        "structure: workforce - individuals with calendars, whose time is limited; work queues for them",
        "结构：人员排队——个人有工作日历，时间有限，工作排队等待",
    ),
    "discover_timers": (
        "structure: timers - waits as observed, by time of the week; nobody's time is limited",
        "结构：计时——等待时间按一周时刻取自观测，不限制人员时间",
    ),
    "discover_resampled": (
        "structure: resampled - whole observed cases at new times; no mechanism, so it answers no what-if question",
        "结构：重采样——整条观测案例移到新时刻；没有机制，不能回答假设性问题",
    ),
    "discover_arrivals": (
        "arrivals: {rate} cases a week; all weeks of the log count alike",
        "到达：每周 {rate} 个案例；日志各周同等计入",
    ),
    "discover_arrivals_recent": (
        "arrivals: {rate} cases a week at the end of the log; {half_life} weeks earlier, a week counts half as much",
        "到达：日志末期每周 {rate} 个案例；每早 {half_life} 周，权重减半",
    ),
    "discover_routes": (
        "routes: context tree, histories of up to {depth} activities, {nodes} contexts",
        "路径：上下文树，历史最多 {depth} 项活动，{nodes} 个上下文",
    ),
    "discover_parallel": ("{n} pairs of activities run side by side", "{n} 对活动并行进行"),
    "discover_oldest": ("people take the oldest case first", "人员优先处理最早到达的案例"),
    "discover_fifo": ("people take what has waited longest first", "人员优先处理等待最久的工作"),
    "discover_loose": (
        "in {share} of the choices among waiting work it does not matter what came first",
        "在等待工作的选择中，{share} 不看先后",
    ),
    "discover_capacity": (
        "work at once that follows the clock: {teams}",
        "随时段变化的同时处理能力：{teams}",
    ),
    "discover_pauses": ("work rests outside the calendars", "日历之外工作暂停"),
    "discover_no_pauses": ("work under way goes on outside the calendars", "进行中的工作在日历之外继续"),
    "discover_attributes_none": (
        "attributes of cases ({names}): none steers services or routes beyond chance",
        "案例属性（{names}）：对处理时间与路径均无超出偶然的影响",
    ),
    "discover_attributes_moved": (
        "attributes of cases ({names}): each simulated case has those of the observed one that it repeats",
        "案例属性（{names}）：每个模拟案例沿用其所重现的观测案例的属性",
    ),
    "discover_service_effect": (
        "services of {activity} depend on {by}: {share} of what activity and person leave open; times {factors}",
        "“{activity}”的处理时间取决于 {by}：解释活动与人员之外差异的 {share}；系数 {factors}",
    ),
    "discover_any_activity": ("every activity", "所有活动"),
    "discover_route_effect": (
        "what follows {after} depends on {by}: knowing it removes {share} of the uncertainty there",
        "“{after}”之后的走向取决于 {by}：可消除该处不确定性的 {share}",
    ),
    "discover_case_start": ("the start of a case", "案例开始"),
    "discover_batch": (
        "{activity}: {share} of its instances are begun together with others ({batches} batches of {size} on average), "
        "{rule}; the rule says of {explained} of the later half with whom they were begun",
        "“{activity}”：{share} 与其他案例成批开始（共 {batches} 批，平均 {size} 件），{rule}；"
        "该规则正确预测后半段 {explained} 的成批关系",
    ),
    "discover_batch_none": (
        "{activity}: {share} of its instances are begun together with others ({batches} batches of {size} on average), "
        "but no rule of number or time explains it; not simulated",
        "“{activity}”：{share} 与其他案例成批开始（共 {batches} 批，平均 {size} 件），"
        "但数量或时间规则均不能解释；不作模拟",
    ),
    "discover_batch_size": ("as soon as {n} wait", "满 {n} 件即开始"),
    "discover_batch_wait": ("when the first has waited {wait} h", "首件等待 {wait} 小时后开始"),
    "discover_batch_either": (
        "as soon as {n} wait or the first has waited {wait} h",
        "满 {n} 件或首件等待 {wait} 小时即开始",
    ),
    "discover_batch_clock": ("at {n} fixed times of the week", "每周 {n} 个固定时刻开始"),
    "discover_fit_routes": (
        "fit of the routes: {bits} bits for each activity of held-out cases (0 = certain, {guess} = mere guessing)",
        "路径拟合：留出案例中每个后续活动 {bits} 比特（0 为完全确定，{guess} 为纯猜测）",
    ),
    "discover_fit_choices": (
        "fit of the order of work: {share} of {choices} observed choices between waiting work follow this rule",
        "工作次序拟合：{choices} 次在等待工作间的选择中，{share} 符合该规则",
    ),
    "discover_fit": ("fit of {part}: {measure} = {value}", "拟合 {part}：{measure} = {value}"),
    "discover_waiting": (
        "not explained by people and calendars: {share} of the waiting in the log",
        "人员与日历未能解释：日志中等待时间的 {share}",
    ),
    "discover_waiting_delays": (
        "; fitted as extraneous delays, whose cause the log does not show",
        "；按外部延迟拟合，日志未显示其原因",
    ),
    "discover_waiting_observed": (
        "; this structure takes waits as observed and explains none of them",
        "；该结构直接采用观测到的等待，不作解释",
    ),
    "discover_window": (
        "the log seems to hold only cases that had ended when its recording stopped; corrected for",
        "日志似乎只含记录截止前已结束的案例；已作修正",
    ),
    "discover_rivals": (
        "rivals, fitted to earlier cases, compared with later ones; 0 = equal, least score (ratio to the best) wins:\n"
        "  NGD order of activities; hours: AEDD on the time line, CEDD in the week, REDD in the case, CTDD cycle time",
        "备选结构比较：用较早案例拟合，与较晚案例对比；0 为相同，得分（与最优之比的均值）最低者胜出：\n"
        "  NGD 活动次序；以下单位小时：AEDD 时间轴，CEDD 一周之内，REDD 案例之内，CTDD 周期时间",
    ),
    "discover_replay": ("earlier cases again (naive replay, for comparison)", "较早案例原样重放（仅作对照）"),
    "discover_no_rivals": (
        "the log is too small to compare rivals, or only one was asked for",
        "日志太小，无法比较不同结构，或只要求一种结构",
    ),
    "discover_name_workforce": ("workforce", "人员排队"),
    "discover_name_timers": ("timers", "计时"),
    "discover_name_resampled": ("resampled", "重采样"),
    "discover_name_delays": (" with delays", "，含外部延迟"),
    "discover_name_whole": (", whole routes", "，整条路径"),
    "discover_name_latest_half": (", latest half of the cases", "，最近一半案例"),
    "discover_written": ("written: {path}", "已写入：{path}"),
    "discover_picture": ("picture: {path}", "图片：{path}"),
    "discover_map_log": ("{name}: the log", "{name}：日志"),
    "discover_map_process": ("{name}: simulated by the process", "{name}：由流程模拟"),
    "discover_stage": ("fitting: {what}", "正在拟合：{what}"),
    "simulated_log": ("{path}: {cases} cases, {activities} activities", "{path}：{cases} 个案例，{activities} 项活动"),
    "replay_equal": ("the replay equals the recording", "重放结果与记录一致"),
    "replay_equal_but": (
        "the replay equals the recording but for the executions out of turn (--strict counts them as differences)",
        "除越序成交外，重放结果与记录一致（--strict 将其计为不一致）",
    ),
    "replay_differs": (
        "the replay differs in {n} places, first at {row}: {first}",
        "重放结果与记录有 {n} 处不一致，首处 {row}：{first}",
    ),
    "dashboard_at": (
        "dashboard at http://127.0.0.1:{port} (Ctrl-C ends it)",
        "仪表板：http://127.0.0.1:{port}（按 Ctrl-C 结束）",
    ),
    "no_dashboard": ("the dashboard needs streamlit", "仪表板需要 streamlit"),
    "install_dashboard": (
        "Install the extra: pip install 'broker-twin[dashboard]'",
        "请安装：pip install 'broker-twin[dashboard]'",
    ),
    # a day of the exchange alone
    "market_progress": ("{done} of {n} instruments", "已完成 {done}/{n} 只证券"),
    "market_instruments": ("instruments", "证券"),
    "market_orders": ("new orders", "新委托"),
    "market_cancels": ("cancels", "撤单"),
    "market_trades": ("trades", "成交"),
    "market_turnover_cny": ("turnover, CNY", "成交额（元）"),
    "market_seconds": ("wall time, s", "用时（秒）"),
    "market_messages_per_second": ("messages per second", "每秒消息数"),
    "market_memory_mib": ("peak memory of the largest process, MiB", "最大进程的内存峰值（MiB）"),
    "market_digest": ("digest", "摘要"),
}


def say(key: str, language: str = "en", **values: object) -> str:
    """A message in a language with its values filled in; a word that is not known stands for itself.

    Args:
        key: of the message.
        language: `en` or `zh`.
        **values: what the message mentions.
    """
    texts = _MESSAGES.get(key)
    if texts is None:
        return key
    text = texts[LANGUAGES.index(language)]
    if not values:
        return text
    return re.sub(r"\b1 (replication)s\b", r"1 \1", text.format(**values))
