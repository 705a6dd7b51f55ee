// SPDX-License-Identifier: Apache-2.0
// The client against scripted servers: messages, bodies, errors.
#include "weft/http/client.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <mutex>
#include <string>

#include "weft/http/client_testing.hpp"
#include "weft/sched/run.hpp"
#include "weft/sync/timer.hpp"

namespace {

using namespace weft;
using namespace weft::testing_http;
using namespace std::chrono_literals;
using http::client;
using http::client_options;
using http::response;

const context bg = background();

TEST(http_client, get) {
  weft::run([] {
    script_server server([](script_conn& c, int) {
      seen_request r;
      ASSERT_TRUE(c.read_request(r));
      EXPECT_EQ(r.line, "GET /a%20b?q=1 HTTP/1.1");
      EXPECT_EQ(r.headers.get("User-Agent"), "weft-http/0.1");
      EXPECT_EQ(r.headers.get("Accept-Encoding"), "gzip, zstd");
      EXPECT_FALSE(r.headers.has("Content-Length"));
      c.say("HTTP/1.1 404 Not Here\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 4\r\n\r\nnope");
      c.wait_gone();
    });
    const client c;
    result<response> r = c.get(bg, server.url("/a b?q=1#frag"));
    ASSERT_TRUE(r) << r.error().message();
    EXPECT_EQ(r->status, 404);
    EXPECT_EQ(r->reason, "Not Here");
    EXPECT_EQ(r->headers.values("X-A").size(), 2u);
    EXPECT_EQ(r->headers.get("Content-Length"), "4");
    EXPECT_EQ(r->body.length(), 4);
    EXPECT_EQ(r->url.path, "/a b");
    EXPECT_EQ(text_of(r), "nope");
  });
}

TEST(http_client, connections_are_used_again) {
  weft::run([] {
    script_server server(echo);
    const client c;
    for (int i = 0; i < 20; ++i)
      EXPECT_EQ(text_of(c.post(bg, server.url(), "text/plain", std::to_string(i))),
                "POST / HTTP/1.1|" + std::to_string(i));
    EXPECT_EQ(server.accepted(), 1);
    const http::client_stats s = c.stats();
    EXPECT_EQ(s.requests, 20u);
    EXPECT_EQ(s.dials, 1u);
    EXPECT_EQ(s.reuses, 19u);
    EXPECT_EQ(s.idle_now, 1u);
    EXPECT_EQ(s.in_use_now, 0u);
    c.close_idle();
    EXPECT_EQ(c.stats().idle_now, 0u);
    EXPECT_EQ(text_of(c.get(bg, server.url())), "GET / HTTP/1.1|");
    EXPECT_EQ(server.accepted(), 2);
  });
}

TEST(http_client, no_goroutine_for_an_idle_connection) {
  weft::run([] {
    script_server server(echo);
    const client c;
    const int64_t before = num_goroutine();
    EXPECT_EQ(text_of(c.get(bg, server.url())), "GET / HTTP/1.1|");
    // The server's one goroutine for this connection, and none of the client's.
    until([&] { return num_goroutine() <= before + 1; });
    EXPECT_EQ(c.stats().idle_now, 1u);
  });
}

TEST(http_client, chunks_and_trailers_in_the_answer) {
  weft::run([] {
    script_server server([](script_conn& c, int) {
      seen_request r;
      while (c.read_request(r)) {
        c.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n");
        c.say("5\r\nhello\r\n1;ext=1\r\n,\r\n");
        c.say("6\r\n world\r\n0\r\nX-Sum: 12\r\n\r\n");
      }
    });
    const client c;
    for (int i = 0; i < 3; ++i) {
      result<response> r = c.get(bg, server.url());
      ASSERT_TRUE(r);
      EXPECT_EQ(r->body.length(), -1);
      EXPECT_FALSE(r->headers.has("Transfer-Encoding"));
      EXPECT_EQ(text_of(r), "hello, world");
      ASSERT_NE(r->body.trailers(), nullptr);
      EXPECT_EQ(r->body.trailers()->get("X-Sum"), "12");
    }
    EXPECT_EQ(server.accepted(), 1);
  });
}

// Whatever the pieces in which bytes arrive and are asked for.
TEST(http_client, chunks_in_any_pieces) {
  weft::run([] {
    std::string wire;
    std::string wanted;
    for (int i = 0; i < 50; ++i) {
      const std::string piece(static_cast<size_t>(i * 7 % 40 + 1), static_cast<char>('a' + i % 26));
      char head[16];
      std::snprintf(head, sizeof head, "%zx\r\n", piece.size());
      wire += head + piece + "\r\n";
      wanted += piece;
    }
    wire += "0\r\n\r\n";
    script_server server([&](script_conn& c, int) {
      seen_request r;
      for (size_t step = 1; c.read_request(r); step += 13) {
        c.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0; at < wire.size(); at += step) {
          c.say(std::string_view(wire).substr(at, step));
          weft::yield();
        }
      }
    });
    const client c;
    for (size_t ask = 1; ask < 5000; ask = ask * 3 + 1) {
      result<response> r = c.get(bg, server.url());
      ASSERT_TRUE(r);
      std::string got;
      std::string piece(ask, '\0');
      for (;;) {
        const result<size_t> n = r->body.read(piece);
        ASSERT_TRUE(n) << n.error().message();
        if (*n == 0) break;
        got.append(piece, 0, *n);
      }
      EXPECT_EQ(got, wanted);
    }
    EXPECT_EQ(server.accepted(), 1);
  });
}

