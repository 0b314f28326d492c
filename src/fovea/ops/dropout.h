#pragma once

#include "fovea/core/random.h"
#include "fovea/graph/graph.h"

namespace fovea {

/// Which elements one dropout op keeps in one step: a pure function of (seed, step, key, element
/// index), so that any kernel, on any number of threads, and the backward pass compute the same
/// mask. Elements are indexed in plain order.
class DropoutMask {
 public:
  /// Drops with probability `p`; `key` distinguishes the dropout ops of a graph.
  DropoutMask(double p, uint64_t key, int64_t seed, int64_t step);

  /// The words of elements 4 * block to 4 * block + 3: element 4 * block + i is kept when word i is
  /// at least threshold().
  std::array<uint32_t, 4> words(int64_t block) const {
    const auto b = static_cast<uint64_t>(block);
    return philox({static_cast<uint32_t>(b), static_cast<uint32_t>(b >> 32), step_[0], step_[1]},
                  key_);
  }
  /// p * 2^32, so 2^32 for p = 1.
  uint64_t threshold() const { return threshold_; }
  /// The factor of kept elements: 1 / (1 - p), or 0 when none is kept.
  double scale() const { return scale_; }
  bool keeps(int64_t element) const {
    return words(element / 4)[static_cast<size_t>(element % 4)] >= threshold_;
  }

 private:
  std::array<uint32_t, 2> key_, step_;
  uint64_t threshold_;
  double scale_;
};

/// y = x / (1 - p) where the mask keeps an element, else 0. Inputs: x, random i64[2] = {seed,
/// step}, each below 2^53. It is its own gradient: the same op on dy.
struct Dropout {
  double p = 0.5;
  uint64_t key = 0;

  static void fields(auto& op, auto&& visit) {
    visit("p", op.p);
    visit("key", op.key);
  }

  static constexpr std::string_view name = "dropout";
  static constexpr Traits traits{.elementwise = true, .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// In a train graph each element is 0 with probability p, else x / (1 - p), drawn from the graph's
/// `random` input; in an eval graph, or with p = 0, x itself. Errors: usage when p is not in [0,
/// 1], or x is of an integer type.
Tensor dropout(const Tensor& x, double p = 0.5);

/// Dropout of entire channels of x [N, C, ...]: each is 0 with probability p, else x / (1 - p).
/// Errors: as dropout; usage when x has no axis 1.
Tensor spatial_dropout(const Tensor& x, double p = 0.5);

/// Dropout of entire samples of x [N, ...], before a block's output is added to its input:
/// stochastic depth. Errors: as dropout; usage when x is a scalar.
Tensor drop_path(const Tensor& x, double p);

}  // namespace fovea
