#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/data/dataset.h"
#include "fovea/graph/graph.h"
#include "fovea/tasks/metric.h"
#include "fovea/tasks/prediction.h"

namespace fovea::tasks {

struct LossOptions {
  double label_smoothing = 0;  ///< 0 to 1; for tasks that have labels
  /// One per class: the loss is the mean weighted by that of the true class (PyTorch's
  /// CrossEntropyLoss(weight)). One per label: the weight of its presence (BCEWithLogitsLoss's
  /// pos_weight). Empty: none.
  std::vector<double> class_weights = {};
  /// Those of Task::losses whose sum is the loss; empty: the task's first.
  std::vector<std::string> losses = {};
};

/// A rectangle in the pixels of a net's input: rows top to bottom - 1, columns left to right - 1.
struct Region {
  int64_t top = 0, left = 0, bottom = 0, right = 0;

  bool operator==(const Region&) const = default;
};

/// Where explained numbers come from in a net that predicts at several levels, such as those of a
/// feature pyramid.
struct ExplainedLevels {
  std::vector<Tensors> predictions;  ///< of each level what the net predicts there
  Tensor level;                      ///< i64 [N, K]: of each number, as Task::explained orders them
};

/// What to learn: the meaning of targets and outputs, the loss, and the metrics. A task is made for
/// the targets of a data set, and a model file stores both. All computation is built from ops.
/// Immutable.
class Task {
 public:
  virtual ~Task() = default;

