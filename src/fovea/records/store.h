#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "fovea/records/record.h"

namespace fovea::records {

/// A run as the store knows it.
struct StoredRun {
  std::filesystem::path folder;  ///< absolute
  Record record;
  std::string state;  ///< see state_of

  std::string name() const { return folder.filename().string(); }
};

/// The index of runs: an SQLite file with a row per folder. The folders are what counts: `runs`
/// reads their records, and finds those beside the file that have no row, so that a file that is
/// lost costs nothing but the rows of folders elsewhere and of those that were removed. Several
/// processes may use it at once.
///
/// The table is `runs(folder, updated, status, model, data, epochs, metric, best_epoch, best_value,
/// record)`, where `record` is the text of record.json.
class Store {
 public:
  /// $FOVEA_RUNS, or runs/fovea.sqlite in the current folder.
  static std::filesystem::path default_path();

  /// Creates the file, and its folder, if it is missing and `create`; else there are no rows.
  /// Errors: io when it cannot be opened; data when it is not a store, or one of a later version.
  explicit Store(const std::filesystem::path& path, bool create = false);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// Adds or replaces the row of a run. Errors: io, also when another process keeps the file locked
  /// for two seconds.
  void put(const std::filesystem::path& run, const Record& record);
  /// Removes the row of a run, if there is one. Errors: as put.
  void forget(const std::filesystem::path& run);

  /// All runs, latest first. Errors: io, as put; data when a row is broken.
  std::vector<StoredRun> runs() const;

 private:
  class Statement;
  class Connection;

  std::filesystem::path path_;
  std::unique_ptr<Connection> connection_;
};

/// The run that a text names: a folder, or the name of one in `runs`, the latest of that name.
/// Errors: usage when there is none, with the nearest names; data for a run without a record.
StoredRun find_run(const std::vector<StoredRun>& runs, const std::string& name);

/// Those that several texts name, in their order. The default store itself is left out, which a
/// shell's runs/* names as well. Errors: as find_run.
std::vector<StoredRun> find_runs(const std::vector<StoredRun>& runs,
                                 const std::vector<std::string>& names);

}  // namespace fovea::records
