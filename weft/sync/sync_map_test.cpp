// SPDX-License-Identifier: Apache-2.0
// sync_map against a plain map, alone and with others at it: operations, growth, exceptions, what
// becomes of old values, and readers that are held up.
#include "weft/sync/sync_map.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "weft/base/death_testing.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/atomic_value.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

/// Instrumented programs do a tenth.
constexpr int scale = weft::rt::sanitizer::address || weft::rt::sanitizer::thread ? 1 : 10;

// --- one goroutine, against std::unordered_map -------------------------------------------------

struct all_equal_hash {
  size_t operator()(int) const noexcept { return 7; }
};
struct pair_value {
  int64_t a;
  int64_t b;
  bool operator==(const pair_value&) const = default;
};

template <class K, class V, class Hash>
void does_as_a_plain_map(uint32_t seed, int keys, int steps, K (*key)(int), V (*value)(uint32_t)) {
  weft::sync_map<K, V, Hash> map;
  std::unordered_map<K, V, Hash> plain;
  std::mt19937 random(seed);
  for (int step = 0; step < steps; ++step) {
    const K k = key(static_cast<int>(random() % static_cast<uint32_t>(keys)));
    const V v = value(random() % 5);
    const V other = value(random() % 5);
    const auto at = plain.find(k);
    const bool there = at != plain.end();
    const std::optional<V> was = there ? std::optional<V>(at->second) : std::nullopt;
    switch (random() % 12) {
      case 0:
        map.store(k, v);
        plain.insert_or_assign(k, v);
        break;
      case 1:
        ASSERT_EQ(map.load_or_store(k, v), (std::pair<V, bool>(was.value_or(v), there)));
        plain.emplace(k, v);
        break;
      case 2:
        ASSERT_EQ(map.load_and_delete(k), was);
        plain.erase(k);
        break;
      case 3:
        ASSERT_EQ(map.erase(k), there);
        plain.erase(k);
        break;
      case 4:
        ASSERT_EQ(map.swap(k, v), was);
        plain.insert_or_assign(k, v);
        break;
      case 5: {
        const bool equal = was == other;
        ASSERT_EQ(map.compare_and_swap(k, other, v), equal);
        if (equal) plain.insert_or_assign(k, v);
        break;
      }
      case 6: {
        const bool equal = was == other;
        ASSERT_EQ(map.compare_and_delete(k, other), equal);
        if (equal) plain.erase(k);
        break;
      }
      case 7:
        ASSERT_EQ(map.insert(k, v), !there);
        plain.emplace(k, v);
        break;
      case 8: {
        std::optional<V> seen;
        ASSERT_EQ(map.read(k, [&](const V& x) { seen.emplace(x); }), there);
        ASSERT_EQ(seen, was);
        break;
      }
      case 9:
        if (random() % 1000 == 0) {
          map.clear();
          plain.clear();
        }
        ASSERT_EQ(map.contains(k), plain.contains(k));
        break;
      default:
        ASSERT_EQ(map.load(k), was);
    }
    ASSERT_EQ(map.size(), plain.size());
  }
  std::unordered_map<K, V, Hash> seen;
  map.range([&](const K& k, const V& v) { ASSERT_TRUE(seen.emplace(k, v).second); });
  EXPECT_EQ(seen, plain);
}

TEST(SyncMap, DoesAsAPlainMap) {
  for (uint32_t seed = 1; seed <= 4; ++seed) {
    does_as_a_plain_map<int, int, std::hash<int>>(
        seed, 10, 3000 * scale, [](int i) { return i; },
        [](uint32_t v) { return static_cast<int>(v); });
    does_as_a_plain_map<int, pair_value, std::hash<int>>(
        seed, 2000, 3000 * scale, [](int i) { return i * 64; },
        [](uint32_t v) { return pair_value{v, -int64_t{v}}; });
    does_as_a_plain_map<std::string, std::string, std::hash<std::string>>(
        seed, 500, 2000 * scale, [](int i) { return "a key that is long " + std::to_string(i); },
        [](uint32_t v) { return std::string(30, static_cast<char>('a' + v)); });
  }
}
TEST(SyncMap, DoesAsAPlainMapWithABadHash) {
  does_as_a_plain_map<int, int, all_equal_hash>(
      3, 300, 1000 * scale, [](int i) { return i; },
      [](uint32_t v) { return static_cast<int>(v); });
}

