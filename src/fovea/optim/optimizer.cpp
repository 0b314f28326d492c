#include "fovea/optim/optimizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/optim/builtin.h"
#include "fovea/passes/autodiff.h"

namespace fovea::optim {
namespace {

std::string moment_name(const std::string& moment, const std::string& parameter) {
  return moment + ":" + parameter;
}

Error not_declared(const std::string& parameter, const std::string& missing) {
  return Error(ErrorKind::usage,
               fmt::format("optimizer: the moments of \"{}\" are not declared", parameter))
      .with("missing", missing)
      .with("try", "optimizer->declare(state) once, after nn::declare(state, model, seed)");
}

/// Assigns the new value, if there is one, to the State array.
void replace(Graph& graph, const std::string& name, const Type& type, const Tensor& value) {
  if (value == graph.read(name, type)) return;
  if (value.type() != type) {
    throw Error(ErrorKind::usage,
                fmt::format("optimizer: the new value of \"{}\" has another type", name))
        .with("given", to_string(value.type()))
        .with("expected", to_string(type));
  }
  graph.update(name, value);
}

void check_rate(double lr) {
  if (lr >= 0 && std::isfinite(lr)) return;
  throw Error(ErrorKind::usage, std::isnan(lr) ? "optimizer: the update has no learning rate"
                                               : "optimizer: the learning rate is " +
                                                     format_number(lr) + ", not 0 or more")
      .with("try", "optimizer->update(state, {.lr = 0.1})");
}

}  // namespace

Tensor& ParameterStep::operator[](std::string_view moment) {
  const auto found = moments.find(moment);
  require(found != moments.end(),
          "optimizer: moments() does not name \"" + std::string(moment) + "\"");
  return found->second;
}

Tensor ParameterStep::as_parameter(const Tensor& value) const {
  return cast(value, parameter.dtype());
}

std::vector<Moment> Optimizer::moments(const Type&) const { return {}; }

std::vector<Group>::const_iterator Optimizer::group_of(std::string_view parameter) const {
  return std::ranges::find_if(groups_, [&](const Group& g) { return g.contains(parameter); });
}

const Optimizer& Optimizer::rule_for(std::string_view parameter) const {
  const auto group = group_of(parameter);
  return group == groups_.end() || !group->optimizer ? *this : *group->optimizer;
}

double Optimizer::lr_of(std::string_view parameter, const Update& update) const {
  const auto group = group_of(parameter);
  if (group == groups_.end()) return update.lr;
  if (update.group_lrs.empty()) return update.lr * group->lr_scale;
  return update.group_lrs[static_cast<size_t>(group - groups_.begin())];
}

namespace {

std::vector<Moment> moments_of(const Optimizer& rule, const std::string& parameter,
                               const Type& type) {
  try {
    return rule.moments(type);
  } catch (Error& error) {
    throw error.with("parameter", fmt::format("{} {}", parameter, to_string(type)));
  }
}

}  // namespace

void Optimizer::declare(State& state) const {
  for (const std::string& name : state.names(Role::parameter)) {
    for (const Moment& moment : moments_of(rule_for(name), name, state.type(name))) {
      const auto fill = [initial = moment.initial](Array& array) {
        for (int64_t i = 0; i < array.numel(); ++i) array.set(i, initial);
      };
      state.declare(moment_name(moment.name, name), moment.type, Role::moment,
                    moment.initial == 0 ? State::Fill() : State::Fill(fill));
    }
  }
}

Optimizer::Parameters Optimizer::with_gradients(const State& state) {
  Parameters parameters;
  for (const std::string& name : state.names(Role::parameter)) {
    if (state.contains(gradient_name(name))) parameters.emplace_back(name, state.type(name));
  }
  return parameters;
}

std::shared_ptr<Graph> Optimizer::trace(const State& state, bool clips) const {
  const Parameters parameters = with_gradients(state);
  const auto graph = Graph::make(Mode::train, DType::f32, "optimizer");
  const Tensor rates = graph->input("lr", {DType::f64, {static_cast<int64_t>(parameters.size())}});
  const Tensor scale = graph->input("gradient_scale", {DType::f64, {}});
  Tensor limit;
  if (clips) limit = graph->input("clip_value", {DType::f64, {}});
  int64_t i = 0;
  for (const auto& [name, type] : parameters) {
    const Optimizer& rule = rule_for(name);
    const std::string gradient = gradient_name(name);
    ParameterStep p{.name = name, .parameter = graph->read(name, type)};
    p.gradient =
        p.as_parameter(graph->read(gradient, state.type(gradient))) * p.as_parameter(scale);
    if (clips) {
      const Tensor size = p.as_parameter(limit);
      p.gradient = maximum(minimum(p.gradient, size), -size);
    }
    p.lr64 = reshape(slice(rates, 0, i, i + 1), {});
    p.lr = p.as_parameter(p.lr64);
    const bool exempt = rule.decay_.parameters == Decay::weights && type.rank() < 2;
    p.weight_decay = exempt ? 0 : rule.decay_.amount;
    for (const Moment& m : rule.moments(type))
      p.moments[m.name] = graph->read(moment_name(m.name, name), m.type);
    rule.step(p);
    for (const Moment& m : rule.moments(type))
      replace(*graph, moment_name(m.name, name), m.type, p[m.name]);
    replace(*graph, name, type, p.parameter);
    ++i;
  }
  return graph;
}

const Program& Optimizer::program(const State& state, bool clips) {
  return programs_.get({with_gradients(state), clips}, [&] {
    return Program(*trace(state, clips),
                   {.passes = {.fuse_elementwise = true, .observe = nullptr}});
  });
}

void Optimizer::update(State& state, const Update& update) {
  check_rate(update.lr);
  require(update.group_lrs.empty() || update.group_lrs.size() == groups_.size(),
          "optimizer: an update has a learning rate for each group or none");
  for (const double lr : update.group_lrs) check_rate(lr);
  std::vector<double> rates;
  for (const auto& [name, type] : with_gradients(state)) {
    for (const Moment& m : rule_for(name).moments(type)) {
      if (!state.contains(moment_name(m.name, name)))
        throw not_declared(name, moment_name(m.name, name));
    }
    rates.push_back(lr_of(name, update));
  }
  if (rates.empty()) return;
  const bool clips = std::isfinite(update.clip_value);
  Inputs inputs{{"lr", Array::of(rates)},
                {"gradient_scale", Array::full(DType::f64, {}, update.gradient_scale)}};
  if (clips) inputs.emplace_back("clip_value", Array::full(DType::f64, {}, update.clip_value));
  program(state, clips).run(memory_, state, inputs);
}

namespace {

ChoiceTable<Entry>& table() {
  static ChoiceTable<Entry> all("optimizer", {sgd_entry(), nesterov_entry(), adamw_entry(),
                                              rmsprop_entry(), lamb_entry(), muon_entry()});
  return all;
}

/// Parses --weight-decay.
WeightDecay parse_decay(std::string_view text) {
  const std::vector<std::string> parts = split(text, ':');
  const bool fits = parts.size() == 1 || (parts.size() == 2 && parts[1] == "weights");
  const std::optional<double> amount = parse_number(parts[0]);
  if (!fits || !amount || *amount < 0) {
    throw Error(ErrorKind::usage,
                fmt::format("weight-decay must be a number of at least 0, or NUMBER:weights, not "
                            "\"{}\"",
                            printable(text)))
        .with("try", "0.0005, or 0.0005:weights to exempt norms and biases");
  }
  return {*amount, parts.size() == 2 ? Decay::weights : Decay::all};
}

}  // namespace

const std::vector<Entry>& optimizers() { return table().rows(); }
void add(Entry entry) { table().add(std::move(entry)); }

std::unique_ptr<Optimizer> parse(std::string_view optimizer, std::string_view weight_decay) {
  const WeightDecay decay = parse_decay(weight_decay);
  const auto [entry, arguments] = table().read(optimizer);
  return entry.make(arguments, decay);
}

}  // namespace fovea::optim
