"""A server that has done everything, failed in every way and lost its keyholder, and what is known about it."""

import json
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.secrecy import exercise, families
from tests.secrecy.exercise import Exercise
from tests.secrecy.needles import Needle, needle
from tests.secrecy.recorder import Relay, tcp_relay, unix_relay
from tests.secrecy.unsealed import Unsealed, unseal
from tests.support.policies import EVERYTHING, allow
from tests.support.server import Server, User

BUCKET = "secrecy-bucket-whose-name-is-a-marker"


@dataclass
class Aftermath:
    """The server, still running, and what it must have kept to itself."""

    server: Server
    users: list[User]
    exercise: Exercise
    of_keyholder: Relay
    of_clients: Relay
    key_id: str
    unsealed: Unsealed
    needles: list[Needle]

    def files(self, folder: Path) -> Iterator[tuple[str, bytes]]:
        """Yield the names and contents of all files below a folder, sockets aside."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield str(path.relative_to(folder)), path.read_bytes()


# The supervisor would find its socket's file replaced, and take the place back from the recording.
_RECORDED = """
import sys
if "serve" in sys.orig_argv:
    from fuin.server import keyholding
    keyholding.Listener.check = lambda self: None
"""


def _recorded(server: Server) -> Path:
    """Return a folder whose module lets the supervisor take the recording for its own socket."""
    folder = server.home / "recorded"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_RECORDED)
    return folder


def play(server: Server) -> Aftermath:
    """Play the whole story on a server that is not started; it runs at the end."""
    server.start({"PYTHONPATH": str(_recorded(server))})
    of_keyholder = unix_relay(server.data / "run" / "keyholder.sock")
    of_clients, port = tcp_relay(server.port)
    end_keyholder(server)  # who connects again comes through the relay
    end_workers(server)
    server.close_clients()
    server.port = port  # clients come through the relay as well
    users = [server.root, server.add_user("writer", EVERYTHING), server.add_user("stranger", allow("s3:ListBucket"))]
    users.append(_made_by_server(server))
    notes = Exercise()
    kms, s3 = (notes.watch(server.client(service)) for service in ("kms", "s3"))
    kms_stranger, s3_stranger = (notes.watch(server.client(service, users[2])) for service in ("kms", "s3"))
    key_id = exercise.keys(kms, kms_stranger, notes)
    families.all_kinds(kms, notes, key_id)
    families.life_of_keys(kms, notes, key_id)
    exercise.objects(s3, s3_stranger, notes, BUCKET, key_id)
    exercise.keys(notes.watch(server.client("kms", users[1])), kms_stranger, notes)
    impostor = User("impostor", users[0].access_key_id, "x" * 40)
    notes.refused(server.client("kms", User("nobody", "AKIAAAAAAAAAAAAAAAAA", "y" * 40)).list_keys)
    with closing(server.new_client("kms", impostor)) as client:
        notes.refused(client.list_keys)
    damaged: str = kms.create_key(Description="damaged")["KeyMetadata"]["KeyId"]
    unsealed = unseal(server.data)
    spoil(server, damaged)
    notes.refused(kms.encrypt, KeyId=damaged, Plaintext=b"x")
    crash_under_load(server, key_id)
    aftermath = Aftermath(server, users, notes, of_keyholder, of_clients, key_id, unsealed, needles(users, unsealed))
    for _ in range(40):  # so that the workers' memory is warm with what they just did
        s3.list_objects_v2(Bucket=BUCKET)
        kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
    return aftermath


def needles(users: list[User], unsealed: Unsealed) -> list[Needle]:
    """Return all that must not be found."""
    made = [needle("the root key", unsealed.root_key), needle("the audit log's seed", unsealed.audit_seed)]
    made += [needle(f"material of {key_id}", material) for key_id, material in unsealed.materials.items()]
    return made + [needle(f"secret of {user.name}", user.secret_access_key.encode()) for user in users]


def end_keyholder(server: Server) -> None:
    """Kill the keyholder and wait until another one answers."""
    server.keyholder().kill()
    server.wait_healthy()


def end_workers(server: Server) -> None:
    """Kill the workers and wait until others answer."""
    for worker in server.workers():
        worker.kill()
    server.wait_healthy()


def crash_under_load(server: Server, key_id: str) -> None:
    """Kill the keyholder while both services are busy."""
    stop = threading.Event()

    def load(service: str) -> None:
        client = server.new_client(service, retry=False)
        with closing(client):
            while not stop.is_set():
                if service == "kms":
                    exercise.whatever(client.generate_data_key, KeyId=key_id, KeySpec="AES_256")
                else:
                    exercise.whatever(client.put_object, Bucket=BUCKET, Key="busy", Body=b"busy" * 1000)

    threads = [threading.Thread(target=load, args=(service,)) for service in ("kms", "kms", "s3")]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            end_keyholder(server)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _made_by_server(server: Server) -> User:
    """Add a user whose secret the server makes."""
    shown: dict[str, Any] = json.loads(server.fuin("user", "add", "made", "--data", str(server.data), "--json").stdout)
    return User("made", shown["AccessKeyId"], shown["SecretAccessKey"])


def spoil(server: Server, key_id: str) -> None:
    """Spoil a key's wrapped material in the database, so that unwrapping fails."""
    with closing(sqlite3.connect(server.data / "fuin.db", timeout=30)) as database, database:
        query = "SELECT id, wrapped FROM materials JOIN sealed_materials USING (id) WHERE key_id = ?"
        [[row, wrapped]] = database.execute(query, (key_id,)).fetchall()
        spoiled = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
        database.execute("UPDATE sealed_materials SET wrapped = ? WHERE id = ?", (spoiled, row))
        database.execute("UPDATE epoch SET value = value + 1")


def output_of(server: Server, *arguments: str) -> bytes:
    """Run a `fuin` verb and return both of its outputs."""
    done: subprocess.CompletedProcess[str] = server.fuin(*arguments, check=False)
    return (done.stdout + done.stderr).encode()
