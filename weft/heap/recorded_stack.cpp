// SPDX-License-Identifier: Apache-2.0
// The table of stacks: buckets of lists that only grow, so readers and writers need no lock.
#include "weft/heap/internal/recorded_stack.hpp"

#include <unistd.h>

#include <cstring>
#include <new>

#include "weft/base/report_writer.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/base/symbolize.hpp"
#include "weft/heap/internal/page_heap.hpp"
#include "weft/heap/internal/stack.hpp"

namespace weft::rt {

namespace {

constexpr size_t buckets = 4096;

atomic<recorded_stack*> table[buckets];
atomic<recorded_stack*> newest{nullptr};
atomic<size_t> bytes_used{0};
// Stands for every stack that there was no memory for.
constinit recorded_stack unknown_stack{};

uint64_t hash_of(const uintptr_t* pcs, size_t depth) noexcept {
  uint64_t h = 0x9E3779B97F4A7C15u * (depth + 1);
  for (size_t i = 0; i < depth; ++i) {
    h = (h ^ pcs[i]) * 0xBF58476D1CE4E5B9u;
    h ^= h >> 29;
  }
  return h;
}

recorded_stack* find(recorded_stack* from, uint64_t hash, const uintptr_t* pcs,
                     size_t depth) noexcept {
  for (; from != nullptr; from = from->next) {
    if (from->hash != hash || from->depth != depth) continue;
    if (std::memcmp(from->pcs(), pcs, depth * sizeof(uintptr_t)) == 0) return from;
  }
  return nullptr;
}

recorded_stack* add(uint64_t hash, const uintptr_t* pcs, size_t depth) noexcept {
  atomic<recorded_stack*>& bucket = table[hash % buckets];
  const size_t bytes = sizeof(recorded_stack) + depth * sizeof(uintptr_t);
  if (bytes_used.load(relaxed) + bytes > recorded_stacks_bytes_max) return &unknown_stack;
  void* memory = metadata_take(bytes);
  if (memory == nullptr) return &unknown_stack;
  bytes_used.fetch_add(bytes, relaxed);
  auto* made = new (memory) recorded_stack{};
  made->hash = hash;
  made->depth = static_cast<uint32_t>(depth);
  std::memcpy(static_cast<void*>(made + 1), pcs, depth * sizeof(uintptr_t));
  recorded_stack* first = bucket.load(acquire);
  for (;;) {
    // Another thread may have added the same one meanwhile: ours stays unused.
    if (recorded_stack* same = find(first, hash, pcs, depth); same != nullptr) return same;
    made->next = first;
    // release: the record; partner: the acquire in record_stack_here().
    if (bucket.compare_exchange(first, made, release, acquire)) break;
  }
  recorded_stack* last = newest.load(relaxed);
  do {
    made->all_next = last;
    // release: the record; partner: recorded_stacks().
  } while (!newest.compare_exchange(last, made, release, relaxed));
  return made;
}

bool begins_with(std::string_view text, std::string_view start) noexcept {
  return text.substr(0, start.size()) == start;
}

/// Whether a function is malloc, or something that it calls.
bool is_heaps(std::string_view name) noexcept {
  constexpr std::string_view namespaces[] = {"weft::rt::allocate_",
                                             "weft::rt::heap_",
                                             "weft::rt::record_stack_here",
                                             "weft::rt::refill",
                                             "weft::rt::sampled",
                                             "weft::rt::checked_",
                                             "weft::rt::free_",
                                             "operator new",
                                             "operator delete",
                                             "weft::rt::(anonymous namespace)::",
                                             "weft::rt::die_of_",
                                             "print_stack_here",
                                             "weft::rt::look_at_quarantine"};
  constexpr std::string_view whole[] = {"malloc",        "calloc", "realloc", "reallocarray",
                                        "memalign",      "free",   "pvalloc", "posix_memalign",
                                        "aligned_alloc", "valloc", "free()",  "malloc()"};
  for (std::string_view start : namespaces)
    if (begins_with(name, start)) return true;
  for (std::string_view same : whole)
    if (name == same) return true;
  return false;
}

struct innermost {
  bool known = false;
  bool heaps = false;
};

/// Whether all the calls inlined at `pc` are the heap's: then it is left out.
bool heaps_frame(uintptr_t pc) noexcept {
  innermost all{false, true};
  symbolize(
      pc - 1,
      [](void* data, const source_frame& frame) noexcept {
        auto& seen = *static_cast<innermost*>(data);
        seen.known = true;
        if (!is_heaps(frame.function)) seen.heaps = false;
      },
      &all);
  return all.known && all.heaps;
}

}  // namespace

__attribute__((noinline)) recorded_stack* record_stack_here() noexcept {
  uintptr_t pcs[recorded_frames_max];
  const size_t depth = unwind_quick_caller(stack_around, pcs, recorded_frames_max);
  return record_stack(pcs, depth);
}

recorded_stack* record_stack(const uintptr_t* pcs, size_t depth) noexcept {
  const sanitizer::unseen_accesses by_memcmp_and_memcpy;
  const uint64_t hash = hash_of(pcs, depth);
  recorded_stack* found = find(table[hash % buckets].load(acquire), hash, pcs, depth);
  return found != nullptr ? found : add(hash, pcs, depth);
}

uint64_t number_of(const recorded_stack* stack) noexcept {
  return stack == &unknown_stack ? 0 : metadata_number(stack) + 1;
}

void prepare_recorded_stacks() noexcept { heap_start(); }

recorded_stack* recorded_stacks() noexcept { return newest.load(acquire); }

size_t recorded_stacks_bytes() noexcept { return bytes_used.load(relaxed); }

size_t frames_of_caller(const recorded_stack* stack, uintptr_t* out, size_t max) noexcept {
  uint32_t first = 0;
  while (first < stack->depth && heaps_frame(stack->pcs()[first])) ++first;
  size_t count = 0;
  for (uint32_t i = first; i < stack->depth && count < max; ++i) out[count++] = stack->pcs()[i];
  return count;
}

void print_recorded_stack(const char* title, const recorded_stack* stack) noexcept {
  report_writer out(STDERR_FILENO);
  out.put(title).put('\n');
  if (stack == nullptr) {
    out.put("\tnot recorded\n");
    return;
  }
  uintptr_t pcs[recorded_frames_max];
  const size_t count = frames_of_caller(stack, pcs, recorded_frames_max);
  for (size_t i = 0; i < count; ++i)
    symbolize(
        pcs[i] - 1,
        [](void* data, const source_frame& frame) noexcept {
          auto& to = *static_cast<report_writer*>(data);
          to.put(frame.function.empty() ? std::string_view("?") : frame.function).put("\n\t");
          if (!frame.file.empty())
            to.put(frame.file).put(':').put_decimal(frame.line);
          else
            to.put(frame.module.empty() ? std::string_view("?") : frame.module)
                .put(" +")
                .put_hex(frame.offset);
          to.put('\n');
        },
        &out);
  out.put('\n');
}

}  // namespace weft::rt
