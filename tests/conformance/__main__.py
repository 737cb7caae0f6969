"""`python -m tests.conformance`: run ceph/s3-tests beside a server of its own, and compare with what is expected.

Further arguments are pytest's, such as `-k versioning`.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.conformance import suite
from tests.conformance.expected import expected_over, read_reasons
from tests.conformance.results import compare, read_results, summarize
from tests.support.server import Server

_FOLDER = Path(".venv-s3-tests")


def main() -> None:
    """Run the suite over http, or over TLS; exits 1 if a test failed or passed unlike expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tls", action="store_true", help="over TLS instead of http")
    parser.add_argument("--suite", type=Path, default=_FOLDER / "suite", help="the suite's checkout")
    parser.add_argument("--python", type=Path, default=_FOLDER / "bin" / "python", help="of the suite's environment")
    parser.add_argument("--report", type=Path, help="where to write JUnit's XML")
    options, arguments = parser.parse_known_args()
    suite.check_out(options.suite)
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        report = options.report or Path(folder) / "report.xml"
        _run(Path(folder), options, report.resolve(), arguments)
        results = read_results(report)
        reasons = expected_over(read_reasons(), "tls" if options.tls else "http")
    print(*summarize(results, reasons), sep="\n")
    wrong = compare(results, reasons)
    print(*wrong, sep="\n")
    sys.exit(1 if wrong or not results else 0)


def _run(folder: Path, options: argparse.Namespace, report: Path, arguments: list[str]) -> None:
    server = Server(folder / "server", tls=options.tls)
    try:
        server.start()
        suite.configure(server, folder / "s3tests.conf")
        suite.run(options.python, options.suite, folder / "s3tests.conf", report, arguments, server.certificate)
    finally:
        server.kill()


if __name__ == "__main__":
    main()
