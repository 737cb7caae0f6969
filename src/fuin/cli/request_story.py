"""A request's audit records as numbered steps for people: pure text, no I/O."""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING, Any

from fuin.access.vocabulary.s3_encryption import SSE_KMS, SSE_KMS_DSSE
from fuin.audit import reader
from fuin.cli.volume_story import volume_steps
from fuin.formats import notes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    "import-material": "took in key material that somebody else made",
    "data-key-pair": "made a data key pair, and returned its private key twice, in the clear and encrypted",
    "data-key-pair-without-plaintext": "made a data key pair, and returned its private key encrypted only",
    "sign": "signed the caller's message",
    "verify": "checked a signature",
    "generate-mac": "made the MAC of the caller's message",
    "verify-mac": "checked a MAC",
    "derive-shared-secret": "derived a secret that it shares with the owner of the caller's public key",
    "encapsulate": "made a shared secret, and returned it in the clear and encapsulated",
    "decapsulate": "opened an encapsulated shared secret",
    "get-public-key": "returned the public key",
}
OPENED = "opened the encrypted data key that lies beside the ciphertext"  # a decrypt for the object store
CHOSEN_BY = {
    "request header": "the request named it",
    "bucket default": "the bucket's default encryption names it",
    "service default": "neither the request nor the bucket names one, so the service's own default holds",
}
AS_BEGUN = "as its upload was begun"
NOT_CHOSEN = {  # where the encryption is already fixed; for all other operations, the object has it
    "s3:UploadPart": AS_BEGUN,
    "s3:UploadPartCopy": "as the source, or the upload, has it",
    "s3:CompleteMultipartUpload": AS_BEGUN,
}
UNFINISHED_BY_USE = {  # these do not end with the key use: a record of the outcome follows
    "kms:CreateKey", "s3:PutObject", "s3:PostObject", "s3:CopyObject", "s3:CreateMultipartUpload", "s3:UploadPart",
    "s3:UploadPartCopy", "s3:CompleteMultipartUpload", "s3:UpdateObjectEncryption", "ec2:CopySnapshot",
    "ec2:CreateVolume",
}  # fmt: skip
_OTHERS_SAID = 10
SETS_DEFAULT = "s3:PutBucketEncryption"


def request_steps(entries: Sequence[Entry]) -> list[str]:
    """Return the steps of one request, in the order of its records; empty without records."""
    if not entries:
        return []
    steps = [_request_step(entries[0], entries[-1]), *_session_step(entries[-1])]
    for entry in entries:
        steps += _decision_steps(entry, of_keys=False)
        steps += _encryption_step(entry)
        steps += _decision_steps(entry, of_keys=True)
        steps += _key_use_step(entry)
        steps += _bucket_key_steps(entry)
        steps += _announcement_step(entry)
    steps += _dependents_step(_facts(entries[-1]))
    steps += _proxy_step(entries[-1])
    steps += _refused_use_step(entries[-1])
    if "error" not in entries[-1].draft and entries[-1].outcome == "ok":
        steps += _credentials_step(_facts(entries[-1]))
        steps += _setting_steps(_facts(entries[-1]))
        steps += _storage_step(_facts(entries[-1]))
        steps += _composition_step(entries[-1])
        steps += _kept_key_step(entries[-1])
        steps += _download_step(entries[-1])
    steps += volume_steps(str(entries[-1].draft.get("operation", "")), _facts(entries[-1]))
    steps.append(_outcome_step(entries[-1]))
    return list(dict.fromkeys(steps))  # each record of a request repeats what was known before it


def _facts(entry: Entry) -> dict[str, Any]:
    facts = entry.draft.get("facts")
    return facts if isinstance(facts, dict) else {}


def _request_step(entry: Entry, last: Entry) -> str:
    draft, facts = entry.draft, _facts(entry)
    path = "/".join(notes.display_text(facts[name]) for name in ("bucket", "key") if name in facts)
    where = f" on s3://{path}" if path else ""
    part = _facts(last).get("part")
    which = f", part {part} of an upload" if part is not None else ""
    source = f", a copy of s3://{notes.display_text(facts['copySource'])}" if "copySource" in facts else ""
    return (
        f"{draft.get('principal', '?')} asked for {draft.get('operation', '?')}{where}{which}{source}"
        f"{_signature_phrase(draft)}, at {moment(entry)}{f', on the node {entry.node}' if entry.node else ''}."
    )


