// SPDX-License-Identifier: Apache-2.0
// Symbols through GCC's libbacktrace (reads DWARF 2-5 of g++ and clang++, and symbol tables; takes
// its memory from mmap) and the demangler of libsupc++ in its callback form, which needs no heap.
//
// Rejected: __cxa_demangle and dladdr (malloc, and the loader's lock: a report from a process whose
// heap is broken would hang), backtrace_symbols_fd (no lines), a child process (gone in containers
// without /proc, and unable to fork under a memory limit).
#include "weft/base/symbolize.hpp"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <cstring>

#include "weft/base/atomic.hpp"
#include "weft/base/sanitizer.hpp"

extern "C" {
// libbacktrace's interface; its header is found by g++ only.
struct backtrace_state;
using backtrace_error_callback = void (*)(void* data, const char* message, int number);
using backtrace_full_callback = int (*)(void* data, uintptr_t pc, const char* file, int line,
                                        const char* function);
using backtrace_syminfo_callback = void (*)(void* data, uintptr_t pc, const char* name,
                                            uintptr_t value, uintptr_t size);
backtrace_state* backtrace_create_state(const char* file, int threaded,
                                        backtrace_error_callback error, void* data);
int backtrace_pcinfo(backtrace_state* state, uintptr_t pc, backtrace_full_callback callback,
                     backtrace_error_callback error, void* data);
int backtrace_syminfo(backtrace_state* state, uintptr_t pc, backtrace_syminfo_callback callback,
                      backtrace_error_callback error, void* data);

// __gcclibcxx_demangle_callback of libsupc++, renamed by cmake/demangler.cmake. Where the tool
// chain has no libsupc++.a, names stay mangled.
#if WEFT_DEMANGLER
int weft_demangle_callback(const char* mangled, void (*sink)(const char*, size_t, void*),
                           void* opaque);
#else
static int weft_demangle_callback(const char*, void (*)(const char*, size_t, void*), void*) {
  return -1;
}
#endif
}

namespace weft::rt {
namespace {

// Longest readable name shown. Template-heavy names go on for pages; a report needs their start.
constexpr size_t name_bytes_max = 512;
// Longest mangled name given to the demangler, which takes about 100 bytes of stack for each byte.
constexpr size_t mangled_bytes_max = 1000;

constinit atomic<backtrace_state*> shared_state{nullptr};

void ignore_error(void*, const char*, int) noexcept {}

backtrace_state* state() noexcept {
  backtrace_state* now = shared_state.load(acquire);
  if (now != nullptr) return now;
  // Two threads may make two; one is lost, which costs memory once.
  now = backtrace_create_state(nullptr, 1, ignore_error, nullptr);
  shared_state.store(now, release);
  return now;
}

/// Collects text in a fixed buffer; what does not fit is dropped.
struct text_buffer {
  char* out;
  size_t capacity;
  size_t used = 0;

