#include "fovea/graph/graph.h"

#include <array>

#include "error_text.h"
#include "fovea/core/random.h"
#include "fovea/graph/print.h"
#include "fovea/graph/verify.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/dropout.h"
#include "fovea/ops/norm.h"
#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

const Type image{DType::f32, {2, 3, 4, 4}};

TEST(Graph, AMistakeNamesTheModuleAndItsLine) {
  const auto graph = Graph::make(Mode::eval, DType::f32, "net");
  const Tensor x = graph->input("x", image), w = graph->read("w", {DType::f32, {8, 4, 3, 3}});
  graph->enter("layer1", std::source_location::current());
  const auto line = std::source_location::current();
  graph->enter("conv", line);
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)conv2d(x, w); }),
            "conv2d: input has 3 channels, weight expects 4\n"
            "  input   f32[N=2, C=3, H=4, W=4]\n"
            "  weight  f32[O=8, I=4, H=3, W=3], groups=1\n"
            "  at      net.layer1.conv (tests/graph/graph_test.cpp:" +
                std::to_string(line.line()) +
                ")\n"
                "  try     a layer with in_channels = 3, or input of 4 channels");
}

TEST(Graph, AMistakeInANetsTextNamesItsLine) {
  const auto graph = Graph::make(Mode::eval, DType::f32, "net");
  const Tensor x = graph->input("x", image), w = graph->read("w", {DType::f32, {8, 4, 3, 3}});
  graph->enter("conv", Where("net.toml", 7));
  expect_error(ErrorKind::usage, "\n  at      net.conv (net.toml:7)\n",
               [&] { (void)conv2d(x, w); });
}

TEST(Graph, WithoutATitleOrScopeThereIsNoAt) {
  const auto graph = Graph::make(Mode::eval);
  const Tensor x = graph->input("x", image);
  const std::string text = error_text(ErrorKind::usage, [&] { (void)reshape(x, {7}); });
  EXPECT_EQ(text.find("at "), std::string::npos) << text;
}

TEST(Graph, GraphsDoNotMix) {
  const auto a = Graph::make(Mode::eval), b = Graph::make(Mode::eval);
  const Tensor x = a->input("x", image), y = b->input("y", image);
  const std::string expected =
      "add: its inputs belong to different graphs\n"
      "  try     trace the entire computation in one graph";
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)(x + y); }), expected);
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { a->output("y", y); }),
            "graph: output \"y\" belongs to another graph\n"
            "  try     trace the entire computation in one graph");
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { a->update("y", y); }),
            "graph: update \"y\" belongs to another graph\n"
            "  try     trace the entire computation in one graph");
}

TEST(Graph, NamesAreUnique) {
  const auto graph = Graph::make(Mode::eval);
  const Tensor x = graph->input("x", image);
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)graph->input("x", image); }),
            "graph: there is already an input named \"x\"");
  graph->output("y", x);
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { graph->output("y", x); }),
            "graph: there is already an output named \"y\"");
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)graph->output("z"); }),
            "graph: no output is named \"z\"\n"
            "  outputs y");
}

TEST(Graph, AStateArrayIsReadAsOneType) {
  const auto graph = Graph::make(Mode::train);
  const Tensor w = graph->read("w", {DType::f32, {3}}, true);
  EXPECT_EQ(graph->read("w", {DType::f32, {3}}), w);
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [&] {
                         (void)graph->read("w", {DType::f32, {4}});
                       }),
            "graph: \"w\" is read with two types\n"
            "  first   f32[3]\n"
            "  then    f32[4]\n"
            "  try     another name for one of the two");
}

TEST(Graph, AnArrayReadFrozenFirstAndTrainedLaterIsTrained) {
  const auto graph = Graph::make(Mode::train);
  (void)graph->read("w", {DType::f32, {3}});
  EXPECT_TRUE(graph->value(graph->read("w", {DType::f32, {3}}, true).id()).trainable);
}

TEST(Graph, TheLastUpdateOfANameCounts) {
  const auto graph = Graph::make(Mode::train);
  const Tensor x = graph->read("x", {DType::f32, {3}});
  graph->update("x", x * 2.0);
  const Tensor last = x * 3.0;
  graph->update("x", last);
  ASSERT_EQ(graph->updates().size(), 1u);
  EXPECT_EQ(graph->updates()[0].second, last.id());
}

