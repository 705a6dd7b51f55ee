// SPDX-License-Identifier: Apache-2.0
// What weft-load is told on its command line.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace load {

using ns = std::chrono::nanoseconds;

struct weighted_url {
  uint32_t weight = 1;
  std::string url;
};

struct options {
  std::vector<weighted_url> urls;          // [WEIGHT:]URL...
  uint32_t connections = 64;               // -c, 1..100000
  ns duration = std::chrono::seconds(10);  // -d; zero: until -n requests are done
  uint64_t requests = 0;                   // -n; 0: until the duration is over
  double rate = 0;                         // --rate, requests per second; 0: a closed loop
  uint32_t pipeline = 1;                   // --pipeline, 1..1000; in flight on one connection
  ns warmup{0};                            // --warmup; not counted
  ns timeout = std::chrono::seconds(10);   // --timeout, of a request and of a dial
  std::string method;                      // -X; empty: GET, or POST with a body
  std::vector<std::string> headers;        // -H "Name: value"
  std::string body;                        // --body or --body-file
  bool json = false;                       // --json
  bool quiet = false;                      // -q: nothing while it runs
  bool ascii = false;                      // --ascii: no braille
  bool insecure = false;                   // -k: certificates are not verified
  int procs = 0;                           // --procs, 0..1024; 0: as WEFT_MAXPROCS says
};

/// Reads the arguments behind the program's name, and the body's file. False: `message` names the
/// option, its value and what is allowed. `help` is set for --help.
[[nodiscard]] bool parse_options(std::span<char* const> arguments, options& out, bool& help,
                                 std::string& message);
[[nodiscard]] const char* usage() noexcept;

}  // namespace load
