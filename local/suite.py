"""`python -m local.suite`: fetches the official JSON Schema test suite, which the judge's engine is held to.

It is the folder json/tests in the source package of PyPI's `jsonschema`; only that file is kept, outside git, and
nothing of it is installed.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

VERSION: Final = "4.25.1"
SHA256: Final = "e4a9655ce0da0c0b67a085847e00a3a51449e1157f4f75e9fb5aa545e122eb85"
ARCHIVE: Final = Path(sys.prefix) / "json-schema-suite" / f"jsonschema-{VERSION}.tar.gz"


def fetch() -> bool:
    """Fetch the archive, checked by its hash; whether that worked."""
    ARCHIVE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "suite.txt"
        wanted.write_text(f"jsonschema=={VERSION} --hash=sha256:{SHA256}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "jsonschema"]
        command = [*pip, "--dest", str(ARCHIVE.parent), "--require-hashes", "--requirement", str(wanted)]
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
        )
    if done.returncode:
        print(done.stderr.strip()[-500:], file=sys.stderr)
    return done.returncode == 0 and ARCHIVE.exists()


def main() -> None:
    if not ARCHIVE.exists():
        print("  fetching the JSON Schema test suite (once)", flush=True)
        if not fetch():
            print(
                "  NO JSON SCHEMA TEST SUITE: its tests will be skipped (or fail with CI=true).", flush=True
            )


if __name__ == "__main__":
    main()
