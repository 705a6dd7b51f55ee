// SPDX-License-Identifier: Apache-2.0
// One goroutine of the load, with its connection (one per server when there are several).
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "response.hpp"
#include "runner.hpp"
#include "weft/net/conn.hpp"

namespace load {

class worker {
 public:
  worker(shared_state& shared, size_t number);
  /// Until no request is left to begin.
  void run();
  /// From any goroutine: closes the connections, and those that are made later.
  void abandon();

 private:
  struct slot {
    time_point due;
    const load::target* target = nullptr;
    bool counted = false;  // the warm-up is over
    bool unsent = false;   // the run has ended before it could be sent
  };
  struct link {
    weft::net::conn conn;
    bool open = false;
    bool used = false;  // a response has come over it
    std::string buffer;
    size_t begin = 0;
    size_t end = 0;
    // Deadlines that are set on the connection; see arm().
    time_point read_armed{};
    time_point write_armed{};
  };
  struct trouble {
    failure what;
    std::string text;
  };

  std::optional<slot> next_closed(time_point now);
  std::optional<slot> next_open();
  const target* next_target();

  void run_one_by_one();
  void run_pipelined();
  void serve(const slot& s);
  std::optional<trouble> ask(link& l, const target& t, time_point sent);
  std::optional<trouble> send(link& l, std::string_view bytes, time_point sent);
  std::optional<trouble> receive(link& l, time_point sent);
  std::optional<trouble> answer(link& l, time_point sent);
  std::optional<trouble> connect(link& l, size_t origin, bool counted);
  void close(link& l);
  void pause_after_failure();

  void record(const slot& s, time_point finished, size_t sent_bytes, size_t received_bytes);
  void record(const slot& s, const trouble& why);

  shared_state& shared_;
  recorder::stripe& log_;
  response_reader reader_;
  std::vector<link> links_;  // by origin
  size_t received_ = 0;      // bytes, of the response in progress
  time_point now_{};         // the latest reading of the clock
  ns pause_{0};
  weft::mutex closing_;  // for abandon(): a link's conn is changed under it
};

}  // namespace load
