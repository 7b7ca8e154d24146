"""`python -m tests.bench [--json] [--only NAME] [--rounds N]`: measures, and prints one table."""

import argparse
import asyncio
import json
import sys
import time

from tests.bench.measures import cpu, edit, fair, flat, idle, profile, rate, start
from tests.bench.table import Part, explained, written

MEASURES = {
    "edit": edit.measure,
    "cpu": cpu.measure,
    "rate": rate.measure,
    "idle": idle.measure,
    "start": start.measure,
    "fair": fair.measure,
    "flat": flat.measure,
    "profile": profile.measure,
}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="What Darkroom costs, in one table.")
    parser.add_argument("--only", action="append", choices=MEASURES, help="one measure; may be said several times")
    parser.add_argument("--json", action="store_true", help="print JSON with every single value")
    parser.add_argument("--rounds", type=int, default=5, help="how often what is quick is measured (5)")
    asked = parser.parse_args()
    parts = asyncio.run(_measured(asked.only or list(MEASURES), asked.rounds))
    sys.stdout.write((_as_json(parts) if asked.json else _as_text(parts)) + "\n")


async def _measured(names: list[str], rounds: int) -> list[Part]:
    parts = []
    for name in names:
        began = time.monotonic()
        parts.append(await MEASURES[name](rounds))
        sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    return parts


def _as_text(parts: list[Part]) -> str:
    rows = [row for part in parts for row in part.rows]
    texts = [written(rows)] if rows else []
    return "\n\n".join(texts + [explained(*each) for part in parts for each in part.explained])


def _as_json(parts: list[Part]) -> str:
    more = {
        heading: {step.name: step.numbers for step in steps} for part in parts for heading, _, steps in part.explained
    }
    return json.dumps({"figures": [row.as_json() for part in parts for row in part.rows], "explained": more}, indent=2)


if __name__ == "__main__":
    main()
