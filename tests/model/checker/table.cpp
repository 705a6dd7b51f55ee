// SPDX-License-Identifier: Apache-2.0
// What the checker knows of each word of memory: histories of atomics, and who accessed plain bytes
// when, by which races are judged.
#include <cstdio>
#include <cstring>

#include "engine.hpp"

namespace model {
granule& granule_of(const void* at) {
  engine& e = *the_engine;
  const uintptr_t word = reinterpret_cast<uintptr_t>(at) >> 3;
  uint32_t i = static_cast<uint32_t>(word * 0x9e3779b97f4a7c15ULL >> 40) % granules;
  for (uint32_t probes = 0; probes < granules; ++probes, i = (i + 1) % granules) {
    granule& g = e.table[i];
    if (g.generation == e.generation && g.word == word) return g;
    if (g.generation == e.generation) continue;
    g = granule{};
    g.generation = e.generation;
    g.word = word;
    return g;
  }
  fail("the checker's table is full: a smaller scenario is wanted");
}

store_record* new_store(uint64_t value) {
  engine& e = *the_engine;
  if (e.store_count == stores) fail("the checker's stores are used up");
  store_record* s = &e.store_pool[e.store_count++];
  s->value = value;
  s->hb = s->view = clock{};
  s->sequence = ++e.sequence;
  s->writer = e.current;
  s->by_rmw = false;
  for (uint32_t& seen : s->first_seen) seen = never_seen;
  return s;
}

namespace {

void race(const char* now, const char* before, int other, const void* at) {
  char text[200];
  std::snprintf(text, sizeof text, "data race: %s by T%d and %s by T%d at %p are not ordered", now,
                the_engine->current, before, other, at);
  fail(text);
}

/// Atomic accesses race with plain writes.
void check_atomic(granule& g, const void* at, uint32_t bytes) {
  engine& e = *the_engine;
  const auto offset = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(at) & 7);
  const thread& t = self();
  for (uint16_t i = g.cells; i != 0; i = e.cells[i].next) {
    const plain_cell& c = e.cells[i];
    if (c.offset >= offset + bytes || offset >= c.offset + c.bytes) continue;
    if (c.writer >= 0 && c.writer != e.current && c.write_event > t.hb.at[c.writer])
      race("atomic access", "plain write", c.writer, at);
  }
}

}  // namespace

location& location_of(const void* at, uint32_t bytes) {
  engine& e = *the_engine;
  granule& g = granule_of(at);
  uint16_t& index = g.locations[reinterpret_cast<uintptr_t>(at) & 7];
  if (index == 0) {
    if (e.location_count == locations_max) fail("the checker's locations are used up");
    index = static_cast<uint16_t>(e.location_count++);
    location& fresh = e.locations[index];
    fresh = location{};
    fresh.address = at;
    fresh.bytes = bytes;
    fresh.number = index;
    store_record* first = new_store(peek(at, bytes));
    for (uint32_t& seen : first->first_seen) seen = 0;
    fresh.history[fresh.count++] = first;
  }
  check_atomic(g, at, bytes);
  location& l = e.locations[index];
  return l;
}

void plain_access(const void* at, size_t bytes, bool write) {
  engine& e = *the_engine;
  const auto* p = static_cast<const std::byte*>(at);
  const bool ours =
      (p >= e.arena && p < e.arena + arena_bytes) || (p >= e.statics_lo && p < e.statics_hi);
  if (!ours) return;
  thread& t = self();
  while (bytes > 0) {
    const auto offset = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(p) & 7);
    const auto length = static_cast<uint32_t>(bytes < 8 - offset ? bytes : 8 - offset);
    granule& g = granule_of(p);
    plain_cell* own = nullptr;
    for (uint16_t i = g.cells; i != 0; i = e.cells[i].next) {
      plain_cell& c = e.cells[i];
      if (c.offset == offset && c.bytes == length) own = &c;
      if (c.offset >= offset + length || offset >= static_cast<uint32_t>(c.offset + c.bytes))
        continue;
      if (c.writer >= 0 && c.writer != e.current && c.write_event > t.hb.at[c.writer])
        race(write ? "plain write" : "plain read", "plain write", c.writer, p);
      if (!write) continue;
      for (int other = 0; other < e.thread_count; ++other)
        if (other != e.current && c.read_event[other] > t.hb.at[other])
          race("plain write", "plain read", other, p);
    }
    if (write) {
      for (uint32_t i = offset; i < offset + length; ++i) {
        if (g.locations[i] == 0) continue;
        const location& l = e.locations[g.locations[i]];
        for (int other = 0; other < e.thread_count; ++other)
          if (other != e.current && l.access[other] > t.hb.at[other])
            race("plain write", "atomic access", other, p);
      }
    }
    if (own == nullptr) {
      if (e.cell_count == cells_max) fail("the checker's cells are used up");
      const auto index = static_cast<uint16_t>(e.cell_count++);
      own = &e.cells[index];
      *own = plain_cell{};
      own->offset = static_cast<uint8_t>(offset);
      own->bytes = static_cast<uint8_t>(length);
      own->writer = -1;
      own->next = g.cells;
      g.cells = index;
    }
    if (write) {
      own->writer = static_cast<int16_t>(e.current);
      own->write_event = event_of(t);
    } else {
      own->read_event[e.current] = event_of(t);
    }
    p += length;
    bytes -= length;
  }
}

void note_plain(const void* at, size_t bytes, bool write) {
  if (!simulated()) return;
  const inside in;
  plain_access(at, bytes, write);
}

void* arena_raw(size_t bytes, size_t alignment) {
  engine& e = *the_engine;
  const size_t at = (e.arena_used + alignment - 1) / alignment * alignment;
  if (at + bytes > arena_bytes - threads_max * thread_stack_bytes) fail("the arena is used up");
  e.arena_used = at + bytes;
  return e.arena + at;
}

void* arena_allocate(size_t bytes, size_t alignment) {
  return std::memset(arena_raw(bytes, alignment), 0, bytes);
}

}  // namespace model
