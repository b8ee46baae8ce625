"""What every benchmark prints and how it takes times; no claim of its own."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

TABLES = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"


def versions(*packages: str) -> str:
    """Name the interpreter, the packages, the threads of linear algebra, and how busy the machine is."""
    names = ("numpy", "scipy", "scikit-learn", "numba", *packages)
    listed = [f"{name} {importlib.metadata.version(name)}" for name in names]
    threads = max((pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"), default=1)
    load = f"; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores" if hasattr(os, "getloadavg") else ""
    return f"Python {platform.python_version()}, {', '.join(listed)}; {processor()}; {threads} thread(s){load}"


def processor() -> str:
    """Name the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def seconds(*calls: Callable[[], Any], repeats: int = 5, rest: float = 0.0) -> list[float]:
    """
    Time several calls in turns, after one untimed round, and return the median of each.

    Turns let whatever else the machine does fall on all of them alike, so that ratios mean something. Threads of linear
    algebra keep a core busy for some time after a product: with several threads calls need a rest before each.
    """
    for call in calls:
        call()
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, taken in zip(calls, times, strict=True):
            time.sleep(rest)
            start = time.perf_counter()
            call()
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in times]


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Format a Markdown table; numbers with three significant digits."""
    lines = [header, ["---"] * len(header), *rows]
    cells = [[f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def publish(name: str, title: str, command: str, *parts: str) -> None:
    """Print a page and write it below the documentation's benchmarks."""
    text = "\n\n".join([f"# {title}", f"`{command}`", *parts]) + "\n"
    print(text)
    TABLES.mkdir(parents=True, exist_ok=True)
    (TABLES / f"{name}.md").write_text(text, encoding="utf-8")
