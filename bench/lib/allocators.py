# SPDX-License-Identifier: Apache-2.0
"""Rows of allocators: programs that know malloc() only, with each allocator preloaded in turn."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from lib.rows import Limit, times

# Name -> what LD_PRELOAD names, as Debian installs it. "glibc" is what a program has anyway.
PEERS = {
    "glibc": None,
    "jemalloc": "libjemalloc.so.2",
    "tcmalloc": "libtcmalloc_minimal.so.4",
    "mimalloc": "libmimalloc.so.2",
}
PACKAGES = {"jemalloc": "libjemalloc2", "tcmalloc": "libtcmalloc-minimal4",
            "mimalloc": "libmimalloc2.0"}
# A made-up peer: the least of any peer's figures in the same round.
BEST = "best"


@dataclass(frozen=True)
class AllocRow:
    title: str
    program_row: str
    procs: int
    metric: str  # as in rows.Row
    unit: str
    bar: tuple[Limit, ...]
    goal: tuple[Limit, ...] = ()
    scale: float = 1.0
    program: str = "alloc-bench"
    debug: str = ""  # WEFT_DEBUG, of ours
    against: tuple[tuple[str, str], ...] = ()  # ours with another WEFT_DEBUG: (peer, that)
    share: float = 1.0  # of the program's count: for what is slow
    rounds: int = 1000  # in which it takes part: one is enough for what does not vary
    recorded: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def key(self):
        """Rows of the same key share their runs."""
        return self.program_row, self.procs, self.debug

    @property
    def name(self):
        suffix = "" if self.metric in ("cpu", "wall") else f"_{self.metric}"
        if self.debug and self.program_row != "misuse":
            suffix += "_checked"
        return f"malloc_{self.program_row}{suffix}@{self.procs}"


def alloc_rows():
    best = lambda amount: times(amount, BEST)
    return [
        AllocRow("malloc + free, 16 to 256 B", "pair", 1, "cpu", "ns", times(1.0, "tcmalloc"),
                 times(0.72, "tcmalloc"),
                 recorded={"glibc": "15", "jemalloc": "12", "tcmalloc": "8.5", "mimalloc": "16",
                           "mimalloc 3": "8-9", "snmalloc": "4.8-5.9", "rpmalloc": "5.7-8"},
                 note="The goal is 1.2 of snmalloc, which Debian does not have: as recorded it "
                      "took 0.6 of tcmalloc's time."),
        AllocRow("1000 objects first in first out, worst size to 1 KiB", "fifo", 1, "worst_ns",
                 "ns", times(1.0, "tcmalloc"), times(0.79, "tcmalloc"),
                 recorded={"glibc": "332", "jemalloc": "95", "tcmalloc": "12.9",
                           "mimalloc": "23.8", "mimalloc 3": "35.6", "snmalloc": "17.9",
                           "rpmalloc": "8.5"},
                 note="The goal is 1.2 of rpmalloc: as recorded it took 0.66 of tcmalloc's time."),
        AllocRow("larson, 2 threads", "larson", 2, "wall", "ns", times(1.0, "jemalloc"),
                 times(1.0, "tcmalloc"),
                 recorded={"glibc": "43", "jemalloc": "31", "tcmalloc": "16", "mimalloc": "31",
                           "mimalloc 3": "29", "snmalloc": "22", "rpmalloc": "18"}),
        AllocRow("xmalloc, a producer and a consumer", "xmalloc", 2, "wall", "ns",
                 times(1.0, "mimalloc"), times(0.56, "mimalloc"),
                 recorded={"glibc": "83", "jemalloc": "93", "tcmalloc": "145", "mimalloc": "32",
                           "mimalloc 3": "31", "snmalloc": "18", "rpmalloc": "41"},
                 note="The goal is snmalloc's: as recorded it took 0.56 of mimalloc 2's time."),
        AllocRow("goroutines that move to another P between malloc and free", "churn", 2, "wall",
                 "ns", best(1 / 1.2), best(1 / 2), program="churn-bench",
                 note="Ours is linked (weft::malloc), the others are preloaded under the same "
                      "scheduler. Some 40 % of the waits end on the other P."),
        AllocRow("large blocks, 5 to 25 MiB", "malloc_large", 1, "wall", "ms",
                 times(1.3, "tcmalloc"), times(1.0, "tcmalloc"), scale=1e-6,
                 recorded={"glibc": "2.25", "jemalloc": "9.7", "tcmalloc": "2.0",
                           "mimalloc": "9.3"}),
        AllocRow("big numbers of many short-lived objects (cfrac)", "cfrac", 1, "cpu", "us", (),
                 times(1.0, "tcmalloc"), scale=1e-3,
                 note="A factoring program of our own, one step of it."),
        AllocRow("24 calls deep, 200,000 live: sampling one per 512 KiB", "prof", 1, "cpu", "ns",
                 times(1.03, "unsampled"), times(1.01, "unsampled"),
                 against=(("unsampled", "memprofilerate=0"),),
                 recorded={"glibc": "528", "jemalloc": "119", "tcmalloc": "124",
                           "mimalloc 3": "189"},
                 note="Ours with and without sampling (WEFT_DEBUG=memprofilerate=0); the others "
                      "do not sample. As recorded, sampling cost jemalloc 1.13, gperftools 1.33, "
                      "Go 0.99."),
        AllocRow("malloc + free, 16 to 256 B: with heapcheck", "pair", 1, "cpu", "ns", (),
                 times(1.25, "unchecked"), debug="heapcheck=1", against=(("unchecked", ""),),
                 share=0.01,
                 note="Ours with WEFT_DEBUG=heapcheck=1 against ours without."),
        AllocRow("mstress, 2 threads", "mstress", 2, "wall", "ns", (), times(1.0, "tcmalloc")),
        *(AllocRow(f"peak resident memory: {name}", name, procs, "peak_mb", "MB", best(1.5),
                   best(1.15))
          for name, procs in (("larson", 2), ("xmalloc", 2), ("mstress", 2), ("cfrac", 1))),
        AllocRow("peak resident memory: large blocks", "malloc_large", 1, "peak_mb", "MB", ()),
        AllocRow("misuse caught, of 42; ours with heapcheck", "misuse", 1, "caught", "cases",
                 (Limit(23, at_least=True),), (Limit(34, at_least=True),),
                 program="misuse-bench", debug="heapcheck=1", rounds=1,
                 recorded={"glibc": "23", "jemalloc": "7", "tcmalloc": "9", "mimalloc": "10",
                           "mimalloc 3": "6", "snmalloc": "4", "rpmalloc": "9"},
                 note="The cases of tests/misuse, which are not those of the recorded figures."),
    ]


def find_library(soname):
    """A library that the loader does not find would be left out with a warning only."""
    for folder in sorted(Path("/usr/lib").glob("*-linux-gnu")) + [Path("/usr/local/lib")]:
        if (folder / soname).exists():
            return str(folder / soname)
    return None


def run(programs_dir, row, contestant, scale, timeout):
    """One measurement of `contestant`: as programs.Programs.run()."""
    program = row.program
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    ours = {"weft": row.debug, **dict(row.against)}
    if contestant == "weft" and program == "churn-bench":
        program = "churn-weft-bench"
    elif contestant in ours:
        library = Path(programs_dir.directory).parent / "libweft_malloc.so"
        if not library.exists():
            return "libweft_malloc.so is not built"
        environment["LD_PRELOAD"] = str(library)
        environment["WEFT_DEBUG"] = ours[contestant]
    elif PEERS[contestant]:
        library = find_library(PEERS[contestant])
        if library is None:
            return f"not installed ({PACKAGES[contestant]})"
        environment["LD_PRELOAD"] = library
    return programs_dir.start(programs_dir.directory / program, row.program_row, row.procs,
                              scale * row.share, timeout, environment)


def run_all(table, samples, turn, programs_dir, scale, timeout, complain):
    """A round: each program's row once with each allocator. Fills samples[row.key][name]."""
    done = set()
    for row in table:
        if row.key in done or turn >= row.rounds:
            continue
        done.add(row.key)
        names = ["weft", *dict(row.against), *PEERS]
        for name in names if turn % 2 == 0 else reversed(names):
            got = run(programs_dir, row, name, scale, timeout)
            samples.setdefault(row.key, {}).setdefault(name, []).append(got)
            if isinstance(got, str):
                complain(f"{name} {row.program_row}: failed: {got}")
