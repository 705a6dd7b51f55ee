// SPDX-License-Identifier: Apache-2.0
// What the pages have in common: which form is asked for, and how it is sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "weft/http/handler.hpp"
#include "weft/json/json.hpp"

namespace weft::debughttp {

enum class form : uint8_t { text, html, json };

/// By ?format=text|html|json, else by Accept. `html`: the page has such a form; else it is text.
[[nodiscard]] form wanted_form(const http::request& r, bool html = false);

void reply_text(http::response_writer& w, std::string_view text,
                std::string_view type = "text/plain; charset=utf-8");
void reply_html(http::response_writer& w, std::string_view body);
void reply_json(http::response_writer& w, const json::value& value);

/// For text and attributes of HTML.
[[nodiscard]] std::string html_escape(std::string_view text);
/// "12 minutes", "3.4 s", "250 ms".
[[nodiscard]] std::string duration_text(int64_t ns);
/// "1.5 MiB"
[[nodiscard]] std::string bytes_text(uint64_t bytes);
/// printf into a string.
__attribute__((format(printf, 2, 3))) void append_format(std::string& to, const char* format, ...);

}  // namespace weft::debughttp
