#include "fovea/tasks/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/tasks/builtin.h"

namespace fovea::tasks {
namespace {

constexpr std::string_view metric_scope = "metrics";

std::vector<Entry>& table() {
  static std::vector<Entry> all{classification_entry(), regression_entry(), multilabel_entry(),
                                segmentation_entry(),   detection_entry(),  reconstruction_entry()};
  return all;
}

using MetricMakers = std::vector<std::function<Metric(const data::Targets&)>>;

std::map<std::string, MetricMakers, std::less<>>& added_metrics() {
  static std::map<std::string, MetricMakers, std::less<>> all;
  return all;
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Entry& entry : table()) all.push_back(entry.name);
  return all;
}

}  // namespace

void Task::check(const data::Dataset&) const {}

std::vector<double> Task::balanced_weights(const data::Dataset&) const { return {}; }

bool Task::takes(const Tensor& output) const {
  return output.rank() > 1 && output.dim(1) == outputs();
}

std::string Task::guessing(const data::Dataset&, double, const Numbers&) const { return ""; }

const std::vector<Entry>& list() { return table(); }

std::vector<std::string> Task::losses() const { return {}; }

Tensor Task::explained(const Tensor& output, const std::optional<Region>& region) const {
  if (!region) return output;
  throw Error(ErrorKind::usage,
              fmt::format("explain: predictions of the task {} are not about places", name()))
      .with("try", "without --pixel and --box");
}

std::optional<ExplainedLevels> Task::explained_levels(const Tensor&,
                                                      const std::optional<Region>&) const {
  return std::nullopt;
}

std::vector<std::string> parse_losses(std::string_view text, const Task& task) {
  if (text.empty()) return {};
  const std::vector<std::string> known = task.losses(), terms = split(text, '+');
  if (known.empty()) {
    throw Error(ErrorKind::usage, fmt::format("--loss: the task {} has one loss only", task.name()))
        .with("try", "no --loss");
  }
  for (size_t i = 0; i < terms.size(); ++i) {
    if (std::ranges::count(known, terms[i]) == 0) {
      throw unknown_name("loss", terms[i], known)
          .with("known", fmt::format("{}, and sums of them: {}", join(known), join(known, "+")));
    }
    if (std::ranges::count(terms, terms[i]) > 1) {
      throw Error(ErrorKind::usage,
                  fmt::format("--loss: \"{}\" occurs twice", printable(terms[i])));
    }
  }
  return terms;
}

void add(Entry entry) {
  for (const Entry& known : table()) {
    if (known.name != entry.name) continue;
    throw Error(ErrorKind::usage, fmt::format("task \"{}\": the name is taken", entry.name));
  }
  table().push_back(std::move(entry));
}

std::vector<std::string> numbered(std::vector<std::string> all, int64_t count) {
  for (int64_t k = std::ssize(all); k < count; ++k) all.push_back(std::to_string(k));
  return all;
}

std::vector<Argument> choices() {
  std::vector<Argument> all;
  for (const Entry& entry : table()) {
    for (const Argument& choice : entry.choices) {
      if (std::ranges::count(all, choice.name, &Argument::name) == 0) all.push_back(choice);
    }
  }
  return all;
}

data::Targets targets_of_net(std::string_view task, int64_t outputs,
                             std::vector<std::string> classes) {
  const auto found = std::ranges::find(table(), task, &Entry::name);
  if (found == table().end())
    throw unknown_name("task", task, names()).with("known", join(names()));
  if (found->targets) return found->targets(outputs, std::move(classes));
  return data::class_targets(numbered(std::move(classes), outputs));
}

std::unique_ptr<Task> make(std::string_view name, const data::Targets& targets,
                           const Arguments& chosen) {
  if (name.empty() && !targets.task.empty()) name = targets.task;
  const auto found = std::ranges::find_if(table(), [&](const Entry& entry) {
    return name.empty() ? entry.fits(targets) : entry.name == name;
  });
  if (found != table().end() && found->fits(targets)) {
    for (const auto& [choice, value] : chosen.values()) {
      if (std::ranges::count(found->choices, choice, &Argument::name) > 0) continue;
      throw Error(ErrorKind::usage,
                  fmt::format("the task {} has no choice \"{}\"", found->name, printable(choice)))
          .with("task", found->help);
    }
    return found->make(targets, chosen);
  }
  if (found == table().end() && !name.empty())
    throw unknown_name("task", name, names()).with("known", join(names()));
  Error error(ErrorKind::usage, name.empty()
                                    ? "no task can learn such targets"
                                    : fmt::format("the task {} cannot learn such targets", name));
  error.with("targets", to_string(targets.type)).with("tasks", join(names()));
  const auto other =
      std::ranges::find_if(table(), [&](const Entry& entry) { return entry.fits(targets); });
  if (other != table().end()) error.with("try", fmt::format("--task {}, which can", other->name));
  throw error;
}

data::DataSets sets_for(std::string_view name, data::DataSets sets) {
  const auto entry = std::ranges::find(table(), name, &Entry::name);
  if (entry == table().end() || entry->fits(sets.targets())) return sets;
  for (const data::DataSets& other : sets.others) {
    if (entry->fits(other.targets())) return other;
  }
  return entry->sets ? entry->sets(sets) : sets;
}

Tensor decoded(const Task& task, const Tensor& output, const Tensor& inputs) {
  return task.decoded(task.learns_inputs() ? concat({output, inputs}, 1) : output);
}

void add_metric(std::string_view task, std::function<Metric(const data::Targets&)> make) {
  added_metrics()[std::string(task)].push_back(std::move(make));
}

std::vector<Metric> metrics(const Task& task) {
  std::vector<Metric> all = task.metrics();
  const auto added = added_metrics().find(task.name());
  if (added == added_metrics().end()) return all;
  for (const auto& make : added->second) all.push_back(make(task.targets()));
  return all;
}

size_t monitored(const std::vector<Metric>& metrics, std::string_view name) {
  std::vector<std::string> known;
  for (size_t m = 0; m < metrics.size(); ++m) {
    if (metrics[m].table && !metrics[m].value) continue;
    if (name.empty() || metrics[m].name == name) return m;
    known.push_back(metrics[m].name);
  }
  throw unknown_name("metric", name, known).with("known", join(known));
}

std::string output_name(const Metric& metric) { return "metric:" + metric.name; }

void add_outputs(const std::vector<Metric>& metrics, const Tensor& output, const Tensor& target) {
  Graph& graph = output.graph();
  graph.enter(metric_scope, std::source_location::current());
  for (const Metric& metric : with_own(metrics)) {
    const Tensor sum = metric.rows ? metric.rows(output, target) : metric.sum(output, target);
    if (metric.rows && (sum.rank() == 0 || sum.dim(0) != output.dim(0))) {
      throw Error(ErrorKind::usage,
                  fmt::format("metric {}: a row per sample is expected", metric.name))
          .with("found", to_string(sum.type()))
          .with("samples", std::to_string(output.dim(0)));
    }
    if (!metric.rows && sum.dtype() != DType::f64) {
      throw Error(ErrorKind::usage, fmt::format("metric {}: its sum must be f64", metric.name))
          .with("found", to_string(sum.type()))
          .with("try", "cast(output, DType::f64) before anything is computed");
    }
    graph.output(output_name(metric), sum);
  }
  graph.leave();
}

bool is_metric_scope(std::string_view scope) { return scope == metric_scope; }

}  // namespace fovea::tasks
