// SPDX-License-Identifier: Apache-2.0
// What a TLS endpoint is told: certificates, whom it trusts, which protocols. Plain values; what is
// left out has Go's defaults, or stricter ones.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "weft/base/error.hpp"

namespace weft::net {

enum class tls_version : uint16_t { none = 0, tls_1_2 = 0x0303, tls_1_3 = 0x0304 };

/// A chain of certificates, the endpoint's own first, and its private key; PEM, as files or as
/// text. Files are read again when they have changed (tls_context).
struct tls_certificate {
  std::string certificate_file{};
  std::string key_file{};
  std::string certificate_pem{};
  std::string key_pem{};
};

/// What a server wants of its clients' certificates. Go's ClientAuthType.
enum class tls_client_auth : uint8_t {
  none,                // none is asked for
  request,             // asked for; none and any will do
  require_any,         // there must be one, from whomever
  verify_if_given,     // none will do, a bad one will not
  require_and_verify,  // there must be one that client_ca signed
};

struct tls_config {
  /// Of a server: the one that has the name that the client asks for (SNI), else the first one; of
  /// certificates with the same name and keys of different kinds the client's ciphers decide. Of a
  /// client: the first one, when the server asks.
  std::vector<tls_certificate> certificates{};

  /// Whom a client trusts to sign servers' certificates: PEM files, text, or both. When both are
  /// empty: the system's store (SSL_CERT_FILE and SSL_CERT_DIR name another).
  std::string root_ca_file{};
  std::string root_ca_pem{};
  /// The name or IP address that the server's certificate must have; names are also sent (SNI).
  /// dial_tls() takes the one it dials when this is empty.
  std::string server_name{};
  /// A client accepts every certificate, and so any stranger in the middle. For tests.
  bool insecure_skip_verify = false;

  tls_client_auth client_auth = tls_client_auth::none;
  /// Who may sign clients' certificates.
  std::string client_ca_file{};
  std::string client_ca_pem{};

  /// Application protocols, best first ("h2", "http/1.1"). A server takes its first one that the
  /// client has; if there is none the handshake fails. When either side has none at all, none is
  /// agreed upon.
  std::vector<std::string> alpn{};

  tls_version min_version = tls_version::tls_1_2;
  tls_version max_version = tls_version::tls_1_3;

  /// Of a server: clients may resume sessions by tickets, whose keys are changed every day and
  /// accepted for a week. The server remembers nothing.
  bool session_tickets = true;
  /// Sessions that a client keeps to resume them; 0: none.
  size_t client_sessions_max = 64;

  /// Of a handshake, from its first step to its last. Zero: without limit.
  std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(10);

  /// The secrets of all connections are appended here (NSS key log), for Wireshark. For debugging:
  /// whoever has the file reads everything.
  std::string key_log_file{};

  /// Look at the files' times at handshakes, once a second at most.
  bool reload_when_changed = true;
  /// Called after files were read again: a false error if they are in use now, else why the former
  /// ones still are. Null: failures go to standard error.
  std::function<void(const error&)> on_reload{};
};

}  // namespace weft::net
