// SPDX-License-Identifier: Apache-2.0
// TLS between two ends of ours: agreeing, refusing, reading and writing.
#include "weft/tls/tls.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <vector>

#include "weft/net/pipe.hpp"
#include "weft/sched/internal/netpoll.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"
#include "weft/sync/wait_group.hpp"
#include "weft/tls/certificates_testing.hpp"

namespace {

using namespace weft;
using namespace std::chrono_literals;
using namespace weft::tls_testing;
using net::conn;
using net::tls_client_auth;
using net::tls_config;
using net::tls_context;
using net::tls_failure;
using net::tls_version;

template <class F>
void until(F condition) {
  while (!condition()) weft::yield();
}

std::string message_of(const auto& failed) {
  return failed ? "(no error)" : failed.error().message();
}

const small_world& world() {
  static const small_world made;
  return made;
}

tls_context context_of(const tls_config& config) {
  auto made = tls_context::make(config);
  EXPECT_TRUE(made) << message_of(made);
  return made.value_or(tls_context{});
}

/// Two ends over memory, or a socket.
struct tls_pair {
  conn server;
  conn client;
  tls_pair(const tls_context& serving, const tls_context& calling, bool socket = false) {
    conn below_server;
    conn below_client;
    if (socket) {
      const net::listener at = net::listen("tcp", "127.0.0.1:0").value();
      below_client = net::dial("tcp", at.addr().string()).value();
      below_server = at.accept().value();
    } else {
      auto ends = net::pipe();
      below_server = ends.first;
      below_client = ends.second;
    }
    server = net::tls_server(below_server, serving);
    client = net::tls_client(below_client, calling);
  }
  tls_pair(const tls_config& serving, const tls_config& calling, bool socket = false)
      : tls_pair(context_of(serving), context_of(calling), socket) {}

