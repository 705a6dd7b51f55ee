// SPDX-License-Identifier: Apache-2.0

// Rows about goroutines themselves: yield, spawn, skynet, parked memory.
package main

import (
	"runtime"
	"sync"
)

func yieldAll(goroutines, each int) {
	var done sync.WaitGroup
	done.Add(goroutines)
	for range goroutines {
		go func() {
			for range each {
				runtime.Gosched()
			}
			done.Done()
		}()
	}
	done.Wait()
}

func yield(c call, goroutines int) {
	each := c.count(7_000_000, goroutines) / goroutines
	yieldAll(goroutines, each/10+1)
	out := newResult(c)
	out.start()
	yieldAll(goroutines, each)
	out.stop(goroutines * each)
	out.print()
}

func spawnBatches(batches int) {
	const batch = 128
	var done sync.WaitGroup
	for range batches {
		done.Add(batch)
		for range batch {
			go done.Done()
		}
		done.Wait()
	}
}

func spawn128(c call) {
	n := c.count(3_000_000, 128)
	spawnBatches(n/1280 + 1)
	out := newResult(c)
	out.start()
	spawnBatches(n / 128)
	out.stop(n)
	out.print()
}

func spawnJoin(c call) {
	n := c.count(1_000_000, 1)
	spawnBatches(10)
	out := newResult(c)
	out.start()
	var done sync.WaitGroup
	done.Add(n)
	for range n {
		go done.Done()
	}
	done.Wait()
	out.stop(n)
	out.print()
}

func skynetNode(up chan<- int64, number, size int64) {
	if size == 1 {
		up <- number
		return
	}
	children := make(chan int64)
	for i := range int64(10) {
		go skynetNode(children, number+i*(size/10), size/10)
	}
	var sum int64
	for range 10 {
		sum += <-children
	}
	up <- sum
}

func skynet(c call) {
	leaves := int64(1)
	for leaves*10 <= int64(c.count(1_000_000, 10)) {
		leaves *= 10
	}
	out := newResult(c)
	out.start()
	root := make(chan int64)
	go skynetNode(root, 0, leaves)
	sum := <-root
	out.stop(1)
	if sum != leaves*(leaves-1)/2 {
		panic("skynet: wrong sum")
	}
	out.print()
}

// parked creates n goroutines that wait on a channel, and reads what they cost while they wait.
func parked(c call) {
	n := c.count(1_000_000, 1)
	gate := make(chan struct{})
	var arrived sync.WaitGroup
	out := newResult(c)
	rss, tables := statusBytes("VmRSS"), statusBytes("VmPTE")
	out.start()
	arrived.Add(n)
	for range n {
		go func() {
			arrived.Done()
			<-gate
		}()
	}
	arrived.Wait()
	out.stop(n)
	rss, tables = statusBytes("VmRSS")-rss, statusBytes("VmPTE")-tables
	out.values["rss_bytes"] = float64(rss) / float64(n)
	out.values["page_table_bytes"] = float64(tables) / float64(n)
	out.values["bytes"] = float64(rss+tables) / float64(n)
	out.print()
}
