#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command beside a PostgreSQL server of its own, in a folder that is removed afterwards.

Usage: with_postgres.py COMMAND... The server listens on a Unix socket only; WEFT_TEST_DSN says
where. Without PostgreSQL: skipped (77), except where CI=true.
"""

import glob
import os
import pwd
import shutil
import subprocess
import sys
import tempfile


def find_programs():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    if found:
        return os.path.dirname(found[-1])
    elsewhere = shutil.which("initdb")
    return os.path.dirname(elsewhere) if elsewhere else None


def as_user(command):
    """The server refuses to run as root."""
    if os.geteuid() != 0:
        return command
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
            return ["runuser", "-u", name, "--", *command]
        except KeyError:
            continue
    return command


def main():
    programs = find_programs()
    if programs is None:
        print("no PostgreSQL server (Debian: postgresql)")
        return 1 if os.environ.get("CI") == "true" else 77
    folder = tempfile.mkdtemp(prefix="weft-pg-")
    os.chmod(folder, 0o777)
    data = os.path.join(folder, "data")
    quiet = {"stdout": subprocess.DEVNULL, "stdin": subprocess.DEVNULL, "cwd": "/"}
    server = None
    try:
        subprocess.run(as_user([f"{programs}/initdb", "-D", data, "-U", "shop", "-A", "trust",
                                "-N", "-E", "UTF8", "--locale=C"]), check=True, **quiet)
        log = open(os.path.join(folder, "log"), "wb")
        server = subprocess.Popen(
            as_user([f"{programs}/postgres", "-D", data, "-k", folder, "-c", "listen_addresses=",
                     "-c", "fsync=off", "-c", "max_connections=40"]),
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/")
        ready = [f"{programs}/pg_isready", "-q", "-h", folder, "-U", "shop", "-d", "postgres"]
        for _ in range(300):
            if subprocess.run(ready, check=False, **quiet).returncode == 0:
                break
            if server.poll() is not None:
                break
            subprocess.run(["sleep", "0.1"], check=False)
        else:
            print("the server does not answer")
        environment = {**os.environ, "WEFT_TEST_DSN": f"host={folder} user=shop dbname=postgres"}
        ended = subprocess.run(sys.argv[1:], env=environment, timeout=240, check=False)
        return ended.returncode
    finally:
        if server is not None:
            subprocess.run(as_user([f"{programs}/pg_ctl", "-D", data, "-m", "immediate", "-s",
                                    "stop"]), check=False, **quiet)
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