def _signature_phrase(draft: dict[str, Any]) -> str:
    if draft.get("accessKey"):
        return f", signed with access key {notes.display_text(draft['accessKey'])}"
    return " on the server's own machine" if str(draft.get("operation", "")).startswith("fuin:") else ", unsigned"


def _session_step(entry: Entry) -> Iterator[str]:
    """Yield the step that names the owner of the temporary credentials."""
    session = _facts(entry).get("session")
    if isinstance(session, dict):
        source = f"; the source identity is {session['sourceIdentity']}" if "sourceIdentity" in session else ""
        yield (
            f"These are temporary credentials of {session.get('of', '?')}, given to {session.get('issuer', '?')}, who "
            f"signed with access key {session.get('issuerAccessKey', '?')}{source}."
        )


def _credentials_step(facts: dict[str, Any]) -> Iterator[str]:
    """Yield the step about issued temporary credentials."""
    issued = facts.get("issued")
    if isinstance(issued, dict):
        yield f"Temporary credentials were given: access key {issued.get('accessKey')}, until {issued.get('until')}."


def _setting_steps(facts: dict[str, Any]) -> Iterator[str]:
    """Yield a step for each bucket setting that was put or removed."""
    settings = notes.held_part(facts.get("settings"))
    for name, value in settings.items() if isinstance(settings, dict) else ():
        said = notes.display_text(value) if notes.is_note(value) else json.dumps(value)
        yield f"The bucket's {name} is now {'not set' if value is None else said}."


def _encryption_step(entry: Entry) -> Iterator[str]:
    """Yield the step about the encryption, its key and who chose it, if the record has the key."""
    facts = _facts(entry)
    encryption, key = facts.get("encryption"), _key_arn(entry)
    if not encryption:
        return
    if entry.draft.get("operation") == SETS_DEFAULT:
        named = f"the key {facts['defaultKey']}" if facts.get("defaultKey") else "no key of its own"
        yield f"The bucket's default encryption is now {encryption}, with {named}."
        return
    if isinstance(facts.get("before"), dict):
        yield _rewrap_step(facts, facts["before"])
        return
    own = (
        ", the object store's own, for which the caller needs no right"
        if encryption not in (SSE_KMS, SSE_KMS_DSSE)
        else ""
    )
    named = f" with the key {key}{own}" if key else ""
    kept = NOT_CHOSEN.get(entry.draft.get("operation", ""), "as the object is stored")
    yield f"Encryption is {encryption}{named}: {CHOSEN_BY.get(facts.get('encryptionChosenBy', ''), kept)}."


def _rewrap_step(facts: dict[str, Any], before: dict[str, Any]) -> str:
    """Return the step about a data key that comes under another key, or other key material."""
    former, now = (
        f"{scheme.get('encryption')} with the key {scheme.get('keyArn')}"
        for scheme in (before, facts)
    )  # fmt: skip
    return f"The object's data key is under {former}, and comes under {now}. No byte of the object is moved."


def _key_arn(entry: Entry) -> str:
    """Return the key that this record is about; for a copy the facts may still name the source's key."""
    facts = _facts(entry)
    refused = facts.get("refusedUse") or {}
    return str(entry.draft.get("key") or refused.get("key") or facts.get("keyArn") or "")


def _decision_steps(entry: Entry, *, of_keys: bool) -> Iterator[str]:
    """Yield the decisions about keys, or those about everything else."""
    by_store = str(entry.draft.get("operation", "")).startswith("s3:")
    for decision in entry.decisions:
        action, resource = decision["action"], notes.display_text(decision["resource"])
        if action.startswith("kms:") != of_keys:
            continue
        asked = ", asked for by the object store as this caller" if of_keys and by_store else ""
        verdict = "allowed" if decision["allowed"] else "REFUSED"
        because = _reason_phrase(decision["because"], resource)
        yield f"{action} on {resource}{_other_resources(decision)}{asked}: {verdict}, because {because}."


def _other_resources(decision: dict[str, Any]) -> str:
    """Return the other resources with the same decision: only some, since there may be a thousand."""
    others = [notes.display_text(one) for one in reader.resources_of(decision)[1:]]
    if not others:
        return ""
    more = len(others) - _OTHERS_SAID
    rest = f" and {more:,} more (--json names them all)" if more > 0 else ""
    return f", and the same on {', '.join(others[:_OTHERS_SAID])}{rest}"


