// SPDX-License-Identifier: Apache-2.0
// One client: its connection, its reply buffer, and what it has set. Owned by its goroutine; other
// goroutines see it through the server's list of clients only.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "pubsub.hpp"
#include "resp.hpp"
#include "weft/net/conn.hpp"

namespace kv {

class server;
class store;

struct session {
  session(server& s, store& d, weft::net::conn c, uint64_t number);

  /// Sends what has been replied so far. False: the client is gone.
  bool flush();

  server& srv;
  store& data;
  weft::net::conn connection;
  uint64_t id;
  std::string address;
  /// CLIENT SETNAME; under the server's client lock, since CLIENT LIST shows it.
  std::string name;
  int64_t connected_ms;
  /// Time of the last batch of commands; read by CLIENT LIST.
  std::atomic<int64_t> active_ms;
  /// Unix time, taken once per batch as Redis does per event loop.
  int64_t now_ms;
  reply out;
  /// Set by the first SUBSCRIBE: from then on every reply goes through its queue, in order with
  /// the messages.
  std::unique_ptr<subscriber> subscriptions;
  /// The client asked to go, or must.
  bool closing = false;
  /// Commands since the server last counted them.
  uint64_t commands = 0;
};

}  // namespace kv
