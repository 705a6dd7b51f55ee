// SPDX-License-Identifier: Apache-2.0
// The ledger in SQLite: a file in WAL mode, one connection that writes and some that read.
//
// SQLite works on the caller's thread, so each call is one weft::blocking(): the thread may wait
// for the disk, the P goes on with other goroutines. Writers wait for the one connection in a
// semaphore, as goroutines, and not in SQLite, as threads.
//
// A context ends a call at three places: while it waits for a connection; while SQLite computes (a
// progress handler looks every few thousand instructions; unlike sqlite3_interrupt() it cannot come
// between two calls and be lost, or hit the next user's); while another process has the file locked
// (a busy handler that sleeps in short steps).
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <type_traits>
#include <utility>

#include "store.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/semaphore.hpp"

namespace shop {

namespace {

/// Connections that only read. More of them than CPUs wait for the same disk.
constexpr int readers_max = 4;
/// SQLite's instructions between two looks at the context: some 50 us.
constexpr int steps_per_look = 5'000;
/// How long another process may have the file locked, and the step in which that is watched.
constexpr auto busy_limit = std::chrono::seconds(5);
constexpr auto busy_step = std::chrono::milliseconds(2);

constexpr const char* schema =
    "pragma journal_mode = wal;"
    "pragma synchronous = full;"  // a transfer that was confirmed survives a power failure
    "create table if not exists accounts("
    "  id text primary key, balance_cents integer not null) without rowid;"
    "create table if not exists transfers("
    "  id integer primary key, key text not null unique, from_id text not null,"
    "  to_id text not null, amount_cents integer not null, memo text not null,"
    "  at_ms integer not null);"
    "create index if not exists transfers_from on transfers(from_id, id);"
    "create index if not exists transfers_to on transfers(to_id, id);";

constexpr const char* transfer_columns = "id, key, from_id, to_id, amount_cents, memo, at_ms";

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool is_house(std::string_view account_id) { return account_id.starts_with('@'); }

/// A prepared statement, kept with its connection.
class statement {
 public:
  statement() = default;
  statement(statement&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  statement& operator=(statement&& other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~statement() { sqlite3_finalize(raw_); }

  [[nodiscard]] int prepare(sqlite3* db, const std::string& sql) {
    return sqlite3_prepare_v3(db, sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &raw_, nullptr);
  }
  /// Texts must live until the next reset().
  statement& bind(int at, std::string_view text) {
    sqlite3_bind_text64(raw_, at, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
  }
  statement& bind(int at, int64_t number) {
    sqlite3_bind_int64(raw_, at, number);
    return *this;
  }
  [[nodiscard]] int step() { return sqlite3_step(raw_); }
  void reset() {
    sqlite3_reset(raw_);
    sqlite3_clear_bindings(raw_);
  }
  [[nodiscard]] int64_t number(int column) { return sqlite3_column_int64(raw_, column); }
  [[nodiscard]] std::string text(int column) {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(raw_, column));
    const auto count = static_cast<size_t>(sqlite3_column_bytes(raw_, column));
    return bytes == nullptr ? std::string() : std::string(bytes, count);
  }

 private:
  sqlite3_stmt* raw_ = nullptr;
};

/// Resets a statement at the end of a scope, whatever happened.
class use {
 public:
  explicit use(statement& s) : statement_(s) {}
  use(const use&) = delete;
  use& operator=(const use&) = delete;
  ~use() { statement_.reset(); }
  statement* operator->() const noexcept { return &statement_; }

 private:
  statement& statement_;
};

/// A connection and its statements. Of one goroutine at a time.
class connection {
 public:
  connection() = default;
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() {
    all_ = {};
    sqlite3_close(db_);
  }

  [[nodiscard]] weft::result<void> open(const std::string& path, bool writes) {
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path.c_str(), &db_, flags, nullptr) != SQLITE_OK) return failed("open");
    sqlite3_busy_handler(db_, &wait_for_others, this);
    sqlite3_progress_handler(db_, steps_per_look, &look_at_context, this);
    if (writes && sqlite3_exec(db_, schema, nullptr, nullptr, nullptr) != SQLITE_OK)
      return failed("make the tables");
    const std::string columns = std::string("select ") + transfer_columns + " from transfers ";
    const std::array<std::string, count> texts = {
        "begin immediate", "commit", "rollback", "select balance_cents from accounts where id = ?1",
        "insert into accounts(id, balance_cents) values(?1, ?2) on conflict do nothing",
        "update accounts set balance_cents = balance_cents + ?2 where id = ?1",
        columns + "where key = ?1",
        "insert into transfers(key, from_id, to_id, amount_cents, memo, at_ms) "
        "values(?1, ?2, ?3, ?4, ?5, ?6)",
        // Two walks of an index, each of them limited.
        "select * from (" + columns + "where from_id = ?1 order by id desc limit ?2) union " +
            "select * from (" + columns + "where to_id = ?1 order by id desc limit ?2) " +
            "order by id desc limit ?2"};
    for (size_t i = 0; i < count; ++i)
      if (all_[i].prepare(db_, texts[i]) != SQLITE_OK) return failed("prepare");
    return {};
  }

