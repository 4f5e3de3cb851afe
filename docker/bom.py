"""Adds the Debian packages of the image and its Python to a CycloneDX bill of materials, which ``cyclonedx-py`` has
made of the Python packages. Run while an image is built, by the image's own Python.

    python3 bom.py bill.cdx.json [/var/lib/dpkg/status]
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote


def debian_packages(status: str) -> Iterator[dict[str, Any]]:
    """A component for each installed package in dpkg's ``status`` file."""
    for paragraph in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Status") != "install ok installed":
            continue
        name, version = fields["Package"], fields["Version"]
        purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={fields['Architecture']}"
        yield {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def interpreter() -> dict[str, Any]:
    """The component that runs this."""
    version = platform.python_version()
    purl = f"pkg:generic/python@{version}"
    return {"type": "application", "bom-ref": purl, "name": "python", "version": version, "purl": purl}


def main(bill: Path, status: Path) -> None:
    """Complete the bill in its file."""
    document = json.loads(bill.read_text())
    components = document.setdefault("components", [])
    components += [interpreter(), *debian_packages(status.read_text())]
    bill.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "/var/lib/dpkg/status"))
