// SPDX-License-Identifier: Apache-2.0
// Looking names up by base/symbolize.hpp, on the stack that reports use.
#include "weft/observe/internal/symbols.hpp"

#include <exception>

#include "weft/base/symbolize.hpp"
#include "weft/sched/internal/report.hpp"

namespace weft::rt {

namespace {

std::string_view without_arguments(std::string_view function) noexcept {
  if (function.ends_with("(...)")) return function.substr(0, function.size() - 5);
  // Inlined calls may have bare names, without arguments: operator() is one.
  const bool bare = function == "operator()" || function.ends_with("::operator()");
  return !bare && function.ends_with("()") ? function.substr(0, function.size() - 2) : function;
}

struct batch {
  std::span<const uintptr_t> addresses;
  std::unordered_map<uintptr_t, symbol>& known;
  std::exception_ptr failed;  // bad_alloc: it cannot pass the other stack
};

void add_line(void* data, const source_frame& frame) noexcept {
  auto& to = *static_cast<std::pair<batch*, symbol*>*>(data);
  try {
    symbol_line line;
    line.function = without_arguments(frame.function);
    line.linkage = frame.linkage_name;
    line.file = frame.file.empty() ? frame.module : frame.file;
    line.line = frame.line;
    line.inlined = frame.inlined;
    if (!frame.inlined) to.second->offset = frame.offset;
    to.second->lines.push_back(std::move(line));
  } catch (...) {
    to.first->failed = std::current_exception();
  }
}

void look_up_batch(void* argument) noexcept {
  auto& all = *static_cast<batch*>(argument);
  for (const uintptr_t address : all.addresses) {
    if (all.failed) return;
    try {
      const auto [entry, fresh] = all.known.try_emplace(address);
      if (!fresh) continue;
      std::pair<batch*, symbol*> to{&all, &entry->second};
      symbolize(address, add_line, &to);
    } catch (...) {
      all.failed = std::current_exception();
    }
  }
}

}  // namespace

void symbol_table::look_up(std::span<const uintptr_t> addresses) {
  batch all{addresses, known_, nullptr};
  on_report_stack(look_up_batch, &all);
  if (all.failed) std::rethrow_exception(all.failed);
}

namespace {

/// A call without a qualified name that was inlined from one of Weft's own files.
bool is_bare_call_of_ours(const symbol_line& line) noexcept {
  if (!line.inlined || line.function.find("::") != std::string::npos) return false;
  for (const std::string_view folder : {"/weft/base/", "/weft/sched/", "/weft/sync/"})
    if (line.file.find(folder) != std::string::npos) return true;
  return false;
}

}  // namespace

bool is_goroutine_entry(const symbol_line& line) noexcept {
  constexpr std::string_view beginnings[] = {
      "weft_goroutine_",
      "weft::rt::run_closure",
      "weft::rt::heap_closure",
      "weft::rt::task_",
      "weft::rt::spawn_task",
      "weft::rt::(anonymous namespace)::main_entry",
      "weft::rt::run_main",
      "weft::run<",
      "weft::wait_group::go<",
      "weft::group::go<",
      "std::invoke",
      "std::__invoke",
      "weft::rt::callable",
      "weft::rt::(anonymous namespace)::run_watcher",
  };
  for (const std::string_view beginning : beginnings)
    if (line.function.starts_with(beginning)) return true;
  return is_bare_call_of_ours(line);
}

bool is_runtime_line(const symbol_line& line) noexcept {
  return line.function.starts_with("weft::rt::") || line.function.starts_with("weft_goroutine_") ||
         is_bare_call_of_ours(line);
}

}  // namespace weft::rt
