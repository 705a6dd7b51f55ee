// SPDX-License-Identifier: Apache-2.0
// What is raced for: containers, neighbours, pointers, atomics.
#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cases.hpp"

namespace {

/// Runs `f` in a goroutine, and `g` here, one after the other and unordered.
template <class F, class G>
void unordered(F f, G g) {
  unseen::flag done;
  weft::go([&] {
    f();
    done.set();
  });
  done.wait();
  g();
}

/// The same, joined at the end: what both used may go then.
template <class F, class G>
void joined(F f, G g) {
  auto other = weft::spawn(f);
  g();
  other.join();
}

}  // namespace

RACY(map_insert_and_insert) {
  std::map<int, int> m;
  unordered([&] { m[1] = 1; }, [&] { m[2] = 2; });
}

RACY(map_find_beside_insert) {
  std::map<int, int> m;
  unordered([&] { m[1] = 1; }, [&] { (void)m.contains(1); });
}

RACY(vector_push_back) {
  std::vector<int> v;
  v.reserve(8);
  unordered([&] { v.push_back(1); }, [&] { v.push_back(2); });
}

RACY(vector_element) {
  std::vector<int> v(4);
  unordered([&] { v[2] = 1; }, [&] { v[2] = 2; });
}

CLEAN(vector_neighbours) {
  std::vector<int> v(4);
  joined([&] { v[2] = 1; }, [&] { v[1] = 2; });
}

RACY(string_append) {
  std::string s(40, 'x');
  unordered([&] { s += 'y'; }, [&] { s += 'z'; });
}

RACY(struct_field) {
  struct {
    word a = 0;
    word b = 0;
  } s;
  unordered([&] { s.b = 1; }, [&] { s.b = 2; });
}

CLEAN(struct_neighbours) {
  struct {
    word a = 0;
    word b = 0;
  } s;
  joined([&] { s.a = 1; }, [&] { s.b = 2; });
}

CLEAN(bytes_beside_each_other) {
  volatile char bytes[8] = {};
  joined([&] { bytes[3] = 1; }, [&] { bytes[4] = 1; });
}

CLEAN(reading_together) {
  word x = 5;
  joined([&] { return x == 1; }, [&] { return x == 2; });
}

RACY(heap_object) {
  auto p = std::make_unique<int>(0);
  word& x = *p;
  unordered([&] { x = 1; }, [&] { x = 2; });
}

RACY(freed_by_another) {
  auto* p = new int(0);
  word& x = *p;
  unordered([&] { x = 1; }, [&] { delete p; });
}

RACY(pointer_itself) {
  static int target;
  int* volatile p = nullptr;
  unordered([&] { p = &target; }, [&] { p = nullptr; });
}

static word global;
RACY(global_variable) {
  unordered([] { global = 1; }, [] { global = 2; });
}

RACY(channel_handle_itself) {
  auto c = weft::make_chan<int>(1);
  auto other = weft::make_chan<int>(1);
  unordered([&] { c = other; }, [&] { (void)c.cap(); });
}

RACY(read_modify_write) {
  word x = 0;
  unordered([&] { x = x + 1; }, [&] { x = x + 1; });
}

RACY(memcpy_over) {
  char text[64] = {};
  const std::string from(64, 'x');
  volatile size_t length = from.size();
  unordered([&] { std::copy_n(from.data(), length, text); },
            [&] { std::copy_n(from.data(), length, text); });
  if (text[3] != 'x') weft::panic("copy");
}

// --- atomics: C++'s orders hold as ever ---------------------------------------------------------

CLEAN(atomic_counter) {
  std::atomic<int> n{0};
  weft::wait_group all;
  for (int g = 0; g < 4; ++g) all.go([&] { n.fetch_add(1); });
  all.wait();
  if (n != 4) weft::panic("count");
}

CLEAN(atomic_release_and_acquire) {
  word x = 0;
  std::atomic<bool> ready{false};
  weft::go([&] {
    x = 1;
    ready.store(true, std::memory_order_release);
  });
  while (!ready.load(std::memory_order_acquire)) weft::yield();
  x = 2;
}

RACY(atomic_relaxed) {
  // Apart: ThreadSanitizer remembers four accesses to eight bytes, and polling is one of them.
  alignas(64) word x = 0;
  alignas(64) std::atomic<bool> ready{false};
  weft::go([&] {
    x = 1;
    ready.store(true, std::memory_order_relaxed);
  });
  while (!ready.load(std::memory_order_relaxed)) weft::yield();
  x = 2;
}

RACY(atomic_and_plain) {
  std::atomic<int> n{0};
  unordered([&] { n.store(1); }, [&] { *reinterpret_cast<word*>(&n) = 2; });
}

CLEAN(shared_ptr_of_const) {
  auto p = std::make_shared<const std::string>(100, 'x');
  weft::wait_group all;
  for (int g = 0; g < 4; ++g) all.go([p] { return p->size(); });
  p.reset();
  all.wait();
}
