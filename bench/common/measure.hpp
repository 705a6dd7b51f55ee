// SPDX-License-Identifier: Apache-2.0
// What every C++ benchmark program here shares: clocks, memory figures, a sink, one line of JSON.
//
// A program is called as `program ROW PROCS SCALE`. It warms up, measures once and prints one
// object; bench/run repeats, alternates the programs and forms the ratios. Counts are fixed per
// row and program (so that a run takes 0.3-1 s) and multiplied by SCALE.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace bench {

inline int64_t clock_ns(clockid_t id) noexcept {
  timespec now{};
  clock_gettime(id, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}
inline int64_t wall_ns() noexcept { return clock_ns(CLOCK_MONOTONIC); }
/// CPU time of all threads of the process.
inline int64_t cpu_ns() noexcept { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

/// Makes the compiler believe that `value` is used and memory may have changed.
template <class T>
inline void keep(const T& value) noexcept {
  asm volatile("" : : "r"(&value) : "memory");
}

/// How a program was called.
struct call {
  std::string row;
  int procs = 1;
  double scale = 1.0;

  /// `base` times the scale, at least `least`, rounded down to a multiple of `unit`.
  [[nodiscard]] int64_t count(int64_t base, int64_t unit = 1, int64_t least = 1) const noexcept {
    const auto scaled = static_cast<int64_t>(static_cast<double>(base) * scale);
    const int64_t floor = std::max(least, unit);
    return std::max(scaled, floor) / unit * unit;
  }
};

/// One measurement: operations, wall and CPU time, and any further named values.
class result {
 public:
  explicit result(const call& of) : of_{of} {}

  void start() noexcept {
    wall_ = wall_ns();
    cpu_ = cpu_ns();
  }
  void stop(int64_t ops) noexcept {
    cpu_ = cpu_ns() - cpu_;
    wall_ = wall_ns() - wall_;
    ops_ = ops;
  }
  [[nodiscard]] int64_t wall() const noexcept { return wall_; }
  void value(std::string name, double amount) { values_.emplace_back(std::move(name), amount); }

  void print(const char* program) const {
    std::printf(
        "{\"program\": \"%s\", \"row\": \"%s\", \"procs\": %d, \"ops\": %lld, "
        "\"wall_ns\": %lld, \"cpu_ns\": %lld",
        program, of_.row.c_str(), of_.procs, static_cast<long long>(ops_),
        static_cast<long long>(wall_), static_cast<long long>(cpu_));
    for (const auto& [name, amount] : values_) std::printf(", \"%s\": %.6g", name.c_str(), amount);
    std::printf("}\n");
    std::fflush(stdout);
  }

 private:
  call of_;
  int64_t ops_ = 0;
  int64_t wall_ = 0;
  int64_t cpu_ = 0;
  std::vector<std::pair<std::string, double>> values_;
};

/// p50 and p99 of samples in nanoseconds, as microseconds. Sorts the samples.
inline void latency_values(result& out, std::span<int64_t> samples) {
  if (samples.empty()) return;
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double q) {
    const auto last = static_cast<double>(samples.size() - 1);
    return static_cast<double>(samples[static_cast<size_t>(q * last)]) / 1000.0;
  };
  out.value("p50_us", at(0.50));
  out.value("p99_us", at(0.99));
  out.value("max_us", at(1.0));
}

/// Bytes of one "Name:   123 kB" line of /proc/self/status; 0 if there is none.
inline int64_t status_bytes(const char* name) {
  std::FILE* file = std::fopen("/proc/self/status", "r");
  if (file == nullptr) return 0;
  char line[256];
  int64_t kib = 0;
  const size_t length = std::strlen(name);
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::strncmp(line, name, length) == 0 && line[length] == ':') {
      kib = std::atoll(line + length + 1);
      break;
    }
  }
  std::fclose(file);
  return kib * 1024;
}

/// What a parked goroutine costs: resident memory and the page tables that map it.
struct memory {
  int64_t rss = status_bytes("VmRSS");
  int64_t page_tables = status_bytes("VmPTE");
};

/// A busy loop that makes no call the runtime could take for a scheduling point.
inline void spin_for(int64_t ns) noexcept {
  const int64_t until = wall_ns() + ns;
  uint64_t state = 1;
  while (wall_ns() < until) {
    for (int i = 0; i < 200; ++i) state = state * 6364136223846793005u + 1442695040888963407u;
    keep(state);
  }
}

/// Blocks the thread in libc, telling no runtime.
inline void block_for(int64_t ns) noexcept {
  timespec left{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  while (nanosleep(&left, &left) != 0) {
  }
}

/// A row of a program: its name and what runs it.
struct entry {
  const char* name;
  void (*run)(const call&);
};

/// main() of every program: finds the row and runs it. Exit code 64 means "no such row". `others`
/// runs rows whose names say more than a name, or returns false.
inline int dispatch(int argc, char** argv, std::span<const entry> rows,
                    bool (*others)(const call&) = nullptr) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    for (const entry& row : rows) std::printf("%s\n", row.name);
    return 0;
  }
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s ROW PROCS [SCALE] | --list\n", argv[0]);
    return 64;
  }
  call how{argv[1], std::max(1, std::atoi(argv[2])), argc > 3 ? std::atof(argv[3]) : 1.0};
  for (const entry& row : rows) {
    if (how.row == row.name) {
      row.run(how);
      return 0;
    }
  }
  if (others != nullptr && others(how)) return 0;
  std::fprintf(stderr, "%s: no row named '%s'\n", argv[0], argv[1]);
  return 64;
}

}  // namespace bench
