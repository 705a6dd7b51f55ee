// SPDX-License-Identifier: Apache-2.0

// Command checker reads the lines of weft_json_golden: see golden.cpp.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"os"
	"time"
)

// duration is a time.Duration as its String method spells it.
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

type sample struct {
	ID      int64          `json:"id"`
	Large   uint64         `json:"large"`
	Real    float64        `json:"real"`
	Reals   []float64      `json:"reals"`
	Single  float32        `json:"single"`
	Text    string         `json:"text"`
	Texts   []string       `json:"texts"`
	Counts  map[string]int `json:"counts"`
	Flags   map[int]bool   `json:"flags"`
	Maybe   *int           `json:"maybe"`
	Omitted string         `json:"omitted,omitempty"`
	Bytes   []byte         `json:"bytes"`
	Wait    duration       `json:"wait"`
	At      time.Time      `json:"at"`
	Yes     bool           `json:"yes"`
}

func check(kind string, text []byte) error {
	switch kind {
	case "plain", "html":
		html := kind == "html"
		var s sample
		if err := json.Unmarshal(text, &s); err != nil {
			return err
		}
		again, err := json.Marshal(&s, json.Deterministic(true), jsontext.EscapeForHTML(html),
			jsontext.EscapeForJS(html))
		if err == nil && !bytes.Equal(again, text) {
			err = fmt.Errorf("Go writes %s", again)
		}
		return err
	case "valid", "broken":
		raw, err := hex.DecodeString(string(text))
		if err != nil {
			return err
		}
		// As Weft reads by default: the last of two equal keys counts.
		if jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(true)) != (kind == "valid") {
			return fmt.Errorf("Go does not call this %s: %q", kind, raw)
		}
		return nil
	}
	return fmt.Errorf("unknown kind %q", kind)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	count, wrong := 0, 0
	for lines.Scan() {
		kind, text, _ := bytes.Cut(lines.Bytes(), []byte(" "))
		count++
		if err := check(string(kind), text); err != nil {
			wrong++
			if wrong <= 10 {
				fmt.Printf("%s\n  %v\n", lines.Bytes(), err)
			}
		}
	}
	fmt.Printf("%d lines, %d wrong\n", count, wrong)
	if count < 1000 || wrong > 0 || lines.Err() != nil {
		os.Exit(1)
	}
}
