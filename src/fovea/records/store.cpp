#include "fovea/records/store.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "fovea/core/files.h"
#include "fovea/core/text.h"

namespace fovea::records {
namespace {

namespace fs = std::filesystem;

constexpr int schema_version = 1;
constexpr int patience_ms = 2000;  // for another process's lock

constexpr const char* schema = R"sql(
  CREATE TABLE IF NOT EXISTS runs (
    folder TEXT PRIMARY KEY, updated TEXT NOT NULL, status TEXT NOT NULL, model TEXT NOT NULL, data TEXT NOT NULL,
    epochs INTEGER NOT NULL, metric TEXT NOT NULL, best_epoch INTEGER NOT NULL, best_value REAL, record TEXT NOT NULL)
)sql";

fs::path absolute_path(const fs::path& path) {
  fs::path absolute = fs::absolute(path).lexically_normal();
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

std::string started(const Record& record) {
  return record.sessions.empty() ? "" : record.sessions[0].started;
}

}  // namespace

class Store::Connection {
 public:
  Connection(const fs::path& path, const char* name, int flags) : path_(path) {
    check(sqlite3_open_v2(name, &database_, flags, nullptr));
    sqlite3_busy_timeout(database_, patience_ms);
  }
  ~Connection() { sqlite3_close(database_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  sqlite3* get() const { return database_; }
  int64_t version() const;

  /// Errors: data when the file is broken, io for any other failure.
  void check(int code) const {
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return;
    const bool broken = code == SQLITE_NOTADB || code == SQLITE_CORRUPT;
    Error error(broken ? ErrorKind::data : ErrorKind::io,
                fmt::format("{}: {}", path_.string(),
                            broken ? "not a store of runs, or damaged"
                            : code == SQLITE_BUSY || code == SQLITE_LOCKED
                                ? "another process keeps the store of runs locked"
                                : "cannot use the store of runs"));
    const char* why = database_ != nullptr ? sqlite3_errmsg(database_) : sqlite3_errstr(code);
    error.with("because", why);
    if (broken) {
      error.with("try",
                 fmt::format("mv {0} {0}.old: the runs beside it are found again", path_.string()));
    }
    throw error;
  }
  void execute(const char* sql) const {
    check(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr));
  }

 private:
  fs::path path_;
  sqlite3* database_ = nullptr;
};

class Store::Statement {
 public:
  Statement(const Connection& connection, std::string_view sql) : connection_(connection) {
    connection.check(sqlite3_prepare_v2(connection.get(), sql.data(), static_cast<int>(sql.size()),
                                        &statement_, nullptr));
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(const std::string& text) {
    connection_.check(sqlite3_bind_text(statement_, ++bound_, text.data(),
                                        static_cast<int>(text.size()), SQLITE_TRANSIENT));
    return *this;
  }
  Statement& bind(int64_t number) {
    connection_.check(sqlite3_bind_int64(statement_, ++bound_, number));
    return *this;
  }
  Statement& bind(const std::optional<double>& number) {
    ++bound_;
    connection_.check(number ? sqlite3_bind_double(statement_, bound_, *number)
                             : sqlite3_bind_null(statement_, bound_));
    return *this;
  }
  /// False when there are no more rows.
  bool step() {
    const int code = sqlite3_step(statement_);
    connection_.check(code);
    return code == SQLITE_ROW;
  }
  std::string text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    if (bytes == nullptr) return "";
    return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
  }
  int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }

