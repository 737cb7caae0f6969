"""`fuin policy suggest`: with only the suggested policy one can repeat what was done, and do nothing else."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.advice.suggest import Need
from fuin.audit.reader import Entry
from fuin.cli.suggest import _needs, parse_since
from fuin.errors import FuinError
from tests.cli.test_who_can import arn_of, made
from tests.support.policies import EVERYTHING
from tests.support.server import REGION, Server


def suggested(server: Server, *arguments: str) -> tuple[dict[str, Any], str]:
    """Return the policy and what is said beside it."""
    done = server.fuin("policy", "suggest", "--data", str(server.data), *arguments)
    policy: dict[str, Any] = json.loads(done.stdout)
    return policy, done.stderr


def test_the_suggested_policy_is_enough_and_little(server: Server, unique: Callable[[str], str]) -> None:
    """A user with all rights works; with the suggestion alone the same work succeeds, and other work does not."""
    s3, bucket = server.client("s3"), unique("least")
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket=bucket)
    user = made(server, unique("least"), EVERYTHING)

    def work() -> None:
        own = server.client("s3", user, retry=False)
        for number in range(6):
            own.put_object(
                Bucket=bucket, Key=f"in/{number}", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
            )
        assert own.get_object(Bucket=bucket, Key="in/1")["Body"].read() == b"x"

    work()
    policy, _ = suggested(server, "--principal", arn_of(user), "--since", "1h")
    by_sid = {statement["Sid"]: statement for statement in policy["Statement"]}
    assert by_sid["ThroughS3Keys"]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert by_sid["ThroughS3Keys"]["Condition"] == {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    resources = {statement["Action"]: statement["Resource"] for sid, statement in by_sid.items() if sid.startswith("O")}
    assert resources == {
        "s3:GetObject": f"arn:aws:s3:::{bucket}/in/1",
        "s3:PutObject": f"arn:aws:s3:::{bucket}/in/*",
    }
    server.client("iam").put_user_policy(UserName=user.name, PolicyName="inline", PolicyDocument=json.dumps(policy))
    work()
    with pytest.raises(ClientError, match="AccessDenied"):
        server.client("s3", user, retry=False).get_object(Bucket=bucket, Key="in/2")
    with pytest.raises(ClientError, match="AccessDenied"):
        server.client("kms", user, retry=False).generate_data_key(KeyId=key, KeySpec="AES_256")
    _, said = suggested(server, "--principal", f"user/{user.name}")
    assert (
        f"refused during this period and left out (include with --with-refused): kms:GenerateDataKey on {key}" in said
    )
    wider, _ = suggested(server, "--principal", f"user/{user.name}", "--with-refused")
    assert f"arn:aws:s3:::{bucket}/in/2" in json.dumps(wider)


def test_nothing_is_suggested_of_nothing(server: Server, unique: Callable[[str], str]) -> None:
    """A principal without a record, or whose name only ends alike, gets no policy."""
    user = made(server, unique("x-quiet"), EVERYTHING)
    server.client("kms", user).list_keys()
    for name in ("nobody", user.name[2:]):
        done = server.fuin("policy", "suggest", "--principal", name, "--data", str(server.data), check=False)
        assert (done.returncode, "the log has no requests of" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("text", "moment"),
    [("10s", 990.0), ("2m", 880.0), ("1970-01-01T00:00:30", 30.0), ("1970-01-01T01:00:00+01:00", 0.0)],
)
def test_since_takes_times_and_dates(text: str, moment: float) -> None:
    """So long ago, or a date of UTC unless it says otherwise."""
    assert parse_since(text, 1000.0) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "10", "5y", "-5d"])
def test_other_times_are_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(FuinError, match="--since takes"):
        parse_since(text, 1000.0)


def test_two_of_one_name_are_not_mixed_up() -> None:
    """Users and roles of two accounts may have the same name; the name alone is then not enough."""
    with pytest.raises(FuinError, match="user/ann fits several principals: arn:aws:iam::111122223333:user/ann and "):
        _needs([_entry("111122223333", "user/ann"), _entry("444455556666", "user/ann")], "user/ann", 0)
    entries = [_entry("111122223333", "assumed-role/app/night"), _entry("444455556666", "assumed-role/app/day")]
    with pytest.raises(FuinError, match="role/app fits several principals"):
        _needs(entries, "role/app", 0)
    for account in ("111122223333", "444455556666"):
        for path in ("", "team/"):
            used, *_ = _needs(entries, f"arn:aws:iam::{account}:role/{path}app", 0)
            assert used == {Need("kms:Decrypt", account)}
    both, *_ = _needs([*entries[:1], _entry("111122223333", "assumed-role/app/day")], "role/app", 0)
    assert both == {Need("kms:Decrypt", "111122223333")}


def test_all_of_many_deletions_are_covered(server: Server, unique: Callable[[str], str]) -> None:
    """Deletions of many objects at once are in the log one by one, in records of their own."""
    bucket, user = unique("many"), made(server, unique("deletes"), EVERYTHING)
    server.client("s3").create_bucket(Bucket=bucket)
    keys = [{"Key": f"{number}/{number}"} for number in range(60)]
    server.client("s3", user).delete_objects(Bucket=bucket, Delete={"Objects": keys})
    policy, said = suggested(server, "--principal", arn_of(user))
    assert "deleted in bulk" not in said
    assert policy["Statement"][0]["Resource"] == f"arn:aws:s3:::{bucket}/*"


def test_objects_that_an_older_log_leaves_out() -> None:
    """Logs of an earlier version hold some of many decisions: that the policy may lack the others is said."""
    draft: dict[str, Any] = {
        "request": "r", "operation": "s3:DeleteObjects", "principal": "arn:aws:iam::111122223333:user/a",
        "facts": {"objects": 60},
    }  # fmt: skip
    decisions = [{"action": "s3:DeleteObject", "resource": f"arn:aws:s3:::b/{n}", "allowed": True} for n in range(50)]
    old = Entry(1, 1.0, "record", "ok", "", "", {**draft, "decisions": decisions})
    assert _needs([old, old], "user/a", 0)[2] == 10
    one = {**decisions[0], "resources": [f"arn:aws:s3:::b/{n}" for n in range(60)]}
    piece = Entry(1, 1.0, "record", "ok", "", "", {**draft, "facts": {}, "piece": 1, "decisions": [one]})
    last = Entry(2, 1.0, "record", "ok", "", "", {**draft, "pieces": 1})
    used, _, hidden = _needs([piece, last], "user/a", 0)
    assert (len(used), hidden) == (60, 0)


def _entry(account: str, name: str) -> Entry:
    service = "sts" if name.startswith("assumed-role") else "iam"
    decision = {"action": "kms:Decrypt", "resource": account, "allowed": True}
    draft = {"principal": f"arn:aws:{service}::{account}:{name}", "decisions": [decision]}
    return Entry(1, 1.0, "record", "ok", "", "", draft)
