// Products by tiles: y [positions, out] = X [positions, taps * in] W. The weights are split before
// all else. Then each task splits what it reads of x, a block of products at a time; that stays in
// the L2 cache, where each panel of weights meets all positions of the task. Sums are added up in
// the order of the products, whatever the number of threads.
#include "fovea/kernels/amx/product.h"

#include <fmt/format.h>
#include <hwy/cache_control.h>

#include <algorithm>

#include "fovea/core/array.h"
#include "fovea/core/parallel.h"
#include "fovea/kernels/amx/tiles.h"
#include "fovea/kernels/fixed_weights.h"

namespace fovea::amx {
namespace {

using simd::direct::Convolution;
using simd::direct::Pass;
using simd::direct::Place;
using simd::direct::Range;
using simd::direct::Step;

constexpr int64_t round_up(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}
constexpr int64_t panels(int64_t n) { return round_up(n, panel) / panel; }

/// Where channel c is, for a multiple of 16.
int64_t at_channel(const Place& place, int64_t c) { return c / tile * place.block; }

/// Calls f(image, row, column) for `count` positions of y from `first` on.
template <class F>
void for_each_position(const Convolution& c, int64_t first, int64_t count, const F& f) {
  int64_t image = first / (c.rows * c.columns), row = first / c.columns % c.rows,
          column = first % c.columns;
  for (; count > 0; --count) {
    f(image, row, column);
    if (++column < c.columns) continue;
    column = 0;
    if (++row == c.rows) row = 0, ++image;
  }
}

/// The block of products that are added to a task's sums before the next ones: two panels of it are
/// in the L2 cache for the positions of a task.
constexpr int64_t most_steps = 16, most_rows = 16;
constexpr int64_t task_bytes = 1 << 20;

/// One convolution of the pass, and how it is divided.
struct Part {
  explicit Part(const Convolution& convolution, int64_t weights_at, int64_t first_task)
      : c(convolution),
        positions(count_positions(c)),
        channel_steps(round_up(c.in, depth) / depth),
        steps(c.taps() * channel_steps),
        block(std::min(steps, most_steps)),
        columns(panels(c.out)),
        weights(weights_at) {
    const int64_t bytes = block * step_bytes + (kept() ? columns * panel * panel * 4 : 0);
    const int64_t wanted =
        std::min(task_bytes / std::max<int64_t>(1, bytes), panels(positions) / 8);
    rows = std::clamp<int64_t>(wanted, 1, most_rows);
    tasks = {first_task, first_task + (panels(positions) + rows - 1) / rows};
  }
  /// Whether sums wait for further products.
  bool kept() const { return steps > block; }
  int64_t weight_bytes() const { return columns * steps * step_bytes; }
  /// Of a task: its part of x, and sums.
  int64_t left_bytes() const { return rows * block * step_bytes; }
  int64_t sum_bytes() const { return (kept() ? rows * columns : 1) * panel * panel * 4; }

  Convolution c;
  int64_t positions;
  /// Of one tap, of all taps, and of the products that are split together.
  int64_t channel_steps, steps, block;
  int64_t columns;  ///< panels of output channels
  int64_t rows;     ///< panels of positions of a task
  int64_t weights;  ///< where these are, split, in bytes
  Range tasks;
};

/// Splits the weights of one panel of output channels.
class PanelOfWeights {
 public:
  PanelOfWeights(const Part& part, const float* w, int64_t first)
      : part_(part), w_(w + part.c.weights.first), first_(first) {}

  void split(std::byte* to) {
    for (int64_t step = 0; step < part_.steps; ++step, to += step_bytes) {
      const int64_t tap = step / part_.channel_steps;
      channel_ = step % part_.channel_steps * depth;
      const simd::direct::Weights& at = part_.c.weights;
      of_tap_ = w_ + tap / part_.c.kernel[1] * at.tap[0] + tap % part_.c.kernel[1] * at.tap[1];
      for (int64_t i = 0; i < 2; ++i) split_tile(first_ + i * tile, to + i * tile_bytes);
    }
  }