def _reason_phrase(reasons: Any, resource: str) -> str:
    """Join the reasons; instead of the resource's ARN they say `it`, since repeated ARNs hide the rest."""
    tail = f" on {resource}"
    texts = [notes.display_text(reason) for reason in notes.held_part(reasons)]
    short = [
        f"{reason.removesuffix(tail)} on it" if resource != "*" and reason.endswith(tail) else reason
        for reason in texts
    ]  # fmt: skip
    if notes.is_note(reasons):
        short.append(f"all of the reasons: {notes.display_text(reasons)}")
    return "; ".join(short) or "no policy says anything about it"


def _key_use_step(entry: Entry) -> Iterator[str]:
    did = KEY_USES.get(entry.use)
    if did is None:
        return
    draft = entry.draft
    if entry.use == "decrypt" and str(draft.get("operation", "")).startswith("s3:"):
        did = OPENED
    if entry.outcome != "ok":
        did = f"REFUSED to do what was asked: {entry.outcome}"
    material = f" (material {entry.material_id[:12]}…)" if entry.material_id else ""
    key = f" KMS key {entry.key_id}{material}," if entry.key_id else ""
    bound = _context_phrase(draft.get("context"))
    yield f"{draft.get('use', entry.use)}: the keyholder {did}{bound};{key} audit record {entry.sequence}."


def _bucket_key_steps(entry: Entry) -> Iterator[str]:
    """Yield a step for each bucket key that the request needed."""
    for used in notes.held_part(_facts(entry).get("bucketKeys")) or ():
        what = f"{used['use']} for the bucket key under {used['key']}"
        if used["from"] == "memory":
            yield f"{what}: KMS was not asked, since the worker had it in memory; the right was decided all the same."
        else:
            yield f"{what}: KMS was asked. Under this key the worker encrypts the data keys of many objects."


def _context_phrase(context: Any) -> str:
    if not context:
        return ""
    short = context_text(dict(notes.held_part(context)))
    if not notes.is_note(context):
        return f", bound to the encryption context {short}"
    many = context.get("pairs", "?")
    return f", bound to an encryption context of {many} pairs {notes.display_text(context)}, among them {short}"


def _announcement_step(entry: Entry) -> Iterator[str]:
    about = entry.draft.get("about")
    if about and "piece" not in entry.draft:
        what = {"delete": "deletion"}.get(about, about)
        yield f"The {what} was put on the record before it was done: audit record {entry.sequence}."


def _refused_use_step(entry: Entry) -> Iterator[str]:
    """Yield the step about a refused use that never reached the keyholder."""
    refused = _facts(entry).get("refusedUse")
    if refused and "error" in entry.draft:
        bound = _context_phrase(refused.get("context"))
        yield f"{refused.get('use', '?')}{bound}: the keyholder was not asked, and the key was not used."


def _dependents_step(facts: dict[str, Any]) -> Iterator[str]:
    """Yield the step about what still needs a key that would end, or can no longer be used."""
    found = facts.get("dependents")
    if isinstance(found, dict):
        yield (
            f"The key is still needed; objects: {found.get('objects')}, older versions of objects: "
            f"{found.get('versions')}, uploads under way: {found.get('uploads')}, in all {found.get('bytes')} bytes; "
            f"buckets with it as their default: {found.get('buckets')}{_disks_phrase(found)}."
        )


def _disks_phrase(found: dict[str, Any]) -> str:
    if "volumes" not in found:
        return ""
    return f"; volumes: {found['volumes']}, snapshots of volumes: {found.get('snapshots')}"


def _proxy_step(entry: Entry) -> Iterator[str]:
    """Yield the step about an external key store's proxy that refused or failed."""
    reason = _facts(entry).get("externalKeyStore")
    if reason and "error" in entry.draft:
        yield f"The proxy of the external key store was asked, and did not do it: {reason}."


