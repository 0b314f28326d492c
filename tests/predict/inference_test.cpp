#include "fovea/predict/inference.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>

#include "error_text.h"
#include "fovea/core/random.h"
#include "predict/trained.h"

namespace fovea {
namespace {

TEST(Inference, NormalisesBytesAndTakesFloatsAsTheyAre) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  const Array bytes = pixels(5), first = inference.output(bytes).clone();
  EXPECT_EQ(first.shape(), (Shape{5, 3}));
  Array floats(DType::f32, {5, 1, 8, 8});
  for (int64_t i = 0; i < floats.numel(); ++i) floats.set(i, (bytes.at(i) / 255 - 0.5) / 0.25);
  const Array second = inference.output(floats);
  for (int64_t i = 0; i < 15; ++i) EXPECT_NEAR(second.at(i), first.at(i), 1e-4);
}

TEST(Inference, TapsGiveTheOutputsOfModules) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  const Array images = pixels(5), output = inference.output(images).clone();
  const Inference::Tapped tapped = inference.tapped(images, {"conv1", "head.*"});
  std::vector<std::string> names;
  for (const auto& [name, array] : tapped.taps) names.push_back(name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"conv1", "head.0", "head.1", "head.2", "head.3", "head.4"}));
  for (int64_t i = 0; i < 15; ++i) EXPECT_NEAR(tapped.output.at(i), output.at(i), 1e-4);
  EXPECT_EQ(list(tapped.taps[5].second), list(tapped.output));
  EXPECT_EQ(list(tapped.taps[4].second), list(tapped.taps[3].second));  // dropout in use

  // The convolution alone, without the norm and relu that are folded into it otherwise.
  const auto graph = Graph::make(Mode::eval);
  const Normalization normalization{{0.5}, {0.25}};
  const nn::Module& conv1 = *t.model->children()[0];
  graph->output("y", apply(conv1, graph->input("x", {DType::u8, images.shape()}), normalization));
  Memory memory;
  const Array alone = Program(*graph).run(memory, t.state, {{"x", images}})[0];
  const Array& conv = tapped.taps[0].second;
  ASSERT_EQ(conv.shape(), alone.shape());
  for (int64_t i = 0; i < conv.numel(); ++i) ASSERT_NEAR(conv.at(i), alone.at(i), 1e-4) << i;

  EXPECT_EQ(inference.output(images).shape(), output.shape());  // a Program of its own
  expect_error(ErrorKind::usage, "unknown module \"conv9\"",
               [&] { (void)inference.tapped(images, {"conv9"}); });
}

/// A net with an auxiliary head.
struct WithSideOutput : nn::Module {
  explicit WithSideOutput(const nn::Scope& s)
      : Module(s), fc(at("fc"), 4, 2), side(at("side"), 4, 3) {}
  Tensor forward(Tensor x) const override {
    if (x.graph().has_side_outputs()) x.graph().output("aux", side(x));
    return fc(x);
  }
  nn::Linear fc, side;
};

TEST(Inference, SideOutputsAreComputedForThoseWhoAskForAll) {
  const WithSideOutput net(nn::Scope("net"));
  State state;
  nn::declare(state, net, 1);
  Inference inference(net, state, {});
  Array x(DType::f32, {5, 4});
  for (int64_t i = 0; i < x.numel(); ++i) x.set(i, static_cast<double>(i));
  const Array output = inference.output(x).clone();
  EXPECT_EQ(output.shape(), (Shape{5, 2}));
  EXPECT_EQ(inference.run(x).size(), 1u) << "a prediction pays for an auxiliary head";
  const auto all = inference.named(x);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].first, "out");
  EXPECT_EQ(list(all[0].second), list(output));
  EXPECT_EQ(all[1].first, "aux");
  EXPECT_EQ(all[1].second.shape(), (Shape{5, 3}));
}

TEST(Inference, DoesNotDependOnTheBatch) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  const Array all = inference.output(pixels(7)).clone();
  for (int64_t n : {1, 3, 7}) {
    const Array some = inference.output(pixels(n));
    for (int64_t i = 0; i < some.numel(); ++i) EXPECT_NEAR(some.at(i), all.at(i), 1e-5);
  }
}

