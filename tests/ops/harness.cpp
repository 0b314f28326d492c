#include "ops/harness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::harness {
namespace {

std::vector<double>& at(Values& values, const Tensor& t) {
  return values[static_cast<size_t>(t.id())];
}

std::vector<double> random_vector(size_t size, Random& random) {
  std::vector<double> v(size);
  for (double& x : v) x = random.normal();
  return v;
}

/// The op's first output for these inputs.
std::vector<double> first_output(const Sample& sample, std::vector<std::vector<double>> inputs) {
  const Types types = sample.types(), out = sample.op.infer(types);
  std::vector<std::vector<double>> outputs;
  for (const Type& t : out) outputs.emplace_back(static_cast<size_t>(t.numel()), std::nan(""));
  Views views;
  for (size_t i = 0; i < inputs.size(); ++i) {
    views.in.push_back({inputs[i].data(), types[i].shape});
  }
  for (size_t i = 0; i < out.size(); ++i) views.out.push_back({outputs[i].data(), out[i].shape});
  sample.op.reference(views);
  return outputs[0];
}

struct Dot {
  double sum = 0, magnitude = 0;
};

Dot dot(const std::vector<double>& a, const std::vector<double>& b) {
  Dot result;
  for (size_t i = 0; i < a.size(); ++i) {
    result.sum += a[i] * b[i];
    result.magnitude += std::abs(a[i] * b[i]);
  }
  return result;
}

/// Whether some element is clamped at one of the two points and not at the other.
bool crosses_zero(const std::vector<double>& a, const std::vector<double>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if ((a[i] > 0) != (b[i] > 0)) return true;
  }
  return false;
}

}  // namespace

Types Sample::types() const {
  Types result;
  for (const SampleInput& input : inputs) result.push_back(input.type);
  return result;
}

void evaluate(const Graph& graph, Values& values) {
  values.resize(graph.values().size());
  for (size_t id = 0; id < values.size(); ++id) {
    const Value& value = graph.values()[id];
    if (value.leaf != Leaf::constant) continue;
    values[id].clear();
    for (int64_t i = 0; i < value.constant.numel(); ++i) {
      values[id].push_back(value.constant.at(i));
    }
  }
  for (const Node& node : graph.nodes()) {
    Views views;
    for (int id : node.inputs) {
      views.in.push_back({values[static_cast<size_t>(id)].data(), graph.value(id).type.shape});
    }
    for (int id : node.outputs) {
      std::vector<double>& data = values[static_cast<size_t>(id)];
      data.assign(static_cast<size_t>(graph.value(id).type.numel()), std::nan(""));
      views.out.push_back({data.data(), graph.value(id).type.shape});
    }
    node.op.reference(views);
  }
}

Traced trace(const Sample& sample, Random& random) {
  Traced t;
  t.graph = Graph::make(Mode::train, sample.inputs[0].type.dtype, sample.name);
  for (size_t i = 0; i < sample.inputs.size(); ++i) {
    t.inputs.push_back(t.graph->input("x" + std::to_string(i), sample.inputs[i].type));
  }
  t.outputs = t.graph->add(sample.op, t.inputs);
  t.gradients.resize(t.inputs.size());
  if (sample.op.traits().differentiable) {
    t.cotangent = t.graph->input("dy", t.outputs[0].type());
    Tensors dy(t.outputs.size());
    dy[0] = t.cotangent;
    t.gradients = sample.op.gradient(t.graph->node(0), dy);
  }

  t.values.resize(t.graph->values().size());
  for (size_t i = 0; i < sample.inputs.size(); ++i) {
    std::vector<double>& data = at(t.values, t.inputs[i]);
    data.resize(static_cast<size_t>(t.inputs[i].shape().numel()));
    sample.inputs[i].fill(random, {data.data(), t.inputs[i].shape()});
  }
  if (t.cotangent) {
    at(t.values, t.cotangent) =
        random_vector(static_cast<size_t>(t.cotangent.shape().numel()), random);
  }
  evaluate(*t.graph, t.values);
  return t;
}

void check_gradient(const Sample& sample, double tolerance) {
  constexpr double h = 1e-5;
  Random random(7, sample.name);
  Traced t = trace(sample, random);
  ASSERT_EQ(t.gradients.size(), t.inputs.size()) << sample.name;
  for (size_t i = 0; i < t.inputs.size(); ++i) {
    const bool wanted = is_float(sample.inputs[i].type.dtype) && !sample.inputs[i].frozen;
    ASSERT_EQ(static_cast<bool>(t.gradients[i]), wanted) << sample.name << ", input " << i;
    if (!wanted) continue;
    ASSERT_EQ(t.gradients[i].shape(), t.inputs[i].shape()) << sample.name << ", input " << i;

    const std::vector<double> v = random_vector(at(t.values, t.inputs[i]).size(), random);
    const auto moved = [&](double by) {
      std::vector<std::vector<double>> inputs;
      for (const Tensor& x : t.inputs) inputs.push_back(at(t.values, x));
      for (size_t k = 0; k < v.size(); ++k) inputs[i][k] += by * v[k];
      return first_output(sample, inputs);
    };
    std::vector<double> slope = moved(h);
    const std::vector<double> behind = moved(-h);
    if (sample.relu && crosses_zero(slope, behind)) continue;
    for (size_t k = 0; k < slope.size(); ++k) slope[k] = (slope[k] - behind[k]) / (2 * h);

    const Dot analytic = dot(at(t.values, t.gradients[i]), v);
    const Dot numeric = dot(at(t.values, t.cotangent), slope);
    // A difference of outputs cannot be better than their rounding.
    const double rounding = dot(at(t.values, t.cotangent), at(t.values, t.outputs[0])).magnitude *
                            4 * std::numeric_limits<double>::epsilon() / h;
    const double allowed = tolerance * std::max(analytic.magnitude, numeric.magnitude) + rounding;
    EXPECT_LE(std::abs(analytic.sum - numeric.sum), allowed)  // false for NaN
        << sample.name << " " << sample.op.attributes() << ", input " << i << " "
        << to_string(sample.inputs[i].type) << ": gradient " << analytic.sum << ", differences "
        << numeric.sum;
  }
}

std::vector<Data> run(const std::function<Tensors(const Tensors&)>& f, const std::vector<Data>& in,
                      Mode mode) {
  const auto graph = Graph::make(mode, DType::f64);
  Tensors inputs;
  for (size_t i = 0; i < in.size(); ++i) {
    inputs.push_back(graph->input("x" + std::to_string(i), {in[i].dtype, in[i].shape}));
  }
  const Tensors outputs = f(inputs);
  Values values(graph->values().size());
  for (size_t i = 0; i < in.size(); ++i) at(values, inputs[i]) = in[i].values;
  evaluate(*graph, values);
  std::vector<Data> result;
  for (const Tensor& y : outputs) result.push_back({y.shape(), at(values, y), y.dtype()});
  return result;
}

Tensors backward(const Tensor& y, const Tensor& dy) {
  const Value& value = y.graph().value(y.id());
  const Node& node = y.graph().node(value.node);
  Tensors all(node.outputs.size());
  all[static_cast<size_t>(value.slot)] = dy;
  return node.op.gradient(node, all);
}

}  // namespace fovea::harness
