// SPDX-License-Identifier: Apache-2.0
// Cancellation: attaching to the tree, ending a subtree, callbacks. internal/context_node.hpp has
// the structure and its invariants.
#include "weft/sync/context.hpp"

#include "weft/base/panic.hpp"
#include "weft/base/race.hpp"
#include "weft/sync/internal/context_node.hpp"
#include "weft/sync/internal/hchan.hpp"
#include "weft/sync/internal/parking.hpp"

namespace weft {

// Never destroyed: goroutines may still compare with them while the process exits.
const error& canceled = *new error("context canceled");
const error& deadline_exceeded =
    *new error(std::make_error_code(std::errc::timed_out), "context deadline exceeded");

namespace rt {
namespace {

constinit context_node background_node{context_kind::background};
constinit context_node todo_node{context_kind::todo};

void attach(cancel_node& parent, context_child& child) noexcept WEFT_REQUIRES(parent.top->lock) {
  child.prev = nullptr;
  child.next = parent.children;
  if (child.next != nullptr) child.next->prev = &child;
  parent.children = &child;
  child.attached = true;
}

void detach(cancel_node& parent, context_child& child) noexcept WEFT_REQUIRES(parent.top->lock) {
  if (!child.attached) return;
  if (child.prev != nullptr)
    child.prev->next = child.next;
  else
    parent.children = child.next;
  if (child.next != nullptr) child.next->prev = child.prev;
  child.attached = false;
}

const error& sentinel(uint32_t state) noexcept {
  return (state & context_expired) != 0 ? deadline_exceeded : canceled;
}

/// Closes the channel of a node that ends; adds who waits on it to the chain.
WEFT_UNCHECKED void close_done(hchan* c, sudog**& tail) noexcept {
  c->lock.lock();
  *tail = close_locked(*c);
  c->lock.unlock();
  while (*tail != nullptr) tail = &(*tail)->next;
}

/// One node's part of a cancellation: own channel first, then the children onto the lists.
WEFT_UNCHECKED void end_node(cancel_node& n, uint32_t how, const error& why, cancel_node*& pending,
                             context_callback*& callbacks, sudog**& waiters_tail) noexcept {
  n.cause = why;
  race_release(&n);  // partner: race_acquire() wherever a context tells that it has ended
  // release: partner: the acquire in err(): the cause is written. Before the channel is closed,
  // so that whoever sees that finds an error.
  n.state.store(how, release);
  if (hchan* c = n.done.load(relaxed); c != nullptr) close_done(c, waiters_tail);
  if (n.kind == context_kind::deadline) (void)disarm(n.timer);
  while (context_child* child = n.children) {
    detach(n, *child);
    if (child->is_callback) {
      child->next = callbacks;
      callbacks = static_cast<context_callback*>(child);
    } else {
      auto* below = static_cast<cancel_node*>(child);
      below->pending = pending;
      pending = below;
    }
  }
  // release: partner: the acquire in destroy_cancel_node(); the last access to the node.
  n.state.store(how | context_settled, release);
}

void unref_callback(context_callback* c) noexcept {
  race_release(&c->refs);  // partner: whoever destroys the function
  // acq_rel: as in release_chan().
  if (c->refs.fetch_sub(1, acq_rel) != 1) return;
  race_acquire(&c->refs);
  delete c;
}

void run_callback(void* argument) {
  struct at_end {
    context_callback* c;
    ~at_end() { unref_callback(c); }
  };
  const at_end guard{static_cast<context_callback*>(argument)};
  race_acquire(guard.c);
  guard.c->f();
}

void start_callback(context_callback* c) noexcept {
  start_goroutine(run_callback, c, "context.after_func");
}

void deadline_fired(timer_node* node, int64_t) noexcept {
  auto& n = *static_cast<cancel_node*>(node->argument);
  (void)cancel_in_section(n, context_expired, n.deadline_cause);
}

WEFT_UNCHECKED void destroy_cancel_node(cancel_node* n) noexcept {
  if (n->kind == context_kind::deadline) {
    const section s;
    (void)disarm_wait(n->timer);
  }
  // acquire: partner: end_node(). Settled: it is in no list and nobody works on it.
  if ((n->state.load(acquire) & context_settled) == 0 && n->parent->canceller != nullptr) {
    const section s;
    n->top->lock.lock();
    detach(*n->parent->canceller, *n);
    n->top->lock.unlock();
  }
  if (hchan* c = n->done.load(acquire); c != nullptr) release_chan(c);
  delete n;
}

void destroy_node(context_node* n) noexcept {
  switch (n->kind) {
    case context_kind::cancel:
    case context_kind::deadline:
      destroy_cancel_node(static_cast<cancel_node*>(n));
      break;
    case context_kind::value:
      delete static_cast<value_node*>(n);
      break;
    default:
      delete n;
  }
}

/// A new node below `parent`, which it keeps.
template <class Node>
void hang_below(Node& n, const context& parent) noexcept {
  n.parent = parent.node();
  retain_context(n.parent);
}

/// Before a node is made below `parent`.
void require_parent(const context& parent) {
  if (!parent) panic("cannot create context from nil parent");
  if (sim_enabled) [[unlikely]]
    sim_allocation();
}

/// Makes `n` part of the tree: cancelled with its parent from here on, or already.
WEFT_UNCHECKED void propagate_cancel(cancel_node& n) noexcept {
  cancel_node* above = n.parent->canceller;
  if (above == nullptr) return;
  n.top = above->top;
  const section s;
  n.top->lock.lock();
  const uint32_t state = above->state.load(relaxed);
  if (state == context_live) {
    attach(*above, n);
  } else {
    race_acquire(above);
    race_release(&n);
    n.cause = above->cause;
    n.state.store(state, release);
  }
  n.top->lock.unlock();
}

}  // namespace

void retain_context(context_node* n) noexcept {
  if (!n->immortal()) n->refs.fetch_add(1, relaxed);
}

void release_context(context_node* n) noexcept {
  // A loop, not a recursion: a chain may be long.
  while (n != nullptr && !n->immortal()) {
    race_release(&n->refs);  // partner: whoever destroys a value
    // acq_rel: as in release_chan().
    if (n->refs.fetch_sub(1, acq_rel) != 1) return;
    race_acquire(&n->refs);
    context_node* parent = n->parent;
    destroy_node(n);
    n = parent;
  }
}

WEFT_UNCHECKED bool cancel_in_section(cancel_node& n, uint32_t how, const error& why) noexcept {
  sudog* waiters = nullptr;
  sudog** tail = &waiters;
  context_callback* callbacks = nullptr;
  const error& because = why ? why : sentinel(how);
  futex_mutex& lock = n.top->lock;
  lock.lock();
  if (n.state.load(relaxed) != context_live) {
    lock.unlock();
    return false;
  }
  if (cancel_node* above = n.parent->canceller; above != nullptr) detach(*above, n);
  cancel_node* pending = nullptr;
  end_node(n, how, because, pending, callbacks, tail);
  while (pending != nullptr) {
    cancel_node& below = *pending;
    pending = below.pending;
    end_node(below, how, because, pending, callbacks, tail);
  }
  lock.unlock();
  wake_closed(waiters);
  while (callbacks != nullptr) {
    context_callback* c = callbacks;
    callbacks = static_cast<context_callback*>(c->next);
    start_callback(c);
  }
  return true;
}

bool cancel_context(cancel_node& n, uint32_t how, const error& why) noexcept {
  // Settled long ago: the usual second call, from cancel_func's destructor.
  if ((n.state.load(acquire) & context_settled) != 0) return false;
  const section s;
  return cancel_in_section(n, how, why);
}

context_callback* add_callback(const context& ctx, callback_function f) {
  require_parent(ctx);
  auto* c = new context_callback;
  c->is_callback = true;
  c->ctx = ctx;
  c->f = std::move(f);
  race_release(c);  // partner: run_callback()
  cancel_node* n = ctx.node()->canceller;
  if (n == nullptr) {
    c->refs.store(1, relaxed);
    return c;
  }
  bool live;
  {
    const section s;
    const lock_scope held(n->top->lock);
    live = n->state.load(relaxed) == context_live;
    if (live) attach(*n, *c);
  }
  if (!live) {
    const section s;
    start_callback(c);
  }
  return c;
}

WEFT_UNCHECKED bool stop_callback(context_callback* c) noexcept {
  cancel_node* n = c->ctx.node()->canceller;
  if (n == nullptr) return !std::exchange(c->stopped, true);
  bool prevented;
  {
    const section s;
    const lock_scope held(n->top->lock);
    prevented = c->attached;
    detach(*n, *c);
  }
  if (prevented) unref_callback(c);
  return prevented;
}

void release_callback(context_callback* c) noexcept { unref_callback(c); }

void panic_nil_key() { panic("nil key"); }

context with_typed_value(const context& parent, const void* key, const char* name,
                         context_value value) {
  require_parent(parent);
  auto* n = new value_node;
  n->typed_key = key;
  n->key_name = name;
  n->held = std::move(value);
  hang_below(*n, parent);
  n->canceller = n->parent->canceller;
  return context::adopt(n);
}

context with_any_value(const context& parent, std::unique_ptr<context_key_base> key,
                       context_value value) {
  require_parent(parent);
  auto* n = new value_node;
  n->key = std::move(key);
  n->held = std::move(value);
  hang_below(*n, parent);
  n->canceller = n->parent->canceller;
  return context::adopt(n);
}

}  // namespace rt

context background() noexcept { return context::adopt(&rt::background_node); }
context todo() noexcept { return context::adopt(&rt::todo_node); }

namespace {

context new_cancel_context(const context& parent) {
  rt::require_parent(parent);
  auto* n = new rt::cancel_node(rt::context_kind::cancel);
  rt::hang_below(*n, parent);
  rt::propagate_cancel(*n);
  return context::adopt(n);
}

}  // namespace

context_and_cancel with_cancel(const context& parent) {
  context ctx = new_cancel_context(parent);
  return {ctx, cancel_func(ctx)};
}

context_and_cancel_cause with_cancel_cause(const context& parent) {
  context ctx = new_cancel_context(parent);
  return {ctx, cancel_cause_func(ctx)};
}

context_and_cancel with_deadline(const context& parent, time_point when, error cause) {
  rt::require_parent(parent);
  const std::optional<time_point> earlier = parent.deadline();
  if (earlier && *earlier < when) return with_cancel(parent);
  auto* n = new rt::cancel_node(rt::context_kind::deadline);
  n->deadline_ns = when.time_since_epoch().count();
  n->deadline_cause = std::move(cause);
  n->timer.fire = rt::deadline_fired;
  n->timer.argument = n;
  rt::hang_below(*n, parent);
  rt::propagate_cancel(*n);
  context ctx = context::adopt(n);
  if (n->deadline_ns <= rt::now_ns()) {
    (void)rt::cancel_context(*n, rt::context_expired, n->deadline_cause);
  } else {
    const rt::section s;
    const rt::lock_scope held(n->top->lock);
    if (n->state.load(rt::relaxed) == rt::context_live) rt::arm(n->timer, n->deadline_ns);
  }
  return {ctx, cancel_func(ctx)};
}

context without_cancel(const context& parent) {
  rt::require_parent(parent);
  auto* n = new rt::context_node(rt::context_kind::without_cancel);
  rt::hang_below(*n, parent);
  return context::adopt(n);
}

void cancel_func::operator()() const noexcept {
  if (ctx_) (void)rt::cancel_context(*ctx_.node()->canceller, rt::context_canceled, canceled);
}

void cancel_cause_func::operator()(error cause) const noexcept {
  if (ctx_) (void)rt::cancel_context(*ctx_.node()->canceller, rt::context_canceled, cause);
}

error cause(const context& ctx) {
  const rt::cancel_node* n = ctx ? ctx.node()->canceller : nullptr;
  if (!ctx.err()) return {};  // waits for a cancellation under way
  return n->cause;
}

}  // namespace weft
