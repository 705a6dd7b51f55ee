# SPDX-License-Identifier: Apache-2.0
"""Why a row falls short: what was tried, and what limits it. Row name -> text (bench/run --list).

A text stands in docs/benchmarks.md while its row misses its bar or its goal. A row that misses and
has none is named there as unexplained, and by bench/run.
"""

UNBUFFERED = (
    "Tried: direct hand-off from stack to stack, wake-up into the `runnext` slot, locks "
    "unlocked by a plain store. A round trip is four channel operations and four changes of "
    "goroutine; left are six locked instructions and some 960 others (tests/fast_path).")
SELECT = (
    "Tried: polling one channel at a time before any is locked, room for waiters that nobody "
    "clears, no frame for a time limit that is not there. A select that waits still queues on "
    "each channel and leaves each queue again, a lock for each, as Go's does.")
SKYNET = (
    "Tried: goroutines without a stack until they run, a global queue in an array, steals "
    "straight into the thief's ring (ADR 13: 0.91 to 0.45 on 1 P). Each inner node still "
    "parks for its children, and touches a page of stack.")
MUTEX = (
    "Two locked instructions, one for lock and one for unlock, are most of it, in Go too. "
    "Unlocking by a plain store, as the runtime's own locks do, would have each waiter pay a "
    "membarrier (13 us beside a busy thread), which a contended lock cannot afford.")
PARKED_MEMORY = (
    "The goal is for packed stacks. A parked goroutine keeps the page that it touched, its "
    "share of page tables, and 128 bytes of cell and birth record; Go's 2 KiB stacks share "
    "pages.")
CREATE = (
    "The first touch of a page for each goroutine is most of it (the floor), at what the host "
    "takes for fresh memory in this run; Go's stacks are half a page. Tried: "
    "MADV_POPULATE_WRITE of batches by process_madvise (1.0 of a fault each: the cost is the "
    "page, not the trap), guards of 32 stacks in one call (done: 0.18 of the row is left of "
    "them), fewer wake-ups of the monitor (done). Only smaller stacks, packed, would go "
    "below.")
WAKE = (
    "A wake of an idle thread is a futex wake, an interrupt to another CPU and a switch "
    "there: the floor, which is what the row takes. Only a thread that spins through the gap "
    "answers sooner, and it would take a CPU from the others while nothing happens; ours spin "
    "for some microseconds.")
VALUE_READ = (
    "A read is two plain stores to the thread's own word around the load, and three branches that "
    "are predicted; Go's collector makes the load alone safe. Tried: the depth of sections in the "
    "word by arithmetic (each read then waited for the store of the one before: 4.2 ns against "
    "2.3). A value of 8 bytes or less has no section and is one load.")
RESP_CPU = (
    "The kernel has 88 % of the server's CPU time at -P 1 and 78 % at -P 16 (perf): one read and "
    "one write each, and waiting; parser, table and runtime share the rest. Handing reads to the "
    "kernel in batches (io_uring) was not tried.")
RESP_RATE = (
    "The client is one busy thread on one of the two cores: it is the limit, and a server on "
    "two threads takes turns with it. CPU per request says more on this machine.")

POOL = (
    "Tried: no locked instruction, the thread's word read once, the fence's flag asked once. Left "
    "are some 75 instructions a pair (tests/fast_path): two sections, so that no P is taken in the "
    "middle; two looks at whether the pool is frozen; two calls. Inlining them into every user "
    "was not tried: the header would bring the scheduler's.")
RW_ONE = (
    "One locked instruction each way, as in Go, and a look at whether the lock is spread. Spread, "
    "a pair takes 5.6 ns of CPU on the EPYC this was written on, where a locked instruction takes "
    "2: so a lock that one P reads is not spread.")
RW_TWO = (
    "Spread readers share no line, but a pair is two sections and two looks, some 60 plain "
    "instructions and two calls: 5.6 ns of CPU, half of that with two Ps that both run.")

HEAP_PAIR = (
    "Each free reads the span and looks whether the object is one in use, each malloc whether its "
    "link is valid; tcmalloc checks nothing. Tried: no saved registers, the next object prefetched "
    "(both done), comparing half a mark (nothing gained).")
LARSON = (
    "Objects come from the current span, not from what was freed last, so they are colder than "
    "tcmalloc's: the loads of links and marks are the hottest instructions (perf). Tried: full "
    "spans wait for an eighth of their objects (done: 0.76 of before), handing out what was freed "
    "of others' (1.09).")
CHURN = (
    "Every object that is freed on another P is sent home, and taken in there: a third of the CPU "
    "time (perf). Allocators with a cache for each thread hand it out where it was freed. Tried: "
    "what all read and what the owner writes in two cache lines (done: 0.87 of before); keeping 64 "
    "objects of others in each class for the next allocation there (0.88 of that, but 1.09 in "
    "larson and 1.55 in xmalloc).")
