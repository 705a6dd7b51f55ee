// SPDX-License-Identifier: Apache-2.0
// weft::prof::labels: handles of sets that goroutines share.
#include <algorithm>
#include <map>
#include <vector>

#include "weft/observe/prof.hpp"
#include "weft/sched/internal/label_set.hpp"
#include "weft/sched/internal/section.hpp"

namespace weft::prof {

namespace {

/// The handle's pointer is opaque in the public header.
rt::label_set* inner(detail::label_set* set) noexcept {
  return reinterpret_cast<rt::label_set*>(set);
}
detail::label_set* outer(rt::label_set* set) noexcept {
  return reinterpret_cast<detail::label_set*>(set);
}

rt::label_set* made_of(const std::map<std::string_view, std::string_view>& sorted) {
  std::vector<rt::label_set::pair> pairs;
  for (const auto& [key, value] : sorted) pairs.push_back({key, value});
  return pairs.empty() ? nullptr : rt::make_label_set(pairs.data(), pairs.size());
}

void put_all(std::map<std::string_view, std::string_view>& into, const rt::label_set* set) {
  if (set == nullptr) return;
  for (uint32_t i = 0; i < set->count; ++i) into[set->pairs()[i].key] = set->pairs()[i].value;
}

}  // namespace

void labels::make(const std::string_view* texts, size_t count) {
  std::map<std::string_view, std::string_view> sorted;
  for (size_t i = 0; i + 1 < count; i += 2) sorted[texts[i]] = texts[i + 1];
  set_ = outer(made_of(sorted));
}

labels::labels(const labels& other) noexcept : set_(other.set_) { rt::retain_labels(inner(set_)); }
labels::~labels() { rt::release_labels(inner(set_)); }

labels labels::with(const labels& more) const {
  std::map<std::string_view, std::string_view> sorted;
  put_all(sorted, inner(set_));
  put_all(sorted, inner(more.set_));
  labels out;
  out.set_ = outer(made_of(sorted));
  return out;
}

size_t labels::size() const noexcept { return set_ != nullptr ? inner(set_)->count : 0; }

labels::pair labels::operator[](size_t index) const noexcept {
  const rt::label_set::pair& p = inner(set_)->pairs()[index];
  return {p.key, p.value};
}

std::string_view labels::get(std::string_view key) const noexcept {
  for (size_t i = 0; i < size(); ++i)
    if ((*this)[i].key == key) return (*this)[i].value;
  return {};
}

labels labels::current() noexcept {
  rt::label_set* set = nullptr;
  {
    const rt::section entered;
    set = rt::current() != nullptr ? rt::labels_of(rt::current()) : nullptr;
    rt::retain_labels(set);
  }
  labels out;
  out.set_ = outer(set);
  return out;
}

scope::scope(const labels& added) {
  labels all = labels::current().with(added);
  before_ = outer(rt::exchange_labels(inner(std::exchange(all.set_, nullptr))));
}

scope::~scope() { rt::release_labels(rt::exchange_labels(inner(before_))); }

}  // namespace weft::prof
