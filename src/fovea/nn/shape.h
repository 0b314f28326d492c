#pragma once

#include "fovea/nn/module.h"
#include "fovea/ops/pad.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/ops/shuffle.h"

namespace fovea::nn {

/// Returns its input.
class Identity : public Module {
 public:
  explicit Identity(const Scope& scope) : Module(scope) {}
  Tensor forward(Tensor x) const override { return x; }
};

/// Joins all axes from `from` on into one: x [N, C, H, W] gives [N, C * H * W].
class Flatten : public Module {
 public:
  explicit Flatten(const Scope& scope, int from = 1) : Module(scope), from_(from) {}
  Tensor forward(Tensor x) const override { return flatten(x, from_); }

 private:
  int from_;
};

/// pad as a module: x [N, C, spatial] with a border around its spatial axes.
class Pad : public Module {
 public:
  Pad(const Scope& scope, Padding padding, PadMode mode = PadMode::constant, double value = 0)
      : Module(scope), padding_(std::move(padding)), mode_(mode), value_(value) {}
  Tensor forward(Tensor x) const override { return pad(x, padding_, mode_, value_); }

 private:
  Padding padding_;
  PadMode mode_;
  double value_;
};

/// permute as a module: axis i of the result is axis axes[i] of x.
class Permute : public Module {
 public:
  Permute(const Scope& scope, std::vector<int> axes) : Module(scope), axes_(std::move(axes)) {}
  Tensor forward(Tensor x) const override { return permute(x, axes_); }

 private:
  std::vector<int> axes_;
};

/// pixel_shuffle as a module: x [N, C r^2, H, W] gives [N, C, r H, r W].
class PixelShuffle : public Module {
 public:
  PixelShuffle(const Scope& scope, int64_t r) : Module(scope), r_(r) {}
  Tensor forward(Tensor x) const override { return pixel_shuffle(x, r_); }

 private:
  int64_t r_;
};

/// channel_shuffle as a module: the channels of `groups` groups interleaved (ShuffleNet).
class ChannelShuffle : public Module {
 public:
  ChannelShuffle(const Scope& scope, int64_t groups) : Module(scope), groups_(groups) {}
  Tensor forward(Tensor x) const override { return channel_shuffle(x, groups_); }

 private:
  int64_t groups_;
};

}  // namespace fovea::nn
