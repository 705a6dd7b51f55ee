// SPDX-License-Identifier: Apache-2.0
// Where an exception was thrown, for those who catch it far away and log it (a server its
// handlers').
//
//   try {
//     handler();
//   } catch (const rt::throw_probe&) {    // never: but asked about each exception on its way
//   } catch (...) {
//     log(rt::thrown_at(std::current_exception()));
//   }
//
// An exception is thrown in two phases: first the stack is searched for a catch that wants it, and
// only then unwound. The C++ runtime asks each catch by a virtual function of its type's type_info;
// throw_probe's says no, and notes the stack, which is still whole. A try block costs nothing.
//
// Rejected: standing in front of __cxa_throw (every exception of the program would pay, and
// libraries that were linked otherwise would not see it); a noexcept frame (ends the process).
#pragma once

#include <exception>
#include <string>

#include "weft/base/export.hpp"

namespace weft::rt {

/// Its destructor is declared and defined nowhere, so the compiler leaves its type_info to us.
struct throw_probe {
  throw_probe(const throw_probe&) = delete;
  throw_probe& operator=(const throw_probe&) = delete;
  virtual ~throw_probe();
};

/// The stack of the latest throw of this exception that passed a probe, as reports write stacks;
/// empty if it is not known (the last 32 are). May take milliseconds: it reads debug information.
[[nodiscard]] WEFT_API std::string thrown_at(const std::exception_ptr& what);

}  // namespace weft::rt
