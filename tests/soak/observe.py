#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A long look at a hundred thousand goroutines: observe.py PROGRAM --minutes N. The program
(observe.cpp) writes every profile and a trace, cycle after cycle; `go tool pprof` and `go tool
trace` must accept all of it, and the program's memory, threads and descriptors must stay.

Files that were accepted are deleted, the others stay in the folder."""
import argparse
import os
import pathlib
import queue
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

SKIPPED = 77
# Web pages take longer than all else, above all that of a group of 80,000 goroutines: those of the
# first cycle, and of each so manieth.
PAGES_EACH = 10
# The picture (/ui/graph) needs graphviz; /ui/source and /ui/disasm read all debug information once
# for each instruction, which takes hours.
PROFILE_PAGES = ["flamegraph", "top", "peek"]
# The profiles as files: as pictures they need graphviz.
TRACE_PAGES = ["/", "/goroutines", "/io?raw=1", "/block?raw=1", "/syscall?raw=1", "/sched?raw=1",
               "/usertasks", "/userregions", "/mmu", "/mmu?mode=plot&flags=stw"]
# malloc's and the kernel's part, and what a load that is never twice the same needs more.
MEMORY_SLACK = 0.03
# A leak of one a look is sixty in an hour.
THREADS_SLACK = 2
DESCRIPTORS_SLACK = 8  # clients come and go
# A shorter run is all warm-up: goroutines live for a minute.
LONG_MINUTES = 10
TOOL_TIMEOUT_S = 400


class Refused(Exception):
    pass


def find_go():
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        print("go is missing: its tools are the judges here")
        sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)
    return go


class Tools:
    """Go's tools as programs of their own, so that ending one ends it."""

    def __init__(self):
        go = find_go()
        self.paths = {}
        for name in ("pprof", "trace"):
            ran = subprocess.run([go, "tool", "-n", name], capture_output=True, text=True,
                                 check=True)
            self.paths[name] = ran.stdout.strip()

    def run(self, name, *arguments):
        """Its output does not matter, but there must be some."""
        words = [self.paths[name], *map(str, arguments)]
        with tempfile.TemporaryFile() as errors, \
                subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors) as ran:
            late = threading.Timer(TOOL_TIMEOUT_S, ran.kill)
            late.start()
            try:
                size = 0
                while piece := ran.stdout.read(1 << 20):
                    size += len(piece)
                ran.wait()
            finally:
                late.cancel()
                ran.kill()
            if ran.returncode != 0:
                errors.seek(0)
                text = errors.read().decode(errors="replace")
                raise Refused(f"{name} {' '.join(map(str, arguments))}: {ran.returncode}\n"
                              f"{text[-3000:]}")
        return size

    def pages(self, name, arguments, pages):
        """Each of `pages(address, front page)` must answer."""
        with subprocess.Popen([self.paths[name], *map(str, arguments)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True,
                              env=dict(os.environ, BROWSER="true")) as server:
            late = threading.Timer(TOOL_TIMEOUT_S, server.kill)
            late.start()
            try:
                said = []
                for line in server.stdout:
                    said.append(line)
                    if found := re.search(r"http://[\d.:]+", line):
                        pages(found[0])
                        return
                raise Refused(f"{name} {arguments}: no pages:\n{''.join(said)[-3000:]}")
            finally:
                late.cancel()
                server.kill()


def get(url):
    """pprof says where it listens just before it does."""
    give_up = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=TOOL_TIMEOUT_S) as answer:
                if answer.status != 200:
                    raise Refused(f"{url}: {answer.status}")
                return answer.read()
        except OSError as error:  # URLError is one
            refused = isinstance(getattr(error, "reason", None), ConnectionRefusedError)
            if not refused or time.monotonic() > give_up:
                raise Refused(f"{url}: {error}") from error
            time.sleep(0.05)


def trace_pages(address):
    front = get(address + "/").decode()
    for page in TRACE_PAGES:
        get(address + page)
    views = re.findall(r'href="(/trace\?[^"]*)"', front)
    for view in [v.replace("&amp;", "&") for v in views] or ["/trace"]:
        get(address + view)
        get(address + view.replace("/trace", "/jsontrace"))
    names = re.findall(r'goroutine\?name=([^"&]+)', get(address + "/goroutines").decode())
    if not names:
        raise Refused("no goroutines on their page")
    for name in dict.fromkeys(names):
        get(f"{address}/goroutine?name={name}")


def profile_pages(address):
    for page in PROFILE_PAGES:
        get(f"{address}/ui/{page}")
    get(f"{address}/download")


def check(tools, path, with_pages):
    if path.suffix == ".trace":
        if tools.run("trace", "-d=parsed", path) == 0:
            raise Refused(f"{path}: no events")
        if with_pages:
            tools.pages("trace", ["-http=127.0.0.1:0", path], trace_pages)
        return
    merged = path.with_suffix(".merged")
    for view in (["-top"], ["-traces"], ["-raw"], ["-proto", f"-output={merged}"]):
        tools.run("pprof", *view, path)
    if merged.stat().st_size == 0:
        raise Refused(f"{path}: -proto: nothing")
    merged.unlink()
    if with_pages:
        tools.pages("pprof", ["-no_browser", "-http=127.0.0.1:", path], profile_pages)