TEST(Graph, RandomOpsHaveKeysOfTheirOwnAndOneInput) {
  const auto graph = Graph::make(Mode::train);
  const Tensor x = graph->input("x", image);
  graph->enter("drop", std::source_location::current());
  (void)dropout(dropout(x));
  graph->leave();
  (void)dropout(x);
  std::vector<std::string> attributes;
  for (const Node& node : graph->nodes()) {
    attributes.push_back(node.op.attributes());
    EXPECT_EQ(graph->value(node.inputs[1]).name, "random");
  }
  EXPECT_NE(attributes[0], attributes[1]);
  EXPECT_NE(attributes[1], attributes[2]);
  // A key depends on where it was requested, not on the run.
  const auto again = Graph::make(Mode::train);
  again->enter("drop", std::source_location::current());
  const auto other = Graph::make(Mode::train);
  other->enter("drop", std::source_location::current());
  EXPECT_EQ(again->random_key(), other->random_key());
}

TEST(Graph, RecordsInputsAndOutputsOfEachModuleCall) {
  const auto graph = Graph::make(Mode::eval, DType::f32, "net");
  const Tensor x = graph->input("x", image);
  graph->enter("block", Where("net.toml", 3), "Block", {x});
  graph->enter("act", Where("net.toml", 4), "ReLU", {x});
  const Tensor y = relu(x);
  graph->leave({y});
  graph->enter("act", Where("net.toml", 4), "ReLU", {y});
  const Tensor z = relu(y);
  graph->leave({z});
  graph->enter("drop", Where("net.toml", 5), "Dropout", {z, Tensor()});
  graph->leave({z, Tensor()});
  const Tensor sum = x + z;
  graph->leave({sum});
  ASSERT_EQ(graph->calls().size(), 4u);
  const Call &block = graph->call(0), &first = graph->call(1), &second = graph->call(2),
             &drop = graph->call(3);
  EXPECT_EQ(block.path, "block");
  EXPECT_EQ(block.type, "Block");
  EXPECT_EQ(block.where.text(), "net.toml:3");
  EXPECT_EQ(block.parent, -1);
  EXPECT_EQ(block.inputs, std::vector{x.id()});
  EXPECT_EQ(block.outputs, std::vector{sum.id()});
  EXPECT_EQ(first.path, "block.act");
  EXPECT_EQ(second.path, "block.act");
  EXPECT_EQ(first.outputs, second.inputs);
  EXPECT_EQ(second.parent, 0);
  EXPECT_EQ(drop.inputs, drop.outputs);  // the identity, but called nevertheless
  EXPECT_EQ(drop.outputs, std::vector{z.id()});
  EXPECT_EQ(graph->node(1).origin.call, 2);
  EXPECT_EQ(graph->node(2).origin.call, 0);
  EXPECT_EQ(graph->calls_by_end(), (std::vector{1, 2, 3, 0}));
  EXPECT_EQ(graph->scope(), "");

  const auto other = Graph::make(Mode::eval);
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { other->enter("act", {}, "ReLU", {x}); }),
            "graph: the inputs and outputs of module \"act\" belong to different graphs\n"
            "  try     trace the entire computation in one graph");
}

TEST(Graph, IsPrintedExactly) {
  const auto graph = Graph::make(Mode::train, DType::f32, "net");
  const Tensor x = graph->input("x", image);
  graph->enter("conv1", std::source_location::current());
  const Tensor w = graph->read("conv1.weight", {DType::f32, {16, 3, 3, 3}}, true);
  const Tensor y = conv2d(x, w, {}, {.padding = 1});
  graph->leave();
  const Tensor c = graph->constant(Array::zeros(DType::f32, y.shape()));
  const Tensor s = graph->read("mean", y.type());
  graph->output("y", relu(y + c));
  graph->update("mean", s * 0.5);
  graph->set_layout(y.id(), Layout::blocked16);
  EXPECT_EQ(print(*graph), R"(graph net (train, f32)
  %0 = input x: f32[2, 3, 4, 4]
  %1 = parameter conv1.weight: f32[16, 3, 3, 3]
  %3 = constant: f32[2, 16, 4, 4]
  %4 = state mean: f32[2, 16, 4, 4]
  %2 = conv(%0, %1) kernel=3 stride=1 padding=1: f32[2, 16, 4, 4]{blocked16}   # conv1
  %5 = add(%2, %3): f32[2, 16, 4, 4]
  %6 = relu(%5): f32[2, 16, 4, 4]
  %7 = affine(%4) scale=0.5 shift=0: f32[2, 16, 4, 4]
  output y = %6
  update mean = %7
)");
  EXPECT_EQ(print(*Graph::make(Mode::eval, DType::f64)), "graph (eval, f64)\n");
}

