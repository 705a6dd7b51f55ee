// SPDX-License-Identifier: Apache-2.0

// Command gojson is the Go side of json-bench: encoding/json/v2, and v1 beside it. It is built with
// GOEXPERIMENT=jsonv2, which v2 needs.
package main

import (
	_ "embed"
	"bytes"
	jsonv1 "encoding/json"
	"encoding/json/v2"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

//go:embed order.json
var file []byte
var text = bytes.TrimSpace(file)

type item struct {
	Sku      string            `json:"sku"`
	Name     string            `json:"name"`
	Quantity int               `json:"quantity"`
	Price    float64           `json:"price"`
	Weight   float64           `json:"weight"`
	Attrs    map[string]string `json:"attrs"`
}

type address struct {
	Name    string  `json:"name"`
	Street  string  `json:"street"`
	City    string  `json:"city"`
	Zip     string  `json:"zip"`
	Country string  `json:"country"`
	Lat     float64 `json:"lat"`
	Lon     float64 `json:"lon"`
}

type payment struct {
	Method     string  `json:"method"`
	Network    string  `json:"network"`
	Last4      string  `json:"last4"`
	Amount     float64 `json:"amount"`
	Authorized bool    `json:"authorized"`
	Reference  string  `json:"reference"`
}

type order struct {
	ID        int64    `json:"id"`
	Customer  string   `json:"customer"`
	Status    string   `json:"status"`
	Currency  string   `json:"currency"`
	Total     float64  `json:"total"`
	Discount  float64  `json:"discount"`
	CreatedAt int64    `json:"created_at"`
	Priority  int      `json:"priority"`
	Gift      bool     `json:"gift"`
	Note      string   `json:"note"`
	Tags      []string `json:"tags"`
	Items     []item   `json:"items"`
	Shipping  address  `json:"shipping"`
	Billing   address  `json:"billing"`
	Payment   payment  `json:"payment"`
}

var sink any

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func sample() *order {
	o := new(order)
	must(json.Unmarshal(text, o))
	return o
}

// rows: what one operation of each does.
var rows = map[string]func() func(){
	"json_decode": func() func() {
		return func() {
			o := new(order)
			must(json.Unmarshal(text, o))
			sink = o
		}
	},
	"json_encode": func() func() {
		o := sample()
		return func() {
			b, err := json.Marshal(o)
			must(err)
			sink = b
		}
	},
	"json_decode_value": func() func() {
		return func() {
			var v any
			must(json.Unmarshal(text, &v))
			sink = v
		}
	},
	"json_validate": func() func() {
		return func() {
			if !jsonv1.Valid(text) {
				panic("invalid")
			}
		}
	},
}

func cpuNS() int64 {
	const clockProcessCPU = 2
	var ts syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockProcessCPU, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: gojson ROW PROCS [SCALE]")
		os.Exit(64)
	}
	prepare, ok := rows[os.Args[1]]
	if !ok {
		os.Exit(64)
	}
	procs, _ := strconv.Atoi(os.Args[2])
	runtime.GOMAXPROCS(procs)
	scale := 1.0
	if len(os.Args) > 3 {
		scale, _ = strconv.ParseFloat(os.Args[3], 64)
	}
	once := prepare()
	count := max(int(20_000*scale), 1)
	for i := 0; i < count/10; i++ {
		once()
	}
	wall, cpu := time.Now(), cpuNS()
	for i := 0; i < count; i++ {
		once()
	}
	used, passed := cpuNS()-cpu, time.Since(wall)
	fmt.Printf("{\"program\": \"go\", \"row\": %q, \"procs\": %d, \"ops\": %d, \"wall_ns\": %d, "+
		"\"cpu_ns\": %d}\n", os.Args[1], procs, count, passed, used)
}
