"""The cache of signing keys is filled by those who have the secret only."""

from tests.support.place import Place
from tests.support.server import User


def test_wrong_signatures_leave_no_signing_keys(place: Place) -> None:
    """Whoever knows an access key's id, which stands in every presigned URL, cannot push signing keys out."""
    forger = User("root", place.root.access_key_id, "not the secret of this access key")
    assert place.send("GET", "/").status == 200
    before = set(place.day_keys._keys)
    for number in range(20):
        assert place.send("GET", "/", user=forger, region=f"us-east-{number}").code == "SignatureDoesNotMatch"
    assert set(place.day_keys._keys) == before
