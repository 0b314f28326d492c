#include "fovea/runtime/nonfinite.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fovea {
namespace {

TEST(NonFinite, IsFoundWhereverItIsInFloatsOfAnyType) {
  for (const DType dtype : {DType::f32, DType::f64, DType::bf16, DType::f16}) {
    for (const int64_t at : {0, 3, 16, 256}) {
      Array array = Array::full(dtype, {257}, 3.5);
      EXPECT_EQ(nonfinite_in(array), "") << name(dtype);
      array.set(at, HUGE_VAL);
      EXPECT_EQ(nonfinite_in(array), "inf") << name(dtype);
      array.set(at, -HUGE_VAL);
      EXPECT_EQ(nonfinite_in(array), "-inf") << name(dtype);
      array.set(at, std::nan(""));
      EXPECT_EQ(nonfinite_in(array), "NaN") << name(dtype);
    }
  }
  const Array largest = Array::full(DType::f32, {9}, -std::numeric_limits<float>::max());
  EXPECT_EQ(nonfinite_in(largest), "");
  EXPECT_EQ(nonfinite_in(Array::full(DType::i64, {2}, 7)), "");
  EXPECT_EQ(nonfinite_in(Array(DType::f32, {0})), "");
}

TEST(NonFinite, NamesTheFirstArrayOfTheRolesAskedFor) {
  State state;
  state.declare("conv.weight", {DType::f32, {4}}, Role::parameter);
  state.declare("bn.running_var", {DType::f32, {4}}, Role::buffer);
  state.declare("momentum:conv.weight", {DType::f32, {4}}, Role::moment);
  EXPECT_EQ(nonfinite_in(state, {Role::parameter, Role::buffer, Role::moment}), "");
  state.get("momentum:conv.weight").set(1, HUGE_VAL);
  state.get("bn.running_var").set(3, std::nan(""));
  EXPECT_EQ(nonfinite_in(state, {Role::parameter}), "");
  EXPECT_EQ(nonfinite_in(state, {Role::moment}), "moment momentum:conv.weight holds inf");
  EXPECT_EQ(nonfinite_in(state, {Role::parameter, Role::buffer, Role::moment}),
            "buffer bn.running_var holds NaN");
  state.get("conv.weight").set(0, -HUGE_VAL);
  EXPECT_EQ(nonfinite_in(state, {Role::parameter, Role::buffer}), "weight conv.weight holds -inf");
}

}  // namespace
}  // namespace fovea
