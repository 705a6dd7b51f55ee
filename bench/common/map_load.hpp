// SPDX-License-Identifier: Apache-2.0
// The load that every concurrent map gets, in goroutines and in threads: which keys, how many of
// them are written, and the cells of one measurement.
//
// A row is called `map:KIND:KEYS:DISTRIBUTION:CELLS`: `map:sync_map:1k:zipf:all`. The map is filled
// once; then each cell (so many per cent are loads, so many workers) runs for a fixed number of
// operations. The result has `w_R_G` and `c_R_G`: ns of wall and CPU time per operation at R per
// cent loads with G workers. Keys and the choice between load and store are drawn beforehand.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "bench/common/measure.hpp"

namespace bench::maps {

struct load {
  std::string kind;
  uint32_t keys = 0;
  bool zipf = false;
  bool all = false;  // every cell; else those of the project's anchors
};

inline bool parse(const std::string& row, load& out) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= row.size();) {
    const size_t end = std::min(row.find(':', at), row.size());
    parts.push_back(row.substr(at, end - at));
    at = end + 1;
  }
  if (parts.size() != 5 || parts[0] != "map") return false;
  out = {parts[1], parts[2] == "1M" ? 1'000'000U : 1000U, parts[3] == "zipf", parts[4] == "all"};
  return true;
}

inline uint64_t key_of(uint32_t index) { return index * 0x9e3779b97f4a7c15U; }

/// Low 24 bits: a key's index. High 8: a number below 100.
inline std::vector<uint32_t> draw(const load& of) {
  std::vector<uint32_t> drawn(of.keys > 1000 ? 1U << 20 : 1U << 16);
  std::mt19937 random(1);
  std::vector<double> below;  // zipf with exponent 0.99, as YCSB's
  if (of.zipf) {
    double sum = 0;
    for (uint32_t i = 0; i < of.keys; ++i)
      below.push_back(sum += std::pow(static_cast<double>(i + 1), -0.99));
  }
  for (uint32_t& one : drawn) {
    uint32_t index = random() % of.keys;
    if (of.zipf) {
      const double at = std::uniform_real_distribution<>(0, below.back())(random);
      index =
          static_cast<uint32_t>(std::lower_bound(below.begin(), below.end(), at) - below.begin());
    }
    one = index | (random() % 100) << 24;
  }
  return drawn;
}

/// One worker's share. Map: `uint64_t load(uint64_t)`, `void store(uint64_t, uint64_t)`.
template <class Map>
void work(Map& map, const std::vector<uint32_t>& drawn, uint32_t worker, int64_t ops,
          uint32_t loads) {
  const uint32_t mask = static_cast<uint32_t>(drawn.size()) - 1;
  uint32_t at = worker * 7919;
  uint64_t sum = 0;
  for (int64_t i = 0; i < ops; ++i) {
    const uint32_t one = drawn[at++ & mask];
    const uint64_t key = key_of(one & 0xffffff);
    if (one >> 24 < loads)
      sum += map.load(key);
    else
      map.store(key, static_cast<uint64_t>(i));
  }
  keep(sum);
}

/// `together(n, f)` runs f(0) to f(n - 1) in workers at the same time and waits for them.
template <class Map, class Together>
void measure(const call& how, const load& of, Map& map, const Together& together,
             const char* program) {
  const std::vector<uint32_t> drawn = draw(of);
  for (uint32_t i = 0; i < of.keys; ++i) map.store(key_of(i), i);
  const int64_t ops = how.count(of.keys > 1000 ? 300'000 : 1'000'000, 64);
  result out{how};
  double first_wall = 0;  // of one worker, loads only
  double first_cpu = 0;   // of one worker
  double most_at_64 = 0;  // of CPU time, against one worker
  for (const uint32_t loads : {100U, 99U, 95U, 70U, 50U}) {
    for (const uint32_t workers : {1U, 2U, 8U, 64U}) {
      if (!of.all && (workers == 8 || loads == 99 || loads == 70)) continue;
      const auto run = [&](int64_t all) {
        together(workers, [&](uint32_t w) { work(map, drawn, w, all / workers, loads); });
      };
      run(ops / 10);
      out.start();
      const int64_t wall_began = wall_ns();
      const int64_t cpu_began = cpu_ns();
      run(ops);
      const double wall = static_cast<double>(wall_ns() - wall_began) / static_cast<double>(ops);
      const double cpu = static_cast<double>(cpu_ns() - cpu_began) / static_cast<double>(ops);
      const std::string cell = std::to_string(loads) + "_" + std::to_string(workers);
      out.value("w_" + cell, wall);
      out.value("c_" + cell, cpu);
      if (loads == 100 && workers == 1) first_wall = wall;
      if (loads == 100 && workers == 2) out.value("two_to_one", wall / first_wall);
      if (workers == 1) first_cpu = cpu;
      if (workers == 64) most_at_64 = std::max(most_at_64, cpu / first_cpu);
    }
  }
  out.stop(ops);
  out.value("many_to_one", most_at_64);
  out.print(program);
}

}  // namespace bench::maps
