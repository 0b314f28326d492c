// What detection nets need beside the usual ops, in f32: the work of the references, one image per
// thread and without conversions. Equal to them.
#include "fovea/kernels/simd/detection.h"

#include <algorithm>
#include <numeric>

#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/detection.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::simd {
namespace {

/// Calls body(boxes, result, scratch memory) for each image of a problem that matches boxes.
template <class Body>
Offer for_each_image(const Problem& problem, size_t scratch, const Body& body) {
  if (const auto refused = unless_f32(problem)) return *refused;
  const int64_t images = problem.out[0].dim(0), row = problem.in[1].shape.slice(1).numel(),
                out = problem.out[0].shape.slice(1).numel();
  const Slots slots(images, 1, scratch, problem);
  return offer(
      [=](const Args& args) {
        slots.for_each(args.scratch, [&](int64_t n, std::byte* own) {
          body(args, args.input<float>(1) + n * row, args.output<float>(0) + n * out, own);
        });
      },
      slots.scratch_bytes());
}

}  // namespace

Offer make_detection_head(const Problem& problem) {
  Problem joined = problem;
  joined.op = Concat{1};
  joined.in.pop_back();  // the anchors
  return make_concat(joined);
}

Offer make_match_anchors(const Problem& problem) {
  const auto& rule = problem.op.get<MatchAnchors>();
  const int64_t a = problem.in[0].dim(1), m = problem.in[1].dim(1);
  return for_each_image(problem, static_cast<size_t>(2 * a + m) * sizeof(double),
                        [=](const Args& args, const float* boxes, float* out, std::byte* own) {
                          rule.match(args.input<float>(0), a, boxes, m, out,
                                     reinterpret_cast<double*>(own));
                        });
}

Offer make_match_points(const Problem& problem) {
  const auto& rule = problem.op.get<MatchPoints>();
  const int64_t a = problem.in[0].dim(1), m = problem.in[1].dim(1);
  return for_each_image(problem, 0,
                        [=](const Args& args, const float* boxes, float* out, std::byte*) {
                          rule.match(args.input<float>(0), a, boxes, m, out);
                        });
}

Offer make_keep_detections(const Problem& problem) {
  using Candidate = KeepDetections::Candidate;
  const auto& rule = problem.op.get<KeepDetections>();
  const int64_t a = problem.in[0].dim(2), k = problem.in[1].dim(1);
  if (const auto refused = unless_f32(problem)) return *refused;
  const auto most = static_cast<size_t>(rule.most_candidates(a, k));
  const Slots slots(problem.in[0].dim(0), 1, most * sizeof(Candidate), problem);
  return offer(
      [=](const Args& args) {
        slots.for_each(args.scratch, [&](int64_t n, std::byte* own) {
          rule.keep(args.input<float>(0) + n * 4 * a, args.input<float>(1) + n * k * a, a, k,
                    args.output<float>(0) + n * rule.max_boxes * 6,
                    reinterpret_cast<Candidate*>(own));
        });
      },
      slots.scratch_bytes());
}

Offer make_largest_mask(const Problem& problem) {
  if (problem.in[0].dtype != DType::f32) return Refusal{"only f32"};
  const int64_t rows = problem.in[0].dim(0), columns = problem.in[0].dim(1);
  const Slots slots(rows, 1, static_cast<size_t>(columns) * sizeof(int64_t), problem);
  return offer(
      [=](const Args& args) {
        slots.for_each(args.scratch, [&](int64_t n, std::byte* own) {
          const float* x = args.input<float>(0) + n * columns;
          int64_t* out = args.output<int64_t>(0) + n * columns;
          auto* order = reinterpret_cast<int64_t*>(own);
          std::iota(order, order + columns, int64_t{0});
          const auto count = static_cast<int64_t>(
              std::clamp<float>(args.input<float>(1)[n], 0, static_cast<float>(columns)));
          std::nth_element(order, order + count, order + columns, [&](int64_t i, int64_t j) {
            return LargestMask::before(x[i], i, x[j], j);
          });
          std::fill_n(out, columns, 0);
          for (int64_t i = 0; i < count; ++i) out[order[i]] = 1;
        });
      },
      slots.scratch_bytes());
}

}  // namespace fovea::simd
