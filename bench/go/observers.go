// SPDX-License-Identifier: Apache-2.0

// What can look at a running program, each with a switch.
package main

import (
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"sort"
)

type countingWriter struct{ bytes int64 }

func (w *countingWriter) Write(p []byte) (int, error) {
	w.bytes += int64(len(p))
	return len(p), nil
}

func must(err error) {
	if err != nil {
		os.Exit(1)
	}
}

// traceBytes counts those of all traces.
var traceBytes countingWriter

var flight *trace.FlightRecorder

type observer struct{ on, off func() }

var observers = map[string]observer{
	// What the pairs themselves vary by.
	"nothing": {func() {}, func() {}},
	"cpu":     {func() { must(pprof.StartCPUProfile(io.Discard)) }, pprof.StopCPUProfile},
	"trace":   {func() { must(trace.Start(&traceBytes)) }, trace.Stop},
	"block_mutex": {func() {
		runtime.SetBlockProfileRate(10_000)
		runtime.SetMutexProfileFraction(10)
	}, func() {
		runtime.SetBlockProfileRate(0)
		runtime.SetMutexProfileFraction(0)
	}},
	"flight": {func() {
		flight = trace.NewFlightRecorder(trace.FlightRecorderConfig{})
		must(flight.Start())
	}, func() { flight.Stop() }},
}

func median(values []float64) float64 {
	sort.Float64s(values)
	return values[len(values)/2]
}

// pairsOf has the medians over pairs of what on costs more than off: in per cent, and as it is.
type pairsOf struct{ shares, amounts []float64 }

func (p *pairsOf) add(off, on float64) {
	p.shares = append(p.shares, 100*(on/off-1))
	p.amounts = append(p.amounts, on-off)
}

func (p *pairsOf) middle() (percent, amount float64) { return median(p.shares), median(p.amounts) }

// overhead calls off and on by turns, and which of them goes first by turns too.
func overhead(pairs int, off, on func() int64) (percent, ns float64) {
	var all pairsOf
	for i := range pairs {
		var watched int64
		if i%2 != 0 {
			watched = on()
		}
		plain := off()
		if i%2 == 0 {
			watched = on()
		}
		all.add(float64(plain), float64(watched))
	}
	return all.middle()
}