  /// Runs `f` with this connection for `ctx`. Blocks the thread and not the P.
  template <class F>
  auto run(const weft::context& ctx, F f) -> decltype(f(*this)) {
    ctx_ = &ctx;
    auto got = weft::blocking([&] { return f(*this); });
    ctx_ = nullptr;
    return got;
  }

  [[nodiscard]] weft::error why(const char* what) const {
    // What SQLite was interrupted for is what the caller wants to know.
    if (ctx_ != nullptr)
      if (weft::error ended = ctx_->err()) return weft::error::wrap("sqlite", std::move(ended));
    return weft::error(std::string("sqlite: ") + what + ": " +
                       (db_ != nullptr ? sqlite3_errmsg(db_) : "no memory"));
  }
  [[nodiscard]] std::unexpected<weft::error> failed(const char* what) const {
    return weft::fail(why(what));
  }

  enum which : size_t {
    begin,
    commit,
    rollback,
    balance,
    add_account,
    add_money,
    by_key,
    add_transfer,
    newest,
    count
  };
  [[nodiscard]] use operator[](which one) { return use(all_[one]); }
  [[nodiscard]] sqlite3* raw() const noexcept { return db_; }

 private:
  static int look_at_context(void* self) {
    const weft::context* ctx = static_cast<connection*>(self)->ctx_;
    return ctx != nullptr && ctx->err() ? 1 : 0;
  }
  static int wait_for_others(void* self, int times) {
    if (look_at_context(self) != 0 || times * busy_step > busy_limit) return 0;
    // The thread sleeps; it is in weft::blocking().
    ::usleep(static_cast<useconds_t>(std::chrono::microseconds(busy_step).count()));
    return 1;
  }

  sqlite3* db_ = nullptr;
  const weft::context* ctx_ = nullptr;
  std::array<statement, count> all_;
};

transfer read_transfer(statement& row) {
  return {.id = row.number(0),
          .key = row.text(1),
          .from = row.text(2),
          .to = row.text(3),
          .amount_cents = row.number(4),
          .memo = row.text(5),
          .at_ms = row.number(6)};
}

weft::result<account> read_account(connection& db, std::string_view id) {
  use row = db[connection::balance];
  row->bind(1, id);
  switch (row->step()) {
    case SQLITE_ROW:
      return account{std::string(id), row->number(0)};
    case SQLITE_DONE:
      return weft::fail(no_such_account);
    default:
      return db.failed("find account");
  }
}

/// The whole of a transfer, inside a transaction.
weft::result<moved> move_money(connection& db, const transfer& wanted) {
  {
    use row = db[connection::by_key];
    row->bind(1, wanted.key);
    const int found = row->step();
    if (found == SQLITE_ROW) {
      const transfer made = read_transfer(*row.operator->());
      const bool same = made.from == wanted.from && made.to == wanted.to &&
                        made.amount_cents == wanted.amount_cents;
      if (!same) return weft::fail(key_conflict);
      return moved{made, true};
    }
    if (found != SQLITE_DONE) return db.failed("find key");
  }
  const auto from = read_account(db, wanted.from);
  if (!from) return weft::fail(from.error());
  if (const auto to = read_account(db, wanted.to); !to) return weft::fail(to.error());
  if (!is_house(wanted.from) && from->balance_cents < wanted.amount_cents)
    return weft::fail(insufficient_funds);
  const std::array<std::pair<const std::string*, int64_t>, 2> changes = {
      {{&wanted.from, -wanted.amount_cents}, {&wanted.to, wanted.amount_cents}}};
  for (const auto& [id, cents] : changes) {
    use change = db[connection::add_money];
    if (change->bind(1, *id).bind(2, cents).step() != SQLITE_DONE) return db.failed("move");
  }
  moved made{wanted, false};
  made.what.at_ms = now_ms();
  use row = db[connection::add_transfer];
  row->bind(1, wanted.key).bind(2, wanted.from).bind(3, wanted.to).bind(4, wanted.amount_cents);
  if (row->bind(5, wanted.memo).bind(6, made.what.at_ms).step() != SQLITE_DONE)
    return db.failed("note the transfer");
  made.what.id = sqlite3_last_insert_rowid(db.raw());
  return made;
}

class sqlite_store final : public ledger_store {
 public:
  explicit sqlite_store(std::string path) : path_(std::move(path)) {}

