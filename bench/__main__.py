"""`make bench`: measure, then write a table and a plot to bench/results/."""

from __future__ import annotations

import base64
import json
import os
import platform
import subprocess
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench import decisions, measure, objects, primitives, targets
from bench.measure import MIB, Row

if TYPE_CHECKING:
    from bench.targets import Target

RESULTS = Path(__file__).parent / "results"
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
BULK = int(os.environ.get("BENCH_BULK_MIB", "256")) * MIB
LARGE = int(os.environ.get("BENCH_LARGE_MIB", "1024")) * MIB
BUCKET = "bench"
SIGNING = {"ECC_NIST_P256": "ECDSA_SHA_256", "RSA_2048": "RSASSA_PSS_SHA_256", "ML_DSA_65": "ML_DSA_SHAKE_256"}


def main() -> None:
    """Measure both servers in one run."""
    rows: list[Row] = [show(row) for row in decisions.rows()]
    with tempfile.TemporaryDirectory(prefix="fuin-bench-") as folder, targets.fuin(Path(folder) / "data") as server:
        rows += kms(server) + kinds(server) + bulk(server)
        rows += large(server) + small(server)
    with targets.moto() as server:
        rows += kms(server) + bulk(server)
    write(rows)


def kms(server: Target) -> list[Row]:
    """Measure the envelope operations."""
    client = measure.client(server, "kms")
    key = client.create_key()["KeyMetadata"]["KeyId"]
    context = {"purpose": "bench", "tenant": "0001"}
    pair = client.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
    make = {"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": context}
    read: dict[str, object] = {
        "CiphertextBlob": base64.b64encode(pair["CiphertextBlob"]).decode(),
        "EncryptionContext": context,
    }
    wanted = [("GenerateDataKey", make, 32), ("GenerateDataKey", make, 1), ("Decrypt", read, 32)]
    return [show(repeated(server, name, members, connections)) for name, members, connections in wanted]


def kinds(server: Target) -> list[Row]:
    """Measure a use of each kind of key, beside its bare primitive: what a request costs beyond the cryptography."""
    client = measure.client(server, "kms")
    bare = primitives.bare()
    message = base64.b64encode(primitives.MESSAGE).decode()

    def made(spec: str, usage: str) -> str:
        return str(client.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"])

    symmetric = made("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    blob = client.encrypt(KeyId=symmetric, Plaintext=primitives.MESSAGE)["CiphertextBlob"]
    wanted: dict[str, dict[str, object]] = {
        "Encrypt": {"KeyId": symmetric, "Plaintext": message},
        "Decrypt": {"CiphertextBlob": base64.b64encode(blob).decode()},
        "GenerateMac HMAC_256": {
            "KeyId": made("HMAC_256", "GENERATE_VERIFY_MAC"), "MacAlgorithm": "HMAC_SHA_256", "Message": message,
        },
    }  # fmt: skip
    for spec, algorithm in SIGNING.items():
        key = made(spec, "SIGN_VERIFY")
        wanted[f"Sign {spec}"] = {"KeyId": key, "SigningAlgorithm": algorithm, "Message": message}
    rows = []
    for label, members in wanted.items():
        row = repeated(server, label.split()[0], members, 32, f"{label}, 256 bytes")
        rows.append(show(replace(row, bare_us=bare[label])))
    return rows


def repeated(server: Target, name: str, members: dict[str, object], connections: int, label: str = "") -> Row:
    """Measure an operation five times and return the run whose CPU is the median."""
    tries = [measure.operation(server, name, members, connections, SECONDS, label) for _ in range(5)]
    return sorted(tries, key=lambda row: row.cpu_us or 0)[2]


def bulk(server: Target) -> list[Row]:
    """Measure PUT and GET of one object under SSE-KMS; the median of three."""
    client = measure.client(server, "kms")
    key = client.create_key()["KeyMetadata"]["Arn"]
    measure.client(server, "s3").create_bucket(Bucket=BUCKET)
    sse = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": key}
    size = f"{BULK // MIB} MiB, SSE-KMS"
    rows = []
    for method, more, label in (("PUT", sse, f"PUT {size}, signed payload"), ("GET", {}, f"GET {size}")):
        tries = [measure.transfer(server, method, f"/{BUCKET}/object", BULK, more, label) for _ in range(3)]
        rows.append(show(sorted(tries, key=lambda row: row.cpu_s_per_gb or 0)[1]))
    return rows


def large(server: Target) -> list[Row]:
    """Measure how the server's memory grows while a large object passes."""
    client = measure.client(server, "kms")
    key = client.create_key()["KeyMetadata"]["Arn"]
    sse = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": key}
    size = f"{LARGE // MIB} MiB, SSE-KMS"
    return [
        show(measure.transfer(server, "PUT", f"/{BUCKET}/large", LARGE, sse, f"PUT {size}")),
        show(measure.transfer(server, "GET", f"/{BUCKET}/large", LARGE, {}, f"GET {size}")),
    ]


def small(server: Target) -> list[Row]:
    """Measure objects of 4 KiB under SSE-KMS, and a list of 1,000 keys; CPU is the tenth percentile of the rounds."""
    client = objects.Client(server.name, server)
    figures = objects.compare([client])
    client.close()
    kinds = {"LIST": "LIST 1,000 keys"}
    return [
        show(Row(server.name, kinds.get(one.kind, f"{one.kind}, 4 KiB, SSE-KMS"), cpu_us=one.p10, p50_ms=one.p50_ms))
        for one in figures
    ]


def show(row: Row) -> Row:
    """Print a row as it comes."""
    print("  ".join(f"{name}={value:.4g}" if isinstance(value, float) else f"{value}"
                    for name, value in asdict(row).items() if value is not None), flush=True)  # fmt: skip
    return row


def write(rows: list[Row]) -> None:
    """Write latest.json and latest.md, and the plot by the environment that has matplotlib."""
    RESULTS.mkdir(exist_ok=True)
    about: dict[str, object] = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "kernel": platform.release().split("-")[0],
    }
    (RESULTS / "latest.json").write_text(json.dumps({"about": about, "rows": [asdict(row) for row in rows]}, indent=1))
    (RESULTS / "latest.md").write_text(table(rows, about))
    plotter = targets.ROOT / ".venv-bench/bin/python"
    subprocess.run([str(plotter), str(Path(__file__).parent / "plot.py"), str(RESULTS)], check=True)


COLUMNS = {
    "per_second": "requests/s",
    "cpu_us": "CPU µs/request",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "mb_per_second": "MB/s",
    "cpu_s_per_gb": "CPU s/GB",
    "grown_mib": "memory growth MiB",
    "bare_us": "bare primitive µs",
}


def table(rows: list[Row], about: dict[str, object]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        f"Measured {', '.join(f'{name} {value}' for name, value in about.items())}, by `make bench`.",
        "CPU is user and system time of all the server's processes. Fuin runs one worker and its keyholder here.",
        "Each row is the median run by CPU: of five for KMS, of three for 256 MiB; single runs vary by a tenth.",
        "",
        "| server | what | " + " | ".join(COLUMNS.values()) + " |",
        "|---|---|" + "---|" * len(COLUMNS),
    ]
    for row in rows:
        values = asdict(row)
        cells = [cell(values[name]) for name in COLUMNS]
        lines.append(f"| {row.server} | {row.what} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def cell(value: float | None) -> str:
    """Return a figure as text with three digits."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    main()