  struct outcome {
    result<void> server;
    result<void> client;
  };
  /// Both ends' handshakes; a failed end is closed, so that the other one does not wait for it.
  outcome shake() const {
    auto serving = spawn([c = server] {
      auto done = net::handshake(c, background());
      if (!done) (void)c.close();
      return done;
    });
    auto calling = net::handshake(client, background());
    if (!calling) (void)client.close();
    return {serving.join(), calling};
  }
};

std::string read_text(const conn& c, size_t bytes) {
  std::string text(bytes, '\0');
  const auto got = c.read_full(std::span<char>(text));
  EXPECT_TRUE(got) << message_of(got);
  text.resize(got.value_or(0));
  return text;
}

tls_failure why_of(const result<void>& failed) {
  const auto* found = failed ? nullptr : failed.error().as<net::tls_error>();
  EXPECT_NE(found, nullptr) << message_of(failed);
  return found != nullptr ? found->why : tls_failure::configuration;
}

TEST(tls, handshake_and_echo) {
  weft::run([] {
    for (const bool socket : {false, true}) {
      for (const tls_version version : {tls_version::tls_1_2, tls_version::tls_1_3}) {
        tls_config serving = world().server();
        serving.max_version = version;
        const tls_pair pair(serving, world().client(), socket);
        // Lazily: the client's write and the server's read shake hands.
        auto echo = spawn([c = pair.server] {
          const std::string text = read_text(c, 5);
          (void)c.write(text);
        });
        EXPECT_FALSE(net::tls_state(pair.client));
        EXPECT_EQ(pair.client.write("hello").value(), 5U);
        EXPECT_EQ(read_text(pair.client, 5), "hello");
        echo.join();
        const auto state = net::tls_state(pair.client);
        ASSERT_TRUE(state);
        EXPECT_EQ(state->version, version);
        EXPECT_FALSE(state->cipher.empty());
        EXPECT_FALSE(state->resumed);
        ASSERT_EQ(state->peer_certificates.size(), 1U);
        const auto& shown = state->peer_certificates[0];
        EXPECT_EQ(shown.subject, "CN=localhost");
        EXPECT_EQ(shown.issuer, "CN=Test Authority");
        EXPECT_EQ(shown.dns_names, std::vector<std::string>{"localhost"});
        EXPECT_EQ(shown.ip_addresses, (std::vector<std::string>{"127.0.0.1", "::1"}));
        EXPECT_EQ(shown.pem, world().local.pem);
        EXPECT_LT(shown.not_before, std::chrono::system_clock::now());
        EXPECT_GT(shown.not_after, std::chrono::system_clock::now());
        EXPECT_EQ(net::tls_state(pair.server)->server_name, "localhost");
        EXPECT_TRUE(net::is_tls(pair.client));
      }
    }
  });
}

TEST(tls, listen_and_dial) {
  weft::run([] {
    const net::listener at = net::listen_tls("tcp", "127.0.0.1:0", world().server()).value();
    auto serving = spawn([&] {
      const conn c = at.accept().value();
      EXPECT_FALSE(net::tls_state(c)) << "accept waits for nobody's handshake";
      (void)c.write("welcome");
      (void)c.close();
    });
    tls_config calling = world().client();
    calling.server_name.clear();
    const auto c = net::dial_tls(background(), "tcp", at.addr().string(), calling);
    ASSERT_TRUE(c) << message_of(c);
    EXPECT_EQ(read_text(*c, 7), "welcome");
    char byte = 0;
    EXPECT_EQ(c->read(std::span<char>(&byte, 1)).value(), 0U) << "the end was said";
    serving.join();
    EXPECT_EQ(c->remote_addr(), at.addr());
  });
}

// --- refusing ---

result<void> client_meets(const tls_config& serving, const tls_config& calling) {
  return tls_pair(serving, calling).shake().client;
}

TEST(tls, bad_certificates_of_every_kind) {
  weft::run([] {
    tls_config serving = world().server();
    const auto serve = [&](const certificate_request& wanted, const made_certificate* by) {
      serving.certificates = {make_certificate(wanted, by).config()};
    };
    const made_certificate* good = &world().authority;

    serve({.names = "DNS:localhost", .begins_s = -7200, .ends_s = -3600}, good);
    auto got = client_meets(serving, world().client());
    EXPECT_EQ(why_of(got), tls_failure::expired);
    EXPECT_NE(message_of(got).find("tls: certificate has expired (20"), std::string::npos)
        << message_of(got);

    serve({.names = "DNS:localhost", .begins_s = 3600}, good);
    got = client_meets(serving, world().client());
    EXPECT_EQ(why_of(got), tls_failure::expired);
    EXPECT_NE(message_of(got).find("is not valid yet"), std::string::npos);

    const made_certificate stranger =
        make_certificate({.common_name = "Stranger", .names = {}, .authority = true});
    serve({.names = "DNS:localhost"}, &stranger);
    got = client_meets(serving, world().client());
    EXPECT_EQ(why_of(got), tls_failure::unknown_authority);
    EXPECT_NE(message_of(got).find("tls: certificate signed by unknown authority"),
              std::string::npos);

    serve({.names = "DNS:localhost"}, nullptr);
    EXPECT_EQ(why_of(client_meets(serving, world().client())), tls_failure::unknown_authority);

    serve({.names = "DNS:a.test,DNS:b.test,IP:10.0.0.1"}, good);
    got = client_meets(serving, world().client());
    EXPECT_EQ(why_of(got), tls_failure::wrong_name);
    EXPECT_NE(message_of(got).find(
                  "tls: certificate is valid for a.test, b.test, 10.0.0.1, not for localhost"),
              std::string::npos)
        << message_of(got);

    // The subject is no name, as everywhere today.
    serve({.common_name = "localhost", .names = {}}, good);
    EXPECT_EQ(why_of(client_meets(serving, world().client())), tls_failure::wrong_name);

    // A server's certificate is no authority.
    serve({.names = "DNS:localhost"}, &world().local);
    EXPECT_FALSE(client_meets(serving, world().client()));

    tls_config careless = world().client();
    careless.insecure_skip_verify = true;
    EXPECT_TRUE(client_meets(serving, careless));
  });
}

TEST(tls, names_and_addresses_are_verified) {
  weft::run([] {
    tls_config serving = world().server();
    serving.certificates = {
        make_certificate({.names = "DNS:*.example.test,IP:127.0.0.2"}, &world().authority)
            .config()};
    const auto meets = [&](const char* name) {
      tls_config calling = world().client();
      calling.server_name = name;
      return client_meets(serving, calling);
    };
    EXPECT_TRUE(meets("www.example.test"));
    EXPECT_TRUE(meets("WWW.Example.Test"));
    EXPECT_TRUE(meets("127.0.0.2"));
    EXPECT_FALSE(meets("127.0.0.1"));
    EXPECT_FALSE(meets("example.test"));
    EXPECT_FALSE(meets("a.b.example.test"));
    EXPECT_EQ(why_of(meets("")), tls_failure::configuration);
  });
}

TEST(tls, the_server_hears_why_the_client_left) {
  weft::run([] {
    tls_config serving = world().server();
    serving.certificates = {
        make_certificate({.names = "DNS:localhost", .ends_s = -1}, &world().authority).config()};
    const auto got = tls_pair(serving, world().client(), true).shake();
    EXPECT_EQ(why_of(got.server), tls_failure::refused);
    EXPECT_EQ(got.server.error().as<net::tls_error>()->alert, 45);  // certificate_expired
    EXPECT_NE(message_of(got.server).find("tls: the peer has refused: certificate expired"),
              std::string::npos)
        << message_of(got.server);
    EXPECT_TRUE(message_of(got.server).starts_with("handshake tcp 127.0.0.1:"));
  });
}

TEST(tls, no_version_in_common) {
  weft::run([] {
    tls_config serving = world().server();
    serving.min_version = tls_version::tls_1_3;
    tls_config calling = world().client();
    calling.max_version = tls_version::tls_1_2;
    const auto got = tls_pair(serving, calling).shake();
    EXPECT_EQ(why_of(got.server), tls_failure::no_common_version) << message_of(got.server);
    EXPECT_FALSE(got.client);
  });
}

TEST(tls, application_protocols) {
  weft::run([] {
    tls_config serving = world().server();
    tls_config calling = world().client();
    const auto agreed = [&](std::vector<std::string> ours,
                            std::vector<std::string> theirs) -> std::string {
      serving.alpn = std::move(ours);
      calling.alpn = std::move(theirs);
      const tls_pair pair(serving, calling);
      const auto got = pair.shake();
      if (!got.server || !got.client) {
        EXPECT_EQ(why_of(got.server), tls_failure::no_common_alpn) << message_of(got.server);
        EXPECT_EQ(why_of(got.client), tls_failure::no_common_alpn) << message_of(got.client);
        return "refused";
      }
      EXPECT_EQ(net::tls_state(pair.server)->alpn, net::tls_state(pair.client)->alpn);
      return net::tls_state(pair.server)->alpn;
    };
    EXPECT_EQ(agreed({"h2", "http/1.1"}, {"http/1.1", "h2"}), "h2");
    EXPECT_EQ(agreed({"h2", "http/1.1"}, {"http/1.1"}), "http/1.1");
    EXPECT_EQ(agreed({"h2"}, {"http/1.1", "spdy/3"}), "refused");
    EXPECT_EQ(agreed({"h2"}, {}), "");
    EXPECT_EQ(agreed({}, {"h2"}), "");
  });
}

TEST(tls, certificates_by_name) {
  weft::run([] {
    tls_config serving;
    const auto add = [&](const char* cn, const char* names, bool rsa) {
      serving.certificates.push_back(
          make_certificate({.common_name = cn, .names = names, .rsa = rsa}, &world().authority)
              .config());
    };
    add("first", "DNS:first.test", false);
    add("second", "DNS:second.test,DNS:*.second.test", false);
    add("second-rsa", "DNS:second.test", true);
    const tls_context server = context_of(serving);
    const auto shown = [&](const char* name, bool verify = true) {
      tls_config calling = world().client();
      calling.server_name = name;
      calling.insecure_skip_verify = !verify;
      const tls_pair pair(server, context_of(calling));
      const auto got = pair.shake();
      EXPECT_TRUE(got.client) << message_of(got.client);
      const auto state = net::tls_state(pair.client);
      return state ? state->peer_certificates.at(0).subject : "none";
    };
    EXPECT_EQ(shown("first.test"), "CN=first");
    EXPECT_TRUE(shown("second.test").starts_with("CN=second"));
    EXPECT_EQ(shown("www.second.test"), "CN=second");
    EXPECT_EQ(shown("other.test", false), "CN=first") << "the first one for strangers";
    EXPECT_EQ(shown("", false), "CN=first");
  });
}

// --- clients' certificates ---

TEST(tls, client_certificates) {
  weft::run([] {
    const made_certificate good = make_certificate(
        {.common_name = "client 7", .names = "email:seven@example.test"}, &world().authority);
    const made_certificate bad = make_certificate({.common_name = "impostor", .names = {}});
    const auto meet = [&](tls_client_auth wanted, const made_certificate* shown,
                          tls_version version, std::string* subject) {
      tls_config serving = world().server();
      serving.client_auth = wanted;
      serving.client_ca_pem = world().authority.pem;
      serving.max_version = version;
      tls_config calling = world().client();
      if (shown != nullptr) calling.certificates = {shown->config()};
      const tls_pair pair(serving, calling, true);
      const auto got = pair.shake();
      if (const auto state = net::tls_state(pair.server); state && subject != nullptr)
        *subject = state->peer_certificates.empty() ? "" : state->peer_certificates[0].subject;
      if (!got.server && version == tls_version::tls_1_3) {
        // The client finds out when it reads.
        char byte = 0;
        const auto read = pair.client.read(std::span<char>(&byte, 1));
        EXPECT_FALSE(read);
      }
      return got.server;
    };
    using enum tls_client_auth;
    for (const tls_version v : {tls_version::tls_1_2, tls_version::tls_1_3}) {
      std::string subject;
      EXPECT_TRUE(meet(none, &good, v, &subject));
      EXPECT_EQ(subject, "");
      EXPECT_TRUE(meet(request, nullptr, v, nullptr));
      EXPECT_TRUE(meet(request, &bad, v, &subject));
      EXPECT_EQ(subject, "CN=impostor");
      EXPECT_EQ(why_of(meet(require_any, nullptr, v, nullptr)), tls_failure::no_certificate);
      EXPECT_TRUE(meet(require_any, &bad, v, nullptr));
      EXPECT_TRUE(meet(verify_if_given, nullptr, v, nullptr));
      EXPECT_EQ(why_of(meet(verify_if_given, &bad, v, nullptr)), tls_failure::unknown_authority);
      EXPECT_EQ(why_of(meet(require_and_verify, nullptr, v, nullptr)), tls_failure::no_certificate);
      EXPECT_EQ(why_of(meet(require_and_verify, &bad, v, nullptr)), tls_failure::unknown_authority);
      EXPECT_TRUE(meet(require_and_verify, &good, v, &subject));
      EXPECT_EQ(subject, "CN=client 7");
    }
  });
}

// --- sessions ---

TEST(tls, sessions_are_resumed) {
  weft::run([] {
    for (const tls_version version : {tls_version::tls_1_2, tls_version::tls_1_3}) {
      tls_config serving = world().server();
      serving.max_version = version;
      const tls_context server = context_of(serving);
      const tls_context client = context_of(world().client());
      const auto resumed = [&](const tls_context& with) {
        const tls_pair pair(server, with);
        auto served = spawn([c = pair.server] { (void)c.write("x"); });
        EXPECT_EQ(read_text(pair.client, 1), "x");  // tickets come before it
        served.join();
        EXPECT_EQ(net::tls_state(pair.server)->resumed, net::tls_state(pair.client)->resumed);
        EXPECT_EQ(net::tls_state(pair.server)->server_name, "localhost");
        return net::tls_state(pair.client)->resumed;
      };
      EXPECT_FALSE(resumed(client));
      for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(resumed(client)) << i << " " << static_cast<int>(version);
      EXPECT_FALSE(resumed(context_of(world().client()))) << "another context knows nothing of it";
      tls_config forgetful = world().client();
      forgetful.client_sessions_max = 0;
      const tls_context never = context_of(forgetful);
      EXPECT_FALSE(resumed(never));
      EXPECT_FALSE(resumed(never));
      ASSERT_TRUE(server.reload());
      EXPECT_TRUE(resumed(client)) << "keys of tickets outlive certificates";
    }
  });
}

TEST(tls, without_tickets_nothing_is_resumed) {
  weft::run([] {
    tls_config serving = world().server();
    serving.session_tickets = false;
    const tls_context server = context_of(serving);
    const tls_context client = context_of(world().client());
    for (int i = 0; i < 3; ++i) {
      const tls_pair pair(server, client);
      auto served = spawn([c = pair.server] { (void)c.write("x"); });
      EXPECT_EQ(read_text(pair.client, 1), "x");
      served.join();
      EXPECT_FALSE(net::tls_state(pair.client)->resumed);
    }
  });
}

// --- times ---

TEST(tls, a_silent_peer_times_out) {
  weft::run([] {
    tls_config serving = world().server();
    serving.handshake_timeout = 10ms;
    const tls_pair pair(serving, world().client(), true);
    char byte = 0;
    const auto got = pair.server.read(std::span<char>(&byte, 1));
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().timeout());
    EXPECT_TRUE(got.error().is(net::err_timeout));
    EXPECT_NE(message_of(got).find("tls: handshake timeout"), std::string::npos) << message_of(got);
    EXPECT_FALSE(pair.server.write("x")) << "once failed, always";
  });
}

