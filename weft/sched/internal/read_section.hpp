// SPDX-License-Identifier: Apache-2.0
// Read sections: between entry and exit a reader may look at what others unlink meanwhile; it is
// freed only when every section that began before the unlinking has ended. Reclamation by epochs;
// docs/adr/0018-epochs.md. Who reclaims: weft/sync/internal/garbage.hpp.
//
// A reader writes one word, its own thread's, by plain stores; whoever reclaims pays for the fence:
//
//   reader:  word = epoch; light fence; load links      reclaimer:  unlink; ++epoch; heavy fence;
//            ...; word = 0                                          load all words
//
// Either the reclaimer sees the word, and waits for it, or the reader's loads come after the heavy
// fence and find nothing unlinked. A word with the new epoch or a later one is no reason to wait:
// that reader has acquired the epoch, and with it the unlinking.
//
// Why the word is the thread's and not the P's: sysmon may take the P of a thread in the middle of
// a section (this is user code to it, see retake.cpp). The thread goes on with its own word, and
// the P's next holder has another. So retaking needs to know nothing of sections.
//
// What is called inside must not park: the goroutine would come back on another thread, whose word
// says nothing. Debug builds end the program at the first call that may park; other builds when the
// section ends on another thread: until then the first thread's word still stands, so nothing was
// freed too early.
#pragma once

#include "weft/base/atomic.hpp"
#include "weft/base/export.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/race.hpp"
#include "weft/base/thread_slot.hpp"

namespace weft::rt {

/// The first member of a machine.
struct read_slot {
  /// 0: not in a section. Else the epoch when the outermost one began, plus how many are entered.
  /// Written by its own thread; others read it in readers_passed().
  atomic<uint64_t> word{0};
};

/// Epochs are multiples of this: below is room for the depth. Deeper nesting overflows the stack.
inline constexpr uint64_t epoch_step = 65536;
/// Raised by every begin_grace(). Read by everyone, so alone in its cache line.
struct alignas(64) epoch_line {
  atomic<uint64_t> value{epoch_step};
};
extern epoch_line read_epoch;
extern atomic<uint32_t> attention;  // sched/internal/section.hpp

/// The slot of a thread that the runtime has not seen: it becomes a guest.
read_slot* attach_reader() noexcept;
/// A section ended on another thread than it began on. Ends the program.
[[noreturn]] void read_section_parked() noexcept;
/// Honours rt::attention before a read, unless it is inside another one. May park.
void attend_reader() noexcept;

/// A section in another one: the word counts it.
void enter_nested(read_slot& slot) noexcept;
void leave_nested(read_slot& slot) noexcept;

/// A section as its owner knows it.
struct read_entry {
  read_slot* slot;
  /// What the slot's word is while this section is the innermost, if it is the outermost, too; else
  /// 0.
  uint64_t outermost;
};

/// The same for code with the race detector: it knows no fences, and need not see the words.
read_entry enter_reading_seen() noexcept;
void leave_reading_seen(const read_entry& entry, bool check) noexcept;

/// The branches are predicted, so that no section waits for the store of the one before it.
inline read_entry enter_reading() noexcept {
  auto* slot = static_cast<read_slot*>(thread_slot());
  if (slot == nullptr) [[unlikely]]
    slot = attach_reader();
  if (slot->word.load(relaxed) != 0) [[unlikely]] {
    enter_nested(*slot);
    return {slot, 0};
  }
  // acquire: partner: begin_grace(). Whoever has the new epoch sees what was unlinked before it.
  const uint64_t word = read_epoch.value.load(acquire) + 1;
  // release: what the sections before did comes first for a reclaimer that reads this word.
  slot->word.store(word, release);
  os::light_fence();  // partner: heavy_fence() in begin_grace()
  return {slot, word};
}

inline void leave_reading(const read_entry& entry) noexcept {
  if (entry.outermost == 0) [[unlikely]]
    return leave_nested(*entry.slot);
  // release: partner: the acquire in readers_passed(). What was read was read before.
  entry.slot->word.store(0, release);
}

/// `check`: that the section ends where it began.
inline void leave_checked(const read_entry& entry, bool check) noexcept {
  // The second one: others' sections stand on this thread, in the wrong order.
  if (check && (thread_slot() != entry.slot ||
                (entry.outermost != 0 && entry.slot->word.load(relaxed) != entry.outermost)))
      [[unlikely]]
    read_section_parked();
  leave_reading(entry);
}

/// `MayCallUsers`: code of users runs inside, and so may break the rule; then it is checked.
template <bool MayCallUsers = true>
class [[nodiscard]] read_section {
 public:
  read_section() noexcept : entry_(enter()) {}
  ~read_section() {
    if constexpr (race_enabled)
      leave_reading_seen(entry_, MayCallUsers);
    else
      leave_checked(entry_, MayCallUsers);
  }
  read_section(const read_section&) = delete;
  read_section& operator=(const read_section&) = delete;

 private:
  static read_entry enter() noexcept {
    if constexpr (race_enabled)
      return enter_reading_seen();
    else
      return enter_reading();
  }
  const read_entry entry_;
};

/// True on a thread that is in a section.
[[nodiscard]] bool is_reading() noexcept;

// --- for who reclaims ------------------------------------------------------------------------
/// What the caller has unlinked, or has taken from one who has, may be freed once
/// readers_passed(the epoch that this returns). Costs a heavy fence.
[[nodiscard]] uint64_t begin_grace() noexcept;
/// True if every section that began before that begin_grace() has ended. In the child of a fork()
/// only this thread's count.
[[nodiscard]] bool readers_passed(uint64_t epoch) noexcept;

}  // namespace weft::rt
