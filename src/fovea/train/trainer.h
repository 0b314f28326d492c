#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "fovea/optim/schedule.h"
#include "fovea/train/callback.h"
#include "fovea/train/early_stopping.h"
#include "fovea/train/frozen.h"
#include "fovea/train/learner.h"
#include "fovea/train/precision.h"
#include "fovea/train/progress.h"
#include "fovea/train/resume.h"
#include "fovea/train/run_files.h"
#include "fovea/train/setup.h"

namespace fovea::train {

/// The results of a run.
struct Result {
  int64_t epochs = 0;  ///< done
  int64_t best_epoch = 0;
  std::string best_metric;           ///< the metric that decides which is best: "val_accuracy"
  std::optional<double> best_value;  ///< its value; none with --val 0, where the last epoch counts
  tasks::Numbers test;               ///< of the best model, on the test set; empty when stopped
  int64_t test_samples = 0;
  std::vector<tasks::Table> test_tables;  ///< such as a row per class, of the same test
  double seconds = 0;                     ///< of training alone
  double images_per_second = 0;
  std::filesystem::path folder;
  std::string precision;                   ///< "f32", "bf16" or "f16"
  std::vector<PrecisionSpeed> precisions;  ///< what was measured to choose it, if anything
  std::vector<EpochRecord> history;
  std::vector<std::string> skipped;  ///< files that could not be read: see Settings::on_bad_image
  bool stopped = false;              ///< by request before the end; a checkpoint was saved
  bool early_stopped = false;        ///< complete before all epochs, by --patience or a callback
  int64_t frozen = 0;                ///< arrays that were frozen, always or for a part of the run
  int64_t frozen_changed = 0;        ///< those of them that changed while they were: 0
};

/// A training run: epochs, validation, files. Callbacks observe and control it.
class Trainer {
 public:
  /// Callbacks are called in order and must outlive it. Errors: usage when the net cannot take the
  /// samples; memory when training cannot fit.
  Trainer(Setup setup, std::vector<Callback*> callbacks, std::stop_token stop = {});

  /// Trains into the empty folder of a new run; `note` is a line about it, or "".
  Result begin(const std::filesystem::path& folder, const std::string& note = {});
  /// Resumes from the last checkpoint of a folder, with a note for each changed setting.
  Result go_on(const std::filesystem::path& folder, const std::vector<std::string>& notes);

  const Setup& setup() const { return setup_; }
  const Progress& progress() const { return progress_; }
  const std::filesystem::path& folder() const { return folder_; }
  /// Writes files of the run's folder (see RunFiles); from on_start on.
  RunFiles& files() { return *files_; }
  /// The batch in training, during on_gradients and on_batch; its arrays are valid until these
  /// return.
  const data::Batch& batch() const { return *batch_; }
  /// Parameters, their gradients, moments; arrays that are written to must be touched (see State).
  State& state() { return learner_->state(); }
  int64_t batches() const { return loader_.batches(); }  ///< per epoch
  /// Samples per second in the current epoch, and seconds left of the entire run at that speed.
  double speed() const;
  double seconds_left() const;
  /// The metric that decides which epoch is best: "val_accuracy".
  std::string monitored() const;
  /// Its value in a record, the sign such that larger is better; none without validation.
  std::optional<double> score(const EpochRecord& record) const;
  /// Those of all epochs so far.
  std::vector<double> scores() const;
  int64_t trainable() const;  ///< elements of the parameters that are trained from the start

  /// What callbacks may request. Stops the run after the current batch; a checkpoint is saved, and
  /// it can be resumed.
  void stop() { stop_.request_stop(); }
  /// Completes the run with the current epoch: the best model is tested.
  /// The reason becomes a message.
  void finish(const std::string& why = "");
  /// Skips the update of this batch.
  void skip_update() { skip_ = true; }
  /// From the next batch on, multiplies the schedule's rate by `factor`, on top of earlier factors.
  void scale_lr(double factor) { progress_.lr_factor *= factor; }
  /// Saves a checkpoint after the current batch.
  void save() { save_asked_ = true; }
  /// Adds a number to the record of the current epoch; a later one of the same name replaces it.
  void add(const std::string& name, double value);

