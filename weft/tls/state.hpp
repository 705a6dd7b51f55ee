// SPDX-License-Identifier: Apache-2.0
// What a handshake has come to.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "weft/tls/config.hpp"

namespace weft::net {

/// A certificate that the peer has shown.
struct tls_peer_certificate {
  /// "CN=www.example.org,O=Example" (RFC 2253).
  std::string subject;
  std::string issuer;
  /// Hexadecimal.
  std::string serial;
  /// Whom it is for (subjectAltName).
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  std::vector<std::string> email_addresses;
  std::vector<std::string> uris;
  std::chrono::system_clock::time_point not_before;
  std::chrono::system_clock::time_point not_after;
  std::string pem;
};

struct tls_connection_state {
  tls_version version = tls_version::none;
  /// "TLS_AES_128_GCM_SHA256".
  std::string cipher;
  /// What both have agreed upon; empty: nothing.
  std::string alpn;
  /// The name that the client asked for; empty: none, or an IP address.
  std::string server_name;
  /// A former session goes on: no certificates were sent.
  bool resumed = false;
  /// The peer's own first, then those it sent along. Verified only if the configuration said so.
  std::vector<tls_peer_certificate> peer_certificates;
};

}  // namespace weft::net