TEST(tls, a_context_ends_a_handshake) {
  weft::run([] {
    const tls_pair pair(world().server(), world().client(), true);
    auto [ctx, cancel] = with_cancel(background());
    const uint32_t before = rt::netpoll_waiters();
    auto shaking = spawn([&, &given = ctx] { return net::handshake(pair.client, given); });
    until([&] { return rt::netpoll_waiters() == before + 1; });
    cancel();
    const auto got = shaking.join();
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().is(canceled)) << message_of(got);
    auto [late, stop] = with_timeout(background(), 5ms);
    const auto timed_out = net::handshake(pair.server, late);
    ASSERT_FALSE(timed_out);
    (void)pair.client.close();
  });
}

TEST(tls, a_deadline_of_the_context_is_a_timeout) {
  weft::run([] {
    const tls_pair pair(world().server(), world().client(), true);
    auto [ctx, cancel] = with_timeout(background(), 5ms);
    const auto got = net::handshake(pair.server, ctx);
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().timeout()) << message_of(got);
  });
}

TEST(tls, close_ends_a_handshake) {
  weft::run([] {
    const tls_pair pair(world().server(), world().client(), true);
    const uint32_t before = rt::netpoll_waiters();
    auto shaking = spawn([&] { return net::handshake(pair.server, background()); });
    until([&] { return rt::netpoll_waiters() == before + 1; });
    EXPECT_TRUE(pair.server.close());
    const auto got = shaking.join();
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().is(net::closed)) << message_of(got);
    EXPECT_FALSE(pair.server.close());
  });
}