  [[nodiscard]] weft::result<void> open() {
    // Not for a context: it is short, and the program cannot begin without it.
    return weft::blocking([&] { return writer_.open(path_, true); });
  }

  [[nodiscard]] std::string_view kind() const noexcept override { return "sqlite"; }

  [[nodiscard]] weft::result<account> open_account(const weft::context& ctx, std::string_view id,
                                                   int64_t balance_cents) override {
    return write(ctx, [&](connection& db) -> weft::result<account> {
      {
        use row = db[connection::add_account];
        if (row->bind(1, id).bind(2, balance_cents).step() != SQLITE_DONE)
          return db.failed("open account");
      }
      return read_account(db, id);
    });
  }

  [[nodiscard]] weft::result<account> find_account(const weft::context& ctx,
                                                   std::string_view id) override {
    return read(ctx, [&](connection& db) { return read_account(db, id); });
  }

  [[nodiscard]] weft::result<moved> move(const weft::context& ctx,
                                         const transfer& wanted) override {
    return write(ctx, [&](connection& db) { return move_money(db, wanted); });
  }

  [[nodiscard]] weft::result<std::vector<transfer>> history(const weft::context& ctx,
                                                            std::string_view account_id,
                                                            int limit) override {
    return read(ctx, [&](connection& db) -> weft::result<std::vector<transfer>> {
      use rows = db[connection::newest];
      rows->bind(1, account_id).bind(2, int64_t{limit});
      std::vector<transfer> all;
      int got = rows->step();
      for (; got == SQLITE_ROW; got = rows->step())
        all.push_back(read_transfer(*rows.operator->()));
      if (got != SQLITE_DONE) return db.failed("history");
      return all;
    });
  }

 private:
  /// `f` in a transaction on the writer, all or nothing.
  template <class F>
  auto write(const weft::context& ctx, F f) -> std::invoke_result_t<F, connection&> {
    if (auto mine = writer_turn_.acquire(ctx); !mine) return weft::fail(mine.error());
    auto got = writer_.run(ctx, [&](connection& db) -> std::invoke_result_t<F, connection&> {
      if (db[connection::begin]->step() != SQLITE_DONE) return db.failed("begin");
      auto done = f(db);
      if (done && db[connection::commit]->step() != SQLITE_DONE) done = db.failed("commit");
      if (!done) (void)db[connection::rollback]->step();
      return done;
    });
    writer_turn_.release();
    return got;
  }

  /// `f` on any connection that is free; a database in memory has but one.
  template <class F>
  auto read(const weft::context& ctx, F f) -> std::invoke_result_t<F, connection&> {
    if (path_ == ":memory:") {
      if (auto mine = writer_turn_.acquire(ctx); !mine) return weft::fail(mine.error());
      auto got = writer_.run(ctx, f);
      writer_turn_.release();
      return got;
    }
    if (auto mine = reader_turns_.acquire(ctx); !mine) return weft::fail(mine.error());
    std::unique_ptr<connection> db = take_reader();
    weft::result<void> opened;
    if (db == nullptr) {
      db = std::make_unique<connection>();
      opened = weft::blocking([&] { return db->open(path_, false); });
    }
    auto got =
        opened ? db->run(ctx, f) : std::invoke_result_t<F, connection&>(weft::fail(opened.error()));
    if (opened) give_reader(std::move(db));
    reader_turns_.release();
    return got;
  }

  std::unique_ptr<connection> take_reader() {
    readers_lock_.lock();
    std::unique_ptr<connection> taken;
    if (!readers_.empty()) {
      taken = std::move(readers_.back());
      readers_.pop_back();
    }
    readers_lock_.unlock();
    return taken;
  }
  void give_reader(std::unique_ptr<connection> one) {
    readers_lock_.lock();
    readers_.push_back(std::move(one));
    readers_lock_.unlock();
  }

  std::string path_;
  weft::semaphore writer_turn_{1};
  connection writer_;  // of who has writer_turn_
  weft::semaphore reader_turns_{readers_max};
  weft::mutex readers_lock_;
  std::vector<std::unique_ptr<connection>> readers_;  // free ones; guarded by readers_lock_
};

}  // namespace

weft::result<std::unique_ptr<ledger_store>> open_sqlite(const std::string& path) {
  auto store = std::make_unique<sqlite_store>(path);
  if (auto opened = store->open(); !opened)
    return weft::fail(weft::error::wrap(path, opened.error()));
  return store;
}

}  // namespace shop
