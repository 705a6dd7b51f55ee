// SPDX-License-Identifier: Apache-2.0
// Subscribers and their audience.
#include "pubsub.hpp"

#include <mutex>
#include <shared_mutex>

#include "glob.hpp"
#include "resp.hpp"

namespace kv {

subscriber::subscriber(weft::net::conn to) : to_(std::move(to)) {
  writer_.go({.name = "kv subscriber"}, [this] { write_messages(); });
}

subscriber::~subscriber() {
  queue_.close();
  writer_.wait();
}

void subscriber::send(std::string text) {
  queue_.send(std::make_shared<const std::string>(std::move(text)));
}

bool subscriber::try_send(const message& text) { return queue_.try_send(text); }

void subscriber::offer(const message& text) {
  if (!try_send(text)) (void)to_.close();
}

void subscriber::write_messages() {
  constexpr size_t batch_bytes = 64 * 1024;
  std::string batch;
  bool broken = false;
  // After a failure the queue is still emptied, so that send() does not wait for ever.
  for (message first : queue_) {
    if (broken) continue;
    batch.assign(*first);
    while (batch.size() < batch_bytes) {
      std::optional<message> more = queue_.try_recv();
      if (!more) break;
      batch.append(**more);
    }
    if (!to_.write(batch)) {
      broken = true;
      (void)to_.close();
    }
  }
}

void pubsub::add(audience& to, subscriber& who, std::string_view name) {
  auto at = to.find(name);
  if (at == to.end()) at = to.try_emplace(std::string(name)).first;
  at->second.push_back(&who);
}

void pubsub::remove(audience& from, subscriber& who, std::string_view name) {
  const auto at = from.find(name);
  if (at == from.end()) return;
  std::erase(at->second, &who);
  if (at->second.empty()) from.erase(at);
}

void pubsub::join(audience& to, subscriber& who, std::string_view name, std::string confirmation) {
  const auto text = std::make_shared<const std::string>(std::move(confirmation));
  for (;;) {
    {
      const std::scoped_lock hold(lock_);
      if (who.try_send(text)) {
        add(to, who, name);
        return;
      }
    }
    // Its queue is full of its own confirmations, or of messages: an empty text waits for room.
    who.send({});
  }
}

void pubsub::subscribe(subscriber& who, std::string_view channel, std::string confirmation) {
  if (who.channels.emplace(channel).second)
    join(channels_, who, channel, std::move(confirmation));
  else
    who.send(std::move(confirmation));
}

void pubsub::unsubscribe(subscriber& who, std::string_view channel) {
  const auto at = who.channels.find(channel);
  if (at == who.channels.end()) return;
  {
    const std::scoped_lock hold(lock_);
    remove(channels_, who, channel);
  }
  who.channels.erase(at);
}

void pubsub::subscribe_pattern(subscriber& who, std::string_view pattern,
                               std::string confirmation) {
  if (who.patterns.emplace(pattern).second)
    join(patterns_, who, pattern, std::move(confirmation));
  else
    who.send(std::move(confirmation));
}

void pubsub::unsubscribe_pattern(subscriber& who, std::string_view pattern) {
  const auto at = who.patterns.find(pattern);
  if (at == who.patterns.end()) return;
  {
    const std::scoped_lock hold(lock_);
    remove(patterns_, who, pattern);
  }
  who.patterns.erase(at);
}

void pubsub::forget(subscriber& who) {
  const std::scoped_lock hold(lock_);
  for (const std::string& name : who.channels) remove(channels_, who, name);
  for (const std::string& name : who.patterns) remove(patterns_, who, name);
  who.channels.clear();
  who.patterns.clear();
}

int64_t pubsub::publish(std::string_view channel, std::string_view text) {
  int64_t count = 0;
  const std::shared_lock hold(lock_);
  if (const auto at = channels_.find(channel); at != channels_.end()) {
    reply r;
    r.array(3);
    r.bulk("message");
    r.bulk(channel);
    r.bulk(text);
    const auto ready = std::make_shared<const std::string>(std::move(r.text()));
    for (subscriber* who : at->second) who->offer(ready);
    count += static_cast<int64_t>(at->second.size());
  }
  for (const auto& [pattern, who_all] : patterns_) {
    if (!glob_match(pattern, channel)) continue;
    reply r;
    r.array(4);
    r.bulk("pmessage");
    r.bulk(pattern);
    r.bulk(channel);
    r.bulk(text);
    const auto ready = std::make_shared<const std::string>(std::move(r.text()));
    for (subscriber* who : who_all) who->offer(ready);
    count += static_cast<int64_t>(who_all.size());
  }
  return count;
}

std::vector<std::string> pubsub::channels(std::string_view pattern) {
  std::vector<std::string> out;
  const std::shared_lock hold(lock_);
  for (const auto& [name, who] : channels_)
    if (pattern.empty() || glob_match(pattern, name)) out.push_back(name);
  return out;
}

int64_t pubsub::subscribers(std::string_view channel) {
  const std::shared_lock hold(lock_);
  const auto at = channels_.find(channel);
  return at == channels_.end() ? 0 : static_cast<int64_t>(at->second.size());
}

int64_t pubsub::patterns() {
  const std::shared_lock hold(lock_);
  return static_cast<int64_t>(patterns_.size());
}

}  // namespace kv
