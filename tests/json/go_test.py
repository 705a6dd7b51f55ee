#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What weft_json_golden writes, Go must read and write back to the same bytes; and what it calls
valid or broken, Go must, too. Usage: go_test.py PROGRAM. Without Go: skipped, except where CI=true.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def find_go():
    for candidate in ("/usr/local/go/bin/go", "/usr/lib/go/bin/go"):
        if os.access(candidate, os.X_OK):
            return candidate
    return shutil.which("go")


def main():
    go = find_go()
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local",
                   "GOFLAGS": "-mod=mod", "GOEXPERIMENT": "jsonv2"}
    with tempfile.TemporaryDirectory(prefix="weft-json-") as folder:
        checker = Path(folder) / "checker"
        built = None
        if go:
            built = subprocess.run([go, "build", "-o", str(checker), "."], cwd=HERE / "golang",
                                   env=environment, capture_output=True, text=True, check=False)
        if built is None or built.returncode != 0:
            print("no Go with encoding/json/v2:", built.stderr if built else "not installed")
            return 1 if os.environ.get("CI") == "true" else 77
        lines = subprocess.run([sys.argv[1]], stdout=subprocess.PIPE, timeout=60, check=True)
        checked = subprocess.run([str(checker)], input=lines.stdout, timeout=60, check=False)
        return checked.returncode


if __name__ == "__main__":
    sys.exit(main())
