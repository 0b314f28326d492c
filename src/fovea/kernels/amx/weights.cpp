// Gradients of weights by tiles: dW [out, in] = dy^T X, sums over positions. A task has a part of
// the positions, a block of input channels and a slice of output channels. It adds up its own part
// of a copy of dW, block by block of positions: what they have of x is split first and stays in the
// L2 cache, while dy is split panel by panel. Copies are added in order; how many there are depends
// on the problem alone.
#include <algorithm>

#include "fovea/core/array.h"
#include "fovea/core/parallel.h"
#include "fovea/kernels/amx/product.h"
#include "fovea/kernels/amx/tiles.h"

namespace fovea::amx {
namespace {

using simd::direct::Convolution;
using simd::direct::Place;

constexpr int64_t divide_up(int64_t n, int64_t by) { return (n + by - 1) / by; }

/// What a block of positions has of x, split, and all copies of dW.
constexpr int64_t block_bytes = 1 << 20, copies_bytes = 8 << 20;
/// Input channels of a task at most, and tasks that there are at least, where there are channels
/// and positions for so many.
constexpr int64_t most_inputs = 512, tasks_wanted = 8;

/// The channels of each group if they are divided as evenly as possible among as few groups of at
/// most so many as there can be, rounded up to whole panels.
constexpr int64_t share_of(int64_t channels, int64_t most) {
  return divide_up(divide_up(channels, divide_up(channels, most)), panel) * panel;
}

class WeightsKernel final : public Kernel {
 public:
  WeightsKernel(const simd::direct::WeightGradient& gradient, int threads)
      : c_(gradient.c),
        x_(gradient.x),
        dy_(gradient.dy),
        bias_(gradient.bias),
        positions_(count_positions(c_)),
        inputs_(share_of(c_.in, most_inputs)),
        input_blocks_(divide_up(c_.in, inputs_)),
        block_(std::clamp<int64_t>(block_bytes / (inputs_ / panel * step_bytes), 1, 16) * depth) {
    const int64_t blocks = divide_up(positions_, block_);
    parts_ =
        std::clamp<int64_t>(copies_bytes / weight_bytes(), 1, std::min(blocks, 2 * tasks_wanted));
    part_ = divide_up(blocks, parts_) * block_;
    parts_ = divide_up(positions_, part_);
    const int64_t wanted = divide_up(tasks_wanted, parts_ * input_blocks_);
    outputs_ = share_of(c_.out, divide_up(c_.out, wanted));
    slices_ = divide_up(c_.out, outputs_);
    slots_ = std::min<int64_t>(tasks(), threads);
  }

  std::string detail() const override { return "three parts in bf16"; }
  size_t scratch_bytes() const override {
    return static_cast<size_t>(slots_ * slot_bytes() + kept_bytes());
  }

  void run(const Args& args) const override {
    std::byte* kept = args.scratch + slots_ * slot_bytes();
    parallel_chunks(tasks(), [&](int64_t i, int slot) {
      Task task{.part = i % parts_,
                .input = i / parts_ % input_blocks_ * inputs_,
                .output = i / parts_ / input_blocks_ * outputs_};
      task.inputs = std::min(inputs_, c_.in - task.input);
      task.outputs = std::min(outputs_, c_.out - task.output);
      add_up(args, args.scratch + slot * slot_bytes(), task, sums_of(args, kept, task.part));
    });
    if (parts_ > 1) add_parts(args, kept);
  }

 private:
  /// dW and the bias's gradient, of one part.
  struct Gradients {
    float* weights;
    float* bias;
  };

  /// A part of the positions, and channels from `input` and `output` on.
  struct Task {
    int64_t part, input, output, inputs = 0, outputs = 0;
  };
  int64_t tasks() const { return parts_ * input_blocks_ * slices_; }

  static int64_t aligned(int64_t bytes) {
    return static_cast<int64_t>(align_up(static_cast<size_t>(bytes)));
  }
  int64_t steps() const { return block_ / depth; }
  /// Of a thread: a block of x and a panel of dy, split.
  int64_t slot_bytes() const { return (inputs_ / panel + 1) * steps() * step_bytes; }
  int64_t weight_bytes() const { return aligned(c_.in * c_.out * 4); }
  int64_t copy_bytes() const { return weight_bytes() + aligned(c_.out * 4); }
  int64_t kept_bytes() const { return parts_ > 1 ? parts_ * copy_bytes() : 0; }

  /// A single part is what is wanted.
  Gradients sums_of(const Args& args, std::byte* kept, int64_t part) const {
    if (parts_ == 1) return {args.output<float>(0), bias_ ? args.output<float>(1) : nullptr};
    std::byte* own = kept + part * copy_bytes();
    return {reinterpret_cast<float*>(own),
            bias_ ? reinterpret_cast<float*>(own + weight_bytes()) : nullptr};
  }

