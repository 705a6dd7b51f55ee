// SPDX-License-Identifier: Apache-2.0
// What all stores answer when a transfer cannot be made.
#include "store.hpp"

namespace shop {

const weft::error no_such_account("no such account");
const weft::error insufficient_funds("insufficient funds");
const weft::error key_conflict("idempotency key used for another transfer");

}  // namespace shop
