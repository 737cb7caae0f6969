"""`python -m tests.fuzz COUNT [SEED]`: the long form, in rounds on fresh data; prints what it found; exits 1 if so.

Each round has a seed of its own, so a finding's round can be run again.
"""

import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.test_fuzz import GROWTH_AT_MOST, run

ROUND = 256_000


def main(count: int, seed: int) -> int:
    """Run the rounds and report each."""
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
    print(f"{sum(answers.values()):,} requests, {bad} findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))
