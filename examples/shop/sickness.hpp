// SPDX-License-Identifier: Apache-2.0
// Five faults that shops have had, for docs/guide/diagnose.md: `weft-shop --sick NAME` plants one
// in the gateway. Without it nothing of this file runs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "messages.hpp"
#include "weft/sync/context.hpp"

namespace shop {

enum class sickness : uint8_t { none, cpu, lock, memory, goroutines, stall };

/// `none` for a name that is none of them.
[[nodiscard]] sickness sickness_of(std::string_view name) noexcept;
/// Before the services start.
void plant(sickness what) noexcept;
[[nodiscard]] bool has(sickness what) noexcept;

/// cpu: whether the name looks like a blocked one. Compares it with all of them.
[[nodiscard]] bool resembles_blocked(const std::string& customer);
/// lock: writes an order down. Everybody waits for the file. False: it may not be on the disk.
[[nodiscard]] bool audit(const order_answer& order);
/// memory: keeps the answer, in case the order is sent again. For ever.
void remember(const order_answer& order);
/// goroutines: asks two carriers, and takes the price that comes first.
[[nodiscard]] int64_t quote_shipping(const order_request& order);
/// stall: orders of a customer come one after the other.
void begin_turn(const weft::context& ctx, const std::string& customer);
void end_turn(const std::string& customer);

}  // namespace shop
