// SPDX-License-Identifier: Apache-2.0
// What docs/guide/http-client.md shows.
#include <weft/http/http.hpp>
#include <weft/net/net.hpp>
#include <weft/weft.hpp>

#include <cstdio>
#include <string>

namespace {

using namespace std::chrono_literals;

struct item {
  std::string sku;
  int count = 0;
};

weft::http::mux make_stock() {
  weft::http::mux routes;
  routes.handle("GET /items/{sku}", [](auto& w, auto& r) {
    if (r.path_value("sku") == "none") return weft::http::not_found(w, r);
    (void)w.write(R"({"sku":"a1","count":2})");
  });
  routes.handle("GET /slow", [](auto&, auto& r) { r.ctx().done().recv(); });
  routes.handle("GET /whoami", [](auto& w, auto& r) {
    const auto left = r.ctx().deadline();
    (void)w.write(weft::http::identity_of(r.ctx())->trace_id_text() +
                  (left ? " with a deadline" : " without a deadline"));
  });
  return routes;
}

std::string fetch(const weft::http::client& client, const weft::context& ctx,
                  const std::string& where) {
  auto answer = client.get(ctx, where);
  if (!answer) return answer.error().message();
  auto text = answer->body.read_all();
  if (!text) return text.error().message();
  return std::to_string(answer->status) + ' ' + *text;
}

void without_port(std::string text) {
  if (const size_t at = text.find("127.0.0.1:"); at != std::string::npos)
    text.erase(at + 9, text.find('/', at) - at - 9);
  std::puts(text.c_str());
}

void json(const weft::http::client& client, const weft::context& ctx, const std::string& base) {
  const auto got = weft::http::get_json<item>(client, ctx, base + "/items/a1");
  if (got) std::printf("%s: %d\n", got->sku.c_str(), got->count);
  const auto none = weft::http::get_json<item>(client, ctx, base + "/items/none");
  if (!none && none.error().as<weft::http::status_error>()->status == 404)
    std::puts("no such item");
}

void trace(const weft::http::client& client, const std::string& base) {
  weft::http::client_trace steps;
  steps.got_conn = [](const weft::http::got_conn_info& info) {
    std::printf("got a connection, %s\n", info.reused ? "used before" : "new");
  };
  steps.first_byte = [] { std::puts("first byte"); };
  const auto ctx = weft::http::with_trace(weft::background(), steps);
  std::puts(fetch(client, ctx, base + "/items/a1").c_str());
}

void limits(const std::string& base) {
  weft::http::client_options options;
  options.timeouts.dial = 1s;
  options.timeouts.request = 100ms;
  options.limits.conns_per_host_max = 20;
  const weft::http::client client(options);
  without_port(fetch(client, weft::background(), base + "/slow"));
}

void across(const std::string& base) {
  weft::http::client_options options;
  options.propagate = true;
  const weft::http::client internal(options);
  const auto identity = weft::http::trace_identity::begin(true);
  const auto [ctx, cancel] =
      weft::with_timeout(weft::http::with_identity(weft::background(), identity), 5s);
  const std::string told = fetch(internal, ctx, base + "/whoami");
  std::puts(told == "200 " + identity.trace_id_text() + " with a deadline"
                ? "the callee knows the trace and the deadline"
                : told.c_str());
}

}  // namespace

int main() {
  weft::run([] {
    const auto routes = make_stock();
    const weft::http::server server(
        {.handler = weft::http::chain(std::ref(routes), {weft::http::internal_entry()})});
    const auto on = weft::net::listen("tcp", "127.0.0.1:0").value();
    const std::string base = "http://" + on.addr().string();
    weft::wait_group serving;
    serving.go([&] { (void)server.serve(on); });

    const weft::http::client client;
    std::puts(fetch(client, weft::background(), base + "/items/a1").c_str());
    json(client, weft::background(), base);
    trace(client, base);
    limits(base);
    across(base);
    const auto stats = client.stats();
    std::printf("%d requests, %d dial, %d reuses\n", static_cast<int>(stats.requests),
                static_cast<int>(stats.dials), static_cast<int>(stats.reuses));
    server.close();
    serving.wait();
  });
}
