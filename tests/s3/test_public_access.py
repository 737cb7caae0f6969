"""The public access block: on for new buckets, and enforced."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.access import public_access
from fuin.access.principal import account_root
from fuin.access.question import Question
from fuin.access.resources.bucket import BucketResource
from fuin.advice import holders
from fuin.advice.explain import Evaluation, explain
from fuin.store.s3 import buckets
from tests.support.place import Place, error_of
from tests.support.policies import allow

ALL = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
OTHER = "210987654321"


def _policy(bucket: str, principal: Any) -> str:
    statement = {
        "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*",
    }  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _block(place: Place, bucket: str, **chosen: bool) -> None:
    place.s3().put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=chosen)


def test_a_new_bucket_takes_no_public_policy(place: Place, bucket: str) -> None:
    """AWS since April 2023: all four are on, and a policy for everybody is refused until the block is taken away."""
    s3 = place.s3()
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == ALL
    with pytest.raises(ClientError) as error:
        s3.put_bucket_policy(Bucket=bucket, Policy=_policy(bucket, "*"))
    status, code, message = error_of(error.value)
    assert (status, code) == (403, "AccessDenied")
    assert message.endswith("prevented by the BlockPublicPolicy setting in S3 Block Public Access.")
    assert place.send("GET", f"/{bucket}?policy").code == "NoSuchBucketPolicy"
    s3.put_bucket_policy(Bucket=bucket, Policy=_policy(bucket, {"AWS": OTHER}))  # names whom it lets in
    s3.delete_public_access_block(Bucket=bucket)
    assert place.send("GET", f"/{bucket}?publicAccessBlock").code == "NoSuchPublicAccessBlockConfiguration"
    s3.put_bucket_policy(Bucket=bucket, Policy=_policy(bucket, "*"))
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert place.raw("GET", f"/{bucket}/k", {}).body == b"x"


def test_what_is_put_is_given_back(place: Place, bucket: str) -> None:
    """Each of the four by itself; what is not named is off."""
    for name in ALL:
        _block(place, bucket, **{name: True})
        found = place.s3().get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        assert found == dict.fromkeys(ALL, False) | {name: True}
    for content in ("<BlockPublicAcls>yes</BlockPublicAcls>", "<X/>"):
        body = f"<PublicAccessBlockConfiguration>{content}</PublicAccessBlockConfiguration>".encode()
        reply = place.send("PUT", f"/{bucket}?publicAccessBlock", place.md5(body), body)
        assert (reply.status, reply.code) == (400, "MalformedXML")
    assert place.s3().get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == found


def test_restricting_closes_a_public_bucket_at_once(place: Place, bucket: str) -> None:
    """Anonymous callers and other accounts are out, whoever is of the bucket's account stays; and back again."""
    user, other = place.add_user(), place.add_user(allow("s3:GetObject"), account=OTHER)
    place.put_policy(bucket, json.loads(_policy(bucket, "*"))["Statement"][0])
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")

    def statuses() -> list[int]:
        return [
            place.raw("GET", f"/{bucket}/k", {}).status,
            place.send("GET", f"/{bucket}/k", user=other).status,
            place.send("GET", f"/{bucket}/k", user=place.other_root).status,
            place.send("GET", f"/{bucket}/k", user=user).status,
        ]

    assert statuses() == [200, 200, 200, 200]
    _block(place, bucket, RestrictPublicBuckets=True)
    assert statuses() == [403, 403, 403, 200]
    reply = place.send("GET", f"/{bucket}/k", user=other)
    assert (reply.code, reply.message) == ("AccessDenied", "Access Denied")  # who owns the bucket is nobody's business
    (record,) = place.drafts(reply.headers["x-amz-request-id"])
    assert any("RestrictPublicBuckets" in reason for reason in record["decisions"][0]["because"])
    _block(place, bucket, BlockPublicAcls=True, IgnorePublicAcls=True, BlockPublicPolicy=True)
    assert statuses() == [200, 200, 200, 200]  # BlockPublicPolicy leaves policies that are there alone


def test_restricting_leaves_a_policy_for_certain_accounts_alone(place: Place, bucket: str) -> None:
    """Only public policies are restricted: sharing with an account goes on under all four."""
    place.s3().put_bucket_policy(Bucket=bucket, Policy=_policy(bucket, {"AWS": OTHER}))
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    assert place.send("GET", f"/{bucket}/k", user=place.other_root).status == 200
    statement = json.loads(_policy(bucket, {"AWS": OTHER}))["Statement"][0]
    place.put_policy(bucket, statement, statement | {"Principal": "*", "Action": "s3:GetObjectAcl"})
    assert place.send("GET", f"/{bucket}/k", user=place.other_root).status == 200
    _block(place, bucket, RestrictPublicBuckets=True)  # the whole policy is public now, also what it gives to one
    assert place.send("GET", f"/{bucket}/k", user=place.other_root).status == 403


def test_policy_status(place: Place, bucket: str) -> None:
    """GetBucketPolicyStatus tells whether the policy is public; without a policy there is no status."""
    s3 = place.s3()
    assert place.send("GET", f"/{bucket}?policyStatus").code == "NoSuchBucketPolicy"
    for principal, public in (({"AWS": OTHER}, False), ("*", True)):
        place.put_policy(bucket, json.loads(_policy(bucket, principal))["Statement"][0])
        assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": public}


def test_a_block_that_comes_while_a_policy_is_stored_holds(
    place: Place, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rights that move between check and commit are asked for again, and so is the block."""
    s3, store = place.s3(), place.services.store
    s3.delete_public_access_block(Bucket=bucket)
    real, calls = store.commit, []

    async def overtaken(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:  # the policy's own commit: another request is quicker
            await real(_set_all, *arguments[1:])
        return await real(*arguments)

    def _set_all(conn: Any) -> None:
        buckets.set_setting(conn, bucket, public_access.SETTING, public_access.ALL_BLOCKED.column())

    monkeypatch.setattr(store, "commit", overtaken)
    with pytest.raises(ClientError) as error:
        s3.put_bucket_policy(Bucket=bucket, Policy=_policy(bucket, "*"))
    assert error_of(error.value)[0] == 403
    monkeypatch.undo()
    assert place.send("GET", f"/{bucket}?policy").code == "NoSuchBucketPolicy"


def test_who_can_and_explain_know_of_the_block(place: Place, bucket: str) -> None:
    """What is told of principals beforehand, and of a refusal afterwards, is what requests meet."""
    place.put_policy(bucket, json.loads(_policy(bucket, "*"))["Statement"][0])
    asked = Question(account_root(OTHER), "s3:GetObject", f"arn:aws:s3:::{bucket}/k", {})

    async def told() -> Evaluation:
        found = place.services.store.read_sync(buckets.find_bucket, bucket)
        assert found is not None
        return explain(
            holders.root(OTHER).case(BucketResource(asked.resource, found.account, found.policy, found)), asked
        )

    assert place.run(told()).decision.allowed
    _block(place, bucket, RestrictPublicBuckets=True)
    evaluation: Evaluation = place.run(told())
    assert not evaluation.decision.allowed
    assert any("RestrictPublicBuckets" in reason.text for reason in evaluation.decision.reasons)
