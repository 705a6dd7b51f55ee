# SPDX-License-Identifier: Apache-2.0
"""Shared data: the published table (one hot key), the matrix of maps, the cache of profiles."""

import os

TITLE = "Shared data: sync_map, RWMutex + map, atomic_value"
TARGETS = ["weft-bench", "weft-malloc-bench", "peer-bench"]

PROCS = 2
WORKERS = (1, 2, 8, 64)
LOADS = (100, 99, 95, 70, 50)
TIMEOUT_S = 120

# name, program, kind
MAPS = (("sync_map", "weft", "sync_map"), ("sharded_map", "weft", "sharded_map"),
        ("rw_mutex + map", "weft", "rw_mutex"), ("Go sync.Map", "go", "sync_map"),
        ("Go RWMutex + map", "go", "rw_mutex"), ("TBB concurrent_hash_map", "peers", "tbb"),
        ("64 x (shared_mutex + absl)", "peers", "absl"),
        ("shared_mutex + unordered_map", "peers", "shared_mutex"))

# The table as it was published, for 8 cores.
PUBLISHED = {"sync_map": "82 / 12.2M", "rw_mutex": "156 / 6.4M", "value": "9 / 110M"}
HOT = (("sync_map", "sync_map", "sync.Map"), ("rw_mutex", "rw_mutex + map", "RWMutex + map"),
       ("value", "atomic_value", "atomic.Value"))


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join(["---"] * len(head)) + " |"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def number(ns):
    return f"{ns:.1f}" if ns < 100 else f"{ns:.0f}"


def with_rate(ns):
    return f"{number(ns)} / {1e3 / ns:.0f}M" if ns > 0 else "-"


def hot_key(programs, scale):
    """ns per operation and operations per second, wall time, by the number of goroutines."""
    rows = []
    ours = programs.run("weft", "hot_key", PROCS, 5 * scale, TIMEOUT_S)
    go = programs.run("go", "hot_key", PROCS, 5 * scale, TIMEOUT_S)
    for key, weft_name, go_name in HOT:
        for name, got in ((f"weft {weft_name}", ours), (f"Go {go_name}", go)):
            if not isinstance(got, dict):
                rows.append([name] + [str(got)] * len(WORKERS) + [PUBLISHED[key]])
                continue
            cells = [with_rate(got[f"{key}_{w}"]) for w in WORKERS]
            rows.append([name] + cells + [PUBLISHED[key] if name.startswith("Go") else ""])
    head = ["ns / operations a second"] + [f"{w} goroutines" for w in WORKERS] + ["published"]
    return "One hot key, loads only, two Ps, wall time.\n\n" + table(head, rows)


def wide_values(programs, scale):
    """Where replacing a value costs more than changing it in place."""
    rows = []
    for name in ("sync_map", "sharded_map", "rw_mutex"):
        got = programs.run("weft", f"map:{name}_256:1k:zipf:all", PROCS, scale, TIMEOUT_S)
        if isinstance(got, dict):
            rows.append([name] + [" ".join(number(got[f"w_{r}_{w}"]) for w in WORKERS)
                                  for r in LOADS])
        else:
            rows.append([name, str(got)] + [""] * (len(LOADS) - 1))
    return ("1k keys, Zipf, values of 256 bytes, of which a store changes one word.\n\n"
            + table(["map"] + [f"{r} % loads" for r in LOADS], rows))


def matrix(programs, scale):
    parts = []
    for keys in ("1k", "1M"):
        for spread in ("zipf", "uniform"):
            rows = []
            for name, program, kind in MAPS:
                got = programs.run(program, f"map:{kind}:{keys}:{spread}:all", PROCS, scale,
                                   TIMEOUT_S)
                if not isinstance(got, dict):
                    rows.append([name] + [str(got or "no such map")] + [""] * (len(LOADS) - 1))
                    continue
                cells = [" ".join(number(got[f"w_{r}_{w}"]) for w in WORKERS) for r in LOADS]
                rows.append([name] + cells)
            head = ["map"] + [f"{r} % loads" for r in LOADS]
            parts.append(f"{keys} keys, {spread}: ns of wall time per operation with "
                         f"{', '.join(map(str, WORKERS))} workers on two Ps.\n\n"
                         + table(head, rows))
    return "\n\n".join(parts)


def allocations(programs, program, row, got):
    """Per request. Ours: from the heap's samples of a run of its own, which they make slow."""
    if program == "go":
        return got["allocations_per_op"]
    sampled = programs.start(programs.path("weft-malloc"), row, PROCS, 0.1, TIMEOUT_S,
                             {**os.environ, "WEFT_DEBUG": "memprofilerate=64"})
    return sampled["allocations_per_op"] if isinstance(sampled, dict) else float("nan")


CACHES = (("weft mutex + map", "weft", "mutex"), ("weft rw_mutex + map", "weft", "rw_mutex"),
          ("weft sharded_map", "weft", "sharded_map"), ("weft sync_map", "weft", "sync_map"),
          ("Go Mutex + map", "go", "mutex"), ("Go RWMutex + map", "go", "rw_mutex"),
          ("Go sync.Map", "go", "sync_map"))


def requests(programs, scale, kind):
    rows = []
    for name, program, cache in CACHES:
        row = f"{kind}_{cache}"
        got = programs.run(program, row, PROCS, scale, TIMEOUT_S)
        if not isinstance(got, dict):
            rows.append([name, str(got), "", "", "", ""])
            continue
        rows.append([name, f"{got['ops'] / got['wall_ns'] * 1e6:.0f}k", f"{got['p50_us']:.0f}",
                     f"{got['p99_us']:.0f}", f"{got['cpu_ns'] / got['ops'] / 1e3:.1f}",
                     f"{allocations(programs, program, row, got):.1f}"])
    return table(["cache", "requests/s", "p50 us", "p99 us", "CPU us per request",
                  "allocations per request"], rows)


def story(programs, scale):
    return ("A cache of 100,000 risk profiles of 256 bytes, Zipf; 12,000 requests a second, each a "
            "goroutine that looks at 16 profiles and changes one.\n\n"
            + requests(programs, scale, "story")
            + "\n\nThe same with 100,000 requests a second asked for.\n\n"
            + requests(programs, scale * 0.3, "storm"))


def measure(programs, scale):
    return "\n\n".join(part(programs, scale) for part in (hot_key, matrix, wide_values, story))
