// SPDX-License-Identifier: Apache-2.0
// The entry: weft::run runs a program's main goroutine.
#pragma once

#include <string_view>
#include <type_traits>
#include <utility>

#include "weft/base/callable.hpp"
#include "weft/base/export.hpp"

namespace weft {

/// How the runtime runs. Zero: the environment's setting, else the default.
struct options {
  /// Ps, 1..1024. Default: WEFT_MAXPROCS, else CPU affinity and cgroup quota.
  int procs = 0;
  /// Where profiles and the runtime's state are shown while it runs: "off", "unix:/path",
  /// "127.0.0.1:6060". Needs weft::debughttp. Default: WEFT_DEBUG_ADDR; else, in programs that link
  /// weft::debughttp, a Unix socket for this user only (docs/guide/debug-endpoints.md).
  std::string_view debug_addr{};
  /// What requests to debug_addr must bring (Authorization: Bearer), if it is not empty. Default:
  /// WEFT_DEBUG_TOKEN.
  std::string_view debug_token{};
};

namespace rt {
/// Runs entry(argument) as the main goroutine and waits for it to return.
WEFT_API void run_main(const options& how, void (*entry)(void*), void* argument);
}  // namespace rt

/// Runs `f` as the main goroutine. Returns f's int (else 0) when `f` has returned, without waiting
/// for other goroutines, as in Go: the world is stopped then, and goroutines that are left stand
/// still (they go on if the program calls run again). Blocks the calling thread. Panics when called
/// from a goroutine, while another run is active, with procs out of range, or with a debug_addr
/// that cannot be had.
template <class F>
int run(const options& how, F&& f) {
  using closure = std::remove_reference_t<F>;
  WEFT_CHECK_FUNCTION(run(f), closure);
  if constexpr (!std::is_invocable_v<closure&>) {
    return 0;
  } else {
    struct call {
      closure* f;
      int status = 0;
    } state{&f};
    rt::run_main(
        how,
        [](void* argument) {
          auto* c = static_cast<call*>(argument);
          if constexpr (std::is_convertible_v<std::invoke_result_t<closure&>, int>)
            c->status = (*c->f)();
          else
            (*c->f)();
        },
        &state);
    return state.status;
  }
}
template <class F>
int run(F&& f) {
  return run(options{}, std::forward<F>(f));
}

}  // namespace weft
