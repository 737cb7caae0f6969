"""`python -m tests.fuzz REQUESTS [PARSED] [SEED]`: the long form; prints what it found, exits 1 if there was anything.

REQUESTS go through the whole edge to a real keyholder, in rounds on fresh data, each with a seed of its own, so that a
finding's round can be run again; PARSED go to the parsers alone.
"""

import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.parsers import Parsers
from tests.fuzz.test_fuzz import GROWTH_AT_MOST, run

ROUND = 256_000


def main(requests: int, parsed: int, seed: int) -> int:
    """Run both parts and report."""
    bad = parse(parsed, seed) + ask(requests, seed)
    print(f"{requests:,} requests and {parsed:,} inputs of parsers, {bad} findings")
    return 1 if bad else 0


def parse(count: int, seed: int) -> int:
    """Give inputs to the parsers and return how many findings there were."""
    began = time.monotonic()
    seen = Parsers(seed).run(count) if count else None
    if seen is None:
        return 0
    for name, data, what in seen.findings[:20]:
        print(f"FINDING {name} {data[:2000]!r} -> {what}")
    print(
        f"parsers: {seen.count:,} inputs, {seen.taken:,} taken, slowest {1000 * seen.slowest:.0f} ms, "
        f"{time.monotonic() - began:.0f} s",
        flush=True,
    )
    return len(seen.findings)


def ask(count: int, seed: int) -> int:
    """Send requests in rounds and return how many findings there were."""
    answers: Counter[str] = Counter()
    bad = 0
    began = time.monotonic()
    for number in range(-(-count // ROUND)):
        folder = Path(tempfile.mkdtemp(prefix="fuin-fuzz-"))
        try:
            found = run(folder, min(ROUND, count), seed + number)
        finally:
            shutil.rmtree(folder)
        for (_, status), times in found.answers.items():
            answers[status] += times
        bad += len(found.failures) + len(found.slow) + (found.grown > GROWTH_AT_MOST)
        for operation, body, answer in found.failures[:20]:
            print(f"FAILURE {operation} {body[:2000]!r} -> {answer!r}")
        for operation, body, took in found.slow[:20]:
            print(f"SLOW {operation} {took:.2f} s {body[:500]!r}")
        print(
            f"round {number}, seed {seed + number}: {sum(answers.values()):,} requests in all, {dict(answers)}, "
            f"slowest {1000 * found.slowest:.0f} ms, memory {found.grown / 2**20:+.0f} MiB, "
            f"{time.monotonic() - began:.0f} s",
            flush=True,
        )
    return bad


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(*given, *(2_000_000, 8_000_000, 1)[len(given) :]))
