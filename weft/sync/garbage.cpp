// SPDX-License-Identifier: Apache-2.0
// garbage: batches of unlinked objects, freed an epoch later.
#include "weft/sync/internal/garbage.hpp"

#include <algorithm>
#include <utility>

#include "weft/base/panic.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/sched/internal/read_section.hpp"
#include "weft/sched/runtime.hpp"

namespace weft::rt {

namespace {

constexpr uintptr_t kind_bits = 7;

// A stuck reader is looked at so often: first soon, for most are descheduled threads; then rarely.
constexpr std::chrono::nanoseconds first_wait{50'000};
constexpr std::chrono::nanoseconds longest_wait{10'000'000};

}  // namespace

garbage::~garbage() {
  destroy_all(std::exchange(waiting_, 0));
  destroy_all(fresh_.exchange(0, acquire));
}

bool garbage::add(retired* object, unsigned kind) noexcept {
  WEFT_CHECK_SLOW(kind <= kind_bits);
  // Before it can be taken: or whoever destroys it would count below 0. The release orders the two.
  const uint32_t count = count_.fetch_add(1, relaxed) + 1;
  uintptr_t head = fresh_.load(relaxed);
  do {
    object->next_retired = head;
    // release: the unlinking comes before whoever takes it. Partner: the exchange in take_passed().
  } while (
      !fresh_.compare_exchange(head, reinterpret_cast<uintptr_t>(object) | kind, release, relaxed));
  // Behind a stuck reader each look would be in vain: a quarter of a batch lies between two.
  return count >= garbage_batch && count % (garbage_batch / 4) == 0;
}

uintptr_t garbage::take_passed(bool& waits) noexcept {
  // acquire, and the release below: the fields that busy_ guards.
  waits = busy_.exchange(1, acquire) != 0;
  if (waits) return 0;
  if (waiting_ == 0) {
    waiting_ = fresh_.exchange(0, acquire);  // partner: add()
    if (waiting_ != 0) grace_ = begin_grace();
  }
  uintptr_t passed = 0;
  if (waiting_ != 0 && readers_passed(grace_)) passed = std::exchange(waiting_, 0);
  waits = waiting_ != 0;
  busy_.store(0, release);
  return passed;
}

bool garbage::collect() noexcept {
  if (is_reading()) return false;
  bool waits = false;
  // Twice: an old batch may stand in front of the one that made this due.
  for (int rounds = 0; rounds < 2; ++rounds) {
    const uintptr_t passed = take_passed(waits);
    if (passed == 0) break;
    destroy_all(passed);
    if (rounds == 0 && count_.load(relaxed) < garbage_batch) break;
  }
  return !waits;
}

void garbage::destroy_all(uintptr_t first) noexcept {
  // ThreadSanitizer does not know of epochs: to it a reader's last look and this are a race.
  const sanitizer::unseen scope;
  for (uintptr_t at = first; at != 0;) {
    auto* object = reinterpret_cast<retired*>(at & ~kind_bits);
    const auto kind = static_cast<unsigned>(at & kind_bits);
    at = object->next_retired;
    // Before: a destructor may write here, and would wait for room that it takes up itself.
    count_.fetch_sub(1, relaxed);
    destroy_(object, kind);
  }
}

void garbage::await_room_slow() noexcept {
  if (is_reading()) return;  // it would wait for itself
  // Ends when the reader that stands still goes on.
  for (auto wait = first_wait;; wait = std::min(2 * wait, longest_wait)) {
    collect();
    if (count_.load(relaxed) < garbage_max) return;
    sleep_for(wait);
  }
}

}  // namespace weft::rt
