// SPDX-License-Identifier: Apache-2.0
// A configuration made ready: files read, keys checked, sessions kept. What connections share.
#pragma once

#include <memory>

#include "weft/base/error.hpp"
#include "weft/base/export.hpp"
#include "weft/tls/config.hpp"

namespace weft::rt {
class tls_core;
}

namespace weft::net {

/// A shared handle. Make one and use it for all connections of a kind: reading certificates and the
/// system's roots takes milliseconds, and sessions are resumed within one context only.
class WEFT_API tls_context {
 public:
  tls_context() noexcept = default;
  /// Reads and checks everything: `tls: certificate x.pem: no such file or directory`,
  /// `tls: key y.pem does not belong to certificate x.pem`, ...
  [[nodiscard]] static result<tls_context> make(tls_config config);
  [[nodiscard]] explicit operator bool() const noexcept { return core_ != nullptr; }

  /// Reads the files again. Connections that begin from now on get the new certificates; those that
  /// are there go on. Fails, and keeps what it has, when something is wrong with the files. May
  /// park.
  result<void> reload() const;
  /// Why the last reading of the files failed; a false error if it did not.
  [[nodiscard]] error reload_error() const;
  [[nodiscard]] const tls_config& config() const noexcept;

  /// For Weft's own code.
  [[nodiscard]] const std::shared_ptr<rt::tls_core>& core() const noexcept { return core_; }

 private:
  explicit tls_context(std::shared_ptr<rt::tls_core> core) noexcept : core_(std::move(core)) {}
  std::shared_ptr<rt::tls_core> core_;
};

}  // namespace weft::net
