// SPDX-License-Identifier: Apache-2.0
// A profile as a file holds it: profile.proto, gzipped or plain, as Go's and Weft's programs write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/error.hpp"

namespace weft_command {

struct value_type {
  std::string type;  // "cpu"
  std::string unit;  // "nanoseconds"
};

struct profile_function {
  std::string name;
  std::string file;
  int64_t start_line = 0;
};

/// One function at one place; several of them share an address when functions were inlined.
struct profile_line {
  uint32_t function = 0;  // index
  int64_t line = 0;
};

struct profile_location {
  uint64_t address = 0;
  uint32_t mapping = 0;             // index + 1; 0: none
  std::vector<profile_line> lines;  // innermost inlined function first; may be empty
};

struct profile_label {
  std::string key;
  std::string text;  // empty: `number` is meant
  int64_t number = 0;
  std::string unit;
};

struct profile_sample {
  std::vector<uint32_t> locations;  // indexes, leaf first
  std::vector<int64_t> values;      // one of each sample type
  std::vector<profile_label> labels;
};

struct profile_mapping {
  uint64_t start = 0;
  uint64_t limit = 0;
  std::string file;
  std::string build_id;
};

struct profile {
  std::vector<value_type> sample_types;  // at least one
  std::vector<profile_sample> samples;
  std::vector<profile_mapping> mappings;
  std::vector<profile_location> locations;
  std::vector<profile_function> functions;
  std::string default_sample_type;
  value_type period_type;
  int64_t period = 0;
  int64_t time_ns = 0;  // since 1970
  int64_t duration_ns = 0;
  std::vector<std::string> comments;

  /// The sample type of that name; an empty one is the profile's default, else its last. Fails with
  /// the names that there are.
  [[nodiscard]] weft::result<size_t> find_sample_type(std::string_view name) const;
};

/// Bytes of a profile, after gunzip. A wall profile of 100,000 stacks has 20 MiB; what is larger
/// than this is a bomb.
inline constexpr size_t profile_bytes_max = size_t{1} << 30;

/// Reads what a file or an endpoint holds. Everything is checked: no index of the result is out of
/// range. The error says what is wrong and at which byte.
[[nodiscard]] weft::result<profile> parse_profile(std::string_view bytes);
[[nodiscard]] weft::result<profile> read_profile(const std::string& path);

}  // namespace weft_command