  /// As --task and model files call it: "classify".
  virtual std::string_view name() const = 0;
  /// The targets that it was made for.
  virtual const data::Targets& targets() const = 0;
  /// The number of outputs of a model for one sample: models::Options::outputs.
  virtual int64_t outputs() const = 0;
  /// Whether a model's output [N, ...] has as many: by default along axis 1.
  virtual bool takes(const Tensor& output) const;
  /// Whether outputs are compared with the net's inputs: `target` of losses and metrics are these,
  /// as the net takes them, whatever targets the data have. Then outputs() is 0: a net has as many
  /// as its inputs have channels, and `decoded` gets outputs followed by inputs along axis 1.
  virtual bool learns_inputs() const { return false; }
  /// Checks the values of targets, beyond their type. Errors: data for one that the task cannot
  /// learn. By default all are accepted.
  virtual void check(const data::Dataset& samples) const;
  /// The loss of a batch, a scalar: the mean over its samples. `target` may be the result of a
  /// batch transform. Other outputs of the net are in the graph, by name. Errors: usage when types
  /// do not fit.
  virtual Tensor loss(const Tensor& output, const Tensor& target,
                      const LossOptions& options) const = 0;
  /// The losses to choose from, the default first; none where there is no choice.
  virtual std::vector<std::string> losses() const;
  /// The class weights with which every class counts as much as any other in `samples`, or presence
  /// as much as absence of each label; empty if the task has neither classes nor labels.
  virtual std::vector<double> balanced_weights(const data::Dataset& samples) const;
  /// The built-in metrics; those added with add_metric follow. The first is the default of
  /// --monitor.
  virtual std::vector<Metric> metrics() const = 0;
  /// If a training loss is no better than by guessing, the loss of guessing, "ln(10) = 2.303"; else
  /// "". `measured`: metrics of the same batches.
  virtual std::string guessing(const data::Dataset& samples, double loss,
                               const Numbers& measured) const;
  /// The numbers [N, K] that explanations are of, one per class: by default the output itself. A
  /// task whose outputs are about places has one for each class in `region`, or in all of the
  /// input. Errors: usage for a region where there are no places, or none there.
  virtual Tensor explained(const Tensor& output, const std::optional<Region>& region) const;
  /// The levels that these numbers come from; by default, and for a net with one level, none.
  virtual std::optional<ExplainedLevels> explained_levels(
      const Tensor& output, const std::optional<Region>& region) const;
  /// The probabilities [N, K] of such numbers: by default `decoded`.
  virtual Tensor explained_probabilities(const Tensor& numbers) const { return decoded(numbers); }
  /// What a prediction is made from, [N, ...] of any dtype, such as class probabilities.
  virtual Tensor decoded(const Tensor& output) const = 0;
  /// The prediction for sample `i` from the result of `decoded`; `maximum`: number of values to
  /// show, if there may be many.
  virtual std::unique_ptr<Prediction> predict(const Array& decoded, int64_t i,
                                              int64_t maximum) const = 0;
  /// The row of sample `i` in the table of an evaluation, from the results of `decoded` and the
  /// targets. The headings are the same for every sample.
  virtual Cells scored(const Array& decoded, const Array& targets, int64_t i) const = 0;
  /// Whether predictions have coordinates in the picture, which has to be known at its own size.
  virtual bool has_places() const { return false; }
};

/// One row of the table of tasks.
struct Entry {
  std::string name;
  std::string help;  ///< one line
  /// Whether it can learn such targets; without --task the first that can is used.
  std::function<bool(const data::Targets&)> fits;
  /// `chosen`: values of `choices`, those without one left out.
  std::function<std::unique_ptr<Task>(const data::Targets&, const Arguments& chosen)> make;
  /// What can be chosen when a model is used: flags of predict and eval. None has a default.
  std::vector<Argument> choices = {};
  /// The targets for a net of `outputs` outputs whose weights alone are known, and the `names` of
  /// its classes, as far as these are. None: those of a classifier.
  std::function<data::Targets(int64_t outputs, std::vector<std::string> names)> targets = {};
  /// Any data sets as ones that it can learn; none: it needs targets of its own kind.
  std::function<data::DataSets(const data::DataSets&)> sets = {};
};

/// The table, built-in ones first: classify, regress, multilabel, segment, detect, reconstruct.
const std::vector<Entry>& list();

/// Adds a task of your own. Not thread-safe: call it before anything is built. Errors: usage when
/// the name is taken.
void add(Entry entry);

/// The task of that name for these targets; "": the one that the targets name, or else the first
/// that can learn them. Errors: usage for an unknown name, with the nearest, or targets that it
/// cannot learn, or a choice in `chosen` that it does not have.
std::unique_ptr<Task> make(std::string_view name, const data::Targets& targets,
                           const Arguments& chosen = {});

/// The choices of all tasks.
std::vector<Argument> choices();

/// What the task's predictions are made from, for a net's output and the inputs that it took.
Tensor decoded(const Task& task, const Tensor& output, const Tensor& inputs);

/// See Entry::targets. Errors: usage for an unknown task, with the nearest.
data::Targets targets_of_net(std::string_view task, int64_t outputs,
                             std::vector<std::string> names);

/// `names`, and the missing ones of `count` by their numbers.
std::vector<std::string> numbered(std::vector<std::string> names, int64_t count);

/// `sets` as the task of that name learns them: where it cannot learn their targets, but those of
/// one of the `others`, that one, or what the task makes of any; else, and for "", `sets`.
data::DataSets sets_for(std::string_view name, data::DataSets sets);

/// The losses of a task that --loss names, joined by "+"; "": none, for the default. Errors: usage
/// for an unknown one, with the nearest, one that occurs twice, or a task without a choice.
std::vector<std::string> parse_losses(std::string_view text, const Task& task);

/// Adds a metric to the task of that name. Not thread-safe: call it before anything is built.
void add_metric(std::string_view task, std::function<Metric(const data::Targets& targets)> make);

/// All metrics of a task: its own and those added.
std::vector<Metric> metrics(const Task& task);

/// The index of the metric of that name, which must be a number; "" means the first such metric.
/// Errors: usage for an unknown name, with the nearest.
size_t monitored(const std::vector<Metric>& metrics, std::string_view name);

/// The name of a sum, or of rows, among a graph's outputs: "metric:accuracy".
std::string output_name(const Metric& metric);

/// Adds the sums and rows to the outputs of the graph of `output`, in a scope of their own. Errors:
/// usage when a sum is not f64, or there is not one row per sample.
void add_outputs(const std::vector<Metric>& metrics, const Tensor& output, const Tensor& target);

/// Says why a graph's steps under the scope of add_outputs may run on references.
bool is_metric_scope(std::string_view scope);

}  // namespace fovea::tasks
