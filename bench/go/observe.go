// SPDX-License-Identifier: Apache-2.0

// Rows about looking at a program: what profiles and traces cost it, and how long they take.
package main

import (
	"os"
	"runtime/pprof"
	"runtime/trace"
	"sync"
)

func pingPongNS(rounds int) int64 {
	ping, pong := make(chan int64), make(chan int64)
	go func() {
		for v := range ping {
			pong <- v
		}
		close(pong)
	}()
	before := cpuNS()
	for i := range rounds {
		ping <- int64(i)
		<-pong
	}
	used := cpuNS() - before
	close(ping)
	<-pong
	return used
}

const pairs = 15

func goroutineProfile(c call) {
	n := c.count(1_000_000, 1)
	gate := make(chan int64)
	var arrived sync.WaitGroup
	arrived.Add(n)
	for range n {
		go func() {
			arrived.Done()
			<-gate
		}()
	}
	arrived.Wait()
	var to countingWriter
	out := newResult(c)
	out.start()
	if pprof.Lookup("goroutine").WriteTo(&to, 0) != nil {
		os.Exit(1)
	}
	out.stop(n)
	out.values["profile_ms"] = float64(out.wall) / 1e6
	out.print()
}

func tracePingPong(c call) {
	rounds := c.count(20_000, 1)
	pingPongNS(rounds)
	var to countingWriter
	out := newResult(c)
	out.start()
	traced := 0
	percent, ns := overhead(pairs, func() int64 { return pingPongNS(rounds) }, func() int64 {
		if trace.Start(&to) != nil {
			os.Exit(1)
		}
		used := pingPongNS(rounds)
		trace.Stop()
		traced += rounds
		return used
	})
	out.stop(2 * pairs * rounds)
	out.values["cost_percent"] = percent
	out.values["cost_ns"] = ns / float64(rounds)
	out.values["bytes_per_round"] = float64(to.bytes) / float64(traced)
	out.print()
}
