// SPDX-License-Identifier: Apache-2.0
// Looking names up by base/symbolize.hpp, on the stack that reports use.
#include "weft/observe/internal/symbols.hpp"

#include <exception>

#include "weft/base/symbolize.hpp"
#include "weft/sched/internal/report.hpp"

namespace weft::rt {

namespace {

std::string_view without_arguments(std::string_view function) noexcept {
  for (const std::string_view end : {std::string_view("(...)"), std::string_view("()")})
    if (function.ends_with(end)) return function.substr(0, function.size() - end.size());
  return function;
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

bool is_goroutine_entry(std::string_view function) noexcept {
  constexpr std::string_view beginnings[] = {
      "weft_goroutine_",
      "weft::rt::run_closure",
      "weft::rt::heap_closure",
      "weft::rt::task_",
      "weft::rt::spawned",
      "weft::rt::machine_main",
      "weft::rt::run_main",
      "weft::rt::(anonymous namespace)::main_entry",
      "weft::run<",
      "std::invoke",
      "std::__invoke",
      "void std::__invoke",
      "weft::rt::callable",
      "weft::rt::run_watcher",
      "weft::rt::start_routine",
  };
  for (const std::string_view beginning : beginnings)
    if (function.starts_with(beginning)) return true;
  return false;
}

bool is_runtime_function(std::string_view function) noexcept {
  return function.starts_with("weft::rt::") || function.starts_with("weft_goroutine_");
}

}  // namespace weft::rt
