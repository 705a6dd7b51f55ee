// SPDX-License-Identifier: Apache-2.0
// The kernel's clocks, through the vDSO: no system call, no errno on success.
#include <ctime>

#include "weft/base/os/os.hpp"

namespace weft::rt::os {

namespace {

int64_t read_clock(clockid_t which) noexcept {
  timespec now{};
  ::clock_gettime(which, &now);  // cannot fail: both clocks exist on every Linux
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

int64_t monotonic_ns() noexcept { return read_clock(CLOCK_MONOTONIC); }
int64_t realtime_ns() noexcept { return read_clock(CLOCK_REALTIME); }

}  // namespace weft::rt::os
