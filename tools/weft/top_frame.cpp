// SPDX-License-Identifier: Apache-2.0
// Drawing a frame of `weft top`: sections one below the other; the lists at the end share what is
// left of the screen.
#include "top_frame.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <vector>

#include "text.hpp"

namespace weft_command {

namespace {

using weft::json::value;

template <class... Values>
std::string print(const char* format, Values... values) {
  std::array<char, 128> out{};
  std::snprintf(out.data(), out.size(), format, values...);
  return out.data();
}

int64_t integer(const value& of, std::string_view key) { return of[key].integer().value_or(0); }
double number(const value& of, std::string_view key) { return of[key].number().value_or(0); }
std::string text(const value& of, std::string_view key) {
  const std::string* found = of[key].string();
  return found == nullptr ? std::string() : *found;
}
const weft::json::array& elements(const value& of) {
  static const weft::json::array none;
  return of.elements() == nullptr ? none : *of.elements();
}

/// Characters, of UTF-8.
size_t width_of(std::string_view line) {
  return static_cast<size_t>(std::ranges::count_if(
      line, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string cut(std::string line, size_t columns) {
  if (width_of(line) <= columns) return line;
  size_t at = 0;
  for (size_t left = columns; at < line.size(); ++at) {
    if ((static_cast<unsigned char>(line[at]) & 0xc0) == 0x80) continue;
    if (left-- == 0) break;
  }
  line.resize(at);
  return line;
}

class frame {
 public:
  frame(const top_state& of, const frame_options& how) : of_(of), how_(how) {}

  std::string draw() {
    head();
    processors();
    heap();
    latencies();
    lists();
    std::string out;
    const size_t rows = how_.rows == 0 ? lines_.size() : std::min(how_.rows, lines_.size());
    for (size_t i = 0; i < rows; ++i) out += lines_[i] + "\n";
    return out;
  }

 private:
  void add(std::string line) { lines_.push_back(cut(std::move(line), how_.columns)); }
  void title(std::string line) {
    line = cut(std::move(line), how_.columns);
    lines_.push_back(how_.color ? "\x1b[1m" + line + "\x1b[0m" : line);
  }

  /// Eighths of a block, or ASCII.
  [[nodiscard]] std::string bar(double share, size_t width) const {
    share = std::clamp(share, 0.0, 1.0);
    static constexpr const char* parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const auto eighths = static_cast<size_t>(std::lround(share * static_cast<double>(width * 8)));
    std::string out;
    for (size_t i = 0; i < eighths / 8; ++i) out += how_.ascii ? "#" : "█";
    size_t used = eighths / 8;
    if (!how_.ascii && eighths % 8 != 0) {
      out += parts[eighths % 8];
      ++used;
    }
    return out + std::string(width - std::min(width, used), ' ');
  }

  [[nodiscard]] std::string history(const std::deque<double>& values, double top,
                                    size_t width) const {
    static constexpr const char* blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static constexpr const char* letters[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
    for (const double v : values) top = std::max(top, v);
    std::string out;
    for (size_t i = values.size() - std::min(values.size(), width); i < values.size(); ++i) {
      const auto step = static_cast<size_t>(values[i] / std::max(top, 1e-9) * 7.999);
      out += how_.ascii ? letters[std::min<size_t>(step, 7)] : blocks[std::min<size_t>(step, 7)];
    }
    return out;
  }

  /// "1,203/s" since the look before.
  [[nodiscard]] std::string rate(std::string_view key) const {
    const double passed =
        number(of_.sched, "uptime_seconds") - number(of_.before, "uptime_seconds");
    if (of_.before.is_null() || passed <= 0) return "";
    const auto change = static_cast<double>(integer(of_.sched, key) - integer(of_.before, key));
    return with_commas(std::llround(change / passed)) + "/s";
  }

  void head() {
    const value& s = of_.sched;
    title(of_.title + "   up " + age_text(number(s, "uptime_seconds")) + "   " +
          with_commas(integer(s, "goroutines")) + " goroutines   " +
          std::to_string(integer(s, "procs")) + " Ps   " + std::to_string(integer(s, "threads")) +
          " threads");
    if (!of_.problem.empty()) add("(" + of_.problem + ")");
    const value& states = s["states"];
    std::string line = "running " + with_commas(integer(states, "running")) + "   runnable " +
                       with_commas(integer(states, "runnable")) + "   waiting " +
                       with_commas(integer(states, "waiting")) + " (network " +
                       with_commas(integer(s, "network_waiters")) + ")   shared queue " +
                       with_commas(integer(s, "run_queue"));
    if (const std::string made = rate("goroutines_created"); !made.empty())
      line += "   started " + made;
    add(line);
    const size_t width = how_.columns > 24 ? (how_.columns - 22) / 2 : 8;
    if (of_.runnable.size() > 1)
      add("runnable " + history(of_.runnable, 1, width) + "   Ps busy " +
          history(of_.busy, 1, width));
    add("");
  }

  /// How many goroutines `p` has picked since the look before, or -1.
  [[nodiscard]] double picks(const value& p) const {
    const double passed =
        number(of_.sched, "uptime_seconds") - number(of_.before, "uptime_seconds");
    for (const value& b : elements(of_.before["processors"]))
      if (integer(b, "id") == integer(p, "id") && passed > 0) {
        // A counter of 32 bits.
        const auto change = static_cast<uint32_t>(integer(p, "tick") - integer(b, "tick"));
        return static_cast<double>(change) / passed;
      }
    return -1;
  }

  void processors() {
    const weft::json::array& all = elements(of_.sched["processors"]);
    int64_t longest = 8;
    for (const value& p : all) longest = std::max(longest, integer(p, "run_queue"));
    size_t shown = all.size();
    if (how_.rows != 0) shown = std::min(shown, std::max<size_t>(2, how_.rows / 4));
    title("P    status     thread      queue              timers      picks");
    for (size_t i = 0; i < shown; ++i) {
      const value& p = all[i];
      const double picked = picks(p);
      const bool held = p["machine"].integer().has_value();
      add(print("%-4lld %-10s %-8s", static_cast<long long>(integer(p, "id")),
                text(p, "status").c_str(),
                held ? ("M" + std::to_string(integer(p, "machine"))).c_str() : "-") +
          print(" %8s ", with_commas(integer(p, "run_queue")).c_str()) +
          bar(static_cast<double>(integer(p, "run_queue")) / static_cast<double>(longest), 10) +
          print(" %10s", with_commas(integer(p, "timers")).c_str()) +
          (picked < 0 ? std::string()
                      : print(" %10s", (with_commas(std::llround(picked)) + "/s").c_str())));
    }
    if (shown < all.size()) add(print("     and %zu more", all.size() - shown));
    add("");
  }

  void heap() {
    const value& h = of_.heap;
    if (h.is_null()) return;
    const auto bytes = [&h](const char* key) { return value_text(integer(h, key), "bytes"); };
    title("heap");
    std::string line = "in use " + bytes("in_use_bytes") + "   spans " + bytes("span_bytes") +
                       "   idle " + bytes("idle_bytes") + "   returned " + bytes("returned_bytes") +
                       print("   fragmentation %.1f%%", number(h, "fragmentation") * 100);
    if (h["memory_limit"].integer()) line += "   limit " + bytes("memory_limit");
    add(line);
    add("");
  }

  /// One line: as many characters as buckets, from the first used one to the last.
  void latencies() {
    if (!of_.latency) return;
    const run_latency& l = *of_.latency;
    title("time from ready to running");
    std::string line =
        with_commas(static_cast<int64_t>(l.count)) + print(" in %.2g s", l.traced_seconds);
    if (l.count != 0) {
      const auto time = [](int64_t ns) { return value_text(ns, "nanoseconds"); };
      line += "   p50 " + time(l.quantile_ns(0.5)) + "   p99 " + time(l.quantile_ns(0.99)) +
              "   max " + time(l.max_ns);
      const auto used = [](uint64_t count) { return count != 0; };
      const auto first = std::ranges::find_if(l.buckets, used);
      const auto last = std::find_if(l.buckets.rbegin(), l.buckets.rend(), used).base();
      const std::deque<double> counts(first, last);
      const auto from = first - l.buckets.begin();
      add(std::move(line));
      line = time(from == 0 ? 0 : int64_t{1} << (from - 1)) + " " +
             history(counts, 0, counts.size()) + " " +
             time(int64_t{1} << (last - l.buckets.begin() - 1));
    }
    add(line);
    add("");
  }

  /// Those that ran themselves come first.
  [[nodiscard]] size_t busy_functions() const {
    return static_cast<size_t>(
        std::ranges::count_if(of_.cpu->rows, [](const top_row& r) { return r.flat != 0; }));
  }

  void lists() {
    const size_t used = lines_.size();
    const size_t left = how_.rows == 0 ? 24 : how_.rows > used + 4 ? how_.rows - used - 3 : 2;
    const size_t cpu_rows = of_.cpu ? std::min(busy_functions(), (left + 1) / 2) : 0;
    groups(left - std::min(left, cpu_rows));
    if (!of_.cpu) return;
    add("");
    title(print("cpu of the last %.3g s: ", of_.cpu_seconds) +
          value_text(of_.cpu->total, of_.cpu->measure.unit));
    for (size_t i = 0; i < cpu_rows; ++i) {
      const top_row& r = of_.cpu->rows[i];
      const double share = of_.cpu->total == 0
                               ? 0
                               : static_cast<double>(r.flat) / static_cast<double>(of_.cpu->total);
      add(print("%7s ", percent_text(r.flat, of_.cpu->total).c_str()) + bar(share, 8) + " " +
          shorten_name(r.name, how_.columns > 30 ? how_.columns - 18 : 12));
    }
  }

  void groups(size_t room) {
    const value& g = of_.goroutines;
    if (g.is_null()) return;
    title(with_commas(integer(g, "groups_found")) + " stacks, the most frequent first");
    size_t shown = 0;
    for (const value& group : elements(g["groups"])) {
      if (shown++ == room) break;
      const std::string reason = text(group, "reason");
      std::string line =
          print("%9s  ", with_commas(integer(group, "count")).c_str()) +
          print("%-18.18s", (reason.empty() ? text(group, "state") : reason).c_str());
      const double age = number(group, "oldest_seconds");
      line += print(" %8s  ", age > 0 ? age_text(age).c_str() : "");
      std::string_view separator;
      for (const value& f : elements(group["frames"])) {
        const size_t have = width_of(line) + separator.size();
        if (have + 8 > how_.columns) break;
        line += std::string(separator) +
                shorten_name(text(f, "function"), std::min<size_t>(how_.columns - have, 40));
        separator = " < ";
      }
      add(line);
    }
  }

  const top_state& of_;
  const frame_options& how_;
  std::vector<std::string> lines_;
};

}  // namespace

std::string draw_top(const top_state& of, const frame_options& how) {
  return frame(of, how).draw();
}

}  // namespace weft_command
