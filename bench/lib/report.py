# SPDX-License-Identifier: Apache-2.0
"""From samples to lines, and from lines to a table and docs/benchmarks.md."""

from dataclasses import dataclass, field
from statistics import median

from lib import allocators
from lib.programs import figure
from lib.reasons import REASONS

MISSING = "–"
HTTP_PEERS = ("go", "nginx", "beast")


@dataclass
class Line:
    """One row with its medians. A figure is a number, None (not run) or "failed"."""

    name: str
    title: str
    unit: str
    figures: dict  # program -> number, None or "failed"
    ratios: dict  # peer -> list of per-round ratios
    bar: tuple
    goal: tuple
    absolute: list  # our own figure, per round
    recorded: dict
    note: str = ""
    details: dict = field(default_factory=dict)  # program -> (wall, cpu) per operation
    failures: dict = field(default_factory=dict)  # program -> why
    compared: str = ""  # what the figure is: CPU, wall, latency...
    peers: tuple = ("go", "boost", "redis", "floor")  # the columns of its table

    def meets(self, limits):
        """True, False, or None when it cannot be told."""
        verdicts = []
        for limit in limits:
            measured = self.ratios.get(limit.peer) if limit.peer else self.absolute
            if not measured:
                return False if self.figures.get("weft") == "failed" else None
            middle = median(measured)
            verdicts.append(middle >= limit.amount if limit.at_least else middle <= limit.amount)
        return all(verdicts) if verdicts else None


def middle_of(values):
    """The median of the numbers; "failed" if there are only failures, None if nothing."""
    numbers = [value for value in values if isinstance(value, (int, float))]
    if numbers:
        return median(numbers)
    return "failed" if any(isinstance(value, str) for value in values) else None


def ratios_of(ours, theirs):
    return [a / b for a, b in zip(ours, theirs)
            if isinstance(a, (int, float)) and isinstance(b, (int, float)) and b > 0]


def values_of(samples, metric, scale, missing="no value"):
    """Figures of one program's rounds; failures stay strings, missing rows None."""
    out = []
    for sample in samples or []:
        if not isinstance(sample, dict):
            out.append(sample)
            continue
        value = figure(sample, metric)
        out.append(missing if value is None else value * scale)
    return out


def floor_figure(row, samples):
    if row.floor is None:
        return None
    if row.floor.constant is not None:
        return row.floor.constant
    return middle_of(values_of(samples, row.floor.key, row.floor.factor * row.scale))


def core_line(row, job):
    # A peer may have a row, and not each of its values.
    per_program = {program: values_of(job.samples.get(program), row.metric, row.scale,
                                      "no value" if program == "weft" else None)
                   for program in ("weft", "go", "boost")}
    if not row.boost:
        per_program["boost"] = []
    figures = {program: middle_of(values) for program, values in per_program.items()}
    figures["floor"] = floor_figure(row, job.samples.get("floor"))
    ratios = {peer: ratios_of(per_program["weft"], per_program[peer]) for peer in ("go", "boost")}
    line = Line(row.name, row.title, row.unit, figures, ratios, row.bar, row.goal,
                [v for v in per_program["weft"] if isinstance(v, (int, float))], row.recorded,
                row.note)
    line.compared = {"cpu": "CPU", "wall": "wall"}.get(row.metric, row.metric)
    for program in ("weft", "go", "boost"):
        samples = job.samples.get(program)
        if row.metric in ("cpu", "wall") and (program != "boost" or row.boost):
            line.details[program] = tuple(middle_of(values_of(samples, kind, row.scale))
                                          for kind in ("wall", "cpu"))
        reason = next((s for s in samples or [] if isinstance(s, str)), None)
        if reason:
            line.failures[program] = reason
    return line


def resp_line(row, samples):
    def values(server):
        return [entry if isinstance(entry, str) else entry[row.command, row.depth][row.metric]
                for entry in samples.get(server, [])]

    per_server = {"weft": values(row.weft), "go": values("go"), "redis": values("redis")}
    figures = {name: middle_of(entries) for name, entries in per_server.items()}
    ratios = {peer: ratios_of(per_server["weft"], per_server[peer]) for peer in ("go", "redis")}
    line = Line(row.name, row.title, row.unit, figures, ratios, row.bar, row.goal,
                [v for v in per_server["weft"] if isinstance(v, (int, float))], row.recorded,
                row.note)
    line.compared = "CPU" if row.metric == "cpu_us" else "requests/s"
    for name, entries in per_server.items():
        reason = next((entry for entry in entries if isinstance(entry, str)), None)
        if reason:
            line.failures[name] = reason
    return line


