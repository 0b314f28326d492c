#include "fovea/ops/detection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "fovea/core/text.h"
#include "fovea/ops/rules.h"
#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

constexpr std::string_view kind_names[] = {"retinanet", "fcos", "ssd"};
constexpr std::string_view closest_names[] = {"none", "all", "one"};

int64_t total(const std::vector<int64_t>& levels) {
  return std::accumulate(levels.begin(), levels.end(), int64_t{0});
}

/// A box of one image: an anchor, a target or a result.
struct Box {
  double x1, y1, x2, y2;

  /// Column `i` of [4, a].
  template <class T>
  static Box column(const T* boxes, int64_t a, int64_t i) {
    return {boxes[i], boxes[a + i], boxes[2 * a + i], boxes[3 * a + i]};
  }
  /// Row `i` of [m, 5].
  template <class T>
  static Box row(const T* boxes, int64_t i) {
    return {boxes[5 * i], boxes[5 * i + 1], boxes[5 * i + 2], boxes[5 * i + 3]};
  }
  double area() const { return (x2 - x1) * (y2 - y1); }
  double x() const { return (x1 + x2) / 2; }
  double y() const { return (y1 + y2) / 2; }
};

double intersection(const Box& a, const Box& b) {
  const double width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  const double height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  return width > 0 && height > 0 ? width * height : 0;
}

double overlap(const Box& a, const Box& b) {
  const double both = intersection(a, b);
  return both > 0 ? both / (a.area() + b.area() - both) : 0;
}

/// Writes column `i` of the result [5, a].
template <class T>
void write(T* out, int64_t a, int64_t i, const Box& box, double label) {
  const std::array<double, 5> values{box.x1, box.y1, box.x2, box.y2, label};
  for (int64_t row = 0; row < 5; ++row)
    out[row * a + i] = static_cast<T>(values[static_cast<size_t>(row)]);
}

/// Whether half or more of the anchor lies in a region that does not count.
template <class T>
bool in_ignored(const Box& anchor, const T* boxes, int64_t m) {
  for (int64_t j = 0; j < m; ++j) {
    if (boxes[5 * j + 4] < 0 && 2 * intersection(anchor, Box::row(boxes, j)) >= anchor.area())
      return true;
  }
  return false;
}

Types infer_match(std::string_view op, const Types& in) {
  require_inputs(op, in, 2);
  const Type &anchors = in[0], &boxes = in[1];
  require_float(op, "anchors", anchors);
  const bool fits = anchors.rank() == 2 && anchors.dim(0) == 4 && boxes.rank() == 3 &&
                    boxes.dim(2) == 5 && boxes.dtype == anchors.dtype;
  if (fits) return {{anchors.dtype, {boxes.dim(0), 5, anchors.dim(1)}}};
  throw Error(ErrorKind::usage,
              fmt::format("{}: anchors [4, A] and boxes [N, M, 5] of one type are expected", op))
      .with("anchors", to_string(anchors))
      .with("boxes", to_string(boxes));
}

/// Calls body(boxes, result) for each image.
template <class Body>
void for_each_image(const Views& v, const Body& body) {
  const int64_t row = v.in[1].shape.slice(1).numel(), out = v.out[0].shape.slice(1).numel();
  for (int64_t n = 0; n < v.out[0].dim(0); ++n)
    body(v.in[1].data + n * row, v.out[0].data + n * out);
}

void require_levels(std::string_view op, const std::vector<int64_t>& levels, int64_t anchors) {
  if (total(levels) == anchors && std::ranges::all_of(levels, [](int64_t n) { return n >= 0; }))
    return;
  throw Error(ErrorKind::usage,
              fmt::format("{}: the levels do not have as many anchors as there are", op))
      .with("levels", std::to_string(total(levels)))
      .with("anchors", std::to_string(anchors));
}

}  // namespace

std::span<const std::string_view> enum_names(DetectionKind) { return kind_names; }
std::span<const std::string_view> enum_names(MatchAnchors::Closest) { return closest_names; }

