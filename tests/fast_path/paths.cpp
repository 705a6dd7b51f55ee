// SPDX-License-Identifier: Apache-2.0
// The hot paths. Each is warm when it is counted, and takes no turn that depends on time.
#include "paths.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "weft/heap/alloc.hpp"
#include "weft/sched/internal/run_queue.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/weft.hpp"

namespace fast_path {
namespace {

using namespace std::chrono_literals;

template <class T>
inline __attribute__((always_inline)) void keep(const T& value) noexcept {
  asm volatile("" : : "r"(&value) : "memory");
}

/// Counts `count` times `operation`.
template <class F>
inline __attribute__((always_inline)) void repeat(int count, F operation) {
  begin();
  for (int i = 0; i < count; ++i) operation();
  end();
}

// --- base and sched ------------------------------------------------------------------------------

void section(int count) {
  repeat(count, [] {
    const weft::rt::section inside;
    keep(inside);
  });
}

using queue = weft::rt::run_queue<int, 256>;
int thing = 0;

template <bool Alone>
void queue_put_get(int count) {
  static queue q;
  repeat(count, [] {
    keep(q.push(&thing));
    keep(q.pop(Alone));
  });
}

template <bool Alone>
void queue_next(int count) {
  static queue q;
  repeat(count, [] {
    keep(q.exchange_next(&thing, Alone));
    keep(q.take_next(Alone));
  });
}

/// Two goroutines that give way to each other: an operation is one yield with its switch.
void yield(int count) {
  bool stop = false;
  bool ended = false;
  weft::go([&] {
    while (!stop) weft::yield();
    ended = true;
  });
  weft::yield();
  repeat(count, [] { weft::yield(); });
  stop = true;
  while (!ended) weft::yield();
}

/// go() alone: the goroutines run later.
void spawn(int count) {
  int ran = 0;
  repeat(count, [&] { weft::go([&ran] { ++ran; }); });
  while (ran != count) weft::yield();
}

/// The whole life of a goroutine: go(), the switch to it, its end, the switch back.
void spawn_run(int count) {
  int ran = 0;
  repeat(count, [&] {
    weft::go([&ran] { ++ran; });
    weft::yield();
  });
  while (ran != count) weft::yield();
}

// --- heap ----------------------------------------------------------------------------------------

/// malloc and free of 16 bytes.
void heap_pair(int count) {
  repeat(count, [] {
    void* object = weft::rt::heap_allocate(16);
    keep(object);
    weft::rt::heap_free(object);
  });
}

/// Eight at a time, of 64 bytes.
void heap_eight(int count) {
  void* held[8];
  repeat(count, [&] {
    for (void*& object : held) object = weft::rt::heap_allocate(64);
    keep(held);
    for (void* object : held) weft::rt::heap_free(object);
  });
}

// --- sync ----------------------------------------------------------------------------------------

void chan_send(int count) {
  auto ch = weft::make_chan<int64_t>(static_cast<size_t>(count));
  repeat(count, [&] { ch.send(1); });
}

void chan_recv(int count) {
  auto ch = weft::make_chan<int64_t>(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) ch.send(i);
  repeat(count, [&] { keep(ch.recv()); });
}

/// There and back over two unbuffered channels: four parks or wake-ups, two switches.
void chan_round_trip(int count) {
  auto there = weft::make_chan<int64_t>();
  auto back = weft::make_chan<int64_t>();
  weft::go([=] {
    while (const auto value = there.recv()) back.send(*value);
    back.close();
  });
  there.send(0);
  keep(back.recv());
  repeat(count, [&] {
    there.send(1);
    keep(back.recv());
  });
  there.close();
  keep(back.recv());
}

/// Two channels, both ready: which one is chosen does not matter to the count.
void select_ready(int count) {
  auto a = weft::make_chan<int64_t>(1);
  auto b = weft::make_chan<int64_t>(1);
  a.send(1);
  b.send(1);
  repeat(count, [&] {
    weft::select(weft::on_recv(a, [&](std::optional<int64_t>) { a.send(1); }),
                 weft::on_recv(b, [&](std::optional<int64_t>) { b.send(1); }));
  });
}

void select_otherwise(int count) {
  auto a = weft::make_chan<int64_t>(1);
  auto b = weft::make_chan<int64_t>(1);
  repeat(count,
         [&] { keep(weft::select(weft::on_recv(a), weft::on_recv(b), weft::otherwise([] {}))); });
}

void mutex(int count) {
  weft::mutex m;
  repeat(count, [&] {
    m.lock();
    m.unlock();
  });
}

void rw_mutex_shared(int count) {
  weft::rw_mutex m;
  repeat(count, [&] {
    m.lock_shared();
    m.unlock_shared();
  });
}

void pool(int count) {
  weft::pool<int> p;
  p.put(std::make_unique<int>(1));
  repeat(count, [&] { p.put(p.get()); });
}

void sync_map_load(int count) {
  weft::sync_map<int, int> map;
  map.store(1, 1);
  repeat(count, [&] { keep(map.load(1)); });
}

void sync_map_store(int count) {
  weft::sync_map<int, int> map;
  map.store(1, 1);
  repeat(count, [&] { map.store(1, 2); });
}

void atomic_value_read(int count) {
  weft::atomic_value<std::pair<int64_t, int64_t>> value;
  repeat(count, [&] { keep(value.read([](const auto& v) { return v.second; })); });
}

void wait_group(int count) {
  weft::wait_group all;
  all.add(1);
  repeat(count, [&] {
    all.add(1);
    all.done();
  });
  all.done();
}

void timer_cancel(int count) {
  repeat(count, [] {
    weft::timer one{1h};
    keep(one.stop());
  });
}

constexpr path alone[] = {
    {"section", section},
    {"queue_put_get", queue_put_get<false>},
    {"queue_put_get_alone", queue_put_get<true>},
    {"queue_next", queue_next<false>},
    {"queue_next_alone", queue_next<true>},
    {"yield", yield, 2},
    {"spawn", spawn},
    {"spawn_run", spawn_run},
    {"heap_pair", heap_pair},
    {"heap_eight", heap_eight, 8},
    {"chan_send", chan_send},
    {"chan_recv", chan_recv},
    {"chan_round_trip", chan_round_trip},
    {"select_ready", select_ready},
    {"select_otherwise", select_otherwise},
    {"mutex", mutex},
    {"rw_mutex_shared", rw_mutex_shared},
    {"pool", pool},
    {"sync_map_load", sync_map_load},
    {"sync_map_store", sync_map_store},
    {"atomic_value_read", atomic_value_read},
    {"wait_group", wait_group},
    {"timer_cancel", timer_cancel},
};

// What is different when another P might steal.
constexpr path shared[] = {
    {"yield_shared", yield, 2},
    {"spawn_shared", spawn},
    {"spawn_run_shared", spawn_run},
    {"chan_round_trip_shared", chan_round_trip},
};

}  // namespace

std::span<const path> paths_alone() { return alone; }
std::span<const path> paths_shared() { return shared; }

}  // namespace fast_path
