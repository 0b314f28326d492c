#include "fovea/runtime/program.h"
#include "fovea/runtime/eval.h"

#include <xmmintrin.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <thread>

#include "error_text.h"
#include "fovea/core/parallel.h"
#include "fovea/core/random.h"
#include "fovea/core/timeline.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/linear.h"
#include "fovea/ops/loss.h"
#include "fovea/ops/norm.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/runtime/profile.h"
#include "runtime/allocations.h"

namespace fovea {
namespace {

Array numbers(const std::vector<double>& values, const Shape& shape) {
  return Array::of(values, shape);
}

std::vector<double> list(const Array& array) {
  std::vector<double> values;
  for (int64_t i = 0; i < array.numel(); ++i) values.push_back(array.at(i));
  return values;
}
using Numbers = std::vector<double>;

const Type six{DType::f64, {6}}, matrix{DType::f64, {2, 3}};

/// A graph under construction, with its State and Memory.
struct Bench {
  explicit Bench(Mode mode = Mode::eval) : graph(Graph::make(mode, DType::f64)) {}
  Tensor state_array(const std::string& name, const Numbers& values) {
    const Type type{DType::f64, {static_cast<int64_t>(values.size())}};
    state.declare(name, type, Role::buffer);
    state.set(name, numbers(values, type.shape));
    return graph->read(name, type);
  }
  std::vector<Array> run(const Inputs& inputs = {}) {
    return Program(*graph).run(memory, state, inputs);
  }
  std::shared_ptr<Graph> graph;
  State state;
  Memory memory;
};

TEST(Program, ViewsOfInputsStateAndResults) {
  Bench b;
  const Tensor x = b.graph->input("x", six), s = b.state_array("s", {1, 2, 3, 4, 5, 6});
  const Tensor folded = reshape(x, {2, 3});
  b.graph->output("input", folded);
  b.graph->output("state", reshape(s, {3, 2}));
  b.graph->output("sum", reshape(reshape(folded * 2.0, {6}) + s, {3, 2}));
  b.graph->output("twice", reshape(reshape(folded, {3, 2}), {6, 1}));
  const auto out = b.run({{"x", numbers({10, 20, 30, 40, 50, 60}, {6})}});
  EXPECT_EQ(list(out[0]), (Numbers{10, 20, 30, 40, 50, 60}));
  EXPECT_EQ(out[0].shape(), (Shape{2, 3}));
  EXPECT_EQ(list(out[1]), (Numbers{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(list(out[2]), (Numbers{21, 42, 63, 84, 105, 126}));
  EXPECT_EQ(out[2].shape(), (Shape{3, 2}));
  EXPECT_EQ(list(out[3]), (Numbers{10, 20, 30, 40, 50, 60}));
}

TEST(Program, ViewsOfConstants) {
  for (const Mode mode : {Mode::eval, Mode::train}) {
    Bench b(mode);
    const Tensor x = b.graph->input("x", matrix);
    const Tensor c = b.graph->constant(numbers({1, 2, 3, 4, 5, 6}, {6}));
    b.graph->output("product", x * reshape(c, {2, 3}));
    b.graph->output("constant", reshape(c, {3, 2}));
    const auto out = b.run({{"x", numbers({1, 1, 1, 2, 2, 2}, {2, 3})}});
    EXPECT_EQ(list(out[0]), (Numbers{1, 2, 3, 8, 10, 12}));
    EXPECT_EQ(list(out[1]), (Numbers{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(out[1].shape(), (Shape{3, 2}));
  }
}

TEST(Program, GivesInputsConstantsAndOneValueTwice) {
  Bench b;
  const Tensor x = b.graph->input("x", matrix), y = x * 3.0;
  b.graph->output("x", x);
  b.graph->output("c", b.graph->constant(numbers({7}, {1})));
  b.graph->output("y", y);
  b.graph->output("again", y);
  const auto out = b.run({{"x", numbers({1, 2, 3, 4, 5, 6}, {2, 3})}});
  EXPECT_EQ(list(out[0]), (Numbers{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(list(out[1]), (Numbers{7}));
  EXPECT_EQ(list(out[2]), (Numbers{3, 6, 9, 12, 15, 18}));
  EXPECT_EQ(list(out[3]), list(out[2]));
}

TEST(Program, UpdatesAStateArrayItDoesNotRead) {
  Bench b(Mode::train);
  const Tensor x = b.graph->input("x", six);
  (void)b.state.declare("seen", six, Role::buffer);
  b.state.declare("view", matrix, Role::buffer);
  b.state.declare("input", six, Role::buffer);
  b.graph->update("seen", x * 2.0);
  b.graph->update("view", reshape(x * 3.0, {2, 3}));
  b.graph->update("input", x);
  const uint64_t version = b.state.version();
  b.run({{"x", numbers({1, 2, 3, 4, 5, 6}, {6})}});
  EXPECT_EQ(list(b.state.get("seen")), (Numbers{2, 4, 6, 8, 10, 12}));
  EXPECT_EQ(list(b.state.get("view")), (Numbers{3, 6, 9, 12, 15, 18}));
  EXPECT_EQ(list(b.state.get("input")), (Numbers{1, 2, 3, 4, 5, 6}));
  EXPECT_NE(b.state.version(), version);
}

TEST(Program, ReadsTheOldValueOfAnArrayItUpdates) {
  Bench b(Mode::train);
  const Tensor mean = b.state_array("mean", {1, 2}), x = b.graph->input("x", {DType::f64, {2}});
  b.graph->update("mean", mean * 0.5 + x);
  b.graph->output("old", mean * 1.0);
  b.graph->output("itself", mean);
  const Program program(*b.graph);
  const Array ten = numbers({10, 10}, {2});
  EXPECT_EQ(list(program.run(b.memory, b.state, {{"x", ten}})[0]), (Numbers{1, 2}));
  const auto second = program.run(b.memory, b.state, {{"x", ten}});
  EXPECT_EQ(list(second[0]), (Numbers{10.5, 11}));
  EXPECT_EQ(list(second[1]), (Numbers{10.5, 11}));
  EXPECT_EQ(list(b.state.get("mean")), (Numbers{15.25, 15.5}));
}

/// A large State array "s" of ones and one value as large, f32.
struct Large {
  static constexpr int64_t n = 1 << 18;
  Bench b{Mode::train};
  Tensor s, x;
  Large() {
    b.graph = Graph::make(Mode::train, DType::f32);
    const Type type{DType::f32, {n}};
    b.state.declare("s", type, Role::gradient);
    b.state.set("s", Array::full(DType::f32, {n}, 1));
    s = b.graph->read("s", type);
    x = b.graph->input("x", type);
  }
  /// Runs the graph with x = 2; gives s and whether it was replaced without a copy.
  std::pair<double, bool> run() {
    const Program program(*b.graph);
    (void)program.run(b.memory, b.state, {{"x", Array::full(DType::f32, {n}, 2)}});
    const Array& now = b.state.get("s");
    for (int64_t i = 0; i < n; i += 1001) EXPECT_EQ(now.at(i), now.at(0));
    return {now.at(0), program.arena().bytes < n * sizeof(float)};
  }
};

// Accumulated gradients and moments are as large as the net: copying them would cost time and
// memory.
TEST(Program, AddsToAStateArrayInPlace) {
  Large l;
  l.b.graph->update("s", l.s + l.x);
  EXPECT_EQ(l.run(), (std::pair{3.0, true}));
}

TEST(Program, AnArrayThatIsReadAfterItsUpdateIsReplacedAtTheEnd) {
  Large l;
  l.b.state.declare("t", {DType::f32, {Large::n}}, Role::gradient);
  l.b.graph->update("s", l.s + l.x);
  l.b.graph->update("t", l.s * l.x + l.x);  // needs what s was
  EXPECT_EQ(l.run(), (std::pair{3.0, false}));
  EXPECT_EQ(l.b.state.get("t").at(0), 4);
}

TEST(Program, AnArrayThatIsAnOutputTooIsReplacedAtTheEnd) {
  Large l;
  l.b.graph->output("old", l.s);
  l.b.graph->update("s", l.s + l.x);
  EXPECT_EQ(l.run(), (std::pair{3.0, false}));
}

TEST(Program, ValuesThatAreNotElementwiseAreReplacedAtTheEnd) {
  Large l;
  l.b.graph->update("s", concat({slice(l.s, 0, 1, Large::n), slice(l.x, 0, 0, 1)}, 0));
  l.b.state.get("s").set(1, 5);
  const Program program(*l.b.graph);
  (void)program.run(l.b.memory, l.b.state, {{"x", Array::full(DType::f32, {Large::n}, 2)}});
  EXPECT_EQ(l.b.state.get("s").at(0), 5);
  EXPECT_EQ(l.b.state.get("s").at(1), 1);
  EXPECT_EQ(l.b.state.get("s").at(Large::n - 1), 2);
}

TEST(Program, ARunThatFailsOnItsDataLeavesArraysThatItWouldReplaceInPlace) {
  Large l;
  const Tensor labels = l.b.graph->input("labels", {DType::i64, {2}});
  l.b.graph->update("s", l.s + l.x);
  l.b.graph->output("loss", cross_entropy(l.b.graph->input("y", {DType::f32, {2, 3}}), labels));
  const Program program(*l.b.graph);
  expect_error(ErrorKind::data, "label", [&] {
    program.run(l.b.memory, l.b.state,
                {{"x", Array::full(DType::f32, {Large::n}, 2)},
                 {"y", Array::zeros(DType::f32, {2, 3})},
                 {"labels", Array::of(std::vector<int64_t>{0, 3})}});
  });
  EXPECT_EQ(l.b.state.get("s").at(0), 1);
}

TEST(Program, SwapsStateArrays) {
  Bench b(Mode::train);
  const Tensor p = b.state_array("p", {1, 2}), q = b.state_array("q", {3, 4});
  b.graph->update("p", q);
  b.graph->update("q", p);
  b.run();
  EXPECT_EQ(list(b.state.get("p")), (Numbers{3, 4}));
  EXPECT_EQ(list(b.state.get("q")), (Numbers{1, 2}));
}

TEST(Program, OneResultForAnUpdateAndAnOutput) {
  Bench b(Mode::train);
  const Tensor x = b.graph->input("x", six), y = x * 2.0;
  b.state.declare("y", six, Role::buffer);
  b.state.declare("z", six, Role::buffer);
  b.graph->output("y", y);
  b.graph->update("y", y);
  b.graph->update("z", y);
  const auto out = b.run({{"x", numbers({1, 2, 3, 4, 5, 6}, {6})}});
  for (const Array& a : {out[0], b.state.get("y"), b.state.get("z")})
    EXPECT_EQ(list(a), (Numbers{2, 4, 6, 8, 10, 12}));
}

/// conv, norm, relu, linear in f32: layers that keep packed and folded weights in eval mode.
struct Net {
  explicit Net(Mode mode = Mode::eval) : graph(Graph::make(mode, DType::f32, "net")) {
    const Tensor x = graph->input("x", {DType::f32, {2, 16, 6, 6}});
    graph->enter("conv", std::source_location::current());
    const Tensor c = conv2d(x, read("w", {16, 16, 3, 3}), {}, {.padding = 1});
    graph->leave();
    const Tensor gamma = read("gamma", {16}), beta = read("beta", {16}), mean = read("mean", {16}),
                 var = read("var", {16});
    graph->enter("bn", std::source_location::current());
    const Tensor y = relu(batch_norm_eval(c, gamma, beta, mean, var));
    graph->leave();
    graph->enter("fc", std::source_location::current());
    graph->output("y", linear(flatten(y), read("fc", {4, 576})));
    graph->leave();
  }
  Tensor read(const std::string& name, const Shape& shape) {
    return graph->read(name, {DType::f32, shape});
  }
  void declare(State& state, uint64_t seed = 1) const {
    for (const Value& value : graph->values()) {
      if (value.leaf != Leaf::state) continue;
      state.declare(value.name, value.type, Role::parameter);
      Array array = random(value.type.shape, value.name, seed);
      if (value.name == "var") array = Array::full(DType::f32, {16}, 2);
      state.set(value.name, array);
    }
  }
  static Array random(const Shape& shape, const std::string& name, uint64_t seed = 1) {
    Random stream(seed, name);
    Array array(DType::f32, shape);
    for (float& v : array.data<float>()) v = static_cast<float>(stream.normal());
    return array;
  }
  std::shared_ptr<Graph> graph;
};

Array run_fresh(const Net& net, State& state, const Array& x) {
  Memory memory;
  return Program(*net.graph).run(memory, state, {{"x", x}})[0].clone();
}

TEST(Program, RefreshesPackedWeightsWhenTheStateChanges) {
  const Net net;
  State state;
  net.declare(state);
  Memory memory;
  const Program program(*net.graph);
  const Array x = Net::random({2, 16, 6, 6}, "x");
  int prepared = 0;
  for (const StepInfo& step : program.steps()) prepared += step.prepared;
  EXPECT_EQ(prepared, 1);  // the folded norm
  const auto out = [&] { return list(program.run(memory, state, {{"x", x}})[0]); };
  const Numbers first = out();
  EXPECT_EQ(out(), first);
  for (const char* name : {"w", "gamma", "mean", "fc"}) {
    const Numbers before = out();
    state.set(name, Net::random(state.type(name).shape, "new"));
    EXPECT_NE(out(), before) << name;
    EXPECT_EQ(out(), list(run_fresh(net, state, x))) << name;
  }
  state.get("w").set(5, 100);
  state.touch();
  EXPECT_EQ(out(), list(run_fresh(net, state, x)));
}

TEST(Program, PacksAgainOnlyWhatDependsOnAnArrayThatChanged) {
  const Net net;
  State state;
  net.declare(state);
  Memory memory;
  const Program program(*net.graph);
  const Array x = Net::random({2, 16, 6, 6}, "x");
  const auto folded = [&] {
    start_timeline();
    program.run(memory, state, {{"x", x}});
    return stop_timeline().events.at(0).work->problem == program.steps().at(0).problem;
  };
  ASSERT_TRUE(program.steps().at(0).prepared);
  EXPECT_TRUE(folded());
  EXPECT_FALSE(folded());
  state.set("fc", Net::random(state.type("fc").shape, "new"));
  EXPECT_FALSE(folded());
  state.set("gamma", Net::random(state.type("gamma").shape, "new"));
  EXPECT_TRUE(folded());
}

TEST(Program, SharesPackedWeightsWithThoseOfOtherBatchSizes) {
  State state;
  Memory memory;
  std::vector<Program> programs;
  for (const int64_t batch : {8, 4}) {  // the larger arena first
    const auto graph = Graph::make(Mode::eval, DType::f32);
    const Tensor images = graph->input("x", {DType::f32, {batch, 256, 4, 4}});
    const Tensor weight = graph->read("w", {DType::f32, {256, 256, 1, 1}});
    graph->output("y", conv2d(images, weight, {}));
    programs.emplace_back(*graph);
  }
  state.declare("w", {DType::f32, {256, 256, 1, 1}}, Role::parameter);
  if (programs[0].arena().derived == 0) GTEST_SKIP() << "this machine packs no weights";
  EXPECT_GE(programs[0].arena().derived, size_t{4} * 256 * 256);
  programs[0].run(memory, state, {{"x", Array::zeros(DType::f32, {8, 256, 4, 4})}});
  const runtime_test::LargeAllocations allocations;
  programs[1].run(memory, state, {{"x", Array::zeros(DType::f32, {4, 256, 4, 4})}});
  EXPECT_LT(allocations.largest(), size_t{4} * 256 * 256);
}

TEST(Program, RunsOnOneStateAfterAnother) {
  const Net net;
  const Program program(*net.graph);
  Memory memory;
  const Array x = Net::random({2, 16, 6, 6}, "x");
  for (uint64_t seed = 1; seed < 6; ++seed) {
    State state;  // most likely where the last one was
    net.declare(state, seed);
    EXPECT_EQ(list(program.run(memory, state, {{"x", x}})[0]), list(run_fresh(net, state, x)));
  }
}

TEST(Program, ReadsAnArrayThatWasDeclaredAgainAndEachRunsInputs) {
  // While the State does not change, runs keep the addresses of its arrays; those of inputs are new
  // in each run.
  Bench b;
  b.graph->output("sum", b.graph->input("x", six) + b.state_array("s", {1, 2, 3, 4, 5, 6}));
  const Program program(*b.graph);
  const auto sum = [&](double x) {
    return list(program.run(b.memory, b.state, {{"x", Array::full(DType::f64, {6}, x)}})[0]);
  };
  const Array one = Array::full(DType::f64, {6}, 1), two = Array::full(DType::f64, {6}, 2);
  for (const Array* x : {&one, &two, &one}) {
    const auto out = program.run(b.memory, b.state, {{"x", *x}});
    EXPECT_EQ(list(out[0])[5], 6 + x->at(0));
  }
  const Array kept = b.state.get("s");  // the new array has another address
  b.state.remove("s");
  b.state.declare("s", six, Role::buffer);
  EXPECT_EQ(sum(10), (Numbers{10, 10, 10, 10, 10, 10}));
  b.state.remove("s");
  expect_error(ErrorKind::usage, "the State has no array \"s\"", [&] { (void)sum(1); });
}

TEST(Program, GivesArraysAndConstantsInEachRun) {
  // Outputs that are no results of steps are copied; the next run must read the values themselves.
  Bench b;
  const Tensor x = b.graph->input("x", six), s = b.state_array("s", {1, 2, 3, 4, 5, 6});
  const Tensor fixed = b.graph->constant(numbers({6, 5, 4, 3, 2, 1}, {6}));
  b.graph->output("state", s);
  b.graph->output("view", reshape(s, {2, 3}));
  b.graph->output("constant", fixed);
  b.graph->output("sum", relu(relu(x + s) + fixed) + relu(x * 2.0));
  const Program program(*b.graph);
  Bench large;
  const Tensor wide = large.graph->input("x", {DType::f64, {5000}});
  large.graph->output("y", relu(wide + 7.0) * relu(wide + 9.0));
  const Program other(*large.graph);
  for (const double value : {1.0, 2.0, 3.0}) {
    const auto out = program.run(b.memory, b.state, {{"x", Array::full(DType::f64, {6}, value)}});
    EXPECT_EQ(list(out[0]), (Numbers{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(list(out[1]), (Numbers{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(list(out[2]), (Numbers{6, 5, 4, 3, 2, 1}));
    EXPECT_EQ(list(out[3]), Numbers(6, 7 + 3 * value));
    (void)other.run(b.memory, b.state, {{"x", Array::full(DType::f64, {5000}, -8)}});
  }
}

TEST(Program, SharesAMemoryWithOthers) {
  const Net net;
  State state;
  net.declare(state);
  Memory memory;
  const Array x = Net::random({2, 16, 6, 6}, "x");
  const Numbers expected = list(run_fresh(net, state, x));
  std::vector<Program> programs;  // more than a Memory caches
  for (int i = 0; i < 20; ++i) programs.emplace_back(*net.graph);
  for (int round = 0; round < 2; ++round) {
    for (const Program& program : programs)
      EXPECT_EQ(list(program.run(memory, state, {{"x", x}})[0]), expected);
  }
  EXPECT_EQ(memory.arena_bytes(), programs[0].arena().bytes);
}

TEST(Program, RunsInTwoThreadsWithAMemoryEach) {
  const Net net;
  State state;
  net.declare(state);
  const Program program(*net.graph);
  const Array x = Net::random({2, 16, 6, 6}, "x"), y = Net::random({2, 16, 6, 6}, "y");
  const Numbers want[] = {list(run_fresh(net, state, x)), list(run_fresh(net, state, y))};
  std::vector<std::jthread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      Memory memory;
      for (int i = 0; i < 100; ++i)
        wrong += list(program.run(memory, state, {{"x", t == 0 ? x : y}})[0]) != want[t];
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

TEST(Program, KeepsTheTeamItWasCompiledFor) {
  const Net net;
  State state;
  net.declare(state);
  const Program program(*net.graph, {.passes = {}, .threads = 3});
  EXPECT_EQ(program.threads(), 3);
  Memory memory;
  const int before = threads();
  (void)program.run(memory, state, {{"x", Net::random({2, 16, 6, 6}, "x")}});
  EXPECT_EQ(threads(), before);
}

TEST(Program, SaysWhichInputIsMissingOrWrong) {
  Bench b;
  b.graph->output("y", b.graph->input("images", matrix) * 2.0);
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { b.run(); }),
            "program: input \"images\" is not given");
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [&] {
                         b.run({{"images", numbers({1, 2, 3, 4, 5, 6}, {3, 2})}});
                       }),
            "program: input \"images\" has a type other than the compiled one\n"
            "  given    f64[3, 2]\n"
            "  expected f64[2, 3]\n"
            "  try      compile a Program for this shape");
  expect_error(ErrorKind::usage, "given    f32[2, 3]\n", [&] {
    b.run({{"images", Array::zeros(DType::f32, {2, 3})}});
  });
}

TEST(Program, SaysWhichStateArrayIsMissingOrOfAnotherShape) {
  Bench b;
  b.graph->output("y", b.graph->read("w", matrix) * 2.0);
  const std::string missing = error_text(ErrorKind::usage, [&] { b.run(); });
  EXPECT_TRUE(missing.starts_with("program: the State has no array \"w\"\n")) << missing;
  EXPECT_NE(missing.find("  try     nn::declare(state, model, seed) before the first run\n"),
            std::string::npos)
      << missing;
  b.state.declare("w", {DType::f64, {3, 2}}, Role::parameter);  // as many bytes
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { b.run(); }),
            "program: State array \"w\" has a type other than the compiled one\n"
            "  given    f64[3, 2]\n"
            "  expected f64[2, 3]");
  Bench u(Mode::train);
  u.graph->update("w", u.graph->input("x", matrix));
  u.state.declare("w", {DType::f64, {2}}, Role::parameter);
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [&] {
                         u.run({{"x", Array::zeros(DType::f64, {2, 3})}});
                       }),
            "program: State array \"w\" has a type other than the compiled one\n"
            "  given    f64[2]\n"
            "  expected f64[2, 3]");
}

TEST(Program, FlushesDenormalsInsideARunOnly) {
  Bench b;
  b.graph = Graph::make(Mode::eval, DType::f32);
  const int64_t n = 100000;  // enough for every thread of the team
  b.graph->output("y", b.graph->input("x", {DType::f32, {n}}) * 1.0 + 0.0);
  const Array x = Array::full(DType::f32, {n}, 1e-40);
  ASSERT_GT(x.at(0), 0);
  const unsigned before = _mm_getcsr();
  const auto y = b.run({{"x", x}});
  for (int64_t i = 0; i < n; i += 97) ASSERT_EQ(y[0].at(i), 0) << i;
  EXPECT_EQ(_mm_getcsr(), before);
  EXPECT_THROW(b.run(), Error);
  EXPECT_EQ(_mm_getcsr(), before);
  std::atomic<bool> restored{true};
  on_each_thread([&] { restored = restored && (_mm_getcsr() & 0x8040) == (before & 0x8040); });
  EXPECT_TRUE(restored);
}

TEST(Program, NamesTheFirstLayerThatComputedANonfiniteNumber) {
  const Net net(Mode::train);
  State state;
  net.declare(state);
  Memory memory;
  net.graph->update("mean", net.graph->read("mean", {DType::f32, {16}}) * 0.5);
  const Type weight{DType::f32, {16, 16, 3, 3}};
  (void)net.graph->read("w", weight, true);  // a norm after a frozen layer would be a part of it
  state.declare("grad:w", weight, Role::gradient);
  net.graph->output("loss", mean(net.graph->output("y")));
  const Program program(*net.graph, {.passes = {.loss = "loss"}});
  const Array x = Net::random({2, 16, 6, 6}, "x");
  const Inputs inputs{{"x", x}};
  EXPECT_EQ(program.first_nonfinite(memory, state, inputs), "");
  const Numbers mean = list(state.get("mean"));
  state.get("fc").set(3, INFINITY);
  EXPECT_EQ(program.first_nonfinite(memory, state, inputs), "fc (linear)");
  state.get("beta").set(3, NAN);
  EXPECT_EQ(program.first_nonfinite(memory, state, inputs), "bn (batch_norm_eval)");
  state.get("w").set(0, NAN);
  EXPECT_EQ(program.first_nonfinite(memory, state, inputs), "conv (conv)");
  EXPECT_EQ(list(state.get("mean")), mean);  // as it was
}

TEST(Program, StopsALabelOutOfRangeAndLeavesTheState) {
  Bench b(Mode::train);
  const Tensor logits = b.graph->input("x", {DType::f64, {2, 3}});
  const Tensor seen = b.state_array("seen", {1});
  b.graph->output("loss", cross_entropy(logits, b.graph->input("labels", {DType::i64, {2}})));
  b.graph->update("seen", seen + 1.0);
  const Array x = Array::zeros(DType::f64, {2, 3});
  expect_error(ErrorKind::data, "label", [&] {
    b.run({{"x", x}, {"labels", Array::of(std::vector<int64_t>{0, 3})}});
  });
  EXPECT_EQ(list(b.state.get("seen")), (Numbers{1}));
}

TEST(Program, EachStepIsInTheTimelineWhileItIsRecorded) {
  const Net net;
  State state;
  net.declare(state);
  Memory memory;
  const Program program(*net.graph);
  const Array x = Net::random({2, 16, 6, 6}, "x");
  start_timeline();
  const auto y = list(program.run(memory, state, {{"x", x}})[0]);
  const Timeline timeline = stop_timeline();
  program.run(memory, state, {{"x", x}});  // not recorded
  EXPECT_EQ(y, list(run_fresh(net, state, x)));
  ASSERT_EQ(timeline.events.size(), program.steps().size());
  for (size_t i = 0; i < timeline.events.size(); ++i) {
    const KernelWork& work = timeline.events[i].work.value();
    EXPECT_EQ(work.problem, program.steps()[i].problem);
    EXPECT_GT(work.bytes, 0);
  }
  const auto rows = profile_by_kernel(timeline);
  int64_t calls = 0;
  for (const ProfileRow& row : rows) calls += row.calls;
  EXPECT_EQ(calls, std::ssize(timeline.events));
  EXPECT_TRUE(std::ranges::is_sorted(rows, std::greater<>(), &ProfileRow::seconds));
}

TEST(Eval, RunsAFunctionOnArrays) {
  const Array a = numbers({1, 2, 3, 4}, {2, 2}), b = numbers({5, 6, 7, 8}, {2, 2});
  const auto out = eval(
      [](const Tensors& t) {
        return Tensors{t[0] + t[1], t[0], t[1] * t[1]};
      },
      {a, b});
  EXPECT_EQ(list(out[0]), (Numbers{6, 8, 10, 12}));
  EXPECT_EQ(list(out[1]), (Numbers{1, 2, 3, 4}));
  EXPECT_NE(out[1].raw(), a.raw());
  EXPECT_EQ(list(out[2]), (Numbers{25, 36, 49, 64}));
}

}  // namespace
}  // namespace fovea
