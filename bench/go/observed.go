// SPDX-License-Identifier: Apache-2.0

// What the scheduler's own operations cost while somebody looks.
package main

import (
	"bytes"
	"runtime"
	"runtime/trace"
	"sync"
	"time"
)

func yieldNS(each int) int64 {
	const goroutines = 100
	before := cpuNS()
	var done sync.WaitGroup
	for range goroutines {
		done.Go(func() {
			for range each / goroutines {
				runtime.Gosched()
			}
		})
	}
	done.Wait()
	return cpuNS() - before
}

func spawnNS(count int) int64 {
	before := cpuNS()
	for range count / 128 {
		var done sync.WaitGroup
		done.Add(128)
		for range 128 {
			go done.Done()
		}
		done.Wait()
	}
	return cpuNS() - before
}

// observed has values NAME_more_percent and NAME_more_ns of each observer.
func observed(c call, work func(int) int64, operations int) {
	const pairs = 7
	each := c.count(operations, 128)
	work(each / 4)
	out := newResult(c)
	all := 0
	out.start()
	for name, by := range observers {
		percent, ns := overhead(pairs, func() int64 { return work(each) }, func() int64 {
			by.on()
			used := work(each)
			by.off()
			return used
		})
		all += 2 * pairs * each
		out.values[name+"_more_percent"] = percent
		out.values[name+"_more_ns"] = ns / float64(each)
	}
	out.stop(all)
	out.print()
}

// flightSnapshot writes a recorder that is full to 16 MB.
func flightSnapshot(c call) {
	wanted := c.count(16_000_000, 1)
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{
		MinAge: time.Minute, MaxBytes: uint64(max(wanted, 2<<20)),
	})
	must(recorder.Start())
	out := newResult(c)
	// Memory that is there already: what a service would write to.
	to := bytes.NewBuffer(bytes.Repeat([]byte{'x'}, 2*wanted+4<<20))
	times := make([]float64, 0, 5)
	rounds := wanted / 33 * 2
	pingPongNS(rounds)
	out.start()
	for range cap(times) {
		pingPongNS(rounds / 20)
		to.Reset()
		before := wallNS()
		_, err := recorder.WriteTo(to)
		must(err)
		times = append(times, float64(wallNS()-before)/1e6)
	}
	out.stop(len(times))
	out.values["snapshot_ms"] = median(times)
	out.values["snapshot_mb"] = float64(to.Len()) / 1e6
	recorder.Stop()
	out.print()
}