HEAPCHECK = (
    "heapcheck records two stacks for each object, fills it twice and keeps it in quarantine: a "
    "tool for tests. What the heap finds without it, 25 of the 42, costs nothing more.")

HTTP_HELLO = (
    "82 % of the server's CPU time is in the kernel (perf): one recv and one send for a request "
    "and an epoll_wait for some twenty, as nginx has; no allocation. Ours is the rest, 1.3 us: a "
    "goroutine for the request, parsing, mux and head, none of them over 1 %. Tried: counters of "
    "each connection instead of words that both threads write (done: 0.96 of before). Go's part in "
    "the kernel is the same, so its share decides the ratio: nginx is no lower than that either. "
    "Fewer system calls (io_uring) were not tried.")
HTTP_RATE = (
    "wrk and the server share two CPUs, so requests/s follows how the kernel divides them; CPU "
    "time per request is nginx's within the spread, and nginx's rate is hardly higher. " +
    HTTP_HELLO)

TRACE_EVENT = (
    "Six events a round, each with its stack. A third of the program's time goes to reading stacks "
    "by unwind tables and finding them among those known (perf: row_at 14, unwind_quick_from 11, "
    "record_stack 9 %), where Go follows frame pointers; clock and writing are the rest. A memory "
    "of each goroutine's last stack, checked by its return addresses, was not tried.")
TRACE_HTTP = (
    "The trace is 17 bytes a request, and 2 % of the server's CPU time in 25 pairs on a busy "
    "machine (perf: clock and buffers, nothing of it over 1.5 %). The spread of the pairs (row "
    "\"nothing\") is as large: requests/s follows how the kernel divides two CPUs between wrk and "
    "the server.")
SAMPLE = (
    "The machine: a performance event whose signal handler does nothing takes as much (the floor; "
    "half of it the timer's interrupt alone, in a virtual machine). What we do in it is the rest.")
OBSERVED_MEMORY = (
    "The recorder keeps 10 MiB, and beside that two generations are recorded and written at 100 MB "
    "of events a second, each up to 15 MiB where the writer falls behind. Before: 170 MiB. Done: "
    "the writer goes first, writes without a P, looks as often as events come, and more than that "
    "is lost. Without the recorder all others together take under 4 MiB.")

