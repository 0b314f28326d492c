// Chains of elementwise ops as one kernel, f32: a few vectors go through all instructions before
// the next ones are read, so memory is read and written once for chains of any length; what only
// the next instruction reads stays in registers. Each instruction is rounded like its op (see
// elementwise.cpp); a product fused with a sum is rounded once if the CPU has such an instruction.
// Outputs may share the memory of inputs.
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

constexpr int64_t block_size = 512;  // elements: 2 KiB per intermediate result

/// An operand in a block: its elements or one number.
struct Operand {
  float* data = nullptr;
  bool number = false;
  bool input = false;  ///< an array that is read from memory, block after block
};

constexpr size_t from_last = SIZE_MAX;  ///< an operand that is the result of the last instruction

struct Instruction {
  FusedKind kind = FusedKind::add;
  UnaryKind unary = UnaryKind::relu;
  float alpha = 0;
  size_t a = 0, b = 0, c = 0, result = 0;
  bool stored = false;  ///< its result is an output, or read by others than the next instruction
};

}  // namespace
}  // namespace fovea::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// The vectors that go through the instructions at once: enough to keep the CPU busy while one of
/// them waits for a division, few enough for its registers.
constexpr size_t tile_vectors = HWY_TARGET <= HWY_AVX3 ? 8 : 4;

/// `count` vectors; all loops over them are unrolled, so that they stay in registers.
template <size_t count>
struct Vectors {
  V v[count];

  template <class F>
  HWY_INLINE void fill(const F& f) {
#pragma GCC unroll 8
    for (size_t k = 0; k < count; ++k) v[k] = f(k);
  }
  template <class At>
  HWY_INLINE void load(const float* from, At at) {
    fill([=](size_t k) FOVEA_INLINE { return at.load(from + k * static_cast<size_t>(lanes)); });
  }
  /// Prefetches as many floats. The CPU itself would only do so while reading, and then wait for
  /// memory.
  HWY_INLINE static void fetch(const float* from) {
    constexpr size_t line = 16, floats = count * static_cast<size_t>(lanes);
#pragma GCC unroll 8
    for (size_t k = 0; k < floats; k += line) hwy::Prefetch(from + k);
  }
  template <class At>
  HWY_INLINE void store(float* to, At at) const {
#pragma GCC unroll 8
    for (size_t k = 0; k < count; ++k) at.store(v[k], to + k * static_cast<size_t>(lanes));
  }
};

/// Runs all instructions on `count` vectors at element i.
template <size_t count, class At>
void run_tile(std::span<const Instruction> instructions, const Operand* operands, int64_t i,
              At at) {
  using Tile = Vectors<count>;
  Tile last, x, y, z;
  last.fill([](size_t) FOVEA_INLINE { return all(0); });
  const auto read = [&](size_t operand, Tile& into) FOVEA_INLINE {
    if (operand == from_last) {
      into = last;
    } else if (operands[operand].number) {
      const V number = all(*operands[operand].data);
      into.fill([=](size_t) FOVEA_INLINE { return number; });
    } else {
      const Operand& array = operands[operand];
      into.load(array.data + i, at);
      // Array by array as they are read: it cannot await the lines of all of them at once.
      if (array.input) Tile::fetch(array.data + block_size + i);
    }
  };
  for (const Instruction& in : instructions) {
    read(in.a, x);
    if (in.kind != FusedKind::unary) read(in.b, y);
    switch (in.kind) {
      case FusedKind::mul_add:
        read(in.c, z);
        last.fill([&](size_t k) FOVEA_INLINE { return hn::MulAdd(x.v[k], y.v[k], z.v[k]); });
        break;
      case FusedKind::mul_sub:
        read(in.c, z);
        last.fill([&](size_t k) FOVEA_INLINE { return hn::MulSub(x.v[k], y.v[k], z.v[k]); });
        break;
      case FusedKind::negative_mul_add:
        read(in.c, z);
        last.fill([&](size_t k) FOVEA_INLINE { return hn::NegMulAdd(x.v[k], y.v[k], z.v[k]); });
        break;
      case FusedKind::unary:
        if (in.unary == UnaryKind::sqrt) {
          last.fill([&](size_t k) FOVEA_INLINE { return Sqrt().value(x.v[k]); });
        } else {
          // Many instructions each: they go through memory.
          HWY_ALIGN float buffer[count * static_cast<size_t>(lanes)];
          x.store(buffer, Whole());
          activate(in.unary, in.alpha, buffer, std::ssize(buffer));
          last.load(buffer, Whole());
        }
        break;
      default:
        with_binary(static_cast<BinaryKind>(in.kind), [&](auto f) FOVEA_INLINE {
          last.fill([&](size_t k) FOVEA_INLINE { return f(x.v[k], y.v[k]); });
        });
    }
    if (in.stored) last.store(operands[in.result].data + i, at);
  }
}

