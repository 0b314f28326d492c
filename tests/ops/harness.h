#pragma once

#include <functional>
#include <string>
#include <vector>

#include "fovea/core/random.h"
#include "fovea/graph/graph.h"

/// Tools for all tests of ops and kernels: problems with data, graphs run by the ops' own float64
/// references, gradients against central differences.
namespace fovea::harness {

/// Results of Tensors, as a test calls ops.
using Function = std::function<Tensors(const Tensors&)>;

/// Writes the data of one input.
using Fill = std::function<void(Random&, const View&)>;

struct SampleInput {
  Type type;
  Fill fill;
  bool frozen = false;  ///< its op documents that it gives it no gradient
};

/// One problem: an op, and inputs that it takes.
struct Sample {
  std::string name;
  Op op;
  std::vector<SampleInput> inputs;
  bool relu = false;  ///< outputs are clamped at 0: a kink there is not a wrong gradient

  Types types() const;
};

/// Data by value id of a graph.
using Values = std::vector<std::vector<double>>;

/// A graph's values: leaves as given (constants are read), the rest by references.
void evaluate(const Graph& graph, Values& values);

/// A sample's op with its gradient: inputs, the op, a cotangent for its first output and what
/// `gradient` builds; with the data of every value. Kernels are tested on its nodes.
struct Traced {
  std::shared_ptr<Graph> graph;
  Tensors inputs, outputs, gradients;  ///< one gradient per input, no value if there is none
  Tensor cotangent;
  Values values;
};
Traced trace(const Sample& sample, Random& random);

/// Compares each input's gradient with central differences along a random direction: they may
/// differ by `tolerance` of the sum of absolute products. Also expects that each float input has a
/// gradient unless it is frozen.
void check_gradient(const Sample& sample, double tolerance);

/// Concrete data for worked examples.
struct Data {
  Shape shape;
  std::vector<double> values;
  DType dtype = DType::f64;
};
/// The values of `f` for these inputs, by references in a float64 graph.
std::vector<Data> run(const Function& f, const std::vector<Data>& in, Mode mode = Mode::train);
/// The gradients for the inputs of the node that made `y`.
Tensors backward(const Tensor& y, const Tensor& dy);

}  // namespace fovea::harness
