// SPDX-License-Identifier: Apache-2.0
// "text/html; charset=utf-8" and "form-data; name=x": a word and its parameters.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/base/error.hpp"

namespace weft::http {

/// The value of a Content-Type or Content-Disposition field.
struct WEFT_API media_type {
  /// In lower case: "multipart/form-data".
  std::string type;
  /// Names in lower case, each once; values without quotes.
  std::vector<std::pair<std::string, std::string>> parameters;

  /// Fails for what is no media type, and for a parameter that is given twice. In a quoted value a
  /// backslash escapes a quote or a backslash, and stands for itself otherwise, since browsers put
  /// Windows' paths there. "name*=UTF-8''%C3%A9" (RFC 8187) is decoded, and preferred to "name=".
  [[nodiscard]] static result<media_type> parse(std::string_view text);
  /// Empty if there is none.
  [[nodiscard]] std::string_view parameter(std::string_view name) const noexcept;
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
};

}  // namespace weft::http
