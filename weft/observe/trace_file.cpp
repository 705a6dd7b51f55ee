// SPDX-License-Identifier: Apache-2.0
// Writing a generation: the events are there already; tables are added.
#include "weft/observe/internal/trace_file.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "weft/heap/internal/recorded_stack.hpp"
#include "weft/observe/internal/symbols.hpp"
#include "weft/observe/internal/trace_strings.hpp"

namespace weft::rt {

namespace {

constexpr uint64_t no_thread = ~uint64_t{0};
constexpr size_t batch_bytes_max = 65536;
constexpr size_t frames_max = 128;

// First bytes of batches and of what is in tables.
enum : uint8_t {
  event_batch = 1,
  stacks = 2,
  one_stack = 3,
  strings = 4,
  one_string = 5,
  frequency = 8,
  sync = 50,
  clock_snapshot = 51,
  end_of_generation = 52,
};

void put(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void put_batch(std::string& out, uint32_t generation, uint64_t thread, uint64_t base,
               std::string_view bytes) {
  out += static_cast<char>(event_batch);
  put(out, generation);
  put(out, thread);
  put(out, base);
  put(out, bytes.size());
  out += bytes;
}

/// A table whose entries go into as many batches as they need.
class table {
 public:
  table(std::string& out, uint32_t generation, uint8_t kind)
      : out_(out), generation_(generation), batch_(1, static_cast<char>(kind)) {}
  ~table() { flush(); }
  table(const table&) = delete;
  table& operator=(const table&) = delete;
  void add(std::string_view entry) {
    if (batch_.size() + entry.size() > batch_bytes_max) flush();
    batch_ += entry;
  }

 private:
  void flush() {
    if (batch_.size() > 1) put_batch(out_, generation_, no_thread, 1, batch_);
    batch_.resize(1);
  }
  std::string& out_;
  uint32_t generation_;
  std::string batch_;
};

class string_table {
 public:
  explicit string_table(uint32_t generation) {
    for (uint64_t why = 0; why <= static_cast<uint64_t>(wait_reason::count_); ++why)
      add(trace_reason + why, trace_reason_text(static_cast<wait_reason>(why)));
    add(trace_stopped_by_yield, "runtime.Gosched");
    add(trace_stopped_by_preemption, "preempted");
    for (const trace_text& text : take_trace_texts(generation)) add(text.number, text.text);
  }
  /// Of a frame's function or file. 0: none.
  uint64_t of(std::string_view text) {
    text = text.substr(0, trace_text_max);
    if (text.empty()) return 0;
    const auto [at, fresh] = numbers_.try_emplace(std::string(text), next_);
    if (fresh) add(next_++, text);
    return at->second;
  }
  void write(std::string& out, uint32_t generation) const {
    table all(out, generation, strings);
    for (const std::string& entry : entries_) all.add(entry);
  }

 private:
  void add(uint64_t number, std::string_view text) {
    std::string entry(1, static_cast<char>(one_string));
    put(entry, number);
    put(entry, text.size());
    entry += text;
    entries_.push_back(std::move(entry));
  }
  std::vector<std::string> entries_;
  std::unordered_map<std::string, uint64_t> numbers_;
  uint64_t next_ = trace_first_frame_text;
};

struct frame {
  uint64_t pc;
  std::string_view function;
  std::string_view file;
  int line;
  bool of_runtime;
};

/// Argument number `wanted` of the template that begins `name`; empty: there is none.
std::string_view template_argument(std::string_view name, size_t wanted) noexcept {
  size_t begin = name.find('<');
  if (begin == std::string_view::npos) return {};
  ++begin;
  int depth = 0;
  for (size_t at = begin; at < name.size(); ++at) {
    const char c = name[at];
    if (depth == 0 && (c == '>' || c == ',')) {
      if (wanted == 0) return name.substr(begin, at - begin);
      if (c == '>') return {};
      --wanted;
      begin = at + 2;  // ", "
    }
    if (c == '<' || c == '(' || c == '{') ++depth;
    if (c == '>' || c == ')' || c == '}') --depth;
  }
  return {};
}

/// What a goroutine was started with, as its name: of `weft::rt::run_closure<F>` it is F, and of
/// what Weft itself starts for a user's function that function.
std::string_view goroutine_name(std::string_view function) noexcept {
  if (function == "weft::rt::(anonymous namespace)::main_entry") return "main";
  constexpr struct {
    std::string_view begins;
    size_t argument;
  } wrappers[] = {{"weft::rt::run_closure<", 0},
                  {"weft::rt::heap_closure<", 0},
                  {"weft::wait_group::go<", 0},
                  {"weft::group::go<", 0},
                  {"weft::rt::spawn_task<", 1}};
  for (bool again = true; again;) {
    again = false;
    for (const auto& wrapper : wrappers) {
      if (!function.starts_with(wrapper.begins)) continue;
      const std::string_view inner = template_argument(function, wrapper.argument);
      if (inner.empty()) return function;
      function = inner;
      again = true;
    }
  }
  return function;
}

/// Innermost first. The runtime's own are left out at both ends, but for the function that the
/// goroutine was started with: it gives the goroutine its name.
std::vector<frame> frames_of(const recorded_stack& stack, const symbol_table& symbols) {
  std::vector<frame> all;
  for (uint32_t n = 0; n < stack.depth; ++n) {
    const uintptr_t address = stack.pcs()[n] - 1;
    const symbol& names = symbols.at(address);
    // A reader keeps one frame for each pc: inlined calls get some of their own.
    for (size_t i = 0; i < names.lines.size(); ++i)
      all.push_back({address | (names.lines.size() - 1 - i) << 56, names.lines[i].function,
                     names.lines[i].file, names.lines[i].line, is_runtime_line(names.lines[i])});
  }
  while (!all.empty() && all.back().function.starts_with("weft_goroutine_")) all.pop_back();
  const auto first = std::ranges::find_if_not(all, [](const frame& f) { return f.of_runtime; });
  if (first != all.end()) all.erase(all.begin(), first);
  if (all.size() > frames_max) all.erase(all.begin() + frames_max - 1, all.end() - 1);
  if (!all.empty()) all.back().function = goroutine_name(all.back().function);
  return all;
}

void write_stacks(std::string& out, uint32_t generation, string_table& texts) {
  std::vector<const recorded_stack*> used;
  std::vector<uintptr_t> addresses;
  for (const recorded_stack* s = recorded_stacks(); s != nullptr; s = s->all_next) {
    if (s->traced[generation & 1].load(relaxed) != generation) continue;
    used.push_back(s);
    for (uint32_t n = 0; n < s->depth; ++n) addresses.push_back(s->pcs()[n] - 1);
  }
  symbol_table symbols;
  symbols.look_up(addresses);
  table all(out, generation, stacks);
  for (const recorded_stack* s : used) {
    const std::vector<frame> frames = frames_of(*s, symbols);
    std::string entry(1, static_cast<char>(one_stack));
    put(entry, number_of(s));
    put(entry, frames.size());
    for (const frame& f : frames) {
      put(entry, f.pc);
      put(entry, texts.of(f.function));
      put(entry, texts.of(f.file));
      put(entry, static_cast<uint64_t>(f.line));
    }
    all.add(entry);
  }
}

void write_clock(std::string& out, const trace_generation& of) {
  std::string entry(1, static_cast<char>(sync));
  entry += static_cast<char>(frequency);
  put(entry, of.frequency);
  entry += static_cast<char>(clock_snapshot);
  put(entry, 0);
  put(entry, static_cast<uint64_t>(of.mono_ns));
  put(entry, static_cast<uint64_t>(of.wall_ns / 1'000'000'000));
  put(entry, static_cast<uint64_t>(of.wall_ns % 1'000'000'000));
  put_batch(out, of.number, no_thread, of.time, entry);
}

}  // namespace

std::string trace_header() { return {"go 1.26 trace\0\0\0", 16}; }

std::string trace_generation_bytes(const trace_generation& of) {
  std::string out;
  for (const trace_buffer* batch = of.batches; batch != nullptr; batch = batch->next)
    put_batch(out, of.number, batch->thread, batch->base,
              {reinterpret_cast<const char*>(batch->bytes), batch->used});
  write_clock(out, of);
  string_table texts(of.number);
  write_stacks(out, of.number, texts);
  texts.write(out, of.number);
  out += static_cast<char>(end_of_generation);
  return out;
}

}  // namespace weft::rt
