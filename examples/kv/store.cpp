// SPDX-License-Identifier: Apache-2.0
// Shards, expiry and the clients that wait for lists.
#include "store.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>

#include "weft/sync/select.hpp"

namespace kv {

int64_t unix_ms() noexcept {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

// --- one shard -----------------------------------------------------------------------------------

entry* shard::find(std::string_view key, uint64_t hash, int64_t now_ms) {
  entry* e = keys_.find(key, hash);
  if (e == nullptr || e->expire_ms == 0 || e->expire_ms > now_ms) [[likely]]
    return e;
  owner_->expired_keys.fetch_add(1, std::memory_order_relaxed);
  erase(e);
  return nullptr;
}

void shard::erase(entry* e) noexcept {
  if (e->expire_ms != 0) --expiring_;
  keys_.erase(e);
}

void shard::clear() noexcept {
  keys_.clear();
  deadlines_.clear();
  expiring_ = 0;
}

void shard::set_expiry(entry* e, int64_t when_ms) {
  if (e->expire_ms == when_ms) return;
  if (e->expire_ms != 0) --expiring_;
  e->expire_ms = when_ms;
  if (when_ms == 0) return;
  ++expiring_;
  // Twice the live ones and some: dropping costs O(n) and pays for n sets.
  if (deadlines_.size() > 2 * expiring_ + 64) drop_stale_deadlines();
  deadlines_.push_back({when_ms, e->key});
  std::push_heap(deadlines_.begin(), deadlines_.end());
  owner_->note_deadline(when_ms);
}

void shard::drop_stale_deadlines() {
  std::erase_if(deadlines_, [this](const due& d) {
    const entry* e = keys_.find(d.key, hash_bytes(d.key));
    return e == nullptr || e->expire_ms != d.when_ms;
  });
  std::make_heap(deadlines_.begin(), deadlines_.end());
}

int64_t shard::expire_due(int64_t now_ms) {
  // Bounded per visit: clients of this shard wait meanwhile.
  for (int removed = 0; !deadlines_.empty() && removed < 1000; ++removed) {
    if (deadlines_.front().when_ms > now_ms) break;
    std::pop_heap(deadlines_.begin(), deadlines_.end());
    const due d = std::move(deadlines_.back());
    deadlines_.pop_back();
    (void)find(d.key, hash_bytes(d.key), now_ms);
  }
  return deadlines_.empty() ? 0 : deadlines_.front().when_ms;
}

void shard::add_waiter(std::string_view key, const std::shared_ptr<list_waiter>& waiter) {
  auto at = waiters_.find(key);
  if (at == waiters_.end()) at = waiters_.try_emplace(std::string(key)).first;
  at->second.push_back(waiter);
}

void shard::remove_waiter(std::string_view key, const list_waiter* waiter) {
  const auto at = waiters_.find(key);
  if (at == waiters_.end()) return;
  std::erase_if(at->second, [&](const auto& held) { return held.get() == waiter; });
  if (at->second.empty()) waiters_.erase(at);
}

void shard::serve_waiters(entry* e) {
  if (waiters_.empty()) [[likely]]
    return;
  const auto at = waiters_.find(e->key);
  if (at == waiters_.end()) return;
  list_value& list = *std::get<std::unique_ptr<list_value>>(e->data);
  auto& queue = at->second;
  while (!queue.empty() && !list.empty()) {
    const std::shared_ptr<list_waiter> waiter = std::move(queue.front());
    queue.pop_front();
    if (!waiter->claim()) continue;  // answered through another key, or gone
    handed gift;
    gift.key = e->key;
    if (waiter->end == list_end::left) {
      gift.element = std::move(list.front());
      list.pop_front();
    } else {
      gift.element = std::move(list.back());
      list.pop_back();
    }
    waiter->result.send(std::move(gift));  // has room for the one result: does not park
  }
  if (queue.empty()) waiters_.erase(at);
  if (list.empty()) erase(e);
}

// --- all of them -----------------------------------------------------------------------------

store::store() {
  for (shard& s : shards_) s.owner_ = this;
}

void store::note_deadline(int64_t when_ms) noexcept {
  const int64_t next = next_wake_ms_.load(std::memory_order_acquire);
  if (next == 0 || when_ms < next) (void)wake_.try_send(1);
}

void store::run_expiry(const weft::context& ctx) {
  for (bool running = true; running;) {
    const int64_t now = unix_ms();
    // Told in between: the token in wake_ makes the select below return at once.
    next_wake_ms_.store(0, std::memory_order_release);
    int64_t next = 0;
    for (shard& s : shards_) {
      const std::scoped_lock hold(s.lock);
      const int64_t first = s.expire_due(now);
      if (first != 0 && (next == 0 || first < next)) next = first;
    }
    next_wake_ms_.store(next, std::memory_order_release);
    // Not more often than 100 times a second: keys past their time are invisible anyway.
    const int64_t delay_ms = std::max<int64_t>(next - now, 10);
    const auto stop = [&] { running = false; };
    if (next == 0)
      weft::select(weft::on_recv(wake_), weft::on_done(ctx, stop));
    else
      weft::select(weft::on_recv(wake_), weft::on_done(ctx, stop),
                   weft::after(std::chrono::milliseconds(delay_ms), [] {}));
  }
}

locked_keys::locked_keys(store& from, std::span<const std::string_view> keys, int64_t now_ms,
                         size_t step)
    : from_(from), now_ms_(now_ms) {
  for (size_t i = 0; i < keys.size(); i += step)
    mask_ |= uint64_t{1} << (hash_bytes(keys[i]) % store::shards);
  for (uint64_t left = mask_; left != 0; left &= left - 1)
    from_.at(static_cast<size_t>(std::countr_zero(left))).lock.lock();
}

locked_keys::~locked_keys() {
  for (uint64_t left = mask_; left != 0; left &= left - 1)
    from_.at(static_cast<size_t>(std::countr_zero(left))).lock.unlock();
}

}  // namespace kv
