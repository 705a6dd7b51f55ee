// SPDX-License-Identifier: Apache-2.0

// The server of the rows "HTTP" with net/http: HTTP/1.1 and HTTP/2 without TLS on one port. GET
// /observe measures what an observer costs it, as bench/http/observe.hpp.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
)

type greeting struct {
	Message string `json:"message"`
}

func serveHTTP(port string) {
	routes := http.NewServeMux()
	hello := []byte("Hello, World!")
	routes.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("Content-Type", "text/plain")
		w.Write(hello)
	})
	routes.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		io.WriteString(w, strconv.FormatInt(n, 10))
	})
	routes.HandleFunc("GET /json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		text, err := json.Marshal(greeting{"Hello, World!"})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(text)
	})
	routes.HandleFunc("GET /observe", observe)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(os.Getenv("NO_HTTP1") == "")
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Addr: "127.0.0.1:" + port, Handler: routes, Protocols: protocols}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	os.Exit(1)
}
