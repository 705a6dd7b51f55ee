// SPDX-License-Identifier: Apache-2.0
// URLs taken apart, requests written.
#include "target.hpp"

#include <algorithm>
#include <string_view>

#include "weft/net/address.hpp"

namespace load {

namespace {

bool has_header(const options& how, std::string_view name) {
  for (const std::string& header : how.headers) {
    const std::string_view have = std::string_view(header).substr(0, header.find(':'));
    if (std::ranges::equal(have, name, [](char a, char b) { return (a | 0x20) == (b | 0x20); }))
      return true;
  }
  return false;
}

std::string make_request(const options& how, std::string_view path, std::string_view host) {
  std::string out = how.method;
  out.append(" ").append(path).append(" HTTP/1.1\r\n");
  if (!has_header(how, "host")) out.append("Host: ").append(host).append("\r\n");
  if (!has_header(how, "user-agent")) out.append("User-Agent: weft-load\r\n");
  for (const std::string& header : how.headers) out.append(header).append("\r\n");
  if (!how.body.empty() && !has_header(how, "content-length"))
    out.append("Content-Length: ").append(std::to_string(how.body.size())).append("\r\n");
  return out.append("\r\n").append(how.body);
}

/// Splits "http://host:port/path?query". False with why not in `why`.
bool parse_url(std::string_view url, origin& to, std::string& authority, std::string& path,
               std::string& why) {
  std::string_view rest = url;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
    to.tls = true;
  } else {
    why = "must begin with http:// or https://";
    return false;
  }
  for (const char c : rest) {
    if (c > ' ' && c < 127) continue;
    why = "blanks and bytes beyond ASCII must be written as %XX";
    return false;
  }
  rest = rest.substr(0, rest.find('#'));
  const size_t end = std::min(rest.find_first_of("/?"), rest.size());
  authority = rest.substr(0, end);
  path = rest.substr(end);
  if (path.empty() || path.front() == '?') path.insert(0, "/");
  if (authority.empty() || authority.contains('@')) {
    why = authority.empty() ? "has no host" : "users and passwords are not supported: use -H";
    return false;
  }
  const bool bare = authority.back() == ']' || !authority.contains(':');
  const std::string full = bare ? authority + (to.tls ? ":443" : ":80") : authority;
  const auto split = weft::net::split_host_port(full);
  if (!split) {
    why = split.error().message();
    return false;
  }
  if (split->host.empty() || split->port == 0) {
    why = split->host.empty() ? "has no host" : "has no port";
    return false;
  }
  to.host = split->host;
  to.address = weft::net::join_host_port(split->host, split->port);
  return true;
}

/// Smooth weighted round robin: in every stretch each target has had about its share.
std::vector<uint32_t> spread(const std::vector<weighted_url>& urls) {
  int64_t total = 0;
  for (const weighted_url& u : urls) total += u.weight;
  std::vector<int64_t> credit(urls.size(), 0);
  std::vector<uint32_t> order;
  for (int64_t n = 0; n < total; ++n) {
    size_t best = 0;
    for (size_t i = 0; i < urls.size(); ++i) {
      credit[i] += urls[i].weight;
      if (credit[i] > credit[best]) best = i;
    }
    credit[best] -= total;
    order.push_back(static_cast<uint32_t>(best));
  }
  return order;
}

}  // namespace

bool make_plan(const options& how, plan& out, std::string& message) {
  out = plan{};
  out.head_only = how.method == "HEAD";
  for (const char* safe : {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
    out.repeatable = out.repeatable || how.method == safe;
  for (const weighted_url& u : how.urls) {
    origin to;
    target t{.url = u.url};
    std::string authority;
    std::string path;
    std::string why;
    if (!parse_url(u.url, to, authority, path, why)) {
      message = "\"" + u.url + "\": " + why;
      return false;
    }
    const auto known = std::ranges::find(out.origins, to);
    t.origin = static_cast<size_t>(known - out.origins.begin());
    if (known == out.origins.end()) out.origins.push_back(to);
    t.request = make_request(how, path, authority);
    out.targets.push_back(std::move(t));
  }
  if (how.pipeline > 1 && out.origins.size() > 1) {
    message = "--pipeline: all URLs must be of one server";
    return false;
  }
  out.order = spread(how.urls);
  return true;
}

}  // namespace load
