// SPDX-License-Identifier: Apache-2.0
// multipart bodies (RFC 2046, 7578), part by part as they arrive.
//
//   auto parts = http::multipart_reader::of(r);
//   if (!parts) ...
//   for (;;) {
//     auto part = parts->next();
//     if (!part) ...            // an error
//     if (*part == nullptr) break;
//     (*part)->name(); (*part)->read(buffer);
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "weft/base/error.hpp"
#include "weft/http/body.hpp"
#include "weft/http/header.hpp"
#include "weft/http/request.hpp"

namespace weft::rt {
class multipart_parser;
}

namespace weft::http {

/// Exceeding one fails with http::body_too_large; which one is in the text.
struct multipart_limits {
  size_t parts_max = 1000;
  /// Of one part, and how many fields.
  size_t header_bytes_max = size_t{8} << 10;
  size_t header_fields_max = 32;
  /// Of one part's content. 0: what the request's limit allows.
  uint64_t part_bytes_max = 0;
};

/// Valid until the next call of multipart_reader::next().
class WEFT_API multipart_part {
 public:
  [[nodiscard]] const header& headers() const noexcept { return headers_; }
  /// The form's field.
  [[nodiscard]] std::string_view name() const noexcept { return name_; }
  /// The file's last name: paths before it are cut off, so that it cannot lead anywhere. Empty: no
  /// file, or one without a name.
  [[nodiscard]] std::string_view filename() const noexcept { return filename_; }
  [[nodiscard]] bool has_filename() const noexcept { return has_filename_; }
  /// At least one byte; 0 at the part's end. May park.
  [[nodiscard]] result<size_t> read(std::span<char> to);
  [[nodiscard]] result<std::string> read_all(size_t limit_bytes);

 private:
  friend class rt::multipart_parser;
  explicit multipart_part(rt::multipart_parser& of) noexcept : of_(&of) {}
  rt::multipart_parser* of_;
  header headers_;
  std::string name_;
  std::string filename_;
  bool has_filename_ = false;
};

/// Strict: a boundary is followed by a line end or by "--"; lines of part heads end in CRLF; each
/// part is "Content-Disposition: form-data" with a name. Otherwise it fails with http::bad_form:
/// what two programs read differently, one checks and the other stores.
class WEFT_API multipart_reader {
 public:
  /// Takes the request's body. Fails with http::not_a_form if the Content-Type is not
  /// multipart/form-data, with http::bad_form if its boundary is missing or wrong.
  [[nodiscard]] static result<multipart_reader> of(request& r, multipart_limits limits = {});
  multipart_reader(body from, std::string_view boundary, multipart_limits limits = {});
  multipart_reader(multipart_reader&&) noexcept;
  multipart_reader& operator=(multipart_reader&&) noexcept;
  ~multipart_reader();

  /// Skips what is left of the part before. Null: that was the last one. May park.
  [[nodiscard]] result<multipart_part*> next();

 private:
  std::unique_ptr<rt::multipart_parser> parser_;
};

/// "http: bad form": answer 400. "http: not a form": answer 415.
extern WEFT_API const error bad_form;
extern WEFT_API const error not_a_form;

}  // namespace weft::http
