// SPDX-License-Identifier: Apache-2.0
// What a subcommand is: a name, its options, a function. Parsing, --help and shell completion come
// from this description.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/error.hpp"

namespace weft_command {

struct option {
  const char* name;    // "--seconds"
  const char* letter;  // "-s"; null: none
  const char* value;   // "N"; null: a flag. FILE completes file names, "a|b" these words
  const char* help;
};

/// What was given on the command line.
class invocation {
 public:
  [[nodiscard]] bool has(std::string_view name) const { return values_.contains(name); }
  /// The last value of an option; `otherwise` if it was not given.
  [[nodiscard]] std::string_view value(std::string_view name,
                                       std::string_view otherwise = {}) const;
  [[nodiscard]] const std::vector<std::string>& values(std::string_view name) const;
  /// A number of seconds: "30", "0.5", "500ms", "2m"; fails beyond the bounds.
  [[nodiscard]] weft::result<double> seconds(std::string_view name, double otherwise, double min,
                                             double max) const;
  [[nodiscard]] weft::result<int64_t> number(std::string_view name, int64_t otherwise, int64_t min,
                                             int64_t max) const;
  std::vector<std::string> arguments;

 private:
  friend class command_line;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

struct command {
  const char* name;       // "flame"; "trace convert" is a command of its own
  const char* arguments;  // "FILE"; words that complete: see completion.cpp
  const char* summary;    // one line, for the list of commands
  const char* details;    // paragraphs for --help; may be null
  std::span<const option> options;
  size_t arguments_min;
  size_t arguments_max;
  bool on_runtime;  // run() is called on a goroutine
  int (*run)(const invocation& given);
};

/// All commands, in the order of the help text.
[[nodiscard]] std::span<const command* const> all_commands() noexcept;

// Exit statuses: documented in --help and docs/guide/weft-command.md.
inline constexpr int exit_good = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;

/// Prints "weft: WHAT" to standard error; returns exit_failed, or exit_usage for usage_error.
int report(const weft::error& what);
/// An error of the command line itself.
[[nodiscard]] weft::error usage_error(std::string what);
/// Prints to standard output; false (reported) when that fails, e.g. as the disk is full.
[[nodiscard]] bool print_out(std::string_view text);

/// Parses, runs, and returns the exit status.
int run_command_line(std::span<char* const> words);

}  // namespace weft_command
