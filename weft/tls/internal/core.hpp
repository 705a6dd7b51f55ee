// SPDX-License-Identifier: Apache-2.0
// What the connections of one tls_context share: two SSL_CTX (made when first used), the keys of
// tickets, the sessions of clients, and what is known of the files.
//
// Nothing here is locked while OpenSSL runs: a connection holds the material it began with, and
// what OpenSSL's callbacks need is in it. So a reload disturbs nobody.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "weft/base/error.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/tls/config.hpp"
#include "weft/tls/internal/openssl.hpp"

namespace weft::rt {

enum class tls_role : uint8_t { server, client };

/// One certificate with its chain and key, and whom it is for.
struct tls_identity {
  x509_ptr certificate;
  x509_stack_ptr chain;
  pkey_ptr key;
};

/// A key of session tickets (RFC 5077): its name in the ticket, and what encrypts and signs it.
struct ticket_key {
  std::array<unsigned char, 16> name;
  std::array<unsigned char, 32> aes;
  std::array<unsigned char, 32> hmac;
  int64_t made_ns;
};
/// The first one encrypts; all decrypt. Never changed once shared.
using ticket_keys = std::vector<ticket_key>;

/// What a connection is made from. Never changed once shared, but for what OpenSSL locks itself.
struct tls_material {
  ssl_ctx_ptr ctx;
  std::vector<tls_identity> identities;
  std::shared_ptr<const ticket_keys> tickets;
};

/// A file that was read, as it was then.
struct file_stamp {
  std::string path;
  int64_t modified_ns = 0;
  int64_t bytes = -1;
  uint64_t inode = 0;
  [[nodiscard]] static file_stamp of(const std::string& path);
  friend bool operator==(const file_stamp&, const file_stamp&) = default;
};

/// Sessions to resume, newest first. All under tls_core::lock_.
class session_cache {
 public:
  explicit session_cache(size_t limit) : limit_(limit) {}
  void put(const std::string& key, session_ptr session);
  /// Takes out the newest of `key`: a ticket of TLS 1.3 is for one use, so that nobody who watches
  /// can tell that two connections are one client's. Older versions' are given again.
  [[nodiscard]] session_ptr take(const std::string& key);

 private:
  struct entry {
    std::string key;
    session_ptr session;
  };
  size_t limit_;
  std::list<entry> entries_;
};

class tls_core {
 public:
  explicit tls_core(net::tls_config config);
  ~tls_core();
  tls_core(const tls_core&) = delete;
  tls_core& operator=(const tls_core&) = delete;

  /// Reads everything. Once, before the core is shared.
  [[nodiscard]] error load();

  // From any goroutine; may park.
  [[nodiscard]] error reload();
  [[nodiscard]] error reload_error();
  /// For a connection that begins: looks after files and tickets' keys first.
  [[nodiscard]] result<std::shared_ptr<const tls_material>> material(tls_role role);
  void put_session(const std::string& key, session_ptr session);
  [[nodiscard]] session_ptr take_session(const std::string& key);

  [[nodiscard]] const net::tls_config& config() const noexcept { return config_; }

 private:
  [[nodiscard]] result<std::vector<tls_identity>> read_identities() const;
  [[nodiscard]] result<std::shared_ptr<tls_material>> make(tls_role role) const;
  [[nodiscard]] std::vector<file_stamp> stamps() const;
  [[nodiscard]] error reload_locked();
  void rotate_tickets_locked(int64_t now_ns);
  void report(const error& why) const;

  const net::tls_config config_;
  std::shared_ptr<const ticket_keys> tickets_;  // under lock_
  int key_log_fd_ = -1;                         // set by load()
  mutex lock_;
  /// Null until first used, and after a reload. Under lock_.
  std::shared_ptr<const tls_material> server_;
  std::shared_ptr<const tls_material> client_;
  /// As of the last attempt to read. Under lock_.
  std::vector<file_stamp> seen_;
  error reload_error_;
  int64_t checked_ns_ = 0;
  session_cache sessions_;
};

// --- callbacks of OpenSSL, in callbacks.cpp ---

/// Sets those that belong to every connection of `made`.
void install_callbacks(tls_material& made, tls_role role, const net::tls_config& config,
                       bool key_log);
/// The descriptor that key log lines go to, for an SSL_CTX.
void set_key_log(SSL_CTX* ctx, int fd);

}  // namespace weft::rt
