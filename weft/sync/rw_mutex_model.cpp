// SPDX-License-Identifier: Apache-2.0
// The rw_mutex under every interleaving of a few readers and writers: by its word, with foreign
// threads, and spread, with Ps. Here two readers make it spread (rt::often).
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>

#include "weft/sched/internal/section.hpp"
#include "weft/sync/rw_mutex.hpp"

namespace {

struct world {
  weft::rw_mutex m;
  int value = 0;  // under it
  int seen = 0;

  // Not inlined: clang reports no access to a member of a local object.
  [[gnu::noinline]] void write() {
    m.lock();
    ++value;
    m.unlock();
  }
  [[gnu::noinline]] int read() {
    m.lock_shared();
    const int v = value;
    asm volatile("" : : "r"(v));  // it is read here, whatever becomes of it
    m.unlock_shared();
    return v;
  }
  [[gnu::noinline]] bool try_write() {
    if (!m.try_lock()) return false;
    ++value;
    m.unlock();
    return true;
  }
  void look() { model::check(read() >= 0, "what was read was never written"); }
};

// --- by the word: threads without Ps ---

void word_readers_and_writer() {
  world w;
  for (int i = 0; i < 2; ++i) model::spawn([&w] { w.look(); });
  w.write();
  model::join_all();
  model::check(w.read() == 1, "what was written is gone");
}

void word_writers() {
  world w;
  for (int i = 0; i < 2; ++i) model::spawn([&w] { w.write(); });
  w.look();
  model::join_all();
  model::check(w.read() == 2, "what was written is gone");
}

void word_tries() {
  world w;
  model::spawn([&w] {
    if (!w.m.try_lock()) return;
    ++w.value;
    w.m.unlock();
  });
  model::spawn([&w] {
    if (!w.m.try_lock_shared()) return;
    w.seen = w.value;
    w.m.unlock_shared();
  });
  w.write();
  model::join_all();
  model::check(w.read() >= 1, "what was written is gone");
}

// --- spread: threads that hold Ps, as far as the lock can tell; they park as foreign ones do ---

class on_p {
 public:
  explicit on_p(uint32_t id) noexcept {
    {
      const weft::rt::section makes_it_a_guest;
    }
    weft::rt::machine* mp = weft::rt::this_machine();
    mp->p = reinterpret_cast<weft::rt::processor*>(this);
    mp->p_id = id;
    mp->grant.store(reinterpret_cast<uintptr_t>(this), weft::rt::relaxed);
  }
  ~on_p() {
    weft::rt::machine* mp = weft::rt::this_machine();
    mp->p = nullptr;
    mp->grant.store(weft::rt::grant_none, weft::rt::relaxed);
  }
  on_p(const on_p&) = delete;
  on_p& operator=(const on_p&) = delete;
};

/// Readers of two Ps have come and gone, so that the lock is spread.
void spread(world& w) {
  model::setup();
  for (const uint32_t p : {1, 0, 0, 1, 0, 1}) {
    const on_p it(p);
    w.look();
  }
  model::setup_done();
}

/// A reader of a P against a writer.
void reader_and_writer() {
  world w;
  spread(w);
  model::spawn([&w] {
    const on_p it(0);
    w.look();
  });
  w.write();
  model::join_all();
  model::check(w.read() == 1, "what was written is gone");
}

/// The lock is gathered, and spread anew between two writers.
void readers_again() {
  world w;
  spread(w);
  model::spawn([&w] {
    const on_p it(0);
    for (int i = 0; i < 3; ++i) w.look();
  });
  w.write();
  w.write();
  model::join_all();
  {
    const on_p it(0);
    model::check(w.read() == 2, "what was written is gone");
  }
  w.write();
}

/// Two readers, one of which spreads it anew: the other sees what was written before.
void readers_of_two_ps() {
  world w;
  spread(w);
  for (uint32_t p = 0; p < 2; ++p)
    model::spawn([&w, p] {
      const on_p it(p);
      for (int i = 0; i < 3; ++i) w.look();
    });
  w.write();
  model::join_all();
  model::check(w.read() == 1, "what was written is gone");
}

/// A reader comes by one P's count and leaves by another's, or by the word.
void reader_moves() {
  world w;
  spread(w);
  {
    const on_p it(0);
    w.m.lock_shared();
  }
  model::spawn([&w] {
    const on_p it(1);
    w.seen = w.value;
    w.m.unlock_shared();
  });
  model::spawn([&w] {
    const on_p it(0);
    w.look();
  });
  w.write();
  model::join_all();
  model::check(w.read() == 1, "what was written is gone");
}

/// The writer tries.
void reader_and_try() {
  world w;
  spread(w);
  model::spawn([&w] {
    const on_p it(0);
    w.look();
  });
  int took = 0;
  for (int i = 0; i < 2; ++i) took += w.try_write() ? 1 : 0;
  model::join_all();
  model::check(w.read() == took, "what was written is gone");
}

/// The lock dies as soon as the writer has run: nobody else is inside then.
void dies_after_the_writer() {
  auto* w = new world;
  spread(*w);
  {
    const on_p it(0);
    w->m.lock_shared();
  }
  model::spawn([w] {
    const on_p it(0);
    w->seen = w->value;
    w->m.unlock_shared();
  });
  w->write();
  delete w;
  model::join_all();
}

constexpr const char* file = "weft/sync/rw_mutex.cpp";
constexpr const char* header = "weft/sync/rw_mutex.hpp";
constexpr const char* counts = "weft/sync/internal/reader_counts.hpp";

model::scenario with_ps(const char* name, void (*body)()) {
  return {.name = name, .body = body, .of = model::part::rw_mutex};
}

TEST(rw_mutex_model, word) {
  model::verify({.name = "rw_mutex, two readers",
                 .body = word_readers_and_writer,
                 .of = model::part::rw_mutex},
                {
                    {"lock_shared: relaxed", header, "word_.fetch_add(one_reader + 1, rt::acquire)",
                     model::change::weaken},
                    {"unlock_shared: relaxed", header, "word_.fetch_sub(one_reader, rt::release)",
                     model::change::weaken},
                    {"lock: relaxed", file,
                     "readers(word_.fetch_sub(readers_max * one_reader, rt::acquire));\n  self.g",
                     model::change::weaken},
                    {"unlock: relaxed", file,
                     "word_.fetch_add(readers_max * one_reader - arrivals, "
                     "rt::release)",
                     model::change::weaken},
                    {"lock_shared: load and store", header,
                     "word_.fetch_add(one_reader + 1, rt::acquire)", model::change::split},
                });
}

TEST(rw_mutex_model, word_writers) {
  model::verify(
      {.name = "rw_mutex, two writers", .body = word_writers, .of = model::part::rw_mutex},
      {
          {"unlock: load and store", file,
           "word_.fetch_add(readers_max * one_reader - arrivals, rt::release)",
           model::change::split},
          {"lock: load and store", file,
           "readers(word_.fetch_sub(readers_max * one_reader, rt::acquire));\n  self.g",
           model::change::split},
          {"unlock_shared: load and store", header, "word_.fetch_sub(one_reader, rt::release)",
           model::change::split},
      });
}

TEST(rw_mutex_model, word_tries) {
  model::verify(
      {.name = "rw_mutex, tries", .body = word_tries, .of = model::part::rw_mutex},
      {
          {"try_lock: whatever it finds", file,
           "word_.compare_exchange(now, now - readers_max * one_reader, rt::acquire, rt::relaxed)",
           model::change::always},
          {"try_lock_shared: relaxed", file,
           "word_.compare_exchange(now, now + one_reader, rt::acquire, rt::relaxed)",
           model::change::weaken},
          {"try_lock_shared: whatever it finds", file,
           "word_.compare_exchange(now, now + one_reader, rt::acquire, rt::relaxed)",
           model::change::always},
      });
}

TEST(rw_mutex_model, reader_and_writer) {
  model::verify(
      with_ps("rw_mutex, spread", reader_and_writer),
      {
          {"gather: no fence", file, "rt::os::heavy_fence();  // partner: the light fences",
           model::change::drop},
          {"lock_spread: not counted", file,
           "own.came.store(own.came.load(rt::relaxed) + 1, rt::relaxed)", model::change::drop},
          {"unlock_spread: relaxed", file,
           "own.went.store(own.went.load(rt::relaxed) + 1, rt::release);\n  rt::compiler_fence();  "
           "// light",
           model::change::weaken},
          {"went: relaxed", counts, "of(i).went.load(acquire)", model::change::weaken},
          {"came: not looked at", counts, "of(i).came.load(acquire)", model::change::reads_zero},
          {"gather: readers are not told", file,
           "spread_.store(spread_.load(rt::relaxed) | gathered, rt::relaxed)", model::change::drop},
          {"leaving: nobody is woken", file, "list.length.fetch_add(1, relaxed)",
           model::change::drop},
      });
}

TEST(rw_mutex_model, readers_again) {
  model::verify(
      with_ps("rw_mutex, spread anew", readers_again),
      {
          {"unlock_shared: relaxed", header, "word_.fetch_sub(one_reader, rt::release)",
           model::change::weaken},
          {"lock_spread: counted out by nobody", file,
           "own.went.store(own.went.load(rt::relaxed) + 1, rt::release);\n    rt::compiler_fence",
           model::change::drop},
          {"settle: the word stays", file,
           "word_.fetch_sub(readers_to_leave_ * one_reader, rt::relaxed)", model::change::drop},
      });
}

TEST(rw_mutex_model, readers_of_two_ps) {
  model::scenario s = with_ps("rw_mutex, two readers spread it", readers_of_two_ps);
  model::verify(
      s, {
             {"spread_out: relaxed", file,
              "spread_.store(reinterpret_cast<uintptr_t>(counts), rt::release)",
              model::change::weaken},
             {"gather: no fence", file, "rt::os::heavy_fence();  // partner: the light fences",
              model::change::drop},
             {"lock_spread: not counted", file,
              "own.came.store(own.came.load(rt::relaxed) + 1, rt::relaxed)", model::change::drop},
         });
}

TEST(rw_mutex_model, reader_moves) {
  model::verify(
      with_ps("rw_mutex, a reader moves", reader_moves),
      {
          {"gather: no fence", file, "rt::os::heavy_fence();  // partner: the light fences",
           model::change::drop},
          {"went: not looked at", counts, "of(i).went.load(acquire)", model::change::reads_zero},
          {"came: not looked at", counts, "of(i).came.load(acquire)", model::change::reads_zero},
      });
}

TEST(rw_mutex_model, tries) {
  model::verify(
      with_ps("rw_mutex, spread, tries", reader_and_try),
      {
          {"try_lock: no fence", file, "rt::os::heavy_fence();  // partner: as in gather()",
           model::change::drop},
          {"try_lock: readers are not told", file, "spread_.store(spread | gathered, rt::relaxed)",
           model::change::drop},
          {"try_lock: the word is not looked at", file,
           "word_.compare_exchange(now, (now & (one_reader - 1)) - readers_max * one_reader, "
           "rt::acquire,\n                             rt::relaxed)",
           model::change::always},
      });
}

TEST(rw_mutex_model, dies_after_the_writer) {
  model::verify(
      with_ps("rw_mutex, dies", dies_after_the_writer),
      {
          {"went: relaxed", counts, "of(i).went.load(acquire)", model::change::weaken},
          {"unlock_spread: relaxed", file,
           "own.went.store(own.went.load(rt::relaxed) + 1, rt::release);\n  rt::compiler_fence();  "
           "// light",
           model::change::weaken},
          {"came: not looked at", counts, "of(i).came.load(acquire)", model::change::reads_zero},
      });
}

}  // namespace
