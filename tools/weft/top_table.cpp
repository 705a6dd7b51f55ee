// SPDX-License-Identifier: Apache-2.0
// Flat and cumulative sums of functions.
#include "top_table.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <span>
#include <unordered_map>

#include "text.hpp"

namespace weft_command {

namespace {

class summing {
 public:
  explicit summing(top_table& out) : out_(out) {}

  /// Adds each value `sign` times; returns the sum of their sizes.
  int64_t add(const profile& from, size_t type, int sign) {
    std::vector<size_t> row_of(from.functions.size());
    for (size_t i = 0; i < from.functions.size(); ++i) row_of[i] = row(from.functions[i].name);
    int64_t total = 0;
    for (const profile_sample& s : from.samples) {
      const int64_t value = s.values[type];
      if (value == 0) continue;
      total += std::llabs(value);
      ++sample_;
      bool leaf = true;
      for (const uint32_t at : s.locations) {
        const std::vector<profile_line>& lines = from.locations[at].lines;
        for (size_t i = 0; i < lines.size(); ++i) {
          const size_t index = row_of[lines[i].function];
          top_row& r = out_.rows[index];
          if (leaf) r.flat += sign * value;
          leaf = false;
          if (i + 1 == lines.size()) r.inlined = false;
          if (seen_[index] == sample_) continue;
          seen_[index] = sample_;
          r.cum += sign * value;
        }
      }
    }
    return total;
  }

 private:
  size_t row(const std::string& name) {
    const auto [at, fresh] = rows_.emplace(name, out_.rows.size());
    if (fresh) {
      out_.rows.push_back({.name = name, .inlined = true});
      seen_.push_back(0);
    }
    return at->second;
  }

  top_table& out_;
  std::unordered_map<std::string, size_t> rows_;
  std::vector<uint64_t> seen_;  // the last sample that had it
  uint64_t sample_ = 0;
};

std::string clock_text(int64_t ns) {
  const std::time_t at = ns / 1'000'000'000;
  std::tm parts{};
  if (::gmtime_r(&at, &parts) == nullptr) return {};
  std::array<char, 64> out{};
  (void)std::strftime(out.data(), out.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return out.data();
}

void add_padded(std::string& out, const std::string& text, size_t width) {
  if (text.size() < width) out.append(width - text.size(), ' ');
  out += text;
}

}  // namespace

weft::result<top_table> make_top_table(const profile& now, size_t sample_type,
                                       const profile* before) {
  top_table out;
  out.measure = now.sample_types[sample_type];
  summing sums(out);
  out.total = sums.add(now, sample_type, 1);
  if (before != nullptr) {
    const weft::result<size_t> same = before->find_sample_type(out.measure.type);
    if (!same) return weft::fail(weft::error::wrap("the other profile", same.error()));
    out.total = sums.add(*before, *same, -1);
  }
  std::erase_if(out.rows, [](const top_row& r) { return r.flat == 0 && r.cum == 0; });
  std::ranges::sort(out.rows, [](const top_row& a, const top_row& b) {
    if (std::llabs(a.flat) != std::llabs(b.flat)) return std::llabs(a.flat) > std::llabs(b.flat);
    if (std::llabs(a.cum) != std::llabs(b.cum)) return std::llabs(a.cum) > std::llabs(b.cum);
    return a.name < b.name;
  });
  return out;
}

void sort_by_cum(top_table& of) {
  std::ranges::sort(of.rows, [](const top_row& a, const top_row& b) {
    return std::llabs(a.cum) != std::llabs(b.cum) ? std::llabs(a.cum) > std::llabs(b.cum)
                                                  : a.name < b.name;
  });
}

std::string about_profile(const profile& of, size_t sample_type) {
  const value_type& measure = of.sample_types[sample_type];
  std::string out = measure.type;
  if (of.time_ns > 0) out += ", " + clock_text(of.time_ns);
  if (of.duration_ns > 0) out += ", " + value_text(of.duration_ns, "nanoseconds");
  return out;
}

std::string top_text(const top_table& of, const profile& now, size_t limit) {
  std::string out;
  if (!now.mappings.empty() && !now.mappings[0].file.empty())
    out += "File: " + now.mappings[0].file.substr(now.mappings[0].file.rfind('/') + 1) + "\n";
  out += "Type: " + of.measure.type + "\n";
  if (now.time_ns > 0) out += "Time: " + clock_text(now.time_ns) + "\n";
  const std::string total = value_text(of.total, of.measure.unit);
  if (now.duration_ns > 0) {
    out += "Duration: " + value_text(now.duration_ns, "nanoseconds");
    out += ", Total samples = " + total;
    if (of.measure.unit == "nanoseconds")
      out += " (" + percent_text(of.total, now.duration_ns) + ")";
    out += "\n";
  }
  const size_t shown = std::min(limit, of.rows.size());
  out += "Showing " + std::to_string(shown) + " of " + std::to_string(of.rows.size()) +
         " functions, of " + total + " in all\n";
  out += "      flat  flat%   sum%        cum   cum%\n";
  int64_t sum = 0;
  for (const top_row& r : std::span(of.rows).first(shown)) {
    sum += r.flat;
    add_padded(out, value_text(r.flat, of.measure.unit), 10);
    add_padded(out, percent_text(r.flat, of.total), 7);
    add_padded(out, percent_text(sum, of.total), 7);
    add_padded(out, value_text(r.cum, of.measure.unit), 11);
    add_padded(out, percent_text(r.cum, of.total), 7);
    out += "  " + r.name + (r.inlined ? " (inline)" : "") + "\n";
  }
  return out;
}

}  // namespace weft_command