TEST(http_client, large_bodies_both_ways) {
  weft::run([] {
    script_server server(echo);
    const client c;
    const std::string large(3'000'000, 'x');
    for (int i = 0; i < 3; ++i) {
      result<response> r = c.post(bg, server.url(), "text/plain", large);
      ASSERT_TRUE(r) << r.error().message();
      EXPECT_EQ(r->body.read_all()->size(), large.size() + 16);
    }
    EXPECT_EQ(server.accepted(), 1);
  });
}

TEST(http_client, bodies_of_unknown_length_go_in_chunks) {
  weft::run([] {
    last_seen last;
    script_server server(answer_ok(last));
    const client c;
    for (int i = 0; i < 2; ++i) {
      http::request r("PUT", server.url(),
                      http::body(std::make_unique<pieces>(std::vector<std::string>{"ab", "c"})));
      r.trailers.add("X-Sum", "3");
      EXPECT_EQ(text_of(c.send(std::move(r))), "ok");
      const seen_request seen = last.get();
      EXPECT_EQ(seen.headers.get("Transfer-Encoding"), "chunked");
      EXPECT_EQ(seen.headers.get("Trailer"), "X-Sum");
      EXPECT_FALSE(seen.headers.has("Content-Length"));
      EXPECT_EQ(seen.body, "abc");
      EXPECT_EQ(seen.trailers, "X-Sum: 3\n");
    }
    EXPECT_EQ(server.accepted(), 1);
    // Read from somewhere, of known length.
    http::request r("PUT", server.url(),
                    http::body(std::make_unique<pieces>(std::vector<std::string>{"ab", "c"}, 3)));
    EXPECT_EQ(text_of(c.send(std::move(r))), "ok");
    const seen_request seen = last.get();
    EXPECT_EQ(seen.headers.get("Content-Length"), "3");
    EXPECT_EQ(seen.body, "abc");
  });
}

TEST(http_client, lengths_that_are_not_kept) {
  weft::run([] {
    script_server server(echo);
    const client c;
    const auto send = [&](std::vector<std::string> all, int64_t length) {
      return message_of(c.send(http::request(
          "PUT", server.url(), http::body(std::make_unique<pieces>(std::move(all), length)))));
    };
    EXPECT_EQ(send({"abc"}, 5),
              "Put \"" + server.url() + "\": http: the request's body ended after 3 of 5 bytes");
    EXPECT_EQ(send({"abc", "def"}, 5),
              "Put \"" + server.url() +
                  "\": http: the request's body is longer than the 5 bytes that it announced");
    http::request r("POST", server.url(), "abc");
    r.headers.set("Content-Length", "4");
    EXPECT_EQ(message_of(c.send(std::move(r))),
              "Post \"" + server.url() + "\": http: Content-Length says 4 bytes, the body has 3");
    EXPECT_EQ(c.stats().in_use_now, 0u);
  });
}

