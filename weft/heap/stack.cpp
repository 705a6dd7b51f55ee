// SPDX-License-Identifier: Apache-2.0
// Where goroutine stacks come from: reservations, slots carved from them, and lists of free ones.
//
//   class (256 KiB)   free: slot -> slot -> ...      warm slots, hottest first
//                     bare: slot -> ...              carved, but the kernel refused a guard
//   reservations[]    | base ......... claimed ............... end |   appended, never removed
//   its links[]       one word for each slot: 0, or (next free slot | 1)
//
// A slot goes: unclaimed -> claimed (under the lock) -> guarded (no lock: a system call each) ->
// in use <-> free. Links lie apart from the slots, so that listing a slot never touches (commits)
// its pages and a discarded slot stays discarded.
//
// Invariants
//   1. A slot's link word is nonzero exactly while the slot is on a list. Otherwise a slot given
//      back twice would be handed to two goroutines. Checked in push() and pop().
//   2. Entries of reservations[] below reservation_count never change, except `claimed`, which only
//      grows. Otherwise stack_find(), which runs in signal handlers, would need a lock.
//
// Rejected: one mmap for each stack (a million mappings; vm.max_map_count is 65,530), and links
// inside the slots (touching a cold slot costs more than 50 spawns).
#include "weft/heap/internal/stack.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>

#include "weft/base/atomic.hpp"
#include "weft/base/futex_mutex.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/panic.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/base/settings.hpp"
#include "weft/base/valgrind.hpp"

// Highest address of the main thread's stack; set by the dynamic linker.
extern "C" void* __libc_stack_end;

