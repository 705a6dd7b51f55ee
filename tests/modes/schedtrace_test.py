# SPDX-License-Identifier: Apache-2.0
"""WEFT_DEBUG=schedtrace=MS[,scheddetail=1] prints Go's lines (spec/runtime-text.md, section 1)."""
import os
import re
import subprocess
import sys

LINE = re.compile(
    r"SCHED \d+ms: gomaxprocs=2 idleprocs=\d+ threads=\d+ spinningthreads=\d+ needspinning=[01] "
    r"idlethreads=\d+ runqueue=\d+ \[ \d+ \d+ \] schedticks=\[ \d+ \d+ \]")
DETAIL = re.compile(
    r"SCHED \d+ms: gomaxprocs=2 idleprocs=\d+ threads=\d+ spinningthreads=\d+ needspinning=[01] "
    r"idlethreads=\d+ runqueue=\d+ gcwaiting=(true|false) nmidlelocked=0 stopwait=-?\d+ "
    r"sysmonwait=(true|false)")
P = re.compile(r"  P\d+: status=\d schedtick=\d+ syscalltick=0 m=(\d+|nil) runqsize=\d+ "
               r"gfreecnt=\d+ timerslen=\d+")
M = re.compile(r"  M\d+: p=(\d+|nil) curg=(\d+|nil) mallocing=0 throwing=0 preemptoff= locks=0 "
               r"dying=0 spinning=(true|false) blocked=(true|false) lockedg=nil")
G = re.compile(r"  G\d+: status=\d+\(.*\) m=(\d+|nil) lockedm=nil")


def lines(program, setting):
    done = subprocess.run([program], env={**os.environ, "WEFT_DEBUG": setting}, text=True,
                          stderr=subprocess.PIPE, timeout=60, check=True)
    return done.stderr.splitlines()


def main():
    program = sys.argv[1]
    plain = lines(program, "schedtrace=20")
    assert len(plain) >= 5, f"{len(plain)} lines in 250 ms at one each 20 ms"
    for line in plain:
        assert LINE.fullmatch(line), line
    assert int(plain[0].split()[1][:-3]) < 20, f"the first line comes at 0 ms: {plain[0]}"

    kinds = {"SCHED": DETAIL, "  P": P, "  M": M, "  G": G}
    seen = dict.fromkeys(kinds, 0)
    for line in lines(program, "schedtrace=50,scheddetail=1"):
        kind = next((k for k in kinds if line.startswith(k)), None)
        assert kind and kinds[kind].fullmatch(line), line
        seen[kind] += 1
    assert all(seen.values()), seen
    detail = "\n".join(lines(program, "schedtrace=50,scheddetail=1"))
    assert "status=4(chan receive)" in detail, detail
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
