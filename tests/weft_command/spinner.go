// SPDX-License-Identifier: Apache-2.0

// Writes a CPU profile and a heap profile for the tests of weft flame: spinner CPU HEAP.
package main

import (
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

var sink float64
var keep [][]byte

//go:noinline
func half(n int) { spin(5 * n) }

//go:noinline
func rest(n int) { spin(2 * n) }

func spin(n int) {
	for i := 0; i < n*1000; i++ {
		sink += float64(i) * 1.0001
	}
}

func main() {
	cpu, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		panic(err)
	}
	for t := time.Now(); time.Since(t) < time.Second; {
		half(10)
		rest(10)
	}
	pprof.StopCPUProfile()
	for i := 0; i < 2000; i++ {
		keep = append(keep, make([]byte, 10000))
	}
	runtime.GC()
	heap, err := os.Create(os.Args[2])
	if err != nil {
		panic(err)
	}
	if err := pprof.WriteHeapProfile(heap); err != nil {
		panic(err)
	}
}