TEST(Rewriter, CopiesWithoutAChange) {
  const auto graph = Graph::make(Mode::train, DType::f32, "net");
  (void)graph->input("unused", image);
  const Tensor x = graph->input("x", image);
  graph->enter("a", std::source_location::current());
  graph->enter("b", std::source_location::current());
  graph->output("y", relu(dropout(x)));
  graph->update("kept", x);
  Rewriter copy(*graph);
  for (const Node& node : graph->nodes()) copy.keep(node);
  const auto same = copy.finish();
  const auto sorted = [](const std::string& text) {  // leaves may get other numbers
    return text.substr(text.find(" = dropout"));
  };
  EXPECT_EQ(sorted(print(*same)).size(), sorted(print(*graph)).size());
  EXPECT_EQ(same->node(1).scope(), "a.b");
  EXPECT_EQ(same->location(same->node(1)), graph->location(graph->node(1)));
  std::vector<std::string> inputs;
  for (const Value& v : same->values())
    if (v.leaf == Leaf::input) inputs.push_back(v.name);
  EXPECT_EQ(inputs, (std::vector<std::string>{"unused", "x", "random"}));
}

TEST(Rewriter, ReplacesANodeByOthersInItsScope) {
  const auto graph = Graph::make(Mode::eval);
  const Tensor x = graph->input("x", image);
  graph->enter("act", std::source_location::current());
  graph->output("y", relu(x));
  graph->leave();
  Rewriter copy(*graph);
  for (const Node& node : graph->nodes()) {
    copy.replace(node, [&] { return Tensors{sigmoid(copy[node.inputs[0]]) * 2.0}; });
  }
  const auto after = copy.finish();
  ASSERT_EQ(after->nodes().size(), 2u);
  EXPECT_EQ(after->node(0).op.name(), "sigmoid");
  EXPECT_EQ(after->node(1).scope(), "act");
  EXPECT_EQ(after->outputs()[0].second, after->node(1).outputs[0]);
}

/// conv -> act, each called as a module: one node of each.
std::shared_ptr<Graph> two_calls() {
  const auto graph = Graph::make(Mode::eval, DType::f32, "net");
  const Tensor x = graph->input("x", image);
  graph->enter("conv", {}, "Conv2d", {x});
  const Tensor y = conv2d(x, graph->read("w", {DType::f32, {3, 3, 1, 1}}));
  graph->leave({y});
  graph->enter("act", {}, "ReLU", {y});
  const Tensor z = relu(y);
  graph->leave({z});
  graph->output("z", z);
  return graph;
}

TEST(Rewriter, CarriesCallsOver) {
  const auto graph = two_calls();
  Rewriter copy(*graph);
  copy.keep(graph->node(0));
  const Node& act = graph->node(1);
  copy.replace(act, [&] { return Tensors{relu(copy[act.inputs[0]] * 2.0)}; });
  const auto after = copy.finish();
  verify(*after);
  ASSERT_EQ(after->calls().size(), 2u);
  EXPECT_EQ(after->call(0).outputs, after->node(0).outputs);
  EXPECT_EQ(after->call(1).inputs, after->node(0).outputs);
  EXPECT_EQ(after->call(1).outputs, after->node(2).outputs);
  EXPECT_EQ(after->node(1).origin.call, 1);
}

TEST(Rewriter, AValueInsideAFusedNodeIsGone) {
  const auto graph = two_calls();
  const Node &conv = graph->node(0), &act = graph->node(1);
  Rewriter copy(*graph);
  const Tensors fused = copy.fuse(std::array{&conv, &act}, [&] {
    Conv op = conv.op.get<Conv>();
    op.epilogue.append({.activation = UnaryKind::relu});
    return copy.graph()->add(op, copy.inputs(conv));
  });
  copy.replace(act.outputs[0], fused[0]);
  const auto after = copy.finish();
  verify(*after);
  EXPECT_EQ(after->call(0).outputs, std::vector{Call::gone});
  EXPECT_EQ(after->call(1).inputs, std::vector{Call::gone});
  EXPECT_EQ(after->call(1).outputs, after->node(0).outputs);
  EXPECT_EQ(after->node(0).origin.call, 0);
  EXPECT_EQ(after->node(0).origin.fused, std::vector{1});
  EXPECT_NE(print(*after).find("   # conv + act\n"), std::string::npos) << print(*after);
  // It stays gone when the graph is rewritten again.
  Rewriter again(*after);
  again.keep(after->node(0));
  EXPECT_EQ(again.finish()->call(0).outputs, std::vector{Call::gone});
}