REASONS = {
    "trace_ping_pong_cost_ns@1": TRACE_EVENT,
    "observed_ping_pong_trace_more_ns@1": TRACE_EVENT,
    "observed_ping_pong_flight_more_ns@1": TRACE_EVENT,
    "http_observe_trace_lost_percent": TRACE_HTTP,
    "http_observe_trace_cpu_percent": TRACE_HTTP,
    "http_observe_flight_lost_percent": TRACE_HTTP,
    "http_observe_flight_cpu_percent": TRACE_HTTP,
    "cpu_profile_percent_at_1000hz@1": SAMPLE,
    "cpu_profile_percent_at_100hz@1": (
        "Nine microseconds a sample, of which a signal and the kernel's timer are most: the "
        "handler walks a stack in one."),
    "goroutine_profile_1m_profile_ms@2": (
        "Each of the million stacks is looked at: a page that is in no cache, and its frames, in "
        "0.4 us. A profile from counters, kept where goroutines park, would cost every park a "
        "stack, as the trace does; it was not tried."),
    "trace_ping_pong_bytes_per_round@1": (
        "Go's format says how an event is written: six events a round on both sides, and tenths "
        "of a byte for tables between them."),
    "observed_memory_watched_mb@2": OBSERVED_MEMORY,
    "h1_parse_per_llhttp@1": (
        "At its goal but for the third digit, which two rounds do not settle."),
    "http_hello_64_cpu_us": HTTP_HELLO,
    "http_json_64_cpu_us": "At its bar within the spread. " + HTTP_HELLO,
    "http_hello_64_rps": HTTP_RATE,
    "http_hello_1000_rps": HTTP_RATE,
    "http_hello_10000_rps": HTTP_RATE,
    "malloc_pair@1": HEAP_PAIR,
    "malloc_fifo_worst_ns@1": HEAP_PAIR,
    "malloc_cfrac@1": HEAP_PAIR,
    "malloc_larson@2": LARSON,
    "malloc_churn@2": CHURN,
    "malloc_pair_checked@1": HEAPCHECK,
    "pool_192@1": POOL,
    "pool_192@2": POOL,
    "rw_read@1": RW_ONE,
    "rw_read@2": RW_TWO,
    "rw_read_mostly@2": (
        "A writer in a thousand sections comes too often for the lock to be spread, so it is the "
        "counter that all readers write, as in Go."),
    "rw_read_write@2": (
        "As one write in a thousand: the counter, and for each writer the internal lock besides."),
    "chan_unbuffered@1": UNBUFFERED,
    "chan_unbuffered@2": UNBUFFERED,
    "select_2@1": SELECT,
    "select_4@1": SELECT,
    "skynet@1": SKYNET,
    "skynet@2": SKYNET,
    "mutex_8@1": MUTEX,
    "mutex_8@2": MUTEX + " On two Ps the lock's cache line moves besides.",
    "parked_1m_bytes@1": PARKED_MEMORY,
    "parked_1m_64k_bytes@1": PARKED_MEMORY,
    "parked_1m@1": CREATE,
    "sleepers_1m@1": (
        "Tried: timers without an allocation, goroutines without a stack until they run. A "
        "stack is touched by each that sleeps at the same time as others: the floor is a page "
        "fault each."),
    "timer_cancel@1": (
        "Tried: one allocation for timer and channel (of two), exact deletion from a heap of "
        "four children. Left: a call of the clock, malloc and free, and six locked "
        "instructions."),
    "wake_200us_p50_us@2": WAKE,
    "wake_200us_p99_us@2": WAKE,
    "yield_1000@1": (
        "At its bar within the spread of the rounds. A change of goroutine among a thousand "
        "touches two cold cache lines, the cell's and the stack's. It was 0.43 in the table "
        "before this one."),
    "spawn_join_1m@2": (
        "Tried: birth records, half a run queue a steal (ADR 13: 0.79 to 0.3); at its goal within "
        "the spread of the rounds."),
    "chan_4p4c@2": (
        "0.37 to 0.64 from run to run on this machine: on two Ps eight goroutines meet at one "
        "lock, and how often depends on how the kernel places two busy threads. Tried: leaf "
        "fast paths, plain-store unlocks, giving way between sections (1.82 before)."),
    "spawn_128@1": (
        "Tried: a birth record instead of a stack, warm stacks of each P. A spawn and an end "
        "are some 750 instructions (tests/fast_path) and 0.1 locked ones; the figure is "
        "within noise of its bar."),
    "value_read@1": VALUE_READ,
    "value_read@2": VALUE_READ,
    "resp_get_1_cpu_us": RESP_CPU,
    "resp_set_1_cpu_us": RESP_CPU,
    "resp_get_16_cpu_us": RESP_CPU,
    "resp_set_16_cpu_us": RESP_CPU,
    "resp_get_1_rps": RESP_RATE,
    "resp_set_1_rps": RESP_RATE,
    "resp_get_16_rps": RESP_RATE,
    "resp_set_16_rps": RESP_RATE,
    "new_192@2": (
        "Within its bar; what keeps it from the goal was not looked at."),
    "map:sync_map:1k:zipf:few_two_to_one@2": (
        "Readers write nothing that is shared and the CPU time of an operation does not grow; "
        "wall time of two goroutines is that of two CPUs of this virtual machine, which were "
        "not both free all the time. Not shown otherwise yet."),
    "map:sync_map:1k:zipf:few_many_to_one@2": (
        "The worst cell is the one with most stores of boxes: each moves a value's lines "
        "between the CPUs, and frees it on the other one. Seen in other runs: 1.35; the two "
        "rounds of this one are not enough to say more."),
    "tls_full@1": (
        "OpenSSL 3.0 itself: the same handshake without sockets and goroutines, SSL objects over a "
        "pair of memory BIOs, took 880 us of CPU where Go's whole row took 650. Three quarters of "
        "ours is in libcrypto, libssl and their malloc (decoding keys and fetching algorithms "
        "anew each time, which later versions cache), a fifth in the kernel. Tried: one ticket "
        "instead of two, tickets sent with the first answer (1420 to 1200 us)."),
    "tls_resumed@1": (
        "As the full handshake; Go's has no providers to ask."),
    "tls_16k@1": (
        "AES-GCM is half of it, the kernel's copies two fifths. Tried: the cipher that Go takes, "
        "AES-128 (OpenSSL would take 256), and reads of several records (21 to 19 us). A record is "
        "copied once more than in Go, into OpenSSL's own buffer."),
    "malloc_xmalloc@2": (
        "Tried: frees of others straight from the fast path, constants and counters of a span "
        "in lines of their own, batches of 48 (before: 1.6 of mimalloc). An object's line moves "
        "three times: it is marked, linked into the batch, and linked again by its owner; "
        "mimalloc links it once."),
    "malloc_malloc_large@1": (
        "Within its bar; what keeps it from the goal was not looked at. 0.89 in a run an hour "
        "before, on a busier machine and an earlier scavenger."),
    "malloc_prof@1": (
        "Tried: a walk that remembers rows of the unwind tables, 7 us to half a microsecond a "
        "sample (one in 8 KiB: 600 to 40 ns an operation). At one in 512 KiB that is under 1 ns "
        "an operation; two rounds do not settle a ratio of 1.04."),
    "malloc_larson_peak_mb@2": (
        "Each cache keeps spans of 64 KiB for each class, partly used ones and one in eight "
        "empty. Not tuned yet."),
    "malloc_mstress_peak_mb@2": (
        "As larson; and full spans are used again from an eighth free on, which made larson a "
        "quarter quicker. Not tuned yet."),
    "malloc_cfrac_peak_mb@1": (
        "The heap's own tables and code are part of so small a program's memory; not looked at "
        "further."),
}
