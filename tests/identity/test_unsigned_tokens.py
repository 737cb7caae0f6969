"""Security tokens outside of the signature: taken by KMS, IAM and STS, refused by S3; and which tokens are none."""

import pytest
import urllib3
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.identity.assuming import Session, allow, assume, new_role, trust, user_arn
from tests.support.place import ANYTHING, Place

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
REQUESTS: dict[str, tuple[str, dict[str, str], bytes]] = {
    "kms": ("POST", {"X-Amz-Target": "TrentService.ListKeys"}, b"{}"),
    "sts": ("POST", FORM, b"Action=GetCallerIdentity&Version=2011-06-15"),
    "iam": ("POST", FORM, b"Action=ListUsers&Version=2010-05-08"),
    "s3": ("GET", {}, b""),
}


def send(place: Place, session: Session, service: str, token: str | None) -> tuple[int, bytes]:
    """Sign as a session does that says nothing of its token, and put a token beside the signature."""
    method, headers, body = REQUESTS[service]
    request = AWSRequest(method, f"{place.url}/", headers=headers, data=body)
    keys = Credentials(session.user.access_key_id, session.user.secret_access_key)
    (S3SigV4Auth if service == "s3" else SigV4Auth)(keys, service, "us-east-1").add_auth(request)
    beside = {} if token is None else {"X-Amz-Security-Token": token}
    answer = urllib3.request(method, f"{place.url}/", headers={**request.headers, **beside}, body=body, retries=False)
    return answer.status, answer.data


@pytest.fixture(scope="module")
def sessions(place: Place) -> tuple[Session, Session]:
    """Give two sessions of one role."""
    alice = place.new_user(ANYTHING)
    role = new_role(place, trust(user_arn(alice)), allow(["kms:ListKeys", "iam:ListUsers", "s3:ListAllMyBuckets"]))
    return assume(place, role, alice), assume(place, role, alice)


@pytest.mark.parametrize("service", ["kms", "sts", "iam"])
def test_token_beside_the_signature(place: Place, sessions: tuple[Session, Session], service: str) -> None:
    """Clients that sign as little as they must get their answer; with the token of another session nobody does."""
    own, other = sessions
    assert send(place, own, service, own.token)[0] == 200
    for token in (None, other.token, own.token[:-4]):
        assert send(place, own, service, token)[0] in {400, 403}


def test_s3_wants_the_token_signed(place: Place, sessions: tuple[Session, Session]) -> None:
    """There no header of AWS's may stand outside."""
    status, body = send(place, sessions[0], "s3", sessions[0].token)
    assert (status, b"There were headers present in the request which were not signed" in body) == (403, True)
