#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when a text of fatal() or panic() under weft/ stands in no golden report.

    texts.py

A text that no program can be made to die of here is in ELSEWHERE, with the test that has it, or the
reason why there is none. bug() is left out: its texts are broken invariants, which nothing that is
left whole can show; the form of its report is golden/bug.txt. New cases: tests/crash/README.md.
"""
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

CALL = re.compile(r"\b(?:rt::)?(fatal|panic)\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)\s*;")
LITERAL = re.compile(r'(?:"(?:\\.|[^"\\])*"\s*)+')
WHY = re.compile(r'\bwhy = ("[^;]*");')

# Calls whose text is made elsewhere: "file: argument" -> the text's beginning.
NAMED = {
    "weft/net/fd_mutex.cpp: too_many": "too many concurrent operations on one socket",
    "weft/sched/run.cpp: text": "weft::run: options.procs is ",
    "weft/sched/runtime.cpp: text": "weft::maxprocs(",
    "weft/http/mux.cpp: parsed.error().message()": "http: pattern ",
}
# Texts without a golden report: a file that has a test of it, or why there can be none.
REFUSAL = "needs a kernel that refuses memory or threads at this very moment"
SWEPT = "tests/faults/sweep.py refuses each of them in turn"
ELSEWHERE = {
    "sync: WaitGroup misuse: Add called concurrently with Wait": "a race of two threads by nature",
    "notify_context: cannot watch for signals: ": REFUSAL,
    "out of memory: the sim's processor": REFUSAL,
    "out of address space: a P's timers": SWEPT,
    "out of address space: processor ": SWEPT,
    "out of address space: a thread's record": SWEPT,
    "no thread for %d goroutines": SWEPT,
    "cannot start the monitor thread: ": SWEPT,
    "out of memory: pthread_atfork": REFUSAL,
    "weft used in the child of a fork()": "tests/processes/fork_test.cpp",
    "out of address space: 128 MiB for the run queue": SWEPT,
    "weft: this kernel's pages are ": "needs a kernel with other pages",
    "more than %d timers armed on one P": "16 million timers",
    "more than 16777216 goroutines": "64 GiB of stacks",
    "sync: a goroutine parked inside a read": "weft/sync/sync_map_test.cpp",
    "heap: no pthread key left": "a thousand keys, all taken before the first allocation",
    "heap: no address space for it": "tests/preload/run.py limit",
    "heap: no address space for its tables": REFUSAL,
    "http: pattern ": "weft/http/mux_test.cpp",
    "http: write_head of status ": "weft/http/server_test.cpp",
    "http: file_server: ": "weft/http/file_server_test.cpp",
    "http: a header field cannot be named ": "weft/http/header_test.cpp",
}


def text_of(where, argument):
    """The text of a call, up to where it is put together at run time; None: no text at hand."""
    literal = LITERAL.search(argument)
    if literal is None or not argument.lstrip().startswith(('"', "std::string(", "text")):
        name = argument.split(",")[0].strip()
        return NAMED.get("%s: %s" % (where, name))
    parts = re.findall(r'"((?:\\.|[^"\\])*)"', literal.group(0))
    return "".join(parts).replace('\\"', '"')


def calls():
    """(file, argument, text) of every call under weft/."""
    for path in sorted((ROOT / "weft").rglob("*.?pp")):
        if path.name.endswith(("_test.cpp", "_model.cpp", "_fuzz.cpp", "testing.hpp")):
            continue
        where = str(path.relative_to(ROOT))
        if where.startswith("weft/base/panic."):
            continue  # their definitions
        code = re.sub(r"//[^\n]*", "", path.read_text())
        for call in CALL.finditer(code):
            argument = " ".join(call.group(2).split())
            yield where, argument, text_of(where, call.group(2))
        for why in WHY.finditer(code):
            yield where, why.group(1), text_of(where, why.group(1))


def pattern(text):
    stands_for = {"%d": r"-?\d+", "%x": r"0x\?"}
    return "".join(stands_for.get(part, re.escape(part)) for part in re.split(r"(%d|%x)", text))


def main():
    golden = "\n".join(p.read_text() for p in (HERE / "golden").glob("*.txt"))
    unused, missing, count = set(ELSEWHERE), [], 0
    for where, argument, text in calls():
        if text is None:
            # A variable that carries one of the other texts.
            if argument in ("why", "wrong"):
                continue
            missing.append("%s: %s: no text found; name it in NAMED" % (where, argument))
            continue
        count += 1
        if re.search(r"^.*" + pattern(text), golden, re.M):
            continue
        named = [key for key in ELSEWHERE if text.startswith(key)]
        unused.difference_update(named)
        if not named:
            missing.append('%s: "%s": in no golden report' % (where, text))
            continue
        place = ROOT / ELSEWHERE[named[0]]
        if ELSEWHERE[named[0]].endswith(".cpp") and (
                not place.is_file() or named[0] not in place.read_text()):
            missing.append('%s: "%s": not in %s' % (where, text, ELSEWHERE[named[0]]))
    missing += ["texts.py: ELSEWHERE names a text that is gone or golden: " + key for key in unused]
    for line in missing:
        print(line)
    print("%d texts of fatal() and panic(), %d without a golden report or a reason" % (
        count, len(missing)))
    return 1 if missing or count < 40 else 0


if __name__ == "__main__":
    sys.exit(main())