TEST(SyncMap, ValuesOfEverySmallSizeAreWords) {
  struct three {
    char of[3];
    bool operator==(const three&) const = default;
  };
  struct no_default {
    explicit no_default(short n) : number(n) {}
    short number;
  };
  weft::sync_map<int, three> threes;
  threes.store(1, {{'a', 'b', 'c'}});
  EXPECT_EQ(threes.load(1), (three{{'a', 'b', 'c'}}));
  weft::sync_map<int, no_default> numbers;
  numbers.store(1, no_default(-3));
  EXPECT_EQ(numbers.load(1)->number, -3);
  weft::sync_map<double, float> floats;
  floats.store(0.5, 1.25F);
  EXPECT_EQ(floats.load(0.5), 1.25F);
}

struct text_hash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};
TEST(SyncMap, LooksUpWithoutMakingAKey) {
  weft::sync_map<std::string, int, text_hash, std::equal_to<>> map;
  map.store("one", 1);
  const std::string_view key = "one";
  EXPECT_EQ(map.load(key), 1);
  EXPECT_TRUE(map.contains(key));
  EXPECT_TRUE(map.read(key, [](int) {}));
  EXPECT_EQ(map.load_and_delete(key), 1);
  EXPECT_FALSE(map.erase(key));
}

TEST(SyncMap, HoldsWhatCannotBeCopied) {
  weft::sync_map<int, std::unique_ptr<int>> map;
  map.store(1, std::make_unique<int>(5));
  EXPECT_FALSE(map.insert(1, std::make_unique<int>(6)));
  int seen = 0;
  EXPECT_TRUE(map.read(1, [&](const std::unique_ptr<int>& p) { seen = *p; }));
  EXPECT_EQ(seen, 5);
  map.store(1, std::make_unique<int>(7));
  EXPECT_TRUE(map.erase(1));
  EXPECT_TRUE(map.empty());
}

// --- user code that throws ---------------------------------------------------------------------

/// Throws from its `fuse`-th hash, comparison or copy on.
int fuse = 1 << 30;
void burn() {
  if (--fuse == 0) throw std::runtime_error("burnt");
}
struct fragile {
  explicit fragile(int n) : number(n) { ++alive; }
  fragile(const fragile& other) : number(other.number) {
    burn();
    ++alive;
  }
  fragile(fragile&& other) noexcept : number(other.number) { ++alive; }
  fragile& operator=(const fragile&) = delete;
  ~fragile() { --alive; }
  bool operator==(const fragile& other) const {
    burn();
    return number == other.number;
  }
  int number;
  static std::atomic<int> alive;
};
std::atomic<int> fragile::alive{0};
struct fragile_hash {
  size_t operator()(const fragile& f) const {
    burn();
    return static_cast<size_t>(f.number) % 3;
  }
};

