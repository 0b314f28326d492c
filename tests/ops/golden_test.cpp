#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "fovea/passes/autodiff.h"
#include "fovea/runtime/program.h"
#include "golden_fill.h"
#include "ops/golden_ops.h"
#include "ops/samples.h"
#include "paths.h"

namespace fovea::golden_ops {
namespace {

const std::vector<std::string> families{"conv",       "conv_transpose", "pool",       "norm",
                                        "activation", "shape",          "arithmetic", "loss"};

/// The contents of tests/golden/ops_FAMILY.safetensors, as scripts/golden/ops.py says.
struct File {
  std::map<std::string, Array> tensors;
  Json cases;

  explicit File(const std::string& family) {
    SafeTensors contents =
        read_safetensors(tests_folder() + "/golden/ops_" + family + ".safetensors");
    cases = Json::parse(contents.metadata.at("cases"));
    tensors = {contents.tensors.begin(), contents.tensors.end()};
  }
};

/// An input, filled as its description says; floats are of type `dtype`.
Array fill(const std::string& name, const Json& spec, DType dtype) {
  const std::string kind = spec.value("dtype", "float");
  const golden_fill::Words words(name);
  Array array(kind == "i64"  ? DType::i64
              : kind == "u8" ? DType::u8
                             : dtype,
              Shape(spec.at("shape").get<std::vector<int64_t>>()));
  const double scale = spec.value("scale", 1.0), shift = spec.value("shift", 0.0);
  const uint64_t classes = spec.value("classes", uint64_t{0});
  for (int64_t i = 0; i < array.numel(); ++i) {
    array.set(i, classes > 0 ? static_cast<double>(words[i] % classes)
                             : static_cast<float>(shift + scale * words.uniform(i)));
  }
  return array;
}

/// A case traced: results "y0", "y1", ... and, where there is one, "loss".
struct Traced {
  std::shared_ptr<Graph> graph;
  State state;                                        ///< arrays that need gradients
  std::vector<std::pair<std::string, Array>> inputs;  ///< the rest
  std::vector<std::string> unknown_options;
  bool loss = false;
};

void trace(const Json& golden, DType dtype, Traced& t) {
  const std::string name = golden.at("name");
  const bool training = golden.at("options").value("training", true);
  t.graph = Graph::make(training ? Mode::train : Mode::eval, dtype, name);
  const auto given = [&](const std::string& key, const Array& array) {
    t.inputs.emplace_back(key, array);
    return t.graph->input(key, {array.dtype(), array.shape()});
  };
  Call::Inputs inputs;
  for (const Json& spec : golden.at("inputs")) {
    const std::string key = spec.at("name");
    const Array array = fill(name + "/" + key, spec, dtype);
    if (spec.value("frozen", false)) {
      inputs.emplace_back(key, given(key, array));
      continue;
    }
    const Type type{array.dtype(), array.shape()};
    inputs.emplace_back(key, t.graph->read(key, type, true));
    t.state.declare(key, type, Role::parameter);
    t.state.declare(gradient_name(key), type, Role::gradient);
    t.state.set(key, array);
  }

  Call call(inputs, golden.at("options"));
  const Tensors results = rows().at(golden.at("op"))(call);
  t.unknown_options = call.unknown();
  Tensor loss;
  for (const size_t i : golden.at("loss")) {
    const std::string key = "g" + std::to_string(i);
    const Tensor y = cast(results.at(i), dtype);
    const Tensor part =
        sum(y * given(key, golden_fill::uniform(name + "/" + key, dtype, y.shape())));
    loss = loss ? loss + part : part;
  }
  for (size_t i = 0; i < results.size(); ++i) {
    t.graph->output("y" + std::to_string(i), results[i]);
  }
  t.loss = static_cast<bool>(loss);
  if (t.loss) t.graph->output("loss", loss);
}

/// The engine's results for a case, with gradients as "grad:x".
std::map<std::string, Array> compute(Traced& t) {
  const Program program(*t.graph, {.passes = {.loss = t.loss ? "loss" : ""}});
  Inputs inputs;
  for (const auto& [name, array] : t.inputs) inputs.emplace_back(name, array);
  Memory memory;
  const std::vector<Array> outputs = program.run(memory, t.state, inputs);
  std::map<std::string, Array> got;
  for (size_t i = 0; i < outputs.size(); ++i) {
    got[program.graph().outputs()[i].first] = outputs[i].clone();
  }
  got.erase("loss");
  for (const auto& [name, id] : program.graph().updates()) got[name] = t.state.get(name);
  return got;
}

/// Both of one shape, and no further apart than `tolerance` of the largest number expected.
void expect_close(const std::string& name, const Array& got, const Array& want, double tolerance) {
  ASSERT_EQ(got.shape(), want.shape()) << name;
  double largest = 0, worst = 0;
  for (int64_t i = 0; i < want.numel(); ++i) {
    const double apart = std::abs(got.at(i) - want.at(i));
    largest = std::max(largest, std::abs(want.at(i)));
    worst = apart > worst || std::isnan(apart) ? apart : worst;
  }
  EXPECT_LE(worst, tolerance * largest) << name;  // false for NaN
}

class Golden : public ::testing::TestWithParam<std::string> {
 protected:
  /// Every result and gradient of the file, and no others.
  static void compare(DType dtype, double tolerance) {
    const File file(GetParam());
    size_t compared = 0;
    for (const Json& golden : file.cases) {
      const std::string name = golden.at("name");
      SCOPED_TRACE(name + " " + golden.at("options").dump());
      Traced traced;
      trace(golden, dtype, traced);
      EXPECT_EQ(traced.unknown_options, std::vector<std::string>{});
      for (const auto& [key, array] : compute(traced)) {
        const auto want = file.tensors.find(name + "/" + key);
        ASSERT_NE(want, file.tensors.end()) << key;
        expect_close(key, array, want->second, tolerance);
        ++compared;
      }
    }
    EXPECT_EQ(compared, file.tensors.size());
  }
};

// A net moved here from PyTorch gives the same results, whatever options its layers have.
TEST_P(Golden, InFloat64) { compare(DType::f64, 1e-12); }
TEST_P(Golden, InFloat32) { compare(DType::f32, 1e-5); }

INSTANTIATE_TEST_SUITE_P(Ops, Golden, ::testing::ValuesIn(families),
                         [](const auto& family) { return family.param; });

// An op that joins the harness without values to compare with would only be checked against itself:
// PyTorch's, or a worked example in its row.
TEST(GoldenFiles, EveryOpOfTheHarnessHasValues) {
  std::set<std::string, std::less<>> ops{"dropout"};  // random
  std::set<std::string> functions;
  for (const std::string& family : families) {
    for (const Json& golden : File(family).cases) {
      Traced traced;
      trace(golden, DType::f64, traced);
      for (const Node& node : traced.graph->nodes()) ops.emplace(node.op.name());
      functions.insert(golden.at("op"));
    }
  }
  for (const harness::Family& family : harness::families()) {
    for (const harness::Worked& example : family.worked) {
      const auto graph = Graph::make(Mode::train, DType::f64);
      Tensors in;
      for (const harness::Data& x : example.in)
        in.push_back(graph->input("x" + std::to_string(in.size()), {x.dtype, x.shape}));
      (void)example.f(in);
      for (const Node& node : graph->nodes()) ops.emplace(node.op.name());
    }
    for (const harness::Sample& sample : family.make(DType::f64)) {
      EXPECT_TRUE(ops.contains(sample.op.name()))
          << sample.op.name() << ": add a worked example to its row in tests/ops/samples.cpp, or a "
          << "case with PyTorch's values to scripts/golden/ops.py (docs/adding-an-op.md)";
      ops.emplace(sample.op.name());  // report it once
    }
  }
  for (const auto& [name, row] : rows()) EXPECT_TRUE(functions.contains(name)) << name;
}

}  // namespace
}  // namespace fovea::golden_ops
