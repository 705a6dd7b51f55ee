// SPDX-License-Identifier: Apache-2.0
// The thread's word, one for each simulated thread.
#pragma once

#include "tests/model/checker/engine.hpp"

namespace weft::rt {

inline void* thread_slot() noexcept {
  return model::the_engine != nullptr && model::the_engine->running ? model::self().slot : nullptr;
}
void set_thread_slot(void* value) noexcept;
void on_thread_exit(void (*at_exit)(void*)) noexcept;

}  // namespace weft::rt
