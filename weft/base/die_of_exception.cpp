// SPDX-License-Identifier: Apache-2.0
// What is printed for an exception that nobody caught: Go's text for a panic value
// (spec/runtime-text.md §3.2), extended to what C++ programs throw.
//
//   panic_error, weft::error, strings, numbers, bool   their text
//   other std::exception                               TYPE: what()
//   anything else                                      (TYPE)
//   std::nested_exception                              the causes first, as Go prints a panic in a
//                                                      defer of a panic
#include <cxxabi.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>
#include <typeinfo>

#include "weft/base/error.hpp"
#include "weft/base/panic.hpp"
#include "weft/base/report_writer.hpp"

namespace weft::rt {

namespace {

/// Deeper chains are cut: a report must end.
constexpr int chain_max = 32;

/// Prints the source's name of a type. Demangling allocates; without memory the mangled name must
/// do. std::throw_with_nested throws a type of its own around the user's: that one is shown.
void put_type(report_writer& out, const std::type_info* type) noexcept {
  if (type == nullptr) {
    out.put("foreign exception");
    return;
  }
  int status = 0;
  char* readable = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
  std::string_view name = readable != nullptr ? readable : type->name();
  for (std::string_view wrapper : {"std::_Nested_exception<", "std::__1::__nested<"}) {
    if (!name.starts_with(wrapper) || !name.ends_with('>')) continue;
    name.remove_prefix(wrapper.size());
    name.remove_suffix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
  }
  out.put(name);
  std::free(readable);
}

void put_floating(report_writer& out, double value) noexcept {
  char text[32];
  auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  out.put(std::string_view(text, static_cast<size_t>(end - text)));
}

/// Prints the value of the exception being handled, whose type is not std::exception's.
void put_caught_value(report_writer& out) {
  try {
    throw;
  } catch (const error& value) {
    out.put_indented(value ? value.message() : "error that says nothing went wrong");
  } catch (const std::string& value) {
    out.put_indented(value);
  } catch (std::string_view value) {
    out.put_indented(value);
  } catch (const char* value) {  // also char*
    out.put_indented(value != nullptr ? value : "(const char*) nullptr");
  } catch (bool value) {
    out.put(value ? "true" : "false");
  } catch (int value) {
    out.put_decimal(value);
  } catch (long value) {
    out.put_decimal(value);
  } catch (long long value) {
    out.put_decimal(value);
  } catch (unsigned value) {
    out.put_unsigned(value);
  } catch (unsigned long value) {
    out.put_unsigned(value);
  } catch (unsigned long long value) {
    out.put_unsigned(value);
  } catch (float value) {
    put_floating(out, static_cast<double>(value));
  } catch (double value) {
    put_floating(out, value);
  } catch (...) {
    out.put('(');
    put_type(out, abi::__cxa_current_exception_type());
    out.put(')');
  }
}

std::exception_ptr cause_of(const std::nested_exception* nested) noexcept {
  return nested != nullptr ? nested->nested_ptr() : nullptr;
}

/// What the caught exception is nested around; null for nothing.
std::exception_ptr cause_of_caught() {
  try {
    throw;
  } catch (const std::nested_exception& nested) {
    return cause_of(&nested);
  } catch (...) {
    return nullptr;
  }
}

/// Prints the chain that ends in `what`, causes first, one line each; returns after the last line.
void put_chain(report_writer& out, const std::exception_ptr& what, int depth) {
  try {
    std::rethrow_exception(what);
  } catch (...) {
    std::exception_ptr cause = depth < chain_max ? cause_of_caught() : nullptr;
    if (cause != nullptr) {
      put_chain(out, cause, depth + 1);
      out.put('\t');
    }
    out.put("panic: ");
    try {
      throw;
    } catch (const panic_error& value) {
      out.put_indented(value.what());
    } catch (const std::exception& value) {
      put_type(out, abi::__cxa_current_exception_type());
      out.flush();  // what() is the user's and may fail
      const char* text = value.what();
      if (text != nullptr && *text != '\0') out.put(": ").put_indented(text);
    } catch (...) {
      put_caught_value(out);
    }
    out.put('\n');
  }
}

}  // namespace

void die_of_exception(std::exception_ptr what) noexcept {
  begin_dying();
  {
    report_writer out(STDERR_FILENO);
    if (what != nullptr)
      put_chain(out, what, 0);
    else
      out.put("panic: terminated without an active exception\n");
    out.put('\n');
  }
  finish_panic();
}

}  // namespace weft::rt
