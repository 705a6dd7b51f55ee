// SPDX-License-Identifier: Apache-2.0

// A server of Go's net/http for the client's test.
package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s %s", r.Method, r.Host)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		w.Header().Set("X-Trailer-Seen", r.Trailer.Get("X-Sum"))
		w.Write(body)
	})
	mux.HandleFunc("/chunks", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		for i := 0; i < 100; i++ {
			fmt.Fprintf(w, "piece %d\n", i)
			w.(http.Flusher).Flush()
		}
		w.Header().Set("X-Sum", "100")
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		block := make([]byte, 1<<16)
		for i := 0; i < 160; i++ {
			w.Write(block)
		}
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		for i := 0; i < 1000; i++ {
			fmt.Fprintf(z, "line %d\n", i)
		}
		z.Close()
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "hello", http.StatusFound)
	})
	mux.HandleFunc("/nothing", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/hints", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(103)
		fmt.Fprint(w, "hinted")
	})
	mux.HandleFunc("/refuse", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		http.Error(w, "too large", 413)
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(time.Minute):
		}
	})
	// The second one closes what is idle for a moment.
	patient, first := listen(&http.Server{Handler: mux})
	_, second := listen(&http.Server{Handler: mux, IdleTimeout: 300 * time.Millisecond})
	fmt.Println(first, second)
	<-patient
}

// Its address, and a channel that is closed when it ends.
func listen(server *http.Server) (<-chan struct{}, net.Addr) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.Serve(listener)
	}()
	return ended, listener.Addr()
}
