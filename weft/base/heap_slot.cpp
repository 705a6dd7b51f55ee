// SPDX-License-Identifier: Apache-2.0
// The heap's words in each thread's static TLS block.
#include "weft/base/heap_slot.hpp"

namespace weft::rt {

__thread mcache* this_cache __attribute__((tls_model("initial-exec"))) = nullptr;
__thread int cache_exit_rounds __attribute__((tls_model("initial-exec"))) = 0;

}  // namespace weft::rt
