"""Pictures of a discovered process: when cases arrive, when people work, how long work takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twin.process.discovery.model import DiscoveredProcess

_MS_PER_MINUTE = 60_000
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def draw(process: DiscoveredProcess, folder: Path) -> list[Path]:
    """Write the pictures as PNG files and return their paths."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    written = []

    def save(figure: Figure, name: str) -> None:
        figure.tight_layout()
        figure.savefig(folder / name, dpi=110)
        written.append(folder / name)

    figure = Figure(figsize=(9, 3))
    axes = figure.subplots()
    rate = np.asarray(process.arrivals.profile) * process.arrivals.per_week / 168
    axes.step(np.arange(168) / 24, rate, where="post")
    axes.set_xticks(range(7), _DAYS)
    axes.set_ylabel("cases per hour")
    axes.set_title("Arrivals by hour of the week (UTC)")
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
        axes.set_xticks(np.arange(7) * 48 - 0.5, _DAYS)
        axes.set_yticks(range(len(process.resources)), process.resources, fontsize=6)
        axes.set_title("Calendars by half hour of the week (UTC)")
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
    axes.set_title("How long work takes, time off included")
    axes.set_xlabel("minutes from start to end (box: quartiles, whiskers: 5% and 95%)")
    save(figure, "services.png")
    return written
