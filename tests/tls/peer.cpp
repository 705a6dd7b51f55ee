// SPDX-License-Identifier: Apache-2.0
// A server and a client for openssl.py: `weft_tls_peer serve|dial KEY=VALUE...`.
//
// serve: prints its port; answers a line "state" with what was agreed upon, and ends; echoes
// others. dial port=N: connects twice, sends a line each time, prints what was agreed upon and the
// answer.
#include <cstdio>
#include <map>
#include <string>

#include "weft/tls/tls.hpp"
#include "weft/weft.hpp"

namespace {

namespace net = weft::net;
using settings = std::map<std::string, std::string>;

std::string of(const settings& given, const char* key) {
  const auto found = given.find(key);
  return found != given.end() ? found->second : "";
}

net::tls_config config_of(const settings& given) {
  net::tls_config out;
  // "a.pem,b.pem": each file has certificate and key.
  const auto split = [](const std::string& text) {
    std::vector<std::string> parts;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find(',', at), text.size());
      parts.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return parts;
  };
  for (const std::string& file : split(of(given, "cert")))
    out.certificates.push_back({.certificate_file = file});
  out.alpn = split(of(given, "alpn"));
  out.root_ca_file = out.client_ca_file = of(given, "ca");
  out.server_name = of(given, "name");
  if (of(given, "auth") == "require") out.client_auth = net::tls_client_auth::require_and_verify;
  if (of(given, "max") == "1.2") out.max_version = net::tls_version::tls_1_2;
  if (of(given, "min") == "1.3") out.min_version = net::tls_version::tls_1_3;
  return out;
}

std::string describe(const net::conn& c) {
  const net::tls_connection_state s = net::tls_state(c).value();
  std::string out = s.version == net::tls_version::tls_1_3 ? "1.3" : "1.2";
  out += " " + s.cipher + " alpn=" + s.alpn + " sni=" + s.server_name;
  out += s.resumed ? " resumed" : " full";
  if (!s.peer_certificates.empty()) out += " peer=" + s.peer_certificates[0].subject;
  return out;
}

void print(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

void answer(const net::conn& c) {
  net::buffered_reader in(c, 4096);
  for (;;) {
    const auto line = in.read_until('\n');
    if (!line || line->empty()) {
      print(line ? "ended" : "error " + line.error().message());
      break;
    }
    if (*line == "state\n") {
      (void)c.write(describe(c) + "\n");
      break;
    }
    (void)c.write(*line);
  }
  (void)c.close();
}

int serve(const settings& given) {
  const auto on = net::listen_tls("tcp", "127.0.0.1:0", config_of(given));
  if (!on) return std::fprintf(stderr, "%s\n", on.error().message().c_str());
  print("port " + std::to_string(on->addr().port));
  for (;;) {
    auto c = on->accept();
    if (!c) return 1;
    weft::go([c = *c] { answer(c); });
  }
}

int dial(const settings& given) {
  const auto tls = net::tls_context::make(config_of(given));
  if (!tls) return std::fprintf(stderr, "%s\n", tls.error().message().c_str());
  for (int i = 0; i < 2; ++i) {
    const auto c = net::dial_tls(weft::background(), "tcp", "127.0.0.1:" + of(given, "port"), *tls);
    if (!c) {
      print("error " + c.error().message());
      return 0;
    }
    (void)c->write("hello\n");
    net::buffered_reader in(*c, 4096);
    const auto line = in.read_until('\n');
    print(line ? "answer " + std::string(line->substr(0, line->size() - 1))
               : "error " + line.error().message());
    print("state " + describe(*c));
    (void)c->close();
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  settings given;
  for (int i = 2; i < count; ++i) {
    const std::string word = words[i];
    const size_t equals = word.find('=');
    given[word.substr(0, equals)] = word.substr(equals + 1);
  }
  const std::string what = count > 1 ? words[1] : "";
  return weft::run([&] { return what == "serve" ? serve(given) : dial(given); });
}
