// SPDX-License-Identifier: Apache-2.0
// Where spans come from. One lock, and no system call under it but the first mmap's.
#include "weft/heap/internal/page_heap.hpp"

#include <unistd.h>

#include <bit>
#include <cstring>

#include "weft/base/futex_mutex.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/panic.hpp"
#include "weft/base/race.hpp"
#include "weft/base/report_writer.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/heap/internal/background.hpp"

namespace weft::rt {

heap_arena arena;

namespace {

// Sanitizers lay shadow memory over much of the address space and need it small.
constexpr size_t arena_bytes_max =
    (sanitizer::thread || sanitizer::address) ? size_t{16} << 30 : size_t{4} << 40;
constexpr size_t arena_bytes_min = size_t{64} << 20;

// Bins: lengths below 16 pages exactly, then 16 bins for each doubling: a run taken for a request
// is at most a sixteenth longer than the shortest that would do.
constexpr uint32_t minor_bits = 4;
constexpr uint32_t minors = 1u << minor_bits;
constexpr uint32_t majors = 32;

struct bin_index {
  uint32_t major;
  uint32_t minor;
};

/// The bin that a run of `count` pages is put in.
constexpr bin_index bin_of(size_t count) noexcept {
  if (count < minors) return {0, static_cast<uint32_t>(count)};
  const auto top = static_cast<uint32_t>(std::bit_width(count)) - 1;
  return {top - minor_bits + 1, static_cast<uint32_t>(count >> (top - minor_bits)) & (minors - 1)};
}

/// The first bin all of whose runs have at least `count` pages.
constexpr bin_index bin_that_fits(size_t count) noexcept {
  if (count >= minors) {
    const auto top = static_cast<uint32_t>(std::bit_width(count)) - 1;
    count += (size_t{1} << (top - minor_bits)) - 1;
  }
  return bin_of(count);
}

futex_mutex heap_lock{lock_rank::page_heap};
bool started = false;
size_t pages_begun = 0;  // pages from here on were never used
size_t pages_in_core_files = 0;
uint32_t spans_made = 1;  // 0 means none
mspan* unused_spans = nullptr;
span_list bins[majors][minors];
uint32_t major_map = 0;
uint16_t minor_map[majors] = {};
size_t free_pages = 0;
size_t dirty_free_pages = 0;
size_t used_pages = 0;
size_t used_spans = 0;

size_t released_pages = 0;
size_t idle_pages = 0;  // fewest dirty_free_pages since take_idle_bytes()
atomic<size_t> limit_bytes{SIZE_MAX};
int64_t limit_told_at = 0;  // when the last message about it was written

// Of the address space: caches, samples and stacks need little.
constexpr size_t metadata_share = 64;
uintptr_t metadata_base = 0;
uintptr_t metadata_at = 0;
uintptr_t metadata_end = 0;

size_t page_index(uintptr_t address) noexcept { return (address - arena.base) >> heap_page_shift; }

uint32_t span_index(const mspan* s) noexcept { return static_cast<uint32_t>(s - arena.spans); }

mspan* new_span() noexcept {
  if (mspan* s = unused_spans; s != nullptr) {
    unused_spans = s->next;
    s->next = nullptr;
    return s;
  }
  return &arena.spans[spans_made++];
}

void drop_span(mspan* s) noexcept {
  s->state = span_state::unused;
  s->next = unused_spans;
  unused_spans = s;
}

void list_run(mspan* s) noexcept {
  const bin_index at = bin_of(s->pages);
  bins[at.major][at.minor].push(s);
  major_map |= 1u << at.major;
  minor_map[at.major] |= static_cast<uint16_t>(1u << at.minor);
  free_pages += s->pages;
  dirty_free_pages += s->dirty_pages;
}

void unlist_run(mspan* s) noexcept {
  const bin_index at = bin_of(s->pages);
  bins[at.major][at.minor].remove(s);
  if (bins[at.major][at.minor].head == nullptr) {
    minor_map[at.major] &= static_cast<uint16_t>(~(1u << at.minor));
    if (minor_map[at.major] == 0) major_map &= ~(1u << at.major);
  }
  free_pages -= s->pages;
  dirty_free_pages -= s->dirty_pages;
  if (dirty_free_pages < idle_pages) idle_pages = dirty_free_pages;
}

/// Only the ends are looked up, by neighbours that are given back.
void map_free(mspan* s) noexcept {
  const size_t first = page_index(s->base);
  arena.pages[first].store(span_index(s), relaxed);
  arena.pages[first + s->pages - 1].store(span_index(s), relaxed);
}

void map_used(const mspan* s, size_t from) noexcept {
  const size_t first = page_index(s->base);
  for (size_t i = from; i < s->pages; ++i) arena.pages[first + i].store(span_index(s), relaxed);
}

void make_free(mspan* s) noexcept {
  s->state = span_state::free;
  s->owner.store(nullptr, relaxed);
  map_free(s);
  list_run(s);
}

/// The shortest run that is long enough, or nearly; off its list.
mspan* find_run(size_t count) noexcept {
  const bin_index at = bin_that_fits(count);
  if (at.major >= majors) return nullptr;
  uint32_t major = at.major;
  uint32_t minor_set = minor_map[major] & (~0u << at.minor);
  if (minor_set == 0) {
    if (major + 1 >= majors) return nullptr;
    const uint32_t major_set = major_map & (~0u << (major + 1));
    if (major_set == 0) return nullptr;
    major = static_cast<uint32_t>(std::countr_zero(major_set));
    minor_set = minor_map[major];
  }
  mspan* s = bins[major][std::countr_zero(minor_set)].head;
  unlist_run(s);
  return s;
}

/// Core files hold what was begun of the arena, not the terabytes behind it.
void keep_in_core_files() noexcept {
  if (pages_begun <= pages_in_core_files) return;
  constexpr size_t step = (size_t{64} << 20) >> heap_page_shift;
  size_t until = (pages_begun + step - 1) / step * step;
  if (until > arena.bytes >> heap_page_shift) until = arena.bytes >> heap_page_shift;
  os::core_files_hold(
      reinterpret_cast<void*>(arena.base + (pages_in_core_files << heap_page_shift)),
      (until - pages_in_core_files) << heap_page_shift, true);
  pages_in_core_files = until;
}

/// From the part of the arena that nobody had yet.
mspan* begin_run(size_t count) noexcept {
  if (count > (arena.bytes >> heap_page_shift) - pages_begun) return nullptr;
  mspan* s = new_span();
  s->base = arena.base + (pages_begun << heap_page_shift);
  s->pages = static_cast<uint32_t>(count);
  s->dirty_pages = 0;
  pages_begun += count;
  keep_in_core_files();
  note_pages(pages_begun);
  return s;
}

/// `s`, which is on no list, takes in the free run behind it.
void merge_behind(mspan* s) noexcept;

/// Pages beyond the first `count` become a free run. What is dirty is assumed at the front.
void split(mspan* s, size_t count) noexcept {
  if (s->pages == count) return;
  mspan* rest = new_span();
  rest->base = s->base + (count << heap_page_shift);
  rest->pages = s->pages - static_cast<uint32_t>(count);
  rest->dirty_pages = s->dirty_pages > count ? s->dirty_pages - count : 0;
  s->pages = static_cast<uint32_t>(count);
  if (s->dirty_pages > count) s->dirty_pages = count;
  // A run with any dirty page counts as dirty in both halves: "zero" must never be claimed wrongly.
  if (s->dirty_pages != 0 && rest->dirty_pages == 0) rest->dirty_pages = 1;
  merge_behind(rest);  // what is before it is being taken
  make_free(rest);
}

/// Frees happen before what takes their pages does with them, under whatever address. Coarse: each
/// free before each later taker of pages.
void race_take() noexcept {
  if constexpr (race_enabled) race_acquire(&arena);  // partner: free_fast()
}

void use(mspan* s, span_state state) noexcept {
  race_take();
  s->state = state;
  s->zero = s->dirty_pages == 0;
  s->dirty_pages = 0;
  s->listed = s->full = false;
  s->next = s->prev = nullptr;
  s->owner.store(nullptr, relaxed);
  s->free = nullptr;
  s->left = s->budget = 0;
  s->taken = s->freed = 0;
  s->sample = nullptr;
  map_used(s, 0);
  used_pages += s->pages;
  ++used_spans;
}

mspan* take_run(size_t count) noexcept {
  mspan* s = find_run(count);
  if (s == nullptr) s = begin_run(count);
  return s;
}

/// The neighbour that ends (or begins) at `address`, if it is a free run.
mspan* free_neighbour(uintptr_t address) noexcept {
  if (address < arena.base || page_index(address) >= pages_begun) return nullptr;
  const uint32_t index = arena.pages[page_index(address)].load(relaxed);
  mspan* s = arena.spans + index;
  return index != 0 && s->state == span_state::free ? s : nullptr;
}

void merge_behind(mspan* s) noexcept {
  mspan* after = free_neighbour(s->base + (size_t{s->pages} << heap_page_shift));
  if (after == nullptr) return;
  unlist_run(after);
  s->pages += after->pages;
  s->dirty_pages += after->dirty_pages;
  drop_span(after);
}

/// The run that `s`, which is on no list, is a part of once its free neighbours are.
mspan* merge_both(mspan* s) noexcept {
  const size_t idle = idle_pages;  // what is merged is not taken by anybody
  if (mspan* before = free_neighbour(s->base - heap_page_bytes); before != nullptr) {
    unlist_run(before);
    before->pages += s->pages;
    before->dirty_pages += s->dirty_pages;
    drop_span(s);
    s = before;
  }
  merge_behind(s);
  idle_pages = idle;
  return s;
}

void give_locked(mspan* s) noexcept {
  s->carved_bytes.store(0, relaxed);  // a free of what was an object finds none
  used_pages -= s->pages;
  --used_spans;
  s->dirty_pages = s->pages;
  make_free(merge_both(s));
}

void tell_of_limit(size_t limit, size_t used, size_t wanted) noexcept {
  report_writer out(STDERR_FILENO);
  out.put("weft: heap: WEFT_MEMLIMIT is ").put_unsigned(limit).put(" bytes and ");
  out.put_unsigned(used).put(" are in use: ").put_unsigned(wanted);
  out.put(
      " more are refused (raise WEFT_MEMLIMIT, or find what holds memory: "
      "WEFT_DEBUG=heaptrace=1000)\n");
}

/// False: `count` more pages in use would be more than the limit. Gives free pages back when they
/// would be together with those.
bool within_limit(size_t count) noexcept {
  const size_t limit = limit_bytes.load(relaxed);
  if (limit == SIZE_MAX) [[likely]]
    return true;
  size_t used = 0, dirty = 0;
  bool tell = false;
  const size_t wanted = count << heap_page_shift;
  {
    kept_lock_scope hold(heap_lock);
    used = used_pages << heap_page_shift;
    dirty = dirty_free_pages << heap_page_shift;
    if (used + wanted > limit) {
      // A program that goes on after a refusal is refused often: a message a second.
      const int64_t now = os::monotonic_ns();
      tell = limit_told_at == 0 || now - limit_told_at > 1'000'000'000;
      if (tell) limit_told_at = now;
    }
  }
  if (used + wanted > limit) {
    if (tell) tell_of_limit(limit, used, wanted);
    return false;
  }
  if (used + wanted + dirty > limit) (void)release_free_pages(limit - used - wanted);
  return true;
}

uintptr_t make_secret() noexcept {
  // The kernel's choice of addresses and the clock: what a heap overflow from outside cannot know.
  uint64_t x = arena.base ^ static_cast<uint64_t>(os::monotonic_ns()) * 0x9E3779B97F4A7C15u;
  x ^= reinterpret_cast<uintptr_t>(&x) << 17;
  x = (x ^ (x >> 31)) * 0xBF58476D1CE4E5B9u;
  return (x ^ (x >> 29)) | 1;
}

void start_locked() noexcept {
  size_t bytes = arena_bytes_max;
  void* base = nullptr;
  // Half of what the kernel grants: goroutine stacks and the program's own mappings need some.
  while (bytes >= arena_bytes_min && (base = os::reserve_writable(bytes)) == nullptr) bytes /= 2;
  if (base == nullptr)
    fatal("heap: no address space for it: 64 MiB are refused (RLIMIT_AS? ulimit -v)");
  const size_t pages = bytes >> heap_page_shift;
  auto* map = static_cast<atomic<uint32_t>*>(os::reserve_writable(pages * sizeof(uint32_t)));
  auto* spans = static_cast<mspan*>(os::reserve_writable((pages + 2) * sizeof(mspan)));
  const size_t metadata_bytes = bytes / metadata_share;
  void* metadata = os::reserve_writable(metadata_bytes);
  if (map == nullptr || spans == nullptr || metadata == nullptr)
    fatal("heap: no address space for its tables (RLIMIT_AS? ulimit -v)");
  metadata_base = metadata_at = reinterpret_cast<uintptr_t>(metadata);
  metadata_end = metadata_base + metadata_bytes;
  arena.pages = map;
  arena.spans = spans;
  arena.base = (reinterpret_cast<uintptr_t>(base) + heap_page_bytes - 1) & ~(heap_page_bytes - 1);
  arena.secret = make_secret();
  arena.bytes = bytes - heap_page_bytes;
  os::core_files_hold(base, bytes, false);
  os::core_files_hold(map, pages * sizeof(uint32_t), false);
  os::core_files_hold(spans, (pages + 2) * sizeof(mspan), false);
  os::core_files_hold(metadata, metadata_bytes, false);
}

}  // namespace

void heap_start() noexcept {
  kept_lock_scope hold(heap_lock);
  if (!started) start_locked();
  started = true;
}

mspan* take_pages(size_t count, span_state state) noexcept {
  if (!within_limit(count)) return nullptr;
  kept_lock_scope hold(heap_lock);
  mspan* s = take_run(count);
  if (s == nullptr) return nullptr;
  split(s, count);
  use(s, state);
  return s;
}

mspan* take_pages_aligned(size_t count, size_t alignment) noexcept {
  if (!within_limit(count)) return nullptr;
  kept_lock_scope hold(heap_lock);
  const size_t slack = alignment >> heap_page_shift;
  mspan* s = take_run(count + slack);
  if (s == nullptr) return nullptr;
  const uintptr_t wanted = (s->base + alignment - 1) & ~(alignment - 1);
  if (const size_t lead = (wanted - s->base) >> heap_page_shift; lead != 0) {
    mspan* rest = new_span();
    rest->base = wanted;
    rest->pages = s->pages - static_cast<uint32_t>(lead);
    rest->dirty_pages = s->dirty_pages != 0 ? rest->pages : 0;
    s->pages = static_cast<uint32_t>(lead);
    if (s->dirty_pages > lead) s->dirty_pages = lead;
    make_free(s);
    s = rest;
  }
  split(s, count);
  use(s, span_state::large);
  return s;
}

void give_pages(mspan* s) noexcept {
  bool wake = false;
  {
    kept_lock_scope hold(heap_lock);
    give_locked(s);
    wake = more_than_may_stay(used_pages, dirty_free_pages);
  }
  if (wake) wake_background();
}

bool resize_pages(mspan* s, size_t count) noexcept {
  if (count > s->pages && !within_limit(count - s->pages)) return false;
  kept_lock_scope hold(heap_lock);
  const size_t had = s->pages;
  if (count <= had) {
    if constexpr (race_enabled) race_release(&arena);  // as a free of the rest
    s->dirty_pages = had;
    split(s, count);
    s->dirty_pages = 0;
    used_pages -= had - count;
    return true;
  }
  mspan* after = free_neighbour(s->base + (had << heap_page_shift));
  if (after == nullptr || had + after->pages < count) return false;
  race_take();
  unlist_run(after);
  split(after, count - had);
  s->pages = static_cast<uint32_t>(count);
  s->zero = false;
  map_used(s, had);
  used_pages += count - had;
  drop_span(after);
  return true;
}

namespace {

/// The longest run with resident pages, off its list; null: at most `keep` bytes are.
mspan* run_to_release(size_t keep) noexcept WEFT_REQUIRES(heap_lock) {
  // Longest first: the fewest calls, and whole huge pages.
  for (uint32_t major = majors; major-- > 0;) {
    for (uint32_t minor = minors; minor-- > 0;) {
      for (mspan* s = bins[major][minor].head; s != nullptr; s = s->next) {
        if (dirty_free_pages << heap_page_shift <= keep) return nullptr;
        if (s->dirty_pages == 0) continue;
        unlist_run(s);
        s->state = span_state::releasing;
        return s;
      }
    }
  }
  return nullptr;
}

}  // namespace

size_t release_longest_run(size_t keep) noexcept {
  mspan* s = nullptr;
  size_t pages = 0;
  {
    kept_lock_scope hold(heap_lock);
    s = run_to_release(keep);
    if (s == nullptr) return 0;
    pages = s->dirty_pages;
  }
  const bool gone =
      os::discard(reinterpret_cast<void*>(s->base), size_t{s->pages} << heap_page_shift);
  kept_lock_scope hold(heap_lock);
  if (gone) {
    s->dirty_pages = 0;
    released_pages += pages;
  }
  make_free(merge_both(s));
  return gone ? pages << heap_page_shift : 0;
}

size_t release_free_pages(size_t keep) noexcept {
  size_t released = 0;
  while (const size_t bytes = release_longest_run(keep)) released += bytes;
  return released;
}

size_t take_idle_bytes() noexcept {
  kept_lock_scope hold(heap_lock);
  const size_t pages = idle_pages;
  idle_pages = dirty_free_pages;
  return pages << heap_page_shift;
}

void set_memory_limit(size_t bytes) noexcept { limit_bytes.store(bytes, relaxed); }
size_t memory_limit() noexcept { return limit_bytes.load(relaxed); }

uint32_t span_count() noexcept {
  kept_lock_scope hold(heap_lock);
  return spans_made;
}

page_heap_stats page_statistics() noexcept {
  kept_lock_scope hold(heap_lock);
  return {.reserved_bytes = arena.bytes,
          .in_use_bytes = used_pages << heap_page_shift,
          .free_bytes = free_pages << heap_page_shift,
          .resident_free_bytes = dirty_free_pages << heap_page_shift,
          .released_bytes = released_pages << heap_page_shift,
          .metadata_bytes = metadata_at - metadata_base,
          .spans = used_spans};
}

void* metadata_take(size_t bytes) noexcept {
  kept_lock_scope hold(heap_lock);
  bytes = (bytes + 63) & ~size_t{63};
  if (bytes > metadata_end - metadata_at) return nullptr;
  auto* taken = reinterpret_cast<void*>(metadata_at);
  metadata_at += bytes;
  return taken;
}

uint64_t metadata_number(const void* address) noexcept {
  return (reinterpret_cast<uintptr_t>(address) - metadata_base) / 64;
}

bool is_metadata(const void* address) noexcept {
  return reinterpret_cast<uintptr_t>(address) - metadata_base < metadata_end - metadata_base;
}

void page_heap_lock() noexcept WEFT_UNCHECKED { heap_lock.lock(); }
void page_heap_unlock() noexcept WEFT_UNCHECKED { heap_lock.unlock(); }

}  // namespace weft::rt
