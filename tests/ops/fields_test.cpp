// The fields of ops as data: what text, equality, hashing and problem texts are made of.

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "error_text.h"
#include "fovea/ops.h"
#include "fovea/ops/problem.h"
#include "fovea/passes/simplify.h"
#include "ops/samples.h"

namespace fovea::harness {
namespace {

/// The calls that a family's samples and their gradients make, of its first `count` samples.
std::vector<OpCall> calls_of(const Family& family, size_t count) {
  std::vector<OpCall> calls;
  std::vector<Sample> samples = family.make(DType::f64);
  for (size_t i = 0; i < samples.size(); i += std::max<size_t>(samples.size() / count, 1)) {
    Random random(1, samples[i].name);
    const auto graph = trace(samples[i], random).graph;
    for (const Node& node : graph->nodes()) {
      OpCall call{node.op, {}, {}};
      for (int id : node.inputs) call.in.push_back(graph->value(id).type);
      for (int id : node.outputs) call.out.push_back(graph->value(id).type);
      calls.push_back(std::move(call));
    }
  }
  return calls;
}

// ---- the smallest possible change of a value

void change(bool& value) { value = !value; }
void change(int64_t& value) { ++value; }
void change(uint64_t& value) { ++value; }
template <std::floating_point T>
void change(T& value) {
  value = std::nextafter(value, std::numeric_limits<T>::infinity());
}
void change(EnumValue& value) {
  value.index = (value.index + 1) % static_cast<int64_t>(value.names.size());
}
template <class T>
void change(std::vector<T>& values) {
  if (values.empty()) return values.push_back(T{1});
  change(values.back());
}

Fields with_change(Fields fields, size_t i) {
  if (fields[i].absent) {
    fields[i].absent = false;
  } else {
    std::visit([](auto& value) { change(value); }, fields[i].value);
  }
  return fields;
}

/// How many of two nodes on the same inputs remain.
size_t nodes_left(const OpCall& call, const Op& other) {
  const auto graph = Graph::make(Mode::eval);
  Tensors inputs;
  for (const Type& type : call.in)
    inputs.push_back(graph->input("x" + std::to_string(inputs.size()), type));
  graph->output("a", graph->add(call.op, inputs)[0]);
  graph->output("b", graph->add(other, inputs)[0]);
  return simplify(*graph)->nodes().size();
}

class FieldsOf : public ::testing::TestWithParam<Family> {};

// Problems are kept and sent around as texts.
TEST_P(FieldsOf, OpsReadBackUnchanged) {
  for (const OpCall& call : calls_of(GetParam(), 40)) {
    const std::string text = problem_text(call.op, call.in, call.out);
    const OpCall back = parse_problem(text);
    ASSERT_EQ(back.op, call.op) << text;
    ASSERT_EQ(back.op.hash(), call.op.hash()) << text;
    ASSERT_EQ(back.in, call.in) << text;
    ASSERT_EQ(back.out, call.out) << text;
    ASSERT_EQ(problem_text(back.op, back.in, back.out), text);
  }
}

// Two ops that differ, however slightly, compute different things.
TEST_P(FieldsOf, AnyChangeMakesAnotherOp) {
  std::map<std::string, int> changed, tried;  // by op and field
  for (const OpCall& call : calls_of(GetParam(), 40)) {
    EXPECT_EQ(nodes_left(call, call.op.with(call.op.fields())), 1u);
    const Fields fields = call.op.fields();
    for (size_t i = 0; i < fields.size(); ++i) {
      const std::string what = std::string(call.op.name()) + " " + std::string(fields[i].name);
      const Op other = call.op.with(with_change(fields, i));
      ASSERT_FALSE(other == call.op) << what;
      ASSERT_NE(other.hash(), call.op.hash()) << what;
      ASSERT_NE(std::string(other.name()) + other.attributes(),
                std::string(call.op.name()) + call.op.attributes());
      ++changed[what];
      try {
        ASSERT_EQ(nodes_left(call, other), 2u) << what;
      } catch (const Error&) {
        continue;  // it does not take these inputs
      }
      ++tried[what];
    }
  }
  EXPECT_TRUE(changed.empty() || !tried.empty());
}

// A problem's text names its op, which is looked up in the list of all.
TEST_P(FieldsOf, OpsAreInTheList) {
  for (const OpCall& call : calls_of(GetParam(), 40)) {
    EXPECT_TRUE(std::ranges::any_of(all_ops(),
                                    [&](const Op& known) {
                                      return known.type() == call.op.type() &&
                                             known.name() == call.op.name();
                                    }))
        << call.op.name() << " is missing in src/fovea/ops/list.cpp";
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, FieldsOf, ::testing::ValuesIn(families()),
                         [](const auto& family) { return family.param.name; });

TEST(OpFields, NamesOfOpsAreNotShared) {
  std::set<std::string_view> names;
  for (const Op& op : all_ops()) EXPECT_TRUE(names.insert(op.name()).second) << op.name();
}

/// One field of each type.
struct Everything {
  bool flag = false, on = true;
  int small = 1;
  int64_t large = 2;
  uint64_t key = 3;
  float single = 0.1f;
  double real = 0.1;
  DType dtype = DType::f32;
  Shape shape;
  std::vector<int64_t> stride, end;
  std::vector<int> axes;
  std::vector<float> mean;
  std::optional<int64_t> index;
  std::optional<double> limit = 0.5;

  static void fields(auto& op, auto&& visit) {
    visit("flag", op.flag, false);
    visit("on", op.on, true);
    visit("small", op.small);
    visit("large", op.large);
    visit("key", op.key);
    visit("single", op.single);
    visit("real", op.real);
    visit("dtype", op.dtype, DType::f32);
    visit("shape", op.shape);
    visit.per_axis("stride", op.stride);
    visit.per_axis("end", op.end, op.stride);
    visit("axes", op.axes);
    visit("mean", op.mean);
    visit("index", op.index, std::nullopt);
    visit("limit", op.limit);
  }

  static constexpr std::string_view name = "everything";
  static constexpr Traits traits{.differentiable = false};
  Types infer(const Types& in) const { return in; }
  void reference(const Views&) const {}
};

Op read(const Op& like, const std::string& text, int axes = 2) {
  return like.with(read_fields(like.name(), like.fields(), text, axes));
}

TEST(OpFields, OfEveryTypeAreTextThatReadsBackExactly) {
  Everything op;
  op.shape = {8, 3};
  op.stride = op.end = {2, 2};
  op.axes = {0, -1};
  op.mean = {0.485f, 1e-30f};
  const std::string required =
      "small=1 large=2 key=3 single=0.1 real=0.1 shape=[8, 3] stride=2 axes=[0, -1] "
      "mean=[0.485, 1e-30]";
  EXPECT_EQ(Op(op).attributes(), required + " limit=0.5");
  EXPECT_EQ(read(Everything{}, Op(op).attributes()), Op(op));

  op.flag = true;
  op.on = false;
  op.end = {2, 3};
  op.dtype = DType::bf16;
  op.key = std::numeric_limits<uint64_t>::max();
  op.real = std::nextafter(0.1, 1);
  op.index = -100;
  op.limit.reset();
  EXPECT_EQ(Op(op).attributes(),
            "flag on=false small=1 large=2 key=18446744073709551615 single=0.1 "
            "real=0.10000000000000002 dtype=bf16 shape=[8, 3] stride=2 end=2x3 axes=[0, -1] "
            "mean=[0.485, 1e-30] index=-100 limit=none");
  EXPECT_EQ(read(Everything{}, Op(op).attributes()), Op(op));
  for (const double special : {0.0, -0.0, std::nan(""), -std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::denorm_min()}) {
    op.real = special;
    EXPECT_EQ(read(Everything{}, Op(op).attributes()), Op(op)) << special;
  }
}

// Rounding never decides equality, and neither do the rules of floating-point comparison.
TEST(OpFields, AreEqualBitByBit) {
  const auto next = [](double value) { return std::nextafter(value, 1); };
  EXPECT_FALSE(Op(BatchNormEval{.eps = 1e-5}) == Op(BatchNormEval{.eps = next(1e-5)}));
  EXPECT_FALSE(Op(Unary{UnaryKind::leaky_relu, 0.01}) ==
               Op(Unary{UnaryKind::leaky_relu, next(0.01)}));
  EXPECT_FALSE(Op(Affine{0, 1}) == Op(Affine{-0.0, 1}));
  EXPECT_EQ(Op(Affine{std::nan(""), 1}), Op(Affine{std::nan(""), 1}));
  EXPECT_EQ(Op(Affine{std::nan(""), 1}).hash(), Op(Affine{std::nan(""), 1}).hash());
  // Of another type, with the same fields.
  EXPECT_FALSE(Op(SumTo{{2, 3}}) == Op(BroadcastTo{{2, 3}}));
  EXPECT_FALSE(Op(Unary{UnaryKind::elu, 1}) == Op(UnaryBackward{UnaryKind::elu, 1}));
  EXPECT_NE(Op(SumTo{{2, 3}}).hash(), Op(BroadcastTo{{2, 3}}).hash());
}

TEST(OpFields, NearlyEqualOnesAreNotMerged) {
  const OpCall call{Unary{UnaryKind::leaky_relu, 0.01}, {{DType::f32, {4}}}, {}};
  EXPECT_EQ(nodes_left(call, Unary{UnaryKind::leaky_relu, 0.01}), 1u);
  EXPECT_EQ(nodes_left(call, Unary{UnaryKind::leaky_relu, std::nextafter(0.01, 1)}), 2u);
}

TEST(OpFields, MistakesInTheirTextAreNamed) {
  const auto refusal = [](const Op& like, const std::string& text) {
    return error_text(ErrorKind::usage, [&] { (void)read(like, text); });
  };
  EXPECT_EQ(refusal(Pad{}, "padding=1 mod=reflect"),
            "unknown field of pad \"mod\"\n"
            "  nearest mode\n"
            "  fields  padding, padding_end, mode, value");
  EXPECT_EQ(refusal(Pad{}, "padding=1 mode=mirror"),
            "pad: mode is \"mirror\"\n"
            "  expected constant, reflect, replicate, circular");
  EXPECT_EQ(refusal(Pad{}, "padding=1x2x3 mode=reflect"),
            "pad: padding is \"1x2x3\"\n"
            "  expected an integer for all 2 spatial axes, or one per axis: 3x5");
  EXPECT_EQ(refusal(Pad{}, "mode=reflect"), "pad: padding is missing");
  EXPECT_EQ(refusal(Pad{}, "padding=1 padding=2 mode=reflect"), "pad: padding is given twice");
  EXPECT_EQ(refusal(Pad{}, "padding mode=reflect"), "pad: padding has no value");
  EXPECT_EQ(refusal(Affine{}, "scale=1 shift=2,5"),
            "affine: shift is \"2,5\"\n  expected a number");
  EXPECT_EQ(refusal(Linear{}, "bias=yes"), "linear: bias is \"yes\"\n  expected true or false");
  EXPECT_EQ(refusal(Concat{}, "axis=1.5"), "concat: axis is \"1.5\"\n  expected an integer");
  EXPECT_EQ(refusal(Concat{}, "axis=4294967296"), "axis is 4294967296, which is out of range");
  EXPECT_EQ(refusal(Reshape{}, "shape=8"), "reshape: shape is \"8\"\n  expected a list: [8, 3]");
  EXPECT_EQ(refusal(Unary{}, "kind=elu"), "unknown field of relu \"kind\"");
  EXPECT_EQ(refusal(Dropout{}, "p=0.5 key=-1"),
            "dropout: key is \"-1\"\n  expected an integer of at least 0");
}

}  // namespace
}  // namespace fovea::harness
