// SPDX-License-Identifier: Apache-2.0
// Authorities and certificates for tests, made on the spot: ECDSA P-256, as good or bad as wanted.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string>

#include "weft/tls/config.hpp"
#include "weft/tls/internal/openssl.hpp"

namespace weft::tls_testing {

struct certificate_request {
  std::string common_name = "test";
  /// "DNS:a.test,IP:127.0.0.1".
  std::string names;
  long begins_s = -3600;
  long ends_s = 24 * 3600;
  bool authority = false;
  bool rsa = false;
};

struct made_certificate {
  std::string pem;
  std::string key_pem;
  rt::x509_ptr certificate;
  rt::pkey_ptr key;
  [[nodiscard]] net::tls_certificate config() const {
    net::tls_certificate out;
    out.certificate_pem = pem;
    out.key_pem = key_pem;
    return out;
  }
};

inline std::string pem_text(const rt::bio_ptr& memory) {
  char* bytes = nullptr;
  const long length = BIO_get_mem_data(memory.get(), &bytes);
  return std::string(bytes, static_cast<size_t>(length));
}

inline void add_extension(X509* cert, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  X509_add_ext(cert, extension, -1);
  X509_EXTENSION_free(extension);
}

/// Signed by `issuer`; null: by itself.
inline made_certificate make_certificate(const certificate_request& wanted,
                                         const made_certificate* issuer = nullptr) {
  static long serial = 1000;
  made_certificate out;
  out.key.reset(wanted.rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"));
  out.certificate.reset(X509_new());
  X509* cert = out.certificate.get();
  X509_set_version(cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(cert), wanted.begins_s);
  X509_gmtime_adj(X509_getm_notAfter(cert), wanted.ends_s);
  X509_set_pubkey(cert, out.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(wanted.common_name.c_str()), -1,
                             -1, 0);
  X509* by = issuer != nullptr ? issuer->certificate.get() : cert;
  X509_set_issuer_name(cert, X509_get_subject_name(by));
  add_extension(cert, by, NID_basic_constraints,
                wanted.authority ? "critical,CA:TRUE" : "CA:FALSE");
  if (!wanted.names.empty()) add_extension(cert, by, NID_subject_alt_name, wanted.names);
  X509_sign(cert, issuer != nullptr ? issuer->key.get() : out.key.get(), EVP_sha256());
  const rt::bio_ptr pem(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(pem.get(), cert);
  out.pem = pem_text(pem);
  const rt::bio_ptr key(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(key.get(), out.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  out.key_pem = pem_text(key);
  return out;
}

/// One authority and a certificate for localhost, as most tests need.
struct small_world {
  made_certificate authority =
      make_certificate({.common_name = "Test Authority", .names = {}, .authority = true});
  made_certificate local = make_certificate(
      {.common_name = "localhost", .names = "DNS:localhost,IP:127.0.0.1,IP:::1"}, &authority);
  [[nodiscard]] net::tls_config server() const {
    net::tls_config out;
    out.certificates = {local.config()};
    return out;
  }
  [[nodiscard]] net::tls_config client() const {
    net::tls_config out;
    out.root_ca_pem = authority.pem;
    out.server_name = "localhost";
    return out;
  }
};

}  // namespace weft::tls_testing
