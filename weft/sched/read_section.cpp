// SPDX-License-Identifier: Apache-2.0
// Read sections: the rare parts. The protocol is in the header.
#include "weft/sched/internal/read_section.hpp"

#include "weft/base/panic.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

static_assert(__builtin_offsetof(machine, reading) == 0);  // the thread's word points to its slot

constinit epoch_line read_epoch;

__attribute__((noinline)) read_slot* attach_reader() noexcept { return &attach_guest()->reading; }

read_entry enter_reading_seen() noexcept { return enter_reading(); }
void leave_reading_seen(const read_entry& entry, bool check) noexcept {
  leave_checked(entry, check);
}

void enter_nested(read_slot& slot) noexcept {
  // The outermost section's epoch stands: this one is as old.
  slot.word.store(slot.word.load(relaxed) + 1, relaxed);
}

void leave_nested(read_slot& slot) noexcept {
  const uint64_t word = slot.word.load(relaxed) - 1;
  if (word % epoch_step == 0) read_section_parked();
  slot.word.store(word, relaxed);
}

void read_section_parked() noexcept {
  fatal(
      "sync: a goroutine parked inside a read: what hash, equality, copying or the function given "
      "to read() calls must not wait for anything");
}

bool is_reading() noexcept {
  const machine* mp = this_machine();
  return mp != nullptr && mp->reading.word.load(relaxed) != 0;
}

void attend_reader() noexcept {
  if (!is_reading()) attend();
}

uint64_t begin_grace() noexcept {
  // acq_rel: partner: the acquire in enter_reading(); and those who raise it one after another are
  // in one release sequence.
  const uint64_t epoch = read_epoch.value.fetch_add(epoch_step, acq_rel) + epoch_step;
  os::heavy_fence();  // partner: light_fence() in enter_reading()
  return epoch;
}

bool readers_passed(uint64_t epoch) noexcept {
  // A child of fork() has the forking thread only; the words of the others stand still for ever.
  if (sched.forked.load(relaxed) != 0) {
    const machine* self = this_machine();
    const uint64_t word = self != nullptr ? self->reading.word.load(relaxed) : 0;
    return word == 0 || word >= epoch;
  }
  // acquire: a machine that is not on the list yet makes its first section after the heavy fence.
  for (machine* mp = sched.all_machines.load(acquire); mp != nullptr; mp = mp->all_link) {
    const uint64_t word = mp->reading.word.load(acquire);  // partner: leave_reading()
    if (word != 0 && word < epoch) return false;
  }
  return true;
}

}  // namespace weft::rt
