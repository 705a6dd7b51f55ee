// SPDX-License-Identifier: Apache-2.0
// Configurations: what is refused when they are made, and files that change.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "weft/net/pipe.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/wait_group.hpp"
#include "weft/tls/certificates_testing.hpp"
#include "weft/tls/tls.hpp"

namespace {

using namespace weft;
using namespace std::chrono_literals;
using namespace weft::tls_testing;
using net::conn;
using net::tls_config;
using net::tls_context;

std::string message_of(const auto& failed) {
  return failed ? "(no error)" : failed.error().message();
}

const small_world& world() {
  static const small_world made;
  return made;
}

/// A directory of this test's own.
struct folder {
  std::string path = "/tmp/weft-tls-test-" + std::to_string(::getpid());
  folder() { std::filesystem::create_directories(path); }
  ~folder() { std::filesystem::remove_all(path); }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  [[nodiscard]] std::string operator/(const char* name) const { return path + "/" + name; }
};

/// As tools for certificates do it: a new file in the old one's place.
void replace(const std::string& path, const std::string& text) {
  {
    std::ofstream out(path + ".new");
    out << text;
  }
  std::filesystem::rename(path + ".new", path);
}

tls_config config_of(const folder& in) {
  tls_config out;
  net::tls_certificate files;
  files.certificate_file = in / "cert.pem";
  files.key_file = in / "key.pem";
  out.certificates = {files};
  return out;
}

void install(const folder& in, const made_certificate& made) {
  replace(in / "cert.pem", made.pem);
  replace(in / "key.pem", made.key_pem);
}

made_certificate issue(const char* name) {
  return make_certificate({.common_name = name, .names = "DNS:localhost"}, &world().authority);
}

/// The subject that a server of this context shows; empty: no handshake.
std::string shown_by(const tls_context& server) {
  static const tls_context client = [] {
    tls_config config = world().client();
    config.client_sessions_max = 0;
    return tls_context::make(config).value();
  }();
  auto over = net::pipe();
  const conn serving = net::tls_server(over.first, server);
  const conn calling = net::tls_client(over.second, client);
  auto other = spawn([&] { return net::handshake(serving, background()); });
  const auto done = net::handshake(calling, background());
  if (!done) (void)calling.close();
  const auto served = other.join();
  EXPECT_TRUE(done && served) << message_of(done) << ", " << message_of(served);
  const auto state = net::tls_state(calling);
  return state ? state->peer_certificates.at(0).subject : "";
}

TEST(tls_config_errors, say_which_file_and_what) {
  weft::run([] {
    const folder in;
    tls_config config = config_of(in);
    EXPECT_EQ(message_of(tls_context::make(config)),
              "tls: certificate " + (in / "cert.pem") + ": no such file or directory");
    replace(in / "cert.pem", world().local.pem);
    EXPECT_EQ(message_of(tls_context::make(config)),
              "tls: key " + (in / "key.pem") + ": no such file or directory");
    replace(in / "key.pem", world().authority.key_pem);
    EXPECT_EQ(
        message_of(tls_context::make(config)),
        "tls: key " + (in / "key.pem") + " does not belong to certificate " + (in / "cert.pem"));
    replace(in / "key.pem", "nonsense");
    EXPECT_EQ(
        message_of(tls_context::make(config)),
        "tls: key " + (in / "key.pem") + ": no private key in PEM form without a password in it");
    replace(in / "cert.pem", "nonsense");
    EXPECT_EQ(message_of(tls_context::make(config)),
              "tls: certificate " + (in / "cert.pem") + ": no certificate in PEM form in it");
    // Both in one file.
    replace(in / "cert.pem", world().local.key_pem + world().local.pem);
    config.certificates[0].key_file.clear();
    EXPECT_TRUE(tls_context::make(config));

    tls_config client = world().client();
    client.root_ca_file = in / "missing.pem";
    EXPECT_EQ(message_of(tls_context::make(client)),
              "tls: authorities " + (in / "missing.pem") + ": no such file or directory");
    client = world().client();
    client.alpn = {""};
    EXPECT_FALSE(tls_context::make(client));
    client = world().client();
    client.min_version = net::tls_version::tls_1_3;
    client.max_version = net::tls_version::tls_1_2;
    EXPECT_EQ(message_of(tls_context::make(client)), "tls: min_version is above max_version");
    tls_config strict = world().server();
    strict.client_auth = net::tls_client_auth::require_and_verify;
    EXPECT_EQ(message_of(tls_context::make(strict)),
              "tls: authorities: no certificate in PEM form");
    EXPECT_EQ(message_of(net::listen_tls("tcp", "127.0.0.1:0", tls_config{})), "(no error)")
        << "a context may be for either side";
  });
}

TEST(tls_reload, on_request) {
  weft::run([] {
    const folder in;
    install(in, issue("old"));
    tls_config config = config_of(in);
    config.reload_when_changed = false;
    const tls_context server = tls_context::make(config).value();
    EXPECT_EQ(shown_by(server), "CN=old");
    install(in, issue("new"));
    EXPECT_EQ(shown_by(server), "CN=old");
    EXPECT_TRUE(server.reload());
    EXPECT_EQ(shown_by(server), "CN=new");
    replace(in / "cert.pem", "nonsense");
    const auto broken = server.reload();
    EXPECT_EQ(message_of(broken),
              "tls: certificate " + (in / "cert.pem") + ": no certificate in PEM form in it");
    EXPECT_EQ(server.reload_error(), broken.error());
    EXPECT_EQ(shown_by(server), "CN=new") << "what was good stays";
    install(in, issue("newest"));
    EXPECT_TRUE(server.reload());
    EXPECT_FALSE(server.reload_error());
    EXPECT_EQ(shown_by(server), "CN=newest");
  });
}

TEST(tls_reload, when_files_change) {
  weft::run([] {
    const folder in;
    install(in, issue("old"));
    tls_config config = config_of(in);
    std::atomic<int> good{0};
    std::atomic<int> bad{0};
    config.on_reload = [&](const error& why) { ++(why ? bad : good); };
    const tls_context server = tls_context::make(config).value();
    EXPECT_EQ(shown_by(server), "CN=old");
    // The times are looked at once a second: handshakes until then show the old one.
    install(in, issue("new"));
    while (shown_by(server) == "CN=old") sleep_for(20ms);  // the state is waited for
    EXPECT_EQ(shown_by(server), "CN=new");
    EXPECT_EQ(good, 1);
    replace(in / "key.pem", "nonsense");
    while (bad == 0) {
      EXPECT_EQ(shown_by(server), "CN=new");
      sleep_for(20ms);  // the state is waited for
    }
    EXPECT_NE(server.reload_error().message().find("no private key"), std::string::npos);
    EXPECT_EQ(good, 1);
  });
}

TEST(tls_reload, under_load_no_handshake_fails) {
  weft::run([] {
    const folder in;
    const made_certificate one = issue("one");
    const made_certificate two = issue("two");
    install(in, one);
    tls_config config = config_of(in);
    config.reload_when_changed = false;
    const tls_context server = tls_context::make(config).value();
    std::atomic<bool> stop{false};
    std::atomic<int> handshakes{0};
    wait_group clients;
    for (int i = 0; i < 4; ++i)
      clients.go([&] {
        while (!stop) {
          const std::string shown = shown_by(server);
          EXPECT_TRUE(shown == "CN=one" || shown == "CN=two") << shown;
          ++handshakes;
        }
      });
    for (int i = 0; i < 50; ++i) {
      install(in, i % 2 == 0 ? two : one);
      EXPECT_TRUE(server.reload());
      const int before = handshakes;
      while (handshakes == before) weft::yield();
    }
    stop = true;
    clients.wait();
    EXPECT_EQ(shown_by(server), "CN=one");
  });
}

TEST(tls_key_log, has_the_secrets) {
  weft::run([] {
    const folder in;
    tls_config config = world().server();
    config.key_log_file = in / "keys.log";
    const tls_context server = tls_context::make(config).value();
    EXPECT_EQ(shown_by(server), "CN=localhost");
    std::ifstream file(in / "keys.log");
    std::string line;
    ASSERT_TRUE(std::getline(file, line));
    EXPECT_TRUE(line.starts_with("SERVER_HANDSHAKE_TRAFFIC_SECRET ") ||
                line.starts_with("CLIENT_HANDSHAKE_TRAFFIC_SECRET "))
        << line;
    struct stat found{};
    ASSERT_EQ(::stat((in / "keys.log").c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777U, 0600U);
  });
}

}  // namespace
