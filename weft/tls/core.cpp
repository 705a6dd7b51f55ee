// SPDX-License-Identifier: Apache-2.0
// Reading certificates, making SSL_CTX of them, and doing so again when they change.
#include "weft/tls/internal/core.hpp"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <mutex>
#include <sstream>

#include "weft/base/defer.hpp"
#include "weft/sched/runtime.hpp"

namespace weft::rt {

using net::tls_failure;

namespace {

// stat() costs a microsecond per file; a second is soon enough for a certificate.
constexpr int64_t check_period_ns = 1'000'000'000;
// As Go's crypto/tls: a new key every day, old ones decrypt for a week.
constexpr int64_t ticket_key_period_ns = 24LL * 3600 * 1'000'000'000;
constexpr int64_t ticket_key_life_ns = 7 * ticket_key_period_ns;

// Of TLS 1.2 only what has forward secrecy and is authenticated encryption. In Go's order: 128 bits
// are enough, and OpenSSL's first choice, 256, costs a third more per byte.
constexpr const char* ciphers_1_2 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* ciphers_1_3 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

int64_t clock_ns() { return now().time_since_epoch().count(); }

std::unexpected<error> refuse(const std::string& text) {
  return fail(make_tls_error(tls_failure::configuration, text));
}

result<std::string> read_file(const char* what, const std::string& path) {
  errno = 0;
  const std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in || !text) {
    std::string why = std::error_code(errno != 0 ? errno : EIO, std::generic_category()).message();
    if (!why.empty()) why[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(why[0])));
    return refuse(std::string(what) + " " + path + ": " + why);
  }
  return text.str();
}

