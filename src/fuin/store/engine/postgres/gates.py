"""The locks of a writing transaction, in one order for all: the row of the epoch, all gates, the gate of the own node.

Why locks, when there are isolation levels: SERIALIZABLE lets a transaction commit that has read the epoch before a
revocation, and commits after it has returned. In a serial order the first one came first. And FOR SHARE on the epoch's
row would let writers pass the waiting revoker for ever (docs/decisions/0019).

`fuin move` closes the gates of an installation that it takes away (`fuin/move/finish.py`): they get other names, and no
node gets a new one as long as the note about the move is there. So a node that was paused meanwhile writes nothing.
"""

from psycopg import sql

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
_LOCK_EPOCH = "SELECT 1 FROM epoch WHERE id = 1 FOR UPDATE"
_LOCK_ALL = "SELECT 1 FROM gates ORDER BY node FOR UPDATE"
_LOCK_OWN = "SELECT serial FROM gates WHERE node = {node} FOR UPDATE"
# A statement of its own, behind the locks: its snapshot sees what was committed while it waited for them.
_READ = "SELECT value FROM epoch WHERE id = 1"
# Behind the epoch's row too: a move that ends at the same moment has closed all gates, or finds this one.
_MOVES = "SELECT name, value FROM meta WHERE name IN ('moved', 'moving')"
_ADD = (
    "INSERT INTO gates (node, serial) SELECT {node}, 0 "
    "WHERE NOT EXISTS (SELECT 1 FROM meta WHERE name IN ('moved', 'moving')) ON CONFLICT DO NOTHING"
)
_NUMBER = "UPDATE gates SET serial = serial + 1 WHERE node = {node} RETURNING serial"
_NOTIFY = "SELECT value, pg_notify('fuin_epoch', value::text) FROM epoch WHERE id = 1"
_RECORD = (
    "INSERT INTO commits (id, node, made) VALUES (decode({id}, 'hex'), {node}, extract(epoch FROM clock_timestamp()))"
)
_FIND = "SELECT 1 FROM commits WHERE id = decode({id}, 'hex')"


def _fill(text: str, **values: str) -> str:
    """Return the text with quoted values: a message of several statements takes no parameters."""
    return sql.SQL(text).format(**{name: sql.Literal(value) for name, value in values.items()}).as_string()


class Statements:
    """The statements of one node; each is one message to the server, and has one answer."""

    def __init__(self, node: str) -> None:
        self.node = node
        own = _fill(_LOCK_OWN, node=node)
        self.begin = f"{_BEGIN}; {own}; {_READ}"
        self.begin_adding = f"{_BEGIN}; {_LOCK_EPOCH}; {own}; {_READ}"
        self.begin_revoking = f"{_BEGIN}; {_LOCK_EPOCH}; {_LOCK_ALL}; {own}; {_READ}"
        self._number = _fill(_NUMBER, node=node)
        self._own = own
        # In this order: a revoker that holds the epoch's row must see this gate, or the gate's node waits for it.
        # The last answer has the values about moves; with one of them there is no new gate.
        self.add = f"{_BEGIN}; {_LOCK_EPOCH}; {_fill(_ADD, node=node)}; {_MOVES}; COMMIT"

    def number(self, commit: bytes, *, notify: bool) -> str:
        """Return the last statements of a transaction; the answer is its serial, and then the epoch with `notify`."""
        text = f"{self._record(commit)}; {self._number}"
        return f"{text}; {_NOTIFY}" if notify else text

    def prove(self, commit: bytes, proof: bytes) -> str:
        """Return a transaction that writes, and then looks for a commit."""
        return f"{_BEGIN}; {self._own}; {self._record(proof)}; {_fill(_FIND, id=commit.hex())}"

    def _record(self, commit: bytes) -> str:
        return _fill(_RECORD, id=commit.hex(), node=self.node)
