#pragma once

#include <memory>
#include <optional>

#include "fovea/core/error.h"
#include "fovea/data/dataset.h"
#include "fovea/data/loader.h"
#include "fovea/images/preprocessing.h"
#include "fovea/models/freeze.h"
#include "fovea/nn/module.h"
#include "fovea/optim/optimizer.h"
#include "fovea/train/settings.h"
#include "fovea/train/step.h"
#include "fovea/train/transfer.h"

namespace fovea::train {

/// What the settings of a run stand for: its data, its net, and how images become the net's. Data
/// are open; weights are not filled and nothing is compiled. What train and plan begin with.
struct Setup {
  /// Errors: usage, data, model as they come: for settings that mean nothing together, unknown
  /// names, data or weights that cannot be read, weights for gray images where the input is RGB or
  /// the other way round, batches that the net cannot be trained on.
  explicit Setup(const Settings& settings);
  /// With data of the caller's instead of those that `settings.data` names; `known`: how their
  /// images are normalised, where that is not to be measured.
  Setup(const Settings& settings, data::DataSets data, const std::optional<Preprocessing>& known);

  Settings settings;
  data::DataSets sets;
  StartingPoint start;  ///< empty without settings.weights
  Preprocessing preprocessing;
  data::ValidationSplit split;
  std::unique_ptr<optim::Optimizer> optimizer;
  models::Config config;
  std::unique_ptr<nn::Module> model;
  models::Frozen frozen;  ///< until settings.unfreeze_after

  /// Whether the run trains in its end what is frozen at its beginning.
  bool unfreezes() const {
    return settings.unfreeze_after > 0 && settings.unfreeze_after < settings.epochs;
  }
  /// Images that an epoch trains on: all, or with settings.drop_last those in full batches.
  int64_t epoch_images() const;
  /// The error of a training step on so many images, where the net cannot take them: a batch norm
  /// needs two values a channel. What is trained is what the run trains in its end.
  std::optional<Error> refusal(int64_t images) const;
  /// Of a training step; `thawed`: with nothing frozen.
  StepOptions step_options(bool thawed) const;
  data::LoaderOptions loader_options() const;
  Normalization normalization() const { return {preprocessing.mean, preprocessing.std}; }
  /// u8 images [n, H, W, C] as the loader gives them, and their labels.
  Type images(int64_t n) const;
  Type labels(int64_t n) const { return {DType::i64, {n}}; }

 private:
  void check_batches() const;
};

/// Images a batch in validation and on the test set, of a run that trains with `batch`: no more, so
/// that they take no more memory than training does.
int64_t evaluation_batch(int64_t batch);

}  // namespace fovea::train
