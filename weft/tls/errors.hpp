// SPDX-License-Identifier: Apache-2.0
// What goes wrong in TLS. Texts begin with what was done, as all of net's:
// `handshake tcp 10.0.0.1:4242->10.0.0.2:443: tls: certificate has expired (2026-01-01 00:00:00
// UTC)`.
#pragma once

#include <cstdint>

namespace weft::net {

enum class tls_failure : uint8_t {
  protocol,           // what came was no TLS, or wrong TLS
  no_common_version,  // nor cipher
  no_common_alpn,
  expired,            // the peer's certificate, or not valid yet
  unknown_authority,  // nobody we trust signed it
  wrong_name,         // it is somebody else's
  bad_certificate,    // something else is wrong with it
  no_certificate,     // it was required
  refused,            // the peer says so, by an alert
  timeout,            // handshake_timeout, or the context's deadline
  configuration,      // ours
};

/// For programs: `err.as<net::tls_error>()`.
struct tls_error {
  tls_failure why;
  /// The alert that the peer has sent (RFC 8446, 6.2), or -1.
  int alert = -1;
};

}  // namespace weft::net
