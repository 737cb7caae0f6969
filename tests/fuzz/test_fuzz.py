"""The short form of the fuzz; the long one is `make fuzz`."""

from pathlib import Path

import pytest

from fuin.kms.operations import OPERATIONS
from tests.fuzz.driver import Driver, Findings
from tests.fuzz.inputs import Inputs
from tests.fuzz.parsers import Parsers
from tests.fuzz.scene import furnish
from tests.support.place import Place

COUNT = 12_800
PARSED = 40_000
GROWTH_AT_MOST = 48 * 1024 * 1024  # bytes


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """Give what a run of the short form has found."""
    return run(tmp_path_factory.mktemp("fuzz"), COUNT, seed=1)


def run(folder: Path, count: int, seed: int) -> Findings:
    """Fuzz a fresh key service."""
    place = Place(folder)
    try:
        return Driver(place, place.root).run(Inputs(furnish(place), seed, sorted(OPERATIONS)), count)
    finally:
        place.close()


def test_no_input_is_a_failure(findings: Findings) -> None:
    """Every answer is a success or an error of the caller's; none is a 500."""
    assert findings.count >= COUNT  # those that seemed slow were sent again
    assert findings.failures == []


def test_no_answer_is_slow(findings: Findings) -> None:
    """No answer took longer than a second, with 64 requests at once; one that did was asked for again, alone."""
    assert findings.slow == []


def test_memory_is_bounded(findings: Findings) -> None:
    """What was refused leaves nothing behind in memory."""
    assert findings.grown < GROWTH_AT_MOST


def test_inputs_reach_the_work(findings: Findings) -> None:
    """The inputs are not all refused at the door: nearly every operation has succeeded, and each was refused."""
    succeeded = {operation for operation, status in findings.answers if status == "200"}
    refused = {operation for operation, status in findings.answers if status == "400"}
    assert refused == set(OPERATIONS)
    assert len(succeeded) > len(OPERATIONS) // 2


def test_parsers_take_or_refuse() -> None:
    """JSON, blobs and tokens are parsed or refused with the one error of their parser, each at once."""
    seen = Parsers(seed=1).run(PARSED)
    assert seen.findings == []
    assert 0 < seen.taken < seen.count
