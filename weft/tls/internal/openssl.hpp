// SPDX-License-Identifier: Apache-2.0
// Owners of OpenSSL's objects, and its errors in words.
//
// OpenSSL keeps errors in a queue per thread. So whoever calls it clears the queue before, and
// reads it after, in one stretch that does not park: on another thread there is another queue.
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "weft/base/error.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/tls/errors.hpp"

namespace weft::rt {

/// OpenSSL keeps generators of random numbers and the like per thread, in memory that goroutines of
/// one thread use in turn, and its own locks are not seen: what it does to memory is no business of
/// ThreadSanitizer's. Wherever it is called while others may be calling it.
using openssl_scope = sanitizer::unseen_accesses;

template <auto Free>
struct openssl_deleter {
  template <class T>
  void operator()(T* object) const noexcept {
    const openssl_scope unseen;
    Free(object);
  }
};

using ssl_ctx_ptr = std::unique_ptr<SSL_CTX, openssl_deleter<SSL_CTX_free>>;
using ssl_ptr = std::unique_ptr<SSL, openssl_deleter<SSL_free>>;
using session_ptr = std::unique_ptr<SSL_SESSION, openssl_deleter<SSL_SESSION_free>>;
using x509_ptr = std::unique_ptr<X509, openssl_deleter<X509_free>>;
using pkey_ptr = std::unique_ptr<EVP_PKEY, openssl_deleter<EVP_PKEY_free>>;
using bio_ptr = std::unique_ptr<BIO, openssl_deleter<BIO_free_all>>;

struct x509_stack_deleter {
  void operator()(STACK_OF(X509) * stack) const noexcept {
    const openssl_scope unseen;
    sk_X509_pop_free(stack, X509_free);
  }
};
using x509_stack_ptr = std::unique_ptr<STACK_OF(X509), x509_stack_deleter>;

/// `tls: TEXT` with the payload.
[[nodiscard]] error make_tls_error(net::tls_failure why, const std::string& text, int alert = -1);
/// What the first error in this thread's queue says, in our words; empties the queue.
[[nodiscard]] error take_openssl_error();
/// The first error's own text, and empties the queue.
[[nodiscard]] std::string take_openssl_text();
/// Why a certificate was refused. `cert` is the one at fault (may be null), `wanted` the name.
[[nodiscard]] error certificate_error(long verify_result, X509* cert, const std::string& wanted);

/// Alternative names of a certificate, of one kind (GEN_DNS, GEN_IPADD, GEN_EMAIL, GEN_URI).
[[nodiscard]] std::vector<std::string> names_of(X509* cert, int kind);
/// "2026-01-01 00:00:00 UTC".
[[nodiscard]] std::string time_text(const ASN1_TIME* time);

}  // namespace weft::rt
