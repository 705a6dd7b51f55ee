// SPDX-License-Identifier: Apache-2.0
// TLS where there is none.
#include "connect.hpp"

namespace load {

namespace {

std::unexpected<weft::error> without() {
  return weft::fail(weft::error("https: this weft-load was built without TLS (WEFT_HTTP=OFF)"));
}

}  // namespace

struct tls_dialer::state {};
tls_dialer::tls_dialer() = default;
tls_dialer::~tls_dialer() = default;
weft::result<void> tls_dialer::prepare(bool /*insecure*/) { return without(); }
weft::result<weft::net::conn> tls_dialer::connect(const weft::context& /*ctx*/,
                                                  const origin& /*to*/, ns /*timeout*/) const {
  return without();
}

}  // namespace load
