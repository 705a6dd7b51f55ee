// SPDX-License-Identifier: Apache-2.0
// Deadlines and traces across the wire.
//
//   hop                     deadline                       trace
//   gateway_entry()         one of its own                 the caller's, continued
//   internal call           what remains of the caller's   the caller's, continued
//   message on a queue      none                           the sender's, continued
//
// An internal call is a client with `propagate` on one side and internal_entry() on the other. The
// deadline travels as the time that is left, in the field Weft-Timeout (as gRPC's grpc-timeout: up
// to eight digits and one of H, M, S, m, u, n), so clocks need not agree. The trace travels as W3C
// Trace Context: traceparent and tracestate.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "weft/http/handler.hpp"
#include "weft/http/header.hpp"
#include "weft/sync/context.hpp"

namespace weft::http {

/// Which trace a piece of work belongs to, and its own place in there.
struct WEFT_API trace_identity {
  std::array<uint8_t, 16> trace_id{};
  /// Of this hop; what it calls has this as its parent.
  std::array<uint8_t, 8> span_id{};
  /// Of the caller; zeros: this is where the trace begins.
  std::array<uint8_t, 8> parent_id{};
  bool sampled = false;
  /// What others have to say about it; forwarded as it came.
  std::string state{};

  /// "00-TRACE-SPAN-01", with this span as the parent of who reads it.
  [[nodiscard]] std::string traceparent() const;
  /// 32 digits, for logs.
  [[nodiscard]] std::string trace_id_text() const;
  /// The same trace, a new span below this one.
  [[nodiscard]] trace_identity child() const;
  [[nodiscard]] static trace_identity begin(bool sampled);
};

/// Null: none.
[[nodiscard]] WEFT_API const trace_identity* identity_of(const context& ctx) noexcept;
[[nodiscard]] WEFT_API context with_identity(const context& parent, trace_identity identity);

/// Strict, as the specification says: what is malformed in any way, or there twice, is no trace.
/// `span_id` is new, `parent_id` the caller's. A tracestate that is malformed is dropped alone.
[[nodiscard]] WEFT_API std::optional<trace_identity> extract_trace(const header& from);
/// A new span below `identity`, as the callee's parent.
WEFT_API void inject_trace(const trace_identity& identity, header& to);

/// "1500m". Rounded down, so that the callee's deadline is not later than ours; zero if it is past.
[[nodiscard]] WEFT_API std::string timeout_text(std::chrono::nanoseconds left);
/// None: malformed.
[[nodiscard]] WEFT_API std::optional<std::chrono::nanoseconds> parse_timeout(std::string_view text);

struct gateway_options {
  /// The deadline that each request starts with; whatever Weft-Timeout says, which is somebody
  /// else's to the world outside and is removed. Zero: none.
  std::chrono::nanoseconds timeout = std::chrono::seconds(30);
  /// Of traces that begin here, from 0 to 1. A trace that comes along keeps its own flag.
  double sampled = 0;
  /// False: every trace begins here.
  bool continue_trace = true;
};

struct internal_options {
  /// For callers that send none, and the most that one may ask for. Zero: none.
  std::chrono::nanoseconds timeout_max{0};
};

/// For the server that the world outside calls. A handler that has written nothing when the
/// deadline has passed is answered for by 504.
[[nodiscard]] WEFT_API middleware gateway_entry(gateway_options options = {});
/// For servers that are called by our own. A request whose time is up when it comes is answered 504
/// and does not reach the handler; a malformed Weft-Timeout is answered 400.
[[nodiscard]] WEFT_API middleware internal_entry(internal_options options = {});

/// For a message that will be handled at some time: the trace, and no deadline.
WEFT_API void inject_message(const context& ctx, header& to);
/// A context for the handler of a message: `parent` with its trace (a new one if it has none).
[[nodiscard]] WEFT_API context extract_message(const header& from,
                                               const context& parent = background());

/// What client_options::propagate sends: the trace, and the time until `deadline` (a default one:
/// none).
WEFT_API void inject_call(const context& ctx, std::chrono::steady_clock::time_point deadline,
                          header& to);

}  // namespace weft::http