 private:
  const Connection& connection_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

/// Of the schema; 0: there is none yet. No statement is left open: its lock would stand against
/// that of another process which creates the schema.
int64_t Store::Connection::version() const {
  Statement statement(*this, "PRAGMA user_version");
  statement.step();
  return statement.integer(0);
}

fs::path Store::default_path() {
  const char* chosen = std::getenv("FOVEA_RUNS");
  return chosen != nullptr && *chosen != 0 ? fs::path(chosen) : fs::path("runs") / "fovea.sqlite";
}

Store::Store(const fs::path& path, bool create) : path_(absolute_path(path)) {
  const bool there = exists(path_, ErrorKind::io);
  if (!there && create) {
    std::error_code error;
    fs::create_directories(path_.parent_path(), error);
    if (error) {
      throw Error(ErrorKind::io, fmt::format("cannot create {}: {}", path_.parent_path().string(),
                                             error.message()));
    }
  }
  const int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
  const std::string name = there || create ? path_.string() : ":memory:";
  connection_ = std::make_unique<Connection>(path_, name.c_str(), flags);
  const int64_t version = connection_->version();
  if (version > schema_version) {
    throw Error(
        ErrorKind::data,
        fmt::format("{}: a later version of Fovea wrote this store of runs", path_.string()))
        .with("version", fmt::format("{}; this program knows {}", version, schema_version))
        .with("try", "FOVEA_RUNS=FILE for a store of your own");
  }
  if (version == schema_version) return;
  // A crash leaves either nothing or a store with a version.
  connection_->execute(
      fmt::format("BEGIN IMMEDIATE; {}; PRAGMA user_version = {}; COMMIT", schema, schema_version)
          .c_str());
}

Store::~Store() = default;

void Store::put(const fs::path& run, const Record& record) {
  Statement(*connection_, "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(absolute_path(run).string())
      .bind(utc_now())
      .bind(record.status)
      .bind(record.model)
      .bind(record.data)
      .bind(record.epochs)
      .bind(record.metric)
      .bind(record.best_epoch)
      .bind(record.best_value)
      .bind(record_text(record))
      .step();
}

void Store::forget(const fs::path& run) {
  Statement(*connection_, "DELETE FROM runs WHERE folder = ?")
      .bind(absolute_path(run).string())
      .step();
}

std::vector<StoredRun> Store::runs() const {
  std::map<fs::path, Record> found;
  Statement rows(*connection_, "SELECT folder, record FROM runs");
  while (rows.step()) {
    const std::string folder = rows.text(0);
    found[folder] = record_from_json(rows.text(1), fmt::format("{}: {}", path_.string(), folder));
  }
  std::error_code error;
  for (fs::directory_iterator i(path_.parent_path(), error), end; !error && i != end;
       i.increment(error)) {
    std::error_code missing;
    if (fs::exists(i->path() / record_name, missing)) found.try_emplace(i->path());
  }
  std::vector<StoredRun> runs;
  for (auto& [folder, record] : found) {
    try {
      record = read_record(folder);
    } catch (const Error&) {
      if (record.sessions.empty()) continue;  // a broken file that no row stands for
    }
    const std::string state = state_of(folder, record.status);
    runs.push_back({folder, std::move(record), state});
  }
  std::ranges::stable_sort(runs, [](const StoredRun& a, const StoredRun& b) {
    return started(a.record) > started(b.record);
  });
  return runs;
}

StoredRun find_run(const std::vector<StoredRun>& runs, const std::string& name) {
  for (const StoredRun& run : runs) {
    if (run.folder == absolute_path(name)) return run;
  }
  for (const StoredRun& run : runs) {
    if (run.name() == name) return run;
  }
  std::error_code missing;
  if (fs::exists(fs::path(name) / record_name, missing)) {
    const Record record = read_record(name);
    return {absolute_path(name), record, state_of(name, record.status)};
  }
  if (fs::exists(fs::path(name) / "config.toml", missing)) {
    throw Error(ErrorKind::data, fmt::format("{}: this run has no {}", name, record_name))
        .with("cause", "an earlier version of Fovea trained it, or it ended before it was written")
        .with("try", fmt::format("fovea eval --model {} --data DATA --report FILE.html",
                                 (fs::path(name) / "best.safetensors").string()));
  }
  std::vector<std::string> names;
  for (const StoredRun& run : runs) names.push_back(run.name());
  throw unknown_name("run", name, names).with("try", "fovea runs list, or the run's folder");
}

std::vector<StoredRun> find_runs(const std::vector<StoredRun>& runs,
                                 const std::vector<std::string>& names) {
  std::vector<StoredRun> found;
  for (const std::string& name : names) {
    std::error_code none;
    if (names.size() > 1 && fs::equivalent(name, Store::default_path(), none)) continue;
    found.push_back(find_run(runs, name));
  }
  return found;
}

}  // namespace fovea::records