/// Runs all instructions on n elements.
void run_block(std::span<const Instruction> instructions, const Operand* operands, int64_t n) {
  constexpr int64_t tile = static_cast<int64_t>(tile_vectors) * lanes;
  int64_t i = 0;
  for (; i + tile <= n; i += tile) run_tile<tile_vectors>(instructions, operands, i, Whole());
  for (; i + lanes <= n; i += lanes) run_tile<1>(instructions, operands, i, Whole());
  if (i < n) run_tile<1>(instructions, operands, i, Part{static_cast<size_t>(n - i)});
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
constexpr int64_t pitch = block_size + 48;
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
    for (const int64_t result : op.results)
      last_use_[static_cast<size_t>(result)] = std::ssize(instructions_) + 1;
    keep_in_registers();
    place_results();
  }

  size_t operands() const { return first_constant() + op_.constants.size(); }
  size_t slots() const { return slots_; }
  bool in_place(size_t, size_t) const override { return true; }
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
      if (!copied[k]) operands[result] = {.data = args.output<float>(k)};
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

  /// Finds the operands that are the result of the instruction before, and the results that are
  /// needed later.
  void keep_in_registers() {
    for (size_t i = 0; i < instructions_.size(); ++i) {
      Instruction& now = instructions_[i];
      now.stored = last_use_[now.result] > static_cast<int64_t>(i) + 1;
      for (size_t* operand : {&now.a, &now.b, &now.c}) {
        if (i > 0 && *operand == instructions_[i - 1].result) *operand = from_last;
      }
    }
  }

  /// Assigns each stored result a slot, freed after its last use; those of outputs are kept.
  void place_results() {
    std::vector<int64_t> busy_until;  // of each slot
    for (size_t i = 0; i < instructions_.size(); ++i) {
      if (!instructions_[i].stored) continue;
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
    if (is_array(k)) return {.data = const_cast<float*>(args.input<float>(k)), .input = true};
    return number(args, k, fovea::simd::number(in_[k], args.in[k]));
  }
  /// Operand k as one number, in scratch memory.
  static Operand number(const Args& args, size_t k, double value) {
    auto* number = reinterpret_cast<float*>(args.scratch) + k;
    *number = static_cast<float>(value);
    return {.data = number, .number = true};
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
    std::array<Operand, max_operands> now = operands;
    for (size_t k = in_.size(); k < first_constant(); ++k) {
      if (operands[k].data == nullptr) now[k] = {.data = slots.data() + slot_[k] * pitch};
    }
    for (; begin < end; begin += block_size) {
      const int64_t count = std::min<int64_t>(block_size, end - begin);
      for (size_t k = 0; k < first_constant(); ++k) {
        if (operands[k].number || operands[k].data == nullptr) continue;
        now[k].data = operands[k].data + begin;
      }
      HWY_DYNAMIC_DISPATCH(run_block)
      (instructions_, now.data(), count);
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

  bool in_place(size_t, size_t) const override { return true; }

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
