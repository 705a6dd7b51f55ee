#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a real program on Weft's malloc and checks what it produced.

    run.py git|python|redis|sqlite|compiler|limit LIBRARY [WEFT_DEBUG]

The library is the only allocator of the program and of all its children: each asserts by
/proc/self/maps, or by its output beside the same run without, that it is. A program that is not
installed is skipped, except where CI=true.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PATIENCE = 120


def need(program):
    path = shutil.which(program)
    if path:
        return path
    print(f"preload: {program} is not installed", file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)


class Runner:
    def __init__(self, library, folder, debug):
        self.folder = folder
        self.plain = dict(os.environ, HOME=str(folder), GIT_CONFIG_NOSYSTEM="1", LC_ALL="C")
        self.ours = dict(self.plain, LD_PRELOAD=library, WEFT_DEBUG=debug)

    def run(self, *command, ours=True, stdin=None):
        done = subprocess.run(command, cwd=self.folder, env=self.ours if ours else self.plain,
                              input=stdin, capture_output=True, timeout=PATIENCE, check=False)
        if done.returncode != 0:
            raise SystemExit(f"preload: {' '.join(command)} ended with {done.returncode}:\n"
                             f"{done.stderr.decode(errors='replace')[-3000:]}")
        return done.stdout

    def same(self, *command, stdin=None):
        """Ours must say what the C library's malloc says."""
        expected = self.run(*command, ours=False, stdin=stdin)
        got = self.run(*command, stdin=stdin)
        if got != expected:
            raise SystemExit(f"preload: {' '.join(command)}: another output than without:\n"
                             f"{got[:2000]!r}\n{expected[:2000]!r}")
        return got


def git(runner):
    need("git")
    runner.run("git", "init", "-q", "-b", "main", "tree")
    tree = runner.folder / "tree"
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for turn in range(20):
        for name in range(30):
            (tree / f"file{name}").write_text(
                "".join(f"{line * turn % 97} {name}\n" for line in range(400)), encoding="ascii")
        runner.run("git", *who, "-C", "tree", "add", "-A")
        runner.run("git", *who, "-C", "tree", "commit", "-q", "-m", f"turn {turn}")
    runner.run("git", "-C", "tree", "-c", "pack.threads=4", "repack", "-a", "-d", "-f", "-q",
               "--depth=50", "--window=50")
    runner.run("git", "clone", "-q", "--no-local", "tree", "copy")
    runner.run("git", "-C", "copy", "fsck", "--full", "--strict")
    runner.same("git", "-C", "copy", "log", "--stat", "-p")
    runner.same("git", "-C", "copy", "blame", "file7")


PYTHON = r"""
import gc, json, threading, zlib
maps = open('/proc/self/maps').read()
print('libweft_malloc' in maps)
results = [None] * 8
def work(at):
    rows, total = [], 0
    for turn in range(50):
        rows.append({str(k): [k * at, str(k) * (k % 50)] for k in range(200)})
        text = json.dumps(rows[-1])
        total += zlib.crc32(zlib.decompress(zlib.compress(text.encode())))
        assert json.loads(text) == rows[-1]
        if turn % 10 == 9:
            rows = rows[-3:]
            gc.collect()
    results[at] = total
threads = [threading.Thread(target=work, args=(at,)) for at in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
print(results)
"""


def python(runner):
    # Through malloc, not through CPython's own allocator of small objects.
    runner.ours["PYTHONMALLOC"] = runner.plain["PYTHONMALLOC"] = "malloc"
    out = runner.run(sys.executable, "-c", PYTHON).decode().split("\n")
    expected = runner.run(sys.executable, "-c", PYTHON, ours=False).decode().split("\n")
    if out[0] != "True" or out[1] != expected[1]:
        raise SystemExit(f"preload: python: {out} instead of {expected}")


