#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "fovea/train/metrics.h"
#include "fovea/train/resume.h"
#include "fovea/train/run_folder.h"
#include "fovea/train/settings.h"

namespace fovea::train {

/// What a run is about to do.
struct Start {
  std::filesystem::path folder;
  Settings settings;
  int64_t parameters = 0, trainable = 0, classes = 0;
  Shape input;  ///< of one image: C, H, W
  int64_t train_images = 0, val_images = 0, test_images = 0;
};

/// Where a run is, after each batch. Loss and accuracy are of the epoch so far.
struct Progress {
  int64_t epoch = 0, epochs = 0, batch = 0, batches = 0;
  double loss = 0, accuracy = 0, lr = 0;
  double images_per_second = 0;
  double seconds_left = 0;  ///< of the whole run, as it goes now
};

/// Called while a run goes on, on the thread that runs it. Any may be empty.
struct Watch {
  std::function<void(const Start&)> on_start;
  std::function<void(const Progress&)> on_batch;
  std::function<void(const EpochRecord&, bool best)> on_epoch;
  std::function<void(const std::string&)> on_message;  ///< warnings and notes, one line each
};

/// What a run gave.
struct Result {
  int64_t epochs = 0;  ///< done
  int64_t best_epoch = 0;
  double best_val_accuracy = 0;  ///< with --val 0: the last epoch's training accuracy is not it; 0
  Metrics test;        ///< of the best model, on the test set; empty when the run was stopped
  double seconds = 0;  ///< of training alone
  double images_per_second = 0;
  std::filesystem::path folder;
  std::vector<EpochRecord> history;
  bool stopped = false;        ///< asked to stop before all was done; a checkpoint was saved
  int64_t frozen = 0;          ///< arrays that `freeze` kept as they were
  int64_t frozen_changed = 0;  ///< those of them that changed all the same: 0
};

/// Trains what `settings` say into a new run folder (`out`, see make_run_folder): config.toml,
/// history.csv, best.safetensors (by validation accuracy; the last with --val 0), last.safetensors,
/// checkpoint.safetensors, log.txt; then measures the best model on the test set, once. The same
/// settings give the same last.safetensors, byte for byte. Asked to stop, it ends with the batch
/// under way, be it of training, of validation or of the test. Errors: usage, data, io as they
/// come; diverged when a loss, a gradient, a weight or a logit of the validation is not finite,
/// naming the step and the first layer or weight: such a net is never saved; model when `weights`
/// cannot be read or do not fit.
Result train(const Settings& settings, const std::string& out = {}, const Watch& watch = {},
             std::stop_token stop = {});

/// Goes on with the run in `folder` from its last checkpoint, or from the start where none was
/// written; the result is that of a run never stopped, to the bit. `changes` may give it more (or
/// fewer) epochs in all, which the schedule then spans, the same data at another place, other
/// threads or workers; config.toml then says so. Errors: as read_run and setup_of.
Result resume(const std::filesystem::path& folder, const Watch& watch = {},
              std::stop_token stop = {}, const Changes& changes = {});

}  // namespace fovea::train
