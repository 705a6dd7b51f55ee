// SPDX-License-Identifier: Apache-2.0
// The context tree: nodes, and who may touch what.
//
//   background <- cancel A <- value <- cancel B     `parent`: strong references, upwards
//                  ^  A.children: B, callback        children: intrusive list, no references
//
// A cancel node's `canceller` is itself; any other node's is the nearest cancel node above it, so
// done() and err() are one step. All cancel nodes of one tree (up to a root that is never
// cancelled) share one lock, that of the topmost: cancelling is a walk over the subtree under that
// lock, iterative, and for everybody else one event.
//
// Invariants:
//  1. state != live implies that the node is in no list and has no children. Otherwise a cancelled
//     context would keep its parent's list growing.
//  2. settled is the last thing a cancellation writes to a node. Otherwise the node's destructor,
//     which skips the lock then, could free it too early.
//  3. A node in a list is alive: its destructor leaves the list, under the lock, before it frees.
//
// Rejected: a lock per node, the parent's held while the children are cancelled (Go). It needs
// nested locks of one rank and a recursion as deep as the tree. Contention is that of Go's too: the
// requests of a server are children of one node either way.
#pragma once

#include <cstdint>

#include "weft/base/error.hpp"
#include "weft/base/futex_mutex.hpp"
#include "weft/sched/heap_object.hpp"
#include "weft/sched/internal/timer_node.hpp"
#include "weft/sync/context.hpp"

namespace weft::rt {

enum class context_kind : uint8_t { background, todo, cancel, deadline, value, without_cancel };

struct context_node : heap_object {
  explicit constexpr context_node(context_kind k) noexcept : kind(k) {}
  context_kind kind;
  atomic<uint32_t> refs{1};  // not counted for background and todo
  context_node* parent = nullptr;
  cancel_node* canceller = nullptr;

  [[nodiscard]] bool immortal() const noexcept { return parent == nullptr; }
};

struct value_node : context_node {
  value_node() noexcept : context_node(context_kind::value) {}
  const void* typed_key = nullptr;  // a context_key's address, or null
  const char* key_name = "";
  std::unique_ptr<context_key_base> key;  // an ordinary key, or null
  context_value held;
};

/// What can be in a cancel node's list. Under the tree's lock.
struct context_child {
  context_child* next = nullptr;
  context_child* prev = nullptr;
  bool attached = false;
  bool is_callback = false;
};

/// Bits of cancel_node::state. Set once, in this order, under the tree's lock.
inline constexpr uint32_t context_live = 0;
inline constexpr uint32_t context_canceled = 1;  // or
inline constexpr uint32_t context_expired = 2;
inline constexpr uint32_t context_settled = 4;  // with one of the two: done() is closed

struct cancel_node : context_node, context_child {
  explicit cancel_node(context_kind k) noexcept : context_node(k) { canceller = this; }
  /// Holds the lock of this tree; this node itself if no node above can be cancelled.
  cancel_node* top = this;
  futex_mutex lock{lock_rank::context};  // used in the topmost only
  atomic<uint32_t> state{context_live};
  /// Made by the first done(). Under top->lock; read without it once it is there.
  atomic<hchan*> done{nullptr};
  /// Under top->lock; constant once settled.
  error cause;
  context_child* children = nullptr;
  /// Work list of a cancellation.
  cancel_node* pending = nullptr;
  // A deadline's. Constant, but for the timer, which has its own protection.
  int64_t deadline_ns = 0;
  error deadline_cause;
  timer_node timer;
};

struct context_callback : context_child, heap_object {
  context ctx;  // keeps the node whose list it is in
  callback_function f;
  atomic<uint32_t> refs{2};  // the stop function; the list, then the goroutine
  bool stopped = false;      // for contexts that are never cancelled
};

/// Ends the subtree of `n`; false if it had ended. Needs no section.
bool cancel_context(cancel_node& n, uint32_t how, const error& why) noexcept;
/// The same from a timer's fire: inside a section.
bool cancel_in_section(cancel_node& n, uint32_t how, const error& why) noexcept;

}  // namespace weft::rt
