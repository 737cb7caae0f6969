"""Asking a proxy: what comes back, how often it connects, and why it fails, with a real proxy over TLS."""

import asyncio
import re
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fuin.settings import Settings
from fuin.testing.xks_proxy.refusal import STATUSES
from fuin.testing.xks_proxy.server import Server, Switches
from fuin.xks.client import Proxies
from fuin.xks.connection import ANSWER_LIMIT
from fuin.xks.failure import TEXTS, Failure, FailureReason
from fuin.xks.pool import HOST_LIMIT
from fuin.xks.proxy import ExternalCiphertext, RequestMetadata
from fuin.xks.proxy import Proxy as Asked
from tests.xks.scene import ASKING, HOST, SECRET, Scene

PLAINTEXT, AAD = b"data key" * 4, b"names and context"
HEALTH = RequestMetadata("CreateCustomKeyStore", "4112f4d6")


async def encrypt(proxies: Proxies, asked: Asked) -> ExternalCiphertext:
    """Encrypt under the first key."""
    return await proxies.encrypt(asked, "first", PLAINTEXT, AAD, ASKING)


async def health(proxies: Proxies, asked: Asked) -> None:
    """Ask whether it is well."""
    await proxies.health(asked, HEALTH)


async def round_trip(proxies: Proxies, asked: Asked) -> bytes:
    """Encrypt and decrypt."""
    encrypted = await encrypt(proxies, asked)
    return await proxies.decrypt(asked, "first", encrypted, AAD, ASKING)


def test_round_trip(scene: Scene) -> None:
    """The proxy encrypts and decrypts, over one connection, and is told who asks for what."""
    assert scene.run(round_trip) == PLAINTEXT
    assert [asked.operation for asked in scene.proxy.asked] == ["encrypt", "decrypt"]
    assert scene.proxy.connections == 1
    for asked in scene.proxy.asked:
        assert asked.document["requestMetadata"] == {
            "awsPrincipalArn": "arn:aws:iam::123456789012:user/alice", "kmsKeyArn": "arn:aws:kms:::key/1",
            "kmsOperation": "Encrypt", "kmsRequestId": "4112f4d6", "kmsViaService": "s3",
        }  # fmt: skip
    assert scene.proxy.asked[0].document["ciphertextDataIntegrityValueAlgorithm"] == "SHA_256"


def test_proxy_without_metadata(scene: Scene) -> None:
    """The metadata is optional: what comes without is sent back without."""

    def take_away(answer: dict[str, Any]) -> None:
        answer.pop("ciphertextMetadata", None)

    scene.proxy.switches = Switches(change=take_away)
    assert scene.why(encrypt) is FailureReason.MALFORMED  # the integrity value covered it


def test_metadata_and_health(scene: Scene) -> None:
    """Both other operations are understood; health says nothing of a principal."""

    async def story(proxies: Proxies, asked: Asked) -> object:
        await health(proxies, asked)
        return await proxies.metadata(asked, "first", ASKING)

    described = scene.run(story)
    assert (described.key_spec, described.key_usage, described.key_status) == (  # type: ignore[attr-defined]
        "AES_256", ["ENCRYPT", "DECRYPT"], "ENABLED",
    )  # fmt: skip
    assert scene.proxy.asked[0].document == {
        "requestMetadata": {"kmsOperation": "CreateCustomKeyStore", "kmsRequestId": "4112f4d6"}
    }


@pytest.mark.parametrize("name", sorted(STATUSES))
def test_each_error_of_a_proxy(scene: Scene, name: str) -> None:
    """Each error of the specification is understood by its name, and AWS has a text for it."""
    scene.proxy.switches = Switches(refuse=name)
    reason = scene.why(encrypt)
    assert reason.value == name
    assert TEXTS[reason]


def test_every_reason_has_a_text() -> None:
    """No failure is without AWS's words."""
    assert set(TEXTS) == set(FailureReason)
    assert Failure(FailureReason.NO_TLS).text.startswith("AWS KMS cannot establish a TLS connection")


