// SPDX-License-Identifier: Apache-2.0
// The heap's thread-local word: which cache this thread allocates from. A plain variable in the
// static TLS block, for malloc is called before, while and after everything else.
//
// Compilers may keep its address across calls. So whoever reads it must not be inlined into code
// that parks: only malloc, free and their relatives read it, which never do.
#pragma once

namespace weft::rt {

struct mcache;

/// Null until the thread allocates or frees for the first time, and after its last.
extern __thread mcache* this_cache __attribute__((tls_model("initial-exec")));
/// Rounds of thread-exit destructors that this thread has been through.
extern __thread int cache_exit_rounds __attribute__((tls_model("initial-exec")));

}  // namespace weft::rt
