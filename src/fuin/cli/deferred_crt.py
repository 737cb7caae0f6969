"""A stand-in for AWS's common runtime, 13 MB that botocore loads at each start and that most commands never use."""

import importlib
import sys
import threading
from types import ModuleType
from typing import Any

_NAME = "_awscrt"
_LOCK = threading.RLock()


class _DeferredModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        with _LOCK:  # threads may need it at the same time
            if "__file__" not in vars(self):
                del sys.modules[_NAME]
                real = importlib.import_module(_NAME)
                vars(self).update(vars(real))  # from now on the stand-in has what the real one has
                sys.modules[_NAME] = self
        try:
            return vars(self)[name]
        except KeyError:
            raise AttributeError(name) from None


def defer_crt() -> None:
    """Load the runtime only when something of it is used: a checksum, a signature for several Regions, `aws login`.

    It takes 0.08 CPU seconds, a third of what a command may take to start.
    """
    sys.modules.setdefault(_NAME, _DeferredModule(_NAME))
