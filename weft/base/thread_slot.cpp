// SPDX-License-Identifier: Apache-2.0
// Storage of the thread's word, and the hook that runs when a foreign thread ends.
#include "weft/base/thread_slot.hpp"

extern "C" {
// used: link-time optimization does not see the references of inline assembly.
__attribute__((used, tls_model("initial-exec"), visibility("default"))) thread_local void*
    weft_thread_slot = nullptr;
}

namespace weft::rt {

namespace {

struct exit_hook {
  void (*at_exit)(void*) = nullptr;
  ~exit_hook() {
    if (at_exit != nullptr && weft_thread_slot != nullptr) at_exit(weft_thread_slot);
  }
};
thread_local exit_hook hook;

}  // namespace

// noinline: the address of a thread_local must not be computed in a frame that outlives a switch.
__attribute__((noinline)) void set_thread_slot(void* value) noexcept { weft_thread_slot = value; }

__attribute__((noinline)) void on_thread_exit(void (*at_exit)(void*)) noexcept {
  hook.at_exit = at_exit;
}

}  // namespace weft::rt
