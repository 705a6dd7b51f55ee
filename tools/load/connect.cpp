// SPDX-License-Identifier: Apache-2.0
// Dialing.
#include "connect.hpp"

#include "weft/net/dial.hpp"

namespace load {

weft::result<weft::net::conn> connect_to(const weft::context& ctx, const origin& to,
                                         const options& how, const tls_dialer& tls) {
  if (to.tls) return tls.connect(ctx, to, how.timeout);
  return weft::net::dial(ctx, "tcp", to.address, {.timeout = how.timeout});
}

}  // namespace load
