"""What a worker has concluded for one principal serves no other, also under the same name."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.errors import AccessDenied
from fuin.kms import on_behalf
from tests.kms.asking import NewKey, arn_of
from tests.kms.test_on_behalf import CONTEXT, call_of
from tests.support.place import Place
from tests.support.policies import allow


def test_a_user_of_the_same_name_is_another(place: Place, new_key: NewKey) -> None:
    """A request of a user that was deleted while its body came gets nothing by the rights of its successor's name."""
    key_id = new_key()
    now = call_of(place, place.add_user(allow("kms:GenerateDataKey", "kms:Decrypt")))
    before = call_of(place)
    before.principal = replace(now.principal, id="AIDA" + "BEFORE7" * 2)
    made = place.run(on_behalf.data_key(now, key_id, CONTEXT))
    assert place.run(on_behalf.open_data_key(now, made.blob, CONTEXT)) == made.plaintext  # and both are remembered
    with pytest.raises(AccessDenied):
        place.run(on_behalf.data_key(before, key_id, CONTEXT))
    with pytest.raises(AccessDenied):
        place.run(on_behalf.open_data_key(before, made.blob, CONTEXT))


def test_the_record_of_a_refusal_is_the_same_again(place: Place, kms: Any, new_key: NewKey) -> None:
    """A ciphertext of another key is a refused use on the record, whether the right to the key is concluded or not."""
    mine, other = new_key(), new_key()
    context = {"a": "b"}
    blobs = [kms.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext=context) for key_id in (mine, other)]
    told = []
    for _ in range(2):
        with pytest.raises(ClientError, match="IncorrectKeyException") as error:
            kms.decrypt(CiphertextBlob=blobs[1]["CiphertextBlob"], KeyId=mine, EncryptionContext=context)
        told.append(place.record(error.value.response["ResponseMetadata"]["RequestId"])[-1].draft)
        kms.decrypt(CiphertextBlob=blobs[0]["CiphertextBlob"], KeyId=mine, EncryptionContext=context)
    assert told[0]["facts"] == told[1]["facts"] == {
        "refusedUse": {"use": "kms:Decrypt", "key": arn_of(mine), "context": context}
    }  # fmt: skip
    assert told[0]["decisions"] == told[1]["decisions"]