 private:
  void split_tile(int64_t out, std::byte* to) {
    const simd::direct::Weights& at = part_.c.weights;
    const int64_t outputs = std::clamp<int64_t>(part_.c.out - out, 0, tile),
                  inputs = std::min(depth, part_.c.in - channel_);
    const float* from = of_tap_ + channel_ * at.in + out * at.out;
    const float* lines[2][tile] = {};
    if (at.out == 1 || outputs == 0) {
      for (int64_t k = 0; k < inputs && outputs > 0; ++k)
        lines[k / tile][k % tile] = from + k * at.in;
      return split_products({lines[0], 0}, {lines[1], 0}, false, nullptr, to);
    }
    if (at.in != 1) from = copy(from, outputs, inputs);
    for (int64_t o = 0; o < outputs; ++o) lines[0][o] = from + o * (at.in == 1 ? at.out : depth);
    split_rows({lines[0], 0}, {inputs > tile ? lines[0] : null_lines, tile}, true, to);
  }
  /// Weights of a tap with other taps between them.
  const float* copy(const float* from, int64_t outputs, int64_t inputs) {
    for (int64_t o = 0; o < outputs; ++o) {
      for (int64_t k = 0; k < inputs; ++k)
        copy_[o * depth + k] = from[o * part_.c.weights.out + k * part_.c.weights.in];
    }
    return copy_;
  }

  const Part& part_;
  const float* w_;
  int64_t first_, channel_ = 0;
  const float* of_tap_ = nullptr;
  float copy_[tile * depth];
};

/// One task: some panels of positions, all output channels.
class Task {
 public:
  Task(const Part& part, int64_t task, std::byte* scratch)
      : part_(part),
        first_((task - part.tasks.begin) * part.rows * panel),
        count_(std::min(part.rows * panel, part.positions - first_)),
        rows_(panels(count_)),
        left_(scratch),
        sums_(reinterpret_cast<float*>(scratch + part.left_bytes())),
        lines_(static_cast<size_t>(rows_ * panel)),
        outputs_(static_cast<size_t>(count_)) {
    find_outputs(part.c, first_, count_, outputs_.data());
  }

  void compute(const float* x, const std::byte* weights, const float* bias,
               std::span<const Step> steps, bool stream, float* y) {
    const bool nothing_follows = simd::direct::do_nothing(steps) && !stream;
    int64_t begin = 0, end;
    do {
      end = std::min(begin + part_.block, part_.steps);
      const bool last = end == part_.steps;
      split_inputs(x, begin, end);
      for (int64_t column = 0; column < part_.columns; ++column) {
        const std::byte* right = weights + (column * part_.steps + begin) * step_bytes;
        // Each panel of positions fetches its share of the next weights.
        const int64_t share = column + 1 < part_.columns ? round_up(step_bytes / rows_, 64) : 0;
        Ahead ahead{.at = right + part_.steps * step_bytes, .bytes = share};
        for (int64_t row = 0; row < rows_; ++row) {
          const std::byte* left = left_ + row * part_.block * step_bytes;
          const Sums kept = kept_sums(row, column);
          const bool straight = last && nothing_follows && adjacent(row);
          const Sums to = straight ? outputs(row, column, y) : kept;
          if (last && !straight) {
            for_each_run(row, column, stream, [&](const auto& sums) {
              simd::direct::fetch_positions(steps, part_.c.y, sums);
            });
          }
          multiply(left, right, end - begin, begin > 0 ? kept : first_sums(bias, column), to,
                   ahead);
          ahead.at += (end - begin) * share;
          if (last && !straight) {
            for_each_run(row, column, stream, [&](const auto& sums) {
              simd::direct::finish_positions(steps, part_.c.y, sums,
                                             reinterpret_cast<std::byte*>(y));
            });
          }
        }
      }
      begin = end;
    } while (begin < part_.steps);
    if (stream) hwy::FlushStream();
  }

 private:
  int64_t channels(int64_t column) const { return std::min(panel, part_.c.out - column * panel); }
  /// The positions of a panel.
  int64_t positions(int64_t row) const { return std::min(panel, count_ - row * panel); }
  const int64_t* offsets(int64_t row) const { return outputs_.data() + row * panel; }

