"""Drafts of audit records: their members, and the bounds within which each request can be recorded.

Page: docs/formats/audit-record.md. The values that a client chooses have no bounds of their own here: names, contexts,
headers and policies may be long, and a control character takes six bytes of JSON. So each draft is bounded as a whole,
in one place, whatever it holds:

1. A short draft stays as it is. Nearly every draft is short, so this costs one comparison.
2. Otherwise long values become notes (`formats/notes.py`) level by level, until the draft fits. What a request acts
   on (`_NAMES`) stays whole, unless a stranger's request was refused.
3. Decisions and names are never left out. Those that do not fit into one record go into further records, the `pieces`,
   which are on the disk before it (`gate.Call`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from fuin.errors import FormatError
from fuin.formats import notes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

AT_MOST = 128 * 1024  # bytes of a draft; ReEncrypt puts two, beside two contexts, into one frame of 1 MiB
OF_STRANGERS = 1920  # of refusals that anybody on the network can cause: 2,048 with what the log adds to a record
SHORT = OF_STRANGERS  # so short a draft is within every bound
DECISIONS_REPEATED = 8  # each record of a request repeats as many; more of them are in pieces, once
DECISIONS_OF_STRANGERS = 2  # the same in a stranger's refusal
PIECE = 24 * 1024  # bytes of decisions or names in one piece

Draft = dict[str, Any]


class Level(NamedTuple):
    """How long a text and a list or map may be, in bytes of JSON, and a name; and how much of longer ones is shown."""

    text: int
    together: int
    name: int
    begins: int


_LEVELS = (
    Level(8192, 32 * 1024, 8192, notes.BEGINS), Level(1024, 4096, 8192, notes.BEGINS),
    Level(256, 1024, 8192, notes.BEGINS), Level(64, 256, 8192, 32),
)  # fmt: skip
_LEVELS_OF_STRANGERS = (
    Level(1024, 1024, 1024, notes.BEGINS), Level(256, 512, 256, notes.BEGINS), Level(128, 256, 128, 32),
    Level(64, 64, 64, 16),
)  # fmt: skip

# Who asks and what a request acts on: it stays whole, since a hash names nothing without the original.
_NAMES = frozenset({
    "accessKey", "bucket", "copySource", "key", "policies", "principal", "region", "resource", "resources",
    "sessionDigests", "via",
})  # fmt: skip
# What readers of a record rely on; all of it is short and the server's own.
_PLAIN = frozenset({"about", "commit", "error", "operation", "request", "sourceIp", "use"})

_NOTE = 160  # bytes of a note that holds something, without that
_PAIR = 16  # with fewer bytes left, the other members are skipped: a context may have 16,000

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class DraftMembers(msgspec.Struct, omit_defaults=True, rename="camel"):
    """The members of an audit record's draft, in their order; members without a value are left out."""

    request: str
    operation: str
    principal: str
    access_key: str
    region: str
    source_ip: str
    via: str | None = None
    facts: dict[str, Any] = {}
    decisions: Sequence[dict[str, Any] | msgspec.Raw] = []
    about: str | None = None
    error: str | None = None  # a code
    message: str | None = None
    use: str | None = None  # the KMS action of a key use
    key: str | None = None  # its ARN
    manager: str | None = None
    context: Mapping[str, str] | None = None
    dry_run: bool | None = None
    piece: int | None = None  # the number of this record among those that hold a request's long lists
    pieces: int | None = None  # how many such records there are before this one
    commit: int = 0  # the serial of what the request has committed


def encode(record: DraftMembers, *, stranger: bool) -> bytes:
    """Return the JSON of a record, within the bound for authenticated callers or the one for strangers' refusals."""
    try:
        data = _encode(record)
    except UnicodeEncodeError:
        names = record.__struct_fields__
        data = _encode(DraftMembers(*[_unicode_only(getattr(record, name)) for name in names]))
    if len(data) <= SHORT or (len(data) <= _LEVELS[0].text and not stranger):  # nothing in it can be too long
        return data
    return _shorten_to_bound(_decode(data), stranger=stranger)


def encode_numbered(records: Sequence[DraftMembers], first: int, *, stranger: bool) -> list[bytes]:
    """Return the JSON of the records that hold a request's long lists, numbered from `first`."""
    for number, record in enumerate(records, first):
        record.piece = number
    return [encode(record, stranger=stranger) for record in records]


def _shorten_to_bound(draft: Draft, *, stranger: bool) -> bytes:
    """Return the JSON of a draft, shortened only as much as its bound requires."""
    limit, levels = (OF_STRANGERS, _LEVELS_OF_STRANGERS) if stranger else (AT_MOST, _LEVELS)
    for level in levels:
        data = _encode(_shorten_draft(draft, level))
        if len(data) <= limit:
            return data
    return _encode(_minimal_draft(draft, levels[-1]))


def _minimal_draft(draft: Draft, level: Level) -> Draft:
    """Return a draft in which each list and map is replaced by its hash."""
    kept = {name: _shorten_value(value, level) for name, value in draft.items() if not isinstance(value, list | dict)}
    return kept | {name: notes.json_note(value) for name, value in draft.items() if isinstance(value, list | dict)}


def _shorten_draft(draft: Draft, level: Level) -> Draft:
    """Return a draft whose long values are notes."""
    short: Draft = {}
    for name, value in draft.items():
        if name in _PLAIN:
            short[name] = value
        elif name == "decisions":
            short[name] = [_short_members(decision, level) for decision in value]
        elif name == "facts":
            short[name] = _short_members(value, level)
        else:
            short |= _short_members({name: value}, level)
    return short


