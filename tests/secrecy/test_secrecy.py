"""Key material and secret access keys stay in the keyholder, whatever is asked of the server and whatever fails."""

from collections.abc import Iterator

import pytest

from fuin.formats import context
from fuin.kms import operations
from tests.secrecy import memory
from tests.secrecy.aftermath import BUCKET, Aftermath, output_of, play
from tests.secrecy.needles import Needle, found, found_in_files, needle
from tests.secrecy.unsealed import decrypt
from tests.support.server import Server

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    """Give the server after the whole story."""
    server = Server(tmp_path_factory.mktemp("secrecy"))
    played: Aftermath | None = None
    try:
        played = play(server)
        yield played
        server.stop()
    finally:
        server.kill()
        if played is not None:
            played.of_keyholder.close()
            played.of_clients.close()


def test_story_has_played_everything(aftermath: Aftermath) -> None:
    """Each operation that is built was called, and each key's real material is known to the search."""
    built = set(operations.OPERATIONS)
    assert built - aftermath.exercise.operations == set()
    assert {"PutObject", "GetObject", "CopyObject", "UploadPart", "DeleteObjects"} <= aftermath.exercise.operations
    kms = aftermath.server.client("kms")
    listed = [key["KeyId"] for key in kms.get_paginator("list_keys").paginate().build_full_result()["Keys"]]
    states = {key_id: kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] for key_id in listed}
    empty = {key_id for key_id, state in states.items() if state == "PendingImport"}
    assert len(empty) == 1, "imported material was deleted from one key"
    assert set(listed) - empty <= {name.partition(",")[0] for name in aftermath.unsealed.materials}
    assert len(aftermath.needles) == 2 + len(aftermath.unsealed.materials) + len(aftermath.users)


def test_needles_are_the_real_keys(aftermath: Aftermath) -> None:
    """What was unsealed opens a blob that the server made, so it is the key and no look-alike."""
    pairs = {"a": "b"}
    made = aftermath.server.client("kms").generate_data_key(
        KeyId=aftermath.key_id, KeySpec="AES_256", EncryptionContext=pairs
    )
    blob = made["CiphertextBlob"]
    plaintext = decrypt(aftermath.server.data, aftermath.key_id, context.encode(pairs), blob)
    assert plaintext == made["Plaintext"]


def test_data_folder_holds_no_key(aftermath: Aftermath) -> None:
    """Database, write-ahead log, blobs and audit segments hold no key; the root key stands in its own file only."""
    files = list(aftermath.files(aftermath.server.data))
    names = {name for name, _ in files}
    assert {"fuin.db", "fuin.db-wal", "root.key"} <= names
    assert any(name.startswith("audit/") for name in names)
    assert any(name.startswith("blobs/") for name in names)
    hits = found_in_files(files, aftermath.needles)
    assert hits == ["root.key holds the root key"]


def test_logs_hold_no_key(aftermath: Aftermath) -> None:
    """Standard output and standard error of all processes hold no key; the server was given its root access key."""
    server = aftermath.server
    files = [(path.name, path.read_bytes()) for path in (server.output, server.errors)]
    assert b"ready " in files[0][1]
    assert b"starting again" in files[1][1], "the killed processes left no line, so this is not the log"
    assert found_in_files(files, aftermath.needles) == []


def test_traces_hold_no_key(aftermath: Aftermath) -> None:
    """`fuin explain` and `fuin audit show` tell of every kind of request without any key."""
    data = ["--data", str(aftermath.server.data)]
    shown = [("audit show", output_of(aftermath.server, "audit", "show", "--json", "--tail", "1000000", *data))]
    wanted = ("PutObject-allowed", "GenerateDataKey-refused", "CompleteMultipartUpload-allowed", "CreateKey-allowed")
    for name in wanted:
        told = output_of(aftermath.server, "explain", aftermath.exercise.request_ids[name], *data)
        assert b"asked for" in told, told
        shown.append((f"explain {name}", told))
    assert BUCKET.encode() in shown[1][1]
    assert found_in_files(shown, aftermath.needles) == []


def test_workers_sockets_carry_no_key(aftermath: Aftermath) -> None:
    """No worker ever got a key from the keyholder, nor sent one to it; the recording saw all they said."""
    workers = {process.pid for process in aftermath.server.workers()}
    theirs = [one for one in aftermath.of_keyholder.conversations if one.pid in workers]
    assert workers == {one.pid for one in theirs}, "a worker speaks to the keyholder past the recording"
    assert any(BUCKET.encode() in one.sent for one in theirs), "the recording is empty"
    hits = [(one.pid, found(bytes(one.sent + one.received), aftermath.needles)) for one in theirs]
    assert [hit for hit in hits if hit[1]] == []


def test_secrets_reach_the_keyholder_only_when_made(aftermath: Aftermath) -> None:
    """The administrator's command does send a new secret: the recording would have shown a worker's."""
    workers = {process.pid for process in aftermath.server.workers()}
    commands = [one for one in aftermath.of_keyholder.conversations if one.pid not in workers]
    seen = {hit for one in commands for hit in found(bytes(one.sent + one.received), aftermath.needles)}
    assert seen == {"secret of writer", "secret of stranger", "secret of made"}


def test_clients_are_sent_no_key(aftermath: Aftermath) -> None:
    """Nothing that went over HTTP, either way, holds a key."""
    conversations = aftermath.of_clients.conversations
    assert any(BUCKET.encode() in one.sent for one in conversations), "the recording is empty"
    hits = [found(bytes(one.sent + one.received), aftermath.needles) for one in conversations]
    assert [hit for hit in hits if hit] == []


def _readable(aftermath: Aftermath) -> None:
    if not all(memory.may_read(process.pid) for process in aftermath.server.workers()):
        pytest.skip("only root may read the workers' memory")


def test_workers_memory_holds_no_key(aftermath: Aftermath) -> None:
    """The memory of each worker holds where its data is, and no key material and no secret access key."""
    _readable(aftermath)
    control = Needle("control", (str(aftermath.server.data).encode(),))
    for worker in aftermath.server.workers():
        hits = memory.search(worker.pid, [control, *aftermath.needles])
        assert hits == {"control"}, f"worker {worker.pid} holds {hits - {'control'}}"


def test_keyholders_memory_does_hold_them(aftermath: Aftermath) -> None:
    """The same search finds the keys where they are: in the keyholder."""
    keyholder = aftermath.server.keyholder().pid
    if not memory.may_read(keyholder):
        pytest.skip("the keyholder's memory is readable by root with CAP_SYS_PTRACE only, as it should be")
    hits = memory.search(keyholder, aftermath.needles)
    assert {"the root key", f"material of {aftermath.key_id}"} <= hits


def test_supervisors_memory_holds_no_key(aftermath: Aftermath) -> None:
    """The supervisor holds no key either, but for the root secret that its environment gave it."""
    _readable(aftermath)
    expected = needle("secret of root", aftermath.server.root.secret_access_key.encode()).name
    assert memory.search(aftermath.server.pid, aftermath.needles) <= {expected}


def test_no_process_may_dump_core(aftermath: Aftermath) -> None:
    """Workers and keyholder have a core size limit of 0, hard and soft."""
    for process in [*aftermath.server.workers(), aftermath.server.keyholder()]:
        with open(f"/proc/{process.pid}/limits", encoding="utf-8") as limits:
            [line] = [line for line in limits if line.startswith("Max core file size")]
        assert line.split()[4:6] == ["0", "0"], line
