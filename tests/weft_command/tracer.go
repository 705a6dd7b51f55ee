// SPDX-License-Identifier: Apache-2.0

// Writes an execution trace with all that a trace may hold, for weft trace convert: tracer FILE.
package main

import (
	"context"
	"net"
	"os"
	"runtime"
	"runtime/trace"
	"sync"
	"time"
)

var sink float64

func spin(n int) {
	for i := 0; i < n*1000; i++ {
		sink += float64(i) * 1.0001
	}
}

func receiver(from chan int, done *sync.WaitGroup) {
	defer done.Done()
	for range from {
		spin(10)
	}
}

func echo(listener net.Listener) {
	made, err := listener.Accept()
	if err != nil {
		return
	}
	bytes := make([]byte, 64)
	for {
		n, err := made.Read(bytes)
		if err != nil {
			return
		}
		made.Write(bytes[:n])
	}
}

func main() {
	file, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := trace.Start(file); err != nil {
		panic(err)
	}
	ctx, task := trace.NewTask(context.Background(), "checkout")
	var done sync.WaitGroup
	values := make(chan int)
	for i := 0; i < 3; i++ {
		done.Add(1)
		go receiver(values, &done)
	}
	trace.WithRegion(ctx, "sending", func() {
		for i := 0; i < 300; i++ {
			values <- i
		}
	})
	close(values)
	done.Wait()
	trace.Log(ctx, "order", "17")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go echo(listener)
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	for i := 0; i < 20; i++ {
		client.Write([]byte("hello"))
		client.Read(make([]byte, 64))
	}
	client.Close()
	runtime.GC()
	time.Sleep(1200 * time.Millisecond) // the format has a generation a second: two of them
	task.End()
	trace.Stop()
}