class Sampler(threading.Thread):
    """What the kernel says of the program, once a second."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.began = time.monotonic()
        self.samples = []  # (seconds, resident MiB, threads, descriptors, CPU seconds)
        self.ended = threading.Event()

    def look(self):
        process = pathlib.Path("/proc", str(self.pid))
        status = (process / "status").read_text()
        ticks = (process / "stat").read_text().rpartition(")")[2].split()[11:13]
        field = {name: int(value) for name, value in
                 re.findall(r"^(VmRSS|Threads):\s+(\d+)", status, re.M)}
        descriptors = 0
        for link in (process / "fd").iterdir():
            try:
                # Without those by which the monitor watches threads.
                descriptors += not os.readlink(link).startswith("/proc/")
            except OSError:
                pass  # closed meanwhile
        cpu = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
        return (time.monotonic() - self.began, field["VmRSS"] / 1024, field["Threads"],
                descriptors, cpu)

    def run(self):
        while not self.ended.wait(1):
            try:
                self.samples.append(self.look())
            except (OSError, KeyError, IndexError):
                return  # the program has ended

    def line(self):
        if len(self.samples) < 2:
            return "no samples"
        last, first = self.samples[-1], self.samples[max(0, len(self.samples) - 60)]
        cpu = 100 * (last[4] - first[4]) / (last[0] - first[0])
        return (f"{last[0]:6.0f} s, resident {last[1]:7.1f} MiB, threads {last[2]:3d}, "
                f"descriptors {last[3]:4d}, CPU {cpu:3.0f} %")


def stays(what, samples, index, slack):
    """The last quarter against the first after a warm-up of a sixth."""
    values = [s[index] for s in samples[len(samples) // 6:]]
    quarter = max(1, len(values) // 4)
    before, after = statistics.median(values[:quarter]), statistics.median(values[-quarter:])
    holds = after <= before + slack(before)
    print(f"observe: {what}: {before:.1f} after the warm-up, {after:.1f} at the end, "
          f"highest {max(values):.1f}{'' if holds else '   MORE'}", flush=True)
    return holds


class Lines(threading.Thread):
    """The program's lines, each with how the program was then: judges may be late."""

    def __init__(self, pipe, sampler):
        super().__init__(daemon=True)
        self.pipe = pipe
        self.sampler = sampler
        self.all = queue.SimpleQueue()

    def run(self):
        for line in self.pipe:
            self.all.put((line.strip(), self.sampler.line()))
        self.all.put(None)

    def __iter__(self):
        return iter(self.all.get, None)


def judge(tools, folder, line, state):
    """A line of the program, about a folder that is full. The number of refusals."""
    number = int(re.match(r"cycle (\d+) ", line)[1])
    files = sorted((folder / str(number)).iterdir())
    sizes = " ".join(f"{f.name.split('.')[0]}:{f.stat().st_size}" for f in files)
    began = time.monotonic()
    refused = 0
    for path in files:
        try:
            check(tools, path, number % PAGES_EACH == 0)
            path.unlink()
        except Refused as error:
            refused += 1
            print(f"observe: REFUSED: {path}\n{error}", flush=True)
    if refused == 0:
        (folder / str(number)).rmdir()
    print(f"observe: {state}; bytes {sizes}; ms to write: {line}; judged in "
          f"{time.monotonic() - began:.0f} s", flush=True)
    return refused


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--cycle", type=int, default=60, help="seconds from look to look")
    parser.add_argument("--goroutines", type=int, default=100_000)
    parser.add_argument("--folder", type=pathlib.Path, help="for files; default: a new one")
    how = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the program ends, too
    tools = Tools()
    folder = how.folder or pathlib.Path(tempfile.mkdtemp(prefix="weft_observe_"))
    folder.mkdir(parents=True, exist_ok=True)
    refused = cycles = 0
    words = [how.program, folder, int(how.minutes * 60), how.cycle, how.goroutines]
    with subprocess.Popen([*map(str, words)], stdout=subprocess.PIPE, text=True) as program:
        sampler = Sampler(program.pid)
        sampler.start()
        lines = Lines(program.stdout, sampler)
        lines.start()
        try:
            for line, state in lines:
                refused += judge(tools, folder, line, state)
                cycles += 1
            program.wait(timeout=60)
        finally:
            sampler.ended.set()
            program.kill()
    print(f"observe: {cycles} cycles, {refused} files refused; the program ended with "
          f"{program.returncode}", flush=True)
    holds = refused == 0 and cycles > 0 and program.returncode == 0
    same = stays("resident MiB", sampler.samples, 1, lambda before: before * MEMORY_SLACK)
    same &= stays("threads", sampler.samples, 2, lambda _: THREADS_SLACK)
    same &= stays("descriptors", sampler.samples, 3, lambda _: DESCRIPTORS_SLACK)
    holds &= same or how.minutes < LONG_MINUTES
    print(f"observe: {'passed' if holds else 'FAILED'}")
    if not any(folder.iterdir()) and how.folder is None:
        folder.rmdir()
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
