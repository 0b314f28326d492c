#pragma once

#include <memory>
#include <optional>

#include "fovea/nn/module.h"
#include "fovea/ops/norm.h"

namespace fovea::nn {

/// PyTorch's names and defaults.
struct BatchNormOptions {
  double eps = 1e-5;
  /// The weight of the new batch in the running statistics (Keras's 0.99 is 0.01 here); none: they
  /// are the mean over all batches so far (PyTorch's momentum=None).
  std::optional<double> momentum = 0.1;
  bool affine = true;  ///< whether there are a weight and a bias
  /// Nothing is ever trained: weight and bias are buffers, running statistics are used in training
  /// too, and there is no batch counter, as in torchvision's FrozenBatchNorm2d.
  bool frozen = false;
};

/// Batch normalisation (Ioffe and Szegedy 2015) of x [N, C, spatial]: in a train graph with the
/// statistics of the batch, which also update the running ones; in an eval graph, or when weight
/// and bias (without these, the running statistics) are frozen, with the running ones, unchanged.
/// PyTorch's arrays, names and order; running_var holds unbiased variances.
class BatchNorm : public Module {
 public:
  using Options = BatchNormOptions;

  BatchNorm(const Scope& scope, int64_t channels, const Options& options = {});
  Tensor forward(Tensor x) const override;
  /// The same for x [N, C, L] where `mask` [N, 1, L] is 1, not 0: what is elsewhere has no part in
  /// the statistics of a batch. Without a value for `mask` it is `forward(x)`. Call it as
  /// nn::call(norm, x, mask).
  Tensor forward(const Tensor& x, const Tensor& mask) const;

  /// Parameters or, if the options say `frozen`, buffers.
  std::unique_ptr<Variable> weight, bias;
  Buffer running_mean, running_var;
  std::optional<Buffer> num_batches_tracked;  ///< i64, a scalar; none if `frozen`

 private:
  std::unique_ptr<Variable> affine(std::string_view name, int64_t channels, double value,
                                   const Options& options);
  bool frozen(const Graph& graph) const;
  void update(const Tensor& mean, const Tensor& var) const;

  Options options_;
};

using BatchNorm1d = BatchNorm;
using BatchNorm2d = BatchNorm;
using BatchNorm3d = BatchNorm;

/// PyTorch's names and defaults.
struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true;  ///< whether there are a weight and,
  bool bias = true;                ///< unless this is false, a bias
};

/// Layer normalisation (Ba et al. 2016) over the last axes of x, whose sizes are `shape`; weight
/// and bias of that shape.
class LayerNorm : public Module {
 public:
  using Options = LayerNormOptions;

  LayerNorm(const Scope& scope, const Shape& shape, const Options& options = {});
  Tensor forward(Tensor x) const override;

  std::optional<Parameter> weight, bias;

 private:
  int axes_;
  double eps_;
};

/// Layer normalisation over the channels of each pixel of x [N, C, spatial], as in ConvNeXt (Liu et
/// al. 2022); weight and bias [C].
class LayerNormChannels : public Module {
 public:
  using Options = LayerNormOptions;

  LayerNormChannels(const Scope& scope, int64_t channels, const Options& options = {.eps = 1e-6});
  Tensor forward(Tensor x) const override;

  std::optional<Parameter> weight, bias;

 private:
  double eps_;
};

/// PyTorch's names and defaults.
struct GroupNormOptions {
  double eps = 1e-5;
  bool affine = true;  ///< whether there are a weight and a bias
};

/// Group normalisation (Wu and He 2018) of x [N, C] or [N, C, spatial]: each sample's channels in
/// `groups` contiguous groups, each by its own mean and variance; then weight and bias, [C]. Train
/// and eval modes are the same. Errors: usage, when traced, if groups does not divide C.
class GroupNorm : public Module {
 public:
  using Options = GroupNormOptions;

  GroupNorm(const Scope& scope, int64_t groups, int64_t channels, const Options& options = {});
  Tensor forward(Tensor x) const override;

  std::optional<Parameter> weight, bias;

 private:
  int64_t groups_;
  Options options_;
};

/// Instance normalisation (Ulyanov et al. 2016): every channel of every sample by its own
/// statistics. As in PyTorch, it has a weight and a bias only if `affine` is set.
class InstanceNorm : public Module {
 public:
  using Options = GroupNormOptions;

  InstanceNorm(const Scope& scope, int64_t channels, const Options& options = {.affine = false});
  Tensor forward(Tensor x) const override;

  std::optional<Parameter> weight, bias;

 private:
  Options options_;
};

using InstanceNorm1d = InstanceNorm;
using InstanceNorm2d = InstanceNorm;
using InstanceNorm3d = InstanceNorm;

/// Global response normalisation (ConvNeXt V2, Woo et al. 2023) of x [N, C, spatial]; weight and
/// bias [C] start at 0, so that it is initially the identity.
class GlobalResponseNorm : public Module {
 public:
  GlobalResponseNorm(const Scope& scope, int64_t channels, double eps = 1e-6);
  Tensor forward(Tensor x) const override;

  Parameter weight, bias;

 private:
  double eps_;
};

/// x [N, C, ...] times a learned factor per channel, `gamma` [C], which starts at `value`: a branch
/// of a deep net starts close to zero (Touvron et al. 2021).
class LayerScale : public Module {
 public:
  LayerScale(const Scope& scope, int64_t channels, double value = 1e-6);
  Tensor forward(Tensor x) const override;

  Parameter gamma;
};

}  // namespace fovea::nn
