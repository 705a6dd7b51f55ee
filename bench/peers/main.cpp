// SPDX-License-Identifier: Apache-2.0
// peer-bench ROW PROCS SCALE: the rows `map:...` for concurrent maps that Debian packages, with
// threads for workers, where PROCS is not used: the kernel spreads the threads. And the rows
// `rw_read...:LOCK` for readers' locks, with PROCS threads.
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_map>

#include "bench/common/map_load.hpp"

#if __has_include(<tbb/concurrent_hash_map.h>)
#include <tbb/concurrent_hash_map.h>
#include <tbb/spin_rw_mutex.h>
#define HAVE_TBB 1
#endif
#if __has_include(<absl/container/flat_hash_map.h>)
#include <absl/container/flat_hash_map.h>
#define HAVE_ABSL 1
#endif

namespace {

template <class Plain>
struct locked {
  std::shared_mutex lock;
  Plain map;
  uint64_t load(uint64_t k) {
    const std::shared_lock held(lock);
    const auto at = map.find(k);
    return at != map.end() ? at->second : 0;
  }
  void store(uint64_t k, uint64_t v) {
    const std::lock_guard held(lock);
    map[k] = v;
  }
};

/// 64 of them, as our sharded_map.
template <class Plain>
struct sharded {
  struct alignas(64) shard : locked<Plain> {};
  shard shards[64];
  shard& of(uint64_t k) { return shards[k >> 32 & 63]; }
  uint64_t load(uint64_t k) { return of(k).load(k); }
  void store(uint64_t k, uint64_t v) { of(k).store(k, v); }
};

#ifdef HAVE_TBB
struct tbb_map {
  tbb::concurrent_hash_map<uint64_t, uint64_t> map;
  uint64_t load(uint64_t k) {
    decltype(map)::const_accessor at;
    return map.find(at, k) ? at->second : 0;
  }
  void store(uint64_t k, uint64_t v) {
    decltype(map)::accessor at;
    map.insert(at, k);
    at->second = v;
  }
};
#endif

const auto in_threads = [](uint32_t workers, const auto& f) {
  std::vector<std::thread> all;
  for (uint32_t w = 0; w < workers; ++w) all.emplace_back([&f, w] { f(w); });
  for (std::thread& one : all) one.join();
};

template <class Map>
void measure(const bench::call& how, const bench::maps::load& of) {
  auto map = std::make_unique<Map>();
  bench::maps::measure(how, of, *map, in_threads, "peers");
}

#ifdef HAVE_TBB
/// With the standard's names.
struct tbb_lock : tbb::spin_rw_mutex {};
#endif

template <class Lock>
void sections(Lock& lock, int64_t& shared, int threads, int64_t ops, int64_t write_every) {
  in_threads(static_cast<uint32_t>(threads), [&, each = ops / threads](uint32_t) {
    int64_t sum = 0;
    int64_t until_write = write_every;
    for (int64_t i = 0; i < each; ++i) {
      if (write_every != 0 && --until_write == 0) {
        until_write = write_every;
        const std::lock_guard held(lock);
        ++shared;
        continue;
      }
      lock.lock_shared();
      sum += shared;
      lock.unlock_shared();
    }
    bench::keep(sum);
  });
}

template <class Lock>
void measure_lock(const bench::call& how, int64_t write_every) {
  Lock lock;
  int64_t shared = 0;
  const int64_t ops = how.count(20'000'000, how.procs);
  sections(lock, shared, how.procs, ops / 10 + how.procs, write_every);
  bench::result out{how};
  out.start();
  sections(lock, shared, how.procs, ops, write_every);
  out.stop(ops);
  out.print("peers");
}

/// 64: no such row.
int measure_locks(const bench::call& how) {
  const size_t colon = how.row.find(':');
  if (colon == std::string::npos) return 64;
  const std::string row = how.row.substr(0, colon);
  const std::string lock = how.row.substr(colon + 1);
  if (row != "rw_read" && row != "rw_read_mostly" && row != "rw_read_write") return 64;
  const int64_t write_every = row == "rw_read" ? 0 : row == "rw_read_mostly" ? 1000 : 100;
  if (lock == "std") measure_lock<std::shared_mutex>(how, write_every);
#ifdef HAVE_TBB
  else if (lock == "tbb")
    measure_lock<tbb_lock>(how, write_every);
#endif
  else
    return 64;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2 && std::string(argv[1]).starts_with("rw_"))
    return measure_locks(
        {argv[1], std::max(1, std::atoi(argv[2])), argc > 3 ? std::atof(argv[3]) : 1.0});
  const bench::call how{argc > 1 ? argv[1] : "", 0, argc > 3 ? std::atof(argv[3]) : 1.0};
  bench::maps::load of;
  if (!bench::maps::parse(how.row, of)) return 64;
  using plain = std::unordered_map<uint64_t, uint64_t>;
  if (of.kind == "shared_mutex") measure<locked<plain>>(how, of);
#ifdef HAVE_ABSL
  else if (of.kind == "absl")
    measure<sharded<absl::flat_hash_map<uint64_t, uint64_t>>>(how, of);
#endif
#ifdef HAVE_TBB
  else if (of.kind == "tbb")
    measure<tbb_map>(how, of);
#endif
  else
    return 64;
  return 0;
}
