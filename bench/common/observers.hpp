// SPDX-License-Identifier: Apache-2.0
// What can look at a running program, each with a switch; and what it costs, measured in pairs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/observe/flight_recorder.hpp"
#include "weft/observe/prof.hpp"
#include "weft/observe/trace.hpp"

namespace bench {

struct counting_sink {
  int64_t bytes = 0;
  void operator()(std::string_view piece) { bytes += static_cast<int64_t>(piece.size()); }
};

inline void must(bool done) {
  if (!done) std::_Exit(1);
}

/// Where the bytes of the trace in progress are counted, and of all before it.
inline counting_sink trace_bytes;

/// Settings are those that one would leave on for days.
struct observer {
  const char* name;
  void (*on)();
  void (*off)();
};

inline constexpr int cpu_hz = 100;
inline constexpr int64_t block_ns = 10'000;
inline constexpr int mutex_fraction = 10;
inline constexpr size_t heap_rate = size_t{512} << 10;

inline constexpr observer observers[] = {
    // What the pairs themselves vary by.
    {"nothing", [] {}, [] {}},
    {"cpu", [] { must(weft::prof::start_cpu({.rate_hz = cpu_hz}).has_value()); },
     [] {
       counting_sink to;
       must(weft::prof::stop_cpu(to).has_value());
     }},
    {"wall", [] { must(weft::prof::start_wall().has_value()); },
     [] {
       counting_sink to;
       must(weft::prof::stop_wall(to).has_value());
     }},
    {"block_mutex",
     [] {
       weft::prof::set_block_rate(block_ns);
       weft::prof::set_mutex_fraction(mutex_fraction);
     },
     [] {
       weft::prof::set_block_rate(0);
       weft::prof::set_mutex_fraction(0);
     }},
    {"heap", [] { weft::prof::set_memory_rate(heap_rate); },
     [] { weft::prof::set_memory_rate(0); }},
    {"trace", [] { must(weft::trace::start(trace_bytes).has_value()); },
     [] { must(weft::trace::stop().has_value()); }},
    {"flight", [] { must(weft::trace::start_flight_recorder().has_value()); },
     [] { must(weft::trace::stop_flight_recorder().has_value()); }},
};

inline const observer* find_observer(std::string_view name) {
  const auto* found = std::find_if(std::begin(observers), std::end(observers),
                                   [&](const observer& o) { return o.name == name; });
  return found != std::end(observers) ? found : nullptr;
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// What `on` costs more than `off`: medians over pairs.
struct cost {
  double percent, amount;
};
class pairs_of {
 public:
  void add(double off, double on) {
    shares_.push_back(100 * (on / off - 1));
    amounts_.push_back(on - off);
  }
  [[nodiscard]] cost middle() const { return {median(shares_), median(amounts_)}; }

 private:
  std::vector<double> shares_, amounts_;
};

/// `off()` and `on()` by turns, and which of them goes first by turns too.
template <class Off, class On>
cost overhead(int pairs, Off off, On on) {
  pairs_of all;
  for (int i = 0; i < pairs; ++i) {
    double watched = 0;
    if (i % 2 != 0) watched = static_cast<double>(on());
    const auto plain = static_cast<double>(off());
    if (i % 2 == 0) watched = static_cast<double>(on());
    all.add(plain, watched);
  }
  return all.middle();
}

}  // namespace bench
