"""Files and functions stay small enough to be read at one sitting."""

from tests.house.source import Module, functions, modules

FILE_LINES = 400
FUNCTION_LINES = 40

# module or module:function -> why it may be longer.
EXCEPTIONS: dict[str, str] = {}


def too_long(module: Module) -> list[str]:
    """Return what is too long in a module: the file, or functions counted from `def` to their last line."""
    found = []
    lines = module.text.count("\n")
    if lines > FILE_LINES and module.name not in EXCEPTIONS:
        found.append(f"{module.name}: {lines} lines")
    for function in functions(module.tree):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        if length > FUNCTION_LINES and f"{module.name}:{function.name}" not in EXCEPTIONS:
            found.append(f"{module.name}:{function.lineno} {function.name} has {length} lines")
    return found


def test_files_and_functions_are_short() -> None:
    """No file has more than 400 lines, no function more than 40."""
    found = [line for module in modules() for line in too_long(module)]
    assert not found, "\n".join(found)


def test_long_file_is_found() -> None:
    """The check itself sees a file of 401 lines and takes one of 400."""
    assert too_long(Module("kms.big", "x = 1\n" * 401))
    assert too_long(Module("kms.big", "x = 1\n" * 400)) == []


def test_long_function_is_found() -> None:
    """The check itself sees a function of 41 lines, also inside a class, and takes one of 40."""
    body = "    x = 1\n"
    assert too_long(Module("kms.big", "def f():\n" + body * 40))
    assert too_long(Module("kms.big", "class C:\n  async def f(self):\n" + body * 40))
    assert too_long(Module("kms.big", "def f():\n" + body * 39)) == []
