#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs one crash case and compares how it ends with golden/NAME.txt.

    run.py [--exact] [--update] NAME COMMAND...

COMMAND is the program, with its emulator in front when it is for another architecture.

A golden file begins with `exit N` (or `signal N`) and then has stderr, normalized: addresses are
0x?, offsets are gone, code outside tests/crash has the position `weft` or `library`, and line
numbers of the cases are the labels (`@name`) written there. Without --exact (other compilers,
optimization levels and sanitizers inline differently) only the cases' own frames are compared.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Tests whose name is not the case's, or that run with other settings than the default ones.
SETTINGS = {
    "traceback_none": ("panic_with_others", {"WEFT_TRACEBACK": "none"}),
    "traceback_all": ("panic_with_others", {"WEFT_TRACEBACK": "all"}),
    "traceback_system": ("panic_with_others", {"WEFT_TRACEBACK": "system"}),
    "traceback_crash": ("panic_with_others", {"WEFT_TRACEBACK": "crash"}),
    "crash_null": ("null", {"WEFT_TRACEBACK": "crash"}),
    "other_thread": ("other_thread", {"WEFT_TRACEBACK": "all", "WEFT_MAXPROCS": "2"}),
    "bad_maxprocs": ("fine", {"WEFT_MAXPROCS": "abc"}),
    "bad_maxthreads": ("fine", {"WEFT_MAXTHREADS": "3"}),
    "bad_stack": ("fine", {"WEFT_STACK": "100K"}),
    "bad_traceback": ("fine", {"WEFT_TRACEBACK": "loud"}),
    "bad_debug": ("fine", {"WEFT_DEBUG": "nosuch=1"}),
    "bad_number": ("fine", {"WEFT_DEBUG": "schedtrace=-1"}),
    "bad_flag": ("fine", {"WEFT_DEBUG": "dlog=1,scheddetail=yes"}),
    "sim_seed": ("sim_seed", {"WEFT_SEED": "first"}),
    "sim_shard": ("sim_seed", {"WEFT_SIM_SHARD": "4/4"}),
    "overflow_small": ("overflow_small", {"WEFT_STACK": "16K"}),
    "panic_full_stack": ("panic_full_stack", {"WEFT_STACK": "16K"}),
    "blocked_threads": ("blocked_threads", {"WEFT_TRACEBACK": "all"}),
    "deaf_thread": ("deaf_thread", {"WEFT_TRACEBACK": "all"}),
    "realtime_signals": ("realtime_signals", {"WEFT_TRACEBACK": "all", "WEFT_MAXPROCS": "2"}),
    "broken_heap": ("broken_heap", {"WEFT_MAXPROCS": "2"}),
    "held_mutex_fatal": ("held_alone", {"WEFT_DEBUG": "heldmutex=2"}),
    "held_mutex_silent": ("held_mutex", {"WEFT_DEBUG": "heldmutex=0"}),
    # A main goroutine that is slow to start the others, and loses its P, numbers them otherwise.
    "deadlock_everywhere": ("deadlock_everywhere", {"WEFT_DEBUG": "noretake=1"}),
    "deadlock_network_idle": ("deadlock_network_idle", {"WEFT_MAXPROCS": "2"}),
    # Which thread asks for one too many differs: the text only.
    "thread_exhaustion": ("thread_exhaustion", {"WEFT_MAXTHREADS": "4", "WEFT_TRACEBACK": "none"}),
    **{name: (name, {"WEFT_DEBUG": "heapcheck=1"}) for name in (
        "heap_checked_double_free", "heap_checked_overrun", "heap_checked_underrun",
        "heap_checked_interior_free", "heap_checked_use_after_free", "heap_checked_wrong_size")},
    "heap_sampled_overrun": ("heap_sampled_overrun", {"WEFT_DEBUG": "memprofilerate=1"}),
    "crowd_of_100000": ("crowd_of_100000", {"WEFT_TRACEBACK": "all"}),
}
# Reports with the runtime's own frames and registers: those are the scheduler's to change. So are
# the frames between a misuse and its text: only what stands in cases.cpp is compared in full.
USER_FRAMES_ONLY = {"quit", "abort", "bug", "traceback_system", "traceback_crash", "crash_null"}
IN_FULL = re.findall(r'^ +\{"(\w+)", \w+\},$', (HERE / "cases.cpp").read_text(), re.M)

# Deadlocks are about who waits in what: first lines only.
HEADERS_ONLY = {"deadlock_everywhere", "deadlock_timers_stopped", "deadlock_network_idle",
                "deadlock_after_blocking", "deadlock_after_stranger", "deadlock_after_guest"}

