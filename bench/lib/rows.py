# SPDX-License-Identifier: Apache-2.0
"""The table: which rows there are, how each is measured, and what it must reach.

Bars ("the least that will do") and goals ("what we are after") are those of the project's list of
anchors; a ratio to a peer is formed inside one run, so it survives a change of machine, while an
absolute limit does not.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limit:
    """`amount` times what `peer` reached in the same pair, or just `amount` if peer is None."""

    amount: float
    peer: str | None = None
    at_least: bool = False


def times(amount, peer, at_least=False):
    return (Limit(amount, peer, at_least),)


def absolute(amount):
    return (Limit(amount),)


@dataclass(frozen=True)
class Floor:
    """A figure of floor-bench, or a constant, beside which the row stands."""

    row: str = ""
    key: str = "cpu"
    factor: float = 1.0
    constant: float | None = None


@dataclass(frozen=True)
class Row:
    title: str
    program_row: str
    procs: int
    # What is compared: "cpu" or "wall" (per operation), or the name of a value in the output.
    metric: str
    unit: str
    bar: tuple[Limit, ...]
    goal: tuple[Limit, ...] = ()
    scale: float = 1.0  # of the printed figure; 1e-6 makes ms of ns
    boost: bool = False
    go_row: str = ""
    floor: Floor | None = None
    # Name -> figure, as recorded in the project's research (another machine, about 2.5x slower).
    recorded: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def name(self):
        # Several rows may come from one program's row; the metric tells them apart.
        suffix = "" if self.metric in ("cpu", "wall") else f"_{self.metric}"
        return f"{self.program_row}{suffix}@{self.procs}"


def core_rows():
    go = lambda amount: times(amount, "go")
    floor = Floor
    return [
        Row("yield, 2 goroutines, 1 P", "yield_2", 1, "cpu", "ns", go(0.3), absolute(25),
            boost=True, floor=floor("switch_2"),
            recorded={"Go": "193", "libgo": "44", "Photon": "51", "Boost": "115", "Tokio": "437"}),
        Row("yield, 1000 goroutines, 1 P", "yield_1000", 1, "cpu", "ns", go(0.3), absolute(20),
            boost=True, floor=floor("switch_1000"),
            recorded={"Go": "193", "libgo": "31.5", "Photon": "22", "Boost": "114",
                      "Tokio": "140"}),
        Row("yield, 1000 goroutines, 2 P", "yield_1000", 2, "wall", "ns", go(0.3), absolute(15),
            boost=True,
            recorded={"Go": "209", "libgo": "23", "Photon": "13", "Boost": "144", "Tokio": "77"}),
        Row("spawn + finish, batches of 128, 1 P", "spawn_128", 1, "cpu", "ns", go(0.3),
            absolute(75), boost=True, floor=floor("coroutine_128"),
            recorded={"Go": "405", "libgo": "654", "Photon": "87", "Boost": "244",
                      "Tokio": "401"}),
        Row("spawn 1M, then join, 2 P", "spawn_join_1m", 2, "wall", "ns", go(0.6), go(0.3),
            recorded={"Go": "882", "Tokio": "569"}),
        Row("unbuffered round trip, 1 P", "chan_unbuffered", 1, "cpu", "ns", go(0.4), go(0.2),
            boost=True, floor=floor("switch_2", factor=2.0),
            recorded={"Go": "681", "libgo": "993", "Photon": "1331", "Boost": "401",
                      "Tokio": "481 (cap 1)"}),
        Row("unbuffered round trip, 2 P", "chan_unbuffered", 2, "wall", "ns", go(0.6), go(0.3),
            boost=True, floor=floor("futex_round_trip", "wall"),
            recorded={"Go": "655", "libgo": "1343", "Photon": "1394", "Boost": "570",
                      "Tokio": "485 (cap 1)"},
            note="The floor is two threads that sleep in between; a runtime that stays on one "
                 "thread is far below it."),
        Row("channel of 128, 1 producer 1 consumer, 1 P", "chan_1p1c", 1, "cpu", "ns", go(0.5),
            times(0.6, "boost"), boost=True,
            recorded={"Go": "79", "libgo": "113", "Photon": "160", "Boost": "53",
                      "Tokio": "125"}),
        Row("channel of 128, 1 producer 1 consumer, 2 P", "chan_1p1c", 2, "wall", "ns", go(0.5),
            times(1.0, "boost"), boost=True,
            recorded={"Go": "145", "libgo": "238", "Photon": "372", "Boost": "37",
                      "Tokio": "159"}),
        Row("channel of 128, 4 and 4, 1 P", "chan_4p4c", 1, "cpu", "ns", go(0.5),
            times(0.6, "boost"), boost=True,
            recorded={"Go": "79", "libgo": "141", "Photon": "147", "Boost": "51",
                      "Tokio": "120 (4 and 1)"}),
        Row("channel of 128, 4 and 4, 2 P", "chan_4p4c", 2, "wall", "ns", go(0.5),
            times(1.0, "boost"), boost=True,
            recorded={"Go": "143", "libgo": "283", "Photon": "437", "Boost": "42",
                      "Tokio": "203 (4 and 1)"}),
        Row("select over 2 channels + done, 1 P", "select_2", 1, "cpu", "ns", go(0.5), go(0.25),
            recorded={"Go": "473"}),
        Row("select over 4 channels + done, 1 P", "select_4", 1, "cpu", "ns", go(0.5), go(0.25),
            recorded={"Go": "725", "Tokio": "686 (cap 1)"}),
        Row("idle select, CPU used", "select_idle", 2, "cpu_ms_per_s", "ms/s", absolute(1.0),
            absolute(1.0), floor=floor(constant=0.0), recorded={"Photon": "1000 (polls)"},
            note="Bar and goal are 0; under 1 ms per second counts as 0, for the runtime's own "
                 "monitor may wake now and then."),
        Row("skynet, 10^6 goroutines, 1 P", "skynet", 1, "cpu", "ms", go(0.5), go(0.25),
            scale=1e-6, recorded={"Go": "1697", "libgo": "5022", "Tokio": "519 (join)"}),
        Row("skynet, 10^6 goroutines, 2 P", "skynet", 2, "wall", "ms", go(0.5), go(0.25),
            scale=1e-6, recorded={"Go": "1241", "Tokio": "385 (join)"}),
        Row("mutex, 8 goroutines, tiny section, 1 P", "mutex_8", 1, "cpu", "ns", go(1.0),
            go(0.6), boost=True,
            recorded={"Go": "20", "libgo": "13.6", "Photon": "29", "Boost": "62",
                      "Tokio": "69"}),
        Row("mutex, 8 goroutines, tiny section, 2 P", "mutex_8", 2, "wall", "ns", go(1.0),
            go(0.6), boost=True,
            recorded={"Go": "26", "libgo": "61", "Photon": "47-162", "Boost": "58",
                      "Tokio": "241"}),
        Row("parked goroutine, 1M, memory", "parked_1m", 1, "bytes", "B", absolute(4900),
            absolute(500), boost=True, floor=floor("page_touch", "bytes"),
            recorded={"Go": "2765", "libgo": "6212 unguarded", "Photon": "8721",
                      "Boost": "13562 unguarded"},
            note="RSS + page tables. The goal is for stacks packed after a minute, which this "
                 "row does not wait for. Boost: 100,000 fibers."),
        Row("parked goroutine, 1M, memory, 64 KiB stacks", "parked_1m_64k", 1, "bytes", "B",
            absolute(4400), absolute(500), go_row="parked_1m",
            floor=floor("page_touch", "bytes")),
        Row("create 1M parked goroutines", "parked_1m", 1, "cpu", "ns", go(1.0), go(0.8),
            boost=True, floor=floor("page_touch"),
            recorded={"Go": "3163-3680", "Photon": "9561", "Tokio": "448 (stackless)"}),
        Row("timer created and cancelled, 1 P", "timer_cancel", 1, "cpu", "ns", go(0.4), go(0.2),
            recorded={"Go": "389-436", "Tokio": "496"}),
        Row("1M goroutines asleep 1-100 ms, 1 P", "sleepers_1m", 1, "cpu", "ns", go(0.6),
            go(0.4), floor=floor("page_touch"),
            recorded={"Go": "4835", "libgo": "10642", "Photon": "10016", "Boost": "10025",
                      "Tokio": "3591"}),
        Row("unpark on an idle thread, 200 us gap, p50", "wake_200us", 2, "p50_us", "us",
            go(0.3), go(0.12), boost=True, floor=floor("futex_wake", "p50_us"),
            recorded={"Go": "79-103", "libgo": "33", "Photon": "32", "Boost": "202",
                      "Tokio": "401"}),
        Row("unpark on an idle thread, 200 us gap, p99", "wake_200us", 2, "p99_us", "us",
            go(0.3), go(0.12), boost=True, floor=floor("futex_wake", "p99_us"),
            recorded={"Go": "245-403", "libgo": "1363", "Photon": "472", "Boost": "407",
                      "Tokio": "435"}),
        *fairness_rows(),
        *object_rows(),
        *map_rows(),
        *json_rows(),
        *tls_rows(),
        *http_rows(),
        Row("crash report, 100,000 goroutines grouped", "crash_report_100k", 1, "report_ms", "ms",
            absolute(1000), absolute(300),
            note="A panic with WEFT_TRACEBACK=all, to the report's last byte. Go prints each "
                 "goroutine by itself; there is no row of it."),
        Row("crash report, 1M goroutines grouped", "crash_report_1m", 1, "report_ms", "ms", ()),
        *observe_rows(),
    ]


def observe_rows():
    return [
        Row("CPU profile of a busy core, per 1,000 Hz", "cpu_profile", 1, "percent_at_1000hz", "%",
            absolute(0.6), absolute(0.5), floor=Floor("sampling", "percent_at_1000hz"),
            note="Measured at 10,000 Hz, where it can be seen, and divided by ten. The floor is "
                 "the kernel's performance event with a signal handler that does nothing."),
        Row("CPU profile of a busy core, per 100 Hz", "cpu_profile", 1, "percent_at_100hz", "%",
            absolute(0.1), absolute(0.05),
            note="Measured at 250 Hz, the most that timers do, and divided by 2.5."),
        Row("asked for 1,000 samples a second, got", "cpu_profile", 1, "achieved_hz", "Hz",
            (Limit(900, at_least=True),), (Limit(950, at_least=True),),
            note="Perf events where they are allowed; timers give the kernel's tick."),
        Row("goroutine profile, 1M parked", "goroutine_profile_1m", 2, "profile_ms", "ms",
            times(0.5, "go"), absolute(100)),
        Row("trace, bytes per ping-pong round trip", "trace_ping_pong", 1, "bytes_per_round", "B",
            times(1.0, "go"), absolute(48),
            note="Six events. Go traces as many."),
        Row("trace on, more CPU per round trip", "trace_ping_pong", 1, "cost_ns", "ns",
            times(1.0, "go"), absolute(90)),
        Row("stacks that reach the goroutine's entry, with frame pointers", "whole_stacks", 1,
            "with_percent", "%", (Limit(99.9, at_least=True),), (Limit(100, at_least=True),),
            recorded={"libunwind": "100", "frame pointers": "50-100"},
            note="CPU samples at 1,000 Hz of one goroutine: deep calls, libc's qsort, yields. "
                 "tests/prof (corners) has the harder ones."),
        Row("the same, without frame pointers", "whole_stacks", 1, "without_percent", "%",
            (Limit(99.9, at_least=True),), (Limit(100, at_least=True),),
            recorded={"libunwind": "100", "frame pointers": "0.1-29"}),
        Row("trace, bytes per event; MB per million events", "trace_size", 2, "bytes_per_event",
            "B", absolute(8), absolute(8),
            note="Goroutines that begin and end, wait for channels, locks and time, some of each; "
                 "with the tables of stacks and names. Events counted by our reader."),
        Row("flight recorder: snapshot of 16 MB", "flight_snapshot", 2, "snapshot_ms", "ms",
            times(1.0, "go"), absolute(10), recorded={"Go": "47-66"},
            note="Written to memory, while nothing else happens; a twentieth of it is new each "
                 "time."),
        Row("flight recorder: longest that another goroutine stood still for a snapshot",
            "flight_snapshot", 2, "pause_ms", "ms", absolute(10), absolute(1),
            note="The world is stopped while a generation ends, not while it is written."),
        Row("memory of all observers together, 10,000 busy goroutines", "observed_memory", 2,
            "watched_mb", "MiB", absolute(64), absolute(16),
            note="CPU and wall profile, heap, block and mutex profiles, labels, and the flight "
                 "recorder (10 MiB), all on for 10 s: the most that is resident, less what is "
                 "without. 100 MB of events a second."),
        Row("the same after the profiles were written", "observed_memory", 2, "written_mb", "MiB",
            note="With what was read of debug information to name functions.", bar=()),
        *scheduler_observe_rows(),
    ]


def scheduler_observe_rows():
    """Operations of the scheduler while an observer is on, beside the same in Go."""
    operations = (("ping_pong", "round trip on unbuffered channels"), ("yield", "yield"),
                  ("spawn", "spawn + finish"))
    # Observer -> title, whether Go has it.
    kinds = {"cpu": ("CPU profile, 100 Hz", True), "wall": ("wall profile, 100 Hz", False),
             "block_mutex": ("block and mutex profiles", True), "trace": ("trace", True),
             "flight": ("flight recorder", True)}
    return [
        Row(f"{title} on, more CPU per {text}", f"observed_{operation}", 1,
            f"{what}_more_ns", "ns", times(1.0, "go") if in_go and "profile" not in title else ())
        for operation, text in operations for what, (title, in_go) in kinds.items()
    ]


def fairness_rows():
    kinds = [
        ("fair_spin_1", "one computes 200 ms", {"Go": "25", "libgo": "105", "Photon": "203",
                                                "Boost": "205", "Tokio": "200"}),
        ("fair_spin_2", "two compute 200 ms", {"Go": "34", "libgo": "105", "Photon": "207",
                                               "Boost": "405", "Tokio": "400"}),
        ("fair_block_1", "one blocks 200 ms in libc", {"Go": "15", "libgo": "103",
                                                       "Photon": "204", "Boost": "206",
                                                       "Tokio": "203"}),
        ("fair_block_2", "two block 200 ms in libc", {"Go": "21", "libgo": "105",
                                                      "Boost": "409", "Tokio": "400"}),
    ]
    return [
        Row(f"worst delay of 10,000 yielders, 2 P: {text}", name, 2, "max_delay_ms", "ms",
            times(1.5, "go"), times(1.0, "go"), boost=True,
            floor=Floor(constant=10.0) if "spin" in name else None, recorded=recorded)
        for name, text, recorded in kinds
    ]


def object_rows():
    go = lambda amount: times(amount, "go")
    recorded = {"Go": "14-18", "mutex list": "206", "local list": "3.3"}
    return [
        Row("pool get + put, 1000 goroutines, 192 B, 1 P", "pool_192", 1, "cpu", "ns", go(0.5),
            absolute(3)),
        Row("pool get + put, 1000 goroutines, 192 B, 2 P", "pool_192", 2, "wall", "ns", go(0.5),
            absolute(3), recorded=recorded),
        Row("new and delete there, 2 P", "new_192", 2, "wall", "ns", go(0.1), absolute(6),
            recorded={"Go": "182-202"}, note="Linked with Weft's malloc."),
        Row("a list behind a mutex there, 2 P", "list_192_mutex", 2, "wall", "ns", (),
            recorded={"Go": "206"}),
        Row("a list for each goroutine there, 2 P", "list_192_local", 2, "wall", "ns", (),
            recorded={"Go": "3.3"}),
        Row("rw_mutex, read lock and unlock, 1 P", "rw_read", 1, "cpu", "ns", go(1.0),
            absolute(4), recorded={"Go": "15.7", "std::shared_mutex": "22"}),
        Row("rw_mutex, read lock and unlock, 2 P", "rw_read", 2, "wall", "ns", go(1.0),
            absolute(2), recorded={"Go": "12-30", "std::shared_mutex": "63"}),
        Row("rw_mutex, one write in a thousand, 2 P", "rw_read_mostly", 2, "wall", "ns", go(1.0)),
        Row("rw_mutex, one write in a hundred, 2 P", "rw_read_write", 2, "wall", "ns", go(1.0)),
    ]


def map_rows():
    go = lambda amount: times(amount, "go")
    small, large = "map:sync_map:1k:zipf:few", "map:sync_map:1M:uniform:few"
    return [
        Row("sync_map, 1,000 keys, loads", small, 2, "c_100_1", "ns", go(0.7), go(0.5),
            recorded={"Go": "36", "typed trie": "17", "parlayhash": "19",
                      "concurrent_flat_map": "31", "shared_mutex": "36"},
            note="CPU time of one goroutine, beside Go's sync.Map, as in the rows below."),
        Row("the same, 2 goroutines against 1, wall", small, 2, "two_to_one", "x",
            absolute(0.7), absolute(0.6), recorded={"Go": "0.53", "parlayhash": "0.56",
                                                    "concurrent_flat_map": "1.2"}),
        Row("sync_map, 1,000 keys, 5 % stores", small, 2, "c_95_1", "ns", go(0.7), go(0.5),
            recorded={"Go": "37", "parlayhash": "20", "concurrent_flat_map": "30"}),
        Row("sync_map, 1,000 keys, 50 % stores", small, 2, "c_50_1", "ns", go(0.5), go(0.3),
            recorded={"Go": "120", "parlayhash": "45", "concurrent_flat_map": "30"}),
        Row("sync_map, 1,000,000 keys, loads", large, 2, "c_100_1", "ns", go(0.3),
            recorded={"Go": "758", "Go RWMutex + map": "110", "parlayhash": "88"}),
        Row("sync_map, 64 goroutines against 1, most CPU", small, 2, "many_to_one", "x",
            absolute(1.5), absolute(1.3)),
        Row("atomic_value, read of 64 bytes, 1 P", "value_read", 1, "cpu", "ns", go(1.5), go(1.0),
            recorded={"Go": "1.8", "atomic<shared_ptr>": "28"}),
        Row("atomic_value, read of 64 bytes, 2 P", "value_read", 2, "wall", "ns", go(1.5), go(1.0),
            recorded={"Go": "0.9", "atomic<shared_ptr>": "74"}),
    ]


def http_rows():
    return [
        Row("HTTP/1 request of 492 bytes, 10 fields: parse and check", "h1_parse", 1, "cpu", "ns",
            absolute(500), absolute(200),
            recorded={"picohttpparser": "172", "llhttp": "427", "http-parser": "911"}),
        Row("the same, against llhttp", "h1_parse", 1, "per_llhttp", "x", absolute(1.17),
            absolute(0.47), recorded={"picohttpparser": "0.40", "http-parser": "2.1"},
            note="In one process, in turns; llhttp's C sources as Debian has them."),
    ]


def tls_rows():
    go = lambda amount: times(amount, "go")
    note = "TLS 1.3, X25519, ECDSA P-256; both ends in one process, with dialing and closing."
    return [
        Row("TLS, full handshake", "tls_full", 1, "cpu", "us", go(1.0), go(0.8), scale=1e-3,
            note=note),
        Row("TLS, resumed handshake", "tls_resumed", 1, "cpu", "us", go(1.0), go(0.8),
            scale=1e-3),
        Row("TLS, a record of 16 KiB, written and read", "tls_16k", 1, "cpu", "us", go(1.0),
            go(0.8), scale=1e-3),
    ]


def json_rows():
    go = lambda amount: times(amount, "go")
    note = "An order of 1448 bytes, 15 fields. Go is encoding/json/v2 (GOEXPERIMENT=jsonv2)."
    return [
        Row("JSON, 1.4 KB order: text to structs", "json_decode", 1, "cpu", "us", go(0.5),
            go(0.3), scale=1e-3, note=note,
            recorded={"Go": "15.2", "Go v1": "44", "glaze": "3.7", "simdjson": "3.7",
                      "RapidJSON": "6.6"}),
        Row("JSON, 1.4 KB order: structs to text", "json_encode", 1, "cpu", "us", go(0.6),
            go(0.3), scale=1e-3,
            recorded={"Go": "7.8", "Go v1": "13", "glaze": "1.5", "RapidJSON": "4.3"}),
        Row("the same by RapidJSON and a binder, decode", "json_decode_rapidjson", 1, "cpu", "us",
            (), scale=1e-3, go_row="json_decode"),
        Row("the same by RapidJSON and a binder, encode", "json_encode_rapidjson", 1, "cpu", "us",
            (), scale=1e-3, go_row="json_encode"),
        Row("JSON, 1.4 KB order: text to json::value", "json_decode_value", 1, "cpu", "us",
            go(0.6), go(0.5), scale=1e-3, recorded={"Go v1": "46.8"}),
        Row("JSON, 1.4 KB order: validate", "json_validate", 1, "cpu", "us", go(1.0), scale=1e-3,
            recorded={"Go": "3.4"}),
    ]


@dataclass(frozen=True)
class HttpRow:
    """A figure of the HTTP servers under a load of lib/http.py."""

    title: str
    load: str
    metric: str
    unit: str
    bar: tuple[Limit, ...] = ()
    goal: tuple[Limit, ...] = ()
    scale: float = 1.0
    recorded: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def name(self):
        return f"http_{self.load}_{self.metric}"


def http_server_rows():
    go = lambda amount: times(amount, "go")
    nginx = times(1.0, "nginx")
    fast = {"bar": times(1.5, "go", at_least=True), "goal": times(1.0, "nginx", at_least=True)}
    rows = [
        HttpRow("HTTP/1.1 hello, 64 connections: server CPU per request", "hello_64", "cpu_us",
                "us", go(0.5), nginx,
                recorded={"Go": "22-31", "nginx": "8-9", "Beast": "14-17", "Photon": "12.4"},
                note="wrk -t1 against two threads of each server; nginx returns a fixed text."),
        HttpRow("HTTP/1.1 JSON, 64 connections: server CPU per request", "json_64", "cpu_us",
                "us", go(0.5),
                note='`{"message":"Hello, World!"}`, encoded for each request by weft::json and '
                     "Go's encoding/json; nginx's is a fixed text."),
    ]
    for load, title in (("hello_64", "64"), ("hello_1000", "1,000"), ("hello_10000", "10,000")):
        rows.append(HttpRow(f"HTTP/1.1 hello, {title} connections: requests/s", load, "rps",
                            "req/s", **fast))
        rows += [HttpRow(f"HTTP/1.1 hello, {title} connections: {p} latency", load, f"{p}_us",
                         "ms", scale=1e-3)
                 for p in ("p50", "p99")]
    h2 = {"Go": "61-68", "nginx": "13-14"}
    rows += [
        HttpRow("HTTP/1.1 hello, 10,000 connections: server CPU per request", "hello_10000",
                "cpu_us", "us"),
        HttpRow("HTTP/2 (h2c) hello, 64 connections, 10 streams each: server CPU per request",
                "h2_64", "cpu_us", "us", go(0.5), nginx, recorded=h2,
                note="h2load -t1 -c64 -m10, by prior knowledge."),
        HttpRow("HTTP/2 (h2c) hello: requests/s", "h2_64", "rps", "req/s"),
        HttpRow("idle keep-alive connection, 15,000 open: user memory", "idle_15000", "kb", "KB",
                absolute(5), absolute(0.5), recorded={"Go": "24.7"},
                note="Resident memory of the server's processes, from 100 connections to 15,000, "
                     "one request on each. The kernel's socket itself is about 4.6 KB."),
        HttpRow("request smuggling: vectors handled, of 35", "vectors", "handled", "vectors",
                (Limit(35, at_least=True),), (Limit(35, at_least=True),),
                recorded={"nginx": "32"},
                note="lib/smuggling.py has the rule; the first round only. Beast's server answers "
                     "a malformed request by closing, as its examples do."),
        HttpRow("h2spec: cases passed, of 146", "h2spec", "passed", "cases",
                (Limit(145, at_least=True),), (Limit(146, at_least=True),),
                recorded={"Go": "141", "nginx": "119", "nghttpd": "145"},
                note="Strict, on a port without HTTP/1; the first round only. nginx's fixed "
                     "answer, given before the body has come, counts against it."),
        *http_observe_rows(),
    ]
    return rows


def http_observe_rows():
    """What observers cost the server that has them on: pairs of 0.9 s in one process."""
    # Observer -> title, bar and goal of the requests lost (of CPU time where that is steadier).
    kinds = {
        "nothing": ("nothing at all", (), ()),
        "cpu": ("CPU profile, 100 Hz", (), ()),
        "wall": ("wall profile, 100 Hz", (), ()),
        "block_mutex": ("block and mutex profiles", (), ()),
        "heap": ("heap profile, 512 KiB", absolute(3), absolute(1)),
        "trace": ("execution trace", absolute(5), absolute(1)),
        "flight": ("flight recorder", absolute(3), absolute(1)),
    }
    notes = {
        "nothing": "What two halves of a pair differ by when nothing is on: how far the rows of "
                   "observers are to be believed.",
        "block_mutex": "From 10 us on, and one contended unlock in ten.",
        "heap": "Weft's malloc; requests for JSON, which allocate.",
        "trace": "Into memory, and a generation each second to a sink that counts.",
    }
    rows = []
    for what, (title, bar, goal) in kinds.items():
        rows.append(HttpRow(f"{title} on, HTTP hello: requests/s lost", f"observe_{what}",
                            "lost_percent", "%", bar, goal, note=notes.get(what, "")))
        rows.append(HttpRow(f"{title} on, HTTP hello: more server CPU per request",
                            f"observe_{what}", "cpu_percent", "%", bar, goal))
    rows.append(HttpRow("execution trace, HTTP hello: bytes per request", "observe_trace",
                        "bytes_per_request", "B", times(1.0, "go")))
    return rows


@dataclass(frozen=True)
class RespRow:
    """A row of the RESP servers: `command` at pipeline depth `depth`."""

    title: str
    command: str
    depth: int
    # "cpu_us" per request of weft-kv on 1 P, or "rps" of weft-kv on 2 P.
    metric: str
    bar: tuple[Limit, ...]
    goal: tuple[Limit, ...]
    recorded: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def name(self):
        return f"resp_{self.command}_{self.depth}_{self.metric}"

    @property
    def unit(self):
        return "us" if self.metric == "cpu_us" else "req/s"

    @property
    def weft(self):
        return "weft" if self.metric == "cpu_us" else "weft-2p"


def resp_rows():
    rows = []
    for depth, bar, goal, recorded in (
            (1, 1.1, 0.9, {"Go": "10.5-12", "redis": "7-9.5"}),
            (16, 1.1, 0.7, {"Go": "0.9-1.3", "redis": "0.8-1.3"})):
        for command in ("get", "set"):
            rows.append(RespRow(f"RESP {command.upper()}, -P {depth}, server CPU per request",
                                command, depth, "cpu_us", times(bar, "redis"),
                                times(goal, "redis"), recorded))
    for depth in (1, 16):
        for command in ("get", "set"):
            rows.append(RespRow(f"RESP {command.upper()}, -P {depth}, requests/s, weft on 2 P",
                                command, depth, "rps", (),
                                times(1.3, "redis", at_least=True)))
    return rows
