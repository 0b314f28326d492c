#include "fovea/tasks/detection_coding.h"

#include "fovea/core/error.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/box_coding.h"
#include "fovea/ops/distance.h"
#include "fovea/ops/loss.h"
#include "fovea/ops/metrics.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::tasks {
namespace {

constexpr DeltaWeights plain_deltas{1, 1, 1, 1}, ssd_deltas{10, 10, 5, 5};

/// What the anchors should find.
struct Matched {
  Tensor boxes;    ///< [N, 4, A]: of anchors that find none their own
  Tensor labels;   ///< i64[N, A], 0 for none
  Tensor finds;    ///< [N, 1, A]: 1 for an anchor that finds a box, else 0
  Tensor counted;  ///< [N, 1, A]: 0 for one that is neither right nor wrong, else 1

  explicit Matched(const Tensor& matched) : boxes(slice(matched, 1, 0, 4)) {
    const Tensor c = slice(matched, 1, 4, 5), known = maximum(c, 0);
    labels = cast(reshape(known, {c.dim(0), c.dim(2)}), DType::i64);
    finds = minimum(known, 1);
    counted = 1 + minimum(c, 0);
  }
};

/// A sum over anchors and rows of each image [N], or of all.
Tensor of_each_image(const Tensor& x) { return sum(x, {1, 2}); }
Tensor at_least_one(const Tensor& count) { return maximum(count, 1); }

/// The focal loss [N, K, A] of a sigmoid per class; the background is the absence of all.
Tensor class_losses(const SaidBoxes& said, const Matched& matched) {
  const Tensor targets =
      one_hot(matched.labels, said.logits.dim(1), said.logits.dtype()) * matched.finds;
  return focal_loss(said.logits, targets, {.reduction = Reduction::none}) * matched.counted;
}

Tensor retinanet_loss(const SaidBoxes& said, const Tensor& targets) {
  const Matched matched(match_boxes(
      MatchAnchors{.foreground = 0.5, .background = 0.4, .closest = MatchAnchors::Closest::all},
      said.anchors, targets));
  const Tensor wanted = encode_deltas(matched.boxes, said.anchors, plain_deltas);
  const Tensor box_losses = smooth_l1_loss(said.codes, wanted, 0, Reduction::none) * matched.finds;
  const Tensor count = at_least_one(of_each_image(matched.finds));
  return mean((of_each_image(class_losses(said, matched)) + of_each_image(box_losses)) / count);
}

Tensor fcos_loss(const SaidBoxes& said, const Tensor& targets) {
  const Matched matched(
      match_boxes(MatchPoints{.levels = said.head.levels}, said.anchors, targets));
  const Tensor boxes = decode_distances(said.codes, said.anchors);
  const Tensor central = centerness(encode_distances(matched.boxes, said.anchors));
  const Tensor box_losses = giou_loss(boxes, matched.boxes) * matched.finds;
  const Tensor central_losses =
      binary_cross_entropy_with_logits(said.centerness, central, Reduction::none) * matched.finds;
  return (sum(class_losses(said, matched)) + sum(box_losses) + sum(central_losses)) /
         at_least_one(sum(matched.finds));
}

Tensor ssd_loss(const SaidBoxes& said, const Tensor& targets) {
  constexpr double negatives_per_match = 3;
  const Matched matched(match_boxes(
      MatchAnchors{.foreground = 0.5, .background = 0.5, .closest = MatchAnchors::Closest::one},
      said.anchors, targets));
  const Tensor wanted = encode_deltas(matched.boxes, said.anchors, ssd_deltas);
  const Tensor box_losses = smooth_l1_loss(said.codes, wanted, 1, Reduction::none) * matched.finds;
  const Tensor classes = one_hot(matched.labels, said.logits.dim(1), said.logits.dtype());
  const Tensor losses = -sum(classes * log_softmax(said.logits), {1});  // [N, A]
  const Shape flat = losses.shape();
  const Tensor finds = reshape(matched.finds, flat);
  // Losses are at least 0: what finds a box, or does not count, comes after all others.
  const Tensor other = reshape(matched.counted, flat) - finds;
  const Tensor largest = largest_mask((losses + 1) * other, negatives_per_match * sum(finds, {1}));
  const Tensor hardest = cast(largest, losses.dtype()) * other;
  return (sum(losses * (finds + hardest)) + sum(box_losses)) / at_least_one(sum(finds));
}

/// The scores [N, K, A] and the boxes [N, 4, A].
struct Decoded {
  Tensor scores, boxes;
};

Decoded decode_retinanet(const SaidBoxes& said) {
  return {sigmoid(said.logits), decode_deltas(said.codes, said.anchors, plain_deltas)};
}
Decoded decode_fcos(const SaidBoxes& said) {
  return {sqrt(sigmoid(said.logits) * sigmoid(said.centerness)),
          decode_distances(said.codes, said.anchors)};
}
Decoded decode_ssd(const SaidBoxes& said) {
  return {softmax(said.logits), decode_deltas(said.codes, said.anchors, ssd_deltas)};
}

/// One kind of net.
struct Rules {
  Tensor (*loss)(const SaidBoxes& said, const Tensor& targets);
  Decoded (*decode)(const SaidBoxes& said);
  /// Candidates are chosen by class, without the background, instead of by level.
  bool by_class;
};

const Rules& rules(DetectionKind kind) {
  static const Rules all[] = {{retinanet_loss, decode_retinanet, false},
                              {fcos_loss, decode_fcos, false},
                              {ssd_loss, decode_ssd, true}};
  return all[static_cast<size_t>(kind)];
}

}  // namespace

