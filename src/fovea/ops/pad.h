#pragma once

#include "fovea/graph/graph.h"
#include "fovea/ops/window.h"

namespace fovea {

/// What fills the padding of a row a b c d.
enum class PadMode : uint8_t {
  constant,   ///< one value:         0 0 | a b c d | 0 0
  reflect,    ///< mirrored:          c b | a b c d | c b
  replicate,  ///< the border:        a a | a b c d | d d
  circular,   ///< wrapped:           c d | a b c d | a b
};

std::span<const std::string_view> enum_names(PadMode);

/// The source of position `at` of an axis with `size` elements, where 0 is the first element after
/// the padding; -1 for the constant.
int64_t pad_source(PadMode mode, int64_t at, int64_t size);

/// The input with a border around its spatial axes.
struct Pad {
  std::vector<int64_t> begin, end;  ///< one number per spatial axis
  PadMode mode = PadMode::constant;
  double value = 0;  ///< of PadMode::constant

  static void fields(auto& op, auto&& visit) {
    visit.per_axis("padding", op.begin);
    visit.per_axis("padding_end", op.end, op.begin);
    visit("mode", op.mode);
    visit("value", op.value, 0);
  }

  static constexpr std::string_view name = "pad";
  static constexpr Traits traits{.layout = LayoutRule::channelwise,
                                 .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
  std::optional<Window> window() const;
};

/// dx of shape `input` from dy: each element's gradient plus those of its copies in the padding.
struct PadBackward {
  Pad pad;
  Shape input;

  static void fields(auto& op, auto&& visit) {
    Pad::fields(op.pad, visit);
    visit("input", op.input);
  }

  static constexpr std::string_view name = "pad_backward";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// x [N, C, spatial] with 1 to 3 spatial axes of a float type, with `padding` around each spatial
/// axis: `1`, `{1, 2}` (one number per axis), or `{{1, 2}, {0, 1}}` (before and after). `value` is
/// used when the mode is constant. Errors: usage when x has other axes, `padding` is a name or
/// negative, reflect pads an axis by its size or more, circular by more than its size, or an axis
/// to copy from is empty.
Tensor pad(const Tensor& x, const Padding& padding, PadMode mode = PadMode::constant,
           double value = 0);

}  // namespace fovea
