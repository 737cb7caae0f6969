"""The end of an attachment: its grants go with it, and the volume is available again."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fuin.store.errors import NotFound
from fuin.store.kms import grants
from fuin.store.volumes import attachments, volumes

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.store.volumes.attachments import Attachment


def end_attachment(conn: Connection, attachment: Attachment) -> None:
    """End an attachment and its grants; raises NotFound if it has ended already, or is another one now."""
    volumes.lock_volume(conn, attachment.volume_id)
    present = attachments.find_attachment(conn, attachment.volume_id)
    if present is None or present.grant_id != attachment.grant_id:
        raise NotFound(attachment.volume_id)
    delete_grants(conn, present)
    attachments.delete_attachment(conn, attachment.volume_id)
    volumes.set_state(conn, attachment.volume_id, volumes.AVAILABLE)


def delete_grants(conn: Connection, attachment: Attachment) -> None:
    """Remove the grants of an attachment; one that somebody has revoked is gone already."""
    for grant_id in filter(None, (attachment.grant_id, attachment.fill_grant_id)):
        with contextlib.suppress(NotFound):
            grants.delete_grant(conn, grant_id)


def delete_fill_grant(conn: Connection, attachment: Attachment) -> None:
    """Remove the grant for the snapshot's data key: the volume is filled."""
    if attachment.fill_grant_id:
        with contextlib.suppress(NotFound):
            grants.delete_grant(conn, attachment.fill_grant_id)
        attachments.forget_fill_grant(conn, attachment.volume_id)


def name_grants(call: Call, attachment: Attachment) -> None:
    """Put the grants that are about to end on the record."""
    call.facts["grantsEnded"] = [one for one in (attachment.grant_id, attachment.fill_grant_id) if one]
