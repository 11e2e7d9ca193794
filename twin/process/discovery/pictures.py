"""Pictures of a discovered process: when cases arrive, when people work, how long work takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twin.process.discovery.model import DiscoveredProcess

_MS_PER_MINUTE = 60_000
_DAYS = (("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), ("周一", "周二", "周三", "周四", "周五", "周六", "周日"))
_WORDS = {
    "rate": ("cases per hour", "每小时案例数"),
    "arrivals": ("Arrivals by hour of the week (UTC)", "一周各小时的到达（UTC）"),
    "calendars": ("Calendars by half hour of the week (UTC)", "一周各半小时的工作日历（UTC）"),
    "services": ("How long work takes, time off included", "处理时长（含非工作时间）"),
    "minutes": (
        "minutes from start to end (box: quartiles, whiskers: 5% and 95%)",
        "开始到结束的分钟数（箱：四分位；须：5% 与 95%）",
    ),
}


def draw(process: DiscoveredProcess, folder: Path, language: str = "en") -> list[Path]:
    """Write the pictures as PNG files and return their paths.

    Args:
        process: what was discovered.
        folder: where to.
        language: en or zh, which needs a font that has its characters.
    """
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    second = language == "zh"
    words, days = {key: texts[second] for key, texts in _WORDS.items()}, _DAYS[second]

    def save(figure: Figure, name: str) -> None:
        figure.tight_layout()
        figure.savefig(folder / name, dpi=110)
        written.append(folder / name)

    figure = Figure(figsize=(9, 3))
    axes = figure.subplots()
    rate = np.asarray(process.arrivals.profile) * process.arrivals.per_week / 168
    axes.step(np.arange(168) / 24, rate, where="post")
    axes.set_xticks(range(7), days)
    axes.set_ylabel(words["rate"])
    axes.set_title(words["arrivals"])
    save(figure, "arrivals.png")
    if process.workforce is not None:
        figure = Figure(figsize=(9, 1.5 + 0.16 * len(process.resources)))
        axes = figure.subplots()
        axes.imshow(
            process.workforce.calendar.reshape(-1, 336),
            aspect="auto",
            cmap="Blues",
            vmin=0.0,
            vmax=1.4,
            interpolation="nearest",
        )
        axes.set_yticks(np.arange(len(process.resources) + 1) - 0.5, minor=True)
        axes.grid(which="minor", axis="y", color="white", linewidth=1.0)
        axes.tick_params(which="minor", length=0)
        axes.set_xticks(np.arange(7) * 48 - 0.5, days)
        axes.set_yticks(range(len(process.resources)), process.resources, fontsize=6)
        axes.set_title(words["calendars"])
        save(figure, "calendars.png")
    services = process.timing.services
    figure = Figure(figsize=(9, 1.5 + 0.25 * len(process.activities)))
    axes = figure.subplots()
    groups = [
        np.maximum(services.milliseconds[a:b] / _MS_PER_MINUTE, 1e-3)
        for a, b in zip(services.group[:-1].tolist(), services.group[1:].tolist(), strict=True)
    ]
    axes.boxplot(groups, orientation="horizontal", whis=(5, 95), showfliers=False)
    axes.set_yticks(range(1, len(groups) + 1), process.activities, fontsize=7)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_title(words["services"])
    axes.set_xlabel(words["minutes"])
    save(figure, "services.png")
    return written
