// SPDX-License-Identifier: Apache-2.0

// Rows map:..., hot_key, value_read and story_...: as in bench/weft/maps.cpp and
// bench/common/map_load.hpp.
package main

import (
	"fmt"
	"math"
	"math/rand"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type wordMap interface {
	load(k uint64) uint64
	store(k, v uint64)
}

type syncMap struct{ m sync.Map }

func (s *syncMap) load(k uint64) uint64 {
	v, ok := s.m.Load(k)
	if !ok {
		return 0
	}
	return v.(uint64)
}
func (s *syncMap) store(k, v uint64) { s.m.Store(k, v) }

type rwMap struct {
	lock sync.RWMutex
	m    map[uint64]uint64
}

func (r *rwMap) load(k uint64) uint64 {
	r.lock.RLock()
	v := r.m[k]
	r.lock.RUnlock()
	return v
}
func (r *rwMap) store(k, v uint64) {
	r.lock.Lock()
	r.m[k] = v
	r.lock.Unlock()
}

func keyOf(index uint32) uint64 { return uint64(index) * 0x9e3779b97f4a7c15 }

func drawKeys(keys uint32, zipf bool) []uint32 {
	n := 1 << 16
	if keys > 1000 {
		n = 1 << 20
	}
	random := rand.New(rand.NewSource(1))
	var below []float64
	sum := 0.0
	for i := uint32(0); zipf && i < keys; i++ {
		sum += math.Pow(float64(i+1), -0.99)
		below = append(below, sum)
	}
	drawn := make([]uint32, n)
	for i := range drawn {
		index := random.Uint32() % keys
		if zipf {
			index = uint32(sort.SearchFloat64s(below, random.Float64()*sum))
			if index >= keys {
				index = keys - 1
			}
		}
		drawn[i] = index | random.Uint32()%100<<24
	}
	return drawn
}

// workMap is generic, so that the map's methods are called directly.
func workMap[M wordMap](m M, drawn []uint32, worker, ops int, loads uint32) uint64 {
	mask := uint32(len(drawn) - 1)
	at := uint32(worker) * 7919
	sum := uint64(0)
	for i := 0; i < ops; i++ {
		one := drawn[at&mask]
		at++
		k := keyOf(one & 0xffffff)
		if one>>24 < loads {
			sum += m.load(k)
		} else {
			m.store(k, uint64(i))
		}
	}
	return sum
}

// mapSink keeps what was read from being thrown away.
var mapSink uint64

func together(workers int, f func(w int)) {
	var all sync.WaitGroup
	for w := 0; w < workers; w++ {
		all.Add(1)
		go func() {
			f(w)
			all.Done()
		}()
	}
	all.Wait()
}

func measureMap[M wordMap](c call, m M, keys uint32, zipf, everything bool) {
	drawn := drawKeys(keys, zipf)
	for i := uint32(0); i < keys; i++ {
		m.store(keyOf(i), uint64(i))
	}
	base := 1000000
	if keys > 1000 {
		base = 300000
	}
	ops := c.count(base, 64)
	out := newResult(c)
	out.start()
	manyToOne := 0.0
	for _, loads := range []uint32{100, 99, 95, 70, 50} {
		for _, workers := range []int{1, 2, 8, 64} {
			if !everything && (workers == 8 || loads == 99 || loads == 70) {
				continue
			}
			run := func(all int) {
				together(workers, func(w int) {
					atomic.AddUint64(&mapSink, workMap(m, drawn, w, all/workers, loads))
				})
			}
			run(ops / 10)
			wall, cpu := wallNS(), cpuNS()
			run(ops)
			cell := fmt.Sprintf("%d_%d", loads, workers)
			out.values["w_"+cell] = float64(wallNS()-wall) / float64(ops)
			out.values["c_"+cell] = float64(cpuNS()-cpu) / float64(ops)
			if workers == 64 {
				one := out.values[fmt.Sprintf("c_%d_1", loads)]
				manyToOne = max(manyToOne, out.values["c_"+cell]/one)
			}
		}
	}
	out.stop(ops)
	out.values["two_to_one"] = out.values["w_100_2"] / out.values["w_100_1"]
	out.values["many_to_one"] = manyToOne
	out.print()
}

// mapCells runs a row map:KIND:KEYS:DISTRIBUTION:CELLS; false if it is none.
func mapCells(c call) bool {
	part := strings.Split(c.row, ":")
	if len(part) != 5 || part[0] != "map" {
		return false
	}
	keys := uint32(1000)
	if part[2] == "1M" {
		keys = 1000000
	}
	zipf, everything := part[3] == "zipf", part[4] == "all"
	switch part[1] {
	case "sync_map":
		measureMap(c, &syncMap{}, keys, zipf, everything)
	case "rw_mutex":
		measureMap(c, &rwMap{m: map[uint64]uint64{}}, keys, zipf, everything)
	default:
		return false
	}
	return true
}

type config struct{ limit [8]uint64 }

func eachNS(workers, ops int, f func(n int) uint64) float64 {
	began := wallNS()
	together(workers, func(int) { atomic.AddUint64(&mapSink, f(ops/workers)) })
	return float64(wallNS()-began) / float64(ops)
}

func hotKey(c call) {
	key := "config"
	var m sync.Map
	m.Store(key, &config{})
	var lock sync.RWMutex
	plain := map[string]*config{key: {}}
	var value atomic.Value
	value.Store(&config{})
	ops := c.count(1000000, 64)
	out := newResult(c)
	out.start()
	for _, workers := range []int{1, 2, 8, 64} {
		measure := func(name string, f func(n int) uint64) {
			eachNS(workers, ops/10, f)
			out.values[fmt.Sprintf("%s%d", name, workers)] = eachNS(workers, ops, f)
		}
		measure("sync_map_", func(n int) (sum uint64) {
			for i := 0; i < n; i++ {
				v, _ := m.Load(key)
				sum += v.(*config).limit[3]
			}
			return
		})
		measure("rw_mutex_", func(n int) (sum uint64) {
			for i := 0; i < n; i++ {
				lock.RLock()
				sum += plain[key].limit[3]
				lock.RUnlock()
			}
			return
		})
		measure("value_", func(n int) (sum uint64) {
			for i := 0; i < n; i++ {
				sum += value.Load().(*config).limit[3]
			}
			return
		})
	}
	out.stop(12 * ops)
	out.print()
}

func valueRead(c call) {
	var value atomic.Value
	value.Store(&config{})
	readAll := func(reads int) {
		together(c.procs, func(int) {
			sum := uint64(0)
			for i := 0; i < reads/c.procs; i++ {
				sum += value.Load().(*config).limit[3]
			}
			atomic.AddUint64(&mapSink, sum)
		})
	}
	reads := c.count(100000000, 2)
	readAll(reads / 10)
	out := newResult(c)
	out.start()
	readAll(reads)
	out.stop(reads)
	out.print()
}

type profile struct {
	seen    uint64
	history [31]uint64
}

func judge(p *profile) uint64 {
	sum := p.seen
	for _, one := range p.history {
		sum = sum*31 + one
	}
	return sum
}

type cache interface {
	look(k uint64) uint64
	change(k uint64)
}

type lockedCache struct {
	lock sync.RWMutex
	m    map[uint64]*profile
}

func (l *lockedCache) look(k uint64) uint64 {
	l.lock.RLock()
	defer l.lock.RUnlock()
	if p := l.m[k]; p != nil {
		return judge(p)
	}
	return 0
}
func (l *lockedCache) change(k uint64) {
	l.lock.Lock()
	defer l.lock.Unlock()
	p := l.m[k]
	if p == nil {
		p = &profile{}
		l.m[k] = p
	}
	p.seen++
}

type mutexCache struct {
	lock sync.Mutex
	m    map[uint64]*profile
}

func (l *mutexCache) look(k uint64) uint64 {
	l.lock.Lock()
	defer l.lock.Unlock()
	if p := l.m[k]; p != nil {
		return judge(p)
	}
	return 0
}
func (l *mutexCache) change(k uint64) {
	l.lock.Lock()
	defer l.lock.Unlock()
	p := l.m[k]
	if p == nil {
		p = &profile{}
		l.m[k] = p
	}
	p.seen++
}

type syncCache struct{ m sync.Map }

func (s *syncCache) look(k uint64) uint64 {
	if p, ok := s.m.Load(k); ok {
		return judge(p.(*profile))
	}
	return 0
}
func (s *syncCache) change(k uint64) {
	next := &profile{}
	if p, ok := s.m.Load(k); ok {
		*next = *p.(*profile)
	}
	next.seen++
	s.m.Store(k, next)
}

func serve(c call, cached cache, perMS int) {
	ms := c.count(2000, 1)
	drawn := drawKeys(100000, true)
	for i := uint32(0); i < 100000; i++ {
		cached.change(keyOf(i))
	}
	latency := make([]int64, ms*perMS)
	runtime.GC()
	out := newResult(c)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out.start()
	began := wallNS()
	var all sync.WaitGroup
	for t := 0; t < ms; t++ {
		due := began + int64(t)*1000000
		if left := due - wallNS(); left > 0 {
			time.Sleep(time.Duration(left))
		}
		for r := t * perMS; r < (t+1)*perMS; r++ {
			all.Add(1)
			go func() {
				defer all.Done()
				sum := uint64(0)
				at := func(i int) uint64 {
					return keyOf(drawn[(r*17+i)&(len(drawn)-1)] & 0xffffff)
				}
				for i := 0; i < 16; i++ {
					sum += cached.look(at(i))
				}
				cached.change(at(16))
				atomic.AddUint64(&mapSink, sum)
				latency[r] = wallNS() - due
			}()
		}
	}
	all.Wait()
	out.stop(ms * perMS)
	runtime.ReadMemStats(&after)
	out.values["allocations_per_op"] = float64(after.Mallocs-before.Mallocs) / float64(ms*perMS)
	out.latency(latency)
	out.print()
}

func newMutexCache() cache  { return &mutexCache{m: map[uint64]*profile{}} }
func newLockedCache() cache { return &lockedCache{m: map[uint64]*profile{}} }
func newSyncCache() cache   { return &syncCache{} }
