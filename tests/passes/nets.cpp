#include "passes/nets.h"

#include <algorithm>
#include <cmath>

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/norm.h"
#include "fovea/ops/pool.h"
#include "fovea/ops/shape_ops.h"
#include "ops/harness.h"

namespace fovea::pass_test {
namespace {

std::vector<double> draw(const Value& leaf, uint64_t seed) {
  Random random(seed, leaf.name);
  std::vector<double> data(static_cast<size_t>(leaf.type.numel()));
  for (double& v : data) {
    v = is_float(leaf.type.dtype) ? random.normal() : static_cast<double>(random.below(3));
    if (leaf.name.ends_with("var")) v = 0.5 + std::abs(v);
  }
  return data;
}

bool given(const Value& value) { return value.leaf == Leaf::input || value.leaf == Leaf::state; }

}  // namespace

Leaves random_leaves(const Graph& graph, uint64_t seed) {
  Leaves leaves;
  for (const Value& value : graph.values()) {
    if (given(value)) leaves[value.name] = draw(value, seed);
  }
  return leaves;
}

Leaves results(const Graph& graph, Leaves leaves) {
  harness::Values values(graph.values().size());
  for (size_t id = 0; id < values.size(); ++id) {
    const Value& value = graph.values()[id];
    if (!given(value)) continue;
    const auto found = leaves.find(value.name);
    values[id] = found == leaves.end() ? draw(value, 0) : found->second;
  }
  harness::evaluate(graph, values);
  Leaves result;
  for (const auto& [name, id] : graph.outputs()) result[name] = values[static_cast<size_t>(id)];
  for (const auto& [name, id] : graph.updates())
    result["update " + name] = values[static_cast<size_t>(id)];
  return result;
}

testing::AssertionResult same_results(const Graph& a, const Graph& b) {
  const Leaves x = results(a), y = results(b);
  if (x.size() != y.size())
    return testing::AssertionFailure() << x.size() << " results became " << y.size();
  for (const auto& [name, before] : x) {
    const auto found = y.find(name);
    if (found == y.end()) return testing::AssertionFailure() << name << " is gone";
    double largest = 0, worst = 0;
    for (size_t i = 0; i < before.size(); ++i) {
      largest = std::max(largest, std::abs(before[i]));
      worst = std::max(worst, std::abs(before[i] - found->second.at(i)));
    }
    if (!(worst <= 1e-9 * largest))
      return testing::AssertionFailure() << name << " is off by " << worst << " of " << largest;
  }
  return testing::AssertionSuccess();
}

Tensor parameter(Graph& graph, const std::string& name, const Shape& shape) {
  return graph.read(name, {graph.dtype(), shape}, graph.mode() == Mode::train);
}
Tensor state(Graph& graph, const std::string& name, const Shape& shape) {
  return graph.read(name, {graph.dtype(), shape});
}

Tensor conv_layer(const Tensor& x, const std::string& name, bool bias) {
  const Tensor w = parameter(x.graph(), name + ".weight", {16, 16, 3, 3});
  return conv2d(x, w, bias ? parameter(x.graph(), name + ".bias", {16}) : Tensor{}, {.padding = 1});
}

Tensor norm_layer(const Tensor& x, const std::string& name) {
  Graph& graph = x.graph();
  const Tensor gamma = parameter(graph, name + ".weight", {16}),
               beta = parameter(graph, name + ".bias", {16}),
               running_mean = state(graph, name + ".mean", {16}),
               running_var = state(graph, name + ".var", {16});
  const Tensors y = batch_norm(x, gamma, beta, running_mean, running_var);
  if (graph.mode() == Mode::train) {
    graph.update(name + ".mean", y[1]);
    graph.update(name + ".var", y[2]);
  }
  return y[0];
}

std::shared_ptr<Graph> random_net(Random& random, Mode mode) {
  const auto graph = Graph::make(mode, DType::f64, "net");
  Tensors pool{graph->input("x", {DType::f64, {2, 16, 3, 4}})};
  const auto any = [&] {  // mostly the latest: chains are what passes look for
    return random.below(3) > 0 ? pool.back() : pool[random.below(pool.size())];
  };
  for (int i = 0; i < 14; ++i) {
    const std::string name = "layer" + std::to_string(i);
    switch (random.below(7)) {
      case 0:
        pool.push_back(conv_layer(any(), name, random.below(2) == 0));
        break;
      case 1:
        pool.push_back(norm_layer(any(), name));
        break;
      case 2:
        pool.push_back(relu(any()));
        break;
      case 3:
        pool.push_back(norm_layer(conv_layer(any(), name + ".conv"), name + ".norm") * 0.5);
        break;
      case 4: {  // squeeze and excitation
        const Tensor a = any();
        pool.push_back(a * sigmoid(global_avg_pool(a)));
        break;
      }
      case 5: {  // channels of two
        const Tensor a = any();
        const int64_t begin = 8 * static_cast<int64_t>(random.below(3));
        pool.push_back(slice(concat({any(), a}, 1), 1, begin, begin + 16));
        break;
      }
      default: {
        const Tensor a = any();
        pool.push_back(any() + a);
      }
    }
  }
  graph->output("a", any());
  if (random.below(2) == 0) graph->output("b", any());
  graph->output("loss", mean(pool.back() * pool.back()));
  return graph;
}

int count(const Graph& graph, std::string_view op) {
  return static_cast<int>(std::count_if(graph.nodes().begin(), graph.nodes().end(),
                                        [&](const Node& node) { return node.op.name() == op; }));
}

}  // namespace fovea::pass_test
