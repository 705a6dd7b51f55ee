// SPDX-License-Identifier: Apache-2.0
// Channels under every interleaving of two and three threads (guests): each value is received once,
// what was written before the send is visible, nobody sleeps beside what it waits for.
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>

#include "weft/sync/chan.hpp"

namespace {

using weft::chan;
using weft::make_chan;

struct message {
  int written = 0;
};

/// Unbuffered: the value goes from stack to stack, and the answer comes back.
void ping_pong() {
  const chan<message*> there = make_chan<message*>();
  const chan<message*> back = make_chan<message*>();
  model::spawn([&] {
    message m;
    for (int i = 0; i < 2; ++i) {
      m.written = i;
      there.send(&m);
      model::check(*back.recv() == &m && m.written == i + 10, "not the answer");
    }
  });
  model::spawn([&] {
    for (int i = 0; i < 2; ++i) {
      message* m = *there.recv();
      model::check(m->written == i, "what was written before the send is missing");
      m->written = i + 10;
      back.send(m);
    }
  });
  model::join_all();
}

/// One place in the buffer, two senders, one receiver.
void buffered() {
  const chan<message*> c = make_chan<message*>(1);
  message all[2];
  for (message& m : all)
    model::spawn([&c, &m] {
      m.written = 1;
      c.send(&m);
    });
  for (int i = 0; i < 2; ++i) {
    message* m = *c.recv();
    model::check(m->written == 1, "received twice, or not what was sent");
    m->written = 2;
  }
  model::join_all();
  model::check(c.len() == 0, "a value too many");
}

/// Closed while two wait, or before they come.
void closing() {
  const chan<int> c = make_chan<int>(1);
  int written = 0;
  int received = 0;
  model::spawn([&] {
    c.send(1);
    written = 5;
    c.close();
  });
  model::spawn([&] {
    while (c.recv()) ++received;
    model::check(written == 5, "what was written before the close is missing");
  });
  model::join_all();
  model::check(received == 1, "an element was lost by the close");
}

/// Operations that do not wait look without the lock.
void trying() {
  const chan<int> c = make_chan<int>(1);
  int written = 0;
  model::spawn([&] {
    written = 5;
    c.send(1);
    c.close();
  });
  bool closed = false;
  bool got = false;
  for (int i = 0; i < 2 && !closed; ++i)
    if (c.try_recv(closed)) {
      got = true;
      model::check(written == 5, "what was written before the send is missing");
    }
  if (closed) model::check(got, "closed and drained is said of a channel that holds an element");
  model::join_all();
}

/// Says when it ends.
struct counted {
  int* ended;
  explicit counted(int* to) noexcept : ended(to) {}
  counted(counted&& other) noexcept : ended(std::exchange(other.ended, nullptr)) {}
  ~counted() {
    if (ended != nullptr) ++*ended;
  }
};

/// The last handle frees the channel, and what is in it, while the other side still returns.
void last_handle() {
  int ended = 0;
  chan<counted> c = make_chan<counted>(2);
  model::spawn([&ended, c]() mutable {
    const chan<counted> mine = std::move(c);
    mine.send(counted(&ended));
    mine.send(counted(&ended));
  });
  {
    const chan<counted> mine = std::move(c);
    model::check(mine.recv().has_value(), "not what was sent");
  }
  model::join_all();
  model::check(ended == 2, "the channel, or an element in it, was not freed");
}

constexpr const char* file = "weft/sync/chan.cpp";
constexpr const char* mutex = "weft/base/futex_mutex.hpp";
constexpr const char* machine = "weft/sched/machine.cpp";

TEST(chan_model, unbuffered) {
  model::verify({.name = "chan, unbuffered", .body = ping_pong, .of = model::part::chan},
                {
                    {"the lock's release is relaxed", mutex, "state_.exchange(0, release)",
                     model::change::weaken},
                    {"guest_ready: relaxed", machine,
                     "mp->park_word.store(1, release);  // partner: the acquire in guest_park()",
                     model::change::weaken},
                    {"guest_park: relaxed", machine,
                     "mp->park_word.load(acquire) == 0) os::futex_wait(mp->park_word, 0, -1);\n"
                     "  mp->guest_cell",
                     model::change::weaken},
                    {"guest_park: it was woken long ago", machine,
                     "mp->park_word.store(0, relaxed);\n  // Nothing runs", model::change::drop},
                    {"guest_park: does not wait", machine,
                     "mp->park_word.load(acquire) == 0) os::futex_wait(mp->park_word, 0, -1);\n"
                     "  mp->guest_cell",
                     model::change::reads_one},
                });
}

TEST(chan_model, buffered) {
  model::verify({.name = "chan, one place", .body = buffered, .of = model::part::chan},
                {
                    {"send: count is not written", file, "c.count.store(n + 1, relaxed)",
                     model::change::drop},
                    {"recv: count is not written", file, "c.count.store(n - 1, relaxed)",
                     model::change::drop},
                    {"the lock's acquire is relaxed", mutex,
                     "state_.compare_exchange(expected, 1, acquire, relaxed)) [[unlikely]]",
                     model::change::weaken},
                });
}

TEST(chan_model, closing) {
  model::verify(
      {.name = "chan, close", .body = closing, .of = model::part::chan},
      {
          {"close: is not written", file, "c.closed.store(1, release)", model::change::drop},
          {"recv: does not look for the close", file,
           "c.closed.load(relaxed) != 0 ? chan_status::closed", model::change::reads_zero},
          {"guest_ready: nobody is woken", machine,
           "os::futex_wake(mp->park_word, 1);\n}\n\n}  // namespace weft::rt", model::change::drop},
      });
}

TEST(chan_model, trying) {
  model::verify(
      {.name = "chan, try_recv", .body = trying, .of = model::part::chan, .all_seen = true},
      {
          {"try_recv: close seen relaxed", file,
           "c->closed.load(acquire) == 0) return chan_status::would_block;\n    if",
           model::change::weaken},
          {"close: relaxed", file, "c.closed.store(1, release)", model::change::weaken},
          {"the lock's release is relaxed", mutex, "state_.store(0, release)",
           model::change::weaken},
      });
}

TEST(chan_model, last_handle) {
  model::verify(
      {.name = "chan, last handle", .body = last_handle, .of = model::part::chan, .all_seen = true},
      {
          {"release_chan: relaxed", file, "c->refs.fetch_sub(1, acq_rel)", model::change::weaken},
          {"release_chan: no acquire", file, "c->refs.fetch_sub(1, acq_rel)",
           model::change::to_release},
          {"release_chan: load and store", file, "c->refs.fetch_sub(1, acq_rel)",
           model::change::split},
      });
}

}  // namespace
