// SPDX-License-Identifier: Apache-2.0
// OpenSSL's errors in words that say what to do about them.
#include "weft/tls/internal/openssl.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdio>
#include <ctime>

namespace weft::rt {

using net::tls_failure;

error make_tls_error(tls_failure why, const std::string& text, int alert) {
  const std::string whole = "tls: " + text;
  const error plain = why == tls_failure::timeout
                          ? error(std::make_error_code(std::errc::timed_out), whole)
                          : error(whole);
  return plain.with(net::tls_error{why, alert});
}

namespace {

/// OpenSSL's words, or its number when it has none.
std::string reason_text(unsigned long code) {
  const char* text = ERR_reason_error_string(code);
  return text != nullptr ? text : "error " + std::to_string(ERR_GET_REASON(code));
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

error of_alert(int alert) {
  const std::string text = SSL_alert_desc_string_long(alert);
  const bool alpn = alert == SSL_AD_NO_APPLICATION_PROTOCOL;
  // OpenSSL 3.0 has no words for the newest ones.
  const char* words = alpn                                      ? "no application protocol"
                      : alert == 116 /* certificate_required */ ? "certificate required"
                      : text == "unknown"                       ? nullptr
                                                                : text.c_str();
  return make_tls_error(
      alpn ? tls_failure::no_common_alpn : tls_failure::refused,
      "the peer has refused: " +
          (words != nullptr ? std::string(words) : "alert " + std::to_string(alert)),
      alert);
}

}  // namespace

std::string take_openssl_text() {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  return code != 0 ? reason_text(code) : "unknown error";
}

error take_openssl_error() {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  if (code == 0) return make_tls_error(tls_failure::protocol, "unknown error");
  const int reason = ERR_GET_REASON(code);
  if (ERR_GET_LIB(code) != ERR_LIB_SSL)
    return make_tls_error(tls_failure::protocol, reason_text(code));
  if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
    return of_alert(reason - SSL_AD_REASON_OFFSET);
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
      return make_tls_error(tls_failure::protocol,
                            "the client speaks plain HTTP to a port that wants TLS");
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_BAD_PACKET_LENGTH:
      return make_tls_error(tls_failure::protocol,
                            "the peer's bytes do not look like TLS (" + reason_text(code) + ")");
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return make_tls_error(tls_failure::no_common_version, "no protocol version in common");
    case SSL_R_NO_SHARED_CIPHER:
      return make_tls_error(tls_failure::no_common_version, "no cipher suite in common");
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return make_tls_error(tls_failure::no_common_alpn, "no application protocol in common");
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return make_tls_error(tls_failure::no_certificate, "the client has shown no certificate");
    default:
      return make_tls_error(tls_failure::protocol, reason_text(code));
  }
}

std::string time_text(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return "unknown time";
  std::array<char, 64> text{};
  (void)std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text.data();
}

std::vector<std::string> names_of(X509* cert, int kind) {
  std::vector<std::string> out;
  auto* names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != kind) continue;
    const ASN1_STRING* value = kind == GEN_IPADD ? name->d.iPAddress : name->d.ia5;
    const unsigned char* bytes = ASN1_STRING_get0_data(value);
    const int length = ASN1_STRING_length(value);
    if (kind != GEN_IPADD) {
      out.emplace_back(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
      continue;
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (length == 4 || length == 16)
      out.emplace_back(::inet_ntop(length == 4 ? AF_INET : AF_INET6, bytes, text.data(),
                                   static_cast<socklen_t>(text.size())));
  }
  GENERAL_NAMES_free(names);
  return out;
}

error certificate_error(long verify_result, X509* cert, const std::string& wanted) {
  switch (verify_result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return make_tls_error(tls_failure::expired,
                            "certificate has expired (" +
                                time_text(cert != nullptr ? X509_get0_notAfter(cert) : nullptr) +
                                ")");
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return make_tls_error(tls_failure::expired,
                            "certificate is not valid yet (from " +
                                time_text(cert != nullptr ? X509_get0_notBefore(cert) : nullptr) +
                                ")");
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
      return make_tls_error(tls_failure::unknown_authority,
                            "certificate signed by unknown authority");
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: {
      std::vector<std::string> names;
      if (cert != nullptr) {
        names = names_of(cert, GEN_DNS);
        for (std::string& ip : names_of(cert, GEN_IPADD)) names.push_back(std::move(ip));
      }
      return make_tls_error(tls_failure::wrong_name,
                            "certificate is valid for " +
                                (names.empty() ? "no name at all" : joined(names)) + ", not for " +
                                wanted);
    }
    default:
      return make_tls_error(
          tls_failure::bad_certificate,
          std::string("bad certificate: ") + X509_verify_cert_error_string(verify_result));
  }
}

}  // namespace weft::rt
