// SPDX-License-Identifier: Apache-2.0
// Statistics by a walk over all spans, and what heaptrace prints of them.
#include "weft/heap/stats.hpp"

#include <unistd.h>

#include <cmath>
#include <vector>

#include "weft/base/os/os.hpp"
#include "weft/base/report_writer.hpp"
#include "weft/heap/internal/heap_trace.hpp"
#include "weft/heap/internal/mcache.hpp"
#include "weft/heap/internal/page_heap.hpp"
#include "weft/heap/internal/recorded_stack.hpp"
#include "weft/heap/internal/sampler.hpp"

namespace weft {

namespace {

using namespace rt;

static_assert(size_class_count <= heap_statistics::classes_max);

/// A word that its owner may be writing: some value that it had.
template <class T>
T peek(const T& word) noexcept {
  T seen;
  __atomic_load(&word, &seen, __ATOMIC_RELAXED);
  return seen;
}

void add_small(heap_statistics& sums, const mspan* s) noexcept {
  const uint32_t size_class = peek(s->size_class);
  if (size_class >= size_class_count) return;
  heap_class_statistics& of = sums.classes[size_class];
  const size_t carved = s->carved_bytes.load(relaxed);
  const size_t objects = carved / class_bytes(size_class);
  const uint32_t taken = peek(s->taken) + static_cast<uint32_t>(peek(s->budget) - peek(s->left));
  size_t used = taken - peek(s->freed);
  if (used > objects) used = objects;  // read while it changed
  ++of.spans;
  of.span_bytes += size_t{peek(s->pages)} << heap_page_shift;
  of.touched_bytes += carved;
  of.in_use += used;
  of.free += objects - used;
}

}  // namespace

heap_statistics heap_stats() noexcept {
  heap_statistics sums;
  for (uint32_t at = 0; at < size_class_count; ++at)
    sums.classes[at].object_bytes = class_bytes(at);
  const page_heap_stats pages = page_statistics();
  sums.reserved_bytes = pages.reserved_bytes;
  sums.span_bytes = pages.in_use_bytes;
  sums.idle_bytes = pages.resident_free_bytes;
  sums.returned_bytes = pages.free_bytes - pages.resident_free_bytes;
  sums.released_bytes = pages.released_bytes;
  sums.metadata_bytes = pages.metadata_bytes;
  sums.memory_limit = memory_limit();
  const uint32_t spans = span_count();
  for (uint32_t i = 1; i < spans; ++i) {
    const mspan* s = arena.spans + i;
    switch (peek(s->state)) {
      case span_state::small:
        add_small(sums, s);
        break;
      case span_state::large:
        ++sums.large_objects;
        sums.large_bytes += size_t{peek(s->pages)} << heap_page_shift;
        break;
      default:
        break;
    }
  }
  for (const mcache* c = all_caches(); c != nullptr; c = c->all_link) {
    ++sums.caches;
    if (c->claim.load(relaxed) == cache_claim::claimed) ++sums.caches_in_use;
  }
  sums.in_use_bytes = sums.large_bytes;
  size_t touched = sums.large_bytes;
  for (uint32_t at = 0; at < size_class_count; ++at) {
    sums.in_use_bytes += sums.classes[at].in_use * sums.classes[at].object_bytes;
    touched += sums.classes[at].touched_bytes;
  }
  const size_t resident = touched + sums.idle_bytes;
  if (resident > sums.in_use_bytes)
    sums.fragmentation = 1 - static_cast<double>(sums.in_use_bytes) / static_cast<double>(resident);
  return sums;
}

void heap_profile(heap_profile_sink sink, void* data) {
  // Under the lock nothing may be allocated: a copy of the sums first, as many as there is room
  // for.
  struct sums {
    const recorded_stack* stack;
    double live_objects, live_bytes, total_objects, total_bytes;
  };
  std::vector<sums> copied;
  recorded_stack* const first = recorded_stacks();
  size_t count = 0;
  for (const recorded_stack* s = first; s != nullptr; s = s->all_next) ++count;
  copied.reserve(count);
  sampler_lock();
  for (const recorded_stack* s = first; s != nullptr; s = s->all_next)
    if (s->total_objects != 0)
      copied.push_back({s, s->live_objects, s->live_bytes, s->total_objects, s->total_bytes});
  sampler_unlock();
  for (const sums& of : copied) {
    uintptr_t frames[recorded_frames_max];
    const size_t depth = frames_of_caller(of.stack, frames, recorded_frames_max);
    sink(data, {.stack = frames,
                .depth = depth,
                .live_objects = std::llround(of.live_objects),
                .live_bytes = std::llround(of.live_bytes),
                .total_objects = std::llround(of.total_objects),
                .total_bytes = std::llround(of.total_bytes)});
  }
}

namespace rt {

namespace {

void put_percent(report_writer& out, double part) noexcept {
  out.put_decimal(static_cast<int64_t>(part * 100 + 0.5)).put('%');
}

}  // namespace

void print_heap_trace() noexcept {
  static const int64_t start = os::monotonic_ns();
  const heap_statistics now = heap_stats();
  report_writer out(STDERR_FILENO);
  out.put("HEAP ").put_decimal((os::monotonic_ns() - start) / 1'000'000).put("ms: inuse=");
  out.put_unsigned(now.in_use_bytes).put(" spans=").put_unsigned(now.span_bytes);
  out.put(" idle=").put_unsigned(now.idle_bytes).put(" returned=").put_unsigned(now.returned_bytes);
  out.put(" released=").put_unsigned(now.released_bytes);
  out.put(" metadata=").put_unsigned(now.metadata_bytes).put(" large=");
  out.put_unsigned(now.large_objects).put('/').put_unsigned(now.large_bytes);
  out.put(" caches=").put_unsigned(now.caches).put(" limit=");
  if (now.memory_limit == SIZE_MAX)
    out.put("off");
  else
    out.put_unsigned(now.memory_limit);
  out.put(" fragmentation=");
  put_percent(out, now.fragmentation);
  out.put('\n');
  for (uint32_t at = 0; at < size_class_count; ++at) {
    const heap_class_statistics& of = now.classes[at];
    if (of.spans == 0) continue;
    out.put("  class ").put_unsigned(of.object_bytes).put(": spans=").put_unsigned(of.spans);
    out.put(" inuse=").put_unsigned(of.in_use).put(" free=").put_unsigned(of.free);
    out.put(" touched=").put_unsigned(of.touched_bytes).put(" fragmentation=");
    put_percent(out, of.fragmentation());
    out.put('\n');
  }
}

}  // namespace rt

}  // namespace weft
