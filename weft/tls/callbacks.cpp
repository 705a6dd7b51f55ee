// SPDX-License-Identifier: Apache-2.0
// What OpenSSL asks in the middle of its calls. None of these parks: errors are kept per thread,
// and the connection's lock is held.
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "weft/tls/internal/core.hpp"
#include "weft/tls/internal/tls_stream.hpp"

namespace weft::rt {

namespace {

// --- certificates ---

bool is_for(const tls_identity& identity, const char* name) {
  return X509_check_host(identity.certificate.get(), name, std::strlen(name),
                         X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
}

/// A server with several certificates: those for the name that is asked for, else the first one. Of
/// several kinds of keys OpenSSL takes what the client can check.
int choose_certificate(SSL* ssl, void*) {
  const std::vector<tls_identity>& all = stream_of(ssl).material().identities;
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  SSL_certs_clear(ssl);
  bool found = false;
  for (auto at = all.rbegin(); name != nullptr && at != all.rend(); ++at) {
    if (!is_for(*at, name)) continue;
    // Backwards, so that the first of a kind is the last to overwrite.
    found =
        SSL_use_cert_and_key(ssl, at->certificate.get(), at->key.get(), at->chain.get(), 1) == 1 ||
        found;
  }
  if (!found) {
    const tls_identity& first = all.front();
    found = SSL_use_cert_and_key(ssl, first.certificate.get(), first.key.get(), first.chain.get(),
                                 1) == 1;
  }
  return found ? 1 : 0;
}

/// Every name is taken, also one that no certificate has. Without this a session would not remember
/// the name, and a resumed connection of TLS 1.2 would have none.
int accept_name(SSL* ssl, int*, void*) {
  return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != nullptr ? SSL_TLSEXT_ERR_OK
                                                                       : SSL_TLSEXT_ERR_NOACK;
}

/// Keeps why a certificate was refused, while it is at hand.
int refuse_certificate(int good, X509_STORE_CTX* store) {
  if (good != 1) {
    auto* ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    tls_stream& of = stream_of(ssl);
    of.refuse_certificate(certificate_error(
        X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_current_cert(store), of.server_name()));
  }
  return good;
}

/// A server that wants to see a certificate, from whomever.
int accept_certificate(int, X509_STORE_CTX* store) {
  X509_STORE_CTX_set_error(store, X509_V_OK);
  return 1;
}

// --- application protocols ---

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_bytes,
                    const unsigned char* offered, unsigned offered_bytes, void* config) {
  for (const std::string& ours : static_cast<const net::tls_config*>(config)->alpn) {
    for (unsigned at = 0; at < offered_bytes; at += 1U + offered[at]) {
      if (at + 1 + offered[at] > offered_bytes) break;
      const unsigned char* theirs = offered + at + 1;
      if (offered[at] != ours.size() || std::memcmp(theirs, ours.data(), ours.size()) != 0)
        continue;
      *out = theirs;
      *out_bytes = offered[at];
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// --- sessions ---

/// A server's tickets: encrypted with the newest key, decrypted with any that is left.
int ticket_key_for(SSL* ssl, unsigned char name[16], unsigned char iv[EVP_MAX_IV_LENGTH],
                   EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int encrypt) {
  const ticket_keys& keys = *stream_of(ssl).material().tickets;
  auto at = keys.begin();
  if (encrypt != 0) {
    std::memcpy(name, at->name.data(), at->name.size());
    if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1) return -1;
  } else {
    at = std::ranges::find_if(keys, [&](const ticket_key& key) {
      return std::memcmp(key.name.data(), name, key.name.size()) == 0;
    });
    if (at == keys.end()) return 0;  // too old: a full handshake
  }
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(
          OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(at->hmac.data()), at->hmac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("SHA256"), 0),
      OSSL_PARAM_construct_end()};
  if (EVP_MAC_CTX_set_params(mac, params) != 1) return -1;
  if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, at->aes.data(), iv, encrypt) != 1)
    return -1;
  // 2: valid, and a new ticket is to be given: for an old key's, and for TLS 1.3's, which are used
  // once.
  const bool renew = at != keys.begin() || SSL_version(ssl) >= TLS1_3_VERSION;
  return encrypt == 0 && renew ? 2 : 1;
}

/// A client's. 1: the session is ours to keep.
int keep_session(SSL* ssl, SSL_SESSION* session) {
  stream_of(ssl).keep_session(session_ptr(session));
  return 1;
}

// --- key log ---

int key_log_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

void write_key_log(const SSL* ssl, const char* line) {
  const auto fd = static_cast<int>(
      reinterpret_cast<intptr_t>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), key_log_index())));
  // In one piece: several processes may append.
  const std::string whole = std::string(line) + "\n";
  (void)!::write(fd, whole.data(), whole.size());
}

// --- the BIO ---

int bio_write(BIO* bio, const char* from, size_t bytes, size_t* written) {
  auto& to = static_cast<cipher_bytes*>(BIO_get_data(bio))->out;
  to.insert(to.end(), from, from + bytes);
  *written = bytes;
  BIO_clear_retry_flags(bio);
  return 1;
}

int bio_read(BIO* bio, char* to, size_t bytes, size_t* taken) {
  auto& from = *static_cast<cipher_bytes*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const size_t there = std::min(bytes, from.in_end - from.in_at);
  if (there == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  std::memcpy(to, from.in.get() + from.in_at, there);
  from.in_at += there;
  *taken = there;
  return 1;
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* bio_method() {
  static BIO_METHOD* const made = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weft");
    BIO_meth_set_write_ex(m, bio_write);
    BIO_meth_set_read_ex(m, bio_read);
    BIO_meth_set_ctrl(m, bio_control);
    return m;
  }();
  return made;
}

}  // namespace

bio_ptr make_bio(cipher_bytes& bytes) {
  bio_ptr made(BIO_new(bio_method()));
  if (!made) return made;
  BIO_set_data(made.get(), &bytes);
  BIO_set_init(made.get(), 1);
  return made;
}

tls_stream& stream_of(const SSL* ssl) { return *static_cast<tls_stream*>(SSL_get_app_data(ssl)); }
void set_stream(SSL* ssl, tls_stream* to) { SSL_set_app_data(ssl, to); }

void set_key_log(SSL_CTX* ctx, int fd) {
  SSL_CTX_set_ex_data(ctx, key_log_index(), reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
}

void install_callbacks(tls_material& made, tls_role role, const net::tls_config& config,
                       bool key_log) {
  SSL_CTX* ctx = made.ctx.get();
  if (key_log) SSL_CTX_set_keylog_callback(ctx, write_key_log);
  if (role == tls_role::client) {
    SSL_CTX_set_verify(ctx, SSL_CTX_get_verify_mode(ctx), refuse_certificate);
    if (config.client_sessions_max != 0) SSL_CTX_sess_set_new_cb(ctx, keep_session);
    return;
  }
  const bool checks = config.client_auth == net::tls_client_auth::verify_if_given ||
                      config.client_auth == net::tls_client_auth::require_and_verify;
  SSL_CTX_set_verify(ctx, SSL_CTX_get_verify_mode(ctx),
                     checks ? refuse_certificate : accept_certificate);
  SSL_CTX_set_tlsext_servername_callback(ctx, accept_name);
  if (made.identities.size() > 1) SSL_CTX_set_cert_cb(ctx, choose_certificate, nullptr);
  if (!config.alpn.empty())
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, const_cast<net::tls_config*>(&config));
  if (config.session_tickets) SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key_for);
}

}  // namespace weft::rt
