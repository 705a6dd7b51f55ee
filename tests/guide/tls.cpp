// SPDX-License-Identifier: Apache-2.0
// docs/guide/tls.md: a server and a client, their certificates, and what goes wrong.
#include "weft/tls/tls.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "weft/weft.hpp"

namespace {

using namespace std::chrono_literals;
namespace net = weft::net;

void serve(const net::listener& on) {
  for (;;) {
    auto got = on.accept();  // waits for nobody's handshake
    if (!got) return;
    weft::go([c = *got] {
      char buffer[256];
      const auto n = c.read(std::span<char>(buffer));  // the handshake happens here
      if (!n) return (void)std::printf("server: %s\n", n.error().message().c_str());
      (void)c.write(std::string_view(buffer, *n));
      (void)c.close();  // says the end
    });
  }
}

net::tls_config server_config(const std::string& folder) {
  net::tls_config config;
  config.certificates = {
      {.certificate_file = folder + "/cert.pem", .key_file = folder + "/key.pem"}};
  config.alpn = {"echo/1"};
  config.on_reload = [](const weft::error& why) {
    std::puts(why ? why.message().c_str() : "new certificates are in use");
  };
  return config;
}

weft::result<std::string> ask(const net::tls_context& tls, const std::string& where) {
  auto [ctx, cancel] = weft::with_timeout(weft::background(), 5s);
  const auto c = net::dial_tls(ctx, "tcp", where, tls);
  if (!c) return weft::fail(c.error());
  const auto state = net::tls_state(*c);
  std::printf("%s, %s\n", state->alpn.c_str(), state->peer_certificates[0].subject.c_str());
  if (auto sent = c->write("hello"); !sent) return weft::fail(sent.error());
  char buffer[256];
  const auto n = c->read(std::span<char>(buffer));
  if (!n) return weft::fail(n.error());
  return std::string(buffer, *n);
}

int run(const std::string& folder) {
  const auto listening = net::listen_tls("tcp", "127.0.0.1:0", server_config(folder));
  if (!listening) return std::puts(listening.error().message().c_str());
  weft::go([on = *listening] { serve(on); });
  const std::string where = "localhost:" + std::to_string(listening->addr().port);

  net::tls_config config;
  config.root_ca_file = folder + "/cert.pem";  // it has signed itself
  config.alpn = {"echo/1"};
  const auto tls = net::tls_context::make(config);
  if (!tls) return std::puts(tls.error().message().c_str());
  const auto answer = ask(*tls, where);
  std::puts(answer ? answer->c_str() : answer.error().message().c_str());

  // Whoever does not know the authority goes no further.
  const auto strangers = net::tls_context::make({.alpn = {"echo/1"}});
  const auto refused = ask(*strangers, where);
  const auto* why = refused ? nullptr : refused.error().as<net::tls_error>();
  if (why != nullptr && why->why == net::tls_failure::unknown_authority)
    std::puts("not to be trusted");
  return 0;
}

}  // namespace

int main() {
  std::string folder = "/tmp/weft-guide-tls-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  // As one does for a trial.
  const std::string make =
      "cd " + folder +
      " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 7 -subj "
      "/CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem "
      "2>/dev/null";
  if (std::system(make.c_str()) != 0) return 1;
  const int status = weft::run([&] { return run(folder); });
  (void)!std::system(("rm -r " + folder).c_str());
  return status;
}