/// A net to break: x -> relu -> batch norm -> y.
struct Sound {
  std::shared_ptr<Graph> graph = Graph::make(Mode::eval);
  Tensor x = graph->input("x", {DType::f32, {2, 16, 4, 4}}), y = relu(x);
  Sound() {
    graph->enter("bn", std::source_location::current());
    const Tensor v = graph->read("v", {DType::f32, {16}});
    y = batch_norm_eval(y, v, v, v, v);
    graph->leave();
    graph->output("y", y);
  }
  Node& node(int i) { return const_cast<Node&>(graph->node(i)); }
  Value& value(int i) { return const_cast<Value&>(graph->value(i)); }
  std::string complaint() {
    return error_text(ErrorKind::internal, [&] { verify(*graph, "a pass"); });
  }
};

TEST(Verify, AcceptsAValidGraph) { EXPECT_NO_THROW(verify(*Sound().graph)); }

TEST(Verify, SeesAValueUsedBeforeItIsMade) {
  Sound s;
  s.node(0).inputs[0] = s.y.id();
  EXPECT_EQ(s.complaint(),
            "internal error: graph after a pass: node 0, relu uses a value before it is computed");
  s.node(0).inputs[0] = 99;
  EXPECT_EQ(s.complaint(),
            "internal error: graph after a pass: node 0, relu uses a value before it is computed");
}

TEST(Verify, SeesAValueMadeTwice) {
  Sound s;
  s.node(1).outputs[0] = s.node(0).outputs[0];
  EXPECT_EQ(s.complaint(),
            "internal error: graph after a pass: node 1, batch_norm_eval of bn computes a value a "
            "second time");
}

TEST(Verify, SeesATypeThatIsNotInferred) {
  Sound s;
  s.value(s.y.id()).type.shape = {2, 16, 4, 5};
  EXPECT_EQ(
      s.complaint(),
      "internal error: graph after a pass: node 1, batch_norm_eval of bn computes f32[2, 16, 4, "
      "5] but infers "
      "f32[2, 16, 4, 4]");
}

TEST(Verify, SeesAWrongNumberOfOutputs) {
  Sound s;
  s.node(0).outputs.clear();
  EXPECT_EQ(
      s.complaint(),
      "internal error: graph after a pass: node 0, relu has a different number of outputs than "
      "it infers");
}

TEST(Verify, SeesLayoutsThatAnOpCannotHave) {
  Sound s;
  for (int id : {s.x.id(), s.node(0).outputs[0]}) s.graph->set_layout(id, Layout::blocked16);
  EXPECT_EQ(s.complaint(),
            "internal error: graph after a pass: node 1, batch_norm_eval of bn has values in "
            "different layouts");
  s.graph->set_layout(s.y.id(), Layout::blocked16);
  EXPECT_NO_THROW(verify(*s.graph));

  const auto odd = Graph::make(Mode::eval);
  const Tensor x = odd->input("x", image), y = relu(x);
  for (const Tensor& t : {x, y}) odd->set_layout(t.id(), Layout::blocked16);
  EXPECT_EQ(error_text(ErrorKind::internal, [&] { verify(*odd, "layout"); }),
            "internal error: graph after layout: node 0, relu: f32[2, 3, 4, 4]{blocked16} has "
            "channels that are "
            "not a multiple of 16");
}

TEST(Verify, SeesCallsThatDoNotFit) {
  Sound s;
  s.node(1).origin.call = 7;
  EXPECT_EQ(s.complaint(),
            "internal error: graph after a pass: node 1 belongs to a call that does not exist");
  s.node(1).origin = {.call = 0, .fused = {1}};
  EXPECT_EQ(s.complaint(),
            "internal error: graph after a pass: node 1 belongs to a call that does not exist");
  s.node(1).origin = {.call = 0};
  Call& call = const_cast<Call&>(s.graph->call(0));
  call.outputs = {99};
  EXPECT_EQ(
      s.complaint(),
      "internal error: graph after a pass: call 0, \"bn\" has a value that is never computed");
  call.outputs = {Call::gone};
  EXPECT_NO_THROW(verify(*s.graph));
  call.parent = 0;
  EXPECT_EQ(s.complaint(),
            "internal error: graph after a pass: call 0, \"bn\" begins before its parent");
}

TEST(Verify, SeesAnOutputThatIsNeverMade) {
  Sound s;
  const_cast<std::vector<Graph::Named>&>(s.graph->outputs())[0].second = 99;
  EXPECT_EQ(s.complaint(), "internal error: graph after a pass: \"y\" is never computed");
}

}  // namespace
}  // namespace fovea
