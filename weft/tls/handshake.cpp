// SPDX-License-Identifier: Apache-2.0
// The handshake: from a stream of bytes to a connection, or to an error that says why not.
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <mutex>

#include "weft/net/errors.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/wait_group.hpp"
#include "weft/tls/internal/tls_stream.hpp"

namespace weft::rt {

using net::tls_failure;

namespace {

int64_t clock_ns() { return now().time_since_epoch().count(); }

bool is_ip(const std::string& name) {
  std::array<unsigned char, 16> bytes{};
  return ::inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

/// What the client asks for, and what its peer's certificate must say.
bool expect_name(SSL* ssl, const std::string& name, bool verify) {
  const bool ip = is_ip(name);
  if (!ip && !name.empty() && SSL_set_tlsext_host_name(ssl, name.c_str()) != 1) return false;
  if (!verify) return true;
  SSL_set_hostflags(ssl,
                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  return ip ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str()) == 1
            : SSL_set1_host(ssl, name.c_str()) == 1;
}

std::chrono::system_clock::time_point time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

std::string text_of(const bio_ptr& memory) {
  char* bytes = nullptr;
  const long length = BIO_get_mem_data(memory.get(), &bytes);
  return length > 0 ? std::string(bytes, static_cast<size_t>(length)) : std::string();
}

std::string name_text(const X509_NAME* name) {
  const bio_ptr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0,
                     XN_FLAG_RFC2253 & ~static_cast<unsigned>(ASN1_STRFLGS_ESC_MSB));
  return text_of(out);
}

net::tls_peer_certificate describe(X509* cert) {
  net::tls_peer_certificate out;
  out.subject = name_text(X509_get_subject_name(cert));
  out.issuer = name_text(X509_get_issuer_name(cert));
  const bio_ptr serial(BIO_new(BIO_s_mem()));
  i2a_ASN1_INTEGER(serial.get(), X509_get0_serialNumber(cert));
  out.serial = text_of(serial);
  out.dns_names = names_of(cert, GEN_DNS);
  out.ip_addresses = names_of(cert, GEN_IPADD);
  out.email_addresses = names_of(cert, GEN_EMAIL);
  out.uris = names_of(cert, GEN_URI);
  out.not_before = time_of(X509_get0_notBefore(cert));
  out.not_after = time_of(X509_get0_notAfter(cert));
  const bio_ptr pem(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(pem.get(), cert);
  out.pem = text_of(pem);
  return out;
}

}  // namespace

error tls_stream::prepare() {
  result<std::shared_ptr<const tls_material>> found = core_->material(role_);
  if (!found) return found.error();
  const net::tls_config& config = core_->config();
  const bool client = role_ == tls_role::client;
  if (client && server_name_.empty() && !config.insecure_skip_verify)
    return make_tls_error(tls_failure::configuration,
                          "a client needs a server_name, or insecure_skip_verify");
  session_ptr session = client ? core_->take_session(server_name_) : nullptr;
  const std::lock_guard hold(lock_);
  const openssl_scope unseen;
  material_ = std::move(*found);
  ERR_clear_error();
  ssl_.reset(SSL_new(material_->ctx.get()));
  bio_ptr bio = make_bio(bytes_);
  if (!ssl_ || !bio) return make_tls_error(tls_failure::configuration, take_openssl_text());
  set_stream(ssl_.get(), this);
  BIO_up_ref(bio.get());  // one for reading, one for writing
  SSL_set0_rbio(ssl_.get(), bio.get());
  SSL_set0_wbio(ssl_.get(), bio.release());
  if (!client) {
    SSL_set_accept_state(ssl_.get());
    return {};
  }
  SSL_set_connect_state(ssl_.get());
  if (!expect_name(ssl_.get(), server_name_, !config.insecure_skip_verify))
    return make_tls_error(tls_failure::configuration, "not a server_name: " + server_name_);
  if (session) (void)SSL_set_session(ssl_.get(), session.get());
  return {};
}

error tls_stream::explain(const context& ctx, error why) {
  if (why.as<net::tls_error>() != nullptr || !why.is(net::err_timeout)) return why;
  if (const error ended = ctx.err(); ended && !ended.timeout()) return ended;
  bool ours = bool(ctx.err());
  {
    const std::lock_guard hold(deadlines_);
    ours = ours || (handshake_ns_ != 0 && clock_ns() >= handshake_ns_);
  }
  return ours ? make_tls_error(tls_failure::timeout, "handshake timeout") : why;
}

error tls_stream::run_handshake(const context& ctx) {
  if (error why = ctx.err()) return why.timeout() ? net::err_timeout : why;
  const int64_t limit_ns = core_->config().handshake_timeout.count();
  {
    const std::lock_guard hold(deadlines_);
    handshake_ns_ = limit_ns > 0 ? clock_ns() + limit_ns : 0;
    if (const auto until = ctx.deadline()) {
      const int64_t at = std::max<int64_t>(until->time_since_epoch().count(), 1);
      handshake_ns_ = handshake_ns_ == 0 ? at : std::min(handshake_ns_, at);
    }
    apply_deadlines_locked();
  }
  wait_group told;
  told.add(1);
  const stop_func stop = after_func(ctx, [this, &told] {
    {
      const std::lock_guard hold(deadlines_);
      handshake_canceled_ = true;
      apply_deadlines_locked();
    }
    told.done();
  });
  error why = prepare();
  if (!why) why = shake();
  // Not prevented: it runs, or has run.
  if (!stop()) told.wait();
  if (why) why = explain(ctx, std::move(why));
  if (!why && ctx.err()) why = ctx.err().timeout() ? net::err_timeout : ctx.err();
  const std::lock_guard hold(deadlines_);
  handshake_ns_ = 0;
  handshake_canceled_ = false;
  if (closed_.load(acquire) == 0) apply_deadlines_locked();
  return why;
}

result<void> tls_stream::handshake(const context& ctx) {
  if (handshaken()) return {};
  const in_use used(*this);
  const std::lock_guard turn(handshake_turn_);
  if (handshaken()) return {};
  if (!handshake_error_) {
    if (error why = run_handshake(ctx)) {
      // Errors of the stream below name the connection themselves.
      handshake_error_ = why.as<net::op_error>() != nullptr ? error::wrap("handshake", why)
                                                            : failure("handshake", why);
    } else {
      // release: partner is handshaken().
      handshaken_.store(1, release);
    }
  }
  if (handshake_error_) return fail(handshake_error_);
  return {};
}

net::tls_connection_state tls_stream::state() {
  const in_use used(*this);
  const std::lock_guard hold(lock_);
  const openssl_scope unseen;
  SSL* ssl = ssl_.get();
  net::tls_connection_state out;
  out.version = static_cast<net::tls_version>(SSL_version(ssl));
  out.cipher = SSL_get_cipher_name(ssl);
  const unsigned char* protocol = nullptr;
  unsigned protocol_bytes = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &protocol_bytes);
  out.alpn.assign(reinterpret_cast<const char*>(protocol), protocol_bytes);
  if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) out.server_name = name;
  out.resumed = SSL_session_reused(ssl) == 1;
  X509* own = SSL_get0_peer_certificate(ssl);
  if (own != nullptr) out.peer_certificates.push_back(describe(own));
  // A client's list begins with the peer's own certificate, a server's does not.
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl);
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    X509* cert = sk_X509_value(chain, i);
    if (own == nullptr || X509_cmp(cert, own) != 0) out.peer_certificates.push_back(describe(cert));
  }
  ERR_clear_error();
  return out;
}

}  // namespace weft::rt
