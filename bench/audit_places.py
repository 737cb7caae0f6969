"""What it costs to wait for a second place of the log: `python -m bench.audit_places`.

GenerateDataKey at one node of one worker, with `--audit local` and `--audit cluster`, and at an embedded server, which
copies nothing; the store of the copies is a stand-in for S3, in memory, so its own time is small. In turn, three times.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import fake_s3
from tests.support.postgres import PostgresServer, missing

from bench import measure, targets
from bench.more_nodes import NAMES, Installation

if TYPE_CHECKING:
    from bench.measure import Row
    from bench.targets import Target

ROUNDS, SECONDS = 3, 3.0
RESULT = Path(__file__).parent / "results" / "audit_places.json"


def measure_server(server: Target, connections: int) -> Row:
    """Measure GenerateDataKey at a server."""
    key = str(measure.client(server, "kms").create_key()["KeyMetadata"]["KeyId"])
    members: dict[str, object] = {"KeyId": key, "KeySpec": "AES_256"}
    return measure.operation(server, "GenerateDataKey", members, connections, SECONDS)


def main() -> None:
    """Run the servers one after the other, and print rates and times."""
    if (reason := missing()) is not None:
        print(f"the places of the log are not measured: {reason}")
        return
    found: dict[tuple[str, int], list[Row]] = {}
    with contextlib.ExitStack() as outer:
        folder = Path(outer.enter_context(tempfile.TemporaryDirectory(prefix="fuin-bench-audit-")))
        bucket = outer.enter_context(fake_s3.running())
        postgres = PostgresServer()
        outer.callback(postgres.remove)
        postgres.start()
        made = Installation(folder / "nodes", postgres.socket_url(postgres.create()), bucket.server_address[1])
        made.init()
        for number in range(ROUNDS):
            for places in ("embedded", "local", "cluster"):
                with contextlib.ExitStack() as stack:
                    if places == "embedded":
                        server = stack.enter_context(targets.fuin(folder / f"embedded{number}"))
                    else:
                        server = made.start(NAMES[0], stack, ["--audit", places])
                    for connections in (1, 32):
                        found.setdefault((places, connections), []).append(measure_server(server, connections))
    results = []
    for (places, connections), rows in found.items():
        rate = statistics.median(row.per_second or 0 for row in rows)
        p50, p99 = (statistics.median(getattr(row, name) or 0 for row in rows) for name in ("p50_ms", "p99_ms"))
        results.append({"audit": places, "connections": connections, "per_second": rate, "p50_ms": p50, "p99_ms": p99})
        print(f"--audit {places}, {connections} connections: {rate:,.0f}/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    RESULT.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
