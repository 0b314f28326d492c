#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/json.h"
#include "fovea/tasks/metric.h"
#include "fovea/train/history.h"

/// What is kept of training runs: files in the folder of a run, and an index of all runs.
namespace fovea::records {

/// The machine and the program of one session of a run.
struct Environment {
  std::string cpu;  ///< "AMD EPYC 7B13"; "unknown" where the system does not say
  int64_t processors = 0, threads = 0;
  std::string instruction_set;  ///< "avx512"
  int64_t memory_bytes = 0;     ///< that the process may use
  std::string system;           ///< "Linux 6.1.0 x86_64"
  std::string fovea, compiler;  ///< versions
};

/// The environment of this process, training with `threads`.
Environment this_environment(int64_t threads);

/// From one start of the program to its end: a resumed run has several.
struct Session {
  std::string started, ended;  ///< UTC, "2026-05-04T10:20:30Z"; `ended` is "" as long as it lasts
  std::string command;         ///< as a shell takes it, or ""
  int64_t from_epoch = 0;      ///< complete epochs when it started
  double seconds = 0;
  int64_t peak_memory_bytes = 0;
  Environment environment;
};

/// A training batch as it was fed: pictures of its first samples, as PNG files in the run's folder.
struct BatchPictures {
  std::string fed;                  ///< after all augmentation, with mixing: "batch-1.png"
  std::string original;             ///< the same samples, only resized: "batch-1-original.png"
  std::vector<std::string> labels;  ///< of the samples
};

/// Where the time of a run went, in seconds, over all its sessions.
struct Timings {
  double setup = 0;     ///< until the first batch: reading data, compiling
  double training = 0;  ///< of which `waiting` was for data
  double waiting = 0;
  double validation = 0;  ///< including saving
  double test = 0;
  /// Milliseconds per training step, of the latest session.
  double step_median_ms = 0, step_p95_ms = 0, step_max_ms = 0;
};

/// The file record.json in the folder of a run: what it was, apart from the numbers of its epochs,
/// which are in history.json and history.csv.
struct Record {
  /// "running", "complete", "stopped" (by request; can be resumed) or "failed" (see `error`).
  std::string status = "running";
  std::string error;
  std::string model, data, task;
  std::map<std::string, std::string> settings;  ///< all, as config.toml has them, as texts
  int64_t parameters = 0, trainable = 0;
  std::vector<int64_t> input;  ///< the shape of one sample as the net sees it: C, spatial...
  int64_t train_samples = 0, val_samples = 0, test_samples = 0;
  std::vector<std::string> classes;  ///< names of the classes, labels or numbers to predict
  std::string metric;                ///< that decides which epoch is best: "val_accuracy"
  bool larger_is_better = true;
  int64_t epochs = 0;      ///< complete ones
  int64_t best_epoch = 0;  ///< 0: none yet
  std::optional<double> best_value;
  tasks::Numbers test;  ///< of the best model, on the test set; empty until the end
  double images_per_second = 0;
  std::vector<BatchPictures> batches;
  Timings timings;
  std::vector<Session> sessions;

  int64_t peak_memory_bytes() const;
};

constexpr std::string_view record_name = "record.json";
constexpr std::string_view history_name = "history.json";

/// Its members, as in record.json.
Json to_json(const Record& record);
/// The text of record.json, which begins with the format's version.
std::string record_text(const Record& record);
/// Errors: data when it is not such a text, naming `source`.
Record record_from_json(std::string_view text, const std::string& source);
/// record.json of a run's folder. Errors: data when it is missing or broken.
Record read_record(const std::filesystem::path& run);

/// [{"epoch", "lr", the numbers, "seconds", "images_per_second", "waiting"}, ...].
Json to_json(const std::vector<train::EpochRecord>& history);
/// The text of history.json: {"epochs": [...]}.
std::string history_text(const std::vector<train::EpochRecord>& history);
/// The epochs of a run, from its history.csv; none before the first is complete. Errors: data.
std::vector<train::EpochRecord> read_history(const std::filesystem::path& run);

/// What a run is doing, for people: its status, but "interrupted" for one that is not training
/// though it did not say that it ended (the process was killed), and "missing" without a folder.
std::string state_of(const std::filesystem::path& run, const std::string& status);

/// The time now as Session has it.
std::string utc_now();

}  // namespace fovea::records
