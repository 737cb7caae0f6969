"""What each service asks of signatures: S3's rules are S3's alone."""

import hashlib
import time

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from fuin.errors import AuthenticationFailed, AuthReason
from fuin.signing import sigv4
from tests.signing.signers import CREDENTIALS, HOST, REGION, Sent, day_key, sent, signed_by

EMPTY = hashlib.sha256(b"").hexdigest()
OTHERS = ("kms", "sts", "iam")


def checked(request: Sent, service: str, *, age: float = 0) -> sigv4.Signed:
    """Return what was signed, if time and signature are right."""
    signed = sigv4.parse(request, None if service == "s3" else EMPTY)
    sigv4.check_time(signed, time.time() + age, 300)
    sigv4.verify(signed, sigv4.SigningKey(day_key(signed.credential)))
    return signed


def arriving(service: str, **added: str) -> Sent:
    """Return a signed request with headers that were added behind its signature."""
    request = signed_by(S3SigV4Auth if service == "s3" else SigV4Auth, service, AWSRequest("GET", f"http://{HOST}/"))
    request.headers.update({name.replace("_", "-").encode(): value.encode() for name, value in added.items()})
    return request


def presigned(service: str, expires: str | None) -> Sent:
    """Return a presigned request that says of its end what `expires` says, which is signed."""
    signer = SigV4QueryAuth(CREDENTIALS, service, REGION, expires=60)
    before = signer._modify_request_before_signing

    def change(request: AWSRequest) -> None:
        before(request)
        said = "" if expires is None else f"&X-Amz-Expires={expires}"
        request.url = request.url.replace("&X-Amz-Expires=60", said)

    signer._modify_request_before_signing = change
    request = AWSRequest("GET", f"http://{HOST}/?Action=GetCallerIdentity&Version=2011-06-15")
    signer.add_auth(request)
    return sent(request)


@pytest.mark.parametrize("service", OTHERS)
def test_token_may_stand_outside_the_signature(service: str) -> None:
    """Clients of STS sign `host` and `x-amz-date` alone; the token is read all the same."""
    assert checked(arriving(service, x_amz_security_token="a-token"), service).token == "a-token"


@pytest.mark.parametrize("service", OTHERS)
def test_headers_that_a_service_does_not_read_may_be_added(service: str) -> None:
    """What a proxy adds on the way changes nothing, so it needs no signature."""
    checked(arriving(service, x_amz_cf_id="of a proxy", x_amz_user_agent="one more"), service)


@pytest.mark.parametrize(
    ("service", "name"), [("s3", "x_amz_security_token"), ("s3", "x_amz_cf_id"), ("kms", "x_amz_target")]
)
def test_headers_that_say_what_is_asked_for_must_be_signed(service: str, name: str) -> None:
    """S3 wants all of its own signed, the token too; KMS the operation's name, which else could be exchanged."""
    with pytest.raises(AuthenticationFailed) as refused:
        checked(arriving(service, **{name: "TrentService.DisableKey"}), service)
    assert refused.value.reason is AuthReason.UNSIGNED_HEADER


@pytest.mark.parametrize("service", ["sts", "iam"])
@pytest.mark.parametrize("expires", [None, "", "1", "60", "3600", "604801", "soon"])
def test_presigned_for_a_quarter_of_an_hour(service: str, expires: str | None) -> None:
    """STS and IAM do not look at X-Amz-Expires: tokens for EKS say 60 and are good for 14 minutes."""
    checked(presigned(service, expires), service, age=890)
    with pytest.raises(AuthenticationFailed, match=r"Signature expired: \w+ is now earlier than .* - 15 min\.") as late:
        checked(presigned(service, expires), service, age=910)
    assert late.value.reason is AuthReason.EXPIRED


@pytest.mark.parametrize("service", ["sts", "iam"])
def test_expires_stays_signed(service: str) -> None:
    """What nobody reads cannot be changed either."""
    request = presigned(service, "60")
    request.query = request.query.replace(b"X-Amz-Expires=60", b"X-Amz-Expires=61")
    with pytest.raises(AuthenticationFailed, match="does not match"):
        checked(request, service)


@pytest.mark.parametrize("service", ["kms", "s3"])
@pytest.mark.parametrize("expires", [None, "", "soon", "604801"])
def test_presigned_with_an_end(service: str, expires: str | None) -> None:
    """Elsewhere the end must be said, and be one."""
    with pytest.raises(AuthenticationFailed) as refused:
        checked(presigned(service, expires), service)
    assert refused.value.reason in (AuthReason.INCOMPLETE, AuthReason.MALFORMED)
