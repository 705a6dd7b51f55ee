// SPDX-License-Identifier: Apache-2.0
// atomic_value: words and boxes, alone and with others at it.
#include "weft/sync/atomic_value.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "weft/base/sanitizer.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

constexpr int scale = weft::rt::sanitizer::address || weft::rt::sanitizer::thread ? 1 : 10;

TEST(AtomicValue, HoldsADefaultValueBeforeTheFirstStore) {
  EXPECT_EQ(weft::atomic_value<int>().load(), 0);
  EXPECT_EQ(weft::atomic_value<std::string>().load(), "");
  struct no_default {
    explicit no_default(int) {}
  };
  static_assert(!std::is_default_constructible_v<weft::atomic_value<no_default>>);
}

template <class T>
void has_all_operations(T a, T b, T c) {
  weft::atomic_value<T> v(a);
  EXPECT_EQ(v.load(), a);
  v.store(b);
  EXPECT_EQ(v.swap(c), b);
  EXPECT_FALSE(v.compare_and_swap(b, a));
  EXPECT_TRUE(v.compare_and_swap(c, a));
  EXPECT_TRUE(v.update([&](T& value) {
    EXPECT_EQ(value, a);
    value = b;
  }));
  EXPECT_FALSE(v.update([&](T& value) {
    value = c;
    return false;
  }));
  EXPECT_THROW(v.update([](T&) { throw std::runtime_error("no"); }), std::runtime_error);
  EXPECT_EQ(v.read([](const T& value) { return value; }), b);
}
TEST(AtomicValue, HasAllOperations) {
  has_all_operations<int>(1, 2, 3);
  has_all_operations<double>(1.5, 2.5, 3.5);
  has_all_operations<std::string>("a", "b", "c");
  has_all_operations<std::vector<int>>({1}, {2}, {3});
}

TEST(AtomicValue, HoldsWhatCannotBeCopied) {
  weft::atomic_value<std::unique_ptr<int>> v(std::make_unique<int>(1));
  v.store(std::make_unique<int>(2));
  EXPECT_EQ(v.read([](const std::unique_ptr<int>& p) { return *p; }), 2);
}

struct counted {
  counted() { ++alive; }
  counted(const counted& other) : number(other.number) { ++alive; }
  counted& operator=(const counted&) = delete;
  ~counted() { --alive; }
  int number = 0;
  static std::atomic<int> alive;
};
std::atomic<int> counted::alive{0};

TEST(AtomicValue, KeepsFewOldValuesAndNoneAfterItsEnd) {
  {
    weft::atomic_value<counted> v;
    for (int i = 0; i < 5000; ++i) v.store(counted());
    EXPECT_LE(counted::alive, 1 + static_cast<int>(weft::rt::garbage_batch));
  }
  EXPECT_EQ(counted::alive, 0);
}

template <class T, class Next>
void no_update_is_lost(Next next) {
  weft::run({.procs = 4}, [&] {
    weft::atomic_value<T> v;
    const int each = 500 * scale;
    weft::wait_group all;
    for (int g = 0; g < 4; ++g)
      all.go([&] {
        for (int i = 0; i < each; ++i)
          v.update([&](T& value) {
            if (i % 64 == 0) weft::yield();
            next(value);
          });
      });
    std::thread guest([&] {
      for (int i = 0; i < each; ++i) v.update(next);
    });
    all.wait();
    guest.join();
    T sum{};
    for (int i = 0; i < 5 * each; ++i) next(sum);
    EXPECT_EQ(v.load(), sum);
  });
}
TEST(AtomicValue, NoUpdateIsLost) {
  no_update_is_lost<int>([](int& n) { ++n; });
  no_update_is_lost<std::vector<int>>([](std::vector<int>& v) {
    v.resize(3);
    ++v[0];
    v[2] = -v[0];
  });
}

TEST(AtomicValue, ReadersSeeWholeValues) {
  struct wide {
    explicit wide(int n) {
      for (int& i : of) i = n;
    }
    ~wide() {
      for (int& i : of) i = -1;
    }
    wide(const wide&) = default;
    bool operator==(const wide&) const = default;
    [[nodiscard]] bool whole() const {
      for (const int i : of)
        if (i != of[0] || i < 0) return false;
      return true;
    }
    int of[16];
  };
  weft::run({.procs = 4}, [] {
    weft::atomic_value<wide> v(wide(0));
    std::atomic<bool> done{false};
    weft::wait_group readers;
    for (int g = 0; g < 4; ++g)
      readers.go([&] {
        int last = 0;
        while (!done) {
          for (int i = 0; i < 100; ++i) {
            ASSERT_TRUE(v.load().whole());
            const int now = v.read([](const wide& w) {
              EXPECT_TRUE(w.whole());
              return w.of[3];
            });
            ASSERT_GE(now, last);  // one order, and it is the writer's
            last = now;
          }
          weft::yield();
        }
      });
    for (int i = 1; i <= 3000 * scale; ++i) {
      switch (i % 3) {
        case 0:
          v.store(wide(i));
          break;
        case 1:
          ASSERT_TRUE(v.swap(wide(i)).whole());
          break;
        default:
          ASSERT_TRUE(v.compare_and_swap(wide(i - 1), wide(i)));
      }
    }
    done = true;
    readers.wait();
  });
}

}  // namespace
