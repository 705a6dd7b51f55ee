// SPDX-License-Identifier: Apache-2.0
// Read sections and garbage under the model checker: nothing is freed that a reader looks at, by
// membarrier and by fences; what is freed comes after everything that readers did with it.
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>

#include "weft/base/os/os.hpp"
#include "weft/sched/internal/read_section.hpp"
#include "weft/sync/internal/garbage.hpp"

namespace {

using namespace weft::rt;

constexpr int gone = -1;

struct object : retired {
  explicit object(int n) : number(n) {}
  int number;
};

struct shared {
  atomic<object*> current{new object(0)};
  garbage old{[](retired* o, unsigned) noexcept {
    static_cast<object*>(o)->number = gone;
    delete static_cast<object*>(o);
  }};

  void read() {
    const read_section section;
    const object* seen = current.load(acquire);
    model::check(seen->number != gone, "a reader sees what was freed");
  }
  void replace(int n) {
    auto* next = new object(n);
    (void)old.add(current.exchange(next, acq_rel), 0);
    old.collect();
  }
};

/// `reads` in one thread, `writes` here.
void one_reader(int reads, int writes, bool membarrier) {
  os::membarrier_active = membarrier;
  shared s;
  model::spawn([&s, reads] {
    for (int i = 0; i < reads; ++i) s.read();
  });
  for (int i = 1; i <= writes; ++i) s.replace(i);
  model::join_all();
}

/// Two who replace: batches of one are taken by the other.
void two_writers() {
  shared s;
  model::spawn([&s] { s.read(); });
  model::spawn([&s] { s.replace(1); });
  s.replace(2);
  model::join_all();
}

constexpr const char* header = "weft/sched/internal/read_section.hpp";
constexpr const char* sections = "weft/sched/read_section.cpp";
constexpr const char* file = "weft/sync/garbage.cpp";
constexpr const char* enter = "slot->word.store(word, release);\n  os::light_fence();";

TEST(garbage_model, membarrier) {
  model::scenario s{.name = "epochs, membarrier",
                    .body = [] { one_reader(2, 2, true); },
                    .of = model::part::reclamation,
                    .all_seen = true};
  model::verify(
      s,
      {
          {"enter: the word is written late", header, enter, model::change::late},
          {"enter: no word", header, enter, model::change::drop},
          {"enter: epoch relaxed", header, "read_epoch.value.load(acquire) + 1",
           model::change::weaken},
          {"leave: relaxed", header, "entry.slot->word.store(0, release);", model::change::weaken},
          {"begin_grace: no fence", sections,
           "os::heavy_fence();  // partner: light_fence() in enter_reading()", model::change::drop},
          {"begin_grace: epoch relaxed", sections,
           "read_epoch.value.fetch_add(epoch_step, acq_rel)", model::change::weaken},
          {"readers_passed: relaxed", sections, "mp->reading.word.load(acquire)",
           model::change::weaken},
          {"readers_passed: does not look", sections, "mp->reading.word.load(acquire)",
           model::change::reads_zero},
      });
}

TEST(garbage_model, plain_fence) {
  model::scenario s{.name = "epochs, no membarrier",
                    .body = [] { one_reader(2, 2, false); },
                    .of = model::part::reclamation,
                    .all_seen = true};
  model::verify(
      s,
      {
          {"enter: no fence", "weft/base/os/os.hpp", "fence(seq_cst);", model::change::drop},
          {"begin_grace: no fence", sections,
           "os::heavy_fence();  // partner: light_fence() in enter_reading()", model::change::drop},
          {"leave: relaxed", header, "entry.slot->word.store(0, release);", model::change::weaken},
      });
}

TEST(garbage_model, two_writers) {
  model::scenario s{.name = "epochs, two writers",
                    .body = two_writers,
                    .of = model::part::reclamation,
                    .all_seen = true,
                    // One is found beyond the bounds only, in one execution of ten thousand.
                    .mutant_factor = 10};
  model::verify(
      s,
      {
          {"add: relaxed", file, "fresh_.compare_exchange(head", model::change::weaken},
          {"add: load and store", file, "fresh_.compare_exchange(head", model::change::split},
          {"take_passed: fresh relaxed", file, "fresh_.exchange(0, acquire);  // partner",
           model::change::weaken},
          {"take_passed: two at once", file, "busy_.exchange(1, acquire)", model::change::split},
          {"take_passed: taken relaxed", file, "busy_.exchange(1, acquire)", model::change::weaken},
          {"take_passed: busy relaxed", file, "busy_.store(0, release)", model::change::weaken},
      });
}

}  // namespace
