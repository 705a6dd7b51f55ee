// SPDX-License-Identifier: Apache-2.0

// Rows about channels, select and mutexes.
package main

import (
	"sync"
	"time"
)

func roundTrips(n int) {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for v := range ping {
			pong <- v
		}
		close(pong)
	}()
	for i := range n {
		ping <- i
		<-pong
	}
	close(ping)
	<-pong
}

func pingPong(c call) {
	n := c.count(2_000_000, 1)
	roundTrips(n/10 + 1)
	out := newResult(c)
	out.start()
	roundTrips(n)
	out.stop(n)
	out.print()
}

func stream(n, pairs int) {
	items := make(chan int, 128)
	var done sync.WaitGroup
	done.Add(2 * pairs)
	for range pairs {
		go func() {
			for i := range n / pairs {
				items <- i
			}
			done.Done()
		}()
		go func() {
			for range n / pairs {
				<-items
			}
			done.Done()
		}()
	}
	done.Wait()
}

func buffered(c call, pairs int) {
	n := c.count(15_000_000, pairs)
	stream(n/10/pairs*pairs+pairs, pairs)
	out := newResult(c)
	out.start()
	stream(n, pairs)
	out.stop(n)
	out.print()
}

// selectN receives n items over `ways` unbuffered channels, each with its own sender.
func selectN(n, ways int) int64 {
	var ch [4]chan int
	done := make(chan struct{})
	for w := range ways {
		ch[w] = make(chan int)
		go func() {
			for i := 0; ; i++ {
				select {
				case ch[w] <- i:
				case <-done:
					return
				}
			}
		}()
	}
	var sum int64
	if ways == 2 {
		for range n {
			select {
			case v := <-ch[0]:
				sum += int64(v)
			case v := <-ch[1]:
				sum += int64(v)
			case <-done:
			}
		}
	} else {
		for range n {
			select {
			case v := <-ch[0]:
				sum += int64(v)
			case v := <-ch[1]:
				sum += int64(v)
			case v := <-ch[2]:
				sum += int64(v)
			case v := <-ch[3]:
				sum += int64(v)
			case <-done:
			}
		}
	}
	close(done)
	return sum
}

var sink int64

func selectOver(c call, ways int) {
	n := c.count(1_500_000, 1)
	sink = selectN(n/10+1, ways)
	out := newResult(c)
	out.start()
	sink += selectN(n, ways)
	out.stop(n)
	out.print()
}

// selectIdle: what a select that nothing wakes costs for one second.
func selectIdle(c call) {
	a, b, done := make(chan int), make(chan int), make(chan struct{})
	var ended sync.WaitGroup
	ended.Add(1)
	go func() {
		select {
		case <-a:
		case <-b:
		case <-done:
		}
		ended.Done()
	}()
	time.Sleep(20 * time.Millisecond)
	out := newResult(c)
	pause := time.Duration(c.count(1_000_000_000, 1))
	out.start()
	time.Sleep(pause)
	out.stop(1)
	out.values["cpu_ms_per_s"] = float64(out.cpu) / float64(out.wall) * 1000
	close(done)
	ended.Wait()
	out.print()
}

func lockAll(n, goroutines int) {
	var mu sync.Mutex
	counter := 0
	var done sync.WaitGroup
	done.Add(goroutines)
	for range goroutines {
		go func() {
			for range n / goroutines {
				mu.Lock()
				counter++
				mu.Unlock()
			}
			done.Done()
		}()
	}
	done.Wait()
	if counter != n {
		panic("mutex: lost an increment")
	}
}

func mutex8(c call) {
	n := c.count(60_000_000, 8)
	lockAll(n/80*8+8, 8)
	out := newResult(c)
	out.start()
	lockAll(n, 8)
	out.stop(n)
	out.print()
}
