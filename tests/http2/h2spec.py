#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""h2spec, the conformance suite of HTTP/2, strict: all of its 146 cases must pass.

Usage: h2spec.py SERVER FOLDER
It is a Go program; Go's module proxy has it, and it is built into FOLDER once. Without Go, or
without the proxy, it is skipped (exit code 77), but not when CI is set.
"""

import os
import re
import shutil
import subprocess
import sys

from raw import Server

MODULE = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"
CASES = 146
SKIPPED = 77


def find_go():
    for candidate in ("/usr/local/go/bin/go", "/usr/lib/go/bin/go"):
        if os.access(candidate, os.X_OK):
            return candidate
    return shutil.which("go")


def build(folder):
    """The program's path, or why there is none."""
    program = os.path.join(folder, "h2spec")
    if os.access(program, os.X_OK):
        return program, None
    go = find_go()
    if go is None:
        return None, "no Go"
    os.makedirs(folder, exist_ok=True)
    made = subprocess.run([go, "install", MODULE], capture_output=True, text=True, timeout=300,
                          check=False, env={**os.environ, "GOBIN": folder, "GOFLAGS": "-mod=mod"})
    return (program, None) if made.returncode == 0 else (None, made.stderr[-500:])


def main():
    program, why = build(os.path.abspath(sys.argv[2]))
    if program is None:
        print(f"h2spec cannot be built: {why}")
        return 1 if os.environ.get("CI") else SKIPPED
    # Without HTTP/1 on the port: an invalid preface is then an error of HTTP/2.
    server = Server(sys.argv[1], NO_HTTP1="1")
    done = subprocess.run([program, "--strict", "-h", "127.0.0.1", "-p", str(server.port),
                           "-o", "5"], capture_output=True, text=True, timeout=300, check=False)
    server.end()
    total = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", done.stdout)
    if total is None or [int(n) for n in total.groups()] != [CASES, CASES, 0, 0]:
        print(done.stdout[-6000:], done.stderr[-500:])
        return 1
    print(total.group(0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
