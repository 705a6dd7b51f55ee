// SPDX-License-Identifier: Apache-2.0

// What an observer costs the HTTP server, measured by itself.
package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

var requests atomic.Int64

// interval is what happened in one: CPU time of a request, and requests.
type interval struct{ cpuNS, rps, requests float64 }

func measureInterval(by observer, length time.Duration) interval {
	wall, cpu, before := wallNS(), cpuNS(), requests.Load()
	by.on()
	time.Sleep(length)
	by.off()
	done := float64(max(1, requests.Load()-before))
	return interval{float64(cpuNS()-cpu) / done, done * 1e9 / float64(wallNS()-wall), done}
}

func number(r *http.Request, name string, otherwise int) int {
	if n, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// observe answers GET /observe?what=NAME&ms=900&pairs=7 while the server has other requests.
func observe(w http.ResponseWriter, r *http.Request) {
	by, ok := observers[r.URL.Query().Get("what")]
	if !ok {
		http.Error(w, "no such observer", http.StatusNotFound)
		return
	}
	length := time.Duration(number(r, "ms", 900)) * time.Millisecond
	measureInterval(by, length/4)
	bytes, done := traceBytes.bytes, 0.0
	var cpu, rps pairsOf
	for i := range number(r, "pairs", 7) {
		var on interval
		if i%2 != 0 {
			on = measureInterval(by, length)
		}
		off := measureInterval(observers["nothing"], length)
		if i%2 == 0 {
			on = measureInterval(by, length)
		}
		done += on.requests
		cpu.add(off.cpuNS, on.cpuNS)
		rps.add(off.rps, on.rps)
	}
	percent, ns := cpu.middle()
	fewer, _ := rps.middle()
	json.NewEncoder(w).Encode(map[string]float64{
		"cpu_percent": percent, "cpu_ns": ns, "lost_percent": -fewer,
		"bytes_per_request": float64(traceBytes.bytes-bytes) / done,
	})
}