Types DetectionHead::infer(const Types& in) const {
  const size_t parts = kind == DetectionKind::fcos ? 3 : 2;
  require_inputs(name, in, parts + 1);
  const Type &logits = in[0], &anchors = in[parts];
  require_float(name, "logits", logits);
  const std::array<int64_t, 3> rows{logits.rank() == 3 ? logits.dim(1) : 0, 4, 1};
  bool fits = logits.rank() == 3;
  int64_t joined = 0;
  for (size_t i = 0; i < parts && fits; ++i) {
    fits =
        in[i].dtype == logits.dtype && in[i].shape == Shape{logits.dim(0), rows[i], logits.dim(2)};
    joined += rows[i];
  }
  fits = fits && anchors.dtype == logits.dtype && anchors.shape == Shape{4, logits.dim(2)};
  if (!fits) {
    Error error(
        ErrorKind::usage,
        fmt::format("{}: logits [N, K, A], boxes [N, 4, A]{} and anchors [4, A] are expected", name,
                    parts == 3 ? ", centerness [N, 1, A]" : ""));
    for (const Type& type : in) error.with("found", to_string(type));
    throw error;
  }
  require_levels(name, levels, logits.dim(2));
  return {{logits.dtype, {logits.dim(0), joined, logits.dim(2)}}};
}

Tensors DetectionHead::gradient(const Node& node, const Tensors& dy) const {
  Tensors result;
  int64_t begin = 0;
  for (int i = 0; i + 1 < node.arity(); ++i) {
    const int64_t end = begin + node.input(i).dim(1);
    result.push_back(slice(dy[0], 1, begin, end));
    begin = end;
  }
  result.emplace_back();
  return result;
}

void DetectionHead::reference(const Views& v) const {
  const View& y = v.out[0];
  double* out = y.data;
  for (int64_t n = 0; n < y.dim(0); ++n) {
    for (size_t i = 0; i + 1 < v.in.size(); ++i) {
      const int64_t count = v.in[i].shape.slice(1).numel();
      out = std::copy_n(v.in[i].data + n * count, count, out);
    }
  }
}

Types MatchAnchors::infer(const Types& in) const { return infer_match(name, in); }

void MatchAnchors::reference(const Views& v) const {
  const int64_t a = v.in[0].dim(1), m = v.in[1].dim(1);
  std::vector<double> work(static_cast<size_t>(2 * a + m));
  for_each_image(v, [&](const double* boxes, double* out) {
    match(v.in[0].data, a, boxes, m, out, work.data());
  });
}

template <class T>
void MatchAnchors::match(const T* anchors, int64_t a, const T* boxes, int64_t m, T* out,
                         double* work) const {
  double *best = work, *which = work + a, *highest = work + 2 * a;
  std::fill_n(highest, m, 0.0);
  for (int64_t i = 0; i < a; ++i) {
    const Box anchor = Box::column(anchors, a, i);
    best[i] = 0;
    which[i] = -1;
    for (int64_t j = 0; j < m; ++j) {
      if (!(boxes[5 * j + 4] > 0)) continue;
      const double iou = overlap(anchor, Box::row(boxes, j));
      highest[j] = std::max(highest[j], iou);
      if (which[i] >= 0 && iou <= best[i]) continue;
      best[i] = iou;
      which[i] = static_cast<double>(j);
    }
  }
  const auto find = [&](int64_t i, int64_t j) {
    write(out, a, i, Box::row(boxes, j), boxes[5 * j + 4]);
  };
  for (int64_t i = 0; i < a; ++i) {
    if (which[i] >= 0 && best[i] >= foreground) {
      find(i, static_cast<int64_t>(which[i]));
      continue;
    }
    const Box anchor = Box::column(anchors, a, i);
    const bool counts = best[i] < background && !in_ignored(anchor, boxes, m);
    write(out, a, i, anchor, counts ? 0 : -1);
  }
  if (closest == Closest::none) return;
  for (int64_t j = 0; j < m; ++j) {
    if (highest[j] == 0) continue;
    for (int64_t i = 0; i < a; ++i) {
      if (overlap(Box::column(anchors, a, i), Box::row(boxes, j)) != highest[j]) continue;
      find(i, closest == Closest::all ? static_cast<int64_t>(which[i]) : j);
      if (closest == Closest::one) break;
    }
  }
}

Types MatchPoints::infer(const Types& in) const {
  Types out = infer_match(name, in);
  require_levels(name, levels, in[0].dim(1));
  return out;
}

void MatchPoints::reference(const Views& v) const {
  for_each_image(v, [&](const double* boxes, double* out) {
    match(v.in[0].data, v.in[0].dim(1), boxes, v.in[1].dim(1), out);
  });
}

