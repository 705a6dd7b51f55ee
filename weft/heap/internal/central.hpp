// SPDX-License-Identifier: Apache-2.0
// Spans without an owner, by class (Go's mcentral): those of threads that ended, while objects in
// them are still used.
#pragma once

#include "weft/heap/internal/span.hpp"

namespace weft::rt {

struct mcache;

/// A span with free objects, which `owner` owns from now on; null: there is none.
mspan* central_take(uint32_t size_class, mcache* owner) noexcept;
/// The owner gives `s` up. It goes to the page heap when no object of it is used.
void central_give(mspan* s) noexcept;
/// Frees an object of an unowned span. False: it has an owner by now.
bool central_free(mspan* s, free_object* object) noexcept;

void central_lock_all() noexcept;
void central_unlock_all() noexcept;

}  // namespace weft::rt
