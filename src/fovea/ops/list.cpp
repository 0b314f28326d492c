#include "fovea/ops/list.h"

#include "fovea/ops.h"
#include "fovea/ops/depthwise_block.h"
#include "fovea/ops/flip.h"
#include "fovea/ops/fold.h"
#include "fovea/ops/fused.h"
#include "fovea/ops/metrics.h"
#include "fovea/ops/norm_conv.h"
#include "fovea/ops/reorder.h"

namespace fovea {
namespace {

/// One op of a family for each of its kinds.
template <class T, class Kind>
void append(std::vector<Op>& ops) {
  for (size_t i = 0; i < enum_names(Kind{}).size(); ++i) ops.push_back(T{static_cast<Kind>(i)});
}

}  // namespace

std::span<const Op> all_ops() {
  static const std::vector<Op> all = [] {
    std::vector<Op> ops{
        AdaptiveAvgPool{},
        AdaptiveAvgPoolBackward{},
        AdaptiveMaxPool{},
        AdaptiveMaxPoolBackward{},
        Affine{},
        ArgMax{},
        AvgPool{},
        AvgPoolBackward{},
        BatchNorm{},
        BatchNormAgain{},
        BatchNormBackward{},
        BatchNormEval{},
        BatchNormEvalBackward{},
        BatchNormStatistics{},
        BinaryCrossEntropy{},
        BroadcastTo{},
        Cast{},
        Concat{},
        ConfusionMatrix{},
        Conv{},
        ConvBackwardData{},
        ConvBackwardWeights{},
        DepthwiseBlock{},
        DetectionHead{},
        Dropout{},
        Flip{},
        FoldBatchNorm{},
        FoldBatchNormBackward{},
        FusedElementwise{},
        InTopK{},
        Increment{},
        KeepDetections{},
        LargestMask{},
        LayerNorm{},
        LayerNormBackward{},
        Linear{},
        MatMul{},
        MatchAnchors{},
        MatchPoints{},
        MaxPool{},
        MaxPoolBackward{},
        MaxPoolIndices{},
        MaxUnpool{},
        MaxUnpoolBackward{},
        MultiplyAdd{},
        NegativeLogLikelihood{},
        NegativeLogLikelihoodBackward{},
        NormalizeImages{},
        NormConv{},
        NormConvBackwardWeights{},
        OneHot{},
        Pad{},
        PadBackward{},
        Permute{},
        Reorder{},
        Reshape{},
        Roll{},
        Slice{},
        SliceBackward{},
        Softmax{},
        Softmax{.log = true},
        SoftmaxBackward{},
        SoftmaxBackward{.log = true},
        SoftmaxCrossEntropy{},
        SoftmaxCrossEntropyBackward{},
        SumOfProducts{},
        SumOfSquares{},
        SumTo{},
        Upsample{},
        UpsampleBackward{},
    };
    append<Unary, UnaryKind>(ops);
    append<UnaryBackward, UnaryKind>(ops);
    append<Binary, BinaryKind>(ops);
    append<BroadcastBinary, BinaryKind>(ops);
    return ops;
  }();
  return all;
}

}  // namespace fovea
