// SPDX-License-Identifier: Apache-2.0
// From a request's path to a file.
#include "weft/http/file_server.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <memory>

#include "weft/base/panic.hpp"
#include "weft/http/content.hpp"
#include "weft/http/internal/escape.hpp"
#include "weft/http/internal/file_tree.hpp"

namespace weft::http {

namespace {

// A page with more is of no use, and a directory with a million files must not become one.
inline constexpr size_t listed_max = 10000;
// The tag of a file that was changed this recently is weak: it may be changed again within the
// kernel's resolution of times, and be as long as before.
inline constexpr int64_t settled_s = 2;

class file_content final : public content {
 public:
  explicit file_content(const rt::open_file& file) noexcept : file_(file) {}
  uint64_t size() const noexcept override { return file_.facts().size; }
  result<size_t> read_at(std::span<char> to, uint64_t offset) override {
    return file_.read_at(to, offset);
  }
  int descriptor() const noexcept override { return file_.fd(); }

 private:
  const rt::open_file& file_;
};

std::string hex(uint64_t number) {
  std::array<char, 16> out{};
  return {out.data(), std::to_chars(out.data(), out.data() + out.size(), number, 16).ptr};
}

std::string etag_of(const rt::file_facts& facts) {
  const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  std::string tag = now - facts.modified_s < settled_s ? "W/\"" : "\"";
  tag.append(hex(static_cast<uint64_t>(facts.modified_s))).append("-");
  tag.append(hex(static_cast<uint64_t>(facts.modified_ns))).append("-");
  return tag.append(hex(facts.size)).append("\"");
}

void serve_open_file(response_writer& w, request& r, const rt::open_file& file,
                     std::string_view name) {
  if (!w.headers().has("Etag")) w.headers().set("Etag", etag_of(file.facts()));
  file_content what(file);
  serve_content(w, r, {.name = name, .modified_s = file.facts().modified_s}, what);
}

void reply_failure(response_writer& w, request& r, const error& why) {
  const int number = why.code().value();
  if (number == EACCES || number == EPERM)
    reply_error(w, 403, "403 forbidden");
  else if (number == EMFILE || number == ENFILE || number == ENOMEM || number == EIO)
    reply_error(w, 500, "500 internal server error");
  else  // also EXDEV and ELOOP: what is outside does not exist
    not_found(w, r);
}

bool is_hidden(std::string_view path) {
  for (size_t at = path.find("/."); at != std::string_view::npos; at = path.find("/.", at + 1)) {
    const std::string_view name = path.substr(at + 1, path.find('/', at + 1) - at - 1);
    if (name != ".well-known") return true;
  }
  return false;
}

/// A redirect that keeps the query, to a name beside the request's path: it works below any prefix
/// that was stripped.
void redirect_beside(response_writer& w, const request& r, std::string where) {
  // What stands before a colon would be read as a scheme.
  if (where.contains(':') && !where.starts_with('.')) where.insert(0, "./");
  if (!r.url.query.empty()) where.append("?").append(r.url.query);
  w.headers().set("Location", where);
  w.write_head(301);
}

class tree {
 public:
  tree(const std::string& root, file_server_options options) : options_(std::move(options)) {
    result<rt::open_file> opened = rt::open_anywhere(root);
    if (!opened) panic("http: file_server: " + opened.error().message());
    if (!opened->facts().directory) panic("http: file_server: " + root + " is not a directory");
    root_ = std::move(*opened);
  }

  void serve(response_writer& w, request& r) const {
    if (r.method != "GET" && r.method != "HEAD") {
      w.headers().set("Allow", "GET, HEAD");
      reply_error(w, 405, "405 method not allowed");
      return;
    }
    const std::string& asked = r.url.path;
    if (asked.contains('\0')) {
      reply_error(w, 400, "400 bad path");
      return;
    }
    std::string path = clean_path(asked);
    if (path == "/") path.clear();
    const bool slash = asked.ends_with('/') || asked.empty();
    if (path.ends_with('/')) path.pop_back();
    if (!options_.hidden_files && is_hidden(path)) {
      not_found(w, r);
      return;
    }
    const std::string name = path.substr(path.rfind('/') + 1);
    if (!options_.index.empty() && name == options_.index && !slash) {
      redirect_beside(w, r, "./");
      return;
    }
    result<rt::open_file> file = open(path);
    if (!file) {
      reply_failure(w, r, file.error());
    } else if (file->facts().directory) {
      if (slash)
        serve_directory(w, r, path, *file);
      else
        redirect_beside(w, r, path_escape(name) + "/");
    } else if (!file->facts().regular) {
      not_found(w, r);
    } else if (slash) {
      redirect_beside(w, r, "../" + path_escape(name));
    } else {
      send(w, r, *file, name);
    }
  }

 private:
  /// `path` is empty or begins with a slash.
  [[nodiscard]] result<rt::open_file> open(const std::string& path) const {
    return rt::open_beneath(root_.fd(), path.empty() ? "." : path.substr(1),
                            rt::beneath::by_kernel);
  }

  void send(response_writer& w, request& r, const rt::open_file& file,
            std::string_view name) const {
    if (!options_.cache_control.empty() && !w.headers().has("Cache-Control"))
      w.headers().set("Cache-Control", options_.cache_control);
    serve_open_file(w, r, file, name);
  }

  void serve_directory(response_writer& w, request& r, const std::string& path,
                       const rt::open_file& directory) const {
    if (!options_.index.empty()) {
      const result<rt::open_file> index = open(path + "/" + options_.index);
      if (index && index->facts().regular) {
        send(w, r, *index, options_.index);
        return;
      }
    }
    if (!options_.list_directories) {
      not_found(w, r);
      return;
    }
    const auto entries = rt::list(directory, listed_max);
    if (!entries) {
      reply_failure(w, r, entries.error());
      return;
    }
    w.headers().set("Content-Type", "text/html; charset=utf-8");
    std::string page =
        "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n";
    for (const rt::directory_entry& one : *entries) {
      if (!options_.hidden_files && one.name.starts_with('.')) continue;
      const std::string_view end = one.directory ? "/" : "";
      // "./": a name with a colon would be read as a scheme.
      page.append("<a href=\"./").append(rt::html_escape(path_escape(one.name))).append(end);
      page.append("\">").append(rt::html_escape(one.name)).append(end).append("</a>\n");
    }
    page.append("</pre>\n");
    text_content what(page);
    serve_content(w, r, {}, what);
  }

  file_server_options options_;
  rt::open_file root_;
};

}  // namespace

handler file_server(const std::string& root, file_server_options options) {
  auto files = std::make_shared<const tree>(root, std::move(options));
  return [files](response_writer& w, request& r) { files->serve(w, r); };
}

void serve_file(response_writer& w, request& r, const std::string& path) {
  result<rt::open_file> file = rt::open_anywhere(path);
  if (!file)
    reply_failure(w, r, file.error());
  else if (!file->facts().regular)
    not_found(w, r);
  else
    serve_open_file(w, r, *file, path.substr(path.rfind('/') + 1));
}

}  // namespace weft::http
