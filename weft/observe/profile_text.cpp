// SPDX-License-Identifier: Apache-2.0
// Profiles as Go's debug=1 writes them: a line of numbers and addresses for each stack, then its
// frames (spec/pprof.md §6).
#include <algorithm>
#include <cstdio>
#include <string>

#include "weft/observe/internal/profile.hpp"
#include "weft/observe/internal/profile_frames.hpp"

namespace weft::rt {

namespace {

using entry = std::pair<const profile_stack*, const std::vector<int64_t>*>;

std::string hex(uint64_t value) {
  char out[32];
  std::snprintf(out, sizeof out, "0x%llx", static_cast<unsigned long long>(value));
  return out;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned char>(c));
      out += code;
    } else {
      out += c;
    }
  }
  return out + '"';
}

/// At a value of the profile, what sorts stacks: the largest first but for the heap, as in Go.
std::vector<entry> sorted(const profile& p) {
  std::vector<entry> all;
  for (const auto& [stack, values] : p.samples) all.emplace_back(&stack, &values);
  const size_t by = p.text == text_kind::heap ? 3 : p.text == text_kind::count ? 0 : 1;
  std::ranges::sort(all, [&](const entry& a, const entry& b) {
    const int64_t left = (*a.second)[by];
    const int64_t right = (*b.second)[by];
    if (left == right) return *a.first < *b.first;
    return p.text == text_kind::heap ? left < right : left > right;
  });
  return all;
}

std::string numbers_of(const profile& p, const std::vector<int64_t>& v) {
  const auto number = [](int64_t n) { return std::to_string(n); };
  if (p.text == text_kind::heap)
    return number(v[2]) + ": " + number(v[3]) + " [" + number(v[0]) + ": " + number(v[1]) + "]";
  if (p.text == text_kind::count) return number(v[0]);
  return number(v[1]) + ' ' + number(v[0]);
}

std::string title_of(const profile& p) {
  std::vector<int64_t> sums(p.types.size());
  for (const auto& [stack, values] : p.samples)
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += values[i];
  switch (p.text) {
    case text_kind::heap:
      // Readers of this text expect twice the rate (a convention of gperftools).
      return "heap profile: " + numbers_of(p, sums) + " @ heap/" +
             std::to_string(2 * p.sampling_period) + '\n';
    case text_kind::contention:
      return "--- contention:\ncycles/second=1000000000\n";
    case text_kind::mutex:
      return "--- mutex:\ncycles/second=1000000000\nsampling period=" +
             std::to_string(p.sampling_period) + '\n';
    case text_kind::count:
      break;
  }
  return p.name + " profile: total " + std::to_string(sums[0]) + '\n';
}

}  // namespace

std::string to_text(const profile& p) {
  const profile_frames frames(p);
  std::string out = title_of(p);
  for (const auto& [stack, values] : sorted(p)) {
    out += numbers_of(p, *values) + " @";
    for (const uintptr_t pc : stack->pcs) out += ' ' + hex(pc);
    out += '\n';
    if (!stack->labels.empty()) {
      out += "# labels: {";
      for (size_t i = 0; i < stack->labels.size(); ++i)
        out += (i == 0 ? "" : ", ") + quoted(stack->labels[i].first) + ':' +
               quoted(stack->labels[i].second);
      out += "}\n";
    }
    for (const shown_frame& frame : frames.of(*stack)) {
      for (size_t n = 0; n < frame.lines; ++n) {
        const symbol_line& line = frame.names->lines[n];
        out += "#\t" + hex(frame.address);
        if (!line.function.empty()) {
          out += '\t' + line.function + '+' + hex(line.inlined ? 0 : frame.names->offset);
          if (!line.file.empty()) out += '\t' + line.file + ':' + std::to_string(line.line);
        }
        out += '\n';
      }
    }
    out += '\n';
  }
  return out;
}

}  // namespace weft::rt
