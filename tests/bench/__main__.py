"""`python -m tests.bench [--json] [--only NAME] [--rounds N]`: runs the benchmarks, and prints one table."""

import argparse
import asyncio
import json
import sys
import time

from tests.bench.benchmarks import cpu, idle, latency, load
from tests.bench.report import BenchmarkResult, render_breakdown, render_measurements

BENCHMARKS = {
    "edit": latency.measure_edit,
    "cpu": cpu.measure_cpu,
    "rate": load.measure_rate,
    "idle": idle.measure_idle,
    "start": latency.measure_start,
    "fair": load.measure_fairness,
    "flat": load.measure_scaling,
    "profile": cpu.measure_profile,
}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="What Darkroom costs, in one table.")
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="one measure; may be said several times")
    parser.add_argument("--json", action="store_true", help="print JSON with every single value")
    parser.add_argument("--rounds", type=int, default=5, help="how often what is quick is measured (5)")
    asked = parser.parse_args()
    parts = asyncio.run(_run_benchmarks(asked.only or list(BENCHMARKS), asked.rounds))
    sys.stdout.write((_render_json(parts) if asked.json else _render_text(parts)) + "\n")


async def _run_benchmarks(names: list[str], rounds: int) -> list[BenchmarkResult]:
    parts = []
    for name in names:
        began = time.monotonic()
        parts.append(await BENCHMARKS[name](rounds))
        sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    return parts


def _render_text(parts: list[BenchmarkResult]) -> str:
    rows = [row for part in parts for row in part.measurements]
    texts = [render_measurements(rows)] if rows else []
    return "\n\n".join(texts + [render_breakdown(*each) for part in parts for each in part.breakdowns])


def _render_json(parts: list[BenchmarkResult]) -> str:
    more = {
        heading: {step.name: step.numbers for step in steps} for part in parts for heading, _, steps in part.breakdowns
    }
    return json.dumps(
        {"figures": [row.as_json() for part in parts for row in part.measurements], "explained": more}, indent=2
    )


if __name__ == "__main__":
    main()
