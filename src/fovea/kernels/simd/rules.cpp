#include "fovea/kernels/rules.h"

#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"

namespace fovea {

void simd::fail_as_reference(const Problem& problem, const Args& args) {
  const auto reference = make_reference_kernel(problem);
  const auto scratch = allocate(reference->scratch_bytes());
  reference->run({args.in, args.out, scratch.get(), nullptr});
}

void add_simd_rules(const RuleSink& add) {
  const auto rule = [&](std::string_view op, Offer (*make)(const Problem&)) {
    add(op, {"simd", make});
  };
  rule("reorder", simd::make_reorder);
  rule("normalize_images", simd::make_normalize_images);
  for (int i = 0; i < unary_kinds; ++i) {
    const auto kind = static_cast<UnaryKind>(i);
    rule(unary_rule(kind).name, simd::make_unary);
    rule(UnaryBackward{kind}.name(), simd::make_unary_backward);
  }
  for (BinaryKind kind : {BinaryKind::add, BinaryKind::sub, BinaryKind::mul, BinaryKind::div})
    rule(Binary{kind}.name(), simd::make_binary);
  for (BinaryKind kind : {BinaryKind::add, BinaryKind::sub, BinaryKind::mul, BinaryKind::div})
    rule(BroadcastBinary{kind}.name(), simd::make_broadcast_binary);
  rule("broadcast_to", simd::make_broadcast_to);
  rule("affine", simd::make_affine);
  rule("increment", simd::make_increment);
  rule("batch_norm", simd::make_batch_norm);
  rule("batch_norm_eval", simd::make_batch_norm_eval);
  rule("batch_norm_backward", simd::make_batch_norm_backward);
  rule("batch_norm_eval_backward", simd::make_batch_norm_eval_backward);
  rule("max_pool", simd::make_max_pool);
  rule("max_pool_backward", simd::make_max_pool_backward);
  rule("max_pool_indices", simd::make_max_pool_indices);
  rule("max_unpool", simd::make_max_unpool);
  rule("max_unpool_backward", simd::make_max_unpool_backward);
  rule("adaptive_max_pool", simd::make_adaptive_max_pool);
  rule("adaptive_max_pool_backward", simd::make_adaptive_max_pool_backward);
  rule("avg_pool", simd::make_avg_pool);
  rule("avg_pool_backward", simd::make_avg_pool_backward);
  rule("adaptive_avg_pool", simd::make_adaptive_avg_pool);
  rule("adaptive_avg_pool_backward", simd::make_adaptive_avg_pool_backward);
  rule("softmax", simd::make_softmax);
  rule("log_softmax", simd::make_softmax);
  rule("softmax_backward", simd::make_softmax_backward);
  rule("log_softmax_backward", simd::make_softmax_backward);
  rule("softmax_cross_entropy", simd::make_softmax_cross_entropy);
  rule("softmax_cross_entropy_backward", simd::make_softmax_cross_entropy_backward);
  rule("negative_log_likelihood", simd::make_negative_log_likelihood);
  rule("negative_log_likelihood_backward", simd::make_negative_log_likelihood_backward);
  rule("binary_cross_entropy_with_logits", simd::make_binary_cross_entropy);
  rule("pad", simd::make_pad);
  rule("pad_backward", simd::make_pad_backward);
  rule("upsample", simd::make_upsample);
  rule("upsample_backward", simd::make_upsample_backward);
  rule("conv_backward_weights", simd::make_depthwise_backward_weights);
  rule("fold_batchnorm", simd::make_fold_batchnorm);
  rule("sum_to", simd::make_sum_to);
  rule("dropout", simd::make_dropout);
  rule("permute", simd::make_permute);
  rule("reshape", simd::make_reshape);
  rule("concat", simd::make_concat);
  rule("slice", simd::make_slice);
  rule("slice_backward", simd::make_slice_backward);
  rule("cast", simd::make_cast);
  rule("layer_norm", simd::make_layer_norm);
  rule("layer_norm_backward", simd::make_layer_norm_backward);
}

}  // namespace fovea