TEST(SyncMap, IsWholeWhateverThrows) {
  int thrown = 0;
  {
    weft::sync_map<fragile, fragile, fragile_hash> map;
    std::unordered_map<int, int> plain;
    std::mt19937 random(1);
    for (int step = 0; step < 2000 * scale; ++step) {
      const int k = static_cast<int>(random() % 20);
      const int v = static_cast<int>(random() % 4);
      fuse = static_cast<int>(random() % 12) + 1;
      const uint32_t what = random() % 6;
      try {
        const fragile key(k);
        switch (what) {
          case 0:
            map.store(fragile(k), fragile(v));
            plain[k] = v;
            break;
          case 1:
            map.load_or_store(fragile(k), fragile(v));
            plain.emplace(k, v);
            break;
          case 2:
            map.load_and_delete(key);
            plain.erase(k);
            break;
          case 3:
            if (map.compare_and_swap(key, fragile(v), fragile(v + 1))) plain[k] = v + 1;
            break;
          case 4:
            map.swap(fragile(k), fragile(v));
            plain[k] = v;
            break;
          default:
            map.range([](const fragile&, const fragile&) {});
        }
      } catch (const std::runtime_error&) {
        ++thrown;
      }
      fuse = 1 << 30;
      // Either all of it was done or nothing: load_or_store copies before it inserts.
      for (int i = 0; i < 20; ++i) {
        const std::optional<fragile> there = map.load(fragile(i));
        const auto at = plain.find(i);
        ASSERT_EQ(there.has_value(), at != plain.end()) << "step " << step;
        ASSERT_EQ(there ? there->number : -1, there ? at->second : -1);
      }
      ASSERT_EQ(map.size(), plain.size());
    }
  }
  EXPECT_GT(thrown, 100);
  EXPECT_EQ(fragile::alive, 0);
}

// --- what becomes of old values ----------------------------------------------------------------

struct counted {
  explicit counted(int n = 0) : number(n) { note(); }
  counted(const counted& other) : number(other.number) { note(); }
  counted(counted&& other) noexcept : number(other.number) { note(); }
  counted& operator=(const counted&) = delete;
  ~counted() { --alive; }
  int number;
  static void note() {
    const int now = ++alive;
    int most = peak.load();
    while (now > most && !peak.compare_exchange_weak(most, now)) {
    }
  }
  static std::atomic<int> alive;
  static std::atomic<int> peak;
};
std::atomic<int> counted::alive{0};
std::atomic<int> counted::peak{0};

TEST(SyncMap, KeepsFewOldValuesAndNoneAfterItsEnd) {
  counted::peak = 0;
  {
    weft::sync_map<int, counted> map;
    for (int i = 0; i < 20000; ++i) map.store(i % 10, counted(i));
    for (int i = 0; i < 20000; ++i) {
      map.store(100 + i, counted(i));
      map.erase(100 + i);
    }
    EXPECT_LE(counted::alive, 10 + static_cast<int>(weft::rt::garbage_batch));
  }
  EXPECT_EQ(counted::alive, 0);
  EXPECT_LE(counted::peak, 20 + static_cast<int>(weft::rt::garbage_batch));
}

/// A thread that is held inside a read until it is told.
template <class Read>
class held_reader {
 public:
  explicit held_reader(Read read)
      : thread_([this, read] {
          read([this] {
            inside_ = true;
            inside_.notify_all();
            go_.wait(false);
          });
        }) {
    inside_.wait(false);
  }
  void let_go() {
    go_ = true;
    go_.notify_all();
    thread_.join();
  }

 private:
  std::atomic<bool> inside_{false};
  std::atomic<bool> go_{false};
  std::thread thread_;
};

TEST(SyncMap, AStuckReaderHoldsABoundedNumberAndThenTheWriters) {
  constexpr int writes = static_cast<int>(weft::rt::garbage_max) + 5000;
  counted::peak = 0;
  weft::run({.procs = 2}, [] {
    weft::sync_map<int, counted> map;
    map.store(1, counted(-1));
    int seen = 0;
    held_reader stuck([&](auto hold) {
      map.read(1, [&](const counted& c) {
        hold();
        seen = c.number;  // it is there still, after all those overwrites
      });
    });
    std::atomic<int> written{0};
    weft::wait_group all;
    all.go([&] {
      for (int i = 0; i < writes; ++i) {
        map.store(1, counted(i));
        ++written;
      }
    });
    while (written < static_cast<int>(weft::rt::garbage_max)) weft::yield();
    // It waits; others run. Had it gone on, the peak would tell.
    for (int i = 0; i < 1000; ++i) weft::yield();
    stuck.let_go();
    all.wait();
    EXPECT_EQ(seen, -1);
    EXPECT_EQ(map.load(1)->number, writes - 1);
  });
  EXPECT_EQ(counted::alive, 0);
  EXPECT_LE(counted::peak, static_cast<int>(weft::rt::garbage_max) + 8);
}

