#include "fovea/records/store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <thread>

#include "error_text.h"
#include "fovea/core/files.h"
#include "fovea/train/run_folder.h"
#include "temporary_folder.h"

namespace fovea::records {
namespace {

Record record(const std::string& started, double value = 0.5) {
  Record r;
  r.status = "complete";
  r.model = "small_cnn";
  r.metric = "val_accuracy";
  r.best_epoch = 1;
  r.best_value = value;
  r.sessions.emplace_back().started = started;
  return r;
}

class StoreTest : public testing::Test {
 protected:
  std::filesystem::path make(const std::string& name, const Record& r) {
    const std::filesystem::path run = folder_ / name;
    std::filesystem::create_directories(run);
    put(run / record_name, record_text(r));
    return run;
  }
  std::vector<std::string> names(const Store& store) {
    std::vector<std::string> all;
    for (const StoredRun& run : store.runs()) all.push_back(run.name() + " " + run.state);
    return all;
  }
  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "fovea.sqlite";
};

TEST_F(StoreTest, ListsRunsLatestFirstWithWhatTheirFoldersSay) {
  const auto a = make("a", record("2026-01-01T00:00:00Z")), b = make("b", record("2026-01-02"));
  Store store(file_, true);
  store.put(a, record("2026-01-01T00:00:00Z", 0.1));
  store.put(b, record("2026-01-02"));
  store.put(b, record("2026-01-02"));
  EXPECT_EQ(names(store), (std::vector<std::string>{"b complete", "a complete"}));
  EXPECT_EQ(store.runs()[1].record.best_value, 0.5);  // the folder counts, not the row
}

TEST_F(StoreTest, AFolderOfARunWithoutARecordIsNotCalledUnknown) {
  std::filesystem::create_directories(folder_ / "old");
  put(folder_ / "old/config.toml", "");
  const std::string run = folder_ / "old";
  EXPECT_EQ(
      error_text(ErrorKind::data, [&] { (void)find_run({}, run); }),
      run +
          ": this run has no record.json\n"
          "  cause   an earlier version of Fovea trained it, or it ended before it was written\n"
          "  try     fovea eval --model " +
          run + "/best.safetensors --data DATA --report FILE.html");
  error_text(ErrorKind::usage, [&] { (void)find_run({}, "none"); });
}

TEST_F(StoreTest, AMissingFolderIsSaidAndItsRowKeepsWhatWasKnown) {
  Store store(file_, true);
  store.put(make("a", record("2026")), record("2026"));
  std::filesystem::remove_all(folder_ / "a");
  ASSERT_EQ(names(store), std::vector<std::string>{"a missing"});
  EXPECT_EQ(store.runs()[0].record.model, "small_cnn");
  store.forget(folder_ / "a");
  EXPECT_TRUE(store.runs().empty());
}

TEST_F(StoreTest, RunsBesideALostFileAreFoundAgain) {
  make("a", record("2026"));
  EXPECT_EQ(names(Store(file_)), std::vector<std::string>{"a complete"});
  EXPECT_FALSE(std::filesystem::exists(file_));  // looking creates nothing
}

TEST_F(StoreTest, AFileThatIsNoDatabaseIsAnErrorThatSaysWhatToDo) {
  put(file_, std::string(5000, 'x'));
  try {
    Store(file_, true).runs();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_EQ(error.headline(), file_.string() + ": not a store of runs, or damaged");
  }
}

TEST_F(StoreTest, AStoreOfALaterVersionIsRefused) {
  { const Store store(file_, true); }
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file_.c_str(), &database), SQLITE_OK);
  sqlite3_exec(database, "PRAGMA user_version = 2", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  try {
    const Store store(file_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.headline(),
              file_.string() + ": a later version of Fovea wrote this store of runs");
  }
}

TEST_F(StoreTest, ALockedFileIsAnErrorAfterAWhile) {
  Store store(file_, true);
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file_.c_str(), &database), SQLITE_OK);
  sqlite3_exec(database, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr);
  try {
    store.put(folder_ / "a", record("2026"));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_EQ(error.headline(),
              file_.string() + ": another process keeps the store of runs locked");
  }
  sqlite3_close(database);
}

TEST_F(StoreTest, SeveralWritersLoseNothing) {
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w) {
    writers.emplace_back([&, w] {
      Store store(file_, true);
      for (int i = 0; i < 5; ++i)
        store.put(folder_ / (std::to_string(w) + "-" + std::to_string(i)), record("2026"));
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(Store(file_).runs().size(), 20U);
}

TEST_F(StoreTest, FindsARunByNameOrFolder) {
  make("small-001", record("2026"));
  const std::vector<StoredRun> runs = Store(file_).runs();
  EXPECT_EQ(find_run(runs, "small-001").folder, folder_ / "small-001");
  EXPECT_EQ(find_run({}, (folder_ / "small-001").string() + "/").name(), "small-001");
  try {
    find_run(runs, "smal-001");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("small-001"), std::string::npos);
  }
}

TEST_F(StoreTest, AllFilesOfTheFolderOfRunsNameTheRuns) {
  make("small-001", record("2026"));
  make("small-002", record("2027"));
  const Store store(file_, true);
  ::setenv("FOVEA_RUNS", file_.c_str(), 1);
  const std::vector<StoredRun> found =
      find_runs({}, {file_.string(), folder_ / "small-001", folder_ / "small-002"});
  ::unsetenv("FOVEA_RUNS");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1].name(), "small-002");
}

}  // namespace
}  // namespace fovea::records