  void split_inputs(const float* x, int64_t begin, int64_t end) {
    for (int64_t step = begin, next; step < end; step = next) {
      const int64_t tap = step / part_.channel_steps;
      next = std::min(end, (tap + 1) * part_.channel_steps);
      find_inputs(part_.c, first_, count_, tap, x, lines_.data());
      for (int64_t i = 0; i < 2 * rows_; ++i) {
        std::byte* to = left_ + (i / 2 * part_.block + step - begin) * step_bytes;
        split_tile(lines_.data() + i * tile, i + 1 < 2 * rows_,
                   (step - tap * part_.channel_steps) * depth, next - step,
                   to + i % 2 * tile_bytes);
      }
    }
  }
  /// 16 positions, several steps of channels.
  void split_tile(const float* const* lines, bool fetch, int64_t channel, int64_t steps,
                  std::byte* to) const {
    const float* const* ahead = fetch ? lines + tile : nullptr;
    for (; steps > 0; --steps, channel += depth, to += step_bytes) {
      const bool whole = part_.c.in - channel > tile;
      split_rows({lines, at_channel(part_.c.x, channel), ahead},
                 {whole ? lines : null_lines, at_channel(part_.c.x, channel + tile),
                  whole ? ahead : nullptr},
                 false, to);
    }
  }

  /// The bias, or nothing: each row of a tile is the same one.
  Sums first_sums(const float* bias, int64_t column) const {
    Sums sums{.at = {}, .row = 0};
    if (bias == nullptr) return sums;
    auto* from = const_cast<float*>(bias) + column * panel;
    for (int i = 0; i < 4; i += 2) {
      sums.at[i] = from;
      if (channels(column) > tile) sums.at[i + 1] = from + tile;
    }
    return sums;
  }
  float* kept_at(int64_t row, int64_t column) const {
    return sums_ + (part_.kept() ? row * part_.columns + column : 0) * panel * panel;
  }
  Sums kept_sums(int64_t row, int64_t column) const {
    float* at = kept_at(row, column);
    return {{at, at + tile, at + tile * panel, at + tile * panel + tile}, panel};
  }
  Sums outputs(int64_t row, int64_t column, float* y) const {
    Sums sums{.at = {}, .row = part_.c.y.column};
    for (int64_t i = 0; i < 2; ++i) {
      for (int64_t j = 0; j < 2 && j * tile < channels(column); ++j) {
        sums.at[2 * i + j] =
            y + offsets(row)[i * tile] + at_channel(part_.c.y, column * panel + j * tile);
      }
    }
    return sums;
  }
  /// Whether both tiles' positions are there, and each next to the one before in y.
  bool adjacent(int64_t row) const {
    if (positions(row) < panel) return false;
    const int64_t* at = offsets(row);
    bool result = true;
    for (int64_t i = 0; i < tile; ++i) {
      const int64_t expected = i * part_.c.y.column;
      result &= at[i] - at[0] == expected && at[tile + i] - at[tile] == expected;
    }
    return result;
  }

  /// Calls f(sums) for a panel's, as many adjacent positions as there are at a time.
  template <class F>
  void for_each_run(int64_t row, int64_t column, bool stream, const F& f) const {
    const int64_t* at = offsets(row);
    const int64_t offset = at_channel(part_.c.y, column * panel);
    for (int64_t i = 0, n; i < positions(row); i += n) {
      n = 1;
      while (i + n < positions(row) && at[i + n] - at[i] == n * part_.c.y.column) ++n;
      f(simd::direct::FinishedSums{.offset = offset + at[i],
                                   .positions = n,
                                   .channels = channels(column),
                                   .sums = kept_at(row, column) + i * panel,
                                   .stream = stream});
    }
  }

  const Part& part_;
  int64_t first_, count_, rows_;
  std::byte* left_;
  float* sums_;
  std::vector<const float*> lines_;
  std::vector<int64_t> outputs_;
};

class ProductKernel final : public Kernel {
 public:
  ProductKernel(Pass pass, int threads) : pass_(std::move(pass)), fixed_(weights_fixed) {
    int64_t tasks = 0, task_scratch = 0;
    for (const Convolution& c : pass_.parts) {
      const Part& part = parts_.emplace_back(c, weight_bytes_, tasks);
      weight_bytes_ += part.weight_bytes();
      tasks = part.tasks.end;
      task_scratch = std::max(task_scratch, part.left_bytes() + part.sum_bytes());
    }
    task_scratch_ = align_up(static_cast<size_t>(task_scratch));
    slots_ = static_cast<size_t>(std::min<int64_t>(tasks, threads));
  }

