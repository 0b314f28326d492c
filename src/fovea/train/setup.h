#pragma once

#include <memory>
#include <optional>

#include "fovea/core/error.h"
#include "fovea/data/cached.h"
#include "fovea/data/dataset.h"
#include "fovea/data/image_files.h"
#include "fovea/data/loader.h"
#include "fovea/formats/model_file.h"
#include "fovea/images/preprocessing.h"
#include "fovea/nn/module.h"
#include "fovea/optim/optimizer.h"
#include "fovea/tasks/task.h"
#include "fovea/train/groups.h"
#include "fovea/train/settings.h"
#include "fovea/train/step.h"
#include "fovea/weights/initial.h"

namespace fovea::train {

/// The data without samples that cannot be read, which are added to `skipped`: reads all that are
/// not in memory. Errors: data when none of a split's can be read.
data::DataSets without_bad_images(data::DataSets sets, std::vector<data::BadSample>& skipped);

/// The samples that validated the run of a model file: the data set's own validation split or else
/// those that --val, --seed and --limit held out of the training split. Errors: usage when the file
/// does not have these settings, when they held out none, or when the data are not those that the
/// model was trained on; model when the settings are invalid.
std::shared_ptr<const data::Dataset> validation_of(const ModelFile& model,
                                                   const data::DataSets& sets);

/// A run as described by its settings: its data, task and net, and how samples become the net's
/// inputs. Data are open; weights are not initialised and nothing is compiled. The starting point
/// of train and plan.
struct Setup {
  /// Errors: usage, data or model, for settings that do not go together, unknown names, data or
  /// weights that cannot be read, weights for gray images with RGB input or the other way round,
  /// and batches that the net cannot be trained on.
  /// `index`: as data::open.
  explicit Setup(const Settings& settings, std::string_view index = {});
  /// With the caller's data instead of those that `settings.data` names; `known`: how their images
  /// are normalised, if that should not be measured.
  /// `net`: the caller's net instead of the one that `settings.model` names; it must outlive the
  /// Setup. Errors: also usage when it does not give the numbers that the task needs.
  Setup(const Settings& settings, data::DataSets data, const std::optional<Preprocessing>& known,
        const nn::Module* net = nullptr);

  Settings settings;
  std::vector<std::string> notes;        ///< for the user, of what was decided
  std::vector<data::BadSample> skipped;  ///< of all splits, with on_bad_image "skip"
  data::DataSets sets;                   ///< without them
  std::unique_ptr<tasks::Task> task;
  std::vector<tasks::Metric> metrics;  ///< of the task, including those added to it
  size_t monitored = 0;                ///< index of the one that decides which epoch is best
  Shape input;                         ///< of one sample, as the net sees it: C, spatial...
  InitialWeights start;                ///< empty without settings.weights
  /// How images become the net's inputs; none if the data set's inputs are numbers.
  std::optional<Preprocessing> preprocessing;
  std::shared_ptr<const data::Modality> modality;  ///< of the data set; null: none
  /// Of each channel of what a modality makes, if it normalises; else empty.
  data::ChannelStats statistics;
  data::ValidationSplit split;              ///< of samples as the data set has them, or resized
  std::vector<double> class_weights;        ///< in the loss; empty: none
  std::shared_ptr<data::CacheLimit> cache;  ///< of decoded images in `split`; null: none are kept
  int64_t cache_bytes = 0;                  ///< that they may take
  std::unique_ptr<optim::Optimizer> optimizer;
  models::Config config;
  std::shared_ptr<const nn::Module> model;
  models::ArrayNames head;  ///< see models::head; empty for the caller's net
  Groups groups;            ///< of arrays, which the optimiser has too

  /// Samples that an epoch trains on: all, or with settings.drop_last those in full batches.
  int64_t epoch_samples() const;
  /// The error of a training step on that many samples, if the net cannot take them: a batch norm
  /// needs two values per channel. In any phase of the run.
  std::optional<Error> refusal(int64_t samples) const;
  /// Options of a training step in a phase of the run: see Groups.
  StepOptions step_options(size_t phase) const;
  data::Augmentation augmentation() const;
  data::LoaderOptions loader_options() const;
  Normalization normalization() const;
  /// The samples of a split as the net takes them, without augmentation, for validation and test.
  std::shared_ptr<const data::Dataset> prepared(std::shared_ptr<const data::Dataset> split) const;
  /// The type of inputs of `n` samples from the loader: u8 or u16 [n, H, W, C] or f32 [n, C,
  /// spatial...].
  Type inputs(int64_t n) const;
  /// The type of their targets; in validation and tests, where nothing is augmented.
  Type targets(int64_t n) const;
  Type evaluation_targets(int64_t n) const;

 private:
  void check_batches() const;
  void check_views() const;
  void check_monitoring() const;
  void keep_images();
  Type stacked_targets(int64_t n, const data::Targets& targets) const;
};

/// Samples per batch in validation and test, for a run that trains with `batch`: limited so that
/// they take no more memory than training.
int64_t evaluation_batch(int64_t batch);

}  // namespace fovea::train
