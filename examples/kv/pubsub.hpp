// SPDX-License-Identifier: Apache-2.0
// Publish and subscribe over weft channels: each subscriber has a queue of ready-made RESP texts
// and a goroutine that writes them. PUBLISH never waits: a subscriber whose queue is full is cut
// off, as Redis does beyond client-output-buffer-limit.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "table.hpp"
#include "weft/net/conn.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/rw_mutex.hpp"
#include "weft/sync/wait_group.hpp"

namespace kv {

using message = std::shared_ptr<const std::string>;

/// What a client subscribes with. Its sets belong to the client's goroutine.
class subscriber {
 public:
  explicit subscriber(weft::net::conn to);
  ~subscriber();
  subscriber(const subscriber&) = delete;
  subscriber& operator=(const subscriber&) = delete;

  /// Waits for room; for the client's own replies. May park.
  void send(std::string text);
  /// Never waits. False: the queue is full.
  [[nodiscard]] bool try_send(const message& text);
  /// Never waits. A full queue ends the client.
  void offer(const message& text);

  std::set<std::string, std::less<>> channels;
  std::set<std::string, std::less<>> patterns;
  [[nodiscard]] size_t count() const noexcept { return channels.size() + patterns.size(); }

 private:
  // Messages a client may lag behind. Larger costs memory per slow client, smaller cuts off bursts.
  static constexpr int64_t queue_max = 8192;
  void write_messages();

  weft::net::conn to_;
  weft::chan<message> queue_ = weft::make_chan<message>(queue_max);
  weft::wait_group writer_;
};

class pubsub {
 public:
  using join_function = void (pubsub::*)(subscriber&, std::string_view, std::string);
  /// Joins the audience, and queues the confirmation as one step: it comes before the first
  /// message, and a client that has read it is counted by PUBLISH. Waits while the queue is full;
  /// may park.
  void subscribe(subscriber& who, std::string_view channel, std::string confirmation);
  void unsubscribe(subscriber& who, std::string_view channel);
  void subscribe_pattern(subscriber& who, std::string_view pattern, std::string confirmation);
  void unsubscribe_pattern(subscriber& who, std::string_view pattern);
  void forget(subscriber& who);
  /// How many clients got it.
  int64_t publish(std::string_view channel, std::string_view text);
  /// Channels with subscribers that match (all for an empty pattern).
  [[nodiscard]] std::vector<std::string> channels(std::string_view pattern);
  [[nodiscard]] int64_t subscribers(std::string_view channel);
  [[nodiscard]] int64_t patterns();

 private:
  using audience =
      std::unordered_map<std::string, std::vector<subscriber*>, text_hash, std::equal_to<>>;
  void join(audience& to, subscriber& who, std::string_view name, std::string confirmation);
  static void add(audience& to, subscriber& who, std::string_view name);
  static void remove(audience& from, subscriber& who, std::string_view name);

  /// Read while publishing, written while subscribing: so nobody sends to a queue that its owner
  /// has closed, since the owner leaves the audience first.
  weft::rw_mutex lock_;
  audience channels_;
  audience patterns_;
};

}  // namespace kv
