#pragma once

#include <chrono>
#include <functional>

#include "fovea/records/record.h"
#include "fovea/train/trainer.h"

namespace fovea::records {

/// Writes what is kept of a run into its folder: record.json (see Record), history.json,
/// pictures of its first batches, and at its end curves.png and curves.svg. A file that cannot be
/// written is tried again, as all files of a run. It should be the last callback, so that it sees
/// what others add.
///
///     records::Recorder recorder;
///     train::train(settings, "", {&recorder});
class Recorder : public train::Callback {
 public:
  /// `command`: how the run was started, for its record. Its time counts as that of setting up.
  explicit Recorder(std::string command = "");

  /// Called after each change of the record, with the run's folder: at the start, after each epoch,
  /// and at the end.
  std::function<void(const std::filesystem::path& run, const Record& record)> changed;

  const Record& record() const { return record_; }
  /// Records that an error ended the run. Has no effect before it started.
  void failed(const std::string& why);

  void on_start(train::Trainer& trainer) override;
  void on_resume(train::Trainer& trainer) override;
  void on_batch(train::Trainer& trainer) override;
  void on_epoch(train::Trainer& trainer, train::EpochRecord& record, bool best) override;
  void on_saved(train::Trainer& trainer) override;
  void on_end(train::Trainer& trainer, const train::Result& result) override;

 private:
  using Clock = std::chrono::steady_clock;

  void describe(const train::Trainer& trainer);
  void measure_steps();
  void save(train::Trainer& trainer);
  void draw_curves(train::Trainer& trainer);
  double lap();

  Record record_;
  Session session_;
  std::filesystem::path folder_;
  Clock::time_point started_ = Clock::now(), lap_ = started_;
  std::vector<double> steps_;  ///< seconds of each, of this session
  bool first_ = true;          ///< no batch was seen yet
};

}  // namespace fovea::records