TEST(tls, deadlines_of_reads_and_the_users_own_come_back) {
  weft::run([] {
    const tls_pair pair(world().server(), world().client(), true);
    EXPECT_TRUE(pair.server.set_read_deadline(weft::now() + 1h));
    const auto got = pair.shake();
    ASSERT_TRUE(got.server && got.client);
    (void)pair.server.set_read_deadline(weft::now() + 3ms);
    char byte = 0;
    const auto late = pair.server.read(std::span<char>(&byte, 1));
    ASSERT_FALSE(late);
    EXPECT_TRUE(late.error().timeout());
    (void)pair.server.set_read_deadline({});
    (void)pair.client.write("z");
    EXPECT_EQ(read_text(pair.server, 1), "z") << "a read that timed out can be repeated";
  });
}

// --- ends ---

TEST(tls, half_close) {
  weft::run([] {
    const tls_pair pair(world().server(), world().client(), true);
    auto serving = spawn([c = pair.server] {
      EXPECT_EQ(read_text(c, 8), "question");
      char byte = 0;
      EXPECT_EQ(c.read(std::span<char>(&byte, 1)).value(), 0U);
      (void)c.write("answer");
      (void)c.close();
    });
    (void)pair.client.write("question");
    EXPECT_TRUE(pair.client.close_write());
    EXPECT_TRUE(pair.client.write("more").error().is(net::closed));
    EXPECT_EQ(read_text(pair.client, 6), "answer");
    char byte = 0;
    EXPECT_EQ(pair.client.read(std::span<char>(&byte, 1)).value(), 0U);
    serving.join();
  });
}

