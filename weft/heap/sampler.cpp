// SPDX-License-Identifier: Apache-2.0
// The sampler: its draws, its spans, and the records of the objects in them.
#include "weft/heap/internal/sampler.hpp"

#include <bit>
#include <cstring>
#include <new>

#include "weft/base/futex_mutex.hpp"
#include "weft/base/os/os.hpp"
#include "weft/heap/control.hpp"
#include "weft/heap/internal/encoding.hpp"
#include "weft/heap/internal/heap_errors.hpp"
#include "weft/heap/internal/page_heap.hpp"

namespace weft::rt {

namespace {

/// A sampled object that is in use.
struct sample {
  uintptr_t object = 0;
  recorded_stack* stack = nullptr;
  double objects = 0;  // how many it stands for
  double bytes = 0;
  size_t usable = 0;       // of the object, as if it were no sample
  sample* next = nullptr;  // unused ones
};

// At the end of a sampled object's slot: its record, encoded. An overrun is found at the free.
constexpr size_t tail_bytes = 16;

atomic<size_t> rate{sample_rate_default};

futex_mutex lock{lock_rank::sampler};
/// Owner of the sampled objects' spans. Nobody claims it: it is used under the lock.
mcache* cache WEFT_GUARDED_BY(lock) = nullptr;
atomic<mcache*> owner_of_sampled{nullptr};  // the same, for those who compare only
sample* unused WEFT_GUARDED_BY(lock) = nullptr;

uint64_t next_random(uint64_t& x) noexcept {
  // xorshift64*: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators" (2016).
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  return x * 0x2545F4914F6CDD1Du;
}

/// Uniform in (0, 1].
double uniform(uint64_t& random) noexcept {
  return (static_cast<double>(next_random(random) >> 11) + 1) * 0x1p-53;
}

/// The smallest class with room for the tail whose objects are aligned as those of `size_class`;
/// size_class_count: none.
uint32_t slot_class(uint32_t size_class) noexcept {
  const size_t bytes = class_bytes(size_class);
  size_t alignment = bytes & (0 - bytes);
  if (alignment > heap_page_bytes) alignment = heap_page_bytes;
  for (uint32_t at = size_class + 1; at < size_class_count; ++at)
    if (class_bytes(at) >= bytes + tail_bytes && class_bytes(at) % alignment == 0) return at;
  return size_class_count;
}

uintptr_t* tail_of(const mspan* s, const free_object* object) noexcept {
  return reinterpret_cast<uintptr_t*>(reinterpret_cast<uintptr_t>(object) + s->object_bytes -
                                      sizeof(uintptr_t));
}
uintptr_t encoded(const sample* record, const free_object* object) noexcept {
  return reinterpret_cast<uintptr_t>(record) ^ arena.secret ^
         (reinterpret_cast<uintptr_t>(object) << 20);
}

void count(recorded_stack& stack, const sample& record) noexcept {
  stack.total_objects += record.objects;
  stack.total_bytes += record.bytes;
  stack.live_objects += record.objects;
  stack.live_bytes += record.bytes;
}

sample* new_sample(uintptr_t object, size_t bytes, recorded_stack* stack) noexcept
    WEFT_REQUIRES(lock) {
  sample* record = unused;
  if (record != nullptr) {
    unused = record->next;
  } else {
    void* memory = metadata_take(sizeof(sample));
    if (memory == nullptr) return nullptr;
    record = new (memory) sample;
  }
  const auto size = static_cast<double>(bytes);
  const double stands_for = 1 / drawn_part(size / static_cast<double>(sample_rate()));
  *record = {object, stack, stands_for, size * stands_for, bytes, nullptr};
  count(*stack, *record);
  return record;
}

void drop_sample(sample* record) noexcept WEFT_REQUIRES(lock) {
  record->stack->live_objects -= record->objects;
  record->stack->live_bytes -= record->bytes;
  record->object = 0;
  record->next = unused;
  unused = record;
}

bool have_cache() noexcept WEFT_REQUIRES(lock) {
  if (cache != nullptr) return true;
  cache = make_cache_apart();
  if (cache == nullptr) return false;
  owner_of_sampled.store(cache, release);
  return true;
}

}  // namespace

double natural_log(double x) noexcept {
  // x = m 2^e with m in [sqrt 1/2, sqrt 2]; ln m = 2 artanh z, z = (m - 1) / (m + 1).
  auto bits = std::bit_cast<uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  bits = (bits & ((uint64_t{1} << 52) - 1)) | (uint64_t{1023} << 52);
  double m = std::bit_cast<double>(bits);
  if (m > 1.4142135623730951) {
    m /= 2;
    ++exponent;
  }
  const double z = (m - 1) / (m + 1);
  const double w = z * z;
  const double series =
      1 + w * (1.0 / 3 + w * (1.0 / 5 + w * (1.0 / 7 + w * (1.0 / 9 + w * (1.0 / 11 + w / 13)))));
  return exponent * 0.6931471805599453 + 2 * z * series;
}

double drawn_part(double x) noexcept {
  if (x > 700) return 1;
  // exp(-y) - 1 for y of at most 0.7, where twelve terms are exact; then ten doublings of y by
  // exp(-2y) - 1 = (exp(-y) - 1) (exp(-y) + 1): small arguments keep their digits.
  constexpr int doublings = 10;
  const double y = x / (1 << doublings);
  double term = 1, sum = 0;
  for (int i = 1; i <= 12; ++i) {
    term *= -y / i;
    sum += term;
  }
  for (int i = 0; i < doublings; ++i) sum = sum * (sum + 2);
  return -sum;
}

void set_sample_rate(size_t bytes) noexcept { rate.store(bytes, relaxed); }
size_t sample_rate() noexcept { return rate.load(relaxed); }

uint64_t random_seed() noexcept {
  static atomic<uint64_t> given{0};
  return (arena.secret ^ (given.fetch_add(1, relaxed) * 0x9E3779B97F4A7C15u)) | 1;
}

void begin_interval(mcache::bin& bin, uint64_t& random, uint32_t size_class) noexcept {
  const size_t mean_bytes = sample_rate();
  double objects = INT32_MAX;
  if (mean_bytes != 0) {
    const auto size = static_cast<double>(class_bytes(size_class));
    objects = -natural_log(uniform(random)) * static_cast<double>(mean_bytes) / size;
  }
  // An interval that does not fit is cut, without a sample at its end: the draw has no memory.
  bin.sample_due = objects < INT32_MAX;
  bin.until_sample = bin.sample_due ? static_cast<int32_t>(objects) : INT32_MAX;
}

namespace {

/// An object of a class for which no slot is larger: pages of its own.
void* sampled_pages(size_t bytes, recorded_stack* stack) noexcept {
  mspan* s = take_pages((bytes + heap_page_bytes - 1) >> heap_page_shift, span_state::large);
  if (s == nullptr) return nullptr;
  s->asked_bytes = bytes;
  kept_lock_scope hold(lock);
  s->sample = new_sample(s->base, bytes, stack);
  return reinterpret_cast<void*>(s->base);
}

}  // namespace

void* sampled_allocate(uint32_t size_class) noexcept {
  recorded_stack* stack = record_stack_here();
  const uint32_t slot = slot_class(size_class);
  if (slot == size_class_count) return sampled_pages(class_bytes(size_class), stack);
  kept_lock_scope hold(lock);
  if (!have_cache()) return nullptr;
  bool due = false;
  auto* object = static_cast<free_object*>(refill(*cache, slot, due));
  if (object == nullptr) return nullptr;
  const mspan* s = span_of(reinterpret_cast<uintptr_t>(object));
  const sample* record =
      new_sample(reinterpret_cast<uintptr_t>(object), class_bytes(size_class), stack);
  *tail_of(s, object) = encoded(record, object);
  return object;
}

bool is_sampled(const mspan* s) noexcept {
  const mcache* owner = s->owner.load(relaxed);
  return owner != nullptr && owner == owner_of_sampled.load(relaxed);
}

namespace {

/// The record of an object in use; null: there was no memory for one. Ends the process if the tail
/// was written to.
sample* sample_of(const mspan* s, const free_object* object) noexcept {
  auto* record = reinterpret_cast<sample*>(
      encoded(reinterpret_cast<const sample*>(*tail_of(s, object)), object));
  if (record == nullptr) return nullptr;
  if (!is_metadata(record) || record->object != reinterpret_cast<uintptr_t>(object))
    die_of_overrun(object, s->object_bytes - tail_bytes);
  return record;
}

}  // namespace

size_t sampled_usable_bytes(const mspan* s, const void* object) noexcept {
  const sample* record = sample_of(s, static_cast<const free_object*>(object));
  return record != nullptr ? record->usable : s->object_bytes - tail_bytes;
}

void sampled_free(mspan* s, free_object* object) noexcept {
  kept_lock_scope hold(lock);
  if (sample* record = sample_of(s, object); record != nullptr) drop_sample(record);
  object->mark = mark_of(object);
  push_free(s, object);
  if (++s->freed == s->notify_at) span_changed(*cache, s);
}

void sample_large(mspan* s, uint64_t& random) noexcept {
  const size_t mean_bytes = sample_rate();
  if (mean_bytes == 0) return;
  const double drawn =
      drawn_part(static_cast<double>(s->asked_bytes) / static_cast<double>(mean_bytes));
  if (uniform(random) > drawn) return;
  recorded_stack* stack = record_stack_here();
  kept_lock_scope hold(lock);
  s->sample = new_sample(s->base, s->asked_bytes, stack);
}

void unsample_large(mspan* s) noexcept {
  if (s->sample == nullptr) return;
  kept_lock_scope hold(lock);
  drop_sample(static_cast<sample*>(s->sample));
  s->sample = nullptr;
}

void sampler_lock() noexcept WEFT_UNCHECKED { lock.lock(); }
void sampler_unlock() noexcept WEFT_UNCHECKED { lock.unlock(); }

}  // namespace weft::rt

namespace weft {

size_t set_memory_sample_rate(size_t bytes) noexcept { return rt::rate.exchange(bytes, rt::relaxed);
}
size_t memory_sample_rate() noexcept { return rt::sample_rate(); }

}  // namespace weft
