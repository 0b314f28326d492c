// Chains of elementwise ops as one kernel, f32: a block of elements that fits in the L1 cache goes
// through all instructions before the next one is read, so memory is read and written once for
// chains of any length. Each instruction is rounded like its op (see elementwise.cpp); a product
// fused with a sum is rounded once if the CPU has such an instruction. Outputs may share the memory
// of inputs.
#include <array>
#include <cstring>
#include <span>
#include <vector>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/fused.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/fused.cpp"
#include <hwy/foreach_target.h>

#include <hwy/cache_control.h>

#include "fovea/kernels/simd/activations-inl.h"
#include "fovea/kernels/simd/arithmetic-inl.h"

#ifndef FOVEA_KERNELS_SIMD_FUSED
#define FOVEA_KERNELS_SIMD_FUSED
namespace fovea::simd {
namespace {

constexpr int64_t block = 512;  // elements: 2 KiB per operand

/// An operand in a block: its elements or one number.
struct Operand {
  float* data = nullptr;
  bool number = false;
};

struct Instruction {
  FusedKind kind = FusedKind::add;
  UnaryKind unary = UnaryKind::relu;
  float alpha = 0;
  size_t a = 0, b = 0, c = 0, result = 0;
};

}  // namespace
}  // namespace fovea::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// Calls f with a function that gives an operand's vector at i; a number is read once.
template <class F>
HWY_INLINE void with_operand(const Operand& operand, const F& f) {
  if (operand.number) {
    f([v = all(*operand.data)](int64_t, auto) FOVEA_INLINE { return v; });
  } else {
    f([p = operand.data](int64_t i, auto at) FOVEA_INLINE { return at.load(p + i); });
  }
}

/// Stores f(a, b, c) of n elements.
template <class F>
HWY_INLINE void each(const F& f, const Operand& a, const Operand& b, const Operand& c, float* to,
                     int64_t n) {
  with_operand(a, [&](auto x) {
    with_operand(b, [&](auto y) {
      with_operand(c, [&](auto z) {
        for_each_vector(0, n, [&](int64_t i, auto at) FOVEA_INLINE {
          at.store(f(x(i, at), y(i, at), z(i, at)), to + i);
        });
      });
    });
  });
}

void run_instruction(const Instruction& in, const Operand* operands, int64_t n) {
  const Operand &a = operands[in.a], &b = operands[in.b], &c = operands[in.c];
  float* to = operands[in.result].data;
  switch (in.kind) {
    case FusedKind::mul_add:
      return each([](V x, V y, V z) FOVEA_INLINE { return hn::MulAdd(x, y, z); }, a, b, c, to, n);
    case FusedKind::mul_sub:
      return each([](V x, V y, V z) FOVEA_INLINE { return hn::MulSub(x, y, z); }, a, b, c, to, n);
    case FusedKind::negative_mul_add:
      return each([](V x, V y, V z) FOVEA_INLINE { return hn::NegMulAdd(x, y, z); }, a, b, c, to,
                  n);
    case FusedKind::unary:
      return with_activation(in.unary, in.alpha, [&](auto activation) {
        for_each_vector(0, n, [&](int64_t i, auto at) FOVEA_INLINE {  // for a number n is 1
          at.store(activation.value(at.load(a.data + i)), to + i);
        });
      });
    default:
      return with_binary(static_cast<BinaryKind>(in.kind), [&](auto f) {
        with_operand(a, [&](auto x) {
          with_operand(b, [&](auto y) {
            for_each_vector(0, n, [&](int64_t i, auto at) FOVEA_INLINE {
              at.store(f(x(i, at), y(i, at)), to + i);
            });
          });
        });
      });
  }
}

