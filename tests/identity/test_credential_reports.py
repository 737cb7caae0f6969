"""Credential reports: AWS's columns, filled with what is true of users, passwords and access keys."""

import base64
import csv
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from fuin.identity.iam import credential_reports as reports
from fuin.store.identity import access_keys
from fuin.store.identity import credential_reports as rows
from fuin.store.identity.access_keys import LastAccessKeyUse
from fuin.store.identity.credential_reports import Credentials, ReportedKey
from fuin.store.identity.login_profiles import LoginProfile
from tests.identity.assuming import allow, refused
from tests.support.place import ACCOUNT, OTHER_ACCOUNT, Place

Names = Callable[[str], str]
HEAD = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,"
    "mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,"
    "access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,"
    "access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,"
    "cert_1_last_rotated,cert_2_active,cert_2_last_rotated"
)
ARN = f"arn:aws:iam::{ACCOUNT}"
_NO_KEY, _NO_CERTIFICATES = "false,N/A,N/A,N/A,N/A", "false,N/A,false,N/A"


@pytest.fixture
def stale(place: Place) -> Callable[[float], None]:
    """Give what makes the account's report as old as is said, in seconds."""

    def age(seconds: float) -> None:
        place.run(place.services.store.write(_age, seconds))

    age(reports.FRESH + 1)
    return age


def _age(conn: Connection, seconds: float) -> None:
    found = rows.find_report(conn, ACCOUNT)
    if found is not None:
        rows.put_report(conn, ACCOUNT, found[0] - seconds, found[1])


def test_rows_are_as_aws_writes_them() -> None:
    """The root comes first; what there is not is N/A; a comma in a name is quoted."""
    found = [
        Credentials(None, f"{ARN}:root", 0.0, (ReportedKey(True, 60.0, LastAccessKeyUse(3600.9, "kms", "eu-west-1")),)),
        Credentials("a,b", f"{ARN}:user/a,b", 1.0, ()),
        Credentials("bob", f"{ARN}:user/x/bob", 2.0, (ReportedKey(False, 3.0, None),), LoginProfile(4.0, 5.0, False)),
    ]
    root = (
        f"<root_account>,{ARN}:root,1970-01-01T00:00:00+00:00,not_supported,no_information,not_supported,not_supported,"
        f"false,true,1970-01-01T00:01:00+00:00,1970-01-01T01:00:00+00:00,eu-west-1,kms,{_NO_KEY},{_NO_CERTIFICATES}"
    )
    comma = (
        f'"a,b","{ARN}:user/a,b",1970-01-01T00:00:01+00:00,false,N/A,N/A,N/A,false,{_NO_KEY},{_NO_KEY},'
        f"{_NO_CERTIFICATES}"
    )
    bob = (
        f"bob,{ARN}:user/x/bob,1970-01-01T00:00:02+00:00,true,no_information,1970-01-01T00:00:05+00:00,"
        f"1970-04-01T00:00:05+00:00,false,false,1970-01-01T00:00:03+00:00,N/A,N/A,N/A,{_NO_KEY},{_NO_CERTIFICATES}"
    )
    assert reports.report(found, 90).split("\n") == [HEAD, root, comma, bob]
    assert reports.report(found, None).splitlines()[3].split(",")[6] == "N/A"


def test_report_tells_of_the_account(place: Place, iam: Any, stale: Callable[[float], None], unique: Names) -> None:
    """Of users with passwords and keys, the used and the idle ones, and of the root; not of other accounts."""
    caller, name, foreign = place.new_user(allow("iam:*CredentialReport")), unique("Reported"), unique("foreign")
    place.service("iam", place.other_root).create_user(UserName=foreign)
    asking = place.service("iam", caller)
    iam.create_user(UserName=name, Path="/team/")
    iam.create_login_profile(UserName=name, Password="Horse-Battery-7")
    idle = iam.create_access_key(UserName=caller.name)["AccessKey"]["AccessKeyId"]
    iam.update_access_key(UserName=caller.name, AccessKeyId=idle, Status="Inactive")
    use = LastAccessKeyUse(4_000_000_000.0, "iam", "us-east-1")  # later than those that are noted beside the requests
    place.run(place.services.store.write(access_keys.note_use, caller.access_key_id, use))
    started = asking.generate_credential_report()
    assert (started["State"], started["Description"][:16]) == ("STARTED", "No report exists")
    answer = asking.get_credential_report()
    assert answer["ReportFormat"] == "text/csv"
    table = {row["user"]: row for row in csv.DictReader(answer["Content"].decode().splitlines())}
    assert next(iter(table)) == "<root_account>"
    root = table["<root_account>"]
    assert (root["access_key_1_active"], root["access_key_2_active"]) == ("true", "false")  # not the other root's
    assert foreign not in table
    assert table[name]["arn"] == f"{ARN}:user/team/{name}"
    assert (table[name]["password_enabled"], table[name]["access_key_1_active"]) == ("true", "false")
    mine = table[caller.name]
    first = 1 if caller.access_key_id < idle else 2
    assert (mine[f"access_key_{first}_active"], mine[f"access_key_{3 - first}_active"]) == ("true", "false")
    assert mine[f"access_key_{first}_last_used_service"] == "iam"
    assert mine[f"access_key_{3 - first}_last_used_date"] == "N/A"
    assert mine[f"access_key_{3 - first}_last_rotated"].endswith("+00:00")
    assert mine["password_enabled"] == "false"
    assert OTHER_ACCOUNT not in answer["Content"].decode()


def test_report_is_kept_for_four_hours(place: Place, iam: Any, stale: Callable[[float], None], unique: Names) -> None:
    """What changes meanwhile is not in it; then it has expired, and is made anew when asked for."""
    expired = refused(iam.get_credential_report)
    assert expired[:2] in {(410, "ReportExpired"), (410, "ReportNotPresent")}
    assert iam.generate_credential_report()["State"] == "STARTED"
    first, name = iam.get_credential_report(), unique("later")
    iam.create_user(UserName=name)
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    assert iam.get_credential_report()["Content"] == first["Content"]
    stale(reports.FRESH - 60)
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    stale(120)
    assert refused(iam.get_credential_report)[:2] == (410, "ReportExpired")
    assert iam.generate_credential_report()["State"] == "STARTED"
    assert name in iam.get_credential_report()["Content"].decode()


def test_report_in_json(place: Place, iam: Any, stale: Callable[[float], None]) -> None:
    """For those who ask for JSON the table is base64 as well."""
    iam.generate_credential_report()
    status, text = place.form(b"Action=GetCredentialReport&Version=2010-05-08&ContentType=JSON")
    result = json.loads(text)["GetCredentialReportResponse"]["GetCredentialReportResult"]
    assert (status, result["ReportFormat"]) == (200, "text/csv")
    assert base64.b64decode(result["Content"]) == iam.get_credential_report()["Content"]


def test_account_without_a_report(place: Place) -> None:
    """AWS's error, and each account has its own; both operations take a right of their own."""
    other = place.service("iam", place.other_root)
    assert refused(other.get_credential_report)[:2] == (410, "ReportNotPresent")
    user = place.service("iam", place.new_user(allow("iam:GenerateCredentialReport")))
    user.generate_credential_report()
    assert refused(user.get_credential_report)[:2] == (403, "AccessDenied")
    assert refused(other.get_credential_report)[1] == "ReportNotPresent"
