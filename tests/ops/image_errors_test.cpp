#include "fovea/ops.h"
#include "ops/errors.h"

namespace fovea {
namespace {

using ImageErrors = Errors;

TEST_F(ImageErrors, Pad) {
  const Tensor x = value({1, 3, 4, 8});
  EXPECT_EQ(usage([&] { pad(x, -1); }),
            "pad: padding is -1, at least 0 and at most 2^31 is allowed (axis H)\n"
            "  input   f32[N=1, C=3, H=4, W=8]");
  EXPECT_EQ(usage([&] {
              pad(x, {0, 8}, PadMode::reflect);
            }),
            "pad: padding is 8, reflect can give at most 7 (axis W)\n"
            "  input   f32[N=1, C=3, H=4, W=8]\n"
            "  try     less padding, a larger input, or another mode");
  EXPECT_EQ(usage([&] {
              pad(x, {{0, 5}, {0, 0}}, PadMode::circular);
            }),
            "pad: padding is 5, circular can give at most 4 (axis H)\n"
            "  input   f32[N=1, C=3, H=4, W=8]\n"
            "  try     less padding, a larger input, or another mode");
  EXPECT_EQ(usage([&] {
              pad(value({1, 3, 0}), 1, PadMode::replicate);
            }),
            "pad: padding is 1, replicate can give at most 0 (axis L)\n"
            "  input   f32[N=1, C=3, L=0]\n"
            "  try     less padding, a larger input, or another mode");
  EXPECT_EQ(usage([&] {
              pad(x, {1, 1, 1});
            }),
            "pad: padding has 3 numbers, the input has 2 spatial axes");
  EXPECT_EQ(usage([&] { pad(x, "same"); }), "pad: padding is \"same\", numbers are expected here");
  EXPECT_EQ(usage([&] {
              pad(value({3, 4}), 1);
            }),
            "pad: the input has 2 axes, N, C and 1 to 3 spatial ones are expected\n"
            "  input   f32[3, 4]");
}

TEST_F(ImageErrors, ConvPadding) {
  const Tensor x = value({1, 3, 8, 8}), w = value({4, 3, 3, 3});
  EXPECT_EQ(usage([&] { conv2d(x, w, {}, {.padding = "equal"}); }),
            "conv2d: there is no padding \"equal\"\n"
            "  try     \"valid\", \"same\", \"full\", or numbers");
  EXPECT_EQ(usage([&] {
              conv2d(x, w, {}, {.padding = {{1, 1}, {1, 1}, {1, 1}}});
            }),
            "conv2d: padding has 3 numbers, the input has 2 spatial axes");
  EXPECT_EQ(usage([&] { conv2d(x, w, {}, {.stride = 0, .padding = "same"}); }),
            "conv2d: stride is 0, at least 1 and at most 2^31 is allowed");
  EXPECT_EQ(usage([&] { conv2d(x, w, {}, {.padding = 8, .padding_mode = PadMode::reflect}); }),
            "pad: padding is 8, reflect can give at most 7 (axis H)\n"
            "  input   f32[N=1, C=3, H=8, W=8]\n"
            "  try     less padding, a larger input, or another mode");
}

}  // namespace
}  // namespace fovea
