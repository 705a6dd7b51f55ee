// SPDX-License-Identifier: Apache-2.0
// What the server is told on its command line.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace kv {

struct server_options {
  uint16_t port = 6379;                  // --port, 0..65535; 0: the system chooses
  std::string bind = "127.0.0.1";        // --bind, a host or an address
  std::string unix_path;                 // --unix, a path; empty: none
  int64_t clients_max = 10000;           // --maxclients, 1..1000000; one more is refused in words
  int64_t bulk_bytes_max = 512LL << 20;  // --max-bulk, 1024..4294967296 bytes; of one argument
};

/// Reads the arguments behind the program's name. False: `message` says which, its value and what
/// is allowed. `help` is set for --help.
[[nodiscard]] bool parse_options(std::span<char* const> arguments, server_options& out, bool& help,
                                 std::string& message);
[[nodiscard]] const char* usage() noexcept;

}  // namespace kv