def _storage_step(facts: dict[str, Any]) -> Iterator[str]:
    blob = facts.get("blob")
    if not blob or "plaintextBytes" not in facts or "storedBytes" not in facts:
        return
    has_two_layers = facts.get("encryption") == SSE_KMS_DSSE
    noun = "two data keys, one layer after the other" if has_two_layers else "the data key"
    yield (
        f"The worker encrypted {facts['plaintextBytes']:,} bytes with AES-256-GCM under {noun}, in frames of "
        f"{facts.get('frameLength', 0):,} bytes, and dropped the plaintext data {'keys' if has_two_layers else 'key'}."
    )
    size = facts.get("encryptedDataKeyBytes")
    key, header = ("data keys", "headers") if has_two_layers else ("data key", "header")
    sealed = f"the encrypted {key} ({size} bytes)" if size else f"the upload's encrypted {key}"
    yield f"{facts['storedBytes']:,} bytes of ciphertext were stored, {sealed} in the {header}: {blob}."


def _composition_step(entry: Entry) -> Iterator[str]:
    """Yield the step about the parts of a completed upload."""
    facts = _facts(entry)
    if entry.draft.get("operation") != "s3:CompleteMultipartUpload":
        return
    if facts.get("repeated"):
        yield "The upload had been completed before: nothing was changed."
    elif "objectBytes" in facts:
        yield f"{_parts_phrase(facts)}. Nothing was moved or encrypted again."


def _parts_phrase(facts: dict[str, Any]) -> str:
    blobs, parts = facts.get("blobs") or [], facts.get("parts", 1)
    more = f" and {parts - len(blobs):,} more" if parts > len(blobs) else ""
    noun = "part, a message" if parts == 1 else "parts, each a message"
    return f"The object has {facts['objectBytes']:,} bytes in {parts:,} {noun} of its own: {', '.join(blobs)}{more}"


def _kept_key_step(entry: Entry) -> Iterator[str]:
    size = _facts(entry).get("encryptedDataKeyBytes")
    if entry.draft.get("operation") == "s3:CreateMultipartUpload" and size:
        yield f"The encrypted data key ({size} bytes) was kept with the upload, and the plaintext one dropped."


def _download_step(entry: Entry) -> Iterator[str]:
    """Yield the steps of a download; its record is written at the key use, before the first byte leaves."""
    facts = _facts(entry)
    from_memory = "bucketKeys" in facts and entry.draft.get("operation") == "s3:GetObject"
    if not (from_memory or entry.use == "decrypt") or "objectBytes" not in facts:
        return
    if entry.draft.get("operation") == "s3:HeadObject":  # which opens the data key for the checksum, and reads nothing
        return
    size = facts["objectBytes"]
    yield f"{_parts_phrase(facts)}."
    yield (
        f"The worker then decrypts {_range_phrase(facts.get('range'), size)}, verifies each frame before its bytes "
        "leave, and drops the plaintext data key."
    )


def _range_phrase(content_range: str | None, size: int) -> str:
    """Return `bytes FIRST-LAST/SIZE` as words; None means the whole object."""
    if content_range is None:
        return f"all {size:,} bytes"
    first, _, last = content_range.removeprefix("bytes ").partition("/")[0].partition("-")
    if not (first.isdigit() and last.isdigit()):
        return f"the range {content_range}"
    count = int(last) - int(first) + 1
    return f"{count:,} of {size:,} bytes (from {int(first):,} to {int(last):,}, counted from 0)"


def _outcome_step(entry: Entry) -> str:
    error = entry.draft.get("error")
    if error:
        message = entry.draft.get("message")
        return f"Answered with the error {error}" + (f": {notes.display_text(message)}" if message else ".")
    if entry.outcome != "ok":
        return f"Answered with an error: {entry.outcome}."
    used_only = entry.use != "record" and entry.draft.get("operation") in UNFINISHED_BY_USE
    if used_only or "about" in entry.draft or "piece" in entry.draft:
        return "There is no record of the outcome: the request is under way, or a process ended before it was over."
    if str(entry.draft.get("operation", "")).startswith("fuin:"):
        return "This was put on the record before it was done; the command says whether it was."
    facts = entry.draft.get("facts", {})
    if facts.get("refused"):
        return f"Answered with 200, but {facts['refused']:,} of {facts.get('objects', 0):,} were refused in it."
    return "Answered with success; this record was on the disk before the answer left."


def context_text(context: dict[str, str]) -> str:
    """Return an encryption context as text: {a=b, c=d}."""
    return "{" + ", ".join(f"{name}={value}" for name, value in sorted(context.items())) + "}"


def moment(entry: Entry) -> str:
    """Return an entry's time in UTC to the millisecond."""
    when = datetime.datetime.fromtimestamp(entry.time, datetime.UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