TEST(SyncMap, AForkedChildDoesNotWaitForThreadsThatItHasNot) {
  weft::run([] {});  // so that the runtime knows of forks
  weft::sync_map<int, counted> map;
  map.store(1, counted(1));
  held_reader stuck([&](auto hold) { map.read(1, [&](const counted&) { hold(); }); });
  const pid_t child = ::fork();
  if (child == 0) {
    const int before = counted::alive;
    for (int i = 0; i < 5000; ++i) map.store(1, counted(i));
    ::_exit(counted::alive <= before + static_cast<int>(weft::rt::garbage_batch) ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  stuck.let_go();
}

TEST(SyncMap, ReadsInsideReadsAndWritesThere) {
  weft::sync_map<int, std::string> map;
  map.store(1, "one");
  map.store(2, "two");
  std::string both;
  map.read(1, [&](const std::string& one) {
    map.read(2, [&](const std::string& two) { both = one + two; });
    for (int i = 0; i < 2000; ++i) map.store(1, std::to_string(i));  // nothing of it is freed
    both += one;
  });
  EXPECT_EQ(both, "onetwoone");
}

// --- many at once ------------------------------------------------------------------------------

/// A value that tells whose it is, and whether it is whole.
struct signed_value {
  signed_value(uint64_t k, uint64_t n) : key(k), number(n), sum(k ^ n ^ secret) {}
  ~signed_value() { sum = 0; }
  signed_value(const signed_value&) = default;
  [[nodiscard]] bool whole_for(uint64_t k) const {
    return key == k && sum == (key ^ number ^ secret);
  }
  static constexpr uint64_t secret = 0x5eedf00dcafe1234;
  uint64_t key;
  uint64_t number;
  uint64_t sum;
};

template <class Map, class Value, class Whole>
void hammer(Map& map, uint32_t seed, int steps, uint32_t keys, Value value, Whole whole) {
  std::mt19937 random(seed);
  for (int i = 0; i < steps; ++i) {
    const uint64_t k = random() % keys;
    switch (random() % 16) {
      case 0:
      case 1:
        map.store(k, value(k, random()));
        break;
      case 2:
        map.erase(k);
        break;
      case 3:
        if (auto old = map.load_and_delete(k)) whole(k, *old);
        break;
      case 4:
        whole(k, map.load_or_store(k, value(k, random())).first);
        break;
      case 5:
        if (auto old = map.swap(k, value(k, random()))) whole(k, *old);
        break;
      case 6:
        if (random() % 64 == 0) map.range([&](uint64_t key, const auto& v) { whole(key, v); });
        if (random() % 512 == 0) map.clear();
        break;
      case 7:
        if (i % 8 == 0) weft::yield();  // it goes on on another thread
        break;
      default:
        if (auto there = map.load(k)) whole(k, *there);
    }
  }
}

template <class V, class Value, class Whole>
void all_hammer(uint32_t keys, Value value, Whole whole) {
  weft::run({.procs = 4}, [&] {
    weft::sync_map<uint64_t, V> map;
    weft::wait_group all;
    for (uint32_t g = 0; g < 8; ++g)
      all.go([&, g] { hammer(map, g, 3000 * scale, keys, value, whole); });
    std::vector<std::thread> guests;
    for (uint32_t g = 0; g < 2; ++g)
      guests.emplace_back([&, g] { hammer(map, 100 + g, 3000 * scale, keys, value, whole); });
    all.wait();
    for (std::thread& t : guests) t.join();
  });
}

TEST(SyncMap, ManyAtOnceSeeWholeValuesOfTheirKeys) {
  const auto boxed = [](uint64_t k, uint64_t n) { return signed_value(k, n); };
  const auto whole = [](uint64_t k, const signed_value& v) { ASSERT_TRUE(v.whole_for(k)); };
  for (const uint32_t keys : {4U, 200U, 20000U}) all_hammer<signed_value>(keys, boxed, whole);
  const auto word = [](uint64_t k, uint64_t n) { return k << 32 | (n & 0xffffffff); };
  const auto of_key = [](uint64_t k, uint64_t v) { ASSERT_EQ(v >> 32, k); };
  for (const uint32_t keys : {4U, 20000U}) all_hammer<uint64_t>(keys, word, of_key);
}

TEST(SyncMap, NoKeyIsMissedWhileTheTableGrows) {
  weft::run({.procs = 4}, [] {
    constexpr uint64_t old_keys = 500;
    const uint64_t new_keys = 20000 * static_cast<uint64_t>(scale);
    weft::sync_map<uint64_t, uint64_t> map;
    for (uint64_t k = 0; k < old_keys; ++k) map.store(k, k);
    std::atomic<bool> done{false};
    weft::wait_group all;
    for (int reader = 0; reader < 3; ++reader)
      all.go([&] {
        for (uint64_t k = 0; !done; k = (k + 1) % old_keys) {
          ASSERT_EQ(map.load(k), k);
          if (k == 0) weft::yield();
        }
      });
    all.go([&] {
      while (!done) {
        std::unordered_set<uint64_t> seen;
        map.range([&](uint64_t k, uint64_t v) {
          ASSERT_EQ(k, v);
          ASSERT_TRUE(seen.insert(k).second);
          if (k % 97 == 0) weft::yield();
        });
        for (uint64_t k = 0; k < old_keys; ++k) ASSERT_TRUE(seen.contains(k));
      }
    });
    for (uint64_t k = old_keys; k < new_keys; ++k) map.store(k, k);
    done = true;
    all.wait();
    EXPECT_EQ(map.size(), new_keys);
    for (uint64_t k = 0; k < new_keys; ++k) ASSERT_EQ(map.load(k), k);
  });
}

TEST(SyncMap, ASectionOutlastsTheLossOfItsProcessor) {
  // A reader computes inside a read until its P has been taken, and others write meanwhile.
  weft::run({.procs = 2}, [] {
    weft::sync_map<int, std::string> map;
    map.store(1, std::string(100, 'x'));
    std::atomic<int> inside{0};
    std::atomic<int> written{0};
    weft::wait_group all;
    for (int g = 0; g < 4; ++g)  // more than there are Ps: two are robbed for the writer to run
      all.go([&] {
        map.read(1, [&](const std::string& s) {
          ++inside;
          while (inside < 4 || written < 5000) {
          }
          for (const char c : s) ASSERT_EQ(c, s[0]);
        });
      });
    all.go([&] {
      while (written < 5000) {
        map.store(1, std::string(100, static_cast<char>('a' + written % 26)));
        ++written;
      }
    });
    all.wait();
  });
}

TEST(SyncMapDeathTest, AGoroutineThatParksInsideAReadEndsTheProgram) {
  using weft::rt::testing::die_in_child;
  const auto died = die_in_child([] {
    weft::run({.procs = 2}, [] {
      weft::sync_map<int, std::string> map;
      map.store(1, "x");
      weft::wait_group all;
      for (int g = 0; g < 8; ++g)
        all.go([] {
          for (;;) weft::yield();
        });
      // Debug builds end at the first yield(). Others when it goes on on another thread: its own is
      // robbed of its P while it sleeps, so the goroutine is queued and another one takes it.
      for (;;)
        map.read(1, [](const std::string&) {
          ::usleep(5000);  // what is tested: a call that blocks, inside a read
          weft::yield();
        });
    });
  });
  EXPECT_NE(died.text.find("sync: a goroutine parked inside a read"), std::string::npos)
      << died.text;
}

}  // namespace
