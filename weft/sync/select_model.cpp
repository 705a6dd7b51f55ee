// SPDX-License-Identifier: Apache-2.0
// select under every interleaving: one winner per select, no dead lock between selects that name
// the same channels in another order, nothing touched after the selecting thread goes on.
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>

#include "weft/sync/chan.hpp"
#include "weft/sync/select.hpp"

namespace {

using weft::chan;
using weft::make_chan;
using weft::on_recv;
using weft::on_send;

/// Two channels are sent to; one select receives from both, twice.
void two_senders() {
  const chan<int*> a = make_chan<int*>();
  const chan<int*> b = make_chan<int*>();
  int values[2] = {0, 0};
  model::spawn([&] {
    values[0] = 1;
    a.send(&values[0]);
  });
  model::spawn([&] {
    values[1] = 1;
    b.send(&values[1]);
  });
  int got = 0;
  const auto take = [&got](std::optional<int*> v) {
    model::check(**v == 1, "received twice, or not what was sent");
    **v = 2;
    ++got;
  };
  for (int i = 0; i < 2; ++i) weft::select(on_recv(a, take), on_recv(b, take));
  model::join_all();
  model::check(got == 2, "a value was lost");
}

/// Two selects wait for each other on two channels, named in opposite orders: exactly one pair of
/// cases meets.
void two_selects() {
  const chan<int> a = make_chan<int>();
  const chan<int> b = make_chan<int>();
  int sent = 0;
  int received = 0;
  model::spawn(
      [&] { weft::select(on_send(a, 1, [&] { ++sent; }), on_recv(b, [&] { ++received; })); });
  weft::select(on_send(b, 2, [&] { ++sent; }), on_recv(a, [&] { ++received; }));
  model::join_all();
  model::check(sent == 1 && received == 1, "two selects that met did not agree");
}

/// One select, two wakers: a sender and a close.
void send_and_close() {
  const chan<int> a = make_chan<int>();
  const chan<int> b = make_chan<int>();
  bool sent = false;
  model::spawn([&] { sent = a.try_send(4); });
  model::spawn([&] { b.close(); });
  int got = 0;
  bool closed = false;
  const int first = weft::select(on_recv(a, [&](std::optional<int> v) { got = *v; }),
                                 on_recv(b, [&](std::optional<int> v) { closed = !v; }));
  model::check(first == 0 ? got == 4 : closed, "not what happened");
  model::join_all();
  model::check(sent == (first == 0), "a value was taken by nobody");
}

constexpr const char* waiter = "weft/sync/internal/waiter.hpp";
constexpr const char* mutex = "weft/base/futex_mutex.hpp";
constexpr const char* machine = "weft/sched/machine.cpp";

TEST(select_model, two_senders) {
  model::verify(
      {.name = "select, two senders", .body = two_senders, .of = model::part::select},
      {
          {"two wakers win", waiter,
           "sg->claimed->compare_exchange(unclaimed, 1, relaxed, relaxed)", model::change::always},
          {"claim by load and store", waiter,
           "sg->claimed->compare_exchange(unclaimed, 1, relaxed, relaxed)", model::change::split},
          {"nobody wins", waiter, "sg->claimed->compare_exchange(unclaimed, 1, relaxed, relaxed)",
           model::change::never},
          {"guest_park: relaxed", machine,
           "mp->park_word.load(acquire) == 0) os::futex_wait(mp->park_word, 0, -1);\n"
           "  mp->guest_cell",
           model::change::weaken},
      });
}

TEST(select_model, two_selects) {
  model::verify({.name = "select against select", .body = two_selects, .of = model::part::select},
                {
                    {"locks in the order of the cases", nullptr,
                     "select: locks in the order of the cases", model::change::leave_out},
                    {"the lock's release is relaxed", mutex, "state_.exchange(0, release)",
                     model::change::weaken},
                    {"the lock's acquire is relaxed", mutex,
                     "state_.compare_exchange(expected, 1, acquire, relaxed)) [[unlikely]]",
                     model::change::weaken},
                });
}

TEST(select_model, send_and_close) {
  model::verify(
      {.name = "select, send and close", .body = send_and_close, .of = model::part::select},
      {
          {"two wakers win", waiter,
           "sg->claimed->compare_exchange(unclaimed, 1, relaxed, relaxed)", model::change::always},
          {"claim by load and store", waiter,
           "sg->claimed->compare_exchange(unclaimed, 1, relaxed, relaxed)", model::change::split},
          {"the lock: whatever it finds", mutex,
           "state_.compare_exchange(expected, 1, acquire, relaxed)) [[unlikely]]",
           model::change::always},
      });
}

}  // namespace
