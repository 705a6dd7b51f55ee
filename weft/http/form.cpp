// SPDX-License-Identifier: Apache-2.0
// Reading forms.
#include "weft/http/form.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "weft/http/media_type.hpp"
#include "weft/net/errors.hpp"
#include "weft/sched/runtime.hpp"

namespace weft::http {

namespace {

std::unexpected<error> beyond(const char* limit, uint64_t value) {
  return fail(error::wrap("form_limits::" + std::string(limit) + " is " + std::to_string(value),
                          body_too_large));
}

std::unexpected<error> system_failure(const char* what, int number) {
  return fail(error(std::error_code(number, std::generic_category()),
                    std::string(what) + ": " + std::generic_category().message(number)));
}

/// A file that has no name, or has lost it at once. -errno if there is none.
int open_unnamed(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  // Not every file system has it.
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) return -errno;
  std::string name = folder + "/weft-form-XXXXXX";
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named < 0) return -errno;
  (void)::unlink(name.c_str());
  return named;
}

/// 0, or -errno.
int write_all(int fd, std::string_view text, uint64_t offset) {
  while (!text.empty()) {
    const ssize_t put = ::pwrite(fd, text.data(), text.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return -errno;
    text.remove_prefix(static_cast<size_t>(put));
    offset += static_cast<uint64_t>(put);
  }
  return 0;
}

long read_some(int fd, void* to, size_t bytes, uint64_t offset) {
  for (;;) {
    const ssize_t got = ::pread(fd, to, bytes, static_cast<off_t>(offset));
    if (got >= 0 || errno != EINTR) return got >= 0 ? got : -errno;
  }
}

class form_builder {
 public:
  form_builder(request& r, const form_limits& limits) : request_(r), limits_(limits) {}

  result<form> read_urlencoded() {
    result<std::string> text = request_.body.read_all(limits_.values_bytes_max);
    if (!text) return fail(text.error());
    result<query_values> values = parse_form(*text, limits_.values_max);
    if (!values) return fail(values.error());
    out_.values = std::move(*values);
    return std::move(out_);
  }

  result<form> read_multipart() {
    result<multipart_reader> parts = multipart_reader::of(request_, limits_.multipart);
    if (!parts) return fail(parts.error());
    for (;;) {
      result<multipart_part*> part = parts->next();
      if (!part) return fail(part.error());
      if (*part == nullptr) return std::move(out_);
      const result<void> got = (*part)->has_filename() ? add_file(**part) : add_value(**part);
      if (!got) return fail(got.error());
    }
  }

 private:
  result<void> add_value(multipart_part& part) {
    if (out_.values.pairs().size() == limits_.values_max)
      return beyond("values_max", limits_.values_max);
    values_bytes_ += part.name().size();
    if (values_bytes_ > limits_.values_bytes_max)
      return beyond("values_bytes_max", limits_.values_bytes_max);
    result<std::string> value = part.read_all(limits_.values_bytes_max - values_bytes_);
    if (!value) return fail(value.error());
    values_bytes_ += value->size();
    out_.values.add(std::string(part.name()), std::move(*value));
    return {};
  }

  result<void> add_file(multipart_part& part) {
    if (out_.files.size() == limits_.files_max) return beyond("files_max", limits_.files_max);
    auto file = std::make_unique<form_file>(std::string(part.name()), std::string(part.filename()),
                                            std::string(part.headers().get("Content-Type")));
    for (;;) {
      const result<size_t> got = part.read(piece_);
      if (!got) return fail(got.error());
      if (*got == 0) break;
      if (file->size() + *got > limits_.file_bytes_max)
        return beyond("file_bytes_max", limits_.file_bytes_max);
      const bool to_disk = memory_bytes_ + *got > limits_.memory_bytes_max;
      if (!file->on_disk() && !to_disk) memory_bytes_ += *got;
      if (auto put = file->append({piece_, *got}, to_disk, limits_.temp_dir); !put) return put;
    }
    out_.files.push_back(std::move(file));
    return {};
  }

  request& request_;
  const form_limits& limits_;
  form out_;
  size_t values_bytes_ = 0;
  size_t memory_bytes_ = 0;
  char piece_[16 << 10];
};

}  // namespace

form_file::form_file(std::string of_name, std::string of_filename, std::string type)
    : name(std::move(of_name)), filename(std::move(of_filename)), content_type(std::move(type)) {}

form_file::~form_file() {
  if (fd_ >= 0) ::close(fd_);
}

result<size_t> form_file::read_at(std::span<char> to, uint64_t offset) {
  if (offset >= size_) return size_t{0};
  if (fd_ < 0) {
    const size_t count = std::min(to.size(), text_.size() - static_cast<size_t>(offset));
    std::memcpy(to.data(), text_.data() + offset, count);
    return count;
  }
  const long got = blocking([&] { return read_some(fd_, to.data(), to.size(), offset); });
  if (got < 0) return system_failure("read of an uploaded file", static_cast<int>(-got));
  return static_cast<size_t>(got);
}

result<void> form_file::append(std::string_view text, bool to_disk, const std::string& temp_dir) {
  if (fd_ < 0 && !to_disk) {
    text_.append(text);
    size_ += text.size();
    return {};
  }
  const int failed = blocking([&] {
    if (fd_ < 0) {
      const int made = open_unnamed(temp_dir);
      if (made < 0) return made;
      fd_ = made;
      if (const int put = write_all(fd_, text_, 0); put != 0) return put;
      text_ = {};
    }
    return write_all(fd_, text, size_);
  });
  if (failed != 0) return system_failure("an uploaded file", -failed);
  size_ += text.size();
  return {};
}

form_file* form::file(std::string_view name) const noexcept {
  for (const std::unique_ptr<form_file>& one : files)
    if (one->name == name) return one.get();
  return nullptr;
}

result<query_values> parse_form(std::string_view text, size_t values_max) {
  query_values out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    if (out.pairs().size() == values_max) return beyond("values_max", values_max);
    const size_t equals = std::min(pair.find('='), pair.size());
    std::optional<std::string> name = query_unescape(pair.substr(0, equals));
    std::optional<std::string> value =
        query_unescape(pair.substr(std::min(equals + 1, pair.size())));
    if (!name || !value) return fail(error::wrap("an escape that is not %XX", bad_form));
    out.add(std::move(*name), std::move(*value));
  }
  return out;
}

result<form> read_form(request& r, const form_limits& limits) {
  const result<media_type> type = media_type::parse(r.headers.get("Content-Type"));
  if (!type) return fail(not_a_form);
  // Its buffer is too large for a small stack.
  const auto builder = std::make_unique<form_builder>(r, limits);
  if (type->type == "application/x-www-form-urlencoded") return builder->read_urlencoded();
  if (type->type == "multipart/form-data") return builder->read_multipart();
  return fail(not_a_form);
}

void reply_form_error(response_writer& w, const error& why) {
  if (why.is(body_too_large))
    reply_error(w, 413, "413 content too large");
  else if (why.is(not_a_form))
    reply_error(w, 415, "415 a form is wanted");
  else if (why.is(bad_form) || why.is(net::unexpected_eof))
    reply_error(w, 400, "400 bad form");
  else
    reply_error(w, 500, "500 internal server error");
}

}  // namespace weft::http
