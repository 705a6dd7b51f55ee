// SPDX-License-Identifier: Apache-2.0
// Finds where responses end. As little work as that takes: of a head, the status and the headers
// that frame the body; bodies are counted and dropped.
#pragma once

#include <cstdint>
#include <string_view>

namespace load {

class response_reader {
 public:
  enum class verdict : uint8_t { more, done, bad };

  /// The next bytes answer a request; `head`: to HEAD, so that no body follows.
  void begin(bool head) noexcept;
  /// Consumes `used` bytes of `data`. A head is consumed only once it is whole: until then the
  /// caller keeps its bytes and comes again with more. `bad`: see complaint().
  [[nodiscard]] verdict feed(std::string_view data, size_t& used);
  /// The peer has ended its stream: `done` if the body lasts until then.
  [[nodiscard]] verdict end() noexcept;

  [[nodiscard]] int status() const noexcept { return status_; }
  /// Another request may follow on this connection.
  [[nodiscard]] bool keep_alive() const noexcept { return keep_alive_; }
  /// Something of the response has been consumed.
  [[nodiscard]] bool started() const noexcept { return state_ != state::head || interim_; }
  [[nodiscard]] const char* complaint() const noexcept { return complaint_; }

 private:
  enum class state : uint8_t { head, sized, chunk_size, chunk, chunk_end, trailer, until_end };
  bool parse_head(std::string_view head);
  bool parse_header(std::string_view line);
  verdict refuse(const char* why) noexcept;
  /// One step of a chunked body; sets `used` to what it took. `done` means the body's end.
  verdict feed_chunked(std::string_view data, size_t& used);

  state state_ = state::head;
  bool head_only_ = false;
  bool interim_ = false;
  bool keep_alive_ = true;
  bool chunked_ = false;
  bool sized_ = false;
  int status_ = 0;
  uint64_t left_ = 0;
  const char* complaint_ = "";
};

}  // namespace load
