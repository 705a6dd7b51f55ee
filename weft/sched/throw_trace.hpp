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
#pragma once

#include <exception>
#include <string>

#include "weft/base/export.hpp"
#include "weft/base/throw_probe.hpp"

namespace weft::rt {

/// The stack of the latest throw of this exception that passed a probe, as reports write stacks;
/// empty if it is not known (the last 32 are). May take milliseconds: it reads debug information.
[[nodiscard]] WEFT_API std::string thrown_at(const std::exception_ptr& what);

}  // namespace weft::rt
