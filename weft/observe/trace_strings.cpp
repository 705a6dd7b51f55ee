// SPDX-License-Identifier: Apache-2.0
// The table of names and the lists of values.
#include "weft/observe/internal/trace_strings.hpp"

#include <deque>
#include <mutex>
#include <unordered_map>

#include "weft/base/futex_mutex.hpp"
#include "weft/base/sanitizer.hpp"

namespace weft::rt {

namespace {

struct named {
  std::string text;
  atomic<uint32_t> used[2] = {};
};

struct name_table {
  futex_mutex lock{lock_rank::names};
  std::deque<named> all;  // what is in it stays where it is
  std::unordered_map<std::string_view, uint64_t> numbers;
};
/// Never destroyed: goroutines may trace while the process ends.
name_table& names() {
  static auto* made = new name_table;
  return *made;
}

/// For readers without the lock: names by number, in blocks that are made once.
constexpr size_t block_len = 256;
atomic<named*> blocks[trace_names_max / block_len + 1][block_len];

atomic<size_t> name_count{0};

atomic<trace_value*> values[2];
atomic<uint64_t> next_value{0};

std::string_view cut(std::string_view text) noexcept { return text.substr(0, trace_text_max); }

}  // namespace

uint64_t trace_name(std::string_view name) {
  name = cut(name);
  name_table& table = names();
  const std::lock_guard<futex_mutex> held(table.lock);
  const sanitizer::unseen_accesses by_containers;
  if (const auto known = table.numbers.find(name); known != table.numbers.end())
    return known->second;
  if (table.all.size() >= trace_names_max) name = "(more than 65536 names: trace_names_max)";
  if (const auto known = table.numbers.find(name); known != table.numbers.end())
    return known->second;
  const size_t index = table.all.size();
  named& made = table.all.emplace_back();
  made.text = name;
  table.numbers.emplace(made.text, trace_first_name + index);
  blocks[index / block_len][index % block_len].store(&made, release);
  name_count.store(index + 1, release);
  return trace_first_name + index;
}

void use_trace_name(uint64_t number, uint32_t generation) noexcept {
  const size_t index = number - trace_first_name;
  named* used = blocks[index / block_len][index % block_len].load(acquire);
  used->used[generation & 1].store(generation, relaxed);
}

std::unique_ptr<trace_value> make_trace_value(std::string_view text) {
  const sanitizer::unseen_accesses by_containers;
  auto made = std::make_unique<trace_value>();
  made->number = trace_first_value + next_value.fetch_add(1, relaxed);
  made->text = cut(text);
  return made;
}

void use_trace_value(trace_value* value, uint32_t generation) noexcept {
  atomic<trace_value*>& list = values[generation & 1];
  value->next = list.load(relaxed);
  // release: the text; partner: each_trace_text().
  while (!list.compare_exchange(value->next, value, release, relaxed)) {
  }
}

void each_trace_text(uint32_t generation, trace_text_use use, void* to) {
  const sanitizer::unseen_accesses by_containers;
  const size_t count = name_count.load(acquire);
  for (size_t i = 0; i < count; ++i) {
    const named* one = blocks[i / block_len][i % block_len].load(acquire);
    if (one->used[generation & 1].load(relaxed) == generation)
      use(to, trace_first_name + i, one->text);
  }
  const trace_value* one = values[generation & 1].load(acquire);
  for (; one != nullptr; one = one->next) use(to, one->number, one->text);
}

void drop_trace_values(uint32_t generation) noexcept {
  const sanitizer::unseen_accesses by_containers;
  trace_value* first = values[generation & 1].exchange(nullptr, acquire);
  while (first != nullptr) {
    const std::unique_ptr<trace_value> one(first);
    first = one->next;
  }
}

}  // namespace weft::rt
