// SPDX-License-Identifier: Apache-2.0

// A RESP server as plain Go code would be: one goroutine per connection, bufio, a sharded map.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
)

type shard struct {
	sync.RWMutex
	values map[string][]byte
}

var (
	shards [64]shard
	seed   = maphash.MakeSeed()
)

func shardOf(key []byte) *shard { return &shards[maphash.Bytes(seed, key)%uint64(len(shards))] }

func readNumber(in *bufio.Reader, mark byte) (int, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 3 || line[0] != mark {
		return 0, fmt.Errorf("protocol: %q", line)
	}
	return strconv.Atoi(string(line[1 : len(line)-2]))
}

func readCommand(in *bufio.Reader, args [][]byte) ([][]byte, error) {
	n, err := readNumber(in, '*')
	if err != nil {
		return nil, err
	}
	args = args[:0]
	for range n {
		size, err := readNumber(in, '$')
		if err != nil {
			return nil, err
		}
		text := make([]byte, size+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		args = append(args, text[:size])
	}
	return args, nil
}

func answer(out *bufio.Writer, args [][]byte) {
	switch {
	case len(args) == 3 && bytes.EqualFold(args[0], []byte("SET")):
		s := shardOf(args[1])
		s.Lock()
		s.values[string(args[1])] = args[2]
		s.Unlock()
		out.WriteString("+OK\r\n")
	case len(args) == 2 && bytes.EqualFold(args[0], []byte("GET")):
		s := shardOf(args[1])
		s.RLock()
		value, ok := s.values[string(args[1])]
		s.RUnlock()
		if !ok {
			out.WriteString("$-1\r\n")
			return
		}
		out.WriteByte('$')
		out.WriteString(strconv.Itoa(len(value)))
		out.WriteString("\r\n")
		out.Write(value)
		out.WriteString("\r\n")
	case len(args) > 0 && bytes.EqualFold(args[0], []byte("PING")):
		out.WriteString("+PONG\r\n")
	case len(args) > 0 && bytes.EqualFold(args[0], []byte("CONFIG")):
		out.WriteString("*0\r\n")
	default:
		out.WriteString("-ERR unknown command\r\n")
	}
}

func serveConn(conn net.Conn) {
	defer conn.Close()
	in, out := bufio.NewReaderSize(conn, 16<<10), bufio.NewWriterSize(conn, 16<<10)
	args := make([][]byte, 0, 8)
	for {
		var err error
		if args, err = readCommand(in, args); err != nil {
			return
		}
		answer(out, args)
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}

func serveKV(port string) {
	for i := range shards {
		shards[i].values = map[string][]byte{}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go serveConn(conn)
	}
}
