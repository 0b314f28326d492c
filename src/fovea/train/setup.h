#pragma once

#include <memory>
#include <optional>

#include "fovea/core/error.h"
#include "fovea/data/dataset.h"
#include "fovea/data/image_files.h"
#include "fovea/data/loader.h"
#include "fovea/formats/model_file.h"
#include "fovea/images/preprocessing.h"
#include "fovea/models/freeze.h"
#include "fovea/nn/module.h"
#include "fovea/optim/optimizer.h"
#include "fovea/tasks/task.h"
#include "fovea/train/settings.h"
#include "fovea/train/step.h"
#include "fovea/weights/initial.h"

namespace fovea::train {

/// The samples that validated the run which a model file is of: the data set's own validation split
/// or, where there is none, those that --val, --seed and --limit took out of the training split.
/// Errors: usage when the file does not say these, when they took none, or when the data are not
/// those that the model was trained on; model when they are no settings.
std::shared_ptr<const data::Dataset> validation_of(const ModelFile& model,
                                                   const data::DataSets& sets);

/// What the settings of a run stand for: its data, its task, its net, and how samples become the
/// net's. Data are open; weights are not filled and nothing is compiled. What train and plan begin
/// with.
struct Setup {
  /// Errors: usage, data, model as they come: for settings that mean nothing together, unknown
  /// names, data or weights that cannot be read, weights for gray images where the input is RGB or
  /// the other way round, batches that the net cannot be trained on.
  explicit Setup(const Settings& settings);
  /// With data of the caller's instead of those that `settings.data` names; `known`: how their
  /// images are normalised, where that is not to be measured.
  Setup(const Settings& settings, data::DataSets data, const std::optional<Preprocessing>& known);

  Settings settings;
  std::vector<data::BadSample> skipped;  ///< of all splits, with on_bad_image "skip"
  data::DataSets sets;                   ///< without them
  std::unique_ptr<tasks::Task> task;
  std::vector<tasks::Metric> metrics;  ///< of the task, those added to it included
  size_t monitored = 0;                ///< the one of them that says which epoch is best
  InitialWeights start;                ///< empty without settings.weights
  Shape input;                         ///< of one sample, as the net sees it: C, spatial...
  /// How images become the net's; none where the data set's inputs are numbers.
  std::optional<Preprocessing> preprocessing;
  data::ValidationSplit split;  ///< of samples as the data set has them
  std::unique_ptr<optim::Optimizer> optimizer;
  models::Config config;
  std::unique_ptr<nn::Module> model;
  models::Frozen frozen;  ///< until settings.unfreeze_after

  /// Whether the run trains in its end what is frozen at its beginning.
  bool unfreezes() const {
    return settings.unfreeze_after > 0 && settings.unfreeze_after < settings.epochs;
  }
  /// Samples that an epoch trains on: all, or with settings.drop_last those in full batches.
  int64_t epoch_samples() const;
  /// The error of a training step on so many samples, where the net cannot take them: a batch norm
  /// needs two values a channel. What is trained is what the run trains in its end.
  std::optional<Error> refusal(int64_t samples) const;
  /// Of a training step; `thawed`: with nothing frozen.
  StepOptions step_options(bool thawed) const;
  data::Augmentation augmentation() const;
  data::LoaderOptions loader_options() const;
  Normalization normalization() const;
  /// The samples of a split as the net takes them, without augmentation: to validate and to test.
  std::shared_ptr<const data::Dataset> prepared(std::shared_ptr<const data::Dataset> split) const;
  /// Inputs of `n` samples as the loader gives them: u8 [n, H, W, C] or f32 [n, C, spatial...].
  Type inputs(int64_t n) const;
  /// Their targets: as the data set has them, and as training's batches have them (see
  /// data::BatchTransform).
  Type plain_targets(int64_t n) const;
  Type targets(int64_t n) const;

 private:
  void check_batches() const;
};

/// Samples a batch in validation and on the test set, of a run that trains with `batch`: no more,
/// so that they take no more memory than training does.
int64_t evaluation_batch(int64_t batch);

}  // namespace fovea::train