SaidBoxes said_boxes(const Tensor& output) {
  const Graph& graph = output.graph();
  const int producer = graph.value(output.id()).node;
  const DetectionHead* head = producer < 0 ? nullptr : graph.node(producer).op.as<DetectionHead>();
  if (head == nullptr) {
    throw Error(ErrorKind::usage, "detect: the net does not give boxes")
        .with("output", to_string(output.type()))
        .with("try", "a net for detection, such as --model fcos_resnet18_fpn; no --tta");
  }
  const Node& node = graph.node(producer);
  const int last = node.arity() - 1;
  return {*head, node.input(0), node.input(1), last == 3 ? node.input(2) : Tensor(),
          node.input(last)};
}

std::vector<Tensors> predictions_of_levels(const SaidBoxes& said) {
  std::vector<Tensors> levels(said.head.levels.size());
  for (const Tensor& joined : {said.logits, said.codes, said.centerness}) {
    if (!joined) continue;
    const Graph& graph = joined.graph();
    const int producer = graph.value(joined.id()).node;
    const auto* concat = producer < 0 ? nullptr : graph.node(producer).op.as<Concat>();
    if (concat == nullptr || concat->axis != 2) return {};
    const Node& node = graph.node(producer);
    if (node.arity() != std::ssize(levels)) return {};
    for (int i = 0; i < node.arity(); ++i) levels[static_cast<size_t>(i)].push_back(node.input(i));
  }
  return levels;
}

Tensor found_boxes(const Tensor& output, const BoxChoice& choice) {
  const SaidBoxes said = said_boxes(output);
  const Rules& own = rules(said.head.kind);
  const auto [scores, boxes] = own.decode(said);
  const Tensor found = keep_detections(
      KeepDetections{.levels = own.by_class ? std::vector<int64_t>() : said.head.levels,
                     .first_class = own.by_class ? 1 : 0,
                     .score = choice.score.value_or(said.head.score),
                     .nms = choice.nms.value_or(said.head.nms),
                     .candidates = said.head.candidates,
                     .max_boxes = choice.max_boxes.value_or(said.head.max_boxes)},
      clip_boxes(boxes, said.head.height, said.head.width), scores);
  return cast(found, DType::f32);
}

Tensor anchor_boxes(const Tensor& output) {
  const SaidBoxes said = said_boxes(output);
  return rules(said.head.kind).decode(said).boxes;
}

Tensor detection_loss(const Tensor& output, const Tensor& targets) {
  const SaidBoxes said = said_boxes(output);
  return rules(said.head.kind).loss(said, cast(targets, said.logits.dtype()));
}

}  // namespace fovea::tasks
