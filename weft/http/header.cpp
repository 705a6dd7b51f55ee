// SPDX-License-Identifier: Apache-2.0
// Fields of a message in two blocks of memory.
#include "weft/http/header.hpp"

#include "weft/base/panic.hpp"
#include "weft/http/internal/h1_framing.hpp"

namespace weft::http {

namespace {

bool forbidden_in_value(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t') || byte == 0x7F;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

bool equal_fold(std::string_view a, std::string_view b) noexcept {
  return rt::h1::same_but_case(a, b);
}

bool is_token(std::string_view text) noexcept { return rt::h1::is_token(text); }

std::optional<std::string_view> header::find(std::string_view name) const noexcept {
  for (const place& at : fields_) {
    if (at.name_bytes != name.size()) continue;
    if (equal_fold({text_.data() + at.begin, at.name_bytes}, name))
      return std::string_view(text_.data() + at.begin + at.name_bytes, at.value_bytes);
  }
  return std::nullopt;
}

std::string_view header::get(std::string_view name) const noexcept {
  return find(name).value_or(std::string_view());
}

std::vector<std::string_view> header::values(std::string_view name) const {
  std::vector<std::string_view> out;
  for (const field f : *this)
    if (equal_fold(f.name, name)) out.push_back(f.value);
  return out;
}

bool header::has_token(std::string_view name, std::string_view token) const noexcept {
  for (const field f : *this) {
    if (!equal_fold(f.name, name)) continue;
    std::string_view rest = f.value;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      if (equal_fold(trim(rest.substr(0, comma)), token)) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

void header::add_unchecked(std::string_view name, std::string_view value) {
  const place made{static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(name.size()),
                   static_cast<uint32_t>(value.size())};
  // What is added may be a view into this header's own text.
  if (text_.capacity() - text_.size() < name.size() + value.size()) {
    std::string larger;
    larger.reserve(2 * text_.capacity() + name.size() + value.size());
    larger.append(text_).append(name).append(value);
    text_.swap(larger);
  } else {
    text_.append(name).append(value);
  }
  fields_.push_back(made);
}

void header::add(std::string_view name, std::string_view value) {
  if (!is_token(name)) panic("http: a header field cannot be named \"" + std::string(name) + "\"");
  const std::string_view trimmed = trim(value);
  add_unchecked(name, trimmed);
  const place& at = fields_.back();
  for (size_t i = 0; i < at.value_bytes; ++i) {
    char& c = text_[at.begin + at.name_bytes + i];
    if (forbidden_in_value(c)) c = ' ';
  }
}

void header::set(std::string_view name, std::string_view value) {
  // Added first: `value` may be a view of what goes.
  add(name, value);
  const size_t last = fields_.size() - 1;
  size_t kept = 0;
  const std::string_view own = (*this)[last].name;
  for (size_t i = 0; i < last; ++i)
    if (!equal_fold((*this)[i].name, own)) fields_[kept++] = fields_[i];
  fields_[kept++] = fields_[last];
  fields_.resize(kept);
}

void header::erase(std::string_view name) noexcept {
  size_t kept = 0;
  for (size_t i = 0; i < fields_.size(); ++i)
    if (!equal_fold((*this)[i].name, name)) fields_[kept++] = fields_[i];
  fields_.resize(kept);
}

void header::clear() noexcept {
  text_.clear();
  fields_.clear();
}

void header::reserve(size_t fields, size_t text_bytes) {
  fields_.reserve(fields);
  text_.reserve(text_bytes);
}

}  // namespace weft::http
