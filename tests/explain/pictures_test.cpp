#include <gtest/gtest.h>

#include <cmath>

#include "error_text.h"
#include "fovea/draw/colormap.h"
#include "fovea/explain/convolution.h"
#include "fovea/explain/features.h"
#include "fovea/explain/filters.h"
#include "fovea/explain/receptive_field.h"
#include "fovea/explain/untrained.h"
#include "fovea/nn/blocks_conv.h"
#include "fovea/nn/linear.h"
#include "fovea/nn/pool.h"
#include "fovea/ops.h"
#include "golden_picture.h"

namespace fovea::explain {
namespace {

/// conv3, conv3, pool2, conv3: the net of the receptive field's textbook example.
class Field : public nn::Module {
 public:
  explicit Field(nn::Scope s)
      : Module(s),
        conv1(at("conv1"), 1, 4, {.kernel = 3, .padding = 1}),
        conv2(at("conv2"), 4, 4, {.kernel = 3, .padding = 1}),
        conv3(at("conv3"), 4, 4, {.kernel = 3, .padding = 1}),
        fc(at("fc"), 4, 1000) {}
  Tensor forward(Tensor x) const override {
    x = conv3(max_pool2d(relu(conv2(relu(conv1(x)))), {.kernel = 2}));
    return fc(mean(x, {2, 3}));
  }
  nn::Conv2d conv1, conv2, conv3;
  nn::Linear fc;
};

/// Four convolutions of stride 2 on 64 pixels.
class Strided : public nn::Module {
 public:
  explicit Strided(nn::Scope s)
      : Module(s),
        a(at("a"), 3, 8, {.kernel = 3, .stride = 2, .padding = 1}),
        b(at("b"), 8, 8, {.kernel = 3, .stride = 2, .padding = 1}),
        c(at("c"), 8, 8, {.kernel = 3, .stride = 2, .padding = 1}),
        d(at("d"), 8, 8, {.kernel = 3, .stride = 2, .padding = 1}) {}
  Tensor forward(Tensor x) const override { return flatten(d(c(b(a(x))))); }
  nn::Conv2d a, b, c, d;
};

/// Dilated convolutions over time, as WaveNet's: 15 steps in all.
class Dilated : public nn::Module {
 public:
  explicit Dilated(nn::Scope s)
      : Module(s),
        a(at("a"), 1, 4, {.kernel = 3, .padding = 1}),
        b(at("b"), 4, 4, {.kernel = 3, .padding = 2, .dilation = 2}),
        c(at("c"), 4, 4, {.kernel = 3, .padding = 4, .dilation = 4}),
        fc(at("fc"), 4, 2) {}
  Tensor forward(Tensor x) const override { return fc(mean(c(b(a(x))), {2})); }
  nn::Conv1d a, b, c;
  nn::Linear fc;
};

/// A convolution of 3x5x7 and a pool of 2 on volumes.
class Deep : public nn::Module {
 public:
  explicit Deep(nn::Scope s)
      : Module(s),
        a(at("a"), 1, 4, {.kernel = {3, 5, 7}, .padding = {1, 2, 3}}),
        fc(at("fc"), 4, 2) {}
  Tensor forward(Tensor x) const override {
    return fc(mean(max_pool(a(x), {.kernel = 2}), {2, 3, 4}));
  }
  nn::Conv3d a;
  nn::Linear fc;
};

class Dense : public nn::Module {
 public:
  explicit Dense(nn::Scope s) : Module(s), fc(at("fc"), 12, 3) {}
  Tensor forward(Tensor x) const override { return fc(flatten(x)); }
  nn::Linear fc;
};

template <class Net>
struct Made {
  Made() { nn::declare(state, net, 3); }
  Net net{nn::Scope("net")};
  State state;
};

TEST(ReceptiveField, OfTheTextbookNetIsTenByTen) {
  Made<Field> m;
  const FieldMap field =
      measure_field(m.net, m.state, {1, 32, 32}, {.layer = "conv3", .position = {{8, 8}}});
  EXPECT_EQ(field.box, (FieldBox{{12, 12}, {21, 21}}));
  // The gradient is zero outside, and reaches all four sides.
  for (int64_t y = 0; y < 32; ++y) {
    for (int64_t x = 0; x < 32; ++x) {
      const bool inside = y >= 12 && y <= 21 && x >= 12 && x <= 21;
      if (!inside) {
        EXPECT_EQ(field.gradient.at(y * 32 + x), 0);
      }
    }
  }
  for (int64_t i = 14; i < 20; ++i) {
    EXPECT_GT(field.gradient.at(12 * 32 + i), 0);
    EXPECT_GT(field.gradient.at(21 * 32 + i), 0);
    EXPECT_GT(field.gradient.at(i * 32 + 12), 0);
    EXPECT_GT(field.gradient.at(i * 32 + 21), 0);
  }
  EXPECT_GE(field.energy, 0.95);
  EXPECT_LT(field.share, 1);
  EXPECT_EQ(field.size, (std::vector<int64_t>{16, 16}));
}

TEST(ReceptiveField, OfDilatedConvolutionsOverTimeIsFifteenSteps) {
  Made<Dilated> m;
  const FieldMap field = measure_field(m.net, m.state, {1, 40}, {.position = {{20}}});
  EXPECT_EQ(field.layer, "c");
  EXPECT_EQ(field.box, (FieldBox{{13}, {27}}));
  for (int64_t i = 0; i < 40; ++i) EXPECT_EQ(field.gradient.at(i) > 0, i >= 13 && i <= 27) << i;
  EXPECT_EQ(box_text(field.box), "15, positions 13 to 27");
  EXPECT_GE(field.energy, 0.95);
  EXPECT_GE(field.effective.first[0], 13);
  EXPECT_LE(field.effective.last[0], 27);
  EXPECT_NEAR(field.share, static_cast<double>(field.effective.count()) / 15, 1e-9);
  EXPECT_GT(field_picture(field).height, 200);
  const auto stages = field_stages(m.net, {1, 40});
  EXPECT_EQ(stages.back().field, 15);
  EXPECT_EQ(stages.back().size, 40);
  expect_error(ErrorKind::usage, "position 40 lies outside c\n  output  40", [&] {
    measure_field(m.net, m.state, {1, 40}, {.position = {{40}}});
  });
  expect_error(ErrorKind::usage, "position 1,1 lies outside c", [&] {
    measure_field(m.net, m.state, {1, 40}, {.position = {{1, 1}}});
  });
}

TEST(ReceptiveField, OfVolumesHasThreeAxes) {
  Made<Deep> m;
  const FieldMap field = measure_field(m.net, m.state, {1, 12, 16, 20}, {.layer = "a"});
  EXPECT_EQ(field.position, (std::vector<int64_t>{6, 8, 10}));
  EXPECT_EQ(field.box, (FieldBox{{5, 6, 7}, {7, 10, 13}}));
  EXPECT_EQ(box_text(field.box), "3x5x7, slices 5 to 7, rows 6 to 10, columns 7 to 13");
  for (int64_t i = 0; i < field.gradient.numel(); ++i) {
    const int64_t z = i / 320, y = i / 20 % 16, x = i % 20;
    const bool inside = z >= 5 && z <= 7 && y >= 6 && y <= 10 && x >= 7 && x <= 13;
    EXPECT_EQ(field.gradient.at(i) > 0, inside) << i;
  }
  EXPECT_GE(field.energy, 0.95);
  EXPECT_LE(field.effective.count(), 105);
  EXPECT_GT(field_picture(field).width, 448);
  EXPECT_EQ(field_stages(m.net, {1, 12, 16, 20}).back().field, 8) << "7 and the pool's 2";
  const FieldMap of_class = measure_field(m.net, m.state, {1, 12, 16, 20}, {.output = 1});
  EXPECT_EQ(of_class.box, (FieldBox{{0, 0, 0}, {11, 15, 19}}));
}

TEST(ReceptiveField, OfAClassIsTheImage) {
  Made<Field> m;
  const FieldMap field = measure_field(m.net, m.state, {1, 32, 32}, {.output = 999});
  EXPECT_EQ(field.box, (FieldBox{{0, 0}, {31, 31}}));
  EXPECT_EQ(field.layer, "output");
  EXPECT_GT(field_picture(field).width, 448);
  expect_error(ErrorKind::usage, "there is no output 1000", [&] {
    measure_field(m.net, m.state, {1, 32, 32}, {.output = 1000});
  });
}

TEST(ReceptiveField, OfADeadNetIsDrawnToo) {
  Made<Field> m;
  for (const std::string& name : m.state.names(Role::parameter))
    m.state.set(name, Array::zeros(DType::f32, m.state.type(name).shape));
  const FieldMap field = measure_field(m.net, m.state, {1, 32, 32}, {});
  EXPECT_EQ(field.energy, 0);
  EXPECT_EQ(field.effective, field.box);
  EXPECT_GT(field_picture(field).width, 0);
}

TEST(ReceptiveField, StagesOfStridedConvolutionsDouble) {
  Made<Strided> m;
  std::vector<int64_t> fields, sizes;
  for (const FieldStage& stage : field_stages(m.net, {3, 64, 64})) {
    fields.push_back(stage.field);
    sizes.push_back(stage.size);
  }
  EXPECT_EQ(fields, (std::vector<int64_t>{3, 7, 15, 31}));
  EXPECT_EQ(sizes, (std::vector<int64_t>{32, 16, 8, 4}));
  expect_picture("stages", stages_picture(field_stages(m.net, {3, 64, 64})));
}

TEST(ReceptiveField, WhatCannotBeMeasuredIsAnError) {
  Made<Field> m;
  const Shape input{1, 32, 32};
  expect_error(ErrorKind::usage, "unknown module \"conv4\"",
               [&] { measure_field(m.net, m.state, input, {.layer = "conv4"}); });
  expect_error(ErrorKind::usage, "conv1, conv2, conv3, fc",
               [&] { measure_field(m.net, m.state, input, {.layer = "conv4"}); });
  expect_error(ErrorKind::usage, "position 16,0 lies outside conv3", [&] {
    measure_field(m.net, m.state, input, {.layer = "conv3", .position = {{16, 0}}});
  });
  expect_error(ErrorKind::usage, "\"conv*\" names 3 layers",
               [&] { measure_field(m.net, m.state, input, {.layer = "conv*"}); });
  expect_error(ErrorKind::usage, "fc has no positions",
               [&] { measure_field(m.net, m.state, input, {.layer = "fc"}); });
  expect_error(ErrorKind::usage, "the model's inputs have no positions",
               [&] { measure_field(m.net, m.state, {32}, {}); });
  Made<Dense> dense;
  expect_error(ErrorKind::usage, "receptive field: net has no convolution", [&] {
    measure_field(dense.net, dense.state, {3, 2, 2}, {});
  });
  expect_error(ErrorKind::usage, "receptive field: net has no convolution", [&] {
    field_stages(dense.net, {3, 2, 2});
  });
}

TEST(Filters, AreDrawnInEightColumns) {
  Made<Strided> m;
  const Filters colored = filters(m.net, m.state, {3, 64, 64});
  EXPECT_EQ(colored.layer, "a");
  EXPECT_EQ(colored.values.shape(), (Shape{8, 3, 3, 3}));
  expect_picture("filters", filters_picture(colored));
  const Filters means = filters(m.net, m.state, {3, 64, 64}, "b");
  EXPECT_EQ(means.values.shape(), (Shape{8, 1, 3, 3}));
  EXPECT_EQ(means.inputs, 8);
  const Array& weight = m.state.get("b.weight");
  double sum = 0;
  for (int64_t c = 0; c < 8; ++c) sum += weight.at(c * 9);
  EXPECT_NEAR(means.values.at(0), sum / 8, 1e-6);
  EXPECT_GT(filters_picture(means, {.scale_each = true, .colormap = "jet"}).height, 0);
}

TEST(Filters, OfEqualWeightsAreDrawnAndOfDenseNetsAnError) {
  Made<Field> m;
  m.state.set("conv1.weight", Array::full(DType::f32, {4, 1, 3, 3}, 0.5));
  const Image equal = filters_picture(filters(m.net, m.state, {1, 32, 32}));
  EXPECT_EQ(*equal.at(equal.height - 20, 20), 128);  // gray, amid the map
  expect_error(ErrorKind::usage, "unknown convolution \"fc\"", [&] {
    filters(m.net, m.state, {1, 32, 32}, "fc");
  });
  Made<Dense> dense;
  expect_error(ErrorKind::usage, "filters: net has no convolution", [&] {
    filters(dense.net, dense.state, {3, 2, 2});
  });
}

Array ramp(const Shape& shape) {
  Array input(DType::f32, shape);
  for (int64_t i = 0; i < input.numel(); ++i) input.set(i, std::sin(0.05 * static_cast<double>(i)));
  return input;
}

TEST(Features, AreTheLayersOwnResults) {
  const auto predictor = untrained("small_cnn", {.input = Shape{3, 32, 32}});
  const Array input = ramp({1, 3, 32, 32}), before = predictor->output(input).clone();
  const auto found = features(*predictor, input, "conv1,head.*");
  ASSERT_GE(found.size(), 2U);
  EXPECT_EQ(found[0].layer, "conv1");
  EXPECT_EQ(found[0].values.shape(), (Shape{32, 32, 32}));
  EXPECT_EQ(found[0].shape_text(), "32x32x32");
  // Before the norm and relu that follow: some values are negative. Looking changed nothing.
  EXPECT_LT(draw::min_max(found[0].values.data<float>()).low, 0);
  const Array after = predictor->output(input);
  for (int64_t i = 0; i < after.numel(); ++i) EXPECT_EQ(after.at(i), before.at(i));
  EXPECT_EQ(features(*predictor, input).size(), 2U);  // its convolutions
  EXPECT_GT(features_overview(Image::black(5, 9, 1), found).width, 0);
  EXPECT_GT(features_picture(found.back()).width, 0);  // a vector
  expect_error(ErrorKind::usage, "layers", [&] { features(*predictor, input, "conv7"); });
}

TEST(Features, OfOnePixelZerosAndVolumesAreDrawn) {
  const FeatureMaps zeros{"dead", Array::zeros(DType::f32, {1000, 1, 1})};
  EXPECT_EQ(strongest_channels(zeros.values)[0], 0);
  const Image image = features_picture(zeros, {.channels = 9, .by_strength = true});
  EXPECT_GT(image.width, 900);
  EXPECT_EQ(as_maps(Array::zeros(DType::f32, {2, 3, 4, 5})).shape(), (Shape{2, 12, 5}));
  EXPECT_EQ(as_maps(Array::zeros(DType::f32, {10})).shape(), (Shape{1, 3, 4}));
  FeatureMaps some{"two", Array::of<float>({0, 1, 2, 3, -9, 5, 6, 7}, {2, 2, 2})};
  EXPECT_EQ(strongest_channels(some.values), (std::vector<int64_t>{1, 0}));
  expect_picture("features", features_picture(some));
}

TEST(Convolution, TextbookSizesAndSumsOverChannels) {
  Array input(DType::f32, {2, 8, 8}), kernel(DType::f32, {1, 2, 3, 3});
  for (int64_t i = 0; i < input.numel(); ++i) input.set(i, static_cast<double>(i * 7 % 10));
  for (int64_t i = 0; i < kernel.numel(); ++i) kernel.set(i, static_cast<double>(i % 5) - 2);
  const auto side = [&](int64_t stride, int64_t padding, int64_t dilation) {
    return convolution_steps(input, kernel, stride, padding, dilation).output.dim(1);
  };
  EXPECT_EQ(side(1, 0, 1), 6);
  EXPECT_EQ(side(1, 1, 1), 8);
  EXPECT_EQ(side(2, 1, 1), 4);
  EXPECT_EQ(side(1, 2, 2), 8);
  const ConvSteps steps = convolution_steps(input, kernel, 2, 1);
  for (int64_t i = 0; i < 16; ++i)
    EXPECT_NEAR(steps.products.at(i) + steps.products.at(16 + i), steps.output.at(i), 1e-4);
  expect_picture("convolution", conv_picture(steps, 7));
  EXPECT_EQ(conv_frames(steps).size(), 16U);
  EXPECT_EQ(stacked(conv_frames(steps)).height, 16 * conv_picture(steps).height);
}

TEST(Convolution, WhatCannotBeDrawnIsAnError) {
  const Array kernel = Array::full(DType::f32, {1, 1, 3, 3}, 1);
  expect_error(ErrorKind::usage, "the input has 2 channels, the kernel expects 1", [&] {
    convolution_steps(Array::zeros(DType::f32, {2, 8, 8}), kernel);
  });
  expect_error(ErrorKind::usage, "at most 64 pixels along a side can be drawn", [&] {
    convolution_steps(Array::zeros(DType::f32, {1, 63, 8}), kernel, 1, 1);
  });
  expect_error(ErrorKind::usage, "too many steps to draw one by one", [&] {
    conv_frames(convolution_steps(Array::zeros(DType::f32, {1, 60, 60}), kernel));
  });
  expect_error(ErrorKind::usage, "", [&] {
    convolution_steps(Array::zeros(DType::f32, {1, 2, 2}), kernel);  // too small for the kernel
  });
}

}  // namespace
}  // namespace fovea::explain
