// SPDX-License-Identifier: Apache-2.0
// Looking stacks up for a trace, once each.
//
// A generation a second would otherwise look the same stacks up again and again, which costs more
// than all recording: some 20 us a frame with its inlined calls.
#include "weft/observe/internal/trace_frames.hpp"

#include <algorithm>
#include <deque>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include "weft/observe/internal/symbols.hpp"

namespace weft::rt {

namespace {

struct frame_text {
  std::string text;
  atomic<uint32_t> used{0};  // by which generation last
};

constexpr size_t block_len = 1024;
using block = atomic<frame_text*>[block_len];

// For readers without a lock: texts by number, in blocks that are made once.
atomic<atomic<frame_text*>*> blocks[trace_frame_texts_max / block_len];
atomic<uint32_t> text_count{0};

frame_text* text_at(uint32_t index) noexcept {
  atomic<frame_text*>* of = blocks[index / block_len].load(acquire);
  return of != nullptr ? of[index % block_len].load(acquire) : nullptr;
}

/// A frame that has been looked up. Texts are numbers of theirs plus 1; 0: none.
struct known_frame {
  uint64_t pc = 0;
  uint32_t function = 0;
  uint32_t file = 0;
  int line = 0;
  bool of_runtime = false;
};

/// What only the one who encodes touches. Never destroyed: goroutines may trace while the process
/// ends.
struct frame_table {
  std::deque<frame_text> texts;  // what is in it stays where it is
  std::unordered_map<std::string_view, uint32_t> numbers;
  /// By address, the innermost inlined call first.
  std::unordered_map<uintptr_t, std::vector<known_frame>> frames;
  /// What the stacks refer to: their own memory is nothing where LeakSanitizer looks.
  std::vector<const encoded_stack*> encoded;

  uint32_t number_of(std::string_view text);
  void look_up(const std::vector<uintptr_t>& addresses);
  encoded_stack* encode(const recorded_stack& stack);
};

frame_table& known() {
  static auto* made = new frame_table;
  return *made;
}

uint32_t frame_table::number_of(std::string_view text) {
  text = text.substr(0, trace_text_max);
  if (text.empty()) return 0;
  if (const auto at = numbers.find(text); at != numbers.end()) return at->second;
  const auto index = static_cast<uint32_t>(texts.size());
  if (index >= trace_frame_texts_max) return 0;
  frame_text& made = texts.emplace_back();
  made.text = text;
  atomic<atomic<frame_text*>*>& of = blocks[index / block_len];
  if (of.load(relaxed) == nullptr) of.store(new block{}, release);
  of.load(relaxed)[index % block_len].store(&made, release);
  text_count.store(index + 1, release);
  numbers.emplace(made.text, index + 1);
  return index + 1;
}

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

void frame_table::look_up(const std::vector<uintptr_t>& addresses) {
  symbol_table symbols;
  symbols.look_up(addresses);
  for (const uintptr_t address : addresses) {
    const auto [at, fresh] = frames.try_emplace(address);
    if (!fresh) continue;
    const std::vector<symbol_line>& lines = symbols.at(address).lines;
    // A reader keeps one frame for each pc: inlined calls get some of their own.
    for (size_t i = 0; i < lines.size(); ++i)
      at->second.push_back({address | (lines.size() - 1 - i) << 56, number_of(lines[i].function),
                            number_of(lines[i].file), lines[i].line, is_runtime_line(lines[i])});
  }
}

void put(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

/// Innermost first. The runtime's own are left out at both ends, but for the function that the
/// goroutine was started with: it gives the goroutine its name.
encoded_stack* frame_table::encode(const recorded_stack& stack) {
  const auto text = [&](uint32_t number) {
    return number != 0 ? std::string_view(texts[number - 1].text) : std::string_view();
  };
  std::vector<known_frame> all;
  for (uint32_t n = 0; n < stack.depth; ++n) {
    const std::vector<known_frame>& at = frames.at(stack.pcs()[n] - 1);
    all.insert(all.end(), at.begin(), at.end());
  }
  while (!all.empty() && text(all.back().function).starts_with("weft_goroutine_")) all.pop_back();
  const auto first = std::ranges::find_if_not(all, &known_frame::of_runtime);
  if (first != all.end()) all.erase(all.begin(), first);
  if (all.size() > trace_frames_max) all.erase(all.begin() + trace_frames_max - 1, all.end() - 1);
  if (!all.empty()) {
    const std::string name(goroutine_name(text(all.back().function)));
    all.back().function = number_of(name);
  }
  std::string bytes;
  std::vector<uint32_t> used;
  put(bytes, all.size());
  for (const known_frame& f : all) {
    put(bytes, f.pc);
    for (const uint32_t number : {f.function, f.file}) {
      put(bytes, number != 0 ? trace_first_frame_text + number - 1 : 0);
      if (number != 0) used.push_back(number - 1);
    }
    put(bytes, static_cast<uint64_t>(f.line));
  }
  std::ranges::sort(used);
  used.erase(std::ranges::unique(used).begin(), used.end());
  void* memory =
      ::operator new(sizeof(encoded_stack) + used.size() * sizeof(uint32_t) + bytes.size());
  auto* made = new (memory) encoded_stack;
  made->bytes_len = static_cast<uint32_t>(bytes.size());
  made->texts_len = static_cast<uint32_t>(used.size());
  std::ranges::copy(used, const_cast<uint32_t*>(made->texts()));
  std::ranges::copy(bytes, const_cast<char*>(made->bytes().data()));
  encoded.push_back(made);
  return made;
}

}  // namespace

void encode_trace_stacks(uint32_t generation) {
  frame_table& table = known();
  std::vector<recorded_stack*> fresh;
  std::vector<uintptr_t> addresses;
  for (recorded_stack* s = recorded_stacks(); s != nullptr; s = s->all_next) {
    if (s->traced[generation & 1].load(relaxed) != generation) continue;
    if (s->trace_frames.load(relaxed) != nullptr) continue;
    fresh.push_back(s);
    for (uint32_t n = 0; n < s->depth; ++n)
      if (!table.frames.contains(s->pcs()[n] - 1)) addresses.push_back(s->pcs()[n] - 1);
  }
  if (fresh.empty()) return;
  table.look_up(addresses);
  // release: the bytes; partner: encoded_stack_of(), also in a process that dies.
  for (recorded_stack* s : fresh) s->trace_frames.store(table.encode(*s), release);
}

const encoded_stack* encoded_stack_of(const recorded_stack& stack) noexcept {
  return static_cast<const encoded_stack*>(stack.trace_frames.load(acquire));
}

void use_frame_texts(const encoded_stack& stack, uint32_t generation) noexcept {
  for (uint32_t i = 0; i < stack.texts_len; ++i)
    if (frame_text* text = text_at(stack.texts()[i]); text != nullptr)
      text->used.store(generation, relaxed);
}

void each_frame_text(uint32_t generation, trace_text_use use, void* to) {
  const uint32_t count = text_count.load(acquire);
  for (uint32_t i = 0; i < count; ++i)
    if (const frame_text* at = text_at(i); at != nullptr && at->used.load(relaxed) == generation)
      use(to, trace_first_frame_text + i, at->text);
}

}  // namespace weft::rt