TEST(http_client, answers_without_content) {
  weft::run([] {
    script_server server([](script_conn& c, int) {
      seen_request r;
      while (c.read_request(r)) {
        if (r.line.starts_with("HEAD"))
          c.say("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        else if (r.line.starts_with("DELETE"))
          c.say("HTTP/1.1 204 No Content\r\n\r\n");
        else
          c.say("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n");
      }
    });
    const client c;
    for (int i = 0; i < 2; ++i) {
      result<response> head = c.head(bg, server.url());
      ASSERT_TRUE(head);
      EXPECT_EQ(head->headers.get("Content-Length"), "1000");
      EXPECT_EQ(text_of(head), "");
      result<response> gone = c.send(http::request("DELETE", server.url()));
      EXPECT_EQ(gone->status, 204);
      EXPECT_EQ(text_of(gone), "");
      EXPECT_EQ(text_of(c.get(bg, server.url())), "");
    }
    EXPECT_EQ(server.accepted(), 1);
  });
}

TEST(http_client, answers_that_end_with_the_connection) {
  weft::run([] {
    script_server server([](script_conn& c, int number) {
      seen_request r;
      if (!c.read_request(r)) return;
      if (number == 0) c.say("HTTP/1.0 200 OK\r\n\r\nall of it");
      if (number == 1) c.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
      if (number == 2) c.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok");
      if (number == 3) c.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n");
    });
    const client c;
    EXPECT_EQ(text_of(c.get(bg, server.url())), "all of it");
    EXPECT_EQ(text_of(c.get(bg, server.url())), "ok");
    EXPECT_EQ(text_of(c.get(bg, server.url())),
              "(http: the response's body was cut off: unexpected EOF)");
    EXPECT_EQ(text_of(c.get(bg, server.url())),
              "(http: the response's body was cut off: unexpected EOF)");
    EXPECT_EQ(c.stats().dials, 4u);
    EXPECT_EQ(c.stats().idle_now + c.stats().in_use_now, 0u);
  });
}

TEST(http_client, errors_as_in_go) {
  weft::run([] {
    std::string dead;
    {
      const net::listener l = net::listen("tcp", "127.0.0.1:0").value();
      dead = l.addr().string();
      (void)l.close();
    }
    const client c;
    result<response> r = c.get(bg, "http://u:secret@" + dead + "/x");
    EXPECT_EQ(message_of(r), "Get \"http://u:***@" + dead + "/x\": dial tcp " + dead +
                                 ": connect: connection refused");
    EXPECT_FALSE(r.error().timeout());
    EXPECT_TRUE(r.error().is(std::make_error_code(std::errc::connection_refused)));
    EXPECT_EQ(message_of(c.get(bg, "ftp://a/")),
              "Get \"ftp://a/\": unsupported protocol scheme \"ftp\"");
    EXPECT_EQ(message_of(c.get(bg, "http:///x")),
              "Get \"http:///x\": http: no Host in request URL");
    EXPECT_EQ(message_of(c.get(bg, ":x")), "parse \":x\": missing protocol scheme");
    script_server server(echo);
    EXPECT_EQ(message_of(c.send(http::request("A B", server.url()))),
              "A b \"" + server.url() + "\": http: invalid method \"A B\"");
    http::request bad_host("GET", server.url());
    bad_host.host = "a\r\nX: y";
    EXPECT_FALSE(c.send(std::move(bad_host)));
    EXPECT_EQ(c.stats().in_use_now, 0u);
  });
}

TEST(http_client, malformed_answers) {
  weft::run([] {
    const std::string_view answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 1\n\na",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    };
    script_server server([&](script_conn& c, int number) {
      seen_request r;
      if (!c.read_request(r)) return;
      c.say(answers[number]);
      c.wait_gone();
    });
    const client c;
    for (const std::string_view answer : answers) {
      const result<response> r = c.get(bg, server.url());
      ASSERT_FALSE(r) << answer;
      EXPECT_NE(r.error().message().find("http: "), std::string::npos) << r.error().message();
    }
    EXPECT_EQ(c.stats().in_use_now + c.stats().idle_now, 0u);
    EXPECT_EQ(c.stats().retries, 0u);
  });
}

TEST(http_client, heads_have_limits) {
  weft::run([] {
    script_server server([](script_conn& c, int number) {
      seen_request r;
      if (!c.read_request(r)) return;
      c.say("HTTP/1.1 200 OK\r\n");
      const std::string field = number == 0 ? "A: " + std::string(1000, 'x') + "\r\n" : "A: b\r\n";
      while (c.conn.write(field)) {
      }
    });
    const client c({.limits = {.header_bytes_max = 10000, .header_fields_max = 100}});
    EXPECT_FALSE(c.get(bg, server.url()));
    EXPECT_FALSE(c.get(bg, server.url()));
    EXPECT_EQ(c.stats().in_use_now, 0u);
  });
}

TEST(http_client, what_comes_uncalled_ends_the_connection) {
  weft::run([] {
    script_server server([](script_conn& c, int) {
      seen_request r;
      while (c.read_request(r)) c.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 ");
    });
    const client c;
    EXPECT_EQ(text_of(c.get(bg, server.url())), "ok");
    EXPECT_EQ(text_of(c.get(bg, server.url())), "ok");
    EXPECT_EQ(server.accepted(), 2);
    EXPECT_EQ(c.stats().idle_now, 0u);
  });
}

TEST(http_client, interim_answers) {
  weft::run([] {
    script_server server([](script_conn& c, int number) {
      seen_request r;
      if (!c.read_request(r)) return;
      for (int i = 0; number == 0 ? i < 3 : c.conn.write("HTTP/1.1 102 Wait\r\n\r\n").has_value();
           ++i)
        c.say("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
      c.ok();
    });
    int hints = 0;
    http::client_trace trace;
    trace.got_1xx = [&](int status, const http::header& h) {
      hints += status == 103 && h.get("Link") == "</x>" ? 1 : 0;
    };
    const client c;
    EXPECT_EQ(text_of(c.get(with_trace(bg, trace), server.url())), "ok");
    EXPECT_EQ(hints, 3);
    c.close_idle();
    EXPECT_EQ(message_of(c.get(bg, server.url())),
              "Get \"" + server.url() +
                  "\": http: the server sends one interim response after the other");
  });
}

TEST(http_client, expect_continue) {
  weft::run([] {
    chan<std::string> bodies = make_chan<std::string>(1);
    script_server server([&](script_conn& c, int number) {
      seen_request r;
      if (!c.read_head(r)) return;
      EXPECT_EQ(r.headers.get("Expect"), "100-continue");
      if (number == 0) {
        c.say("HTTP/1.1 100 Continue\r\n\r\n");
        c.read_body(r);
        EXPECT_EQ(r.body, "hello");
        c.ok();
      } else if (number == 1) {  // never says so
        c.read_body(r);
        EXPECT_EQ(r.body, "hello");
        c.ok();
      } else {
        c.say("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n");
        // Nothing of the body follows, and the connection carries no other request.
        EXPECT_EQ(c.read_bytes(1), "");
        bodies.send("none");
      }
    });
    client_options options;
    const auto send = [&](const client& c) {
      http::request r("POST", server.url(), "hello");
      r.headers.set("Expect", "100-continue");
      return c.send(std::move(r));
    };
    options.timeouts.expect_continue = 1h;
    const client patient(options);
    EXPECT_EQ(text_of(send(patient)), "ok");
    patient.close_idle();
    options.timeouts.expect_continue = 20ms;
    EXPECT_EQ(text_of(send(client(options))), "ok");
    const client refused(patient);
    EXPECT_EQ(send(refused)->status, 401);
    EXPECT_EQ(bodies.recv(), "none");
  });
}

TEST(http_client, an_early_error_stops_the_body) {
  weft::run([] {
    chan<std::monostate> answered = make_chan<std::monostate>(1);
    script_server server([&](script_conn& c, int) {
      seen_request r;
      if (!c.read_head(r)) return;
      c.say("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
      c.wait_gone();
      answered.send({});
    });
    const chan<std::string> input = make_chan<std::string>();
    const client c;
    result<response> r =
        c.send(http::request("POST", server.url(), http::body(std::make_unique<piped>(input))));
    ASSERT_TRUE(r) << r.error().message();
    EXPECT_EQ(r->status, 413);
    EXPECT_EQ(text_of(r), "big");
    answered.recv();  // the connection is closed although the body has not ended
    input.close();
    EXPECT_EQ(c.stats().idle_now, 0u);
  });
}

TEST(http_client, both_directions_at_once) {
  weft::run([] {
    script_server server([&](script_conn& c, int) {
      seen_request r;
      if (!c.read_head(r)) return;
      c.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (;;) {
        const size_t size = std::stoul(c.read_line(), nullptr, 16);
        const std::string piece = c.read_bytes(size);
        c.read_line();
        if (size == 0) break;
        c.say("2\r\n" + piece + "\r\n");
      }
      c.say("0\r\n\r\n");
      c.wait_gone();
    });
    const chan<std::string> input = make_chan<std::string>();
    const client c;
    result<response> r =
        c.send(http::request("POST", server.url(), http::body(std::make_unique<piped>(input))));
    ASSERT_TRUE(r) << r.error().message();
    char two[2];
    for (const char* text : {"ab", "cd", "ef"}) {
      input.send(text);
      ASSERT_EQ(*r->body.read(two), 2u);
      EXPECT_EQ(std::string_view(two, 2), text);
    }
    input.close();
    EXPECT_EQ(*r->body.read(two), 0u);
    EXPECT_EQ(c.stats().idle_now, 1u);
  });
}

TEST(http_client, a_body_closed_early) {
  weft::run([] {
    script_server server([](script_conn& c, int) {
      seen_request r;
      while (c.read_request(r)) {
        const size_t bytes = r.line.starts_with("GET /small") ? 100'000 : 10'000'000;
        c.say("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n");
        c.say(std::string(bytes, 'x'));
      }
    });
    const client c;
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(c.get(bg, server.url("/small")));
      until([&] { return c.stats().in_use_now == 0; });
    }
    const int after_small = server.accepted();
    EXPECT_LE(after_small, 3);  // drained, unless this machine was slow
    ASSERT_TRUE(c.get(bg, server.url("/large")));
    until([&] { return c.stats().in_use_now == 0; });
    EXPECT_EQ(c.stats().idle_now, 0u);
  });
}

std::string gzipped(std::string_view text) {
  z_stream z{};
  (void)::deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(::deflateBound(&z, text.size()) + 32, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  (void)::deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  (void)::deflateEnd(&z);
  return out;
}

TEST(http_client, gzip) {
  weft::run([] {
    const std::string plain(100'000, 'z');
    script_server server([&](script_conn& c, int) {
      seen_request r;
      while (c.read_request(r)) {
        std::string packed = gzipped(plain);
        if (r.line.starts_with("GET /two")) packed += gzipped("more");
        if (r.line.starts_with("GET /cut")) packed.resize(packed.size() - 10);
        if (r.line.starts_with("GET /bad")) packed[12] ^= 0x55;
        c.say("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " +
              std::to_string(packed.size()) + "\r\n\r\n" + packed);
      }
    });
    const client c;
    result<response> r = c.get(bg, server.url());
    ASSERT_TRUE(r);
    EXPECT_TRUE(r->uncompressed);
    EXPECT_FALSE(r->headers.has("Content-Encoding"));
    EXPECT_FALSE(r->headers.has("Content-Length"));
    EXPECT_EQ(r->body.length(), -1);
    EXPECT_EQ(text_of(r), plain);
    EXPECT_EQ(text_of(c.get(bg, server.url("/two"))), plain + "more");
    EXPECT_EQ(text_of(c.get(bg, server.url("/cut"))), "(http: decoding gzip: unexpected EOF)");
    EXPECT_EQ(text_of(c.get(bg, server.url("/bad"))), "(http: the body is not valid gzip)");
    http::request own("GET", server.url());
    own.headers.set("Accept-Encoding", "gzip");
    r = c.send(std::move(own));
    EXPECT_FALSE(r->uncompressed);
    EXPECT_EQ(text_of(r), gzipped(plain));
    client_options small;
    small.decompressed_bytes_max = 1000;
    r = client(small).get(bg, server.url());
    const result<std::string> text = r->body.read_all();
    ASSERT_FALSE(text);
    EXPECT_TRUE(text.error().is(http::body_too_large));
    small.compression = false;
    r = client(small).get(bg, server.url());
    EXPECT_EQ(text_of(r), gzipped(plain));
  });
}

TEST(http_client, fields_of_the_request) {
  weft::run([] {
    last_seen last;
    script_server server(answer_ok(last));
    const client c({.user_agent = "mine/1"});
    http::request r("POST", "http://us%3Aer:p%40ss@" + server.address() + "/");
    r.host = "other.example";
    r.headers.add("Transfer-Encoding", "gzip, chunked");  // ours to say
    r.headers.add("Host", "third.example");
    r.headers.add("X-A", "b\r\nEvil: 1");
    EXPECT_EQ(text_of(c.send(std::move(r))), "ok");
    seen_request seen = last.get();
    EXPECT_EQ(seen.headers.values("Host"), std::vector<std::string_view>{"other.example"});
    EXPECT_EQ(seen.headers.get("User-Agent"), "mine/1");
    EXPECT_EQ(seen.headers.get("Content-Length"), "0");
    EXPECT_FALSE(seen.headers.has("Transfer-Encoding"));
    EXPECT_FALSE(seen.headers.has("Evil"));
    EXPECT_EQ(seen.headers.get("Authorization"), "Basic dXM6ZXI6cEBzcw==");
    http::request silent("GET", server.url());
    silent.headers.set("User-Agent", "");
    silent.headers.set("Connection", "close");
    EXPECT_EQ(text_of(c.send(std::move(silent))), "ok");
    seen = last.get();
    EXPECT_FALSE(seen.headers.has("User-Agent"));
    EXPECT_EQ(c.stats().idle_now, 0u);
    const client once({.keep_alive = false});
    EXPECT_EQ(text_of(once.get(bg, server.url())), "ok");
    seen = last.get();
    EXPECT_EQ(seen.headers.get("Connection"), "close");
    EXPECT_EQ(once.stats().idle_now, 0u);
  });
}

TEST(http_client, cookies) {
  weft::run([] {
    last_seen last;
    script_server server([&](script_conn& c, int) {
      seen_request r;
      while (c.read_request(r)) {
        last.set(r);
        c.say("HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/x\r\nContent-Length: 0\r\n\r\n");
      }
    });
    client_options options;
    options.cookies = std::make_shared<http::cookie_jar>();
    const client c(options);
    EXPECT_EQ(text_of(c.get(bg, server.url())), "");
    EXPECT_FALSE(last.get().headers.has("Cookie"));
    http::request r("GET", server.url("/x"));
    r.headers.set("Cookie", "own=2");
    EXPECT_EQ(text_of(c.send(std::move(r))), "");
    const seen_request seen = last.get();
    EXPECT_EQ(seen.headers.values("Cookie"), std::vector<std::string_view>{"own=2; a=1"});
  });
}

TEST(http_client, from_a_thread_that_is_no_goroutine) {
  weft::run([] {
    script_server server(echo);
    const client c;
    std::string got;
    weft::blocking([&] {
      std::thread other([&] { got = text_of(c.get(background(), server.url())); });
      other.join();
    });
    EXPECT_EQ(got, "GET / HTTP/1.1|");
  });
}

TEST(http_client, a_response_outlives_its_client) {
  weft::run([] {
    script_server server([](script_conn& c, int) {
      seen_request r;
      if (!c.read_request(r)) return;
      c.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n");
      c.say("0\r\n\r\n");
      c.wait_gone();
    });
    result<response> r = client().get(bg, server.url());
    EXPECT_EQ(text_of(r), "ok");
  });
}

}  // namespace
