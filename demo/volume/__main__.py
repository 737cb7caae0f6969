"""Play the life of an encrypted volume with a PostgreSQL on it, and show every call to KMS with context and caller."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

from demo.stage import Stage, Unexpected, open_stage, say, scene
from demo.volume.machine import Database, Machine, find_obstacle

if TYPE_CHECKING:
    from pathlib import Path

NEEDLE = "the treasure is below the third palm tree"
# Their grants are no uses of a key, but changes that KMS makes for the caller.
_WITH_GRANTS = ("ec2:AttachVolume", "ec2:DetachVolume", "ec2:FuinReportAttachment")


def main() -> None:
    """Play all scenes; a step with another outcome than announced ends the demo with an error."""
    obstacle = find_obstacle()
    if obstacle:
        print(f"demo-volume: skipped: {obstacle}")
        return
    started = time.monotonic()
    with open_stage() as stage:
        machine = Machine(stage)
        story = Story(stage, machine)
        try:
            story.play()
        finally:
            story.clean_up()
    print(f"\nEverything was as announced. {time.monotonic() - started:.0f} s, and nothing is left behind.")


class Story:
    """The scenes, in their order."""

    def __init__(self, stage: Stage, machine: Machine) -> None:
        self._stage = stage
        self._machine = machine
        self._root = stage.root
        self._seen = 0
        self._running: list[Database] = []

    def play(self) -> None:
        """Play all scenes."""
        first, second = (self._key(name) for name in ("alias/db", "alias/db-new"))
        volume = self._make_volume(first)
        database = self._run_database(volume)
        snapshot = self._take_snapshot(volume, database)
        self._disable(volume, database, first)
        self._restore(snapshot, second)
        self._verify()

    def clean_up(self) -> None:
        """Stop the databases and close the volumes."""
        for database in self._running:
            database.stop()
        for line in self._machine.run("list", "--json").splitlines():
            self._machine.run("close", json.loads(line)["volume"], "--force")

    def _key(self, alias: str) -> str:
        made = json.loads(self._stage.aws(self._root, "kms", "create-key", show=False))
        key = str(made["KeyMetadata"]["Arn"])
        self._stage.aws(self._root, "kms", "create-alias", "--alias-name", alias, "--target-key-id", key, show=False)
        return key

    def _create(self, *options: str) -> str:
        answer = self._stage.aws(
            self._root, "ec2", "create-volume", "--availability-zone", "us-east-1a", "--encrypted", *options,
            "--query", "VolumeId", "--output", "text",
        )  # fmt: skip
        return answer.strip()

    def _make_volume(self, key: str) -> str:
        scene("1  A volume is made: KMS makes its data key, and nobody sees it")
        say(f"its key: {key}")
        volume = self._create("--size", "1", "--kms-key-id", "alias/db")
        self._show_kms()
        return volume

    def _run_database(self, volume: str) -> Database:
        scene("2  It is attached to a host, formatted and mounted; PostgreSQL runs on it")
        mount = self._stage.folder / "db"
        self._machine.run("attach", volume, "--mkfs", "ext4", "--mount", str(mount))
        self._show_kms()
        database = Database(mount)
        database.make()
        database.start()
        self._running.append(database)
        database.ask(f"create table secrets as select n, '{NEEDLE}' as word from generate_series(1, 20000) n")
        database.ask("checkpoint")
        say(f"a table with 20,000 rows: {NEEDLE!r}")
        self._search(volume)
        return database

    def _take_snapshot(self, volume: str, database: Database) -> str:
        scene("3  A snapshot, while the database runs; then another row, and a snapshot of what has changed")
        first = self._machine.run("snapshot", volume)
        database.ask(f"insert into secrets values (0, '{NEEDLE}')")
        second = self._machine.run("snapshot", volume)
        expect(_sent(second) < _sent(first), f"{_sent(second)} blocks of 512 KiB were sent, after {_sent(first)}")
        self._search_store()
        self._show_kms()
        return second.split(":")[0]

    def _disable(self, volume: str, database: Database, key: str) -> None:
        scene("4  The key is disabled: what is open stays open, and does not open again")
        self._stage.aws(self._root, "kms", "disable-key", "--key-id", key)
        expect(database.ask("select count(*) from secrets") == "20001", "the database still answers, as on AWS")
        database.stop()
        self._running.remove(database)
        self._machine.run("detach", volume)
        refusal = self._machine.run("attach", volume, fails=True)
        expect("CustomerKeyHasBeenRevoked" in refusal, "it does not attach again")
        self._show_kms()
        self._stage.aws(self._root, "kms", "enable-key", "--key-id", key)
        self._machine.run("attach", volume)
        database.start()
        expect(database.ask("select count(*) from secrets") == "20001", "with the key it opens, and all is there")
        database.stop()
        self._machine.run("detach", volume)

    def _restore(self, snapshot: str, key: str) -> None:
        scene("5  The snapshot becomes a volume under another key: a new data key, and all is written anew")
        say(f"its key: {key}")
        volume = self._create("--snapshot-id", snapshot, "--kms-key-id", "alias/db-new")
        mount = self._stage.folder / "restored"
        self._machine.run("attach", volume, "--mount", str(mount))
        self._show_kms()
        database = Database(mount)
        database.start()
        self._running.append(database)
        answer = database.ask("select count(*), max(word) from secrets")
        expect(answer == f"20001|{NEEDLE}", "PostgreSQL recovers from its log: 20,001 rows")
        self._search(volume)

    def _verify(self) -> None:
        scene("6  The log is complete")
        self._stage.fuin("audit", "verify")

    def _search(self, volume: str) -> None:
        disk = self._machine.disk(volume)
        expect(not _holds(disk, NEEDLE.encode()), f"nothing of it is on the raw disk ({disk.name})")

    def _search_store(self) -> None:
        files = [path for path in (self._stage.data / "blobs").rglob("*") if path.is_file()]
        expect(files != [] and not any(_holds(path, NEEDLE.encode()) for path in files), "nor in the server's store")

    def _show_kms(self) -> None:
        """Show the calls to KMS since the last time: the use, the caller, its way, and the encryption context."""
        records = [
            json.loads(line)
            for line in self._stage.fuin("audit", "show", "--tail", "1000000", "--json", show=False).splitlines()
        ]
        new = [record for record in records if record["sequence"] > self._seen]
        self._seen = max((record["sequence"] for record in records), default=0)
        for record in new:
            self._show_record(record)

    def _show_grants(self, request: str) -> None:
        story = self._stage.fuin("explain", request, show=False)
        for step in re.split(r"\n\s*(?=\d+\. )", story)[1:]:
            sentence = " ".join(step.split("\n\n")[0].split()).split(" ", 1)[1]
            if "grant" in sentence.lower():
                say(f"KMS: {sentence.split(', because')[0]}")

    def _show_record(self, record: dict[str, Any]) -> None:
        used = record.get("use", "")
        if record.get("operation") in _WITH_GRANTS and not record.get("about"):
            self._show_grants(str(record["request"]))
        if not record.get("key") or used in {"", "record"}:
            return
        caller = str(record.get("principal", "")).rsplit(":", 1)[-1]
        say(f"KMS: {used} by {caller}, for {record.get('operation')}, context {record.get('context')}")


def _sent(said: str) -> int:
    return int(said.split()[1].replace(",", ""))


def _holds(path: Path, needle: bytes) -> bool:
    with path.open("rb") as file:
        before = b""
        while piece := file.read(1 << 22):
            if needle in before + piece:
                return True
            before = piece[-len(needle) :]
    return False


def expect(holds: bool, sentence: str) -> None:
    """Print the sentence if it is true; end the demo if it is not."""
    if not holds:
        raise Unexpected(f"this was not so: {sentence}")
    say(sentence)


if __name__ == "__main__":
    main()