TEST(tls, a_connection_that_is_cut_off_is_no_end) {
  weft::run([] {
    const net::listener at = net::listen("tcp", "127.0.0.1:0").value();
    const conn below = net::dial("tcp", at.addr().string()).value();
    const conn client = net::tls_client(below, context_of(world().client()));
    // Tickets that nobody reads would make a reset of the end.
    tls_config serving_config = world().server();
    serving_config.session_tickets = false;
    const conn server = net::tls_server(at.accept().value(), context_of(serving_config));
    auto serving = spawn([&] { return net::handshake(server, background()); });
    ASSERT_TRUE(net::handshake(client, background()));
    ASSERT_TRUE(serving.join());
    (void)client.write("half a mess");
    (void)below.close();
    EXPECT_EQ(read_text(server, 11), "half a mess");
    char byte = 0;
    for (int i = 0; i < 2; ++i) {
      const auto got = server.read(std::span<char>(&byte, 1));
      ASSERT_FALSE(got);
      EXPECT_TRUE(got.error().is(net::unexpected_eof));
      EXPECT_TRUE(message_of(got).ends_with(": tls: unexpected EOF")) << message_of(got);
    }
  });
}

TEST(tls, the_last_handle_gone_says_the_end) {
  weft::run([] {
    tls_pair pair(world().server(), world().client(), true);
    const auto got = pair.shake();
    ASSERT_TRUE(got.server && got.client);
    pair.client = {};
    char byte = 0;
    const auto end = pair.server.read(std::span<char>(&byte, 1));
    ASSERT_TRUE(end) << message_of(end);
    EXPECT_EQ(*end, 0U);
  });
}

