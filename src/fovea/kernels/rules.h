#pragma once

#include <functional>
#include <typeindex>

#include "fovea/kernels/instruction_set.h"
#include "fovea/kernels/kernel.h"

namespace fovea {

/// Receives the rules of a family of kernels, in the order in which to try them.
using RuleSink = std::function<void(std::type_index op, KernelRule rule)>;

/// simd/: convolutions by Winograd's algorithm where that is faster; before onednn/.
void add_winograd_rules(const RuleSink& add);
/// amx/: f32 products where tiles multiply them faster.
void add_amx_rules(const RuleSink& add);
/// onednn/: convolution (all three passes), matrix products, average pooling.
void add_onednn_rules(const RuleSink& add);
/// simd/: memory-bound ops: norms, pooling, elementwise, loss, layout changes.
void add_simd_rules(const RuleSink& add);

/// Limits oneDNN's kernels. False if it cannot be limited, or no longer.
bool limit_onednn(InstructionSet maximum);

/// Whether this CPU multiplies tiles of bf16 (AMX), and FOVEA_ISA does not rule them out.
bool has_tiles();

/// How much faster than in f32 this CPU multiplies in bf16: 16 times with tiles (AMX), twice with
/// AMD's dot products, else not at all.
double bf16_speedup();

/// The same for oneDNN's gradients of the weights of a convolution with this number of taps and of
/// positions of y in each image. With tiles they are slow on small maps: those of 3x3 are 2.9, 2.3,
/// 1.5 and 0.4 times as fast as in f32 on maps of 32x32, 16x16, 8x8 and 4x4, those of 1x1 1.7, 0.8
/// and 0.4 times on 28x28, 14x14 and 7x7.
double bf16_speedup_of_weights(int64_t taps, int64_t positions);

}  // namespace fovea
