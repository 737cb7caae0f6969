"""Credential reports: a table of the account's users, with their passwords and access keys, made every four hours.

IAM user guide, "Generate credential reports for your AWS account". The account's writer makes a report at once, in the
transaction that keeps it, so none is ever in progress.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fuin.identity.iam import entities
from fuin.identity.wire.faults import QueryFault
from fuin.store.identity import credential_reports, password_policies
from fuin.store.kms.rotations import DAY

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output
    from fuin.store.identity.credential_reports import Credentials, ReportedKey

FRESH = 4 * 3600  # seconds
_KEYS = 2  # that a user may have, as columns
_OF_KEY = ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")
_COLUMNS = (
    "user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed",
    "password_next_rotation", "mfa_active",
    *(f"access_key_{number}_{name}" for number in range(1, _KEYS + 1) for name in _OF_KEY),
    "cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated",
)  # fmt: skip
_NONE = "N/A"
_NO_CERTIFICATES = ("false", _NONE, "false", _NONE)


async def generate_credential_report(call: Call, _given: Given) -> Output:
    """Make a report, unless the last one is less than four hours old."""
    await call.consult(entities.permit, "*")
    await call.announce("change")
    if await call.write(_generate, call.account, call.now):
        return {"State": "STARTED", "Description": "No report exists. Starting a new report generation task"}
    return {"State": "COMPLETE"}


async def get_credential_report(call: Call, _given: Given) -> Output:
    """Return the last report, if it is fresh."""
    await call.consult(entities.permit, "*")
    found = await call.services.store.read(credential_reports.find_report, call.account)
    if found is None:
        raise QueryFault("ReportNotPresent", "No report is present. Use GenerateCredentialReport to make one.")
    generated, content = found
    if call.now - generated > FRESH:
        raise QueryFault("ReportExpired", "The report has expired. Use GenerateCredentialReport to make another one.")
    return {"Content": content.encode(), "ReportFormat": "text/csv", "GeneratedTime": generated}


def _generate(conn: Connection, account: str, now: float) -> bool:
    """Make a report and return whether it was needed."""
    found = credential_reports.find_report(conn, account)
    if found is not None and now - found[0] <= FRESH:
        return False
    document = password_policies.find_policy(conn, account)
    age = None if document is None else json.loads(document).get("MaxPasswordAge")
    content = report(credential_reports.credentials_of(conn, account), age)
    credential_reports.put_report(conn, account, now, content)
    return True


def report(found: list[Credentials], age: int | None) -> str:
    """Return the CSV of an account's credentials; `age` is the longest allowed age of passwords, in days."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(_row(one, age) for one in found)
    return written.getvalue().rstrip("\n")


def _row(one: Credentials, age: int | None) -> list[str]:
    head = [one.name or "<root_account>", one.arn, _time(one.created), *_password(one, age), "false"]
    keys = [value for key in (*one.keys, None, None)[:_KEYS] for value in _key(key)]
    return [*head, *keys, *_NO_CERTIFICATES]


def _password(one: Credentials, age: int | None) -> tuple[str, str, str, str]:
    """Return the columns of a password: whether it exists, its last use (never here), its last and next change."""
    if one.name is None:
        return "not_supported", "no_information", "not_supported", "not_supported"
    if one.login is None:
        return "false", _NONE, _NONE, _NONE
    due = _NONE if age is None else _time(one.login.changed + age * DAY)
    return "true", "no_information", _time(one.login.changed), due


def _key(key: ReportedKey | None) -> tuple[str, str, str, str, str]:
    if key is None:
        return "false", _NONE, _NONE, _NONE, _NONE
    use = (_NONE, _NONE, _NONE) if key.use is None else (_time(key.use.used), key.use.region, key.use.service)
    return "true" if key.active else "false", _time(key.created), *use


def _time(seconds: float) -> str:
    """Return a time in the form of AWS's reports; clients can only read this form."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()