TEST(Inference, SaysWhereNumbersThatAreNotFiniteBegan) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  Array input(DType::f32, {2, 1, 8, 8});
  for (int64_t i = 0; i < input.numel(); ++i) input.set(i, 0.5);
  EXPECT_EQ(inference.nonfinite_origin(input).text, "");
  EXPECT_EQ(inference.finite_run(input)[0].shape(), (Shape{2, 3}));
  const std::string text_before = "the net's output is not finite\n  first   ";
  const auto first = [&](const Array& images) {
    const std::string text =
        error_text(ErrorKind::diverged, [&] { (void)inference.finite_run(images); });
    EXPECT_TRUE(text.starts_with(text_before)) << text;
    return text.substr(text_before.size(),
                       text.find('\n', text_before.size()) - text_before.size());
  };

  Array broken = input.clone();
  broken.set(70, -INFINITY);
  EXPECT_EQ(first(broken), "the input holds -inf");

  // For every weight, whatever comes after: fused activations and folded norms hide none.
  for (const nn::Variable* variable : t.model->variables()) {
    if (!is_float(t.state.type(variable->name()).dtype)) continue;
    for (const double number : {double{NAN}, double{INFINITY}}) {
      const Array original = t.state.get(variable->name()).clone();
      Array hurt = original.clone();
      hurt.set(hurt.numel() / 2, number);
      t.state.set(variable->name(), hurt);
      const std::string noun = variable->role() == Role::buffer ? "buffer " : "weight ";
      if (std::isnan(number)) {
        EXPECT_EQ(first(input), noun + variable->name() + " holds NaN");
      } else {  // relu(-inf) is 0: the logits may be finite
        EXPECT_EQ(inference.nonfinite_origin(input).text, noun + variable->name() + " holds inf");
      }
      t.state.set(variable->name(), original);
    }
  }

  for (int64_t i = 0; i < input.numel(); ++i) input.set(i, 3e38);  // finite, and too large
  EXPECT_NE(first(input).find(" computed a number that is not finite"), std::string::npos);
}

TEST(Inference, ThreadsWithOneEachShareAModelAndItsWeights) {
  Trained t;
  const auto logits = [&](Inference& inference, int64_t n) {
    return list(inference.output(pixels(n)));
  };
  Inference alone(*t.model, t.state, {{0.5}, {0.25}});
  std::vector<std::vector<double>> expected{{}};
  for (int64_t n = 1; n <= 12; ++n) expected.push_back(logits(alone, n));
  std::atomic<int> wrong{0};
  std::vector<std::jthread> threads;
  for (int k = 0; k < 3; ++k) {
    threads.emplace_back([&] {
      Inference own(*t.model, t.state, {{0.5}, {0.25}});
      for (int64_t i = 0; i < 24; ++i) {  // more shapes than are kept: some are compiled twice
        const int64_t n = i % 12 + 1;
        wrong += logits(own, n) != expected[static_cast<size_t>(n)];
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

TEST(Inference, ABatchOfTinyImagesGivesWhatEachOneGives) {
  for (const char* name : {"mini_resnet", "resnet50", "mobilenet_v2", "densenet121"}) {
    const int64_t side = std::string(name) == "densenet121" ? 32 : 8;  // the last maps are 1x1
    const auto model = models::make(name, {.outputs = 3, .input = Shape{3, side, side}});
    State state;
    golden_fill::declare(state, *model, DType::f32);
    Inference inference(*model, state, {{0.5, 0.5, 0.5}, {0.25, 0.25, 0.25}});
    Random random(1, name);
    Array batch(DType::u8, {5, side, side, 3}), image(DType::u8, {1, side, side, 3});
    for (auto& value : batch.data<uint8_t>()) value = static_cast<uint8_t>(random.below(256));
    const Array all = inference.output(batch).clone();
    EXPECT_GT(std::abs(all.at(0) - all.at(3)), 1e-3 * (1 + std::abs(all.at(0)))) << name;
    for (int64_t i = 0; i < 5; ++i) {
      std::memcpy(image.raw(), batch.raw() + static_cast<size_t>(i) * image.bytes(), image.bytes());
      const Array one = inference.output(image);
      for (int64_t k = 0; k < 3; ++k)
        EXPECT_NEAR(all.at(3 * i + k), one.at(k), 1e-4 * (1 + std::abs(one.at(k)))) << name << i;
    }
  }
}

TEST(Inference, SeesNewWeights) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  const Array before = inference.output(pixels(2)).clone();
  t.state.set("head.4.bias", Array::full(DType::f32, {3}, 100));
  EXPECT_NEAR(inference.output(pixels(2)).at(0), before.at(0) + 100, 1);
}

TEST(Inference, SaysWhatTheModelCannotTake) {
  Trained t;
  Inference inference(*t.model, t.state, {{0.5}, {0.25}});
  expect_error(ErrorKind::usage, "small_cnn.head.1 (src/fovea/models/small_cnn.cpp:", [&] {
    (void)inference.output(pixels(1, 12));
  });
  Inference colour(*t.model, t.state, {{0, 0, 0}, {1, 1, 1}});
  expect_error(ErrorKind::usage, "normalize_images", [&] { (void)colour.output(pixels(1)); });
}

}  // namespace
}  // namespace fovea