  void add_up(const Args& args, std::byte* scratch, const Task& task, const Gradients& to) const {
    const TileScope tiles;
    std::byte* right = scratch;
    std::byte* left = scratch + inputs_ / panel * steps() * step_bytes;
    std::vector<const float*> x(static_cast<size_t>(block_)), dy(x.size());
    std::vector<int64_t> offsets(x.size());
    const int64_t begin = task.part * part_, end = std::min(begin + part_, positions_);
    float* totals = task.input == 0 ? to.bias : nullptr;
    if (totals != nullptr) std::fill_n(totals + task.output, task.outputs, 0.f);
    for (int64_t at = begin; at < end; at += block_) {
      const int64_t positions = std::min(block_, end - at), wanted = divide_up(positions, depth);
      std::ranges::fill(x, nullptr);
      std::ranges::fill(dy, nullptr);
      find_inputs(c_, at, positions, 0, args.input<float>(x_), x.data());
      find_outputs(c_, at, positions, offsets.data());
      for (size_t i = 0; i < static_cast<size_t>(positions); ++i)
        dy[i] = args.input<float>(dy_) + offsets[i];
      for (int64_t step = 0; step < wanted; ++step) {
        for (int64_t i = 0; i < task.inputs; i += panel)
          split_step(x, step, c_.x, task.input + i, c_.in, false, nullptr, right_at(right, i));
      }
      for (int64_t o = task.output; o < task.output + task.outputs; o += panel) {
        for (int64_t step = 0; step < wanted; ++step) {
          split_step(dy, step, c_.y, o, c_.out, true, totals == nullptr ? nullptr : totals + o,
                     left);
        }
        for (int64_t i = 0; i < task.inputs; i += panel) {
          const Sums sums = sums_at(to.weights, o, task.input + i);
          if (i + panel < task.inputs) fetch(sums_at(to.weights, o, task.input + i + panel));
          multiply(left, right_at(right, i), wanted, at > begin ? sums : Sums{.at = {}, .row = 0},
                   sums);
        }
      }
    }
  }

  std::byte* right_at(std::byte* right, int64_t input) const {
    return right + input / panel * steps() * step_bytes;
  }

  /// Splits two tiles of channels, one step of positions of them.
  static void split_step(const std::vector<const float*>& lines, int64_t step, const Place& place,
                         int64_t channel, int64_t channels, bool transposed, float* totals,
                         std::byte* to) {
    const float* const* own = lines.data() + step * depth;
    const float* const* next = (step + 1) * depth < std::ssize(lines) ? own + depth : nullptr;
    for (int64_t i = 0; i < 2 && channel + i * tile < channels; ++i) {
      const int64_t offset = (channel / tile + i) * place.block;
      split_products({own, offset, next},
                     {own + tile, offset, next == nullptr ? next : next + tile}, transposed,
                     totals == nullptr ? nullptr : totals + i * tile,
                     to + step * step_bytes + i * tile_bytes);
    }
  }

  Sums sums_at(float* weights, int64_t output, int64_t input) const {
    Sums sums{.at = {}, .row = c_.in};
    for (int64_t i = 0; i < 2 && output + i * tile < c_.out; ++i) {
      for (int64_t j = 0; j < 2 && input + j * tile < c_.in; ++j)
        sums.at[2 * i + j] = weights + (output + i * tile) * c_.in + input + j * tile;
    }
    return sums;
  }

  void add_parts(const Args& args, std::byte* kept) const {
    const auto add = [&](int64_t size, int64_t offset, float* to) {
      parallel_for(size, 1024, [&](int64_t begin, int64_t end) {
        for (int64_t part = 0; part < parts_; ++part) {
          const auto* from = reinterpret_cast<const float*>(kept + part * copy_bytes() + offset);
          for (int64_t i = begin; i < end; ++i) to[i] = part == 0 ? from[i] : to[i] + from[i];
        }
      });
    };
    add(c_.in * c_.out, 0, args.output<float>(0));
    if (bias_) add(c_.out, weight_bytes(), args.output<float>(1));
  }

  Convolution c_;
  size_t x_, dy_;
  bool bias_;
  int64_t positions_;
  int64_t inputs_, input_blocks_;  ///< channels of a task, and how many such blocks
  int64_t block_;                  ///< positions that are split together
  int64_t parts_ = 1, part_ = 0;   ///< of the positions, and how many each has
  int64_t outputs_ = 0, slices_ = 1;
  int64_t slots_ = 1;
};

}  // namespace

std::unique_ptr<Kernel> make_weights_kernel(const simd::direct::WeightGradient& gradient,
                                            int threads) {
  return std::make_unique<WeightsKernel>(gradient, threads);
}

}  // namespace fovea::amx
