"""The life of a request, the same for every service: from bytes to an answer whose record is on the disk.

Each service has a `Wire` (`gate/wire.py`). It reads the request in the service's protocol, names the operation, runs
it, and writes the answers and errors. `serve` has the steps in their order:

1. The wire reads the request: the operation's name and, where the signature covers it, the whole body, bounded.
2. The wire returns the signature. The caller is authenticated: from memory, or by the keyholder.
3. The wire decodes the input and runs the operation: rights first, then state, then work.
4. The record is made durable, unless the record of a key use holds everything already.
5. The answer leaves.

An error in any step becomes an answer in one place, after its record (`gate/refusal.py`). A call exists from the start,
so an unsigned request that is refused is recorded too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from fuin.errors import StoreUnavailable
from fuin.gate import authentication
from fuin.gate.call import Call
from fuin.gate.commit import note_epoch
from fuin.gate.http import Answer, ClientGone
from fuin.gate.refusal import ServiceFault, refuse
from fuin.store.errors import NotInMemory

if TYPE_CHECKING:
    from fuin.gate.authentication import Caller, DayKeys
    from fuin.gate.http import Request, Send
    from fuin.gate.services import Services
    from fuin.gate.wire import Wire
    from fuin.signing.sigv4 import Signed

C = TypeVar("C", bound=Call)
F = TypeVar("F", bound=ServiceFault)
A = TypeVar("A")


async def serve(wire: Wire[C, F, A], services: Services, day_keys: DayKeys, request: Request, send: Send) -> None:
    """Answer one request. Raises ClientGone when nobody is left to be answered."""
    call = wire.new_call(services, request)
    answer: A | Answer
    try:
        await wire.read(call, request)  # 1. the operation's name, and the body that is signed
        signed = wire.signature(call, request)  # 2. who asks
        caller = None if signed is None else await _identify(call, day_keys, request, signed)
        answer = await wire.run(call, request, caller)  # 3. the input, rights, state, work
        if call.record.is_open:  # 4. the record; that of a key use may hold everything already
            await _conclude(wire, call, answer)
        wire.finish_success(call)
    except ClientGone as error:
        if call.record.decisions:  # something was permitted, and perhaps done
            await refuse(wire, call, error)
        raise
    except NotInMemory:  # a decision outside of `Call.consult`, which the house test forbids: refused, on the record
        answer = wire.refusal(call, request, await refuse(wire, call, StoreUnavailable("a decision was not consulted")))
    except Exception as error:
        answer = wire.refusal(call, request, await refuse(wire, call, error))
    finally:
        call.end()
    if isinstance(answer, Answer):  # 5. the answer leaves
        await send(answer.message())
    else:
        await wire.send_stream(call, request, answer, send)


async def _conclude(wire: Wire[C, F, A], call: C, answer: A | Answer) -> None:
    """Write the closing record; without it the answer is not given, so what it holds is closed."""
    try:
        await call.conclude()
    except BaseException:
        await wire.drop_stream(answer)
        raise


async def _identify(call: Call, day_keys: DayKeys, request: Request, signed: Signed) -> Caller:
    """Put the caller into the call, and return it; raises AuthenticationFailed."""
    call.access_key_id = signed.credential.access_key_id
    store = call.services.store
    if store.asks_for_caller:
        await store.ask_epoch()
    call.authenticate_with(authentication.authenticate, day_keys, request, signed)
    try:
        caller = authentication.cached_caller(call.services, day_keys, request, signed)
    except NotInMemory:  # which `authenticate` waits for
        caller = None
    if caller is None:
        caller = await authentication.authenticate(call.services, day_keys, request, signed)
        note_epoch(call)
    call.principal, call.region = caller.principal, caller.region
    if caller.session is not None:
        call.record.facts["session"] = caller.session
    return caller
