// SPDX-License-Identifier: Apache-2.0
// TLS connections. They are net::conn: reads, writes, deadlines and close are those of every other
// connection, from any goroutine at any moment.
//
// The handshake happens at the first read or write, or by handshake(): accepting never waits for a
// peer's. If it fails, or its context ends, the connection is of no more use; close it.
//
// What differs from a plain conn: the end of the stream must be said (close_write(), close()), and
// a connection that is cut off fails with net::unexpected_eof instead of reading 0; a write that
// has timed out has cut a record, and all later ones fail as well.
#pragma once

#include <optional>
#include <string_view>

#include "weft/net/conn.hpp"
#include "weft/net/dial.hpp"
#include "weft/net/listener.hpp"
#include "weft/sync/context.hpp"
#include "weft/tls/config.hpp"
#include "weft/tls/context.hpp"
#include "weft/tls/errors.hpp"
#include "weft/tls/state.hpp"

namespace weft::net {

/// TLS over `over`, whatever that is. The caller leaves `over` alone from now on; closing the new
/// connection closes it. Does not park.
[[nodiscard]] WEFT_API conn tls_server(conn over, const tls_context& context);
/// `server_name` goes before that of the configuration.
[[nodiscard]] WEFT_API conn tls_client(conn over, const tls_context& context,
                                       std::string_view server_name = {});
/// With a context of its own: for few connections.
[[nodiscard]] WEFT_API result<conn> tls_server(conn over, const tls_config& config);
[[nodiscard]] WEFT_API result<conn> tls_client(conn over, const tls_config& config,
                                               std::string_view server_name = {});

/// Listens; the connections that accept() gives are servers'.
[[nodiscard]] WEFT_API result<listener> listen_tls(std::string_view network, std::string_view where,
                                                   const tls_context& context,
                                                   const listen_options& options = {});
[[nodiscard]] WEFT_API result<listener> listen_tls(std::string_view network, std::string_view where,
                                                   const tls_config& config,
                                                   const listen_options& options = {});
/// The same over a listener that is there already.
[[nodiscard]] WEFT_API listener tls_listener(listener over, const tls_context& context);

/// Connects and shakes hands; `timeout` is for both. The name in `where` is what the certificate
/// must have, unless the configuration has a server_name.
[[nodiscard]] WEFT_API result<conn> dial_tls(const weft::context& ctx, std::string_view network,
                                             std::string_view where, const tls_context& context,
                                             const dial_options& options = {});
[[nodiscard]] WEFT_API result<conn> dial_tls(const weft::context& ctx, std::string_view network,
                                             std::string_view where, const tls_config& config,
                                             const dial_options& options = {});

/// Shakes hands now, unless that is done. Parks. Ends with the context, handshake_timeout or the
/// connection's deadlines. On what is no TLS connection it does nothing.
result<void> WEFT_API handshake(const conn& c, const weft::context& ctx);

[[nodiscard]] WEFT_API bool is_tls(const conn& c) noexcept;
/// None for what is no TLS connection, or before the handshake is done. Does not shake hands.
[[nodiscard]] WEFT_API std::optional<tls_connection_state> tls_state(const conn& c);

}  // namespace weft::net