def http_line(row, samples):
    per_server = {name: values_of(entries, row.metric, row.scale)
                  for name, entries in samples.get(row.load, {}).items()}
    ours = per_server.setdefault("weft", [])
    line = Line(row.name, row.title, row.unit,
                {name: middle_of(entries) for name, entries in per_server.items()},
                {peer: ratios_of(ours, per_server.get(peer, [])) for peer in HTTP_PEERS},
                row.bar, row.goal, [v for v in ours if isinstance(v, (int, float))],
                row.recorded, row.note, peers=HTTP_PEERS)
    line.compared = {"cpu_us": "CPU", "rps": "requests/s"}.get(row.metric, row.metric)
    for name, entries in per_server.items():
        reason = next((entry for entry in entries if isinstance(entry, str)), None)
        if reason:
            line.failures[name] = reason
    return line


def alloc_line(row, samples):
    peers = tuple(allocators.PEERS)
    rounds = samples.get(row.key, {})
    others = (*peers, *dict(row.against))
    values = {name: values_of(rounds.get(name), row.metric, row.scale)
              for name in ("weft", *others)}
    numbers = [[value for value in in_round if isinstance(value, (int, float))]
               for in_round in zip(*(values[peer] for peer in peers))]
    values[allocators.BEST] = [min(in_round, default=None) for in_round in numbers]
    line = Line(row.name, row.title, row.unit,
                {name: middle_of(entries) for name, entries in values.items()},
                {peer: ratios_of(values["weft"], values[peer])
                 for peer in (*others, allocators.BEST)},
                row.bar, row.goal,
                [v for v in values["weft"] if isinstance(v, (int, float))], row.recorded, row.note,
                peers=peers)
    line.compared = {"cpu": "CPU", "worst_ns": "CPU", "wall": "wall"}.get(row.metric, row.metric)
    for name in ("weft", *peers):
        reason = next((entry for entry in values[name] if isinstance(entry, str)), None)
        if reason:
            line.failures[name] = reason
    return line


def evaluate(table, jobs, resp_table, resp_samples, http_table, http_samples, alloc_table,
             alloc_samples):
    by_key = {(job.program_row, job.procs): job for job in jobs}
    lines = [core_line(row, by_key[row.program_row, row.procs]) for row in table]
    lines += [resp_line(row, resp_samples) for row in resp_table]
    lines += [http_line(row, http_samples) for row in http_table]
    return lines + [alloc_line(row, alloc_samples) for row in alloc_table]


# --- text ----------------------------------------------------------------------------------------

def number(value):
    """Three digits, or so: 8.4, 193, 2765, 61,200."""
    if value is None:
        return MISSING
    if isinstance(value, str):
        return value
    if value >= 10_000:
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value else "0"


def label(peer):
    return {"go": "Go", "boost": "Boost", "beast": "Beast"}.get(peer, peer)


def limit_text(limits, unit):
    parts = []
    for limit in limits:
        sign = "≥" if limit.at_least else "≤"
        if limit.peer:
            parts.append(f"{sign} {limit.amount:.3g} {label(limit.peer)}")
        else:
            parts.append(f"{sign} {limit.amount:g} {unit}")
    return ", ".join(parts) or MISSING


def verdict(met):
    return {True: "yes", False: "**no**", None: MISSING}[met]


def ratio_text(line):
    """The ratio to the peer that the bar names, else to Go, else to any."""
    named = [limit.peer for limit in (*line.bar, *line.goal) if limit.peer]
    for peer in [*named, "go", "redis", "boost"]:
        if line.ratios.get(peer):
            return f"{median(line.ratios[peer]):.2f} {label(peer)}"
    return MISSING


def columns(peers):
    return ("row", "Weft", *map(label, peers), "ratio", "bar", "met?", "goal", "met?")


def cells(line):
    figures = [number(line.figures.get(name)) for name in ("weft", *line.peers)]
    return [f"{line.title} ({line.unit})", *figures, ratio_text(line),
            limit_text(line.bar, line.unit), verdict(line.meets(line.bar)),
            limit_text(line.goal, line.unit), verdict(line.meets(line.goal))]


def by_peers(lines):
    """Lines of one table after another: (peers, lines)."""
    tables = {}
    for line in lines:
        tables.setdefault(line.peers, []).append(line)
    return tables.items()


def table_text(lines):
    """For a terminal: columns aligned."""
    return "\n\n".join(aligned(columns(peers), some) for peers, some in by_peers(lines))


