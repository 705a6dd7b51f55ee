// SPDX-License-Identifier: Apache-2.0
// The client. Of libpq only calls that do not wait are used, but two: PQconnectStart may look up a
// name, and PQcancel makes a connection of its own; both run in weft::blocking().
//
// A query that its context has left: the caller has its answer, the connection goes to a goroutine
// that tells the server, reads what it still sends, and puts the connection back; or closes it if
// that takes too long. Until then it counts as used, so a server that does not react cannot be
// flooded with further connections.
#include "postgres_client.hpp"

#include <libpq-fe.h>

#include <array>
#include <charconv>
#include <utility>

#include "weft/base/atomic.hpp"
#include "weft/net/descriptor.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/semaphore.hpp"
#include "weft/sync/wait_group.hpp"

namespace shop::pg {

namespace {

using namespace std::chrono_literals;

/// How long a cancelled query may keep its connection.
constexpr auto cancel_limit = 5s;

std::string trimmed(const char* text) {
  std::string line(text == nullptr ? "" : text);
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  return line;
}

struct free_result {
  void operator()(PGresult* r) const noexcept { PQclear(r); }
};
using owned_result = std::unique_ptr<PGresult, free_result>;

rows read_rows(const PGresult* from) {
  rows read;
  const int count = PQntuples(from);
  const int columns = PQnfields(from);
  for (int row = 0; row < count; ++row) {
    auto& cells = read.all.emplace_back();
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(from, row, column) != 0) {
        cells.emplace_back();
      } else {
        cells.emplace_back(std::string(PQgetvalue(from, row, column),
                                       static_cast<size_t>(PQgetlength(from, row, column))));
      }
    }
  }
  return read;
}

weft::error error_of(const PGresult* from) {
  const char* state = PQresultErrorField(from, PG_DIAG_SQLSTATE);
  return weft::error("postgres: " + trimmed(PQresultErrorField(from, PG_DIAG_MESSAGE_PRIMARY)))
      .with(server_error{state == nullptr ? "" : state});
}

/// One connection. Of one goroutine at a time.
class connection {
 public:
  connection() = default;
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() {
    (void)socket_.close();
    PQfinish(raw_);
  }

  [[nodiscard]] weft::result<void> open(const weft::context& ctx, const std::string& dsn) {
    raw_ = weft::blocking([&] { return PQconnectStart(dsn.c_str()); });
    if (raw_ == nullptr) return weft::fail(weft::error("postgres: no memory"));
    // Notices ("relation exists, skipping") are nobody's concern.
    PQsetNoticeProcessor(raw_, [](void*, const char*) {}, nullptr);
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
    while (PQstatus(raw_) != CONNECTION_BAD && wanted != PGRES_POLLING_OK) {
      // The socket may be another one after each step: another address, or no TLS.
      if (auto watched = watch(); !watched) return watched;
      auto ready =
          wanted == PGRES_POLLING_READING ? socket_.wait_readable(ctx) : socket_.wait_writable(ctx);
      if (!ready) return weft::fail(weft::error::wrap("postgres: connect", ready.error()));
      wanted = weft::blocking([&] { return PQconnectPoll(raw_); });
      if (wanted == PGRES_POLLING_FAILED) break;
    }
    if (PQstatus(raw_) != CONNECTION_OK || PQsetnonblocking(raw_, 1) != 0) return failed("connect");
    return watch();
  }

  /// Sends by `send`, and gives the last statement's rows.
  template <class F>
  [[nodiscard]] weft::result<rows> ask(const weft::context& ctx, F send) {
    if (send(raw_) == 0) return failed("send");
    busy_ = true;
    if (auto sent = flush(ctx); !sent) return weft::fail(sent.error());
    weft::result<rows> answer;
    for (;;) {
      if (auto ready = wait_for_result(ctx); !ready) return weft::fail(ready.error());
      const owned_result got(PQgetResult(raw_));
      if (got == nullptr) break;
      switch (PQresultStatus(got.get())) {
        case PGRES_TUPLES_OK:
          answer = read_rows(got.get());
          break;
        case PGRES_COMMAND_OK:
        case PGRES_EMPTY_QUERY:
          answer = rows();
          break;
        default:
          answer = weft::fail(error_of(got.get()));
          break;
      }
    }
    busy_ = false;
    return answer;
  }

