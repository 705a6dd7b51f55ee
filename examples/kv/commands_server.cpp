// SPDX-License-Identifier: Apache-2.0
// Commands about the connection and the server.
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "commands.hpp"
#include "glob.hpp"
#include "server.hpp"
#include "weft/sched/dump.hpp"
#include "weft/sched/runtime.hpp"

namespace kv {

namespace {

void wrong_arguments(session& s, arguments a) {
  s.out.error("ERR wrong number of arguments for '" + lower_case(a[0]) + "' command");
}

void unknown_subcommand(session& s, arguments a, const char* parent) {
  s.out.error("ERR unknown subcommand '" + std::string(a[1].substr(0, 128)) + "'. Try " + parent +
              " HELP.");
}

void ping(session& s, arguments a) {
  if (a.size() > 2) {
    wrong_arguments(s, a);
  } else if (s.subscriptions != nullptr && s.subscriptions->count() != 0) {
    s.out.array(2);
    s.out.bulk("pong");
    s.out.bulk(a.size() == 2 ? a[1] : "");
  } else if (a.size() == 2) {
    s.out.bulk(a[1]);
  } else {
    s.out.simple("PONG");
  }
}

void echo(session& s, arguments a) { s.out.bulk(a[1]); }

void quit(session& s, arguments) {
  s.out.ok();
  s.closing = true;
}

void reset(session& s, arguments) {
  if (s.subscriptions != nullptr) s.srv.channels().forget(*s.subscriptions);
  s.srv.set_name(s, "");
  s.out.simple("RESET");
}

void select_db(session& s, arguments a) {
  int64_t number = 0;
  if (!read_int(s, a[1], number)) return;
  if (number != 0)
    s.out.error("ERR DB index is out of range");
  else
    s.out.ok();
}

void time_now(session& s, arguments) {
  using namespace std::chrono;
  const int64_t us = duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
  s.out.array(2);
  s.out.bulk(std::to_string(us / 1000000));
  s.out.bulk(std::to_string(us % 1000000));
}

void hello(session& s, arguments a) {
  size_t i = 1;
  if (a.size() > 1) {
    int64_t version = 0;
    if (!read_int(s, a[1], version, "ERR Protocol version is not an integer or out of range"))
      return;
    if (version != 2) {
      s.out.error("NOPROTO unsupported protocol version");
      return;
    }
    for (i = 2; i < a.size(); i += 2) {
      if (!is_word(a[i], "setname") || i + 1 >= a.size()) {
        s.out.error("ERR Syntax error in HELLO option '" + std::string(a[i]) + "'");
        return;
      }
      s.srv.set_name(s, a[i + 1]);
    }
  }
  s.out.array(14);
  s.out.bulk("server");
  s.out.bulk("redis");
  s.out.bulk("version");
  s.out.bulk("7.0.15");
  s.out.bulk("proto");
  s.out.integer(2);
  s.out.bulk("id");
  s.out.integer(static_cast<int64_t>(s.id));
  s.out.bulk("mode");
  s.out.bulk("standalone");
  s.out.bulk("role");
  s.out.bulk("master");
  s.out.bulk("modules");
  s.out.array(0);
}

// --- CLIENT, CONFIG, COMMAND -----------------------------------------------------------------

void client(session& s, arguments a) {
  if (is_word(a[1], "id") && a.size() == 2) {
    s.out.integer(static_cast<int64_t>(s.id));
  } else if (is_word(a[1], "getname") && a.size() == 2) {
    const std::string name = s.srv.name_of(s);
    if (name.empty())
      s.out.nil();
    else
      s.out.bulk(name);
  } else if (is_word(a[1], "setname") && a.size() == 3) {
    for (const char c : a[2]) {
      if (c < '!' || c > '~') {
        s.out.error("ERR Client names cannot contain spaces, newlines or special characters.");
        return;
      }
    }
    s.srv.set_name(s, a[2]);
    s.out.ok();
  } else if (is_word(a[1], "list") && a.size() == 2) {
    s.out.bulk(s.srv.describe_clients());
  } else if (is_word(a[1], "info") && a.size() == 2) {
    s.out.bulk(s.srv.describe_clients(s.id));
  } else if (is_word(a[1], "setinfo") && a.size() == 4) {
    s.out.ok();
  } else {
    unknown_subcommand(s, a, "CLIENT");
  }
}

void config(session& s, arguments a) {
  if (is_word(a[1], "get") && a.size() >= 3) {
    std::vector<std::pair<std::string, std::string>> found;
    for (auto& [name, text] : s.srv.configuration()) {
      for (const std::string_view pattern : a.subspan(2)) {
        if (!glob_match(lower_case(pattern), name)) continue;
        found.emplace_back(name, text);
        break;
      }
    }
    s.out.array(found.size() * 2);
    for (const auto& [name, text] : found) {
      s.out.bulk(name);
      s.out.bulk(text);
    }
  } else if (is_word(a[1], "set") && a.size() >= 4 && a.size() % 2 == 0) {
    for (size_t i = 2; i < a.size(); i += 2) {
      const std::string name = lower_case(a[i]);
      if (s.srv.configure(name, a[i + 1])) continue;
      s.out.error("ERR CONFIG SET failed (possibly related to argument '" + name +
                  "') - only maxclients (1..1000000) can be changed while the server runs");
      return;
    }
    s.out.ok();
  } else if (is_word(a[1], "resetstat") && a.size() == 2) {
    s.out.ok();
  } else {
    unknown_subcommand(s, a, "CONFIG");
  }
}

void describe_command(session& s, const command& c) {
  s.out.array(6);
  s.out.bulk(c.name);
  s.out.integer(c.arity);
  std::vector<std::string_view> flags;
  for (std::string_view rest = c.flags; !rest.empty();) {
    const size_t end = rest.find(' ');
    flags.push_back(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  s.out.array(flags.size());
  for (const std::string_view flag : flags) s.out.simple(flag);
  s.out.integer(c.first_key);
  s.out.integer(c.last_key);
  s.out.integer(c.key_step);
}

void command_about(session& s, arguments a) {
  const auto all = all_commands();
  if (a.size() == 1) {
    s.out.array(all.size());
    for (const command& c : all) describe_command(s, c);
  } else if (is_word(a[1], "count") && a.size() == 2) {
    s.out.integer(static_cast<int64_t>(all.size()));
  } else if (is_word(a[1], "list") && a.size() == 2) {
    s.out.array(all.size());
    for (const command& c : all) s.out.bulk(c.name);
  } else if (is_word(a[1], "info")) {
    s.out.array(a.size() - 2);
    for (const std::string_view name : a.subspan(2)) {
      if (const command* c = find_command(name))
        describe_command(s, *c);
      else
        s.out.nil_array();
    }
  } else if (is_word(a[1], "docs")) {
    s.out.array(0);
  } else {
    unknown_subcommand(s, a, "COMMAND");
  }
}

// --- INFO, DEBUG -----------------------------------------------------------------------------

int64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  long long total = 0;
  long long resident = 0;
  const int got = std::fscanf(file, "%lld %lld", &total, &resident);
  std::fclose(file);
  return got == 2 ? resident * ::sysconf(_SC_PAGESIZE) : 0;
}

std::string info_keyspace(session& s) {
  size_t count = 0;
  size_t expiring = 0;
  for (size_t i = 0; i < store::shards; ++i) {
    shard& part = s.data.at(i);
    part.lock.lock();
    count += part.keys().size();
    expiring += part.expiring();
    part.lock.unlock();
  }
  if (count == 0) return "";
  return "db0:keys=" + std::to_string(count) + ",expires=" + std::to_string(expiring) +
         ",avg_ttl=0\r\n";
}

std::string info_section(session& s, std::string_view name) {
  const auto line = [](const char* field, auto number) {
    return std::string(field) + ":" + std::to_string(number) + "\r\n";
  };
  if (name == "server") {
    return "# Server\r\nredis_version:7.0.15\r\nserver_name:weft-kv\r\n" +
           line("process_id", ::getpid()) + line("tcp_port", s.srv.addr().port) +
           line("uptime_in_seconds", (s.now_ms - s.srv.started_ms()) / 1000);
  }
  if (name == "clients") {
    return "# Clients\r\n" + line("connected_clients", s.srv.client_count()) +
           line("maxclients", s.srv.options().clients_max);
  }
  if (name == "memory") {
    return "# Memory\r\n" + line("used_memory_rss", resident_bytes()) + "maxmemory:0\r\n";
  }
  if (name == "stats") {
    const server_stats& all = s.srv.stats;
    return "# Stats\r\n" + line("total_connections_received", all.connections.load()) +
           line("total_commands_processed", all.commands.load() + s.commands) +
           line("rejected_connections", all.refused.load()) +
           line("expired_keys", s.data.expired_keys.load());
  }
  if (name == "cpu") {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    char text[128];
    std::snprintf(
        text, sizeof text, "# CPU\r\nused_cpu_sys:%ld.%06ld\r\nused_cpu_user:%ld.%06ld\r\n",
        static_cast<long>(usage.ru_stime.tv_sec), static_cast<long>(usage.ru_stime.tv_usec),
        static_cast<long>(usage.ru_utime.tv_sec), static_cast<long>(usage.ru_utime.tv_usec));
    return text;
  }
  if (name == "weft") {
    return "# Weft\r\n" + line("goroutines", weft::num_goroutine()) +
           line("procs", weft::maxprocs(0));
  }
  if (name == "keyspace") return "# Keyspace\r\n" + info_keyspace(s);
  return "";
}

void info(session& s, arguments a) {
  static constexpr std::string_view sections[] = {"server", "clients", "memory",  "stats",
                                                  "cpu",    "weft",    "keyspace"};
  std::string out;
  for (const std::string_view name : sections) {
    bool wanted = a.size() == 1;
    for (const std::string_view asked : a.subspan(1))
      wanted |= is_word(asked, name) || is_word(asked, "all") || is_word(asked, "everything") ||
                is_word(asked, "default");
    if (!wanted) continue;
    if (!out.empty()) out += "\r\n";
    out += info_section(s, name);
  }
  s.out.bulk(out);
}

void debug(session& s, arguments a) {
  if (is_word(a[1], "goroutines") && a.size() == 2) {
    s.out.bulk(weft::goroutine_dump());
  } else if (is_word(a[1], "sleep") && a.size() == 3) {
    long double seconds = 0;
    if (!parse_float(a[2], seconds) || seconds < 0 || seconds > 3600) {
      s.out.error("ERR DEBUG SLEEP takes seconds from 0 to 3600");
      return;
    }
    // Unlike Redis's, only this client's goroutine sleeps.
    weft::sleep_for(std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9L)));
    s.out.ok();
  } else {
    s.out.error("ERR DEBUG knows GOROUTINES and SLEEP <seconds>");
  }
}

constexpr command table_of_server[] = {
    {"ping", -1, ping, "fast", 0, 0, 0},
    {"echo", 2, echo, "fast", 0, 0, 0},
    {"quit", -1, quit, "fast", 0, 0, 0},
    {"reset", 1, reset, "fast", 0, 0, 0},
    {"select", 2, select_db, "fast", 0, 0, 0},
    {"time", 1, time_now, "fast", 0, 0, 0},
    {"hello", -1, hello, "fast", 0, 0, 0},
    {"client", -2, client, "admin", 0, 0, 0},
    {"config", -2, config, "admin", 0, 0, 0},
    {"command", -1, command_about, "loading stale", 0, 0, 0},
    {"info", -1, info, "loading stale", 0, 0, 0},
    {"debug", -2, debug, "admin", 0, 0, 0},
};

}  // namespace

std::span<const command> server_commands() noexcept { return table_of_server; }

}  // namespace kv