def redis(runner):
    need("redis-server")
    need("redis-benchmark")
    path = runner.folder / "redis.sock"
    server = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "",
         "--io-threads", "2"],
        cwd=runner.folder, env=runner.ours, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while not path.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("preload: redis-server does not start")
            time.sleep(0.02)
        if "libweft_malloc" not in Path(f"/proc/{server.pid}/maps").read_text(encoding="ascii"):
            raise SystemExit("preload: redis-server runs on another malloc")
        runner.run("redis-benchmark", "-s", str(path), "-q", "-n", "20000", "-P", "16",
                   "-r", "5000", "-d", "300",
                   "-t", "set,get,incr,lpush,rpop,sadd,hset,zadd,mset", ours=False)
        # A snapshot by a forked child, and the same data read back.
        cli = ("redis-cli", "-s", str(path))
        before = runner.run(*cli, "debug", "digest", ours=False)
        runner.run(*cli, "bgsave", ours=False)
        while runner.run(*cli, "info", "persistence", ours=False).find(
                b"rdb_bgsave_in_progress:1") >= 0:
            time.sleep(0.05)
        runner.run(*cli, "debug", "reload", "nosave", ours=False)
        after = runner.run(*cli, "debug", "digest", ours=False)
        if before != after or set(before.strip()) == {ord("0")}:
            raise SystemExit(f"preload: redis: {before!r} became {after!r}")
        runner.run(*cli, "shutdown", "nosave", ours=False)
        if server.wait(PATIENCE) != 0:
            raise SystemExit(f"preload: redis-server ended with {server.returncode}")
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


SQL = b"""
create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000)
insert into t select i, hex(i * i) || 'x' || i, i / 3.0 from n;
create index tb on t(b);
select count(*), sum(a), max(b) from t where b like '%77%';
select length(group_concat(b)), total(c) from t where a % 7 = 3;
select x.a, y.a from t x join t y on x.b = y.b where x.a % 9973 = 1 order by 1;
delete from t where a % 2; vacuum; pragma integrity_check;
select json_group_array(a) from (select a from t limit 50);
"""


def sqlite(runner):
    need("sqlite3")
    runner.same("sqlite3", ":memory:", stdin=SQL)


def compiler(runner):
    name = next((c for c in ("clang++-19", "clang++", "g++") if shutil.which(c)), "g++")
    need(name)
    (runner.folder / "real.cpp").write_text(
        "#include <algorithm>\n#include <iostream>\n#include <map>\n#include <regex>\n"
        "#include <string>\n"
        "int main() { std::map<std::string, int> m; std::regex r(\"a(b|c)*d\");\n"
        "for (int i = 0; i < 100; ++i) m[std::to_string(i * 37 % 101)] = i;\n"
        "std::cout << m.size() << std::regex_match(\"abcbcd\", r) << '\\n'; }\n", encoding="ascii")
    runner.run(name, "-std=c++20", "-O1", "-c", "real.cpp", "-o", "ours.o")
    runner.run(name, "-std=c++20", "-O1", "-c", "real.cpp", "-o", "plain.o", ours=False)
    if (runner.folder / "ours.o").read_bytes() != (runner.folder / "plain.o").read_bytes():
        raise SystemExit(f"preload: {name} makes another object file")
    runner.run(name, "ours.o", "-o", "real")
    if runner.run("./real") != b"1001\n":
        raise SystemExit("preload: the compiled program is wrong")


def limit(runner):
    """Little address space: a smaller heap, then null and ENOMEM; too little: a clear end."""
    code = ("import sys\ntry:\n x = bytearray(1 << 30)\nexcept MemoryError:\n print('refused')\n"
            "print(len(bytearray(1 << 20)))")
    out = runner.run("sh", "-c", f"ulimit -v 900000; exec {sys.executable} -c \"{code}\"")
    if out.split() != [b"refused", b"1048576"]:
        raise SystemExit(f"preload: under ulimit -v: {out!r}")
    done = subprocess.run(["sh", "-c", "ulimit -v 60000; exec sqlite3 :memory: 'select 1'"],
                          env=runner.ours, capture_output=True, timeout=PATIENCE, check=False)
    if done.returncode == 0 or b"heap: no address space for it" not in done.stderr:
        raise SystemExit(f"preload: under 60 MB: {done}")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="weft-preload-") as folder:
        runner = Runner(str(Path(sys.argv[2]).resolve()), Path(folder), "".join(sys.argv[3:]))
        {"git": git, "python": python, "redis": redis, "sqlite": sqlite,
         "compiler": compiler, "limit": limit}[sys.argv[1]](runner)


if __name__ == "__main__":
    main()
