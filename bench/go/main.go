// SPDX-License-Identifier: Apache-2.0

// Command gobench is the Go side of bench/: the same rows, counts and output as weft-bench.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// call is how the program was called: gobench ROW PROCS SCALE.
type call struct {
	row   string
	procs int
	scale float64
}

// count is base times the scale, at least unit, rounded down to a multiple of unit.
func (c call) count(base, unit int) int {
	n := int(float64(base) * c.scale)
	if n < unit {
		n = unit
	}
	return n / unit * unit
}

var started = time.Now()

func wallNS() int64 { return int64(time.Since(started)) }

// cpuNS is the CPU time of all threads of the process.
func cpuNS() int64 {
	const clockProcessCPU = 2
	var ts syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockProcessCPU, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

// result is one measurement: operations, wall and CPU time, and further named values.
type result struct {
	of        call
	wall, cpu int64
	ops       int
	values    map[string]float64
}

func newResult(c call) *result { return &result{of: c, values: map[string]float64{}} }

func (r *result) start() {
	r.wall = wallNS()
	r.cpu = cpuNS()
}

func (r *result) stop(ops int) {
	r.cpu = cpuNS() - r.cpu
	r.wall = wallNS() - r.wall
	r.ops = ops
}

func (r *result) print() {
	line := map[string]any{
		"program": "go", "row": r.of.row, "procs": r.of.procs,
		"ops": r.ops, "wall_ns": r.wall, "cpu_ns": r.cpu,
	}
	for name, amount := range r.values {
		line[name] = amount
	}
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}

func (r *result) latency(samples []int64) {
	sort.Slice(samples, func(i, j int) bool { return samples[i] < samples[j] })
	at := func(q float64) float64 { return float64(samples[int(q*float64(len(samples)-1))]) / 1000 }
	r.values["p50_us"] = at(0.50)
	r.values["p99_us"] = at(0.99)
	r.values["max_us"] = at(1)
}

// statusBytes is one "Name:  123 kB" line of /proc/self/status.
func statusBytes(name string) int64 {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib * 1024
		}
	}
	return 0
}

var rows = map[string]func(call){
	"yield_2":              func(c call) { yield(c, 2) },
	"yield_1000":           func(c call) { yield(c, 1000) },
	"spawn_128":            spawn128,
	"spawn_join_1m":        spawnJoin,
	"skynet":               skynet,
	"chan_unbuffered":      pingPong,
	"chan_1p1c":            func(c call) { buffered(c, 1) },
	"chan_4p4c":            func(c call) { buffered(c, 4) },
	"select_2":             func(c call) { selectOver(c, 2) },
	"select_4":             func(c call) { selectOver(c, 4) },
	"select_idle":          selectIdle,
	"mutex_8":              mutex8,
	"hot_key":              hotKey,
	"value_read":           valueRead,
	"story_mutex":          func(c call) { serve(c, newMutexCache(), 12) },
	"story_rw_mutex":       func(c call) { serve(c, newLockedCache(), 12) },
	"story_sync_map":       func(c call) { serve(c, newSyncCache(), 12) },
	"storm_mutex":          func(c call) { serve(c, newMutexCache(), 100) },
	"storm_rw_mutex":       func(c call) { serve(c, newLockedCache(), 100) },
	"storm_sync_map":       func(c call) { serve(c, newSyncCache(), 100) },
	"pool_192":             pool192,
	"new_192":              new192,
	"list_192_mutex":       list192Mutex,
	"list_192_local":       list192Local,
	"rw_read":              rwRead,
	"rw_read_mostly":       rwReadMostly,
	"rw_read_write":        rwReadWrite,
	"parked_1m":            parked,
	"timer_cancel":         timerCancel,
	"sleepers_1m":          sleepers,
	"wake_200us":           wake,
	"tls_full":             func(c call) { tlsHandshakes(c, false) },
	"tls_resumed":          func(c call) { tlsHandshakes(c, true) },
	"tls_16k":              tlsRecords,
	"goroutine_profile_1m": goroutineProfile,
	"trace_ping_pong":      tracePingPong,
	"flight_snapshot":      flightSnapshot,
	"observed_ping_pong":   func(c call) { observed(c, pingPongNS, 200_000) },
	"observed_yield":       func(c call) { observed(c, yieldNS, 500_000) },
	"observed_spawn":       func(c call) { observed(c, spawnNS, 200_000) },
	"fair_none":            func(c call) { fairness(c, 0, nil) },
	"fair_spin_1":          func(c call) { fairness(c, 1, spinFor) },
	"fair_spin_2":          func(c call) { fairness(c, 2, spinFor) },
	"fair_block_1":         func(c call) { fairness(c, 1, blockFor) },
	"fair_block_2":         func(c call) { fairness(c, 2, blockFor) },
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--list" {
		for name := range rows {
			fmt.Println(name)
		}
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "kv" {
		serveKV(os.Args[2])
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "http" {
		serveHTTP(os.Args[2])
		return
	}
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: gobench ROW PROCS [SCALE] | --list | kv PORT")
		os.Exit(64)
	}
	c := call{row: os.Args[1], scale: 1}
	c.procs, _ = strconv.Atoi(os.Args[2])
	if len(os.Args) > 3 {
		c.scale, _ = strconv.ParseFloat(os.Args[3], 64)
	}
	runtime.GOMAXPROCS(c.procs)
	run, ok := rows[c.row]
	if !ok && mapCells(c) {
		return
	}
	if !ok {
		fmt.Fprintf(os.Stderr, "gobench: no row named %q\n", c.row)
		os.Exit(64)
	}
	run(c)
}