  static void append(const char* text, size_t bytes, void* opaque) noexcept {
    auto& self = *static_cast<text_buffer*>(opaque);
    const size_t room = self.capacity - self.used;
    const size_t taken = bytes < room ? bytes : room;
    std::memcpy(self.out + self.used, text, taken);
    self.used += taken;
  }
};

/// Where the parameter list starts, given that `name` ends with its ')'. npos: not found.
size_t parameters_start(std::string_view name) noexcept {
  int depth = 0;
  for (size_t i = name.size(); i-- > 0;) {
    if (name[i] == ')') ++depth;
    if (name[i] == '(' && --depth == 0) return i;
  }
  return std::string_view::npos;
}

/// Where the qualified name starts behind a return type: after the last space outside brackets.
size_t name_start(std::string_view name) noexcept {
  size_t start = 0;
  int depth = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    // Operators' names contain spaces and brackets, and nothing after them is a return type.
    if (depth == 0 && c == 'o' && name.substr(i).starts_with("operator") &&
        (i == 0 || name[i - 1] == ':' || name[i - 1] == ' '))
      break;
    if (c == '<' || c == '(' || c == '{' || c == '[') ++depth;
    if (c == '>' || c == ')' || c == '}' || c == ']') --depth;
    if (c == ' ' && depth == 0) start = i + 1;
  }
  return start;
}

/// `int f<char>(char) const [clone .cold]` becomes `f<char>(...)`. In place; returns the length.
size_t shorten(char* text, size_t used) noexcept {
  std::string_view name(text, used);
  if (const size_t clone = name.find(" [clone"); clone != std::string_view::npos)
    name = name.substr(0, clone);
  // Inner libraries' version tags say nothing to a reader: f[abi:cxx11]() is f().
  if (const size_t tag = name.find("[abi:"); tag != std::string_view::npos) {
    const size_t end = name.find(']', tag);
    if (end != std::string_view::npos) {
      std::memmove(text + tag, text + end + 1, name.size() - end - 1);
      name = name.substr(0, name.size() - (end + 1 - tag));
    }
  }
  for (std::string_view suffix : {" &&", " &", " const", " volatile"})
    if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
  if (!name.ends_with(')')) return name.size();
  const size_t parameters = parameters_start(name);
  if (parameters == std::string_view::npos || parameters == 0) return name.size();
  const bool none = parameters + 2 == name.size();
  name = name.substr(0, parameters);
  name.remove_prefix(name_start(name));
  const size_t kept = name.size();
  std::memmove(text, name.data(), kept);
  const std::string_view end = none ? "()" : "(...)";
  if (kept + end.size() > used) return kept;
  std::memcpy(text + kept, end.data(), end.size());
  return kept + end.size();
}

struct lookup {
  // Calls inlined at one address; deeper ones are cut. Templates of the standard library nest 10.
  static constexpr size_t inlined_max = 24;
  struct line_entry {
    const char* file;
    const char* function;
    int line;
  };
  uintptr_t pc = 0;
  source_frame_sink sink = nullptr;
  void* data = nullptr;
  std::string_view module = {};
  bool in_module = false;
  uintptr_t module_start = 0;
  const char* symbol = nullptr;
  uintptr_t symbol_start = 0;
  line_entry lines[inlined_max] = {};  // innermost first; the last is the function itself
  size_t count = 0;
};

bool is_mangled(const char* name) noexcept {
  return name != nullptr && name[0] == '_' && name[1] == 'Z';
}

/// The first template argument of the function that `name` names; empty: none.
std::string_view first_template_argument(std::string_view name) noexcept {
  const size_t open = name.find('<');
  if (open == std::string_view::npos || name.substr(0, open).ends_with("operator")) return {};
  int depth = 0;
  for (size_t i = open; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '<' || c == '(' || c == '{') ++depth;
    if (c == '>' || c == ')' || c == '}') --depth;
    if (depth == 0 || (depth == 1 && c == ',')) return name.substr(open + 1, i - open - 1);
  }
  return {};
}

/// A user's lambda that is inlined into the template that calls it has no name of its own in the
/// debug information; the template's symbol says whose it is: run_closure<main::{lambda()#1}>.
std::string_view name_of_inlined_lambda(const char* symbol, char* out, size_t bytes) noexcept {
  char text[name_bytes_max];
  if (!is_mangled(symbol)) return {};
  std::string_view name = readable_name(symbol, text, sizeof text);
  do {
    name = first_template_argument(name);
  } while (name.starts_with("weft::"));
  if (name.find("{lambda") == std::string_view::npos) return {};
  text_buffer buffer{out, bytes};
  text_buffer::append(name.data(), name.size(), &buffer);
  text_buffer::append("::operator()()", 14, &buffer);
  return {out, buffer.used};
}

/// Hands out the frame at lines[n]; n == count: one without a line.
void hand_out(const lookup& at, size_t n, bool inlined, bool outermost_lambda) noexcept {
  char text[name_bytes_max];
  source_frame frame;
  const lookup::line_entry entry = n < at.count ? at.lines[n] : lookup::line_entry{};
  // Functions without external linkage have a bare name in the debug information: a symbol says
  // more. It names the outermost function only.
  const bool symbol_is_better = !inlined && at.symbol != nullptr && !is_mangled(entry.function);
  const char* linkage = symbol_is_better ? at.symbol : entry.function;
  if (linkage != nullptr) {
    frame.linkage_name = linkage;
    if (outermost_lambda) frame.function = name_of_inlined_lambda(at.symbol, text, sizeof text);
    if (frame.function.empty()) frame.function = readable_name(linkage, text, sizeof text);
  }
  if (entry.file != nullptr) frame.file = entry.file;
  // libbacktrace puts clang's compilation directory in front of absolute paths, too.
  if (const size_t twice = frame.file.find("//"); twice != std::string_view::npos)
    frame.file.remove_prefix(twice + 1);
  frame.line = entry.line;
  frame.inlined = inlined;
  frame.module = at.module;
  if (!inlined) frame.offset = at.pc - (at.symbol != nullptr ? at.symbol_start : at.module_start);
  at.sink(at.data, frame);
}

