// SPDX-License-Identifier: Apache-2.0
// The checker checked: small programs whose outcomes C++ allows or forbids. What is allowed must be
// reached (but for load buffering, which the checker does not show), what is forbidden never.
#include <gtest/gtest.h>

#include <set>

#include "tests/model/checker/checker.hpp"
#include "weft/base/arch/arch.hpp"
#include "weft/base/atomic.hpp"
#include "weft/base/os/os.hpp"

namespace {

using weft::rt::acq_rel;
using weft::rt::acquire;
using weft::rt::atomic;
using weft::rt::relaxed;
using weft::rt::release;
using weft::rt::seq_cst;

/// Searches; the outcomes that were reached.
std::set<int> outcomes_of(const char* name, std::function<void()> body, bool late_stores = false) {
  model::scenario s;
  s.name = name;
  s.body = std::move(body);
  s.preemptions = 4;
  s.stale_loads = 4;
  s.late_stores = late_stores;
  s.exhaustive = 200'000;
  s.random = 20'000;
  const model::result r = model::search(s);
  EXPECT_FALSE(r.failed) << name << ": " << r.what << '\n' << r.trace;
  EXPECT_TRUE(r.complete) << name << ": more than " << s.exhaustive << " executions";
  std::printf("model litmus %-32s %8llu executions, outcomes:", name,
              static_cast<unsigned long long>(r.executions));
  std::set<int> seen;
  for (int i = 0; i < static_cast<int>(r.outcomes.size()); ++i) {
    if (r.outcomes[static_cast<size_t>(i)] == 0) continue;
    seen.insert(i);
    std::printf(" %d", i);
  }
  std::printf("\n");
  return seen;
}

struct two {
  atomic<int> x{0}, y{0};
  int r1 = 0, r2 = 0;
};

void message(weft::rt::memory_order out, weft::rt::memory_order in) {
  two v;
  model::spawn([&v, out] {
    v.x.store(1, relaxed);
    v.y.store(1, out);
  });
  model::spawn([&v, in] {
    v.r1 = v.y.load(in);
    v.r2 = v.x.load(relaxed);
  });
  model::join_all();
  model::outcome(v.r1 * 2 + v.r2);
}

TEST(litmus_model, message_passing) {
  EXPECT_EQ(outcomes_of("MP", [] { message(release, acquire); }), (std::set{0, 1, 3}));
  EXPECT_EQ(outcomes_of("MP, relaxed store", [] { message(relaxed, acquire); }),
            (std::set{0, 1, 2, 3}));
  EXPECT_EQ(outcomes_of("MP, relaxed load", [] { message(release, relaxed); }),
            (std::set{0, 1, 2, 3}));
}

TEST(litmus_model, message_passing_by_fences) {
  const auto run = [](bool out, bool in) {
    two v;
    model::spawn([&v, out] {
      v.x.store(1, relaxed);
      if (out) weft::rt::fence(release);
      v.y.store(1, relaxed);
    });
    model::spawn([&v, in] {
      v.r1 = v.y.load(relaxed);
      if (in) weft::rt::fence(acquire);
      v.r2 = v.x.load(relaxed);
    });
    model::join_all();
    model::outcome(v.r1 * 2 + v.r2);
  };
  EXPECT_EQ(outcomes_of("MP, fences", [&] { run(true, true); }), (std::set{0, 1, 3}));
  EXPECT_EQ(outcomes_of("MP, no release fence", [&] { run(false, true); }), (std::set{0, 1, 2, 3}));
  EXPECT_EQ(outcomes_of("MP, no acquire fence", [&] { run(true, false); }), (std::set{0, 1, 2, 3}));
}

/// Store buffering: what Dekker's and every publish-and-check protocol must exclude.
template <class Between>
void store_buffering(Between between, weft::rt::memory_order order) {
  two v;
  model::spawn([&] {
    v.x.store(1, order);
    between();
    v.r1 = v.y.load(order);
  });
  model::spawn([&] {
    v.y.store(1, order);
    between();
    v.r2 = v.x.load(order);
  });
  model::join_all();
  model::outcome(v.r1 * 2 + v.r2);
}

TEST(litmus_model, store_buffering) {
  const auto nothing = [] {};
  EXPECT_EQ(outcomes_of("SB, relaxed", [&] { store_buffering(nothing, relaxed); }),
            (std::set{0, 1, 2, 3}));
  EXPECT_EQ(outcomes_of("SB, seq_cst operations", [&] { store_buffering(nothing, seq_cst); }),
            (std::set{1, 2, 3}));
  EXPECT_EQ(outcomes_of("SB, seq_cst fences",
                        [&] { store_buffering([] { weft::rt::fence(seq_cst); }, relaxed); }),
            (std::set{1, 2, 3}));
  EXPECT_EQ(outcomes_of("SB, acq_rel fences",
                        [&] { store_buffering([] { weft::rt::fence(acq_rel); }, relaxed); }),
            (std::set{0, 1, 2, 3}));
}

TEST(litmus_model, store_buffering_with_one_heavy_fence) {
  const auto run = [](bool heavy) {
    two v;
    model::spawn([&] {
      v.x.store(1, relaxed);
      weft::rt::compiler_fence();
      v.r1 = v.y.load(relaxed);
    });
    model::spawn([&, heavy] {
      v.y.store(1, relaxed);
      if (heavy) weft::rt::os::heavy_fence();
      v.r2 = v.x.load(relaxed);
    });
    model::join_all();
    model::outcome(v.r1 * 2 + v.r2);
  };
  EXPECT_EQ(outcomes_of("SB, membarrier", [&] { run(true); }), (std::set{1, 2, 3}));
  EXPECT_EQ(outcomes_of("SB, no membarrier", [&] { run(false); }), (std::set{0, 1, 2, 3}));
}

TEST(litmus_model, load_buffering) {
  // Allowed by C++ for relaxed operations; not shown by this checker, as by Relacy.
  const auto seen = outcomes_of("LB", [] {
    two v;
    model::spawn([&] {
      v.r1 = v.x.load(relaxed);
      v.y.store(1, relaxed);
    });
    model::spawn([&] {
      v.r2 = v.y.load(relaxed);
      v.x.store(1, relaxed);
    });
    model::join_all();
    model::outcome(v.r1 * 2 + v.r2);
  });
  EXPECT_EQ(seen, (std::set{0, 1, 2}));
}

/// Two writers, two readers: do the readers agree on the order of the writes? 8: they disagree.
template <class Between>
void independent_reads(weft::rt::memory_order load, weft::rt::memory_order store, Between between) {
  struct {
    atomic<int> x{0}, y{0};
    int a = 0, b = 0, c = 0, d = 0;
  } v;
  model::spawn([&] { v.x.store(1, store); });
  model::spawn([&] { v.y.store(1, store); });
  model::spawn([&] {
    v.a = v.x.load(load);
    between();
    v.b = v.y.load(load);
  });
  model::spawn([&] {
    v.c = v.y.load(load);
    between();
    v.d = v.x.load(load);
  });
  model::join_all();
  model::outcome(v.a == 1 && v.b == 0 && v.c == 1 && v.d == 0 ? 1 : 0);
}

TEST(litmus_model, independent_reads_of_independent_writes) {
  const auto nothing = [] {};
  const auto run = [](const char* name, std::function<void()> body) {
    model::scenario s;
    s.name = name;
    s.body = std::move(body);
    s.preemptions = 2;
    s.stale_loads = 2;
    s.exhaustive = 400'000;
    s.random = 100'000;
    const model::result r = model::search(s);
    EXPECT_FALSE(r.failed) << r.what;
    std::printf("model litmus %-32s %8llu executions\n", name,
                static_cast<unsigned long long>(r.executions));
    return r.outcomes[1] != 0;
  };
  EXPECT_FALSE(run("IRIW, seq_cst", [&] { independent_reads(seq_cst, seq_cst, nothing); }));
  EXPECT_TRUE(run("IRIW, acquire", [&] { independent_reads(acquire, release, nothing); }));
  EXPECT_FALSE(run("IRIW, fences",
                   [&] { independent_reads(relaxed, relaxed, [] { weft::rt::fence(seq_cst); }); }));
}

TEST(litmus_model, two_plus_two_writes) {
  const auto run = [](weft::rt::memory_order order) {
    two v;
    model::spawn([&] {
      v.x.store(1, order);
      v.y.store(2, order);
    });
    model::spawn([&] {
      v.y.store(1, order);
      v.x.store(2, order);
    });
    model::join_all();
    model::outcome(v.x.load(relaxed) == 1 && v.y.load(relaxed) == 1 ? 1 : 0);
  };
  EXPECT_EQ(outcomes_of("2+2W, relaxed", [&] { run(relaxed); }, true), (std::set{0, 1}));
  EXPECT_EQ(outcomes_of("2+2W, seq_cst", [&] { run(seq_cst); }, true), (std::set{0}));
}

TEST(litmus_model, coherence) {
  // One location: no thread reads backwards, also when another one told it.
  EXPECT_EQ(outcomes_of("CoRR",
                        [] {
                          two v;
                          model::spawn([&] {
                            v.x.store(1, relaxed);
                            v.x.store(2, relaxed);
                          });
                          model::spawn([&] {
                            v.r1 = v.x.load(relaxed);
                            v.r2 = v.x.load(relaxed);
                          });
                          model::join_all();
                          model::outcome(v.r1 <= v.r2 ? 0 : 1);
                        }),
            (std::set{0}));
  EXPECT_EQ(outcomes_of("CoWR",
                        [] {
                          two v;
                          model::spawn([&] { v.x.store(1, relaxed); });
                          model::spawn([&] {
                            v.x.store(2, relaxed);
                            v.r1 = v.x.load(relaxed);
                          });
                          model::join_all();
                          model::outcome(v.r1);
                        }),
            (std::set{1, 2}));
}

TEST(litmus_model, release_sequence) {
  // A read-modify-write of another thread goes on with it; a plain store does not.
  const auto run = [](bool modify) {
    two v;
    model::spawn([&] {
      v.x.store(1, relaxed);
      v.y.store(1, release);
    });
    model::spawn([&, modify] {
      if (v.y.load(relaxed) != 1) return;
      if (modify)
        v.y.fetch_add(1, relaxed);
      else
        v.y.store(2, relaxed);
    });
    model::spawn([&] {
      if (v.y.load(acquire) == 2) v.r1 = 1 + v.x.load(relaxed);
    });
    model::join_all();
    model::outcome(v.r1);
  };
  EXPECT_EQ(outcomes_of("release sequence", [&] { run(true); }), (std::set{0, 2}));
  EXPECT_EQ(outcomes_of("release sequence, broken", [&] { run(false); }), (std::set{0, 1, 2}));
}

TEST(litmus_model, atomicity) {
  const auto run = [](bool atomically) {
    two v;
    for (int i = 0; i < 2; ++i)
      model::spawn([&, atomically] {
        if (atomically)
          v.x.fetch_add(1, relaxed);
        else
          v.x.store(v.x.load(relaxed) + 1, relaxed);
      });
    model::join_all();
    model::outcome(v.x.load(relaxed));
  };
  EXPECT_EQ(outcomes_of("fetch_add", [&] { run(true); }), (std::set{2}));
  EXPECT_EQ(outcomes_of("load, store", [&] { run(false); }), (std::set{1, 2}));
}

TEST(litmus_model, seq_cst_with_fences) {
  // C++20: a seq_cst store, and a load behind a seq_cst fence.
  EXPECT_EQ(outcomes_of("SB, operation and fence",
                        [] {
                          two v;
                          model::spawn([&] {
                            v.x.store(1, seq_cst);
                            v.r1 = v.y.load(seq_cst);
                          });
                          model::spawn([&] {
                            v.y.store(1, relaxed);
                            weft::rt::fence(seq_cst);
                            v.r2 = v.x.load(relaxed);
                          });
                          model::join_all();
                          model::outcome(v.r1 * 2 + v.r2);
                        }),
            (std::set{1, 2, 3}));
  // A seq_cst store orders only itself: the relaxed one before it may be missed.
  EXPECT_EQ(outcomes_of("SB, relaxed before seq_cst",
                        [] {
                          two v;
                          atomic<int> other{0};
                          model::spawn([&] {
                            v.x.store(1, relaxed);
                            other.store(1, seq_cst);
                            v.r1 = v.y.load(seq_cst);
                          });
                          model::spawn([&] {
                            v.y.store(1, seq_cst);
                            v.r2 = v.x.load(seq_cst);
                          });
                          model::join_all();
                          model::outcome(v.r1 * 2 + v.r2);
                        }),
            (std::set{0, 1, 2, 3}));
}

bool fails(std::function<void()> body, const char* how) {
  model::scenario s;
  s.name = "fails";
  s.body = std::move(body);
  const model::result r = model::search(s);
  if (r.failed) {
    EXPECT_NE(r.what.find(how), std::string::npos) << r.what;
  }
  return r.failed;
}

TEST(litmus_model, races_deadlocks_and_endless_loops_are_seen) {
  const auto handed_over = [](weft::rt::memory_order order) {
    struct {
      int plain = 0;
      atomic<int> ready{0};
    } v;
    model::spawn([&, order] {
      v.plain = 1;
      v.ready.store(1, order);
    });
    model::spawn([&] {
      if (v.ready.load(acquire) == 1) v.plain = 2;
    });
    model::join_all();
  };
  EXPECT_FALSE(fails([&] { handed_over(release); }, ""));
  EXPECT_TRUE(fails([&] { handed_over(relaxed); }, "data race"));
  // A write after the release is not published by it.
  EXPECT_TRUE(fails(
      [] {
        struct {
          int plain = 0;
          atomic<int> ready{0};
        } v;
        model::spawn([&] {
          v.ready.store(1, release);
          v.plain = 1;
        });
        model::spawn([&] {
          if (v.ready.load(acquire) == 1) v.plain = 2;
        });
        model::join_all();
      },
      "data race"));
  EXPECT_TRUE(fails(
      [] {
        atomic<uint32_t> word{0};
        weft::rt::os::futex_wait(word, 0, -1);
        weft::rt::os::futex_wait(word, 0, -1);
      },
      "deadlock"));
  EXPECT_TRUE(fails(
      [] {
        atomic<uint32_t> word{0};
        while (word.load(relaxed) == 0) weft::rt::arch::spin_hint();
      },
      "livelock"));
}

}  // namespace
