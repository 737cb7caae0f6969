"""How long a keyholder takes on this machine now, so that bounds hold on a busy one."""

import time

from fuin.formats import context
from fuin.formats.wrapped import Material
from fuin.keyholder.wire.client import Keyholder
from tests.keyholder.process import DRAFT


async def usual_time(client: Keyholder, material: Material) -> float:
    """Return the seconds within which nine of ten data keys are answered while nothing else is asked."""
    took = []
    for _ in range(40):
        started = time.monotonic()
        await client.data_key(material, context.EMPTY, 32, DRAFT)
        took.append(time.monotonic() - started)
    return sorted(took)[36]
