// SPDX-License-Identifier: Apache-2.0
// Requests.
#include "weft/http/request.hpp"

#include "weft/http/status.hpp"

namespace weft::http {

std::string_view to_string(version v) noexcept {
  switch (v) {
    case version::http_1_0:
      return "HTTP/1.0";
    case version::http_1_1:
      return "HTTP/1.1";
    case version::http_2:
      return "HTTP/2.0";
  }
  return {};
}

request::request(std::string_view of_method, std::string_view where, http::body content)
    : method(of_method), body(std::move(content)) {
  result<http::url> parsed = http::url::parse(where);
  if (parsed)
    url = std::move(*parsed);
  else
    bad_url_ = std::move(parsed.error());
}

const context& request::ctx() const {
  if (!ctx_) ctx_ = origin_ != nullptr ? origin_->request_context() : background();
  return ctx_;
}

std::string_view request::path_value(std::string_view name) const noexcept {
  for (const auto& [key, value] : path_values_)
    if (key == name) return value;
  return {};
}

void request::set_path_value(std::string name, std::string value) {
  for (auto& [key, old] : path_values_) {
    if (key != name) continue;
    old = std::move(value);
    return;
  }
  path_values_.emplace_back(std::move(name), std::move(value));
}

std::string request::query_value(std::string_view name) const {
  return std::string(url.values().get(name));
}

namespace {
const net::address nowhere;
}

const net::address& request::remote_addr() const noexcept {
  return origin_ != nullptr ? origin_->remote() : nowhere;
}
const net::address& request::local_addr() const noexcept {
  return origin_ != nullptr ? origin_->local() : nowhere;
}

void request::reset() noexcept {
  method.clear();
  url.clear();
  host.clear();
  headers.clear();
  body.close();
  version = http::version::http_1_1;
  trailers.clear();
  ctx_ = context();
  origin_ = nullptr;
  pattern_.clear();
  path_values_.clear();
  bad_url_ = error();
}

}  // namespace weft::http