bio_ptr bio_of(const std::string& text) {
  return bio_ptr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// Never asks at the terminal.
int no_password(char*, int, int, void*) { return 0; }

/// All certificates of a text, in order.
std::vector<x509_ptr> parse_certificates(const std::string& pem) {
  std::vector<x509_ptr> out;
  const openssl_scope unseen;
  const bio_ptr in = bio_of(pem);
  while (X509* cert = PEM_read_bio_X509(in.get(), nullptr, no_password, nullptr))
    out.emplace_back(cert);
  ERR_clear_error();  // the end is an error, too
  return out;
}

result<tls_identity> parse_identity(const std::string& name, const std::string& key_name,
                                    const std::string& pem, const std::string& key_pem) {
  std::vector<x509_ptr> certificates = parse_certificates(pem);
  if (certificates.empty()) return refuse(name + ": no certificate in PEM form in it");
  tls_identity out;
  out.certificate = std::move(certificates.front());
  out.chain.reset(sk_X509_new_null());
  for (size_t i = 1; i < certificates.size(); ++i)
    sk_X509_push(out.chain.get(), certificates[i].release());
  const openssl_scope unseen;
  const bio_ptr in = bio_of(key_pem);
  ERR_clear_error();
  out.key.reset(PEM_read_bio_PrivateKey(in.get(), nullptr, no_password, nullptr));
  if (!out.key) {
    (void)take_openssl_text();
    return refuse(key_name + ": no private key in PEM form without a password in it");
  }
  if (X509_check_private_key(out.certificate.get(), out.key.get()) != 1) {
    ERR_clear_error();
    return refuse(key_name + " does not belong to " + name);
  }
  return out;
}

/// Adds the authorities of a file and of a text; to a server's list for clients, too.
result<void> add_authorities(SSL_CTX* ctx, const std::string& file, const std::string& pem,
                             bool announce) {
  std::string all = pem;
  if (!file.empty()) {
    const result<std::string> text = read_file("authorities", file);
    if (!text) return fail(text.error());
    all.append("\n").append(*text);
  }
  const std::vector<x509_ptr> found = parse_certificates(all);
  if (found.empty())
    return refuse("authorities" + (file.empty() ? std::string() : " " + file) +
                  ": no certificate in PEM form");
  X509_STORE* store = SSL_CTX_get_cert_store(ctx);
  for (const x509_ptr& cert : found) {
    ERR_clear_error();
    if (X509_STORE_add_cert(store, cert.get()) != 1)
      return refuse("authorities: " + take_openssl_text());
    if (announce) SSL_CTX_add_client_CA(ctx, cert.get());
  }
  return {};
}

int verify_mode(net::tls_client_auth wanted) {
  switch (wanted) {
    case net::tls_client_auth::none:
      return SSL_VERIFY_NONE;
    case net::tls_client_auth::request:
    case net::tls_client_auth::verify_if_given:
      return SSL_VERIFY_PEER;
    default:
      return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
}

std::string context_of(const char* what, const std::string& file) {
  return file.empty() ? std::string(what) : std::string(what) + " " + file;
}

result<std::string> text_of(const char* what, const std::string& file, const std::string& pem) {
  if (file.empty() || !pem.empty()) return pem;
  return read_file(what, file);
}

}  // namespace

file_stamp file_stamp::of(const std::string& path) {
  file_stamp out{.path = path};
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return out;
  out.modified_ns = found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec;
  out.bytes = found.st_size;
  out.inode = found.st_ino;
  return out;
}

tls_core::tls_core(net::tls_config config)
    : config_(std::move(config)), sessions_(config_.client_sessions_max) {}

tls_core::~tls_core() {
  if (key_log_fd_ >= 0) ::close(key_log_fd_);
}

error tls_core::load() {
  for (const std::string& protocol : config_.alpn)
    if (protocol.empty() || protocol.size() > 255)
      return make_tls_error(tls_failure::configuration, "an ALPN protocol has 1 to 255 bytes");
  if (config_.min_version > config_.max_version && config_.max_version != net::tls_version::none)
    return make_tls_error(tls_failure::configuration, "min_version is above max_version");
  if (!config_.key_log_file.empty()) {
    key_log_fd_ =
        ::open(config_.key_log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (key_log_fd_ < 0)
      return make_tls_error(tls_failure::configuration,
                            "key log " + config_.key_log_file + ": cannot be opened");
  }
  const std::lock_guard hold(lock_);
  rotate_tickets_locked(clock_ns());
  return reload_locked();
}

std::vector<file_stamp> tls_core::stamps() const {
  std::vector<file_stamp> out;
  const auto add = [&](const std::string& path) {
    if (!path.empty()) out.push_back(file_stamp::of(path));
  };
  for (const net::tls_certificate& c : config_.certificates) {
    add(c.certificate_file);
    add(c.key_file);
  }
  add(config_.root_ca_file);
  add(config_.client_ca_file);
  return out;
}

result<std::vector<tls_identity>> tls_core::read_identities() const {
  std::vector<tls_identity> out;
  for (const net::tls_certificate& c : config_.certificates) {
    const std::string name = context_of("certificate", c.certificate_file);
    const result<std::string> pem = text_of("certificate", c.certificate_file, c.certificate_pem);
    if (!pem) return fail(pem.error());
    // One file may have both.
    const bool apart = !c.key_file.empty() || !c.key_pem.empty();
    const std::string key_name = apart ? context_of("key", c.key_file) : name;
    const result<std::string> key = apart ? text_of("key", c.key_file, c.key_pem) : pem;
    if (!key) return fail(key.error());
    result<tls_identity> made = parse_identity(name, key_name, *pem, *key);
    if (!made) return fail(made.error());
    out.push_back(std::move(*made));
  }
  return out;
}

result<std::shared_ptr<tls_material>> tls_core::make(tls_role role) const {
  const bool server = role == tls_role::server;
  auto made = std::make_shared<tls_material>();
  result<std::vector<tls_identity>> identities = read_identities();
  if (!identities) return fail(identities.error());
  made->identities = std::move(*identities);
  made->tickets = tickets_;
  const openssl_scope unseen;
  ERR_clear_error();
  made->ctx.reset(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* ctx = made->ctx.get();
  if (ctx == nullptr) return refuse(take_openssl_text());
  SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  (void)SSL_CTX_set_min_proto_version(ctx, static_cast<int>(config_.min_version));
  (void)SSL_CTX_set_max_proto_version(ctx, static_cast<int>(config_.max_version));
  if (SSL_CTX_set_cipher_list(ctx, ciphers_1_2) != 1 ||
      SSL_CTX_set_ciphersuites(ctx, ciphers_1_3) != 1)
    return refuse(take_openssl_text());
  for (const tls_identity& i : made->identities) {
    ERR_clear_error();
    // Several of a kind overwrite each other here; callbacks choose then.
    if (SSL_CTX_use_cert_and_key(ctx, i.certificate.get(), i.key.get(), i.chain.get(), 1) != 1)
      return refuse("certificate: " + take_openssl_text());
    if (!server) break;
  }
  if (server) {
    SSL_CTX_set_verify(ctx, verify_mode(config_.client_auth), nullptr);
    const bool verifies = config_.client_auth == net::tls_client_auth::verify_if_given ||
                          config_.client_auth == net::tls_client_auth::require_and_verify;
    if (verifies || !config_.client_ca_file.empty() || !config_.client_ca_pem.empty()) {
      if (auto added = add_authorities(ctx, config_.client_ca_file, config_.client_ca_pem, true);
          !added)
        return fail(added.error());
    }
    // Sessions are of this context: its tickets' keys are nobody else's.
    constexpr unsigned char id[] = "weft";
    (void)SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (!config_.session_tickets) SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    // One, as Go gives: each costs the server a key and an encryption. OpenSSL's own number is two.
    (void)SSL_CTX_set_num_tickets(ctx, config_.session_tickets ? 1 : 0);
  } else {
    SSL_CTX_set_verify(ctx, config_.insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                       nullptr);
    if (config_.root_ca_file.empty() && config_.root_ca_pem.empty()) {
      if (!config_.insecure_skip_verify) (void)SSL_CTX_set_default_verify_paths(ctx);
    } else if (auto added = add_authorities(ctx, config_.root_ca_file, config_.root_ca_pem, false);
               !added) {
      return fail(added.error());
    }
    SSL_CTX_set_session_cache_mode(ctx,
                                   config_.client_sessions_max != 0
                                       ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE
                                       : SSL_SESS_CACHE_OFF);
  }
  if (!config_.alpn.empty() && !server) {
    std::string wire;
    for (const std::string& protocol : config_.alpn)
      wire.append(1, static_cast<char>(protocol.size())).append(protocol);
    (void)SSL_CTX_set_alpn_protos(ctx, reinterpret_cast<const unsigned char*>(wire.data()),
                                  static_cast<unsigned>(wire.size()));
  }
  install_callbacks(*made, role, config_, key_log_fd_ >= 0);
  if (key_log_fd_ >= 0) set_key_log(ctx, key_log_fd_);
  return made;
}

error tls_core::reload_locked() {
  // Before they are read: what changes in between is seen again at the next look.
  seen_ = stamps();
  checked_ns_ = clock_ns();
  // A role that nobody has used is tried all the same when it is what the configuration is for.
  const bool serves = !config_.certificates.empty();
  std::shared_ptr<const tls_material> server;
  std::shared_ptr<const tls_material> client;
  for (const tls_role role : {tls_role::server, tls_role::client}) {
    const bool is_server = role == tls_role::server;
    const bool used = is_server ? server_ != nullptr : client_ != nullptr;
    if (!used && is_server != serves) continue;
    result<std::shared_ptr<tls_material>> made = make(role);
    if (!made) return reload_error_ = made.error();
    (is_server ? server : client) = std::move(*made);
  }
  server_ = std::move(server);
  client_ = std::move(client);
  return reload_error_ = {};
}

error tls_core::reload() {
  const std::lock_guard hold(lock_);
  return reload_locked();
}

error tls_core::reload_error() {
  const std::lock_guard hold(lock_);
  return reload_error_;
}

void tls_core::report(const error& why) const {
  if (config_.on_reload)
    config_.on_reload(why);
  else if (why)
    (void)std::fprintf(stderr, "%s; the former certificates stay in use\n", why.message().c_str());
}

void tls_core::rotate_tickets_locked(int64_t now_ns) {
  if (tickets_ && now_ns - tickets_->front().made_ns < ticket_key_period_ns) return;
  auto made = std::make_shared<ticket_keys>(1);
  ticket_key& key = made->front();
  key.made_ns = now_ns;
  const openssl_scope unseen;
  ERR_clear_error();
  if (RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) != 1 ||
      RAND_bytes(key.aes.data(), static_cast<int>(key.aes.size())) != 1 ||
      RAND_bytes(key.hmac.data(), static_cast<int>(key.hmac.size())) != 1)
    return ERR_clear_error();  // no randomness: the old ones stay
  if (tickets_)
    for (const ticket_key& old : *tickets_)
      if (now_ns - old.made_ns < ticket_key_life_ns) made->push_back(old);
  tickets_ = std::move(made);
}

result<std::shared_ptr<const tls_material>> tls_core::material(tls_role role) {
  bool looked = false;
  error reloaded;
  std::shared_ptr<const tls_material> out;
  error why;
  {
    const std::lock_guard hold(lock_);
    const int64_t now_ns = clock_ns();
    if (now_ns - checked_ns_ >= check_period_ns) {
      checked_ns_ = now_ns;
      const auto before = tickets_;
      rotate_tickets_locked(now_ns);
      if (config_.reload_when_changed && stamps() != seen_) {
        looked = true;
        reloaded = reload_locked();
      }
      if (tickets_ != before) server_ = nullptr;  // made again with the new keys
    }
    std::shared_ptr<const tls_material>& slot = role == tls_role::server ? server_ : client_;
    if (slot == nullptr) {
      if (role == tls_role::server && config_.certificates.empty()) {
        why = make_tls_error(tls_failure::configuration, "a server needs a certificate");
      } else if (result<std::shared_ptr<tls_material>> made = make(role); made) {
        slot = std::move(*made);
      } else {
        why = made.error();
      }
    }
    out = slot;
  }
  if (looked) report(reloaded);  // user code: without the lock
  if (why) return fail(why);
  return out;
}

void session_cache::put(const std::string& key, session_ptr session) {
  entries_.push_front({key, std::move(session)});
  if (entries_.size() > limit_) entries_.pop_back();
}

session_ptr session_cache::take(const std::string& key) {
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    if (at->key != key) continue;
    if (SSL_SESSION_get_protocol_version(at->session.get()) >= TLS1_3_VERSION) {
      session_ptr out = std::move(at->session);
      entries_.erase(at);
      return out;
    }
    SSL_SESSION_up_ref(at->session.get());
    return session_ptr(at->session.get());
  }
  return nullptr;
}

void tls_core::put_session(const std::string& key, session_ptr session) {
  const std::lock_guard hold(lock_);
  if (config_.client_sessions_max != 0) sessions_.put(key, std::move(session));
}

session_ptr tls_core::take_session(const std::string& key) {
  const std::lock_guard hold(lock_);
  return sessions_.take(key);
}

}  // namespace weft::rt