 private:
  void open(const std::filesystem::path& folder);
  Result finish_run();
  void restore();
  FrozenArrays::Change freeze();
  void enter_phase();
  void train_all();
  std::optional<data::Batch> next_batch();
  void train_epoch();
  void train_batch(const data::Batch& batch);
  void record_scale(const optim::LossScaler& scaler);
  void update(const Learner::Outcome& outcome);
  int64_t part_begin() const;
  bool is_updated() const;
  Learner::Part next_part(int64_t samples) const;
  bool evaluate(EpochRecord& record);
  bool measure_statistics();
  bool finish_epoch();
  tasks::Measures measured(const std::string& place,
                           const std::function<tasks::Measures()>& measure);
  bool validate(EpochRecord& record);
  bool is_best(const EpochRecord& record);
  void warn_of_guessing();
  void warn_of_references();
  Result result();
  void test(Result& result);
  void save_epoch(bool best);
  void save_model_file(const std::string& name);
  void save_progress();
  void finish_files();
  void require_finite();
  const std::map<std::string, std::string>& bits();
  const Program& full_batch_program();
  const std::string& fingerprint();
  double where() const;
  double rate() const;
  std::string place() const;
  bool larger_is_better() const;
  void message(const std::string& text);
  [[noreturn]] void diverged(const std::string& what, const data::Batch* batch = nullptr);

  Setup setup_;
  std::vector<Callback*> callbacks_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> outer_stop_;
  data::Loader loader_;
  optim::Schedule schedule_;
  std::shared_ptr<Learner> learner_;
  Progress progress_;
  SaveEvery save_every_;
  std::unique_ptr<EarlyStopping> early_stopping_;  ///< of --patience
  std::filesystem::path folder_;
  std::optional<RunFiles> files_;  ///< from the start of the run on

  const data::Batch* batch_ = nullptr;  ///< see batch()
  bool skip_ = false, save_asked_ = false;
  std::string tight_;              ///< a warning about memory, or ""
  std::vector<std::string> anew_;  ///< arrays of the head that the weights did not hold
  FrozenArrays kept_;              ///< what is frozen, as it was
  double last_saved_ = 0;          ///< epoch_seconds at the last checkpoint
  bool saved_ = true;              ///< whether that checkpoint was written
  std::map<std::string, std::string> bits_;
  std::string fingerprint_;  ///< of the training data, once asked for
};

/// Trains with `settings` into a new run folder (`out`, see make_run_folder): config.toml,
/// history.csv, best.safetensors (by the monitored validation metric; the last with --val 0),
/// last.safetensors, checkpoint.safetensors, log.txt; then measures the best model once on the test
/// set. The same settings give the same last.safetensors, byte for byte. On a stop request it ends
/// after the current batch of training, validation or the test. Errors: usage, data, io; diverged
/// when a loss, a gradient, a weight or an output in validation is not finite, naming the step and
/// the first layer or weight (such a net is never saved); model when `weights` cannot be read or do
/// not fit.
Result train(const Settings& settings, const std::string& out = {},
             const std::vector<Callback*>& callbacks = {}, std::stop_token stop = {});

/// The same on data of the caller's instead of those that `settings.data` names, and with `net`, if
/// given, instead of the model that `settings.model` names; such a run cannot be resumed. Errors:
/// also usage when the net does not give the numbers that the task of the data needs.
Result train(const Settings& settings, const data::DataSets& data, const std::string& out = {},
             const std::vector<Callback*>& callbacks = {}, std::stop_token stop = {},
             const nn::Module* net = nullptr);

/// Resumes the run in `folder` from its last checkpoint, or from the start if none was written; the
/// result is bit-identical to that of an uninterrupted run. `changes` may set another total number
/// of epochs, which the schedule then spans, another location of the same data, and other threads
/// or workers; config.toml is updated. Errors: as read_run and setup_of.
Result resume(const std::filesystem::path& folder, const std::vector<Callback*>& callbacks = {},
              std::stop_token stop = {}, const Changes& changes = {});

}  // namespace fovea::train
