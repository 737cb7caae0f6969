"""The questions that requests ask the gate: the one place of the tests that reaches into it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fuin.access.question import Question
from fuin.gate import permit


@contextmanager
def recorded_questions(look: Callable[[Question], object] = id) -> Iterator[list[Question]]:
    """Give the list of all questions that are asked meanwhile; `look` is called with each, while its request is there.

    It replaces the function that makes them: a hook of its own would cost each request something.
    """
    asked: list[Question] = []
    ask = permit.new_question

    def record(*given: Any) -> Question:
        asked.append(ask(*given))
        look(asked[-1])
        return asked[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(permit, "new_question", record)
        yield asked
