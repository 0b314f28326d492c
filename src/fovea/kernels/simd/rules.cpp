#include "fovea/kernels/rules.h"

#include <hwy/highway.h>

#include <vector>

#include "fovea/kernels/simd/argmax.h"
#include "fovea/kernels/simd/depthwise.h"
#include "fovea/kernels/simd/depthwise_block.h"
#include "fovea/kernels/simd/detection.h"
#include "fovea/kernels/simd/direct.h"
#include "fovea/kernels/simd/im2col.h"
#include "fovea/kernels/simd/norm_rules.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/simd/winograd.h"
#include "fovea/ops.h"
#include "fovea/ops/depthwise_block.h"
#include "fovea/ops/fold.h"
#include "fovea/ops/fused.h"
#include "fovea/ops/metrics.h"
#include "fovea/ops/norm_conv.h"
#include "fovea/ops/reorder.h"

namespace fovea {

namespace {

/// Channels that move to the last axis are read in the layout that they have, and those that come
/// from there stay where they are: so neither needs a reorder, and channels-last none to compute.
std::vector<Layouts> permute_layouts(const Problem& problem) {
  const Type& y = problem.out[0];
  const std::vector<int>& axes = problem.op.get<Permute>().axes;
  if (y.rank() < 3 || y.rank() > 5) return {};
  if (axes == to_last(y.rank())) return {{{problem.in[0].layout}, {Layout::plain}}};
  if (axes == from_last(y.rank())) return {{{Layout::plain}, {Layout::channels_last}}};
  return {};
}

}  // namespace

// By the vectors of the kernels that are chosen: to ask the CPU takes 20 us where it is virtual.
bool simd::has_half_vectors() { return direct::registers().lanes >= 8; }
bool simd::has_avx512() { return direct::registers().lanes == 16; }

void simd::fail_as_reference(const Problem& problem, const Args& args) {
  const auto reference = make_reference_kernel(problem);
  const auto scratch = allocate(reference->scratch_bytes());
  reference->run({args.in, args.out, scratch.get(), nullptr});
}

void add_winograd_rules(const RuleSink& add) {
  for (const std::type_info* op :
       {&typeid(Conv), &typeid(ConvBackwardData), &typeid(ConvBackwardWeights), &typeid(NormConv),
        &typeid(NormConvBackwardWeights)})
    add(*op,
        {"simd:winograd", simd::make_winograd, simd::winograd::price, simd::winograd::layouts});
  for (const std::type_info* op : {&typeid(ConvBackwardWeights), &typeid(NormConvBackwardWeights)})
    add(*op, {"simd:winograd_matrices", simd::make_winograd_by_matrices,
              simd::winograd::price_by_matrices});
}

void add_simd_rules(const RuleSink& add) {
  const auto rule = [&](const std::type_info& op, Offer (*make)(const Problem&)) {
    add(op, {"simd", make});
  };
  const auto direct = [&](const std::type_info& op, Offer (*make)(const Problem&)) {
    add(op, {"simd:direct", make, simd::direct_price, simd::direct_layouts});
  };
  direct(typeid(Conv), simd::make_direct);
  direct(typeid(ConvBackwardData), simd::make_direct);
  direct(typeid(ConvBackwardWeights), simd::make_direct_weight_gradient);
  for (const std::type_info* op :
       {&typeid(Conv), &typeid(ConvBackwardData), &typeid(ConvBackwardWeights)})
    add(*op, {"simd:im2col", simd::make_im2col, simd::im2col_price});
  add(typeid(Linear), {"simd:direct", simd::make_direct, simd::direct_price});
  add(typeid(MatMul), {"simd:direct", simd::make_direct_product, simd::direct_price});
  const auto depthwise = [&](const std::type_info& op, Offer (*make)(const Problem&)) {
    add(op, {"simd:depthwise", make, simd::depthwise::price, simd::depthwise::layouts});
  };
  depthwise(typeid(Conv), simd::depthwise::make_convolution);
  depthwise(typeid(ConvBackwardData), simd::depthwise::make_convolution);
  depthwise(typeid(ConvBackwardWeights), simd::make_depthwise_backward_weights);
  add(typeid(DepthwiseBlock),
      {"simd", simd::make_depthwise_block, nullptr, simd::depthwise_block_layouts});
  rule(typeid(Reorder), simd::make_reorder);
  add(typeid(NormalizeImages),
      {"simd", simd::make_normalize_images, nullptr, simd::normalize_images_layouts});
  rule(typeid(Unary), simd::make_unary);
  rule(typeid(UnaryBackward), simd::make_unary_backward);
  rule(typeid(Binary), simd::make_binary);
  rule(typeid(BroadcastBinary), simd::make_broadcast_binary);
  rule(typeid(BroadcastTo), simd::make_broadcast_to);
  rule(typeid(Affine), simd::make_affine);
  rule(typeid(Increment), simd::make_increment);
  add(typeid(BatchNorm), {"simd", simd::make_batch_norm, nullptr, simd::batch_norm_layouts});
  rule(typeid(BatchNormStatistics), simd::make_batch_norm_statistics);
  rule(typeid(BatchNormAgain), simd::make_batch_norm_eval);
  rule(typeid(BatchNormEval), simd::make_batch_norm_eval);
  add(typeid(BatchNormBackward),
      {"simd", simd::make_batch_norm_backward, nullptr, simd::batch_norm_layouts});
  rule(typeid(BatchNormEvalBackward), simd::make_batch_norm_eval_backward);
  rule(typeid(MaxPool), simd::make_max_pool);
  rule(typeid(MaxPoolBackward), simd::make_max_pool_backward);
  rule(typeid(MaxPoolIndices), simd::make_max_pool_indices);
  rule(typeid(MaxUnpool), simd::make_max_unpool);
  rule(typeid(MaxUnpoolBackward), simd::make_max_unpool_backward);
  rule(typeid(AdaptiveMaxPool), simd::make_adaptive_max_pool);
  rule(typeid(AdaptiveMaxPoolBackward), simd::make_adaptive_max_pool_backward);
  rule(typeid(AvgPool), simd::make_avg_pool);
  rule(typeid(AvgPoolBackward), simd::make_avg_pool_backward);
  rule(typeid(AdaptiveAvgPool), simd::make_adaptive_avg_pool);
  rule(typeid(AdaptiveAvgPoolBackward), simd::make_adaptive_avg_pool_backward);
  rule(typeid(Softmax), simd::make_softmax);
  rule(typeid(SoftmaxBackward), simd::make_softmax_backward);
  rule(typeid(SoftmaxCrossEntropy), simd::make_softmax_cross_entropy);
  rule(typeid(SoftmaxCrossEntropyBackward), simd::make_softmax_cross_entropy_backward);
  rule(typeid(NegativeLogLikelihood), simd::make_negative_log_likelihood);
  rule(typeid(NegativeLogLikelihoodBackward), simd::make_negative_log_likelihood_backward);
  rule(typeid(BinaryCrossEntropy), simd::make_binary_cross_entropy);
  rule(typeid(OneHot), simd::make_one_hot);
  rule(typeid(ArgMax), simd::make_argmax);
  rule(typeid(ConfusionMatrix), simd::make_confusion_matrix);
  rule(typeid(Pad), simd::make_pad);
  rule(typeid(PadBackward), simd::make_pad_backward);
  rule(typeid(Upsample), simd::make_upsample);
  rule(typeid(UpsampleBackward), simd::make_upsample_backward);
  rule(typeid(FoldBatchNorm), simd::make_fold_batchnorm);
  rule(typeid(FoldBatchNormBackward), simd::make_fold_batchnorm_backward);
  rule(typeid(FusedElementwise), simd::make_fused_elementwise);
  rule(typeid(SumOfSquares), simd::make_sum_of_squares);
  rule(typeid(SumTo), simd::make_sum_to);
  rule(typeid(SumOfProducts), simd::make_sum_of_products);
  rule(typeid(MultiplyAdd), simd::make_multiply_add);
  rule(typeid(Dropout), simd::make_dropout);
  add(typeid(Permute), {"simd", simd::make_permute, nullptr, permute_layouts});
  rule(typeid(Reshape), simd::make_reshape);
  rule(typeid(Concat), simd::make_concat);
  rule(typeid(Flip), simd::make_flip);
  rule(typeid(Roll), simd::make_roll);
  rule(typeid(Slice), simd::make_slice);
  rule(typeid(SliceBackward), simd::make_slice_backward);
  rule(typeid(Cast), simd::make_cast);
  rule(typeid(LayerNorm), simd::make_layer_norm);
  rule(typeid(LayerNormBackward), simd::make_layer_norm_backward);
  rule(typeid(DetectionHead), simd::make_detection_head);
  rule(typeid(MatchAnchors), simd::make_match_anchors);
  rule(typeid(MatchPoints), simd::make_match_points);
  rule(typeid(KeepDetections), simd::make_keep_detections);
  rule(typeid(LargestMask), simd::make_largest_mask);
}

}  // namespace fovea
