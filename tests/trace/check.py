#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Traces before Go's judgement: check.py CASE PROGRAM. `go tool trace -d=parsed` must accept what
is written, and each page of its web server must answer. Go must be there when CI=true."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

SKIPPED = 77
# What must be in a trace of this case, as `-d=parsed` prints it.
EXPECTED = {
    "ping_pong": ["chan (receive|send)"],
    "everything": ["sync", "sleep", "select", "Syscall"],
    "sockets": ["network"],
    "tasks": ["request", "query", "subtask", "number"],
    "long": ["sync", "Syscall"],
    "restarts": [],
    "samples": ["StackSample"],
}
# As g++ calls them; the first lambda of a function is $_0 to clang.
NAMES = {
    "ping_pong": ["main", "(anonymous namespace)::ping_pong()::{lambda()#1}"],
    "tasks": ["(anonymous namespace)::tasks()::{lambda()#1}"],
}
# The profiles as files: as pictures they need graphviz.
PAGES = ["/", "/trace", "/jsontrace", "/goroutines", "/io?raw=1", "/block?raw=1", "/syscall?raw=1",
         "/sched?raw=1", "/usertasks", "/userregions", "/mmu", "/mmu?mode=plot&flags=stw"]


def find_go():
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        print("go is missing: `go tool trace` reads what Weft writes")
        sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)
    return go


def parsed(path):
    ran = subprocess.run([find_go(), "tool", "trace", "-d=parsed", path], capture_output=True,
                         text=True, timeout=150)
    if ran.returncode != 0:
        print(ran.stdout[-2000:])
        sys.exit(f"go tool trace -d=parsed: {ran.stderr[-3000:]}")
    return ran.stdout


def pages(case, path):
    with subprocess.Popen([find_go(), "tool", "trace", "-http=127.0.0.1:0", path],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, BROWSER="true")) as server:
        try:
            address = None
            for line in server.stdout:
                if found := re.search(r"http://[\d.:]+", line):
                    address = found[0]
                    break
            if address is None:
                sys.exit("go tool trace has not begun to listen")
            for page in PAGES:
                with urllib.request.urlopen(address + page, timeout=60) as answer:
                    text = answer.read()
                    if answer.status != 200:
                        sys.exit(f"{page}: {answer.status}")
                    if page == "/goroutines":
                        names = re.findall(rb'goroutine\?name=([^"&]+)', text)
                        shown = [urllib.parse.unquote(n.decode()) for n in names]
                        print("goroutines:", *shown, sep="\n  ")
                        missing = [n for n in NAMES.get(case, [])
                                   if n not in shown
                                   and n.replace("{lambda()#1}", "$_0") not in shown]
                        if missing:
                            sys.exit(f"no goroutines are called {missing}")
                        for name in dict.fromkeys(names):
                            with urllib.request.urlopen(f"{address}/goroutine?name={name.decode()}",
                                                        timeout=60) as one:
                                if one.status != 200:
                                    sys.exit(f"goroutine {name}: {one.status}")
        finally:
            server.terminate()


def main():
    case, program = sys.argv[1:3]
    find_go()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, f"{case}.trace")
        subprocess.run([program, case, path], check=True, timeout=120)
        if keep := os.environ.get("WEFT_KEEP"):
            shutil.copy(path, keep)
        print(f"{path.stat().st_size} bytes")
        for more in sorted(pathlib.Path(folder).glob("*.trace.*")):
            parsed(more)
            path = more
        text = parsed(path)
        print(f"{text.count(chr(10))} events")
        for pattern in EXPECTED[case]:
            if not re.search(pattern, text):
                sys.exit(f"nothing of {pattern!r} in the trace")
        pages(case, path)


if __name__ == "__main__":
    main()
