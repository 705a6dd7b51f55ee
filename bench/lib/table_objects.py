# SPDX-License-Identifier: Apache-2.0
"""Objects used again: the published table (1000 goroutines, 192 bytes), and readers' locks."""

from lib.table_shared_data import number, table

TITLE = "Objects used again: new, pool, free lists; and locks for readers"
TARGETS = ["weft-bench", "weft-malloc-bench", "peer-bench"]

PROCS = 2
TIMEOUT_S = 120

# name, row, what was published (ns, GCs, B/op)
WAYS = (("new", "new_192", "28.6 / 12 / 192"), ("pool", "pool_192", "8.2 / 2 / 48"),
        ("list, a mutex", "list_192_mutex", "5.7 / 0 / 16"),
        ("list of each goroutine", "list_192_local", ""))
# How many operations a run does at scale 1.
BASE = {"weft": {"new_192": 50e6, "pool_192": 100e6, "list_192_mutex": 10e6,
                 "list_192_local": 100e6},
        "go": {"new_192": 10e6, "pool_192": 20e6, "list_192_mutex": 10e6, "list_192_local": 100e6}}
COUNTS = ((100_000, "100k"), (20_000_000, "20M"))
# A hundred thousand operations take a millisecond or two: the median of so many runs.
SHORT_RUNS = 9

LOCKS = (("weft rw_mutex", "weft", ""), ("Go RWMutex", "go", ""),
         ("std::shared_mutex", "peers", ":std"), ("tbb::spin_rw_mutex", "peers", ":tbb"))
MIXES = (("rw_read", "reads only"), ("rw_read_mostly", "1 write in 1000"),
         ("rw_read_write", "1 write in 100"))


def per_operation(got, key="wall_ns"):
    return got[key] / max(got["ops"], 1)


def cell(got):
    if not isinstance(got, dict):
        return str(got or "no such row")
    return (f"{number(per_operation(got))} / {got.get('gcs', 0):.0f} / "
            f"{got.get('bytes_per_op', 0):.0f}")


def median_run(programs, program, row, scale, runs):
    got = [programs.run(program, row, PROCS, scale, TIMEOUT_S) for _ in range(runs)]
    good = sorted((one for one in got if isinstance(one, dict)), key=per_operation)
    return good[len(good) // 2] if good else got[0]


def objects(programs, scale):
    rows = []
    for name, row, published in WAYS:
        for program in ("weft", "go"):
            cells = []
            for count, _ in COUNTS:
                short = count < 1_000_000
                wanted = count if short else count * scale
                cells.append(cell(median_run(programs, program, row,
                                             wanted / BASE[program][row],
                                             SHORT_RUNS if short else 1)))
            rows.append([f"{program} {name}"] + cells + [published if program == "go" else ""])
    head = ["ns / GCs / bytes per operation"] + [f"{label} operations" for _, label in COUNTS]
    return ("A thousand goroutines on two Ps take an object of 192 bytes, write to it and give it "
            "back; wall time. weft new: linked with Weft's malloc. The published figures are for "
            "100k operations.\n\n" + table(head + ["published"], rows))


def locks(programs, scale):
    rows = []
    for name, program, suffix in LOCKS:
        cells = []
        for row, _ in MIXES:
            for procs in (1, 2):
                got = programs.run(program, row + suffix, procs, scale, TIMEOUT_S)
                cells.append(number(per_operation(got)) if isinstance(got, dict)
                             else str(got or "-"))
        rows.append([name] + [" ".join(cells[i:i + 2]) for i in range(0, len(cells), 2)])
    return ("A lock and an unlock around one addition: ns of wall time with one and with two "
            "threads.\n\n" + table(["lock"] + [label for _, label in MIXES], rows))


def measure(programs, scale):
    return "\n\n".join(part(programs, scale) for part in (objects, locks))