def spoil(**members: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change of an answer."""
    return lambda answer: answer.update(members)


@pytest.mark.parametrize(
    "switches",
    [
        Switches(raw=(200, b"")),
        Switches(raw=(200, b"{")),
        Switches(raw=(200, b"[]")),
        Switches(raw=(200, b"{}")),
        Switches(raw=(200, b'"' + b"x" * ANSWER_LIMIT + b'"')),
        Switches(raw=(200, b"[" * 20_000)),
        Switches(raw=(404, b"not found")),
        Switches(raw=(500, b"")),
        Switches(raw=(400, b'{"errorName":"SomethingElse"}')),
        Switches(raw=(302, b""), headers=(("Location", "https://localhost/"),)),
        Switches(hang_up=True),
        Switches(change=spoil(ciphertext="?")),
        Switches(change=spoil(ciphertext=7)),
        Switches(change=spoil(ciphertext="AAAA")),
        Switches(change=spoil(initializationVector="AAAA")),
        Switches(change=spoil(authenticationTag="AAAA")),
        Switches(change=spoil(ciphertextMetadata="A" * 28)),
        Switches(change=spoil(ciphertextMetadata="AAAA")),
        Switches(change=spoil(ciphertextDataIntegrityValue="AAAA")),
        Switches(change=lambda answer: answer.pop("ciphertextDataIntegrityValue")),
        Switches(change=lambda answer: answer.pop("authenticationTag")),
    ],
    ids=lambda switches: re.sub(r" at 0x[0-9a-f]+", "", str(switches)),  # each process names a test alike
)
def test_wrong_answers(scene: Scene, switches: Switches) -> None:
    """Whatever does not keep to the specification is refused, also a redirect, and more than the limit of bytes."""
    scene.proxy.switches = switches
    assert scene.why(encrypt) is FailureReason.MALFORMED


def test_decryption_of_another_length(scene: Scene) -> None:
    """A plaintext that is not as long as the ciphertext is no answer."""
    scene.proxy.switches = Switches(only="decrypt", change=spoil(plaintext="AAAA"))
    assert scene.why(round_trip) is FailureReason.MALFORMED


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (spoil(ekmFleetDetails=[{"id": "1", "model": "m", "healthStatus": "UNAVAILABLE"}]), FailureReason.UNAVAILABLE),
        (spoil(ekmFleetDetails=[{"id": "1", "model": "m", "healthStatus": "FINE"}]), FailureReason.MALFORMED),
        (spoil(ekmFleetDetails=[]), FailureReason.MALFORMED),
        (spoil(ekmFleetDetails=[{"id": "1", "model": "m", "healthStatus": "ACTIVE"}] * 11), FailureReason.MALFORMED),
        (spoil(xksProxyFleetSize=0), FailureReason.MALFORMED),
        (spoil(xksProxyFleetSize="1"), FailureReason.MALFORMED),
    ],
)
def test_ill_health(scene: Scene, change: Callable[[dict[str, Any]], None], why: FailureReason) -> None:
    """Key managers that are all away, and answers that say nothing clear, are not health."""
    scene.proxy.switches = Switches(change=change)
    assert scene.why(health) is why


def test_degraded_is_well(scene: Scene) -> None:
    """One key manager that serves is enough, also a degraded one."""
    managers = [{"id": name, "model": "m", "healthStatus": name} for name in ("UNAVAILABLE", "DEGRADED")]
    scene.proxy.switches = Switches(change=spoil(ekmFleetDetails=managers))
    scene.run(health)


def test_slow_proxy(scene: Scene, tmp_path: Path) -> None:
    """After 250 ms it is over, as with AWS; a late answer is not taken for that of the next request."""
    settings = Settings(data=tmp_path, xks_hosts=scene.settings.xks_hosts, xks_ca=scene.settings.xks_ca)
    assert settings.xks_timeout == 0.25

    async def story(proxies: Proxies, asked: Asked) -> tuple[float, bytes]:
        scene.proxy.switches = Switches(delay=5)
        start = time.monotonic()
        with pytest.raises(Failure) as caught:
            await proxies.encrypt(asked, "first", b"the slow one" * 3, AAD, ASKING)
        assert caught.value.reason is FailureReason.TIMED_OUT
        took = time.monotonic() - start
        scene.proxy.switches = Switches()
        for _ in range(50):  # a busy machine may need more than 250 ms for a handshake
            try:
                return took, await round_trip(proxies, asked)
            except Failure:
                await asyncio.sleep(0.05)
        raise AssertionError("it never answered again")

    took, plaintext = scene.run(story, settings)
    assert plaintext == PLAINTEXT
    assert took < 4
    assert scene.proxy.connections >= 2


def test_kept_connection_that_was_closed(scene: Scene) -> None:
    """A proxy may close idle connections: the request goes out again on a new one."""

    async def story(proxies: Proxies, asked: Asked) -> bytes:
        await round_trip(proxies, asked)
        scene.server.drop_connections()
        return await round_trip(proxies, asked)

    assert scene.run(story) == PLAINTEXT
    assert scene.proxy.connections == 2


def test_requests_at_the_same_time(scene: Scene) -> None:
    """Each of many requests at once gets its own answer."""

    async def story(proxies: Proxies, asked: Asked) -> list[bytes]:
        async def one(number: int) -> bytes:
            plaintext = str(number).encode() * 50
            encrypted = await proxies.encrypt(asked, "first", plaintext, AAD, ASKING)
            return await proxies.decrypt(asked, "first", encrypted, AAD, ASKING)

        return list(await asyncio.gather(*(one(number) for number in range(100))))

    assert scene.run(story) == [str(number).encode() * 50 for number in range(100)]
    assert scene.proxy.connections <= 64


def test_wrong_secret(scene: Scene) -> None:
    """A credential that the proxy does not know is told apart."""
    with pytest.raises(Failure) as caught:
        scene.run(encrypt, secret="x" + SECRET[1:])
    assert caught.value.reason is FailureReason.AUTHENTICATION_FAILED


def test_wrong_path(scene: Scene) -> None:
    """So is a path that the proxy does not have."""
    with pytest.raises(Failure) as caught:
        scene.run(encrypt, path="/elsewhere/kms/xks/v1")
    assert caught.value.reason is FailureReason.INVALID_URI_PATH


def test_proxy_is_down(scene: Scene, tmp_path: Path) -> None:
    """Nobody listens."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        settings = scene.told_of(reserved.getsockname()[1], tmp_path)
        assert scene.why(encrypt, settings) is FailureReason.UNREACHABLE


def test_no_tls(scene: Scene, tmp_path: Path) -> None:
    """Something listens that speaks no TLS."""
    with socket.create_server(("127.0.0.1", 0)) as plain:
        settings = scene.told_of(plain.getsockname()[1], tmp_path)

        async def story(proxies: Proxies, asked: Asked) -> None:
            asking = asyncio.ensure_future(encrypt(proxies, asked))
            peer, _ = await asyncio.to_thread(plain.accept)
            peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            try:
                await asking
            finally:
                peer.close()

        assert scene.why(story, settings) is FailureReason.NO_TLS


def test_silence_before_tls(scene: Scene, tmp_path: Path) -> None:
    """Something listens that never shakes hands: its time is over, too."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = scene.told_of(silent.getsockname()[1], tmp_path, timeout=0.25)
        assert scene.why(encrypt, settings) is FailureReason.TIMED_OUT


def test_nobody_accepts(scene: Scene, tmp_path: Path) -> None:
    """A host that does not even take the connection is unreachable when the time is over."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.create_connection(full.getsockname())]
        for _ in range(3):  # until the queue is full
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            waiting.append(one)
        settings = scene.told_of(full.getsockname()[1], tmp_path, timeout=0.25)
        assert scene.why(encrypt, settings) is FailureReason.UNREACHABLE
        for one in waiting:
            one.close()


def test_hosts_are_forgotten(scene: Scene, tmp_path: Path) -> None:
    """Callers choose hosts: those that were asked long ago are not remembered, nor are their connections kept."""
    names = [f"{number}.example.test" for number in range(HOST_LIMIT + 20)]
    listed = tuple(f"{name}=127.0.0.1:1" for name in names)
    settings = replace(scene.settings, xks_hosts=(*scene.settings.xks_hosts, *listed))

    async def story(proxies: Proxies, asked: Asked) -> None:
        await round_trip(proxies, asked)
        for name in names:
            with pytest.raises(Failure):
                await encrypt(proxies, replace(asked, host=name))
        pool = proxies._pool
        assert len(pool._hosts) == HOST_LIMIT
        assert scene.proxy.connections == 1
        await round_trip(proxies, asked)
        assert scene.proxy.connections == 2

    scene.run(story, settings)


def test_answer_that_ends_the_connection(scene: Scene) -> None:
    """An answer that ends its connection is taken, and the connection not used again."""
    scene.proxy.switches = Switches(headers=(("Connection", "close"),))
    assert scene.run(round_trip) == PLAINTEXT
    assert scene.proxy.connections == 2


@pytest.mark.parametrize(("name", "days"), [("other.example.test", 30), (HOST, -1)])
def test_certificate_that_does_not_hold(scene: Scene, tmp_path: Path, name: str, days: int) -> None:
    """A certificate of another name, or one that has ended, is no TLS connection: nothing is sent."""
    with Server(scene.proxy, *scene.authority.certificate(name, days)) as server:
        assert scene.why(encrypt, scene.told_of(server.port, tmp_path)) is FailureReason.NO_TLS
    assert scene.proxy.asked == []


def test_certificate_of_another_authority(scene: Scene, tmp_path: Path) -> None:
    """Without the private authority in the settings the system's own are trusted, and no other."""
    settings = Settings(data=tmp_path, xks_hosts=scene.settings.xks_hosts, xks_timeout=20)
    assert scene.why(encrypt, settings) is FailureReason.NO_TLS
    assert scene.proxy.asked == []
