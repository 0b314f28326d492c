#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/core/random.h"
#include "fovea/kernels/kernel.h"
#include "fovea/ops/conv.h"
#include "shapes_per_op.h"

namespace fovea::kernel_test {

/// Of a convolution with a 3x3 kernel whose result is as large as its input.
inline const ConvGeometry same{{1, 1}, {1, 1}, {1, 1}, {1, 1}, 1};

/// The op on inputs of these types; its values of rank 3 to 5, inputs and outputs, in `layout`.
Problem make_problem(const Op& op, Types in, Layout layout = Layout::plain);

/// The values that one input is filled with.
using Fill = std::function<void(size_t input, Array& data, Random& random)>;

/// One array per input, its elements in the order of the input's layout: standard normal floats,
/// integers of 0 to 9.
std::vector<Array> random_inputs(const Problem& problem, Random& random);

/// The outputs of the float64 reference for these inputs: f64 where the problem's are floats, in
/// its layouts.
std::vector<Array> reference_outputs(const Problem& problem, const std::vector<Array>& in);

/// What the kernel that is chosen for the problem computes, one of Fovea's own.
std::vector<Array> outputs_of(const Problem& problem, const std::vector<Array>& in);

/// What one kernel computes.
std::vector<Array> outputs_of(const Kernel& kernel, const Problem& problem,
                              const std::vector<Array>& in);

/// The same values stored in another layout; `type` says the shape and the one they are in.
Array with_layout(const Array& data, const Type& type, Layout layout);

/// How far a kernel's floats may be from the reference's: `eps` times 2^-23 times this scale. Where
/// that is not 0, an output of bf16 or f16 may be off by its own rounding as well, 2^-8 or 2^-11 of
/// the value.
enum class Scale {
  absolute,  ///< the reference of the inputs' absolute values, elementwise
  unit,      ///< the reference's own absolute value, or 1 where that is larger
  output,    ///< the largest absolute value of that output (at least 1e-30)
  element,   ///< the reference's own absolute value
};

/// How NaN and infinities propagate. However a kernel computes, they do not vanish: if the
/// reference gives a number that is not finite, so does the kernel.
enum class NonFinite {
  same,     ///< the same one at the same places
  either,   ///< an infinity may be NaN and NaN an infinity: floats overflow and underflow earlier
            ///< than float64, and products in another order meet 0 * inf or inf - inf elsewhere
  spreads,  ///< and from inputs that are not all finite, other outputs may become NaN or infinite
            ///< as well: what the algorithm multiplies with its own zeros of padding, or adds up
            ///< over tiles
};

struct Bound {
  double eps = 0;  ///< 0: equal as numbers
  Scale scale = Scale::element;
  NonFinite nonfinite = NonFinite::same;
};

/// Runs the rule `rule` of the problem's op, or what `widened` makes of it, with 1, 2 and 3
/// threads, and, for rules named "simd", with each instruction set of this machine: the kernel must
/// accept, write every element of its outputs and nothing else, give the same bits whatever the
/// number of threads, and be within `bound` of the reference. Once more with NaN or an infinity
/// planted in one of the inputs. Says what is wrong, for which problem and element.
testing::AssertionResult check(std::string_view rule, const Problem& problem,
                               const std::vector<Array>& in, const Bound& bound);

/// The same, as `threads` gives the team sizes to compare: of kernels whose bits depend on it, each
/// is only compared with the reference, and with itself run again: there the bits are the same.
testing::AssertionResult check(std::string_view rule, const Problem& problem,
                               const std::vector<Array>& in, const Bound& bound,
                               const std::vector<int>& threads, bool same_bits);

/// The part of `check` that plants NaN and infinities: where they make the reference's outputs
/// anything but finite, the kernel's are not finite either. Other values are not compared.
testing::AssertionResult check_nonfinite(std::string_view rule, const Problem& problem,
                                         const std::vector<Array>& in);

/// Why the rule refuses the problem; none if it accepts.
std::optional<std::string> refusal(std::string_view rule, const Problem& problem);

/// Calls body(name) with each instruction set that both this machine and the library have.
void for_each_instruction_set(const std::function<void(std::string_view name)>& body);

/// A random integer in [low, high].
int64_t pick(Random& random, int64_t low, int64_t high);
template <class T>
T pick(Random& random, const std::vector<T>& choices) {
  return choices[random.below(choices.size())];
}

/// A random value N, C, spatial: `axes` spatial axes (0: 1 to 3), now and then an empty batch
/// (unless `filled`), a single position, planes beyond 1024 positions; C fits the layout.
Type random_image(Random& random, Layout layout, int axes = 0, bool filled = false,
                  DType dtype = DType::f32);

inline const std::vector<Layout> layouts{Layout::plain, Layout::channels_last, Layout::blocked16};

/// The dtypes that most kernels accept.
inline const std::vector<DType> value_dtypes{DType::f32, DType::bf16, DType::f16};

}  // namespace fovea::kernel_test