  std::string detail() const override { return "three parts in bf16"; }
  size_t scratch_bytes() const override {
    return slots_ * task_scratch_ + (fixed_ ? 0 : static_cast<size_t>(weight_bytes_));
  }
  /// Weights that change are split into scratch memory in each run: kept for the next one, they
  /// would take more memory than themselves.
  std::vector<int> packed_inputs() const override {
    return fixed_ ? std::vector{static_cast<int>(pass_.weights)} : std::vector<int>{};
  }
  size_t packed_bytes() const override { return fixed_ ? static_cast<size_t>(weight_bytes_) : 0; }
  std::string packed_form() const override {
    std::string form = "amx";
    for (const Part& part : parts_) {
      const simd::direct::Weights& w = part.c.weights;
      form += fmt::format(" {} {} {}x{} {}+{},{},{},{}", part.c.out, part.c.in, part.c.kernel[0],
                          part.c.kernel[1], w.first, w.out, w.in, w.tap[0], w.tap[1]);
    }
    return form;
  }
  void pack(std::span<const std::byte* const> in, std::byte* packed) const override {
    if (fixed_) split_weights(in[pass_.weights], packed);
  }

  /// Of a residual: each position is finished once.
  bool in_place(size_t input, size_t) const override {
    return !pass_.sums && !pass_.slope && input >= 2u + pass_.bias;
  }

  void run(const Args& args) const override {
    const std::byte* weights = args.packed;
    if (!fixed_) {
      std::byte* split = args.scratch + slots_ * task_scratch_;
      split_weights(args.in[pass_.weights], split);
      weights = split;
    }
    const std::vector<Step> steps = simd::direct::steps_of(pass_, args);
    const auto* bias = pass_.bias ? args.input<float>(2) : nullptr;
    parallel_chunks(parts_.back().tasks.end, [&](int64_t task, int slot) {
      const Part& part =
          *std::ranges::find_if(parts_, [&](const Part& p) { return task < p.tasks.end; });
      const TileScope tiles;
      Task(part, task, args.scratch + static_cast<size_t>(slot) * task_scratch_)
          .compute(args.input<float>(pass_.x), weights + part.weights, bias, steps,
                   simd::direct::streams(pass_, part.c, args), args.output<float>(0));
    });
  }

 private:
  void split_weights(const std::byte* weights, std::byte* to) const {
    const auto* w = reinterpret_cast<const float*>(weights);
    int64_t count = 0;
    for (const Part& part : parts_) count += part.columns;
    parallel_chunks(count, [&](int64_t column, int) {
      auto part = parts_.begin();
      for (; column >= part->columns; ++part) column -= part->columns;
      PanelOfWeights(*part, w, column * panel)
          .split(to + part->weights + column * part->steps * step_bytes);
    });
  }

  Pass pass_;
  bool fixed_;
  std::vector<Part> parts_ = {};
  int64_t weight_bytes_ = 0;
  size_t task_scratch_ = 0, slots_ = 1;
};

}  // namespace

int64_t count_positions(const Convolution& c) { return c.images * c.rows * c.columns; }

void find_outputs(const Convolution& c, int64_t first, int64_t count, int64_t* offsets) {
  for_each_position(c, first, count, [&](int64_t image, int64_t row, int64_t column) {
    *offsets++ = c.offset + image * c.y.image + row * c.y.row + column * c.y.column;
  });
}

void find_inputs(const Convolution& c, int64_t first, int64_t count, int64_t tap, const float* x,
                 const float** lines) {
  const int64_t above = c.padding[0] - tap / c.kernel[1] * c.dilation[0],
                before = c.padding[1] - tap % c.kernel[1] * c.dilation[1];
  for_each_position(c, first, count, [&](int64_t image, int64_t row, int64_t column) {
    const int64_t y = row * c.stride[0] - above, at = column * c.stride[1] - before;
    const bool inside = y >= 0 && y < c.height && at >= 0 && at < c.width;
    *lines++ = inside ? x + image * c.x.image + y * c.x.row + at * c.x.column : nullptr;
  });
}

std::optional<Refusal> refuse(const Convolution& c) {
  if (c.dtype != DType::f32) return Refusal{"only f32"};
  if (c.groups != 1) return Refusal{"no groups"};
  if (c.in % tile != 0 || c.out % tile != 0) return Refusal{"only multiples of 16 channels"};
  if (c.x.channel != 1 || c.y.channel != 1) return Refusal{"only channels-last and blocked16"};
  return std::nullopt;
}

std::unique_ptr<Kernel> make_product_kernel(Pass pass, int threads) {
  return std::make_unique<ProductKernel>(std::move(pass), threads);
}

}  // namespace fovea::amx
