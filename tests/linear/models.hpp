// SPDX-License-Identifier: Apache-2.0
// What a channel, a mutex and a semaphore answer when nobody else is there: the sequential objects
// that histories are compared with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "checker.hpp"

namespace linear {

// --- channels ---

enum class chan_call : uint8_t { send, try_send, recv, try_recv, close };
/// ok: sent, received (value), closed. blocked: a try that did not. closed: send's or close's
/// panic, a receive's end.
enum class chan_answer : uint8_t { ok, blocked, closed };

struct chan_op {
  chan_call call;
  chan_answer answer;
  int value = 0;
  int channel = 0;
};

/// A bounded queue that can be closed.
struct chan_model {
  size_t capacity = 1;
  std::vector<int> values{};
  bool closed = false;

  bool apply(const chan_op& op) {
    switch (op.call) {
      case chan_call::send:
      case chan_call::try_send:
        if (op.answer == chan_answer::closed) return closed;
        if (op.answer == chan_answer::blocked) return !closed && values.size() == capacity;
        if (closed || values.size() == capacity) return false;
        values.push_back(op.value);
        return true;
      case chan_call::recv:
      case chan_call::try_recv:
        if (op.answer == chan_answer::closed) return closed && values.empty();
        if (op.answer == chan_answer::blocked) return !closed && values.empty();
        if (values.empty() || values.front() != op.value) return false;
        values.erase(values.begin());
        return true;
      case chan_call::close:
        if (closed) return op.answer == chan_answer::closed;
        closed = true;
        return op.answer == chan_answer::ok;
    }
    return false;
  }
  bool operator==(const chan_model&) const = default;
  [[nodiscard]] size_t hash() const noexcept {
    size_t h = closed ? 1 : 0;
    for (int v : values) h = h * 0x100000001b3 + static_cast<size_t>(v) + 2;
    return h;
  }
};

/// Without a buffer a send and its receive are one step of two goroutines. So each pair becomes one
/// operation, which must fit where both were under way; after that, the object is only open or
/// closed. Values must be unique. False: a pair never met, or one half is missing.
[[nodiscard]] inline bool join_pairs(const history<chan_op>& ops, history<chan_op>& joined) {
  const auto is_send = [](const chan_op& op) {
    return op.call == chan_call::send || op.call == chan_call::try_send;
  };
  size_t receives = 0;
  for (const timed<chan_op>& one : ops) {
    const bool moves = one.op.call != chan_call::close && one.op.answer == chan_answer::ok;
    if (!moves) {
      joined.push_back(one);
      continue;
    }
    if (!is_send(one.op)) {
      ++receives;
      continue;
    }
    const auto partner = std::find_if(ops.begin(), ops.end(), [&](const timed<chan_op>& other) {
      return !is_send(other.op) && other.op.call != chan_call::close &&
             other.op.answer == chan_answer::ok && other.op.value == one.op.value;
    });
    if (partner == ops.end()) return false;
    const timed<chan_op> pair{std::max(one.called, partner->called),
                              std::min(one.returned, partner->returned), one.op};
    if (pair.called > pair.returned) return false;
    joined.push_back(pair);
  }
  const auto sends = static_cast<size_t>(
      std::count_if(joined.begin(), joined.end(), [&](const timed<chan_op>& one) {
        return is_send(one.op) && one.op.answer == chan_answer::ok;
      }));
  return sends == receives;
}

/// For joined histories: a pair needs it open. Whether a try finds a partner who waits is not part
/// of the object's state, so "blocked" only says that it was open.
struct rendezvous_model {
  bool closed = false;
  bool apply(const chan_op& op) {
    if (op.call != chan_call::close) return (op.answer == chan_answer::closed) == closed;
    const bool first = !closed;
    closed = true;
    return (op.answer == chan_answer::ok) == first;
  }
  bool operator==(const rendezvous_model&) const = default;
  [[nodiscard]] size_t hash() const noexcept { return closed ? 1 : 0; }
};

// --- locks ---

enum class lock_call : uint8_t { lock, try_lock, unlock };

struct lock_op {
  lock_call call;
  int who = 0;
  bool ok = true;  // try_lock's answer
  int lock = 0;
};

struct lock_model {
  int holder = -1;
  bool apply(const lock_op& op) {
    switch (op.call) {
      case lock_call::lock:
      case lock_call::try_lock:
        if (!op.ok) return holder != -1;
        if (holder != -1) return false;
        holder = op.who;
        return true;
      case lock_call::unlock:
        if (holder != op.who) return false;
        holder = -1;
        return true;
    }
    return false;
  }
  bool operator==(const lock_model&) const = default;
  [[nodiscard]] size_t hash() const noexcept { return static_cast<size_t>(holder + 1); }
};

// --- semaphores ---

enum class sema_call : uint8_t { acquire, try_acquire, release };

struct sema_op {
  sema_call call;
  int64_t units = 1;
  bool ok = true;  // try_acquire's answer; an acquire that was canceled
};

struct sema_model {
  int64_t free = 0;
  /// Whoever waits for many units makes others wait: then a try may fail although there are enough.
  bool fair_tries = false;
  bool apply(const sema_op& op) {
    switch (op.call) {
      case sema_call::acquire:
      case sema_call::try_acquire:
        if (!op.ok) return op.call == sema_call::acquire || fair_tries || free < op.units;
        if (free < op.units) return false;
        free -= op.units;
        return true;
      case sema_call::release:
        free += op.units;
        return true;
    }
    return false;
  }
  bool operator==(const sema_model&) const = default;
  [[nodiscard]] size_t hash() const noexcept { return static_cast<size_t>(free); }
};

// --- pools ---

/// What get() returned was put before and nobody else got it. It may find nothing at any time, so
/// that is no operation.
struct pool_op {
  bool put;
  int value = 0;
};

struct pool_model {
  std::vector<int> values{};  // sorted

  bool apply(const pool_op& op) {
    const auto at = std::lower_bound(values.begin(), values.end(), op.value);
    const bool there = at != values.end() && *at == op.value;
    if (op.put) {
      if (there) return false;
      values.insert(at, op.value);
    } else {
      if (!there) return false;
      values.erase(at);
    }
    return true;
  }
  bool operator==(const pool_model&) const = default;
  [[nodiscard]] size_t hash() const noexcept {
    size_t h = 0;
    for (int v : values) h = h * 0x100000001b3 + static_cast<size_t>(v) + 2;
    return h;
  }
};

}  // namespace linear
