#include "fovea/explain/check.h"

#include <cmath>

#include "error_text.h"
#include "explain/nets.h"
#include "fovea/explain/overlay.h"
#include "fovea/images/preprocessing.h"

namespace fovea::explain {
namespace {

TEST(Check, RankCorrelationIsSpearmans) {
  EXPECT_NEAR(rank_correlation({1, 2, 3, 4}, {10, 20, 30, 99}), 1, 1e-12);
  EXPECT_NEAR(rank_correlation({1, 2, 3, 4}, {4, 3, 2, 1}), -1, 1e-12);
  // Ties share their mean rank: scipy.stats.spearmanr([1, 2, 2, 3], [1, 3, 2, 2]).
  EXPECT_NEAR(rank_correlation({1, 2, 2, 3}, {1, 3, 2, 2}), 0.5, 1e-12);
  EXPECT_EQ(rank_correlation({1, 1, 1}, {1, 2, 3}), 0);
}

TEST(Check, CurvesRunFromTheImageToTheBaselineAndBack) {
  Filled net("keras_cnn", {.outputs = 5, .input = Shape{3, 8, 8}});
  const Array images = golden_fill::uniform("images", DType::f32, {2, 3, 8, 8});
  const Array maps = golden_fill::uniform("maps", DType::f32, {2, 4, 4});
  const std::vector<Faithfulness> all = faithfulness(net.explainer, images, {1, 4}, maps, 1, 7);
  const Array probabilities = net.explainer.probabilities(images);
  ASSERT_EQ(all.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const double whole = probabilities.at(static_cast<int64_t>(i == 0 ? 1 : 5 + 4));
    for (const Faithfulness::Baseline* b : {&all[i].blur, &all[i].mean}) {
      ASSERT_EQ(b->deletion.fractions.size(), 8u);
      EXPECT_EQ(b->deletion.fractions.front(), 0);
      EXPECT_EQ(b->deletion.fractions.back(), 1);
      EXPECT_EQ(b->deletion.fractions[1], 9 / 64.0);  // as many as were removed, not 1/7
      EXPECT_NEAR(b->deletion.scores.front(), whole, 1e-5);
      EXPECT_NEAR(b->insertion.scores.back(), whole, 1e-5);
      EXPECT_NEAR(b->deletion.scores.back(), b->insertion.scores.front(), 1e-5);
    }
    EXPECT_NE(all[i].blur.deletion.scores.back(), all[i].mean.deletion.scores.back());
    EXPECT_GE(all[i].drop, 0);
  }
  expect_error(ErrorKind::usage, "2 inputs, 2 maps, 1 class",
               [&] { (void)faithfulness(net.explainer, images, {1}, maps); });
}

TEST(Check, MapsOfATrainedNetAreBetterThanRandomOnesAndFollowItsWeights) {
  Corner corner;
  Request request{.inputs = Array(), .classes = std::vector<int64_t>(8, 1)};
  const Array images = corner.images(16, 2000);
  Array marked(DType::f32, {8, 1, 32, 32});
  for (int64_t i = 0; i < 8; ++i) {
    const Array one = rows(images, 2 * i + 1, 1);
    std::ranges::copy(one.data<float>(), marked.data<float>().begin() + i * 1024);
  }
  request.inputs = marked;
  const Chosen<Method> method = choose_method("gradcam", Family::cam);
  const Explanation found = explain(corner.explainer, method, request);
  const auto area = [&](const Array& maps) {
    double deletion = 0, insertion = 0;
    for (const Faithfulness& f : faithfulness(corner.explainer, marked, found.classes, maps)) {
      deletion += f.mean.deletion.area;
      insertion += f.mean.insertion.area;
    }
    return std::pair(deletion, insertion);
  };
  const auto good = area(found.maps), random = area(random_maps(found.maps.shape(), 5));
  EXPECT_LT(good.first, random.first);
  EXPECT_GT(good.second, random.second);

  const uint64_t version = corner.state.version();
  const Randomization r = randomization(corner.explainer, method, request, found);
  EXPECT_EQ(corner.state.version(), version);
  ASSERT_FALSE(r.steps.empty());
  EXPECT_EQ(r.steps.front().layers, 1);
  EXPECT_EQ(r.steps.front().last, "fc");
  EXPECT_EQ(r.steps.back().layers, 4);
  EXPECT_EQ(r.steps.back().last, "conv1");
  EXPECT_EQ(r.passed(), true);
  EXPECT_GE(r.draws, 3);
  EXPECT_GT(r.steps.back().spread, 0);
  // What does not look at the model at all stays as it is.
  const Chosen<Method> blind{
      {.choice = {.name = "blind"},
       .family = Family::saliency,
       .compute = [](Explainer&, Batch& batch, const Arguments&) { return batch.inputs; }},
      {}};
  const Randomization unmoved =
      randomization(corner.explainer, blind, request, explain(corner.explainer, blind, request));
  EXPECT_NEAR(unmoved.steps.back().similarity, 1, 1e-12);
  EXPECT_EQ(unmoved.steps.back().spread, 0);
  EXPECT_EQ(unmoved.passed(), false);
}

// One image and one draw of random weights say little: maps of two nets are alike by chance.
TEST(Check, TheRandomisationTestDoesNotDependOnTheSeedEvenForOneImage) {
  Corner corner;
  const Array image = rows(corner.images(2, 2000), 1, 1);
  const Chosen<Method> method = choose_method("gradcam", Family::cam);
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const Request request{.inputs = image, .classes = {1}, .seed = seed};
    const Randomization r = randomization(corner.explainer, method, request,
                                          explain(corner.explainer, method, request));
    EXPECT_NE(r.passed(), false) << seed;
    EXPECT_LE(r.draws, 9);
  }
}

TEST(Check, AVerdictOfTheRandomisationTestIsGivenOnlyWhereItIsCertain) {
  const auto verdict = [](double similarity, double error) {
    Randomization r;
    r.steps = {{1, "fc", 0.95, 0, 0.02}, {2, "conv1", similarity, 0, error}};
    return r.passed();
  };
  EXPECT_EQ(verdict(0.2, 0.1), true);
  EXPECT_EQ(verdict(0.8, 0.1), false);
  EXPECT_EQ(verdict(0.45, 0.1), std::nullopt);
  EXPECT_EQ(verdict(0.55, 0.1), std::nullopt);
}

TEST(Overlay, LiesOnThePartOfThePictureThatTheNetSees) {
  Preprocessing p{
      .height = 10, .width = 10, .channels = 3, .resize = 20, .mean = {0, 0, 0}, .std = {1, 1, 1}};
  const PictureArea crop = prepared_area(40, 80, p);  // scaled to 20x40, the middle 10x10 of that
  EXPECT_EQ(crop.top, 10);
  EXPECT_EQ(crop.left, 30);
  EXPECT_EQ(crop.height, 20);
  EXPECT_EQ(crop.width, 20);
  Image picture = Image::black(40, 80, 3);
  std::ranges::fill(picture.pixels, uint8_t{100});
  const Image image = overlay(picture, Array::zeros(DType::f32, {2, 2}), p);
  EXPECT_EQ(image.height, 40);
  EXPECT_EQ(image.width, 80);
  EXPECT_EQ(*image.at(0, 0), 177);   // pale outside
  EXPECT_LT(*image.at(20, 40), 60);  // dark under the coldest colour
  EXPECT_LT(*image.at(10, 30), 60);
  EXPECT_EQ(*image.at(9, 30), 177);
  p.resize.reset();
  EXPECT_LT(*overlay(picture, Array::zeros(DType::f32, {2, 2}), p).at(0, 0), 60);
  p.letterbox = 0;
  const PictureArea boxed = prepared_area(40, 80, p);
  EXPECT_EQ(boxed.top, -16);  // bars of 2 and 3 rows, each 8 of the picture's
  EXPECT_EQ(boxed.height, 80);
  EXPECT_LT(*overlay(picture, Array::zeros(DType::f32, {2, 2}), p).at(39, 79), 60);
}

TEST(Overlay, OfAConstantMapOrASinglePixelIsDrawn) {
  EXPECT_EQ(drawn_map(Array::full(DType::f32, {3, 3}, 7), Family::cam).at(4), 0);
  EXPECT_EQ(drawn_map(Array::full(DType::f32, {1, 1}, -7), Family::saliency).at(0), 0);
  const Array mixed = Array::of<float>({-4, 0, 1, 2}, {2, 2});
  EXPECT_EQ(drawn_map(mixed, Family::cam).at(0), 0);
  EXPECT_NEAR(drawn_map(mixed, Family::cam).at(1), 4 / 6.0, 1e-6);
  EXPECT_EQ(drawn_map(mixed, Family::saliency).at(1), 0);
  EXPECT_EQ(overlay(Image::black(1, 1, 1), Array::zeros(DType::f32, {1, 1})).channels, 3);
}

}  // namespace
}  // namespace fovea::explain
