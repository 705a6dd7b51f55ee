// SPDX-License-Identifier: Apache-2.0
// TLS by weft::tls. One context: sessions are resumed, as browsers do.
#include "connect.hpp"
#include "weft/tls/conn.hpp"

namespace load {

struct tls_dialer::state {
  weft::net::tls_context context;
};

tls_dialer::tls_dialer() = default;
tls_dialer::~tls_dialer() = default;

weft::result<void> tls_dialer::prepare(bool insecure) {
  weft::net::tls_config config;
  config.insecure_skip_verify = insecure;
  config.alpn = {"http/1.1"};
  weft::result<weft::net::tls_context> made = weft::net::tls_context::make(std::move(config));
  if (!made) return weft::fail(made.error());
  state_ = std::make_unique<state>(std::move(*made));
  return {};
}

weft::result<weft::net::conn> tls_dialer::connect(const weft::context& ctx, const origin& to,
                                                  ns timeout) const {
  return weft::net::dial_tls(ctx, "tcp", to.address, state_->context, {.timeout = timeout});
}

}  // namespace load
