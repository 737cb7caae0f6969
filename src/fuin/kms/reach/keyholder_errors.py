"""The keyholder's answers to uses of keys, and AWS's errors for what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from fuin.errors import FormatError, MaterialDamaged, TamperedError
from fuin.kms.model.faults import KmsFault

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from fuin.errors import Fault
    from fuin.gate.call import Call

T = TypeVar("T")


async def keyholder_answer(
    call: Call, answer: Awaitable[T], *, tampered: str | None = None, invalid: Fault | None = None
) -> T:
    """Return the answer to a use of a key; raises AWS's error if the keyholder refuses it.

    A signature, MAC or ciphertext that does not hold raises the fault with the code `tampered`, on the record as well.
    Input that does not fit the key raises `invalid`: the request gets a record of its own then, since not all such
    input comes as far as a use.
    """
    try:
        return await call.use(answer)
    except TamperedError as error:
        if tampered is None or isinstance(error, MaterialDamaged):
            raise
        raise KmsFault(tampered) from None
    except FormatError:
        raise invalid or KmsFault("ValidationException", "The request is not valid for this key.") from None
