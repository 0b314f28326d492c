#include "fovea/ops/detection.h"

#include <algorithm>
#include <cmath>

#include "error_text.h"
#include "fovea/core/random.h"
#include "fovea/ops.h"
#include "ops/worked.h"

namespace fovea {
namespace {

using V = std::vector<double>;

/// Boxes given one by one, as [1, 4, A] or [4, A].
Data boxes(const std::vector<V>& all, bool batch = true) {
  const auto count = std::ssize(all);
  Data data{batch ? Shape{1, 4, count} : Shape{4, count}, {}};
  for (size_t row = 0; row < 4; ++row) {
    for (const V& box : all) data.values.push_back(box[row]);
  }
  return data;
}
/// Targets [1, M, 5].
Data targets(const std::vector<V>& all) {
  Data data{{1, std::ssize(all), 5}, {}};
  for (const V& row : all) data.values.insert(data.values.end(), row.begin(), row.end());
  return data;
}

std::vector<V> random_boxes(Random& random, int count, double side) {
  std::vector<V> all;
  for (int i = 0; i < count; ++i) {
    const double x = side * random.uniform(), y = side * random.uniform();
    all.push_back({x, y, x + 1 + side * random.uniform(), y + 1 + side * random.uniform()});
  }
  return all;
}

double iou(const V& a, const V& b) {
  const double w = std::min(a[2], b[2]) - std::max(a[0], b[0]);
  const double h = std::min(a[3], b[3]) - std::max(a[1], b[1]);
  const double both = std::max(w, 0.0) * std::max(h, 0.0);
  return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both);
}

TEST(BoxCoding, CodesReadBackAsTheBoxes) {
  Random random(1, "boxes");
  const Data anchors = boxes(random_boxes(random, 50, 40), false);
  const Data all = boxes(random_boxes(random, 50, 40));
  for (const DeltaWeights& weights : {DeltaWeights{1, 1, 1, 1}, DeltaWeights{10, 10, 5, 5}}) {
    const auto there_and_back = [&](const Tensors& in) {
      return Tensors{decode_deltas(encode_deltas(in[0], in[1], weights), in[1], weights)};
    };
    expect_near(one(there_and_back, {all, anchors}), all.values, 1e-9);
  }
  const auto there_and_back = [](const Tensors& in) {
    return Tensors{decode_distances(encode_distances(in[0], in[1]), in[1])};
  };
  expect_near(one(there_and_back, {all, anchors}), all.values, 1e-9);
}

TEST(BoxCoding, DeltasAreThoseOfThePaper) {
  const Data anchor = boxes({{10, 20, 30, 60}}, false), box = boxes({{15, 20, 55, 40}});
  const auto encode = [](const Tensors& in) {
    return Tensors{encode_deltas(in[0], in[1], {1, 1, 1, 1})};
  };
  expect_near(one(encode, {box, anchor}), {15. / 20, -10. / 40, std::log(2), std::log(0.5)}, 1e-12);
  // Nothing grows without bound.
  const auto decode = [](const Tensors& in) {
    return Tensors{decode_deltas(in[0], in[1], {1, 1, 1, 1})};
  };
  const V large = one(decode, {Data{{1, 4, 1}, {0, 0, 100, 100}}, anchor});
  EXPECT_NEAR(large[2] - large[0], 20 * 1000. / 16, 1e-9);
}

TEST(BoxCoding, CenternessIsOneInTheMiddleAndZeroAtASide) {
  const auto central = [](const V& sides) {
    return one([](const Tensors& in) { return Tensors{centerness(in[0])}; },
               {Data{{1, 4, 1}, sides}})[0];
  };
  EXPECT_EQ(central({3, 5, 3, 5}), 1);
  EXPECT_EQ(central({0, 5, 6, 5}), 0);
  EXPECT_NEAR(central({1, 2, 4, 2}), 0.5, 1e-12);
}

TEST(BoxCoding, GeneralisedOverlapTellsBoxesApartThatDoNotMeet) {
  const auto loss = [](const V& a, const V& b) {
    return one([](const Tensors& in) { return Tensors{giou_loss(in[0], in[1])}; },
               {boxes({a}), boxes({b})})[0];
  };
  EXPECT_NEAR(loss({0, 0, 4, 4}, {0, 0, 4, 4}), 0, 1e-6);
  EXPECT_NEAR(loss({0, 0, 4, 4}, {2, 0, 6, 4}), 1 - 8. / 24, 1e-6);
  EXPECT_NEAR(loss({0, 0, 1, 1}, {3, 0, 4, 1}), 1 + 2. / 4, 1e-6);
  EXPECT_NEAR(loss({0, 0, 1, 1}, {7, 0, 8, 1}), 1 + 6. / 8, 1e-6);
}

TEST(MatchAnchors, TakesTheBestBoxAboveTheThreshold) {
  const Data anchors =
      boxes({{0, 0, 10, 10}, {0, 0, 10, 5}, {0, 0, 10, 4.5}, {50, 50, 60, 60}}, false);
  const Data boxes_there = targets({{0, 0, 10, 10, 3}, {0, 0, 0, 0, 0}});
  const auto match = [](MatchAnchors::Closest closest) {
    return [=](const Tensors& in) {
      return Tensors{match_boxes(
          MatchAnchors{.foreground = 0.5, .background = 0.46, .closest = closest}, in[0], in[1])};
    };
  };
  const V all = one(match(MatchAnchors::Closest::none), {anchors, boxes_there});
  EXPECT_EQ(V(all.begin() + 16, all.end()), (V{3, 3, 0, 0}));              // 1, 0.5, 0.45, 0
  EXPECT_EQ(V(all.begin() + 12, all.begin() + 16), (V{10, 10, 4.5, 60}));  // y2; of none its own
}

TEST(MatchAnchors, BetweenTheThresholdsNothingCounts) {
  const Data anchors = boxes({{0, 0, 10, 4.5}, {0, 0, 10, 3}}, false);
  const auto match = [](const Tensors& in) {
    return Tensors{match_boxes(MatchAnchors{.foreground = 0.5, .background = 0.4}, in[0], in[1])};
  };
  const V all = one(match, {anchors, targets({{0, 0, 10, 10, 1}})});
  EXPECT_EQ(V(all.begin() + 8, all.end()), (V{-1, 0}));
}

TEST(MatchAnchors, ABoxThatNoAnchorFitsIsGivenToTheClosest) {
  // Of the second box the best are two equal anchors, of which one is better for the first box.
  const Data anchors = boxes({{0, 0, 4, 4}, {6, 0, 10, 4}, {30, 0, 34, 4}}, false);
  const Data there = targets({{0, 0, 4, 4, 1}, {0, 0, 10, 4, 2}});
  const auto classes = [&](MatchAnchors::Closest closest) {
    const V all = one(
        [=](const Tensors& in) {
          return Tensors{
              match_boxes(MatchAnchors{.foreground = 0.5, .background = 0.4, .closest = closest},
                          in[0], in[1])};
        },
        {anchors, there});
    return V(all.begin() + 12, all.end());
  };
  EXPECT_EQ(classes(MatchAnchors::Closest::none), (V{1, -1, 0}));
  EXPECT_EQ(classes(MatchAnchors::Closest::all), (V{1, 2, 0}));
  EXPECT_EQ(classes(MatchAnchors::Closest::one), (V{2, -1, 0}));
}

TEST(MatchAnchors, InARegionThatDoesNotCountNothingIsWrong) {
  const Data anchors = boxes({{0, 0, 10, 10}, {4, 0, 14, 10}, {6, 0, 16, 10}}, false);
  const auto match = [](const Tensors& in) {
    return Tensors{match_boxes(MatchAnchors{}, in[0], in[1])};
  };
  const V all = one(match, {anchors, targets({{0, 0, 9, 30, -2}})});
  EXPECT_EQ(V(all.begin() + 12, all.end()), (V{-1, -1, 0}));  // 0.9, 0.5 and 0.3 of them
}

TEST(MatchPoints, FindsBoxesOfTheirSizeNearTheirCentre) {
  // Two levels with strides of 4 and 8.
  const Data anchors = boxes({{8, 8, 12, 12}, {16, 8, 20, 12}, {6, 6, 14, 14}}, false);
  const auto match = [](const Tensors& in) {
    return Tensors{match_boxes(MatchPoints{.levels = {2, 1}}, in[0], in[1])};
  };
  const auto classes = [&](const std::vector<V>& there) {
    const V all = one(match, {anchors, targets(there)});
    return V(all.begin() + 12, all.end());
  };
  EXPECT_EQ(classes({{5, 5, 15, 15, 1}}), (V{1, 0, 0}));      // the next centre is 8 away, not < 6
  EXPECT_EQ(classes({{-30, -30, 50, 50, 2}}), (V{0, 0, 2}));  // too large for the first level
  EXPECT_EQ(classes({{5, 5, 15, 15, 1}, {7, 7, 13, 13, 2}}), (V{2, 0, 0}));  // the smaller one
  EXPECT_EQ(classes({{0, 0, 12, 30, -1}}), (V{-1, 0, -1}));
  EXPECT_EQ(classes({{0, 0, 0, 0, 0}}), (V{0, 0, 0}));
}

TEST(LargestMask, MarksTheLargestOfEachRow) {
  const auto mask = [](const Tensors& in) { return Tensors{largest_mask(in[0], in[1])}; };
  EXPECT_EQ(one(mask, {Data{{2, 4}, {3, 5, 5, 1, 0, 0, 0, 0}}, Data{{2}, {2, 1}}}),
            (V{0, 1, 1, 0, 1, 0, 0, 0}));
  EXPECT_EQ(one(mask, {Data{{2, 2}, {3, 5, 0, 1}}, Data{{2}, {9, 0}}}), (V{1, 1, 0, 0}));
}

/// Non-maximum suppression by its definition, without limits: the indices of what stays.
std::vector<size_t> brute_force(const std::vector<V>& all, const V& scores, double threshold) {
  std::vector<size_t> left(all.size()), kept;
  for (size_t i = 0; i < left.size(); ++i) left[i] = i;
  while (!left.empty()) {
    const size_t best = *std::ranges::max_element(left, {}, [&](size_t i) { return scores[i]; });
    kept.push_back(best);
    std::erase_if(left, [&](size_t i) { return i == best || iou(all[i], all[best]) > threshold; });
  }
  return kept;
}

TEST(KeepDetections, IsNonMaximumSuppressionOfEachClass) {
  Random random(2, "nms");
  for (int trial = 0; trial < 50; ++trial) {
    const int count = 1 + static_cast<int>(random.below(40));
    const std::vector<V> all = random_boxes(random, count, 30);
    V scores(static_cast<size_t>(2 * count));  // of two classes
    for (double& score : scores) score = random.uniform();
    const double threshold = random.uniform();
    const KeepDetections rule{
        .levels = {count}, .score = 0.3, .nms = threshold, .candidates = 1000, .max_boxes = 90};
    const V found =
        one([&](const Tensors& in) { return Tensors{keep_detections(rule, in[0], in[1])}; },
            {boxes(all), Data{{1, 2, count}, scores}});
    std::vector<V> expected;  // score, class, corners
    for (size_t c = 0; c < 2; ++c) {
      std::vector<V> own;
      V own_scores;
      for (size_t i = 0; i < all.size(); ++i) {
        if (scores[c * all.size() + i] <= 0.3) continue;
        own.push_back(all[i]);
        own_scores.push_back(scores[c * all.size() + i]);
      }
      for (const size_t i : brute_force(own, own_scores, threshold)) {
        V row = own[i];
        row.push_back(own_scores[i]);
        row.push_back(static_cast<double>(c));
        expected.push_back(row);
      }
    }
    std::ranges::sort(expected, std::greater(), [](const V& row) { return row[4]; });
    ASSERT_EQ(found.size(), 90u * 6);
    for (size_t row = 0; row < 90; ++row) {
      const V got(found.begin() + static_cast<std::ptrdiff_t>(6 * row),
                  found.begin() + static_cast<std::ptrdiff_t>(6 * row + 6));
      ASSERT_EQ(got, row < expected.size() ? expected[row] : (V{0, 0, 0, 0, 0, -1}))
          << trial << " " << row;
    }
  }
}

TEST(KeepDetections, LimitsCandidatesByLevelOrClassAndBoxesByImage) {
  // Boxes apart: nothing is suppressed.
  const std::vector<V> apart{{0, 0, 1, 1}, {2, 0, 3, 1}, {4, 0, 5, 1}, {6, 0, 7, 1}};
  const V scores{0.9, 0.1, 0.3, 0.2, 0.8, 0.7, 0.6, 0.05};  // of two classes
  const auto found = [&](const KeepDetections& rule) {
    const V all =
        one([&](const Tensors& in) { return Tensors{keep_detections(rule, in[0], in[1])}; },
            {boxes(apart), Data{{1, 2, 4}, scores}});
    V kept;
    for (size_t row = 0; row < all.size() / 6; ++row) {
      if (all[6 * row + 5] >= 0) kept.push_back(all[6 * row + 4]);
    }
    return kept;
  };
  const KeepDetections levels{.levels = {2, 2}, .score = 0.05, .candidates = 2, .max_boxes = 9};
  EXPECT_EQ(found(levels), (V{0.9, 0.8, 0.6, 0.3}));
  KeepDetections classes = levels;
  classes.levels = {};
  EXPECT_EQ(found(classes), (V{0.9, 0.8, 0.7, 0.3}));
  classes.first_class = 1;
  EXPECT_EQ(found(classes), (V{0.8, 0.7}));
  classes.max_boxes = 1;
  EXPECT_EQ(found(classes), (V{0.8}));
}

TEST(Detection, MistakesAreNamed) {
  const auto graph = Graph::make(Mode::eval);
  const Tensor anchors = graph->input("anchors", {DType::f32, {4, 6}});
  const Tensor wrong = graph->input("boxes", {DType::f32, {2, 3, 4}});
  EXPECT_EQ(
      error_text(ErrorKind::usage, [&] { (void)match_boxes(MatchAnchors{}, anchors, wrong); }),
      "match_anchors: anchors [4, A] and boxes [N, M, 5] of one type are expected\n"
      "  anchors f32[4, 6]\n"
      "  boxes   f32[2, 3, 4]");
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)largest_mask(anchors, wrong); }),
            "largest_mask: x [N, A] and counts [N] of its type are expected\n"
            "  x       f32[4, 6]\n"
            "  counts  f32[2, 3, 4]");
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)keep_detections({}, anchors, wrong); }),
            "keep_detections: boxes [N, 4, A] and scores [N, K, A] of one type are expected\n"
            "  boxes   f32[4, 6]\n"
            "  scores  f32[2, 3, 4]");
}

}  // namespace
}  // namespace fovea
