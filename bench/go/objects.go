// SPDX-License-Identifier: Apache-2.0

// Rows about objects used again (pool, new, lists) and about readers' locks.
package main

import (
	"runtime"
	"sync"
)

type object struct {
	next  *object
	words [23]int64
}

const objectGoroutines = 1000

// inGoroutines calls body in a thousand goroutines, each with its share of the operations.
func inGoroutines(ops int, body func(each int)) {
	var done sync.WaitGroup
	for g := 0; g < objectGoroutines; g++ {
		done.Add(1)
		go func() {
			defer done.Done()
			body(ops / objectGoroutines)
		}()
	}
	done.Wait()
}

func measureObjects(c call, count int, body func(each int)) {
	ops := c.count(count, objectGoroutines)
	inGoroutines(ops/10000*1000+objectGoroutines, body)
	out := newResult(c)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out.start()
	inGoroutines(ops, body)
	out.stop(ops)
	runtime.ReadMemStats(&after)
	out.values["gcs"] = float64(after.NumGC - before.NumGC)
	out.values["bytes_per_op"] = float64(after.TotalAlloc-before.TotalAlloc) / float64(ops)
	out.print()
}

func pool192(c call) {
	pool := sync.Pool{New: func() any { return new(object) }}
	measureObjects(c, 20_000_000, func(each int) {
		for i := 0; i < each; i++ {
			it := pool.Get().(*object)
			it.words[0] = int64(i)
			pool.Put(it)
		}
	})
}

//go:noinline
func newObject() *object { return new(object) }

func new192(c call) {
	measureObjects(c, 10_000_000, func(each int) {
		for i := 0; i < each; i++ {
			newObject().words[0] = int64(i)
		}
	})
}

type freeList struct{ first *object }

func (l *freeList) get() *object {
	if it := l.first; it != nil {
		l.first = it.next
		return it
	}
	return new(object)
}

func (l *freeList) put(it *object) {
	it.next = l.first
	l.first = it
}

func list192Mutex(c call) {
	var lock sync.Mutex
	var list freeList
	measureObjects(c, 10_000_000, func(each int) {
		for i := 0; i < each; i++ {
			lock.Lock()
			it := list.get()
			lock.Unlock()
			it.words[0] = int64(i)
			lock.Lock()
			list.put(it)
			lock.Unlock()
		}
	})
}

func list192Local(c call) {
	measureObjects(c, 100_000_000, func(each int) {
		list := new(freeList)
		for i := 0; i < each; i++ {
			it := list.get()
			it.words[0] = int64(i)
			list.put(it)
		}
	})
}

// sections locks for reading, one goroutine a P; every writeEvery-th time for writing (0: never).
func sections(lock *sync.RWMutex, shared *int64, procs, ops, writeEvery int) {
	var done sync.WaitGroup
	for g := 0; g < procs; g++ {
		done.Add(1)
		go func() {
			defer done.Done()
			var sum int64
			untilWrite := writeEvery
			for i := 0; i < ops/procs; i++ {
				if untilWrite--; untilWrite == 0 && writeEvery != 0 {
					untilWrite = writeEvery
					lock.Lock()
					*shared++
					lock.Unlock()
					continue
				}
				lock.RLock()
				sum += *shared
				lock.RUnlock()
			}
			runtime.KeepAlive(sum)
		}()
	}
	done.Wait()
}

func measureSections(c call, count, writeEvery int) {
	var lock sync.RWMutex
	var shared int64
	ops := c.count(count, c.procs)
	sections(&lock, &shared, c.procs, ops/10+c.procs, writeEvery)
	out := newResult(c)
	out.start()
	sections(&lock, &shared, c.procs, ops, writeEvery)
	out.stop(ops)
	out.print()
}

func rwRead(c call)       { measureSections(c, 40_000_000, 0) }
func rwReadMostly(c call) { measureSections(c, 20_000_000, 1000) }
func rwReadWrite(c call)  { measureSections(c, 20_000_000, 100) }
