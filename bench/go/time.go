// SPDX-License-Identifier: Apache-2.0

// Rows about time: timers, sleepers, wake-up latency, fairness.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func createCancel(n int) {
	for range n {
		time.NewTimer(time.Hour).Stop()
	}
}

func timerCancel(c call) {
	n := c.count(2_000_000, 1)
	createCancel(n/10 + 1)
	out := newResult(c)
	out.start()
	createCancel(n)
	out.stop(n)
	out.print()
}

func sleepers(c call) {
	n := c.count(1_000_000, 1)
	var done sync.WaitGroup
	out := newResult(c)
	out.start()
	done.Add(n)
	for i := range n {
		go func() {
			time.Sleep(time.Duration(1+i%100) * time.Millisecond)
			done.Done()
		}()
	}
	done.Wait()
	out.stop(n)
	out.print()
}

func spinFor(ns int64) {
	until := wallNS() + ns
	state := uint64(1)
	for wallNS() < until {
		for range 200 {
			state = state*6364136223846793005 + 1442695040888963407
		}
	}
	runtime.KeepAlive(state)
}

func blockFor(ns int64) {
	left := syscall.NsecToTimespec(ns)
	syscall.Nanosleep(&left, nil)
}

// wake: the waker computes for 200 us, so that the receiver's thread has gone idle, then sends.
func wake(c call) {
	const gap = 200_000
	n := c.count(2500, 10)
	stamps := make(chan int64)
	samples := make([]int64, 0, n)
	var done sync.WaitGroup
	done.Add(1)
	go func() {
		for sent := range stamps {
			samples = append(samples, wallNS()-sent)
		}
		done.Done()
	}()
	out := newResult(c)
	out.start()
	for range n {
		for until := wallNS() + gap; wallNS() < until; {
		}
		stamps <- wallNS()
	}
	out.stop(n)
	close(stamps)
	done.Wait()
	out.latency(samples[len(samples)/10:])
	out.print()
}

// fairness: the longest time that any of 10,000 yielders waited for its turn while `hogs`
// goroutines computed or blocked for 200 ms.
func fairness(c call, hogs int, hog func(int64)) {
	const yielders = 10_000
	const hogNS = 200_000_000
	var armedAt atomic.Int64
	var stop atomic.Bool
	worst := make([]int64, yielders)
	turns := make([]int64, yielders)
	var ready, done, busy sync.WaitGroup
	ready.Add(yielders)
	done.Add(yielders)
	for i := range yielders {
		go func() {
			ready.Done()
			last := wallNS()
			for !stop.Load() {
				runtime.Gosched()
				now := wallNS()
				if from := armedAt.Load(); from != 0 && last >= from {
					worst[i] = max(worst[i], now-last)
				}
				last = now
				turns[i]++
			}
			done.Done()
		}()
	}
	ready.Wait()
	time.Sleep(100 * time.Millisecond)
	out := newResult(c)
	out.start()
	armedAt.Store(wallNS())
	if hogs == 0 {
		time.Sleep(hogNS * time.Nanosecond)
	}
	for range hogs {
		busy.Add(1)
		go func() {
			hog(hogNS)
			busy.Done()
		}()
	}
	busy.Wait()
	time.Sleep(50 * time.Millisecond)
	out.stop(1)
	stop.Store(true)
	done.Wait()
	var maxDelay, total int64
	for i := range yielders {
		maxDelay = max(maxDelay, worst[i])
		total += turns[i]
	}
	out.values["max_delay_ms"] = float64(maxDelay) / 1e6
	out.values["turns"] = float64(total)
	out.print()
}
