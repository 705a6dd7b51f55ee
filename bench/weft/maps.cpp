// SPDX-License-Identifier: Apache-2.0
// Rows `map:...` (bench/common/map_load.hpp), the hot key of the published table, atomic_value, and
// a cache of risk profiles under a steady load.
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "bench/common/map_load.hpp"
#include "bench/weft/rows.hpp"
#include "weft/heap/stats.hpp"
#include "weft/sync/atomic_value.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/rw_mutex.hpp"
#include "weft/sync/sharded_map.hpp"
#include "weft/sync/sync_map.hpp"
#include "weft/sync/wait_group.hpp"

namespace bench {
namespace {

struct sync_map_of_words {
  weft::sync_map<uint64_t, uint64_t> map;
  uint64_t load(uint64_t k) { return map.load(k).value_or(0); }
  void store(uint64_t k, uint64_t v) { map.store(k, v); }
};
struct sharded_map_of_words {
  weft::sharded_map<uint64_t, uint64_t> map;
  uint64_t load(uint64_t k) { return map.load(k).value_or(0); }
  void store(uint64_t k, uint64_t v) { map.store(k, v); }
};
struct rw_mutex_and_map {
  weft::rw_mutex lock;
  std::unordered_map<uint64_t, uint64_t> map;
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

/// The same with values of 256 bytes, of which a store changes one word.
struct wide {
  uint64_t words[32] = {};
};
struct sync_map_of_wide {
  weft::sync_map<uint64_t, wide> map;
  uint64_t load(uint64_t k) {
    uint64_t found = 0;
    map.read(k, [&](const wide& w) { found = w.words[7]; });
    return found;
  }
  void store(uint64_t k, uint64_t v) {
    wide next = map.load(k).value_or(wide{});
    next.words[7] = v;
    map.store(k, next);
  }
};
struct sharded_map_of_wide {
  weft::sharded_map<uint64_t, wide> map;
  uint64_t load(uint64_t k) {
    uint64_t found = 0;
    map.read(k, [&](const wide& w) { found = w.words[7]; });
    return found;
  }
  void store(uint64_t k, uint64_t v) {
    map.update(k, [v](wide& w) { w.words[7] = v; });
  }
};
struct rw_mutex_and_map_of_wide {
  weft::rw_mutex lock;
  std::unordered_map<uint64_t, wide> map;
  uint64_t load(uint64_t k) {
    const std::shared_lock held(lock);
    const auto at = map.find(k);
    return at != map.end() ? at->second.words[7] : 0;
  }
  void store(uint64_t k, uint64_t v) {
    const std::lock_guard held(lock);
    map[k].words[7] = v;
  }
};

const auto in_goroutines = [](uint32_t workers, const auto& f) {
  weft::wait_group all;
  for (uint32_t w = 0; w < workers; ++w) all.go([&f, w] { f(w); });
  all.wait();
};

template <class Map>
void measure_map(const call& how, const maps::load& of) {
  Map map;
  maps::measure(how, of, map, in_goroutines, program);
}

/// ns of wall time for one of `ops` calls of `f`, shared by so many goroutines.
template <class F>
double each_ns(uint32_t workers, int64_t ops, const F& f) {
  const int64_t began = wall_ns();
  in_goroutines(workers, [&](uint32_t) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < ops / workers; ++i) sum += f();
    keep(sum);
  });
  return static_cast<double>(wall_ns() - began) / static_cast<double>(ops);
}

struct config {
  uint64_t limit[8] = {};
};

}  // namespace

bool map_cells(const call& how) {
  maps::load of;
  if (!maps::parse(how.row, of)) return false;
  bool known = true;
  run_weft(how.procs, [&] {
    if (of.kind == "sync_map")
      measure_map<sync_map_of_words>(how, of);
    else if (of.kind == "sharded_map")
      measure_map<sharded_map_of_words>(how, of);
    else if (of.kind == "rw_mutex")
      measure_map<rw_mutex_and_map>(how, of);
    else if (of.kind == "sync_map_256")
      measure_map<sync_map_of_wide>(how, of);
    else if (of.kind == "sharded_map_256")
      measure_map<sharded_map_of_wide>(how, of);
    else if (of.kind == "rw_mutex_256")
      measure_map<rw_mutex_and_map_of_wide>(how, of);
    else
      known = false;
  });
  return known;
}

void hot_key(const call& how) {
  run_weft(how.procs, [&] {
    const std::string key = "config";
    config stored;
    weft::sync_map<std::string, config*> map;
    map.store(key, &stored);
    weft::rw_mutex lock;
    std::unordered_map<std::string, config*> plain{{key, &stored}};
    weft::atomic_value<config> value;
    const int64_t ops = how.count(1'000'000, 64);
    result out{how};
    out.start();
    for (const uint32_t workers : {1U, 2U, 8U, 64U}) {
      const auto measure = [&](const char* name, const auto& f) {
        (void)each_ns(workers, ops / 10, f);
        out.value(name + std::to_string(workers), each_ns(workers, ops, f));
      };
      measure("sync_map_", [&] { return (*map.load(key))->limit[3]; });
      measure("rw_mutex_", [&] {
        const std::shared_lock held(lock);
        return plain.find(key)->second->limit[3];
      });
      measure("value_", [&] { return value.read([](const config& c) { return c.limit[3]; }); });
    }
    out.stop(12 * ops);
    out.print(program);
  });
}