def aligned(header, lines):
    body = [list(header), *([cell.replace("**", "") for cell in cells(line)] for line in lines)]
    widths = [max(len(row[i]) for row in body) for i in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
                     for row in body)


def markdown_table(header, body):
    return ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header),
            *("| " + " | ".join(row) + " |" for row in body)]


def spread(values):
    return f"{min(values):.2f}–{max(values):.2f}" if values else MISSING


def detail_rows(lines):
    for line in lines:
        if not line.details:
            continue
        row = [line.title]
        for program in ("weft", "go", "boost"):
            wall, cpu = line.details.get(program, (None, None))
            row.append(MISSING if wall is None and cpu is None else
                       f"{number(wall)} / {number(cpu)}")
        yield [*row, line.unit, spread(line.ratios.get("go")), str(len(line.ratios.get("go", [])))]


RECORDED = ("Go", "libgo", "Photon", "Boost", "Tokio", "redis")
RECORDED_ALLOCATORS = ("glibc", "jemalloc", "tcmalloc", "mimalloc", "mimalloc 3", "snmalloc",
                       "rpmalloc")


def recorded_rows(lines, names):
    for line in lines:
        if line.recorded.keys() & set(names):
            yield [f"{line.title} ({line.unit})",
                   *(line.recorded.get(name, MISSING) for name in names)]


RECORDED_HTTP = ("Go", "nginx", "Beast", "Photon", "nghttpd")


def recorded_tables(lines):
    allocators_lines = [line for line in lines if line.peers == tuple(allocators.PEERS)]
    http_lines = [line for line in lines if line.peers == HTTP_PEERS]
    others = [line for line in lines if line not in [*allocators_lines, *http_lines]]
    tables = markdown_table(("row", *RECORDED), recorded_rows(others, RECORDED)) + [""]
    if any(line.recorded for line in http_lines):
        tables += [RECORDED_HTTP_NOTE, "",
                   *markdown_table(("row", *RECORDED_HTTP),
                                   recorded_rows(http_lines, RECORDED_HTTP)), ""]
    if allocators_lines:
        tables += [RECORDED_ALLOCATORS_NOTE, "",
                   *markdown_table(("row", *RECORDED_ALLOCATORS),
                                   recorded_rows(allocators_lines, RECORDED_ALLOCATORS)), ""]
    return tables


def summary(lines):
    with_bar = [line for line in lines if line.bar]
    with_goal = [line for line in lines if line.goal]
    bars = sum(1 for line in with_bar if line.meets(line.bar))
    goals = sum(1 for line in with_goal if line.meets(line.goal))
    return (f"**{bars} of {len(with_bar)} bars and {goals} of {len(with_goal)} goals are met in "
            "this run.** Rows stand here whether or not they are.")


UNEXPLAINED = "**Not explained yet.**"


def short_rows(lines):
    """The rows that miss their bar or, failing that, their goal, and why."""
    for line in lines:
        for kind, limits in (("bar", line.bar), ("goal", line.goal)):
            if line.meets(limits) is not False:
                continue
            asked = limit_text(limits, line.unit)
            peer = limits[0].peer
            reached = (f"{median(line.ratios[peer]):.2f}" if peer and line.ratios.get(peer)
                       else number(line.figures.get("weft")))
            yield [line.title, f"{kind} {asked}", reached,
                   REASONS.get(line.name, UNEXPLAINED)]
            break


def unexplained(lines):
    return [row[0] for row in short_rows(lines) if row[-1] == UNEXPLAINED]


BUSY = "CPUs taken by others, before and between rounds"


def busy_fact(samples):
    """Percentages of all CPUs, as a line of the table of facts."""
    return (BUSY, ", ".join(f"{sample:.0f}" for sample in samples) + " %")


def machine_was_busy(facts):
    samples = dict(facts).get(BUSY, "0 %").rstrip(" %").split(", ")
    return max(float(sample) for sample in samples) > 10


# Sections that are measured by themselves; the whole table is docs/benchmarks.md.
DOCUMENTS = {"benchmarks-observers.md": "Benchmarks: what it costs to look"}


