// SPDX-License-Identifier: Apache-2.0
// Connections to servers, with or without TLS.
#pragma once

#include <memory>
#include <string>

#include "options.hpp"
#include "target.hpp"
#include "weft/net/conn.hpp"
#include "weft/sync/context.hpp"

namespace load {

/// How TLS connections are made; shared by all of them. connect_tls.cpp, or connect_plain.cpp where
/// Weft was built without TLS.
class tls_dialer {
 public:
  tls_dialer();
  ~tls_dialer();
  /// Once, before connect(). Fails if there is no TLS here, or no store of certificates.
  [[nodiscard]] weft::result<void> prepare(bool insecure);
  /// Parks; ends with the context or after `timeout`.
  [[nodiscard]] weft::result<weft::net::conn> connect(const weft::context& ctx, const origin& to,
                                                      ns timeout) const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

/// Parks; ends with the context or after how.timeout.
[[nodiscard]] weft::result<weft::net::conn> connect_to(const weft::context& ctx, const origin& to,
                                                       const options& how, const tls_dialer& tls);

}  // namespace load
