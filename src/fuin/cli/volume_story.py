"""The steps of a request about volumes for people: what KMS refused, which grant began or ended, what a host said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fuin.formats import notes

if TYPE_CHECKING:
    from collections.abc import Iterator


def volume_steps(operation: str, facts: dict[str, Any]) -> Iterator[str]:
    """Yield the steps of a request to EC2, from the facts of its last record."""
    if not operation.startswith("ec2:"):
        return
    volume = notes.display_text(facts.get("volume", ""))
    yield from _report_step(operation, volume, facts)
    yield from _grant_step(facts)
    if isinstance(refused := facts.get("volumeNotMade"), dict):
        yield (
            f"KMS gave no data key ({_cause(refused)}), so there is no volume {volume}. The answer names it all the "
            "same, as AWS's does: AWS asks KMS only after it has answered."
        )
    if isinstance(refused := facts.get("volumeNotAttached"), dict):
        yield f"KMS made no grant for the host ({_cause(refused)}), so the volume {volume} was not attached."
    for grant in facts.get("grantsEnded", ()):
        yield f"The grant {grant} has ended: the host cannot open the volume {volume} again."


def _cause(refused: dict[str, Any]) -> str:
    return f"{refused.get('code')}: {notes.display_text(refused.get('message', ''))}"


def _report_step(operation: str, volume: str, facts: dict[str, Any]) -> Iterator[str]:
    """Yield what a host has reported about a volume."""
    given = notes.held_part(facts.get("parameters"))
    if operation == "ec2:FuinReportAttachment" and isinstance(given, dict):
        said = f": {notes.display_text(given['Message'])}" if "Message" in given else ""
        yield f"The host reported that the volume {volume} is {given.get('State')}{said}."


def _grant_step(facts: dict[str, Any]) -> Iterator[str]:
    """Yield the grant that a host got."""
    grant = facts.get("kmsGrant")
    if isinstance(grant, dict):
        yield (
            f"The grant {grant.get('id')} lets {grant.get('to')} ask for {', '.join(grant.get('operations', ()))} with "
            "the encryption context of this volume; it ends with the attachment."
        )
