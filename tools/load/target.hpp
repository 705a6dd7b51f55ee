// SPDX-License-Identifier: Apache-2.0
// What is asked of whom: the URLs of the command line as requests ready to be sent, and the order
// in which they are asked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "options.hpp"

namespace load {

/// A server: what one connection leads to.
struct origin {
  bool tls = false;
  std::string host;     // for names and certificates
  std::string address;  // host:port, to dial
  friend bool operator==(const origin&, const origin&) = default;
};

struct target {
  std::string url;
  size_t origin = 0;      // index into plan::origins
  std::string request{};  // head and body
};

struct plan {
  std::vector<origin> origins;
  std::vector<target> targets;
  /// Indices of targets, each as often as it weighs, spread evenly.
  std::vector<uint32_t> order;
  bool head_only = false;   // the method is HEAD: no bodies follow
  bool repeatable = false;  // the method may be repeated when a kept connection was closed
};

/// False: `message` says which URL is wrong, and why.
[[nodiscard]] bool make_plan(const options& how, plan& out, std::string& message);

}  // namespace load
