"""One command in a process that is ready before it begins: ``python -m tests.attack.changing``.

It says when it is ready, reads the words of the command, and runs it; so it can be killed within the command, and not
while Python imports.
"""

from __future__ import annotations

import json
import sys

from patchbank_indexer.cli import app
from tests.attack import low_graphs


def main() -> None:
    """Run one command; its exit status."""
    low_graphs.build()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    app(json.loads(sys.stdin.readline()))


if __name__ == "__main__":
    main()