def markdown(lines, facts, command, plots, how, document="benchmarks.md"):
    text = [
        "# " + DOCUMENTS.get(document, "Benchmarks"), "",
        f"Written by `{command}`; not edited by hand. How it is measured: "
        "[bench/README.md](../bench/README.md).", "",
        *markdown_table(("", ""), [[name, value.replace("|", "/")] for name, value in facts]),
        "",
        summary(lines), "",
        *(["What profiles and traces cost is measured by itself: "
           "[benchmarks-observers.md](benchmarks-observers.md).", ""]
          if document not in DOCUMENTS else []),
        "Figures are medians over the rounds; ratios are medians of the per-round ratios ours / "
        "peer, of CPU time per operation on one P and wall time on two, each pair run one right "
        "after the other. A dash: not run, or the peer has no such thing.", "",
    ]
    if machine_was_busy(facts):
        text += ["**The machine was not idle during this run**: other programs shared its CPUs. "
                 "Ratios on one P stand; two-P rows, latencies and delays are worth little.", ""]
    if how.quick:
        text += ["A **quick** run: fewer rounds, counts at 30 % (so \"1M\" means 300,000 and "
                 "skynet has 100,000 leaves).", ""]
    for peers, some in by_peers(lines):
        if peers == tuple(allocators.PEERS):
            text += ["", "## Allocators", "", ALLOCATORS_NOTE, ""]
        if peers == HTTP_PEERS:
            text += ["", "## HTTP servers", "", HTTP_NOTE, ""]
        text += markdown_table(columns(peers), [cells(line) for line in some])
    short = list(short_rows(lines))
    if short:
        text += ["", "## Where it falls short", "",
                 "What was tried, and what limits it; a bar first, a goal where the bar is met.",
                 "",
                 *markdown_table(("row", "asked", "reached", "why"), short)]
    notes = [f"* {line.title}: {line.note}" for line in lines if line.note]
    failures = [f"* {line.title}, {program}: {why}" for line in lines
                for program, why in line.failures.items()]
    if failures:
        text += ["", "Failed, in some round at least:", "", *failures]
    text += ["", "## Notes", "", *notes, *STANDING_NOTES]
    for name, caption in plots:
        text += ["", f"![{caption}](bench/{name})"]
    text += ["", "## Wall and CPU time", "",
             "Per operation, wall / CPU. The spread is of the per-round ratios to Go.", "",
             *markdown_table(("row", "Weft", "Go", "Boost", "unit", "ratio to Go, from–to",
                              "rounds"), detail_rows(lines))]
    text += ["", "## Recorded figures of others", "",
             "Recorded 2026-11 in the project's research, on another machine (2-vCPU Xeon "
             "2.8 GHz) with Go 1.26.10, Boost.Fiber 1.81, PhotonLibOS 4dd4570, libgo 3.1 and "
             "Tokio 1.24. For the order of magnitude: compare columns with each other, not with "
             "the table above.", "",
             *recorded_tables(lines)]
    return "\n".join(text)


HTTP_NOTE = (
    "`wrk -t1` and `h2load -t1`, on the same two CPUs as the server: so requests/s depends on "
    "both, and CPU time per request is the steadier figure. Each server has two threads (Go: two "
    "Ps), keeps connections and answers `Hello, World!`: Weft and Go through their mux, "
    "Boost.Beast as its asynchronous examples do, nginx by `return 200`.")
RECORDED_HTTP_NOTE = (
    "The same, of HTTP: nginx 1.22.1, Boost.Beast 1.81 (two io_contexts), nghttpd 1.52.")
ALLOCATORS_NOTE = (
    "Programs that know `malloc` only, of our own under the names of the classic ones; "
    "`libweft_malloc.so` and Debian's jemalloc, tcmalloc (gperftools) and mimalloc 2.0 are "
    "preloaded in turn. \"best\" is the least of the peers' figures in each round.")
RECORDED_ALLOCATORS_NOTE = (
    "The same, of allocators, by the classic programs (mimalloc-bench): glibc 2.36, jemalloc "
    "5.3.0, gperftools 2.10, mimalloc 2.0.9 and 3.4.3, snmalloc 0.7.5, rpmalloc 2.0.1.")

STANDING_NOTES = [
    "* Boost.Fiber on 2 threads: work_stealing. It wakes no sleeping thread for a fiber made "
    "ready elsewhere; in the channel, mutex and wake rows its idle thread sleeps (quicker for "
    "it, since one thread then does all), in the yield and fairness rows it polls.",
    "* Boost.Fiber's stacks are 16 KiB, pooled and without guard pages.",
    "* Floors: a bare switch of stacks, a C++20 coroutine, a futex wake, the first touch of a "
    "page, each measured in the same rounds (`bench/floor`). 10 ms is the scheduler's tick.",
    "* RESP: server and redis-benchmark share the machine's cores. CPU per request is of "
    "weft-kv with 1 P, as redis and the Go server (GOMAXPROCS=1) use one thread; requests/s of "
    "weft-kv with 2 P.",
]