  /// Reads what is left of an unfinished query. False: it could not be.
  [[nodiscard]] bool finish(const weft::context& ctx) {
    if (!flush(ctx)) return false;
    while (wait_for_result(ctx)) {
      const owned_result got(PQgetResult(raw_));
      if (got != nullptr) continue;
      busy_ = false;
      return alive();
    }
    return false;
  }

  /// Tells the server, on a connection of libpq's own. Blocks.
  void cancel() {
    PGcancel* order = PQgetCancel(raw_);
    if (order == nullptr) return;
    std::array<char, 256> why;
    (void)weft::blocking([&] { return PQcancel(order, why.data(), why.size()); });
    PQfreeCancel(order);
  }

  [[nodiscard]] bool alive() const noexcept {
    return raw_ != nullptr && PQstatus(raw_) == CONNECTION_OK;
  }
  /// A query has been sent and not been answered to its end.
  [[nodiscard]] bool busy() const noexcept { return busy_; }

 private:
  [[nodiscard]] weft::result<void> watch() {
    (void)socket_.close();
    const int fd = PQsocket(raw_);
    if (fd < 0) return failed("connect");
    auto watched = weft::net::descriptor::watch(fd);
    if (!watched) return weft::fail(weft::error::wrap("postgres", watched.error()));
    socket_ = std::move(*watched);
    return {};
  }

  /// All of the query to the kernel. A server may send before it has read everything, and read no
  /// more before that is taken: so both directions are looked at.
  [[nodiscard]] weft::result<void> flush(const weft::context& ctx) {
    for (;;) {
      const int left = PQflush(raw_);
      if (left == 0) return {};
      if (left < 0) return failed("send");
      const auto [step, cancel] = weft::with_timeout(ctx, 10ms);
      if (auto ready = socket_.wait_writable(step); !ready && ctx.err())
        return weft::fail(weft::error::wrap("postgres", ctx.err()));
      if (PQconsumeInput(raw_) == 0) return failed("receive");
    }
  }

  [[nodiscard]] weft::result<void> wait_for_result(const weft::context& ctx) {
    while (PQisBusy(raw_) != 0) {
      if (auto ready = socket_.wait_readable(ctx); !ready) {
        // The context's own error, not the socket's: a deadline is a deadline.
        return weft::fail(weft::error::wrap("postgres", ctx.err() ? ctx.err() : ready.error()));
      }
      if (PQconsumeInput(raw_) == 0) return failed("receive");
    }
    return {};
  }

  [[nodiscard]] std::unexpected<weft::error> failed(const char* what) const {
    return weft::fail(
        weft::error(std::string("postgres: ") + what + ": " + trimmed(PQerrorMessage(raw_))));
  }

  PGconn* raw_ = nullptr;
  weft::net::descriptor socket_;
  bool busy_ = false;
};

using owned_connection = std::unique_ptr<connection>;

}  // namespace

