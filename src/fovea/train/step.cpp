#include "fovea/train/step.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "fovea/core/error.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/loss.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/optim/loss_scaler.h"
#include "fovea/passes/autodiff.h"
#include "fovea/tasks/task.h"
#include "fovea/train/statistics.h"

namespace fovea::train {
namespace {

/// The output of this name among those of a run.
const Array& output(const Program& program, const std::vector<Array>& outputs,
                    std::string_view name) {
  const auto& named = program.graph().outputs();
  const auto found = std::find_if(named.begin(), named.end(),
                                  [&](const Graph::Named& n) { return n.first == name; });
  return outputs[static_cast<size_t>(found - named.begin())];
}

/// The shape of the inputs once they are normalised.
Shape net_shape(const Array& inputs) {
  if (!is_pixel(inputs.dtype())) return inputs.shape();
  return inputs.shape().slice(0, 1).concat(
      data::net_shape({inputs.dtype(), inputs.shape().slice(1)}));
}

bool is_gradient(std::string_view name) { return name.starts_with(gradient_name("")); }

}  // namespace

TrainStep::TrainStep(const nn::Module& model, State& state, StepOptions options)
    : model_(model), state_(state), options_(std::move(options)) {
  for (const nn::Variable* variable : model.variables()) {
    if (state.contains(variable->name())) continue;
    throw Error(ErrorKind::usage,
                fmt::format("train step: the State has no array \"{}\" of the model {}",
                            variable->name(), model.name()))
        .with("try", "nn::declare(state, model, seed) before TrainStep is made");
  }
  if (options_.dtype == DType::f16) (void)optim::LossScaler(state);
}

std::shared_ptr<Graph> TrainStep::trace(const Type& inputs, const Type& targets) const {
  std::shared_ptr<Graph> graph =
      Graph::make(Mode::train, accumulate_dtype(options_.dtype), model_.name());
  graph->freeze(options_.frozen);
  const Tensor given = normalized(graph->input("inputs", inputs), options_.normalization);
  const data::BatchTensors batch = options_.mixing.trace(
      {given, options_.learns_inputs ? given : graph->input("targets", targets)});
  const Tensor output = model_(batch.inputs);
  const auto loss_of = [&](const Tensor& x) {
    return options_.loss ? options_.loss(x, batch.targets) : cross_entropy(x, batch.targets);
  };
  Tensor loss = loss_of(output);
  for (const auto& [name, id] : graph->outputs()) {
    if (name.starts_with("aux")) loss = loss + options_.aux_weight * loss_of(graph->output(name));
  }
  graph->output("loss", loss);
  if (options_.weighted)
    graph->output("weighted_loss",
                  loss * cast(graph->input("weight", {DType::f64, {}}), loss.dtype()));
  graph->output("output", output);
  tasks::add_outputs(options_.metrics, output, batch.targets);
  return graph;
}

const Program& TrainStep::program(const Type& inputs, const Type& targets, bool accumulate) {
  const auto purpose = accumulate ? Key::Purpose::accumulated_gradient : Key::Purpose::gradient;
  const Program& compiled = cache_.get({inputs, targets, purpose}, [&] {
    return Program(*trace(inputs, targets),
                   {.passes = {.loss = options_.weighted ? "weighted_loss" : "loss",
                               .accumulate = accumulate,
                               .scale_loss = options_.dtype == DType::f16,
                               .precision = options_.dtype,
                               .recompute = options_.recompute}});
  });
  for (const auto& [name, id] : compiled.graph().updates()) {
    if (is_gradient(name)) state_.declare(name, compiled.graph().value(id).type, Role::gradient);
  }
  return compiled;
}

/// Removes gradients of other steps that this Program does not compute.
void TrainStep::forget_other_gradients(const Program& program) {
  std::set<std::string_view> made;
  for (const auto& [name, id] : program.graph().updates()) {
    if (is_gradient(name)) made.insert(name);
  }
  for (const std::string& name : state_.names(Role::gradient)) {
    if (!made.contains(name)) state_.remove(name);
  }
}

Inputs TrainStep::given(const Program& program, const Array& inputs, const Array& targets,
                        int64_t step, double weight) const {
  Inputs all{{"inputs", inputs}, {"targets", targets}};
  if (options_.weighted) all.emplace_back("weight", Array::full(DType::f64, {}, weight));
  auto random = options_.mixing.draw(net_shape(inputs), options_.seed, step);
  random.emplace("random",
                 Array::of(std::vector<int64_t>{static_cast<int64_t>(options_.seed), step}));
  for (const Value& value : program.graph().values()) {
    const auto found = random.find(value.name);
    if (value.leaf == Leaf::input && found != random.end())
      all.emplace_back(value.name, found->second);
  }
  return all;
}

StepResult TrainStep::gradient(const Array& inputs, const Array& targets, int64_t step,
                               bool accumulate, double weight) {
  if (weight != 1 && !options_.weighted)
    throw Error(ErrorKind::usage, "train step: its options do not ask for weighted losses");
  const Program& compiled =
      program({inputs.dtype(), inputs.shape()}, {targets.dtype(), targets.shape()}, accumulate);
  if (!accumulate) forget_other_gradients(compiled);
  const std::vector<Array> outputs =
      compiled.run(memory_, state_, given(compiled, inputs, targets, step, weight));
  StepResult result{.loss = output(compiled, outputs, "loss").item(),
                    .output = output(compiled, outputs, "output"),
                    .sums = {}};
  for (const tasks::Metric& metric : options_.metrics) {
    result.sums.push_back(output(compiled, outputs, tasks::output_name(metric)));
  }
  return result;
}

void TrainStep::measure_statistics(const Array& inputs, const Array& targets, int64_t step,
                                   int64_t count) {
  const Type x{inputs.dtype(), inputs.shape()}, t{targets.dtype(), targets.shape()};
  const Program& program = cache_.get({x, t, Key::Purpose::statistics},
                                      [&] { return Program(*statistics_graph(*trace(x, t))); });
  Inputs all = given(program, inputs, targets, step);
  all.emplace_back("count", Array::full(DType::f64, {}, static_cast<double>(count)));
  program.run(memory_, state_, all);
}

NonFinite TrainStep::nonfinite_origin(const Array& inputs, const Array& targets, int64_t step) {
  const Program& compiled =
      program({inputs.dtype(), inputs.shape()}, {targets.dtype(), targets.shape()});
  NonFinite origin =
      fovea::nonfinite_origin(compiled, memory_, state_, given(compiled, inputs, targets, step),
                              {Role::parameter, Role::moment});
  if (origin.from == NonFinite::From::nowhere) {
    origin.text = nonfinite_in(state_, {Role::buffer});
    if (!origin.text.empty()) origin.from = NonFinite::From::state;
  }
  return origin;
}

}  // namespace fovea::train