/// Runs all instructions on n elements and prefetches the next block's elements of the `streams`:
/// the CPU itself would only do so while reading, and then wait for memory.
void run_block(std::span<const Instruction> instructions, const Operand* operands, int64_t n,
               std::span<const float* const> streams) {
  constexpr int64_t line = 16;  // floats
  const auto count = static_cast<uint32_t>(instructions.size());
  int64_t fetched = 0;  // of each stream
  for (uint32_t k = 0; k < count; ++k) {
    const int64_t end = line * (static_cast<uint32_t>(block / line) * (k + 1) / count);
    for (; fetched < end; fetched += line) {
      for (const float* stream : streams) hwy::Prefetch(stream + block + fetched);
    }
    run_instruction(instructions[k], operands, n);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(run_block);

/// Elements between slots: small multiples of it are not multiples of 4 KiB, at which a CPU
/// mistakes a load for one of recently stored data.
constexpr int64_t pitch = block + 48;
constexpr size_t max_operands = 64, max_slots = 16;

/// The value of an input of one element.
double number(const Type& type, const std::byte* data) {
  return Array(type.dtype, type.shape, const_cast<std::byte*>(data), nullptr).at(0);
}

/// The op for arrays of n elements, with a slot in a block for each intermediate result.
class FusedKernel final : public Kernel {
 public:
  FusedKernel(const FusedElementwise& op, const Types& in, int64_t n)
      : op_(op), in_(in), n_(n), slot_(operands()), last_use_(operands(), -1) {
    for (const FusedInstruction& i : op.instructions()) {
      const bool unary = i.kind == FusedKind::unary;
      Instruction to{.kind = i.kind, .a = place(i.a), .result = in.size() + instructions_.size()};
      to.b = unary ? to.a : place(i.b);
      to.c = unary ? to.a : place(i.c);
      if (unary) {
        to.unary = static_cast<UnaryKind>(i.b);
        to.alpha = static_cast<float>(op.constants[static_cast<size_t>(-1 - i.c)]);
      }
      for (const int64_t operand : i.operands())
        last_use_[place(operand)] = static_cast<int64_t>(instructions_.size());
      instructions_.push_back(to);
    }
    place_results();
  }

  size_t operands() const { return first_constant() + op_.constants.size(); }
  size_t slots() const { return slots_; }
  bool in_place() const override { return true; }
  size_t scratch_bytes() const override { return operands() * sizeof(float); }

  void run(const Args& args) const override {
    std::array<Operand, max_operands> operands;
    std::array<bool, max_operands> copied{};  // of each output: it is computed in a slot first
    for (size_t k = 0; k < in_.size(); ++k) operands[k] = input(args, k);
    for (size_t k = 0; k < op_.constants.size(); ++k)
      operands[first_constant() + k] = number(args, first_constant() + k, op_.constants[k]);
    for (size_t k = 0; k < op_.results.size(); ++k) {
      const auto result = static_cast<size_t>(op_.results[k]);
      copied[k] = is_read_after(args, args.out[k], result);
      if (!copied[k]) operands[result] = {args.output<float>(k)};
    }
    parallel_for(n_, elementwise_grain, [&](int64_t begin, int64_t end) {
      run_range(args, operands, copied, begin, end);
    });
  }

 private:
  // In the operand tables, inputs come first, then results, then constants.
  size_t first_constant() const { return in_.size() + op_.code.size() / 4; }
  size_t place(int64_t operand) const {
    return operand < 0 ? first_constant() + static_cast<size_t>(-1 - operand)
                       : static_cast<size_t>(operand);
  }
  bool is_array(size_t input) const {
    return in_[input].dtype == DType::f32 && in_[input].numel() == n_;
  }

  /// Assigns each result a slot, freed after its last use; those of outputs are kept.
  void place_results() {
    for (const int64_t result : op_.results)
      last_use_[static_cast<size_t>(result)] = static_cast<int64_t>(instructions_.size());
    std::vector<int64_t> busy_until;  // of each slot
    for (size_t i = 0; i < instructions_.size(); ++i) {
      const size_t result = instructions_[i].result;
      const auto now = static_cast<int64_t>(i);
      // An instruction may overwrite its operand.
      auto free = std::ranges::find_if(busy_until, [&](int64_t until) { return until <= now; });
      if (free == busy_until.end()) free = busy_until.insert(free, now);
      *free = std::max(now, last_use_[result]);
      slot_[result] = free - busy_until.begin();
    }
    slots_ = busy_until.size();
  }

  Operand input(const Args& args, size_t k) const {
    if (is_array(k)) return {const_cast<float*>(args.input<float>(k))};
    return number(args, k, fovea::simd::number(in_[k], args.in[k]));
  }
  /// Operand k as one number, in scratch memory.
  static Operand number(const Args& args, size_t k, double value) {
    auto* number = reinterpret_cast<float*>(args.scratch) + k;
    *number = static_cast<float>(value);
    return {number, true};
  }

  /// Whether `output` is the memory of an input that is read after `result` is written there.
  bool is_read_after(const Args& args, const std::byte* output, size_t result) const {
    const auto made = static_cast<int64_t>(result - in_.size());
    for (size_t k = 0; k < in_.size(); ++k) {
      if (args.in[k] == output && last_use_[k] > made) return true;
    }
    return false;
  }

  void run_range(const Args& args, const std::array<Operand, max_operands>& operands,
                 const std::array<bool, max_operands>& copied, int64_t begin, int64_t end) const {
    alignas(64) std::array<float, pitch * max_slots> slots;  // NOLINT: not initialised
    std::array<const float*, max_operands> streams;
    std::array<Operand, max_operands> now = operands;
    for (size_t k = in_.size(); k < first_constant(); ++k) {
      if (operands[k].data == nullptr) now[k] = {slots.data() + slot_[k] * pitch};
    }
    for (; begin < end; begin += block) {
      const int64_t count = std::min<int64_t>(block, end - begin);
      size_t arrays = 0;
      for (size_t k = 0; k < first_constant(); ++k) {
        if (operands[k].number || operands[k].data == nullptr) continue;
        now[k].data = operands[k].data + begin;
        if (k < in_.size()) streams[arrays++] = now[k].data;
      }
      HWY_DYNAMIC_DISPATCH(run_block)
      (instructions_, now.data(), count, {streams.data(), arrays});
      for (size_t k = 0; k < op_.results.size(); ++k) {
        if (!copied[k]) continue;
        std::memcpy(args.output<float>(k) + begin, now[static_cast<size_t>(op_.results[k])].data,
                    static_cast<size_t>(count) * sizeof(float));
      }
    }
  }

  FusedElementwise op_;
  Types in_;
  int64_t n_;
  std::vector<int64_t> slot_;      ///< of an instruction's result
  std::vector<int64_t> last_use_;  ///< of an operand: the last instruction that reads it
  std::vector<Instruction> instructions_;
  size_t slots_ = 0;
};

/// The op in float64 for one element: what an update computes once for an entire array, such as a
/// bias correction.
class NumberKernel final : public Kernel {
 public:
  NumberKernel(const FusedElementwise& op, const Types& in)
      : op_(op), code_(op.instructions()), in_(in) {}

  bool in_place() const override { return true; }

  void run(const Args& args) const override {
    std::array<double, max_operands> operands;
    size_t known = 0;
    for (; known < in_.size(); ++known) operands[known] = number(in_[known], args.in[known]);
    for (const FusedInstruction& i : code_) operands[known++] = op_.compute(i, operands);
    for (size_t k = 0; k < op_.results.size(); ++k)
      *args.output<double>(k) = operands[static_cast<size_t>(op_.results[k])];
  }

 private:
  FusedElementwise op_;
  std::vector<FusedInstruction> code_;
  Types in_;
};

}  // namespace

Offer make_fused_elementwise(const Problem& problem) {
  const FusedElementwise& op = problem.op.get<FusedElementwise>();
  if (problem.out.empty()) return Refusal{"no results"};
  if (op.dtype == DType::f64 && problem.out[0].numel() == 1 &&
      problem.in.size() + op.code.size() / 4 <= max_operands) {
    return std::make_unique<NumberKernel>(op, problem.in);
  }
  if (op.dtype != DType::f32) return Refusal{"only f32, and one f64"};
  const int64_t n = problem.out[0].numel();
  for (const Type& type : problem.in) {
    if (type.numel() != 1 && type.dtype != DType::f32) return Refusal{"only arrays of f32"};
  }
  auto kernel = std::make_unique<FusedKernel>(op, problem.in, n);
  if (kernel->operands() > max_operands) return Refusal{"only 64 operands"};
  if (kernel->slots() > max_slots) return Refusal{"only 16 intermediate results at once"};
  return kernel;
}

}  // namespace fovea::simd
#endif
