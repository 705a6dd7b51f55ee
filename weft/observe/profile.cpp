// SPDX-License-Identifier: Apache-2.0
// What profiles of all kinds do alike.
#include "weft/observe/internal/profile.hpp"

#include <algorithm>

#include "weft/observe/internal/gzip.hpp"

namespace weft::rt {

void profile::add(profile_stack stack, std::vector<int64_t> values) {
  const auto [at, fresh] = samples.try_emplace(std::move(stack), std::move(values));
  if (fresh) return;
  for (size_t i = 0; i < at->second.size(); ++i) at->second[i] += values[i];
}

void profile::subtract(const profile& before) {
  for (const auto& [stack, values] : before.samples) {
    std::vector<int64_t> negative(values);
    for (int64_t& v : negative) v = -v;
    add(stack, std::move(negative));
  }
  std::erase_if(samples, [](const auto& entry) {
    return std::ranges::all_of(entry.second, [](int64_t v) { return v == 0; });
  });
}

result<void> write_profile(const profile& p, prof::sink to, prof::form how) {
  if (how != prof::form::proto) return to(to_text(p));
  const std::string packed = gzip(to_proto(p));
  if (packed.empty())
    return fail(error(std::make_error_code(std::errc::not_enough_memory), "prof: out of memory"));
  return to(packed);
}

}  // namespace weft::rt