bool is_bare_lambda(const lookup::line_entry& entry) noexcept {
  return entry.function != nullptr && std::string_view(entry.function) == "operator()";
}

bool is_in_weft(const lookup::line_entry& entry) noexcept {
  return entry.file != nullptr &&
         std::string_view(entry.file).find("/weft/s") != std::string_view::npos;
}

int on_line(void* data, uintptr_t, const char* file, int line, const char* function) noexcept {
  auto& at = *static_cast<lookup*>(data);
  if (file == nullptr && function == nullptr) return 0;
  if (at.count < lookup::inlined_max) at.lines[at.count++] = {file, function, line};
  return 0;
}

void on_symbol(void* data, uintptr_t, const char* name, uintptr_t value, uintptr_t) noexcept {
  auto& at = *static_cast<lookup*>(data);
  at.symbol = name;
  at.symbol_start = value;
}

/// The program's own file: the dynamic linker has no name for it.
std::string_view program_file() noexcept {
  static char path[512];
  static constinit atomic<size_t> known{0};
  size_t bytes = known.load(acquire);
  if (bytes != 0) return {path, bytes};
  // Two threads at once write the same.
  const ssize_t got = ::readlink("/proc/self/exe", path, sizeof path);
  if (got <= 0) return "/proc/self/exe";
  bytes = static_cast<size_t>(got);
  known.store(bytes, release);
  return {path, bytes};
}

void find_module(lookup& at) noexcept {
  dl_find_object found{};
  if (_dl_find_object(reinterpret_cast<void*>(at.pc), &found) != 0) return;
  at.in_module = true;
  if (found.dlfo_link_map == nullptr) return;
  // What tools like addr2line count from: 0 for a program that is not position-independent.
  at.module_start = found.dlfo_link_map->l_addr;
  const char* name = found.dlfo_link_map->l_name;
  at.module = name != nullptr && *name != '\0' ? name : program_file();
}

}  // namespace

std::string_view readable_name(const char* linkage_name, char* out, size_t bytes) noexcept {
  const std::string_view plain = linkage_name;
  text_buffer buffer{out, bytes};
  const bool mangled = plain.starts_with("_Z") && plain.size() <= mangled_bytes_max;
  if (mangled && weft_demangle_callback(linkage_name, text_buffer::append, &buffer) == 0 &&
      buffer.used < bytes)
    return {out, shorten(out, buffer.used)};
  if (buffer.used == bytes && bytes > 3) {  // too long: show that it goes on
    std::memcpy(out + bytes - 3, "...", 3);
    return {out, bytes};
  }
  buffer.used = 0;
  text_buffer::append(linkage_name, plain.size(), &buffer);
  if (!mangled && plain.find('(') == std::string_view::npos) text_buffer::append("()", 2, &buffer);
  return {out, buffer.used};
}

void symbolize(uintptr_t pc, source_frame_sink sink, void* data) noexcept {
  const sanitizer::unseen_accesses by_libbacktrace;
  lookup at;
  at.pc = pc;
  at.sink = sink;
  at.data = data;
  find_module(at);
  backtrace_state* symbols = at.in_module ? state() : nullptr;
  if (symbols != nullptr) {
    backtrace_syminfo(symbols, pc, on_symbol, ignore_error, &at);
    backtrace_pcinfo(symbols, pc, on_line, ignore_error, &at);
  }
  size_t lambda = at.count;
  for (size_t n = 0; n + 1 < at.count; ++n)
    if (is_bare_lambda(at.lines[n]) && !is_in_weft(at.lines[n])) lambda = n;
  size_t n = 0;
  for (; n + 1 < at.count; ++n) hand_out(at, n, true, n == lambda);
  hand_out(at, n, false, false);
}

}  // namespace weft::rt
