"""What a request's audit records tell, as numbered steps for people: pure text, no I/O."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fuin.audit.reader import Entry

KEY_USES = {
    "create-material": "made new key material",
    "data-key": "made a data key and returned it twice, in the clear and encrypted under the KMS key",
    "data-key-without-plaintext": "made a data key and returned it encrypted only",
    "encrypt": "encrypted the caller's bytes under the KMS key",
    "decrypt": "opened a ciphertext made under the KMS key",
    "re-encrypt-from": "opened a ciphertext in order to encrypt it again",
    "re-encrypt-to": "encrypted again under the KMS key",
    "random": "made random bytes",
}
CHOSEN_BY = {
    "request header": "the request named it",
    "bucket default": "the bucket's default encryption names it",
    "service default": "neither the request nor the bucket names one, so the service's own default holds",
}


def tell(entries: Sequence[Entry]) -> list[str]:
    """Return the steps of one request, in the order of its records; empty when there are none."""
    if not entries:
        return []
    last = entries[-1].draft
    told: set[str] = set()
    steps = [_asked(entries[0])]
    for entry in entries:
        steps += _chosen(entry.draft.get("facts", {}), told)
        steps += _decided(entry.draft.get("decisions", ()), told)
        steps += _used(entry)
    steps += _stored(last.get("facts", {}))
    steps.append(_ended(entries[-1]))
    return steps


def _asked(entry: Entry) -> str:
    draft = entry.draft
    facts = draft.get("facts", {})
    where = f" on s3://{facts['bucket']}/{facts.get('key', '')}" if "bucket" in facts else ""
    signed = f", signed with access key {draft['accessKey']}" if draft.get("accessKey") else ", unsigned"
    return f"{draft.get('principal', '?')} asked for {draft.get('operation', '?')}{where}{signed}, at {moment(entry)}."


def _chosen(facts: dict[str, Any], told: set[str]) -> Iterator[str]:
    encryption = facts.get("encryption")
    if not encryption or "encryption" in told:
        return
    told.add("encryption")
    key = f" with the key {facts['keyArn']}" if facts.get("keyArn") else ""
    why = CHOSEN_BY.get(facts.get("encryptionChosenBy", ""))
    yield f"Encryption is {encryption}{key}" + (f": {why}." if why else ".")


def _decided(decisions: Iterable[dict[str, Any]], told: set[str]) -> Iterator[str]:
    for decision in decisions:
        verdict = "allowed" if decision["allowed"] else "REFUSED"
        because = "; ".join(decision["because"]) or "no policy says anything about it"
        text = f"{decision['action']} on {decision['resource']}: {verdict}, because {because}."
        if text not in told:
            told.add(text)
            yield text


def _used(entry: Entry) -> Iterator[str]:
    did = KEY_USES.get(entry.use)
    if did is None:
        return
    context = entry.draft.get("context")
    bound = f", bound to the encryption context {pairs(context)}" if context else ""
    material = f" (material {entry.material_id[:12]}…)" if entry.material_id else ""
    if entry.outcome != "ok":
        did = f"REFUSED to do what was asked: {entry.outcome}"
    key = f" KMS key {entry.key_id}{material}," if entry.key_id else ""
    yield f"{entry.draft.get('use', entry.use)}: the keyholder {did}{bound};{key} audit record {entry.sequence}."


def _stored(facts: dict[str, Any]) -> Iterator[str]:
    blob = facts.get("blob") or []
    blobs = [blob] if isinstance(blob, str) else blob  # a multipart object has one a part
    plain = facts.get("plaintextBytes")
    if plain is None or not blobs or "storedBytes" not in facts:
        return
    yield (
        f"The worker encrypted {plain:,} bytes with AES-256-GCM under the data key, in frames of "
        f"{facts.get('frameLength', 0):,} bytes, and dropped the plaintext data key."
    )
    sealed = facts.get("encryptedDataKeyBytes")
    beside = f", the encrypted data key ({sealed} bytes) in the header" if sealed else ""
    yield f"{facts['storedBytes']:,} bytes of ciphertext were stored{beside}: {', '.join(blobs)}."


def _ended(entry: Entry) -> str:
    error = entry.draft.get("error")
    if error:
        message = entry.draft.get("message")
        return f"Answered with the error {error}" + (f": {message}" if message else ".")
    if entry.outcome != "ok":
        return f"Answered with an error: {entry.outcome}."
    return "Answered with success; this record was on the disk before the answer left."


def pairs(context: dict[str, str]) -> str:
    """Return an encryption context as text: {a=b, c=d}."""
    return "{" + ", ".join(f"{name}={value}" for name, value in sorted(context.items())) + "}"


def moment(entry: Entry) -> str:
    """Return an entry's time in UTC to the millisecond."""
    when = datetime.datetime.fromtimestamp(entry.time, datetime.UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
