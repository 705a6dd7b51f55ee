// SPDX-License-Identifier: Apache-2.0
// The command line.
#include "options.hpp"

#include <charconv>
#include <string_view>

namespace kv {

namespace {

bool whole_number(std::string_view name, std::string_view text, int64_t least, int64_t most,
                  int64_t& out, std::string& message) {
  int64_t got = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), got);
  if (bad == std::errc{} && end == text.data() + text.size() && got >= least && got <= most) {
    out = got;
    return true;
  }
  message = std::string(name) + " \"" + std::string(text) + "\": must be a whole number from " +
            std::to_string(least) + " to " + std::to_string(most);
  return false;
}

}  // namespace

const char* usage() noexcept {
  return "usage: weft-kv [--port N] [--bind ADDRESS] [--unix PATH] [--maxclients N] [--max-bulk "
         "BYTES]\n"
         "  --port N          TCP port, 0..65535; 0 lets the system choose (default 6379)\n"
         "  --bind ADDRESS    address to listen on (default 127.0.0.1)\n"
         "  --unix PATH       listen on a Unix socket too\n"
         "  --maxclients N    clients at once, 1..1000000 (default 10000)\n"
         "  --max-bulk BYTES  largest argument, 1024..4294967296 (default 536870912)\n";
}

bool parse_options(std::span<char* const> arguments, server_options& out, bool& help,
                   std::string& message) {
  help = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string_view name = arguments[i];
    if (name == "--help" || name == "-h") {
      help = true;
      return true;
    }
    std::string_view text;
    if (const size_t equals = name.find('='); equals != std::string_view::npos) {
      text = name.substr(equals + 1);
      name = name.substr(0, equals);
    } else if (i + 1 < arguments.size()) {
      text = arguments[++i];
    } else {
      message = std::string(name) + ": a value is missing";
      return false;
    }
    int64_t number = 0;
    if (name == "--port") {
      if (!whole_number(name, text, 0, 65535, number, message)) return false;
      out.port = static_cast<uint16_t>(number);
    } else if (name == "--bind") {
      out.bind = text;
    } else if (name == "--unix") {
      // 107: what struct sockaddr_un holds, less the final zero.
      if (text.empty() || text.size() > 107) {
        message = "--unix \"" + std::string(text) + "\": must be a path of 1 to 107 bytes";
        return false;
      }
      out.unix_path = text;
    } else if (name == "--maxclients") {
      if (!whole_number(name, text, 1, 1000000, out.clients_max, message)) return false;
    } else if (name == "--max-bulk") {
      if (!whole_number(name, text, 1024, 4LL << 30, out.bulk_bytes_max, message)) return false;
    } else {
      message = std::string(name) + ": unknown option";
      return false;
    }
  }
  return true;
}

}  // namespace kv