TEST(tls, close_does_not_wait_for_a_peer_that_does_not_read) {
  weft::run([] {
    const tls_pair pair(world().server(), world().client(), true);
    const auto got = pair.shake();
    ASSERT_TRUE(got.server && got.client);
    const uint32_t before = rt::netpoll_waiters();
    auto writing = spawn([&] { return pair.client.write(std::string(64 << 20, 'x')); });
    until([&] { return rt::netpoll_waiters() == before + 1; });
    EXPECT_TRUE(pair.client.close());
    const auto put = writing.join();
    ASSERT_FALSE(put);
    EXPECT_TRUE(put.error().is(net::closed)) << message_of(put);
  });
}

TEST(tls, what_is_no_tls_is_said_so) {
  weft::run([] {
    const auto serve_garbage = [](std::string_view bytes) {
      auto ends = net::pipe();
      const conn server = net::tls_server(ends.first, context_of(world().server()));
      (void)ends.second.write(bytes);
      return net::handshake(server, background());
    };
    auto got = serve_garbage("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(why_of(got), tls_failure::protocol);
    EXPECT_NE(message_of(got).find("plain HTTP"), std::string::npos) << message_of(got);
    got = serve_garbage(std::string(64, '\xff'));
    EXPECT_EQ(why_of(got), tls_failure::protocol) << message_of(got);

    auto ends = net::pipe();
    const conn client = net::tls_client(ends.second, context_of(world().client()));
    (void)ends.first.write("220 smtp.example.test ESMTP ready\r\n");
    got = net::handshake(client, background());
    EXPECT_EQ(why_of(got), tls_failure::protocol);
    EXPECT_NE(message_of(got).find("do not look like TLS"), std::string::npos) << message_of(got);
  });
}

TEST(tls, a_peer_that_leaves_in_the_middle) {
  weft::run([] {
    auto ends = net::pipe();
    const conn client = net::tls_client(ends.second, context_of(world().client()));
    auto shaking = spawn([&] { return net::handshake(client, background()); });
    char some[100];
    (void)ends.first.read(std::span<char>(some));
    (void)ends.first.close();
    const auto got = shaking.join();
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().is(net::unexpected_eof) ||
                got.error().is(std::make_error_code(std::errc::broken_pipe)))
        << message_of(got);
  });
}