template <class T>
void MatchPoints::match(const T* anchors, int64_t a, const T* boxes, int64_t m, T* out) const {
  for (int64_t i = 0; i < a; ++i) {
    const Box anchor = Box::column(anchors, a, i);
    const double x = anchor.x(), y = anchor.y(), stride = anchor.x2 - anchor.x1;
    const double least = i < levels.front() ? 0 : 4 * stride;
    const double most =
        i >= a - levels.back() ? std::numeric_limits<double>::infinity() : 8 * stride;
    int64_t found = -1;
    double smallest = 0;
    bool counts = true;
    for (int64_t j = 0; j < m; ++j) {
      const double label = boxes[5 * j + 4];
      if (label == 0) continue;
      const Box box = Box::row(boxes, j);
      const std::array<double, 4> sides{x - box.x1, y - box.y1, box.x2 - x, box.y2 - y};
      const auto [nearest, farthest] = std::ranges::minmax(sides);
      if (!(nearest > 0)) continue;
      if (label < 0) {
        counts = false;
        continue;
      }
      const double off = std::max(std::abs(x - box.x()), std::abs(y - box.y()));
      const bool fits = off < radius * stride && farthest > least && farthest < most;
      if (!fits || (found >= 0 && box.area() >= smallest)) continue;
      found = j;
      smallest = box.area();
    }
    if (found >= 0)
      write(out, a, i, Box::row(boxes, found), boxes[5 * found + 4]);
    else
      write(out, a, i, anchor, counts ? 0 : -1);
  }
}

Types LargestMask::infer(const Types& in) const {
  require_inputs(name, in, 2);
  require_float(name, "input", in[0]);
  if (in[0].rank() == 2 && in[1].dtype == in[0].dtype && in[1].shape == Shape{in[0].dim(0)})
    return {{DType::i64, in[0].shape}};
  throw Error(ErrorKind::usage,
              fmt::format("{}: x [N, A] and counts [N] of its type are expected", name))
      .with("x", to_string(in[0]))
      .with("counts", to_string(in[1]));
}

void LargestMask::reference(const Views& v) const {
  const View& x = v.in[0];
  const int64_t columns = x.dim(1);
  std::vector<int64_t> order(static_cast<size_t>(columns));
  std::fill_n(v.out[0].data, x.numel(), 0.0);
  for (int64_t n = 0; n < x.dim(0); ++n) {
    const double* row = x.data + n * columns;
    std::iota(order.begin(), order.end(), int64_t{0});
    std::ranges::sort(order, [&](int64_t i, int64_t j) { return before(row[i], i, row[j], j); });
    const double count = std::clamp<double>(v.in[1][n], 0, static_cast<double>(columns));
    for (int64_t i = 0; i < static_cast<int64_t>(count); ++i)
      v.out[0][n * columns + order[static_cast<size_t>(i)]] = 1;
  }
}

Types KeepDetections::infer(const Types& in) const {
  require_inputs(name, in, 2);
  const Type &boxes = in[0], &scores = in[1];
  require_float(name, "boxes", boxes);
  const bool fits = boxes.rank() == 3 && boxes.dim(1) == 4 && scores.rank() == 3 &&
                    scores.dtype == boxes.dtype && scores.dim(0) == boxes.dim(0) &&
                    scores.dim(2) == boxes.dim(2);
  if (!fits) {
    throw Error(
        ErrorKind::usage,
        fmt::format("{}: boxes [N, 4, A] and scores [N, K, A] of one type are expected", name))
        .with("boxes", to_string(boxes))
        .with("scores", to_string(scores));
  }
  if (!levels.empty()) require_levels(name, levels, boxes.dim(2));
  if (max_boxes < 1 || candidates < 1 || first_class < 0 || !(score >= 0) || !(nms >= 0)) {
    throw Error(ErrorKind::usage, fmt::format("{}: an attribute is out of range", name))
        .with("score", format_number(score))
        .with("nms", format_number(nms))
        .with("candidates", std::to_string(candidates))
        .with("max_boxes", std::to_string(max_boxes));
  }
  return {{boxes.dtype, {boxes.dim(0), max_boxes, 6}}};
}