def _short_members(given: Draft, level: Level) -> Draft:
    """Return a decision or the facts, each member by itself."""
    short: Draft = {}
    for name, value in given.items():
        if name in _NAMES:
            short[name] = _short_name(value, level)
        elif name == "context":
            short[name] = _short_context(value, level)
        elif name == "refusedUse":
            short[name] = _short_members(value, level)
        else:
            short[name] = _shorten_value(value, level)
    return short


def _short_name(value: Any, level: Level) -> Any:
    """Return a name, or all names of a list: pieces bound their number."""
    if isinstance(value, list):
        return [_short_name(one, level) for one in value]
    return _short_text(value, level.name, level.begins) if isinstance(value, str) else _shorten_value(value, level)


def _shorten_value(value: Any, level: Level) -> Any:
    if isinstance(value, str):
        return _short_text(value, level.text, level.begins)
    if isinstance(value, list):
        return _short_list(value, level)
    return _short_map(value, level) if isinstance(value, dict) and not notes.is_note(value) else value


def _short_text(value: str, limit: int, begins: int) -> str | notes.Note:
    if len(value) * 6 <= limit or notes.size(value) <= limit:
        return value
    return notes.text_note(value, begins)


def _short_list(items: list[Any], level: Level) -> Any:
    """Return a whole list, or its note with as many of the first items as fit."""
    held: list[Any] = []
    room = level.together
    for item in items:
        short = _shorten_value(item, level)
        room -= notes.size(short) + 1
        if room < 0:
            return notes.json_note(items, items=len(items), holds=held)
        held.append(short)
    return held


def _short_map(given: Draft, level: Level) -> Draft:
    """Return a whole map, or its note with the members that fit."""
    held: Draft = {}
    room = level.together
    for name, value in given.items():
        if room < _PAIR:
            break
        short = _shorten_value(value, level)
        size = notes.size(name) + notes.size(short) + 2
        if size > room and isinstance(value, list | dict):
            short = _shorten_value(value, level._replace(together=room - _NOTE - notes.size(name)))
            size = notes.size(name) + notes.size(short) + 2
        if size <= room and notes.size(name) <= level.text:
            held[name] = short
            room -= size
    return held if len(held) == len(given) else notes.json_note(given, members=len(given), holds=held)


def _short_context(pairs: Any, level: Level) -> Any:
    """Return a whole encryption context, or the note of its canonical bytes with the short pairs."""
    if notes.is_note(pairs) or notes.size(pairs) <= level.text:
        return pairs
    held, room = {}, level.text // 2
    for name, value in pairs.items():
        if room < _PAIR:
            break
        size = notes.size(name) + notes.size(value) + 2
        if size <= min(room, level.text // 16):
            held[name] = value
            room -= size
    try:
        return notes.context_note(pairs, held)
    except FormatError:  # too long for a context, which the request is refused for
        return notes.json_note(pairs, members=len(pairs), holds=held)


def pieces(decisions: Sequence[Draft | msgspec.Raw], *, stranger: bool) -> Iterator[list[Draft]]:
    """Yield all decisions in portions; each portion fits into one record.

    Decisions that differ only in the resource become one decision with all `resources`: if one statement lets somebody
    delete 1,000 objects, only their names differ.
    """
    level = _LEVELS_OF_STRANGERS[2] if stranger else _LEVELS[0]
    room = OF_STRANGERS - 600 if stranger else PIECE
    groups: dict[bytes, Draft] = {}
    size = 0
    for given in decisions:
        data = given if isinstance(given, msgspec.Raw) else _encode_any(given)
        decision = _decode(data)
        name = _short_name(decision["resource"], level)
        same = bytes(data).replace(_encode(decision["resource"])[1:-1], b"\0")  # JSON has no such byte of its own
        group, length = groups.get(same), notes.size(name) + 1
        if group is not None and size + length <= room:
            group["resources"].append(name)
            size += length
            continue
        new = _short_members(decision, level)
        length += notes.size(new) + 16
        if groups and (group is not None or size + length > room):
            yield _drop_single_lists(groups)
            groups, size = {}, 0
        groups[same] = new | {"resources": [name]}
        size += length
    if groups:
        yield _drop_single_lists(groups)


def _drop_single_lists(groups: Mapping[bytes, Draft]) -> list[Draft]:
    """Return grouped decisions; a group with one resource names it as `resource` only."""
    for group in groups.values():
        if len(group["resources"]) == 1:
            del group["resources"]
    return list(groups.values())


def _encode_any(value: Draft) -> bytes:
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_unicode_only(value))


def portions(names: Sequence[Any]) -> Iterator[list[Any]]:
    """Yield a long list in portions; each portion fits into one record."""
    portion: list[Any] = []
    size = 0
    for name in names:
        size += notes.size(name) + 1
        if portion and size > PIECE:
            yield portion
            portion, size = [], notes.size(name) + 1
        portion.append(name)
    if portion:
        yield portion


def _unicode_only(value: Any) -> Any:
    """Return a value without halves of surrogate pairs in its texts."""
    if isinstance(value, str):
        return notes.unicode_only(value)
    if isinstance(value, dict):
        return {_unicode_only(name): _unicode_only(below) for name, below in value.items()}
    return [_unicode_only(below) for below in value] if isinstance(value, list | tuple) else value
