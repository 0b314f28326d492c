#include "fovea/runtime/state.h"

#include "error_text.h"

namespace fovea {
namespace {

const Type three{DType::f32, {3}};

TEST(State, FillsAnArrayOnFirstUse) {
  State state;
  int fills = 0;
  state.declare("w", three, Role::parameter, [&](Array& array) {
    ++fills;
    array.set(1, 7);
  });
  state.declare("m", three, Role::moment);
  EXPECT_EQ(state.count(Role::parameter), 3);
  EXPECT_EQ(fills, 0);
  EXPECT_EQ(state.get("w").at(1), 7);
  state.get("w").set(1, 8);
  EXPECT_EQ(state.get("w").at(1), 8);
  EXPECT_EQ(fills, 1);
  EXPECT_EQ(state.get("m").at(2), 0);
}

TEST(State, SetsWithoutFillingFirst) {
  State state;
  state.declare("w", three, Role::parameter,
                [](Array&) { ADD_FAILURE() << "large models load in the time of a copy"; });
  state.set("w", Array::full(DType::f32, {3}, 5));
  EXPECT_EQ(state.get("w").at(0), 5);
}

TEST(State, ListsARoleInTheOrderOfDeclaration) {
  State state;
  for (const char* name : {"z", "a", "m"}) state.declare(name, three, Role::parameter);
  state.declare("b", three, Role::buffer);
  EXPECT_EQ(state.names(Role::parameter), (std::vector<std::string>{"z", "a", "m"}));
  EXPECT_TRUE(state.names(Role::gradient).empty());
}

TEST(State, VersionsChangeAndAreNeverShared) {
  // Programs take an equal version for equal weights, even if a State reuses the address of
  // another.
  State a, b;
  EXPECT_NE(a.version(), b.version());
  a.declare("w", three, Role::parameter);
  const uint64_t before = a.version();
  a.set("w", Array::zeros(DType::f32, {3}));
  EXPECT_NE(a.version(), before);
  const uint64_t set = a.version();
  a.remove("w");
  EXPECT_NE(a.version(), set);
}

TEST(State, AChangeOfOneArrayIsNoneOfOthers) {
  State state;
  for (const char* name : {"a", "b"}) state.declare(name, three, Role::parameter);
  const uint64_t a = state.version("a"), b = state.version("b");
  state.set("a", Array::zeros(DType::f32, {3}));
  EXPECT_NE(state.version("a"), a);
  EXPECT_EQ(state.version("b"), b);
  state.touch();
  EXPECT_NE(state.version("b"), b);
  const uint64_t removed = state.version("b");
  state.remove("b");
  state.declare("b", three, Role::parameter);
  EXPECT_NE(state.version("b"), removed);
}

TEST(State, DerivedDataLastAsLongAsTheyAreUsed) {
  State state;
  auto first = state.derived("packed w", 64);
  EXPECT_EQ(state.derived("packed w", 64), first);
  EXPECT_NE(state.derived("packed v", 64), first);
  first->versions = {1};
  first.reset();
  EXPECT_TRUE(state.derived("packed w", 64)->versions.empty());
}

TEST(State, ForgetsWhatIsRemoved) {
  State state;
  for (const char* name : {"a", "b", "c"}) state.declare(name, three, Role::gradient);
  const Array kept = state.get("b");
  state.remove("b");
  EXPECT_FALSE(state.contains("b"));
  EXPECT_EQ(kept.at(0), 0);
  state.declare("b", three, Role::gradient);
  EXPECT_EQ(state.names(Role::gradient), (std::vector<std::string>{"a", "c", "b"}));
  expect_error(ErrorKind::usage, "no array named \"d\"", [&] { state.remove("d"); });
}

TEST(State, HandlesKeepTheirValuesWhenOthersAreRemoved) {
  State state;
  const auto number = [](double value) { return Array::full(DType::f32, {3}, value); };
  for (const char* name : {"a", "b", "c"}) state.declare(name, three, Role::gradient);
  for (const char* name : {"a", "b", "c"}) state.set(name, number(name[0]));
  const Array a = state.get("a"), removed = state.get("b");
  for (const char* name : {"b", "c"}) state.remove(name);
  for (const char* name : {"d", "e", "f"}) {
    state.declare(name, three, Role::gradient);
    state.set(name, number(0));
  }
  EXPECT_EQ(a.at(2), 'a');
  EXPECT_EQ(removed.at(2), 'b');
}

TEST(State, ErrorsSayWhatDoesNotFit) {
  State state;
  state.declare("conv1.weight", three, Role::parameter);
  EXPECT_NO_THROW(state.declare("conv1.weight", three, Role::parameter));
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [&] {
                         state.declare("conv1.weight", {DType::f64, {3}}, Role::parameter);
                       }),
            "state: \"conv1.weight\" is declared twice, with different types or roles\n"
            "  first   f32[3], a parameter\n"
            "  then    f64[3], a parameter");
  EXPECT_EQ(
      error_text(ErrorKind::usage, [&] { state.declare("conv1.weight", three, Role::buffer); }),
      "state: \"conv1.weight\" is declared twice, with different types or roles\n"
      "  first   f32[3], a parameter\n"
      "  then    f32[3], a buffer");
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)state.get("conv1.weigth"); }),
            "state: there is no array named \"conv1.weigth\"\n"
            "  nearest conv1.weight\n"
            "  try     nn::declare(state, model, seed) declares a model's arrays, "
            "optimizer->declare(state) its moments; TrainStep::gradient() its gradients");
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [&] { state.set("conv1.weight", Array::zeros(DType::f32, {4})); }),
            "state: \"conv1.weight\" cannot be set to an array of another type\n"
            "  given    f32[4]\n"
            "  expected f32[3]");
}

}  // namespace
}  // namespace fovea