int64_t KeepDetections::most_candidates(int64_t anchors, int64_t classes) const {
  int64_t most = 0;
  for (const int64_t level : levels) most += std::min(candidates, level * classes);
  if (levels.empty())
    most = std::max<int64_t>(classes - first_class, 0) * std::min(candidates, anchors);
  return most;
}

void KeepDetections::reference(const Views& v) const {
  const View &boxes = v.in[0], &scores = v.in[1], &out = v.out[0];
  const int64_t a = boxes.dim(2), k = scores.dim(1);
  std::vector<Candidate> work(static_cast<size_t>(most_candidates(a, k)));
  for (int64_t n = 0; n < boxes.dim(0); ++n) {
    keep(boxes.data + n * 4 * a, scores.data + n * k * a, a, k, out.data + n * max_boxes * 6,
         work.data());
  }
}

template <class T>
void KeepDetections::keep(const T* boxes, const T* scores, int64_t a, int64_t k, T* out,
                          Candidate* work) const {
  // Whether `x` comes before `y`.
  const auto before = [](const Candidate& x, const Candidate& y) {
    return x.score != y.score     ? x.score > y.score
           : x.anchor != y.anchor ? x.anchor < y.anchor
                                  : x.label < y.label;
  };
  Candidate* end = work;
  // The best of a group, as a heap whose front is the last of them.
  const auto choose = [&](int64_t first_label, int64_t labels, int64_t first, int64_t count) {
    Candidate* const begin = end;
    for (int64_t label = first_label; label < first_label + labels; ++label) {
      for (int64_t i = first; i < first + count; ++i) {
        const double own = scores[label * a + i];
        if (!(own > score)) continue;
        const Candidate candidate{own, i, label};
        if (end - begin == candidates) {
          if (!before(candidate, *begin)) continue;
          std::pop_heap(begin, end--, before);
        }
        *end++ = candidate;
        std::push_heap(begin, end, before);
      }
    }
  };
  int64_t first = 0;
  for (const int64_t level : levels) {
    choose(0, k, first, level);
    first += level;
  }
  for (int64_t label = first_class; levels.empty() && label < k; ++label) choose(label, 1, 0, a);
  std::sort(work, end, before);

  int64_t kept = 0;
  for (const Candidate* c = work; c != end && kept < max_boxes; ++c) {
    const Box box = Box::column(boxes, a, c->anchor);
    bool dropped = false;
    for (const Candidate* other = work; other != work + kept && !dropped; ++other) {
      dropped =
          other->label == c->label && overlap(box, Box::column(boxes, a, other->anchor)) > nms;
    }
    if (dropped) continue;
    T* row = out + kept * 6;
    for (int64_t i = 0; i < 4; ++i) row[i] = boxes[i * a + c->anchor];
    row[4] = scores[c->label * a + c->anchor];
    row[5] = static_cast<T>(c->label);
    work[kept++] = *c;  // at or before c
  }
  for (T* row = out + kept * 6; row != out + max_boxes * 6; row += 6) {
    std::fill_n(row, 5, T(0));
    row[5] = T(-1);
  }
}

template void MatchAnchors::match(const float*, int64_t, const float*, int64_t, float*,
                                  double*) const;
template void MatchPoints::match(const float*, int64_t, const float*, int64_t, float*) const;
template void KeepDetections::keep(const float*, const float*, int64_t, int64_t, float*,
                                   Candidate*) const;

Tensor detection_head(const DetectionHead& head, const Tensor& logits, const Tensor& boxes,
                      const Tensor& centerness, const Tensor& anchors) {
  Tensors in{logits, boxes};
  if (centerness) in.push_back(centerness);
  in.push_back(anchors);
  return logits.graph().add_one(head, in);
}

Tensor match_boxes(const MatchAnchors& rule, const Tensor& anchors, const Tensor& boxes) {
  return anchors.graph().add_one(rule, {anchors, boxes});
}

Tensor match_boxes(const MatchPoints& rule, const Tensor& anchors, const Tensor& boxes) {
  return anchors.graph().add_one(rule, {anchors, boxes});
}

Tensor largest_mask(const Tensor& x, const Tensor& counts) {
  return x.graph().add_one(LargestMask{}, {x, counts});
}

Tensor keep_detections(const KeepDetections& rule, const Tensor& boxes, const Tensor& scores) {
  return boxes.graph().add_one(rule, {boxes, scores});
}

}  // namespace fovea