int64_t rows::number(size_t row, size_t column) const {
  const std::string& digits = all.at(row).at(column).value();
  int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

class pool::core {
 public:
  explicit core(options how) : how_(std::move(how)), free_(how_.connections_max) {}
  core(const core&) = delete;
  core& operator=(const core&) = delete;
  ~core() { cancelling_.wait(); }

  template <class F>
  weft::result<rows> run(const weft::context& ctx, F send) {
    if (auto mine = free_.acquire(ctx); !mine)
      return weft::fail(weft::error::wrap("postgres: wait for a connection", mine.error()));
    owned_connection db = take_idle();
    const bool kept = db != nullptr;
    if (!kept) {
      auto made = connect(ctx);
      if (!made) {
        free_.release();
        return weft::fail(made.error());
      }
      db = std::move(*made);
    }
    weft::result<rows> answer = db->ask(ctx, send);
    if (!answer && kept && !db->alive() && !ctx.err()) {
      // The server closed it while nobody looked: a restart, an idle limit.
      drop_idle();
      auto made = connect(ctx);
      if (!made) {
        free_.release();
        return weft::fail(made.error());
      }
      db = std::move(*made);
      answer = db->ask(ctx, send);
    }
    give_back(std::move(db));
    return answer;
  }

  [[nodiscard]] counts stats() {
    lock_.lock();
    const counts now{connected_.load(weft::rt::relaxed), cancelled_.load(weft::rt::relaxed),
                     static_cast<int64_t>(idle_.size())};
    lock_.unlock();
    return now;
  }

 private:
  weft::result<owned_connection> connect(const weft::context& ctx) {
    auto db = std::make_unique<connection>();
    if (auto opened = db->open(ctx, how_.dsn); !opened) return weft::fail(opened.error());
    connected_.fetch_add(1, weft::rt::relaxed);
    if (!how_.setup.empty()) {
      auto done = db->ask(ctx, [&](PGconn* raw) { return PQsendQuery(raw, how_.setup.c_str()); });
      if (!done) return weft::fail(done.error());
    }
    return db;
  }

  owned_connection take_idle() {
    lock_.lock();
    owned_connection taken;
    if (!idle_.empty()) {
      taken = std::move(idle_.back());
      idle_.pop_back();
    }
    lock_.unlock();
    return taken;
  }

  /// All idle connections: one was dead, so the others are as old.
  void drop_idle() {
    lock_.lock();
    std::vector<owned_connection> dropped = std::exchange(idle_, {});
    lock_.unlock();
  }

  void give_back(owned_connection db) {
    if (db->busy() && db->alive()) return cancel_later(std::move(db));
    keep(std::move(db));
    free_.release();
  }

  void keep(owned_connection db) {
    if (!db->alive() || db->busy()) return;
    lock_.lock();
    idle_.push_back(std::move(db));
    lock_.unlock();
  }

  void cancel_later(owned_connection db) {
    cancelled_.fetch_add(1, weft::rt::relaxed);
    cancelling_.go([this, db = std::move(db)]() mutable {
      db->cancel();
      const auto [ctx, stop] = weft::with_timeout(weft::background(), cancel_limit);
      if (db->finish(ctx)) keep(std::move(db));
      db.reset();
      free_.release();
    });
  }

  options how_;
  weft::semaphore free_;
  weft::wait_group cancelling_;
  weft::mutex lock_;
  std::vector<owned_connection> idle_;  // guarded by lock_; the one used last is taken first
  weft::rt::atomic<uint64_t> connected_{0};
  weft::rt::atomic<uint64_t> cancelled_{0};
};

pool::pool(options how) : core_(std::make_unique<core>(std::move(how))) {}
pool::~pool() = default;

weft::result<rows> pool::query(const weft::context& ctx, const std::string& sql,
                               const std::vector<std::string>& parameters) {
  std::vector<const char*> values;
  for (const std::string& each : parameters) {
    // It would end the text there, and two texts would be one.
    if (each.find('\0') != each.npos)
      return weft::fail(weft::error("postgres: a text with a NUL byte cannot be stored"));
    values.push_back(each.c_str());
  }
  return core_->run(ctx, [&](PGconn* raw) {
    return PQsendQueryParams(raw, sql.c_str(), static_cast<int>(values.size()), nullptr,
                             values.data(), nullptr, nullptr, 0);
  });
}

weft::result<void> pool::execute(const weft::context& ctx, const std::string& sql) {
  auto done = core_->run(ctx, [&](PGconn* raw) { return PQsendQuery(raw, sql.c_str()); });
  if (!done) return weft::fail(done.error());
  return {};
}

pool::counts pool::stats() const { return core_->stats(); }

}  // namespace shop::pg
