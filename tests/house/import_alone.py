"""Import every module as a fresh interpreter would, without 400 interpreters; a program that a house test runs.

What a module imports is the same whether it has been loaded before or not, unless there is a circle. So each
module, those first that import least, is imported while the interpreter holds exactly what its own imports load,
without what imports it in turn: the others in its circle are loaded anew, as they would be.
"""

import gc
import importlib
import json
import sys
from types import ModuleType


def import_alone(graph: dict[str, list[str]]) -> list[str]:
    """Return a line for each module that cannot be imported; the graph names all that each one's imports load."""
    loaded: dict[str, ModuleType] = {}
    failures = []
    for name in sorted(graph, key=lambda name: (len(graph[name]), name)):
        _keep({below: loaded[below] for below in graph[name] if below in loaded and name not in graph[below]})
        try:
            loaded[name] = importlib.import_module(name)
        except Exception as error:
            failures.append(f"{name}: {type(error).__name__}: {error}")
    return failures


def _keep(modules: dict[str, ModuleType]) -> None:
    """Forget every module of the package but these, also as attributes of their packages."""
    for name in [name for name in sys.modules if name.split(".")[0] == "fuin"]:
        package, _, last = name.rpartition(".")
        if package in sys.modules:
            vars(sys.modules[package]).pop(last, None)
    for name in [name for name in sys.modules if name.split(".")[0] == "fuin"]:
        del sys.modules[name]
    sys.modules.update(modules)
    for name, module in modules.items():
        package, _, last = name.rpartition(".")
        if package in modules:
            setattr(modules[package], last, module)


if __name__ == "__main__":
    gc.disable()
    print(*import_alone(json.load(sys.stdin)), sep="\n")
