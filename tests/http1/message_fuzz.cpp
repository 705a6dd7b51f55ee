// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the HTTP/1 parser: heads, framing, bodies, trailers. With libFuzzer (WEFT_FUZZ),
// or from message_test.cpp.
//
//   first byte   what it is (bit 0: a response), what was asked (bits 1-2), the size of the pieces
//   then         the bytes of the wire
//
// Two things must hold. A message means the same however it is cut into pieces. And what we accept,
// another parser accepts with the same meaning: we may refuse more than others, but whatever a
// proxy in front of us lets through, we must not read otherwise. Where we do, on purpose, is listed
// in same_meaning().
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "peer.hpp"
#include "weft/http/h1_judge_testing.hpp"

namespace {

using h1_test::outcome;
using weft::rt::h1::method_id;

void must(bool holds, const char* what, std::string_view wire) {
  if (holds) return;
  std::fprintf(stderr, "message: %s\n---\n%.*s\n---\n", what, static_cast<int>(wire.size()),
               wire.data());
  std::abort();
}

void same_in_pieces(const outcome& whole, const outcome& pieces, std::string_view wire) {
  // Without a line feed a bad line is found out a little later, or not before the time is up.
  if (whole.refused()) return must(!pieces.complete, "accepted in pieces only", wire);
  must(!pieces.refused(), pieces.why.text, wire);
  must(whole.complete == pieces.complete, "complete in one way only", wire);
  if (!whole.complete) return;
  must(whole.consumed == pieces.consumed, "another end in pieces", wire);
  must(whole.method == pieces.method && whole.target == pieces.target, "another line", wire);
  must(whole.status == pieces.status && whole.reason == pieces.reason, "another status", wire);
  must(whole.fields == pieces.fields, "other fields in pieces", wire);
  must(whole.trailers == pieces.trailers, "other trailers in pieces", wire);
  must(whole.body == pieces.body, "another body in pieces", wire);
}

std::string_view without_blanks(std::string_view text) {
  const size_t last = text.find_last_not_of(" \t");
  return last == std::string_view::npos ? "" : text.substr(0, last + 1);
}

bool same_fields(const h1_test::field_list& ours, const h1_test::field_list& theirs) {
  if (ours.size() != theirs.size()) return false;
  for (size_t i = 0; i < ours.size(); ++i) {
    // http-parser leaves blanks at the end of a value to its caller.
    if (ours[i].first != theirs[i].first || ours[i].second != without_blanks(theirs[i].second))
      return false;
  }
  return true;
}

/// http-parser takes a name that begins with "transfer-encoding" for that field, misses
/// `chunked`, and then refuses the message or reads it to the end of the connection.
bool has_longer_coding_name(const h1_test::field_list& fields) {
  constexpr std::string_view name = "transfer-encoding";
  for (const auto& [given, value] : fields) {
    if (given.size() > name.size() &&
        weft::rt::h1::same_but_case(std::string_view(given).substr(0, name.size()), name))
      return true;
  }
  return false;
}

/// http-parser does not skip empty elements of a Connection list, nor tabs, and misses what
/// follows.
bool has_plain_connection(const h1_test::field_list& fields) {
  for (const auto& [name, value] : fields) {
    if (weft::rt::h1::same_but_case(name, "connection") &&
        value.find_first_of(",\t") != std::string::npos)
      return false;
  }
  return true;
}

void same_meaning(const outcome& ours, const outcome& theirs, std::string_view wire) {
  // It knows the methods of a list; ours is any token.
  if (theirs.why.status == 2) return;
  if (has_longer_coding_name(ours.fields)) return;
  must(!theirs.refused(), theirs.why.text, wire);
  must(theirs.complete, "accepted by us, unfinished for the other", wire);
  must(ours.method == theirs.method && ours.target == theirs.target, "another line", wire);
  must(ours.minor_version == theirs.minor_version, "another version", wire);
  must(ours.status == theirs.status, "another status", wire);
  must(same_fields(ours.fields, theirs.fields), "other fields", wire);
  must(same_fields(ours.trailers, theirs.trailers), "other trailers", wire);
  must(ours.body == theirs.body, "another body", wire);
  must(ours.consumed == theirs.consumed, "another end", wire);
  // We may close where the other would not: 1.0 with both options, 204 with a length.
  if (has_plain_connection(theirs.fields))
    must(!ours.keep_alive || theirs.keep_alive, "kept alive by us only", wire);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view wire(reinterpret_cast<const char*>(data) + 1, size - 1);
  h1_test::options how;
  how.response = (data[0] & 1) != 0;
  constexpr method_id asked[] = {method_id::get, method_id::head, method_id::connect,
                                 method_id::post};
  how.asked = asked[data[0] >> 1 & 3];
  const outcome whole = h1_test::judge_whole(wire, how);
  same_in_pieces(whole, h1_test::judge_by(1 + (data[0] >> 3), wire, how), wire);
  if (whole.complete && http1_test::have_peer())
    same_meaning(whole, http1_test::ask_peer(wire, how), wire);
  return 0;
}