namespace weft::rt {
namespace {

constexpr size_t page = os::page_bytes;
constexpr int class_shift_min = std::countr_zero(stack_bytes_min);
constexpr size_t class_count =
    static_cast<size_t>(std::countr_zero(stack_bytes_max) - class_shift_min) + 1;
// Slots wanted of a reservation: a million goroutines then cost one mapping.
constexpr size_t slots_aim = size_t{1} << 20;
// Most bytes of one reservation. 4 TiB is a 32nd of the address space of a process; sanitizers
// lay shadow memory over much of it and need it small.
constexpr size_t reservation_bytes_max =
    (sanitizer::thread || sanitizer::address) ? size_t{16} << 30 : size_t{4} << 40;
// On valgrind, whose table of memory has an entry for each 64 KiB of a mapping: 4,096 of 256 KiB.
constexpr size_t reservation_bytes_on_valgrind = size_t{1} << 30;
// Fewest slots worth a mapping when address space is scarce.
constexpr size_t slots_min = 4;
// Slots guarded at a time: one system call of 15 us, or 32 of 0.8 us each. More would make one
// goroutine in a while start slower still; fewer would take the lock more often.
constexpr size_t batch_slots = 32;
// Reservations a process can make. Each takes at least a quarter of what address space is left, or
// holds slots_aim slots, so the table outlasts the address space.
constexpr size_t reservations_max = 256;

struct reservation {
  uintptr_t base = 0;
  size_t slot_bytes = 0;
  size_t slots = 0;
  uintptr_t* links = nullptr;  // invariant 1; under `stacks_lock`
  /// Slots handed to carving so far. Written under `stacks_lock`; read by anyone.
  atomic<size_t> claimed{0};
};

struct stack_class {
  uintptr_t free_head = 0;  // lo of the first slot; 0: none
  uintptr_t bare_head = 0;
  reservation* current = nullptr;
};

enum class guard_kind : uint8_t { untried, install, protect };

constinit futex_mutex stacks_lock{lock_rank::stack};
std::array<stack_class, class_count> classes WEFT_GUARDED_BY(stacks_lock);
std::array<reservation, reservations_max> reservations;
/// Entries of reservations[] that are ready. release in reserve_more(), acquire in find_home().
constinit atomic<size_t> reservation_count{0};
constinit atomic<guard_kind> guards{guard_kind::untried};
constinit atomic<uint64_t> slots_guarded{0};
constinit atomic<uint64_t> slots_listed{0};
constinit atomic<uint64_t> bytes_reserved{0};
// A reservation came out smaller than asked for. Set once, under `stacks_lock`; read by anyone.
constinit atomic<bool> address_space_short{false};

size_t class_index(size_t class_bytes) noexcept {
  return static_cast<size_t>(std::countr_zero(class_bytes) - class_shift_min);
}

/// The reservation whose claimed slots cover `address`, or null. Async-signal-safe.
reservation* find_home(uintptr_t address) noexcept {
  const size_t count = reservation_count.load(acquire);
  for (size_t i = 0; i < count; ++i) {
    reservation& home = reservations[i];
    if (address - home.base < home.claimed.load(relaxed) * home.slot_bytes) return &home;
  }
  return nullptr;
}

stack_slot slot_at(const reservation& home, size_t index) noexcept {
  const uintptr_t start = home.base + index * home.slot_bytes;
  return {start + page, start + home.slot_bytes};
}

uintptr_t& link_of(uintptr_t lo) noexcept WEFT_REQUIRES(stacks_lock) {
  reservation* home = find_home(lo);
  WEFT_ASSERT(home != nullptr);
  return home->links[(lo - home->base) / home->slot_bytes];
}

void push(uintptr_t& head, uintptr_t lo) noexcept WEFT_REQUIRES(stacks_lock) {
  uintptr_t& link = link_of(lo);
  WEFT_ASSERT(link == 0);  // else: given back twice
  link = head | 1;
  head = lo;
}

stack_slot pop(uintptr_t& head, size_t class_bytes) noexcept WEFT_REQUIRES(stacks_lock) {
  const uintptr_t lo = head;
  uintptr_t& link = link_of(lo);
  WEFT_ASSERT(link != 0);
  head = link & ~uintptr_t{1};
  link = 0;
  return {lo, lo - page + class_bytes};
}

/// Reserves address space for more slots of the class. False when there is none.
bool reserve_more(stack_class& of, size_t class_bytes) noexcept WEFT_REQUIRES(stacks_lock) {
  const size_t index = reservation_count.load(relaxed);
  if (index == reservations_max) return false;
  size_t slots = slots_aim;
  const size_t bytes_max = on_valgrind() ? reservation_bytes_on_valgrind : reservation_bytes_max;
  while (slots * class_bytes > bytes_max) slots /= 2;
  const size_t wanted = slots;
  void* base = os::reserve_writable(slots * class_bytes);
  while (base == nullptr && slots > slots_min) {
    slots /= 2;
    base = os::reserve_writable(slots * class_bytes);
  }
  if (slots < wanted) address_space_short.store(true, relaxed);
  if (base == nullptr) return false;
  // Address space is scarce (RLIMIT_AS, overcommit_memory=2): a quarter of what would be granted
  // leaves room for everybody else; the next reservation takes a quarter of the rest.
  if (slots < wanted && slots >= 4 * slots_min) {
    const size_t quarter = slots / 4;
    os::release(static_cast<char*>(base) + quarter * class_bytes, (slots - quarter) * class_bytes);
    slots = quarter;
  }
  void* links = os::reserve_writable(slots * sizeof(uintptr_t));
  if (links == nullptr) {
    os::release(base, slots * class_bytes);
    return false;
  }
  // Claimed slots are put back in, batch by batch: a core file of a process with ten goroutines
  // must not be searched through 256 GiB of nothing.
  os::core_files_hold(base, slots * class_bytes, false);
  reservation& made = reservations[index];
  made.base = reinterpret_cast<uintptr_t>(base);
  made.slot_bytes = class_bytes;
  made.slots = slots;
  made.links = static_cast<uintptr_t*>(links);
  of.current = &made;
  bytes_reserved.fetch_add(slots * class_bytes, relaxed);
  reservation_count.store(index + 1, release);  // partner: find_home()
  return true;
}

/// Claims up to batch_slots slots without a guard. 0: no address space.
size_t claim(stack_class& of, size_t class_bytes, stack_slot* out) noexcept
    WEFT_REQUIRES(stacks_lock) {
  size_t got = 0;
  while (got < batch_slots && of.bare_head != 0) out[got++] = pop(of.bare_head, class_bytes);
  if (got > 0) return got;
  if (of.current == nullptr || of.current->claimed.load(relaxed) == of.current->slots)
    if (!reserve_more(of, class_bytes)) return 0;
  reservation& home = *of.current;
  const size_t first = home.claimed.load(relaxed);
  while (got < batch_slots && first + got < home.slots) {
    out[got] = slot_at(home, first + got);
    ++got;
  }
  home.claimed.store(first + got, relaxed);
  os::core_files_hold(reinterpret_cast<void*>(home.base + first * class_bytes), got * class_bytes,
                      true);
  return got;
}

/// Installs the slot's guard. 0, or the errno.
int install_guard(stack_slot slot) noexcept {
  void* address = reinterpret_cast<void*>(slot.lo - page);
  guard_kind kind = guards.load(relaxed);
  if (kind == guard_kind::untried && process_settings().no_guard_install)
    guards.store(kind = guard_kind::protect, relaxed);
  if (kind != guard_kind::protect) {
    const int refused = os::guard_install(address, page);
    // EINVAL: a kernel before 6.13, or locked memory (mlockall). mprotect does both.
    if (refused != EINVAL) {
      if (refused == 0 && kind == guard_kind::untried) guards.store(guard_kind::install, relaxed);
      return refused;
    }
    guards.store(guard_kind::protect, relaxed);
  }
  return os::protect_none(address, page);
}

/// All of them by one system call, where guards are known to work that way. False: not done.
bool install_together(const stack_slot* slots, size_t count) noexcept {
  if (guards.load(relaxed) != guard_kind::install) return false;
  void* addresses[batch_slots];
  for (size_t i = 0; i < count; ++i) addresses[i] = reinterpret_cast<void*>(slots[i].lo - page);
  return os::guard_install_all(addresses, count, page);
}

/// Guards `slots[0, count)`; returns how many from the front have one.
size_t install_guards(const stack_slot* slots, size_t count, stack_error& error) noexcept {
  const bool together = install_together(slots, count);
  for (size_t i = 0; i < count; ++i) {
    const int refused = together ? 0 : install_guard(slots[i]);
    if (refused == 0) {
      tell_valgrind_of_stack(slots[i].lo, slots[i].hi);
      continue;
    }
    // mprotect says ENOMEM when the process may have no more mappings; madvise when a page table
    // cannot be had.
    error = guards.load(relaxed) == guard_kind::protect ? stack_error::guards_exhausted
                                                        : stack_error::address_space;
    slots_guarded.fetch_add(i, relaxed);
    return i;
  }
  slots_guarded.fetch_add(count, relaxed);
  return count;
}

size_t take_free(stack_class& of, size_t class_bytes, stack_slot* out, size_t count) noexcept
    WEFT_REQUIRES(stacks_lock) {
  size_t got = 0;
  while (got < count && of.free_head != 0) out[got++] = pop(of.free_head, class_bytes);
  slots_listed.fetch_sub(got, relaxed);
  return got;
}

}  // namespace

size_t stack_class_bytes(size_t requested) noexcept {
  if (requested <= stack_bytes_min) return stack_bytes_min;
  if (requested >= stack_bytes_max) return stack_bytes_max;
  return std::bit_ceil(requested);
}

bool stack_supply_ample() noexcept {
  return guards.load(relaxed) == guard_kind::install && !address_space_short.load(relaxed);
}

size_t stack_take(size_t bytes, stack_slot* out, size_t count, stack_error& error) noexcept {
  error = stack_error::none;
  const size_t class_bytes = stack_class_bytes(bytes);
  const size_t index = class_index(class_bytes);
  size_t got = 0;
  // Ends: each round hands out at least one slot, or returns.
  while (got < count) {
    stack_slot batch[batch_slots];
    size_t claimed = 0;
    {
      kept_lock_scope held(stacks_lock);
      got += take_free(classes[index], class_bytes, out + got, count - got);
      if (got == count) return got;
      claimed = claim(classes[index], class_bytes, batch);
    }
    if (claimed == 0) {
      error = stack_error::address_space;
      return got;
    }
    const size_t guarded = install_guards(batch, claimed, error);
    size_t used = 0;
    while (used < guarded && got < count) out[got++] = batch[used++];
    kept_lock_scope held(stacks_lock);
    for (size_t i = claimed; i > guarded; --i) push(classes[index].bare_head, batch[i - 1].lo);
    // Backwards, so that the lowest address is taken next and neighbours share page tables.
    for (size_t i = guarded; i > used; --i) push(classes[index].free_head, batch[i - 1].lo);
    slots_listed.fetch_add(guarded - used, relaxed);
    if (error != stack_error::none && used == 0) return got;
    if (got == count) error = stack_error::none;
  }
  return got;
}

void stack_give(stack_slot slot) noexcept {
  const size_t class_bytes = slot.hi - (slot.lo - page);
  kept_lock_scope held(stacks_lock);
  const reservation* home = find_home(slot.lo);
  WEFT_ASSERT(home != nullptr && home->slot_bytes == class_bytes);
  push(classes[class_index(class_bytes)].free_head, slot.lo);
  slots_listed.fetch_add(1, relaxed);
}

void stack_discard(stack_slot slot) noexcept {
  (void)os::discard(reinterpret_cast<void*>(slot.lo), slot.hi - slot.lo);
}

bool stack_guard_hit(uintptr_t address, stack_slot& slot) noexcept {
  const reservation* home = find_home(address);
  if (home == nullptr) return false;
  slot = slot_at(*home, (address - home->base) / home->slot_bytes);
  return address < slot.lo;
}

bool stack_find(uintptr_t address, stack_slot& slot) noexcept {
  const reservation* home = find_home(address);
  if (home == nullptr) return false;
  slot = slot_at(*home, (address - home->base) / home->slot_bytes);
  return address >= slot.lo;
}

stack_bounds stack_around(uintptr_t sp) noexcept {
  if (stack_slot slot; stack_find(sp, slot)) return {slot.lo, slot.hi};
  // glibc keeps a thread's descriptor at the top of its stack; the main thread's lies elsewhere,
  // below its stack, which ends at __libc_stack_end. The largest stack believed is 1 GiB.
  const auto descriptor = reinterpret_cast<uintptr_t>(pthread_self());
  const auto main_end = reinterpret_cast<uintptr_t>(__libc_stack_end);
  constexpr uintptr_t far = uintptr_t{1} << 30;
  if (sp < descriptor && descriptor - sp < far) return {sp, descriptor};
  if (sp < main_end && main_end - sp < far) return {sp, main_end};
  return {sp, (sp | (os::page_bytes - 1)) + 1};
}

stack_stats stack_statistics() noexcept {
  stack_stats now;
  now.slots_carved = slots_guarded.load(relaxed);
  now.slots_free = slots_listed.load(relaxed);
  now.reserved_bytes = bytes_reserved.load(relaxed);
  now.guard_install = guards.load(relaxed) == guard_kind::install;
  return now;
}

const char* stack_error_text(stack_error error) noexcept {
  if (error == stack_error::none) return "no error";
  if (error == stack_error::address_space)
    return "no address space for stacks: raise RLIMIT_AS (ulimit -v), or lower WEFT_STACK";
  static char text[192];
  char limit[24] = "unknown";
  const int fd = ::open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    const ssize_t got = ::read(fd, limit, sizeof limit - 1);
    ::close(fd);
    size_t end = got > 0 ? static_cast<size_t>(got) : 0;
    while (end > 0 && (limit[end - 1] < '0' || limit[end - 1] > '9')) --end;
    limit[end] = '\0';
  }
  // Two callers at once write the same bytes.
  std::snprintf(text, sizeof text,
                "stack guards exhausted: vm.max_map_count is %s and each stack takes 2 mappings on "
                "this kernel; raise it: sysctl -w vm.max_map_count=4194304",
                limit);
  return text;
}

}  // namespace weft::rt
