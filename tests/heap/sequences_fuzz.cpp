// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the heap: bytes are what some threads, or goroutines, do with it. Every object is
// filled and looked at before it goes; objects change hands; at the end all are freed, and the
// heap's invariants are looked at. With libFuzzer (WEFT_FUZZ), or from sequences_test.cpp.
//
//   first byte   how many there are, and whether they are goroutines
//   then         each has a share of the rest: an operation, what it does it to, and how large
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

#include "walk.hpp"
#include "weft/heap/alloc.hpp"
#include "weft/weft.hpp"

namespace {

struct block {
  unsigned char* at;
  size_t bytes;
  unsigned char fill;
};

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "sequence: %s\n", what);
  std::abort();
}

/// Bytes that are written and looked at: all of small objects, some of each page of large ones.
template <class F>
void each_place(const block& b, F f) {
  for (size_t i = 0; i < b.bytes; i += b.bytes > 4096 && i + 1024 < b.bytes ? 509 : 1) f(b.at[i]);
}
void fill(const block& b) {
  each_place(b, [&](unsigned char& place) { place = b.fill; });
}
void check(const block& b) {
  each_place(b, [&](unsigned char& place) { must(place == b.fill, "an object has changed"); });
}

/// The heap's own thread would move pages while they are walked over.
[[maybe_unused]] const int no_scavenger = ::setenv("WEFT_DEBUG", "noscavenger=1", 0);

/// Through which objects change hands. The records of blocks are the C library's.
std::array<std::atomic<block*>, 32> table;

void let_go(block* b) {
  if (b == nullptr) return;
  check(*b);
  weft::rt::heap_free(b->at);
  delete b;
}

class actor {
 public:
  actor(std::span<const uint8_t> program, bool goroutine)
      : program_{program}, goroutine_{goroutine} {}

  void run() {
    while (program_.size() >= 4) {
      step(program_[0], program_[1], static_cast<size_t>(program_[2] | program_[3] << 8));
      program_ = program_.subspan(4);
    }
    for (block* b : held_) let_go(b);
  }

 private:
  void step(unsigned operation, unsigned which, size_t amount) {
    switch (operation % 16) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        hold(weft::rt::heap_allocate(amount % 700), amount % 700, which);
        break;
      case 5:
        hold(weft::rt::heap_allocate(amount), amount, which);
        break;
      case 6:
        large(amount * (which % 16 == 0 ? 40 : 1), which);
        break;
      case 7:
        zeroed(amount % 4096 * (which % 16 == 0 ? 60 : 1), which);
        break;
      case 8:
        aligned(amount % 9000, size_t{1} << which % 17, which);
        break;
      case 9:
      case 10:
      case 11:
        let_go(take(which));
        break;
      case 12:
        resize(which, which % 16 == 0 ? amount * 10 : amount % 3000);
        break;
      case 13:
      case 14:
        swap(which);
        break;
      case 15:
        change(which);
        break;
    }
  }

  void hold(void* at, size_t bytes, unsigned with) {
    must(at != nullptr, "no memory");
    must(reinterpret_cast<uintptr_t>(at) % 16 == 0, "not aligned to 16");
    must(weft::rt::heap_usable_bytes(at) >= bytes, "less is usable than was asked for");
    held_.push_back(
        new block{static_cast<unsigned char*>(at), bytes, static_cast<unsigned char>(with)});
    fill(*held_.back());
  }
  void large(size_t bytes, unsigned with) { hold(weft::rt::heap_allocate(bytes), bytes, with); }
  void zeroed(size_t bytes, unsigned with) {
    auto* at = static_cast<unsigned char*>(weft::rt::heap_allocate_zeroed(bytes));
    check({at, bytes, 0});
    hold(at, bytes, with);
  }
  void aligned(size_t bytes, size_t alignment, unsigned with) {
    void* at = weft::rt::heap_allocate_aligned(bytes, alignment);
    must(reinterpret_cast<uintptr_t>(at) % alignment == 0, "not aligned as asked");
    hold(at, bytes, with);
  }
  block* take(unsigned which) {
    if (held_.empty()) return nullptr;
    block*& place = held_[which % held_.size()];
    block* taken = place;
    place = held_.back();
    held_.pop_back();
    return taken;
  }
  void resize(unsigned which, size_t bytes) {
    block* b = take(which);
    if (b == nullptr) return;
    check(*b);
    auto* at = static_cast<unsigned char*>(weft::rt::heap_reallocate(b->at, bytes));
    // What is looked at of the old size lies elsewhere in a large one; the small are all compared.
    if (b->bytes <= 4096) check({at, bytes < b->bytes ? bytes : b->bytes, b->fill});
    delete b;
    hold(at, bytes, which);
  }
  void swap(unsigned which) {
    block* b = take(which);
    if (b == nullptr) return;
    block* other = table[which % table.size()].exchange(b, std::memory_order_acq_rel);
    if (other != nullptr) held_.push_back(other);
  }
  /// Something about who runs here changes.
  void change(unsigned how) {
    if (how % 64 == 0) (void)weft::rt::heap_trim(0);
    if (goroutine_) {
      weft::yield();
    } else if (how % 8 == 1) {
      // A thread that ends leaves its spans, its batches and its inbox to others.
      std::thread([this] {
        for (unsigned i = 0; i < 40; ++i) {
          hold(weft::rt::heap_allocate(i * 16), i * 16, i);
          if (i % 3 == 0) let_go(take(i * 7));
        }
      }).join();
    }
  }

  std::span<const uint8_t> program_;
  bool goroutine_;
  std::vector<block*> held_;
};

void run_threads(std::vector<actor>& actors) {
  std::vector<std::thread> threads;
  for (actor& one : actors) threads.emplace_back([&one] { one.run(); });
  for (std::thread& thread : threads) thread.join();
}

void run_goroutines(std::vector<actor>& actors) {
  weft::run({.procs = 2}, [&] {
    weft::wait_group all;
    for (actor& one : actors) all.go([&one] { one.run(); });
    all.wait();
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 5) return 0;
  const size_t count = data[0] % 4 + 1;
  const bool goroutines = data[0] >= 192;
  const std::span<const uint8_t> rest{data + 1, size - 1};
  std::vector<actor> actors;
  for (size_t i = 0; i < count; ++i)
    actors.emplace_back(rest.subspan(i * (rest.size() / count), rest.size() / count), goroutines);
  // This thread does not allocate: when the others have ended, no cache has anything.
  std::thread([] { weft::rt::heap_free(weft::rt::heap_allocate(1)); }).join();
  const heap_test::heap_state before = heap_test::walk_heap();
  if (goroutines) {
    run_goroutines(actors);
  } else {
    run_threads(actors);
  }
  std::thread([] {
    for (auto& place : table) let_go(place.exchange(nullptr, std::memory_order_acq_rel));
  }).join();
  const heap_test::heap_state after = heap_test::walk_heap();
  // The runtime may keep what it allocated for goroutines; its threads stay.
  static bool runtime_ran = false;
  runtime_ran = runtime_ran || goroutines;
  if (!goroutines) {
    must(after.live_objects == before.live_objects, "an object was lost, or given twice");
    must(after.live_runs == before.live_runs, "a large object was lost, or given twice");
  }
  if (!runtime_ran) must(after.in_flight == 0, "a free object is in nobody's hands");
  return 0;
}