// --- much of it ---

TEST(tls, a_megabyte_in_random_pieces_by_several_goroutines) {
  weft::run([] {
    for (const bool socket : {false, true}) {
      const tls_pair pair(world().server(), world().client(), socket);
      constexpr size_t total = 1 << 20;
      constexpr int writers = 4;
      // An echo whose reader and writer are two goroutines.
      const auto pieces = make_chan<std::string>(16);
      auto reading = spawn([&, c = pair.server] {
        std::mt19937 random(1);
        std::string buffer(40'000, '\0');
        for (;;) {
          const auto got = c.read(std::span<char>(buffer.data(), 1 + random() % buffer.size()));
          if (!got || *got == 0) break;
          pieces.send(buffer.substr(0, *got));
        }
        pieces.close();
      });
      auto echoing = spawn([&, c = pair.server] {
        for (const std::string& piece : pieces) EXPECT_TRUE(c.write(piece));
        EXPECT_TRUE(c.close_write());
      });
      std::atomic<uint64_t> sent{0};
      std::atomic<uint64_t> sum{0};
      wait_group sending;
      for (int w = 0; w < writers; ++w) {
        sending.go([&, w] {
          std::mt19937 random(static_cast<unsigned>(w));
          for (size_t left = total / writers; left != 0;) {
            std::string piece(std::min<size_t>(left, 1 + random() % 50'000), '\0');
            uint64_t here = 0;
            for (char& byte : piece)
              here += static_cast<unsigned char>(byte = static_cast<char>(random()));
            const std::string_view parts[] = {std::string_view(piece).substr(0, piece.size() / 3),
                                              std::string_view(piece).substr(piece.size() / 3)};
            EXPECT_EQ(pair.client.writev(parts).value_or(0), piece.size());
            sum += here;
            sent += piece.size();
            left -= piece.size();
          }
        });
      }
      auto receiving = spawn([&] {
        std::mt19937 random(99);
        std::string buffer(70'000, '\0');
        uint64_t back = 0;
        uint64_t bytes = 0;
        for (;;) {
          const auto got =
              pair.client.read(std::span<char>(buffer.data(), 1 + random() % buffer.size()));
          if (!got || *got == 0) {
            EXPECT_TRUE(got) << message_of(got);
            break;
          }
          bytes += *got;
          for (size_t i = 0; i < *got; ++i) back += static_cast<unsigned char>(buffer[i]);
        }
        EXPECT_EQ(bytes, total);
        return back;
      });
      sending.wait();
      EXPECT_TRUE(pair.client.close_write());
      EXPECT_EQ(receiving.join(), sum);
      reading.join();
      echoing.join();
      EXPECT_EQ(sent, total);
    }
  });
}

TEST(tls, many_connections_at_once) {
  weft::run([] {
    const tls_context client = context_of(world().client());
    const net::listener at = net::listen_tls("tcp", "127.0.0.1:0", world().server()).value();
    wait_group servers;
    auto accepting = spawn([&] {
      for (;;) {
        auto got = at.accept();
        if (!got) return;
        servers.go([c = *got] {
          char buffer[64];
          for (;;) {
            const auto n = c.read(std::span<char>(buffer));
            if (!n || *n == 0) return;
            (void)c.write(std::string_view(buffer, *n));
          }
        });
      }
    });
    std::atomic<int> answered{0};
    wait_group clients;
    for (int i = 0; i < 50; ++i) {
      clients.go([&, i] {
        const auto c = net::dial_tls(background(), "tcp", at.addr().string(), client);
        ASSERT_TRUE(c) << message_of(c);
        const std::string text = "number " + std::to_string(i);
        (void)c->write(text);
        if (read_text(*c, text.size()) == text) ++answered;
        (void)c->close();
      });
    }
    clients.wait();
    (void)at.close();
    accepting.join();
    servers.wait();
    EXPECT_EQ(answered, 50);
  });
}

}  // namespace