# What the C library says by itself about a broken heap, in words that change.
NOT_OURS = re.compile(r"(malloc|free|realloc|corrupted|double free|munmap_chunk)[ _(].*")
# What weft::sim says about a schedule: its tests' to compare.
SCHEDULE = re.compile(r"schedule: |the last decisions:|  step \d|goroutine \d+ \[.*\]$")
FRAME_POSITION = re.compile(r"^\t(/|\./|\.\./|\?)")
REGISTER = re.compile(r"^(r[a-z0-9]{1,2}|x\d{1,2}|sp|pc)\s+0x[0-9a-f]+$")


def labels():
    """(file, line number) -> label"""
    found = {}
    for source in HERE.glob("*.cpp"):
        for number, line in enumerate(source.read_text().splitlines(), 1):
            match = re.search(r"// @(\w+)$", line)
            if match:
                found[source.name, number] = match.group(1)
    return found


def position(line, names):
    path = line.strip().split(" ")[0]
    match = re.match(r"(.*):(\d+)$", path)
    file = match.group(1).rsplit("/", 1)[-1] if match else ""
    if (HERE / file).is_file() and "/crash/" in "/" + path:
        number = int(match.group(2))
        return "\t%s:@%s" % (file, names.get((file, number), number))
    return "\tweft" if "/weft/" in path else "\tlibrary"


def normalize(text, user_only):
    names, out, lines = labels(), [], text.splitlines()
    for line in lines:
        if REGISTER.match(line) or line.startswith("qemu: uncaught target signal"):
            continue
        if NOT_OURS.match(line) or SCHEDULE.match(line):
            continue
        line = re.sub(r"goroutine \d+ ended", "goroutine N ended", line)
        if FRAME_POSITION.match(line):
            where = position(line, names)
            if user_only and where in ("\tweft", "\tlibrary"):
                if out and not out[-1].startswith("goroutine "):
                    out.pop()  # the function's line
                continue
            out.append(where)
            continue
        line = re.sub(r"0x[0-9a-f]+", "0x?", line)
        line = re.sub(r"m=\d+", "m=?", line)
        if out and out[-1].endswith("goroutines with this stack:"):
            line = re.sub(r"^goroutine \d+", "goroutine N", line)  # one of them
        line = re.sub(r"^\w+\(\)::({lambda\(\)#\d+}|\$_\d+)::operator\(\)\(\)$", "operator()", line)
        line = re.sub(r"foreign thread \d+", "foreign thread N", line)
        line = re.sub(r"^\.\.\.\d+ frames elided", "...N frames elided", line)
        out.append(line)
    return "\n".join(out).strip("\n") + "\n"


def squeeze(text):
    """A recursion's many frames become one; the innermost may be at any line of the function."""
    frame = r"%s\(\.\.\.\)\n\t\S+\n"
    more = r"(?:" + frame % r"\1" + r"|\.\.\.N frames elided\.\.\.\n)*"
    return re.sub(frame % r"(recurse|dig|full_stack)" + more, lambda found: "%s(...)\n\t(%s)\n" % (
        found.group(1), "many frames elided" if "elided" in found.group(0) else "few"), text)


def headers(text):
    return "".join(line + "\n" for line in text.splitlines()
                   if re.match(r"exit |signal |fatal |goroutine ", line))


def run(command, name):
    case, extra = SETTINGS.get(name, (name, {}))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WEFT_")}
    environment.update({"WEFT_MAXPROCS": "1"}, **extra)
    done = subprocess.run([*command, case], env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                          preexec_fn=no_core)
    status = "exit %d" % done.returncode if done.returncode >= 0 else "signal %d" % -done.returncode
    return status, done.stderr.decode("utf-8", "replace")


def no_core():
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main():
    arguments = [a for a in sys.argv[1:] if a not in ("--exact", "--update")]
    name, command = arguments[0], arguments[1:]
    exact = "--exact" in sys.argv
    golden = HERE / "golden" / (name + ".txt")
    status, text = run(command, name)
    case = SETTINGS.get(name, (name,))[0]
    only = name in USER_FRAMES_ONLY or case not in IN_FULL
    final = headers if name in HEADERS_ONLY else lambda result: result
    if "--update" in sys.argv:
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(final(status + "\n" + squeeze(normalize(text, only))))
        return 0
    wanted = golden.read_text()
    got = final(status + "\n" + squeeze(normalize(text, only or not exact)))
    if not exact and not only:
        # The golden file, too, without the frames that depend on inlining.
        wanted = re.sub(r"^(?!goroutine )[^\n]+\n\t(weft|library)\n", "", wanted, flags=re.M)
    if got == wanted:
        return 0
    print("--- wanted: %s\n%s--- got:\n%s--- raw output:\n%s" % (golden, wanted, got, text))
    return 1


if __name__ == "__main__":
    sys.exit(main())
