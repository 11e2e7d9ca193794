"""The ratios of all origins in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.process_accuracy.origins import AtOrigin
from benchmarks.process_accuracy.origins_cells import by_log, cells_of, pair, ratio
from benchmarks.process_accuracy.report import FAR
from twin.measures.log_distances import NAMES


def draw(results: Sequence[AtOrigin], path: Path) -> None:
    """Ratios to replay on a logarithmic scale, a row for each log and distance; those to or of 0 are not shown."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    logs = by_log(results)
    rows = [(mine, cell) for mine in logs for cell in cells_of(mine)]
    shares = sorted({result.share for result in results})
    colour = {share: colormaps["viridis"](0.05 + 0.85 * i / max(1, len(shares) - 1)) for i, share in enumerate(shares)}
    figure = Figure(figsize=(8, 1.6 + 0.24 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for y, (mine, cell) in enumerate(rows):
        for result in mine:
            of = ratio(*pair(result, cell.metric))
            if of > 0:
                axes.plot(of, y, marker="o", color=colour[result.share], markersize=4.5, alpha=0.85, linestyle="none")
        if cell.ratio > 0:
            better = "tab:green" if cell.ratio < 1 else "tab:red"
            axes.plot(cell.ratio, y, marker="|", color=better, markersize=13, markeredgewidth=3)
        axes.axhline(y - 0.5, color="0.92", linewidth=0.5, zorder=0)
    for y in range(0, len(rows), len(NAMES)):
        axes.axhline(y - 0.5, color="0.6", linewidth=0.8)
    axes.axvline(1, color="black", linewidth=1)
    axes.axvline(FAR, color="0.5", linewidth=0.8, linestyle=":")
    axes.set_xscale("log", base=2)
    axes.set_yticks(range(len(rows)), [f"{cell.log}  {cell.metric}" for _, cell in rows], fontsize=7)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("distance of the twin over naive replay: origins (dots), means (bars); left = better", fontsize=8)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.tick_params(axis="x", labelsize=7)
    dots = [axes.plot([], [], marker="o", linestyle="none", markersize=4.5, color=colour[s])[0] for s in shares]
    figure.legend(
        dots, [f"{share:g}" for share in shares], title="origin: share of activities ended", title_fontsize=7,
        fontsize=7, ncols=len(shares), loc="outside upper center", frameon=False,
    )  # fmt: skip
    figure.savefig(path, dpi=130)
