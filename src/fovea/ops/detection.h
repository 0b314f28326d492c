#pragma once

#include <vector>

#include "fovea/graph/graph.h"

// What detection nets say, what they should say, and what remains of it. A box is four numbers x1,
// y1, x2, y2 in pixels of the image, x to the right and y down; boxes of A places are [4, A] or [N,
// 4, A].
namespace fovea {

/// How a detection net codes boxes and classes, and with that its losses: as in the net that
/// introduced it.
enum class DetectionKind : uint8_t {
  retinanet,  ///< deltas to anchors, a sigmoid per class (Lin et al. 2017)
  fcos,       ///< distances from points, a sigmoid per class and a centerness (Tian et al. 2019)
  ssd,        ///< deltas to anchors, a softmax over classes and background (Liu et al. 2016)
};
std::span<const std::string_view> enum_names(DetectionKind);

/// What a detection net says of N images at the A anchors of each: the class logits [N, K, A],
/// where class 0 is the background, the coded boxes [N, 4, A] and, of fcos, the centerness [N, 1,
/// A], joined along axis 1; the last input are the anchors [4, A] themselves, for fcos squares
/// around its points whose sides are the strides. The op also says how to read them and which boxes
/// are kept.
struct DetectionHead {
  DetectionKind kind = DetectionKind::retinanet;
  std::vector<int64_t> levels = {};  ///< how many anchors each level of the pyramid has, in order
  double height = 0, width = 0;      ///< of the image, in pixels: boxes end there
  double score = 0.05, nms = 0.5;    ///< see KeepDetections: the default of these four
  int64_t candidates = 1000, max_boxes = 300;

  static void fields(auto& op, auto&& visit) {
    visit("kind", op.kind);
    visit("levels", op.levels);
    visit("height", op.height);
    visit("width", op.width);
    visit("score", op.score);
    visit("nms", op.nms);
    visit("candidates", op.candidates);
    visit("max_boxes", op.max_boxes);
  }

  static constexpr std::string_view name = "detection_head";

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// See DetectionHead; `centerness` has no value but for fcos. Errors: usage when shapes do not fit.
Tensor detection_head(const DetectionHead& head, const Tensor& logits, const Tensor& boxes,
                      const Tensor& centerness, const Tensor& anchors);

/// Which box each anchor should find. Inputs: anchors [4, A] and the boxes of N images [N, M, 5]
/// (see data::is_boxes), both of one float type. Output [N, 5, A]: the box's corners and its class
/// c, 1 or more. For an anchor that should find none they are the anchor's own corners, so that
/// codes of them are finite, and 0; for one that is neither right nor wrong -1: between the
/// thresholds, or with half of its area or more in a region that does not count.
///
/// An anchor finds the box with the largest intersection over union, if that is at least
/// `foreground`; below `background` it finds none.
struct MatchAnchors {
  /// Boxes below `foreground` may still be found by the anchors that are closest to them.
  enum class Closest : uint8_t {
    none,
    all,  ///< by all anchors of the largest intersection, each of which takes its own best box
    one,  ///< by the first of them, which takes no other
  };
  double foreground = 0.5, background = 0.4;
  Closest closest = Closest::none;

  static void fields(auto& op, auto&& visit) {
    visit("foreground", op.foreground);
    visit("background", op.background);
    visit("closest", op.closest);
  }

  static constexpr std::string_view name = "match_anchors";
  static constexpr Traits traits{.differentiable = false};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;

  /// Of one image: anchors [4, a], boxes [m, 5] and the result [5, a]; `work` holds 2 * a + m
  /// doubles.
  template <class T>
  void match(const T* anchors, int64_t a, const T* boxes, int64_t m, T* out, double* work) const;
};
std::span<const std::string_view> enum_names(MatchAnchors::Closest);

/// The same for fcos: an anchor finds a box if its centre is in it, less than `radius` strides from
/// the box's centre in x and y, and the largest of its distances from the box's sides is between 4
/// and 8 strides, on the first level between 0 and 8, on the last above 4; of several the smallest.
struct MatchPoints {
  std::vector<int64_t> levels = {};  ///< how many anchors each has
  double radius = 1.5;

  static void fields(auto& op, auto&& visit) {
    visit("levels", op.levels);
    visit("radius", op.radius);
  }

  static constexpr std::string_view name = "match_points";
  static constexpr Traits traits{.differentiable = false};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;

  /// As that of MatchAnchors, without further memory.
  template <class T>
  void match(const T* anchors, int64_t a, const T* boxes, int64_t m, T* out) const;
};

/// i64 1 where an element of x [N, A] is among the counts[n] largest of its row, of equal ones the
/// first, else 0. Inputs: x and counts [N], of one float type; counts are rounded down. NaN is
/// larger than any number.
struct LargestMask {
  static constexpr std::string_view name = "largest_mask";
  static constexpr Traits traits{.differentiable = false};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;

  /// Whether x at place i comes before y at place j.
  static bool before(double x, int64_t i, double y, int64_t j) {
    const bool x_is_nan = x != x, y_is_nan = y != y;
    if (x_is_nan != y_is_nan) return x_is_nan;
    return x_is_nan || x == y ? i < j : x > y;
  }
};

/// The boxes that are worth showing. Inputs: boxes [N, 4, A] and scores [N, K, A] of the same float
/// type. Of the pairs of a box and a class whose score is above `score`, in each level (or, without
/// levels, of each class from `first_class` on) the `candidates` with the largest scores go on;
/// then, by descending score, a box is dropped if its intersection over union with one that was
/// kept of the same class is above `nms`; the first `max_boxes` remain. Output [N, max_boxes, 6]:
/// rows x1, y1, x2, y2, score, class; those after the last box are 0, with the class -1. Of equal
/// scores the first anchor, then the first class comes first.
struct KeepDetections {
  /// How many anchors each has; empty: candidates are chosen by class.
  std::vector<int64_t> levels = {};
  int64_t first_class = 0;
  double score = 0.05, nms = 0.5;
  int64_t candidates = 1000, max_boxes = 300;

  static void fields(auto& op, auto&& visit) {
    visit("levels", op.levels);
    visit("first_class", op.first_class);
    visit("score", op.score);
    visit("nms", op.nms);
    visit("candidates", op.candidates);
    visit("max_boxes", op.max_boxes);
  }

  static constexpr std::string_view name = "keep_detections";
  static constexpr Traits traits{.differentiable = false};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;

  /// One box of an image and one class.
  struct Candidate {
    double score;
    int64_t anchor, label;
  };
  /// The largest number of candidates for A anchors and K classes.
  int64_t most_candidates(int64_t anchors, int64_t classes) const;
  /// Of one image: boxes [4, a], scores [k, a] and the result [max_boxes, 6]; `work` holds
  /// most_candidates.
  template <class T>
  void keep(const T* boxes, const T* scores, int64_t a, int64_t k, T* out, Candidate* work) const;
};

/// See MatchAnchors, MatchPoints, LargestMask and KeepDetections. Errors: usage when types do not
/// fit or an attribute is out of range.
Tensor match_boxes(const MatchAnchors& rule, const Tensor& anchors, const Tensor& boxes);
Tensor match_boxes(const MatchPoints& rule, const Tensor& anchors, const Tensor& boxes);
Tensor largest_mask(const Tensor& x, const Tensor& counts);
Tensor keep_detections(const KeepDetections& rule, const Tensor& boxes, const Tensor& scores);

}  // namespace fovea
