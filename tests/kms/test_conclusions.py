"""What a worker has concluded for one principal serves no other, also under the same name."""

from dataclasses import replace

import pytest

from fuin.errors import AccessDenied
from fuin.kms import on_behalf
from tests.kms.asking import NewKey
from tests.kms.place import Place
from tests.kms.test_on_behalf import CONTEXT, call_of
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
