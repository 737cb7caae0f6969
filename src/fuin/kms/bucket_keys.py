"""Bucket keys for the object store: a data key of KMS for many objects of one bucket, asked for as the caller.

KMS is asked once for each caller, bucket, KMS key and encryption context, and again after five minutes. In between the
bucket key comes from memory (`gate/bucket_keys.py`). But the right to the KMS key is decided anew for every request, as
are the key's state and its key material: a caller that has lost the right, or a key that was disabled, is refused by
the very next request, and the plaintext is wiped. A write repeats the decision before it commits if rights have
changed meanwhile (`gate/commit.py`).

Functions raise what those of `on_behalf.py` do. When KMS is asked, the keyholder's record says so, as for any use of a
key. When the bucket key comes from memory, KMS has no record of it; `facts.bucketKeys` of the request's own record has
the KMS key and where the bucket key came from.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from fuin.errors import FuinError
from fuin.gate.bucket_keys import BucketKey
from fuin.kms import on_behalf
from fuin.kms.keys import managed
from fuin.kms.reach import throttling
from fuin.kms.reach.key import open_ciphertext, open_key
from fuin.kms.uses import ciphers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping

    from fuin.gate.call import Call
    from fuin.kms.reach.key import OpenKey

T = TypeVar("T", str, bytes)

FROM_KMS, FROM_MEMORY = "KMS", "memory"


async def bucket_key(call: Call, key: str | None, context: Mapping[str, str], region: str | None = None) -> BucketKey:
    """Return a bucket key for new objects, asked for as the caller (kms:GenerateDataKey).

    `key` and `region` are those of `on_behalf.data_key`.
    """
    asked = on_behalf.forward_call(call, region)
    if key is None:
        await managed.ensure_key(asked, managed.S3)
    identifier = key or managed.S3_ALIAS
    name = ("write", call.principal.conclusion_key, asked.region, identifier, tuple(context.items()))
    return await serve_key(call, asked, name, _decide_write, _generate, identifier, context)


async def open_bucket_key(call: Call, blob: bytes, context: Mapping[str, str], region: str | None = None) -> BucketKey:
    """Return the bucket key of a blob, asked for as the caller (kms:Decrypt); the blob names its key."""
    asked = on_behalf.forward_call(call, region)
    name = ("read", call.principal.conclusion_key, asked.region, blob, tuple(context.items()))
    return await serve_key(call, asked, name, _decide_read, decrypt, blob, context)


def _decide_write(asked: Call, arn: str, identifier: str, context: Mapping[str, str]) -> OpenKey:
    """Return the key that an identifier names, if the caller may use it; `arn` is the key that it named before."""
    opened = open_key(asked, identifier, on_behalf.GENERATE_DATA_KEY, context)
    if arn and opened.arn != arn:  # the alias names another key now, but the object's is the one before
        return open_key(asked, arn, on_behalf.GENERATE_DATA_KEY, context)
    return opened


def _decide_read(asked: Call, _: str, blob: bytes, context: Mapping[str, str]) -> OpenKey:
    """Return the key that a blob names, if the caller may use it."""
    return open_ciphertext(asked, blob, on_behalf.DECRYPT, identifier=None, context=context)


async def serve_key(
    call: Call,
    asked: Call,
    name: Hashable,
    decide: Callable[[Call, str, T, Mapping[str, str]], OpenKey],
    ask: Callable[[Call, OpenKey, T], Awaitable[BucketKey]],
    identifier: T,
    context: Mapping[str, str],
    fact: str = "bucketKeys",
) -> BucketKey:
    """Decide, and return the key from memory or from KMS; nothing is awaited between decision and memory.

    `identifier` is what names the KMS key: an identifier, or the ciphertext blob of a data key. `fact` is the list of
    the record in which the use is noted.
    """
    keys = call.services.bucket_keys
    before = len(call.record.decisions)
    while True:
        try:
            opened = await asked.consult(decide, "", identifier, context)
        except FuinError:
            keys.drop(name)
            raise
        kept = keys.find(name, opened.arn, opened.material.material_id)
        if kept is not None:
            _note(call, opened, FROM_MEMORY, fact)
            call.remember(partial(decide, asked, opened.arn, identifier, context))
            return kept
        if not await keys.wait_for_request(name):
            break
        del call.record.decisions[before:]  # that was some time ago: decide anew
    with keys.request(name):
        _note(call, opened, FROM_KMS, fact)
        return keys.keep(name, await ask(asked, opened, identifier))


def _note(call: Call, opened: OpenKey, source: str, fact: str) -> None:
    """Put the use of a bucket key on the request's record; a copy has two."""
    call.facts.setdefault(fact, []).append({"use": opened.use, "key": opened.arn, "from": source})


async def _generate(asked: Call, opened: OpenKey, _: str) -> BucketKey:
    if asked.services.throttle.rates:
        throttling.admit_use(asked, "GenerateDataKey")
    plaintext, blob = await ciphers.data_key(asked, opened, on_behalf.DATA_KEY_LENGTH)
    return BucketKey(plaintext, blob, opened.arn, opened.material.material_id)


async def decrypt(asked: Call, opened: OpenKey, blob: bytes) -> BucketKey:
    """Return the key of a blob from KMS."""
    if asked.services.throttle.rates:
        throttling.admit_use(asked, "Decrypt")
    plaintext = await ciphers.decrypt(asked, opened, blob)
    return BucketKey(plaintext, blob, opened.arn, opened.material.material_id)
