// SPDX-License-Identifier: Apache-2.0
// Forms: what a browser sends with POST, read to its end.
//
//   auto form = http::read_form(r);
//   if (!form) return http::reply_form_error(w, form.error());
//   form->values.get("name");
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/error.hpp"
#include "weft/http/content.hpp"
#include "weft/http/handler.hpp"
#include "weft/http/multipart.hpp"
#include "weft/http/request.hpp"
#include "weft/http/url.hpp"

namespace weft::http {

/// Exceeding one fails with http::body_too_large; which one is in the text. The request's own limit
/// (server_limits::body_bytes_max) counts as well.
struct form_limits {
  /// Names and values that are not files, all together.
  size_t values_bytes_max = size_t{1} << 20;
  /// How many of them, and how many files.
  size_t values_max = 1000;
  size_t files_max = 100;
  uint64_t file_bytes_max = uint64_t{32} << 20;
  /// Files together beyond this go to files without names in `temp_dir`, which vanish with the
  /// form, also when the process dies.
  size_t memory_bytes_max = size_t{1} << 20;
  std::string temp_dir = "/tmp";
  multipart_limits multipart{};
};

/// An uploaded file. What is on disk goes with it.
class WEFT_API form_file final : public content {
 public:
  form_file(std::string name, std::string filename, std::string type);
  ~form_file() override;
  /// The form's field, the file's last name, its Content-Type: as the client says.
  std::string name;
  std::string filename;
  std::string content_type;
  [[nodiscard]] uint64_t size() const noexcept override { return size_; }
  [[nodiscard]] result<size_t> read_at(std::span<char> to, uint64_t offset) override;
  /// True if it has gone to disk.
  [[nodiscard]] bool on_disk() const noexcept { return fd_ >= 0; }

  /// For read_form().
  result<void> append(std::string_view text, bool to_disk, const std::string& temp_dir);

 private:
  std::string text_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

struct WEFT_API form {
  query_values values;
  std::vector<std::unique_ptr<form_file>> files;
  /// The first file of this name; null if there is none.
  [[nodiscard]] form_file* file(std::string_view name) const noexcept;
};

/// Reads the body: application/x-www-form-urlencoded or multipart/form-data. Fails with
/// http::not_a_form for another type, http::bad_form for what cannot be read in one way only
/// (wrong escapes, a body cut off), http::body_too_large. May park.
[[nodiscard]] WEFT_API result<form> read_form(request& r, const form_limits& limits = {});
/// "a=1&b=x+y%21", with wrong escapes refused.
[[nodiscard]] WEFT_API result<query_values> parse_form(std::string_view text,
                                                       size_t values_max = 1000);
/// 413, 415, 400, or 500, as the error is.
WEFT_API void reply_form_error(response_writer& w, const error& why);

}  // namespace weft::http
