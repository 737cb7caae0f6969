"""Play the main job on three nodes, end parts of the installation under load, and say what was lost."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from tests.cluster.machine.nodes import allow

from demo.cluster.load import GRANTS, OBJECTS, USES, Load
from demo.cluster.parts import BOUND, Installation, install_packages, open_installation
from demo.cluster.revocation import PAUSES, Revocations
from demo.stage import Person, Unexpected, say, scene
from fuin.testing.kit.users import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable

BUCKET = "letters"
WRITES = (OBJECTS, GRANTS)


class Promises:
    """What was promised, and whether it was so."""

    def __init__(self) -> None:
        self.broken: list[str] = []

    def check(self, holds: bool, sentence: str) -> None:
        """Print a promise with what was seen of it."""
        print(f"  {'✓' if holds else '✗ BROKEN:'} {sentence}", flush=True)
        if not holds:
            self.broken.append(sentence)


def main() -> int:
    """Play all scenes; return 1 if a promise was broken."""
    started, promises = time.monotonic(), Promises()
    try:
        scene("What this needs")
        install_packages()
        scene("1  Start the installation")
        with open_installation() as installation:
            _play(installation, promises)
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is left behind.")
        return 130
    except Unexpected as error:
        print(f"\nThe demo could not go on:\n{error}", file=sys.stderr)
        return 1
    for sentence in promises.broken:
        print(f"BROKEN: {sentence}")
    end = "A promise was broken" if promises.broken else "Every promise was kept"
    print(f"\n{end}. {time.monotonic() - started:.0f} s, and nothing is left behind.")
    return 1 if promises.broken else 0


def _play(installation: Installation, promises: Promises) -> None:
    key = _do_main_job(installation)
    load = Load(installation.url, installation.nodes.root, key, BUCKET)
    load.start()
    _wait(lambda: load.count(*WRITES) > 50, 60, "50 writes")
    killed = _kill_node(installation, load)
    failed_over = _fail_over(installation, load)
    revocations = _revoke(installation)
    load.stop()
    scene("6  What was lost, and what was promised")
    _read_back(installation, load, promises)
    say(f"with a node killed, nobody could write for {killed:.1f} s; with the primary killed, for {failed_over:.1f} s")
    promises.check(killed < 10, f"a node's end stopped writes for {killed:.1f} s, less than 10 s")
    promises.check(failed_over < 60, f"the primary's end stopped writes for {failed_over:.1f} s, less than 60 s")
    _judge(revocations, promises)


def _do_main_job(installation: Installation) -> str:
    """Play a key, a data key, a bucket, an object, a policy and a grant with the aws command line; return the key."""
    scene("2  The main job, through haproxy")
    stage, root = installation.stage, installation.stage.root
    made = json.loads(stage.aws(root, "kms", "create-key", "--description", "demo"))["KeyMetadata"]
    key = str(made["Arn"])
    stage.aws(root, "kms", "create-alias", "--alias-name", "alias/demo", "--target-key-id", made["KeyId"])
    stage.aws(root, "kms", "generate-data-key", "--key-id", "alias/demo", "--key-spec", "AES_256")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    stage.aws(root, "s3api", "create-bucket", "--bucket", BUCKET)
    rules = json.dumps({"Rules": [rule]})
    stage.aws(
        root, "s3api", "put-bucket-encryption", "--bucket", BUCKET, "--server-side-encryption-configuration", rules
    )
    stage.aws(root, "iam", "create-user", "--user-name", "writer")
    policy = allow(None, "s3:PutObject", "s3:GetObject", "kms:GenerateDataKey")
    stage.aws(
        root, "iam", "put-user-policy", "--user-name", "writer", "--policy-name", "own", "--policy-document", policy
    )
    access = json.loads(stage.aws(root, "iam", "create-access-key", "--user-name", "writer", show=False))["AccessKey"]
    writer = Person("writer", access["AccessKeyId"], access["SecretAccessKey"])
    (stage.folder / "letter.txt").write_text("a letter\n" * 1000, encoding="utf-8")
    stage.aws(writer, "s3", "cp", "letter.txt", f"s3://{BUCKET}/letter.txt", "--no-progress")
    say("the writer may not open what it wrote, until a grant on the key lets it")
    stage.aws(writer, "s3", "cp", f"s3://{BUCKET}/letter.txt", "back.txt", "--no-progress", fails=True)
    stage.aws(
        root, "kms", "create-grant", "--key-id", key, "--operations", "Decrypt",
        "--grantee-principal", f"arn:aws:iam::{ACCOUNT}:user/writer",
    )  # fmt: skip
    stage.aws(writer, "s3", "cp", f"s3://{BUCKET}/letter.txt", "back.txt", "--no-progress")
    if (stage.folder / "back.txt").read_bytes() != (stage.folder / "letter.txt").read_bytes():
        raise Unexpected("what came back is not what went up")
    say("what came back equals what went up")
    return key


def _kill_node(installation: Installation, load: Load) -> float:
    """Kill a node under load; return for how long nobody could write."""
    scene("3  A node is killed while everybody works")
    say(f"five clients write objects and grants, and use a key; {load.count(*WRITES)} writes are acknowledged so far")
    node, since = installation.node(2), time.monotonic()
    say("kill -9 for node2 and all its processes")
    node.process.kill()
    time.sleep(8)
    gap, uses = load.longest_gap(since, *WRITES), load.longest_gap(since, USES)
    say(f"longest time without a write: {gap:.1f} s; without a use of the key: {uses:.1f} s")
    node.start()
    say("node2 is started again, and is ready")
    return gap


def _fail_over(installation: Installation, load: Load) -> float:
    """Kill the primary; return for how long nobody could write."""
    scene("4  The primary of the database is killed")
    servers = installation.database
    old, since = servers.wait_for_primary(), time.monotonic()
    say(f"kill -9 for {old.name} and its patroni; the others learn of it when its leadership in etcd ends")
    old.process.kill()
    new = servers.wait_for_primary(120, but=old)
    say(f"{new.name} is the primary after {time.monotonic() - since:.1f} s")
    before = load.count(*WRITES)
    _wait(lambda: load.count(*WRITES) > before + 20, 120, "writes after the failover")
    gap, uses = load.longest_gap(since, *WRITES), load.longest_gap(since, USES)
    say(f"longest time without a write: {gap:.1f} s; without a use of the key: {uses:.1f} s")
    say("key uses stop when the leases of the nodes end: nobody could tell them of a revocation")
    old.process.start()
    _wait(servers.is_whole, 180, "three servers that replicate")
    say(f"{old.name} is started again, and is a standby now")
    return gap


def _revoke(installation: Installation) -> Revocations:
    """Take a right away, with all nodes in order, then with a node paused."""
    scene("5  A right is taken away while a node is paused")
    revocations = Revocations(installation)
    took = revocations.play((0.0,) * 5)
    say(f"PutKeyPolicy with three nodes in order took {', '.join(f'{1000 * each:.0f}' for each in took)} ms")
    for pause, each in zip(PAUSES, revocations.play(), strict=True):
        say(f"one node stopped for {pause} s: PutKeyPolicy returned after {each:.2f} s")
    revocations.stop()
    say(f"meanwhile the user tried {revocations.uses} uses of the key, on all three nodes")
    return revocations


def _read_back(installation: Installation, load: Load, promises: Promises) -> None:
    for node in installation.nodes:
        node.wait_ready()
    say(f"all acknowledged writes are read back; {sum(load.failures.values())} requests had no success")
    lost = load.find_lost()
    for name in lost[:20]:
        say(f"lost: {name}")
    promises.check(not lost, f"of {load.count(*WRITES)} acknowledged writes {len(lost) or 'none'} is lost")


def _judge(revocations: Revocations, promises: Promises) -> None:
    honoured, late = revocations.honoured(), revocations.violations()
    for broken in late[:5]:
        say(str(broken))
    promises.check(not late, "no request that was sent after PutKeyPolicy had returned was answered by the old policy")
    longest = max(honoured.since_sent or 0.0, 0.0)
    limit = BOUND + revocations.commit
    promises.check(
        longest <= limit,
        f"a revoked right was honoured for {longest:.2f} s at most, counted from the sending of PutKeyPolicy; "
        f"the bound is {BOUND} s after its commit",
    )


def _wait(holds: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise Unexpected(f"waited {seconds} s in vain for {what}")
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
