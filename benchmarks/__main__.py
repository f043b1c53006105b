"""`python -m benchmarks [NAME...]`: run the named benchmarks, or all."""

from __future__ import annotations

import argparse
import importlib
from typing import Protocol, cast

# A benchmark is a module of this name with `run(repetitions)`; it measures and writes its own section.
BENCHMARKS = ("startup",)


class Benchmark(Protocol):
    def run(self, repetitions: int) -> int:
        """Measure, write the section; the exit status."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all when left out")
    parser.add_argument("-n", "--repetitions", type=int, default=15, help="of each measurement (default: %(default)s)")
    given = parser.parse_args()
    unknown = set(given.names) - set(BENCHMARKS)
    if unknown or given.repetitions < 1:
        parser.error(f"not a benchmark: {', '.join(sorted(unknown))}" if unknown else "at least one repetition")
    status = 0
    for name in given.names or BENCHMARKS:
        benchmark = cast(Benchmark, importlib.import_module(f"benchmarks.{name}"))
        status = max(status, benchmark.run(given.repetitions))
    return status


if __name__ == "__main__":
    raise SystemExit(main())