void value_read(const call& how) {
  run_weft(how.procs, [&] {
    weft::atomic_value<config> value;
    const auto read_all = [&](int64_t reads) {
      in_goroutines(static_cast<uint32_t>(how.procs), [&](uint32_t) {
        uint64_t sum = 0;
        for (int64_t i = 0; i < reads / how.procs; ++i)
          sum += value.read([](const config& c) { return c.limit[3]; });
        keep(sum);
      });
    };
    const int64_t reads = how.count(100'000'000, 2);
    read_all(reads / 10);
    result out{how};
    out.start();
    read_all(reads);
    out.stop(reads);
    out.print(program);
  });
}

// --- 12,000 requests a second; each looks at 16 of 100,000 risk profiles, and changes one ---

namespace {

struct profile {
  uint64_t seen = 0;
  uint64_t history[31] = {};
};

/// What a request does with a profile.
uint64_t judge(const profile& p) {
  uint64_t sum = p.seen;
  for (const uint64_t one : p.history) sum = sum * 31 + one;
  return sum;
}

struct one_mutex {
  weft::mutex lock;
  std::unordered_map<uint64_t, profile> map;
  uint64_t look(uint64_t k) {
    const std::lock_guard held(lock);
    const auto at = map.find(k);
    return at != map.end() ? judge(at->second) : 0;
  }
  void change(uint64_t k) {
    const std::lock_guard held(lock);
    ++map[k].seen;
  }
};
struct one_lock {
  weft::rw_mutex lock;
  std::unordered_map<uint64_t, profile> map;
  uint64_t look(uint64_t k) {
    const std::shared_lock held(lock);
    const auto at = map.find(k);
    return at != map.end() ? judge(at->second) : 0;
  }
  void change(uint64_t k) {
    const std::lock_guard held(lock);
    ++map[k].seen;
  }
};
struct many_locks {
  weft::sharded_map<uint64_t, profile> map;
  uint64_t look(uint64_t k) {
    uint64_t sum = 0;
    map.read(k, [&](const profile& p) { sum = judge(p); });
    return sum;
  }
  void change(uint64_t k) {
    map.update(k, [](profile& p) { ++p.seen; });
  }
};
struct no_lock {
  weft::sync_map<uint64_t, profile> map;
  uint64_t look(uint64_t k) {
    uint64_t sum = 0;
    map.read(k, [&](const profile& p) { sum = judge(p); });
    return sum;
  }
  void change(uint64_t k) {
    profile next = map.load(k).value_or(profile{});
    ++next.seen;
    map.store(k, next);
  }
};

/// As the heap's samples tell, so only in weft-malloc-bench, and with WEFT_DEBUG=memprofilerate=1
/// or some bytes more, which makes everything slow.
int64_t allocations() {
  int64_t sum = 0;
  weft::heap_profile([&sum](const weft::heap_profile_record& each) { sum += each.total_objects; });
  return sum;
}

template <class Cache>
void serve(const call& how, int64_t per_ms) {
  using namespace std::chrono_literals;
  run_weft(how.procs, [&] {
    const int64_t ms = how.count(2000);
    Cache cache;
    const maps::load of{"", 100'000, true, false};
    const std::vector<uint32_t> drawn = maps::draw(of);
    for (uint32_t i = 0; i < of.keys; ++i) cache.change(maps::key_of(i));
    std::vector<int64_t> latency(static_cast<size_t>(ms * per_ms));
    result out{how};
    const int64_t allocated = allocations();
    out.start();
    const int64_t began = wall_ns();
    weft::wait_group all;
    for (int64_t t = 0; t < ms; ++t) {
      const int64_t due = began + t * 1'000'000;
      const int64_t left = due - wall_ns();
      if (left > 0) weft::sleep_for(std::chrono::nanoseconds(left));
      for (int64_t r = t * per_ms; r < (t + 1) * per_ms; ++r)
        all.go([&, r, due] {
          uint64_t sum = 0;
          const auto at = [&](int64_t i) {
            const auto n = static_cast<size_t>(r * 17 + i) & (drawn.size() - 1);
            return maps::key_of(drawn[n] & 0xffffff);
          };
          for (int64_t i = 0; i < 16; ++i) sum += cache.look(at(i));
          cache.change(at(16));
          keep(sum);
          latency[static_cast<size_t>(r)] = wall_ns() - due;
        });
    }
    all.wait();
    out.stop(ms * per_ms);
    out.value("allocations_per_op",
              static_cast<double>(allocations() - allocated) / static_cast<double>(ms * per_ms));
    latency_values(out, latency);
    out.print(program);
  });
}

}  // namespace

void story_mutex(const call& how) { serve<one_mutex>(how, 12); }
void story_rw_mutex(const call& how) { serve<one_lock>(how, 12); }
void story_sharded_map(const call& how) { serve<many_locks>(how, 12); }
void story_sync_map(const call& how) { serve<no_lock>(how, 12); }
void storm_mutex(const call& how) { serve<one_mutex>(how, 100); }
void storm_rw_mutex(const call& how) { serve<one_lock>(how, 100); }
void storm_sharded_map(const call& how) { serve<many_locks>(how, 100); }
void storm_sync_map(const call& how) { serve<no_lock>(how, 100); }

}  // namespace bench
