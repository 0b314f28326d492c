// Problem strings: what `bench op` and tests of kernels name a convolution by.

#include "fovea/ops/problem.h"

#include <string>

#include "error_text.h"
#include "fovea/ops/conv.h"

namespace fovea {
namespace {

TEST(Problem, DescribesTheEntireConvolution) {
  const OpCall call = parse_problem("conv:mb8g2ic16ih20iw30oc32kh3kw5sh2sw1ph1pw2dh1dw2");
  EXPECT_EQ(to_string(call.in[0]), "f32[8, 16, 20, 30]");
  EXPECT_EQ(to_string(call.in[1]), "f32[32, 8, 3, 5]");
  EXPECT_EQ(to_string(call.out[0]), "f32[8, 32, 10, 26]");
  EXPECT_EQ(call.op.attributes(), "kernel=3x5 stride=2x1 padding=1x2 dilation=1x2 groups=2");
}

TEST(Problem, WidthsAreAsHeightsAndTheRestIsPlain) {
  const OpCall call = parse_problem("conv:ic3ih32oc64oh16kh3ph1sh2");
  EXPECT_EQ(to_string(call.in[0]), "f32[1, 3, 32, 32]");
  EXPECT_EQ(to_string(call.out[0]), "f32[1, 64, 16, 16]");
  EXPECT_EQ(call.op.attributes(), "kernel=3 stride=2 padding=1");
}

TEST(Problem, GradientsHaveTheShapesOfWhatTheyAreBy) {
  const OpCall call = parse_problem("conv:mb2ic16ih9oc32kh3");
  const OpCall data = backward_data(call), weights = backward_weights(call);
  EXPECT_EQ(data.in[0], call.in[1]);
  EXPECT_EQ(data.in[1], call.out[0]);
  EXPECT_EQ(data.out[0], call.in[0]);
  EXPECT_EQ(weights.in[0], call.in[0]);
  EXPECT_EQ(weights.in[1], call.out[0]);
  EXPECT_EQ(weights.out[0], call.in[1]);
  // All three compute the same products.
  EXPECT_EQ(data.op.flops(data.in, data.out), call.op.flops(call.in, call.out));
  EXPECT_EQ(weights.op.flops(weights.in, weights.out), call.op.flops(call.in, call.out));
}

TEST(Problem, HasAType) {
  const OpCall call = parse_problem("conv:ic3ih32oc64kh3ph1:bf16");
  EXPECT_EQ(to_string(call.in[0]), "bf16[1, 3, 32, 32]");
  EXPECT_EQ(to_string(call.in[1]), "bf16[64, 3, 3, 3]");
  EXPECT_EQ(to_string(call.out[0]), "bf16[1, 64, 32, 32]");
  EXPECT_EQ(backward_data(call).out[0], call.in[0]);
  EXPECT_EQ(to_string(backward_weights(call).out[0]), "f32[64, 3, 3, 3]");
}

TEST(Problem, OfAnyOpIsItsFieldsAndTypes) {
  const std::string text =
      "max_pool kernel=3x2 stride=2 padding=1 f32[8, 16, 20, 30]{channels_last} -> "
      "f32[8, 16, 10, 16]{channels_last}";
  const OpCall call = parse_problem(text);
  EXPECT_EQ(to_string(call.in[0]), "f32[8, 16, 20, 30]{channels_last}");
  EXPECT_EQ(problem_text(call.op, call.in, call.out), text);
  // Outputs follow from the rest.
  EXPECT_EQ(to_string(parse_problem("add f32[2, 3], f32[2, 3]").out[0]), "f32[2, 3]");
  EXPECT_EQ(to_string(parse_problem("sum_to shape=[] f64[2, 3]").out[0]), "f64[]");
}

TEST(Problem, OfAnyOpErrorsSayWhatIsWrong) {
  const auto says = [](const std::string& problem) {
    return error_text(ErrorKind::usage, [&] { parse_problem(problem); });
  };
  const std::string pool = "max_pool kernel=2 stride=2 padding=0 ",
                    example =
                        "\n  expected a problem such as \"max_pool kernel=2 stride=2 padding=0 "
                        "f32[64, 64, 32, 32]\"";
  const auto about = [&](const std::string& problem, const std::string& what) {
    return "problem \"" + problem + "\": " + what + example;
  };
  EXPECT_EQ(says("max_pol f32[2]"), "unknown op \"max_pol\"\n  nearest max_pool");
  EXPECT_EQ(says(pool), about(pool, "it has no input types"));
  EXPECT_EQ(says(pool + "f31[8]"),
            about(pool + "f31[8]", "there is no element type \"f31\"") +
                "\n  known    f64, f32, bf16, f16, i64, i32, i16, i8, u8, u16, bool");
  for (const char* type :
       {"f32[8", "f32[8, -3]", "f32[8, x]", "f32[1,1,1,1,1,1,1,1,1]", "f32[8]{"}) {
    expect_error(ErrorKind::usage, "is not a type such as f32[8, 3, 32, 32]",
                 [&] { parse_problem(pool + type); });
  }
  EXPECT_EQ(
      says("relu f32[1, 3, 4]{blocked16}"),
      about("relu f32[1, 3, 4]{blocked16}", "\"f32[1, 3, 4]{blocked16}\" cannot have that layout"));
  EXPECT_EQ(says("relu f32[3] -> f32[4]"), about("relu f32[3] -> f32[4]", "the outputs differ") +
                                               "\n  given    f32[4]\n  inferred f32[3]");
  EXPECT_EQ(says("linear f32[3]"),
            about("linear f32[3]", "linear does not take these types and fields"));
  EXPECT_EQ(says(pool + "f32[1, 1, 1, 1]").substr(0, 52),
            "max_pool2d: the window spans 2, but the padded input");
  expect_error(ErrorKind::usage, "padding has",
               [&] { parse_problem("pad padding mode=reflect f32[1, 1, 4]"); });
}

TEST(Problem, ErrorsSayWhatIsWrong) {
  const auto refuses = [](const std::string& problem, const std::string& part) {
    expect_error(ErrorKind::usage, part, [&] { parse_problem(problem); });
  };
  refuses("pool:ic3", "does not begin with \"conv:\"");
  refuses("conv:", "\"ic\" is missing");
  refuses("conv:ic3ih8oc4", "\"kh\" is missing");
  refuses("conv:ic3ih8oc4kh3zz1", "there is no size \"zz\"");
  refuses("conv:ic3ih8oc4kh3ic3", "\"ic\" is given twice");
  refuses("conv:ic3ih8oc4kh", "\"kh\" is not a name and a number");
  refuses("conv:ic3ih8oc4kh-3", "\"kh\" is not a name and a number");
  refuses("conv:ic3ih8oc4kh3 ", "\" \" is not a name and a number");
  refuses("conv:ic3ih8oc4kh99999999999999999999", "is not a name and a number up to 1000000");
  refuses("conv:ic3ih0oc4kh3", "\"ih\" is 0");
  refuses("conv:g2ic3ih8oc4kh3", "g is 2, which does not divide ic, 3");
  refuses("conv:g3ic3ih8oc4kh3", "groups=3 does not divide");
  refuses("conv:ic3ih8oc4kh3oh8", "oh is 8, but these sizes give 6");
  refuses("conv:ic3ih8oc4kh3:f16", "\"f16\" is not a convolution's type");
  refuses("conv:ic3ih8oc4kh3:", "\"\" is not a convolution's type");
  refuses("conv:ic3ih8oc4kh9", "the window spans 9, but the padded input only 8");

  EXPECT_EQ(error_text(ErrorKind::usage, [] { parse_problem("conv:ic3ih8oc4kh3zz1"); }),
            "problem \"conv:ic3ih8oc4kh3zz1\": there is no size \"zz\"\n"
            "  expected a problem such as conv:mb64ic64ih32oc64kh3ph1\n"
            "  sizes    mb, g, ic, ih, iw, oc, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw");
  const OpCall forward = parse_problem("conv:mb2ic16ih9oc32kh3"), data = backward_data(forward);
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { backward_weights(data); }),
            "conv_backward_data is not a convolution");
}

}  // namespace
}  // namespace fovea
