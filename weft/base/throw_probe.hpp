// SPDX-License-Identifier: Apache-2.0
// A catch clause that wants nothing, but is asked about every exception on its way: so the stack of
// a throw can be seen while it is whole.
//
// An exception is thrown in two phases: first the stack is searched for a catch that wants it, and
// only then unwound. The C++ runtime (libstdc++, by the Itanium ABI) asks each catch by a virtual
// function of its type's type_info, type_info::__do_catch. throw_probe's calls the hook and says
// no. A try block costs nothing. The use: sched/throw_trace.hpp.
//
// Rejected: standing in front of __cxa_throw (every exception of the program would pay, and
// libraries that were linked otherwise would not see it); a noexcept frame (ends the process).
#pragma once

#include "weft/base/export.hpp"

namespace weft::rt {

/// Nobody throws one. Its destructor is declared and defined nowhere, so the compiler leaves its
/// type_info to throw_probe.cpp.
struct throw_probe {
  throw_probe(const throw_probe&) = delete;
  throw_probe& operator=(const throw_probe&) = delete;
  virtual ~throw_probe();
};

/// Called on the thread that throws, below __cxa_throw, with the address of the exception object.
using throw_note = void (*)(const void* object) noexcept;
WEFT_API void set_throw_note(throw_note note) noexcept;

}  // namespace weft::rt
