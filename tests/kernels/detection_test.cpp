#include "fovea/ops/detection.h"

#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

/// Boxes in an image of 64x64: `set(i, row, value)` for each of `count`.
template <class Set>
void draw_boxes(Random& random, int64_t count, const Set& set) {
  for (int64_t i = 0; i < count; ++i) {
    const double x = 50 * random.uniform(), y = 50 * random.uniform();
    const double corners[] = {x, y, x + 2 + 20 * random.uniform(), y + 2 + 20 * random.uniform()};
    for (int64_t row = 0; row < 4; ++row) set(i, row, corners[row]);
  }
}

Array anchors_of(Random& random, int64_t count) {
  Array anchors(DType::f32, {4, count});
  draw_boxes(random, count,
             [&](int64_t i, int64_t row, double value) { anchors.set(row * count + i, value); });
  return anchors;
}

/// [n, m, 5], with absent ones and regions that do not count.
Array targets_of(Random& random, int64_t n, int64_t m) {
  Array targets(DType::f32, {n, m, 5});
  draw_boxes(random, n * m,
             [&](int64_t i, int64_t row, double value) { targets.set(5 * i + row, value); });
  for (int64_t i = 0; i < n * m; ++i)
    targets.set(5 * i + 4, static_cast<double>(pick(random, -1, 3)));
  return targets;
}

constexpr int trials = 60;

TEST(Detection, MatchingEqualsItsReference) {
  Random random(1, "matching");
  for (int trial = 0; trial < trials; ++trial) {
    const int64_t n = pick(random, 0, 3), m = pick(random, 1, 9), a = pick(random, 1, 60);
    const Types types{{DType::f32, {4, a}}, {DType::f32, {n, m, 5}}};
    const std::vector<Array> in{anchors_of(random, a), targets_of(random, n, m)};
    const MatchAnchors by_overlap{.foreground = 0.3 + 0.4 * random.uniform(),
                                  .background = 0.3,
                                  .closest = static_cast<MatchAnchors::Closest>(trial % 3)};
    ASSERT_TRUE(check("simd", make_problem(by_overlap, types), in, {}));
    const int64_t first = pick(random, 0, a);
    ASSERT_TRUE(
        check("simd", make_problem(MatchPoints{.levels = {first, a - first}}, types), in, {}));
  }
}

TEST(Detection, KeepingBoxesEqualsItsReference) {
  Random random(2, "keeping");
  for (int trial = 0; trial < trials; ++trial) {
    const int64_t n = pick(random, 0, 3), k = pick(random, 1, 4), a = pick(random, 1, 60);
    Array boxes(DType::f32, {n, 4, a}), scores(DType::f32, {n, k, a});
    draw_boxes(random, n * a, [&](int64_t i, int64_t row, double value) {
      boxes.set((i / a * 4 + row) * a + i % a, value);
    });
    for (float& score : scores.data<float>()) score = static_cast<float>(random.below(50)) / 50;
    const int64_t first = pick(random, 0, a);
    KeepDetections op{.levels = {first, a - first},
                      .score = 0.2,
                      .nms = random.uniform(),
                      .candidates = pick(random, 1, 40),
                      .max_boxes = pick(random, 1, 50)};
    if (trial % 2 == 0) op.levels = {};
    const Problem problem = make_problem(op, {{DType::f32, {n, 4, a}}, {DType::f32, {n, k, a}}});
    ASSERT_TRUE(check("simd", problem, {boxes, scores}, {}));
  }
}

TEST(Detection, TheLargestAreThoseOfTheReference) {
  Random random(3, "largest");
  for (int trial = 0; trial < trials; ++trial) {
    const int64_t n = pick(random, 0, 4), a = pick(random, 1, 90);
    Array x(DType::f32, {n, a}), counts(DType::f32, {n});
    for (float& value : x.data<float>()) value = static_cast<float>(random.below(30));
    for (float& count : counts.data<float>()) count = static_cast<float>(pick(random, 0, a + 3));
    const Problem problem = make_problem(LargestMask{}, {{DType::f32, {n, a}}, {DType::f32, {n}}});
    ASSERT_TRUE(check("simd", problem, {x, counts}, {}));
  }
}

TEST(Detection, TheHeadIsAllItsPartsJoined) {
  Random random(4, "head");
  for (int trial = 0; trial < trials; ++trial) {
    const int64_t n = pick(random, 0, 3), a = pick(random, 1, 30);
    const bool fcos = trial % 2 == 0;
    const DetectionHead op{.kind = fcos ? DetectionKind::fcos : DetectionKind::ssd, .levels = {a}};
    Types types{{DType::f32, {n, pick(random, 1, 5), a}}, {DType::f32, {n, 4, a}}};
    if (fcos) types.push_back({DType::f32, {n, 1, a}});
    types.push_back({DType::f32, {4, a}});
    const Problem problem = make_problem(op, types);
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {}));
  }
}

}  // namespace
}  // namespace fovea::kernel_test
