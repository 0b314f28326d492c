#include <algorithm>
#include <numeric>

#include "fovea/kernels/simd/direct.h"

namespace fovea::simd::direct {
namespace {

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// A task is worth some microseconds, and its part of x stays in the L2 cache. To read a byte of
/// weights takes as long as `byte_flops`.
constexpr double task_flops = 3e6, byte_flops = 12;
constexpr int64_t task_bytes = 512 << 10;
constexpr int64_t tasks_per_thread = 8;

/// The size of equal pieces of `size`, `bands` to twice as many, with which the thread that gets
/// most of them has least to do: each is cut into `parts`. A multiple of `multiple`, or all.
int64_t fair_piece(int64_t size, int64_t bands, int64_t multiple, int64_t parts, int threads) {
  const auto round_up = [&](int64_t n) { return std::min(size, ceil_div(n, multiple) * multiple); };
  const auto share = [&](int64_t piece) {
    return ceil_div(ceil_div(size, piece) * parts, threads) * piece;
  };
  int64_t best = round_up(ceil_div(size, bands));
  for (int64_t piece = best; piece >= ceil_div(size, 2 * bands); --piece) {
    if (piece % multiple == 0 && share(piece) < share(best)) best = piece;
  }
  return best;
}

/// Cuts images, rows or runs so that there are at least about `bands`, each of tiles of `together`
/// runs if possible.
void cut_positions(const Convolution& c, int64_t bands, int64_t together, int threads, Plan& plan) {
  Region& piece = plan.piece;
  piece.images = {0, 1}, piece.rows = {0, c.rows}, piece.runs = {0, plan.runs};
  const int64_t each = ceil_div(bands, c.images), parts = plan.parts * c.images;
  if (bands <= c.images) {
    piece.images.end = fair_piece(c.images, bands, 1, plan.parts, threads);
  } else if (c.rows > 1) {
    piece.rows.end =
        fair_piece(c.rows, each, together / std::gcd(together, plan.runs), parts, threads);
  } else {
    piece.runs.end = fair_piece(plan.runs, each, together, parts, threads);
  }
  plan.row_bands = ceil_div(c.rows, piece.rows.end);
  plan.run_bands = ceil_div(plan.runs, piece.runs.end);
  plan.bands = ceil_div(c.images, piece.images.end) * plan.row_bands * plan.run_bands;
}

/// Positions of x as far apart as the cache's sets repeat are slow to read one after another.
bool conflicting(int64_t step) { return step % 1024 == 0; }

}  // namespace

int64_t groups_together(const Convolution& c, int64_t inputs, int64_t outputs) {
  const auto whole = [&](const Place& p, int64_t channels) {
    return p.layout != Layout::blocked16 || channels % block == 0;
  };
  const auto enough = [&](int64_t n) {
    const int64_t in = n * c.group_in(), out = n * c.group_out();
    return in >= inputs && out >= outputs && whole(c.x, in) && whole(c.y, out);
  };
  int64_t n = 1;
  while (n < c.groups && !enough(n)) ++n;
  return n;
}

std::vector<Convolution> split_groups(const Convolution& c, int64_t lanes) {
  const auto place = [](const Place& p, int64_t channel) {
    return channel / block * p.block + channel % block * p.channel;
  };
  const int64_t together = groups_together(c, 1, lanes);
  std::vector<Convolution> parts;
  for (int64_t first = 0; first < c.groups; first += together) {
    Convolution part = c;
    part.groups = std::min(together, c.groups - first);
    part.in = part.groups * c.group_in(), part.out = part.groups * c.group_out();
    part.channel = c.channel + first * c.group_out();
    part.input = c.input + place(c.x, first * c.group_in());
    part.offset = c.offset + place(c.y, first * c.group_out());
    part.weights.first = c.weights.first + first * c.weights.group;
    parts.push_back(part);
  }
  return parts;
}

Plan make_plan(const Convolution& c, const Registers& registers, int threads) {
  Plan plan;
  plan.lanes = registers.lanes;
  plan.runs = ceil_div(c.columns, registers.longest);
  plan.run = ceil_div(c.columns, plan.runs);
  plan.panels = ceil_div(c.out, 2 * plan.lanes);
  plan.copied = c.padded || c.dtype != DType::f32 || c.x.layout == Layout::plain ||
                (c.x.layout == Layout::channels_last && c.columns > 1 &&
                 conflicting(c.x.column * c.stride[1]));
  const double flops = 2.0 * static_cast<double>(c.images * c.rows * c.columns) *
                       static_cast<double>(c.out * c.products());
  const double bytes = 4 * static_cast<double>(c.out * c.products());
  const auto tasks = static_cast<int64_t>(
      std::clamp((flops + byte_flops * bytes) / task_flops, 1.0,
                 static_cast<double>(threads > 1 ? tasks_per_thread * threads : 1)));
  const int64_t x_floats = c.images * c.in * c.height * c.width;
  const bool many_weights = c.out * c.products() > x_floats;
  plan.by_channels = many_weights && !plan.copied;
  const auto cut_channels = [&](int64_t parts) {
    plan.piece.panels = {0, ceil_div(plan.panels, parts)};
    plan.parts = ceil_div(plan.panels, plan.piece.panels.end);
  };
  cut_channels(many_weights ? std::min(plan.panels, tasks) : 1);
  const int64_t bands = ceil_div(tasks, plan.parts), x_bands = ceil_div(x_floats * 4, task_bytes);
  cut_positions(c, std::max(bands, x_bands), registers.together, threads, plan);
  if (plan.parts * plan.bands < tasks)
    cut_channels(std::min(plan.panels, ceil_div(tasks, plan.bands)));
  return plan;
}

Region Plan::region(const Convolution& c, int64_t task) const {
  const int64_t part = by_channels ? task / bands : task % parts;
  int64_t band = band_of(task);
  const auto cut = [](int64_t index, const Range& size, int64_t end) -> Range {
    return {index * size.end, std::min(end, (index + 1) * size.end)};
  };
  const int64_t run_band = band % run_bands;
  band /= run_bands;
  return {cut(band / row_bands, piece.images, c.images), cut(band % row_bands, piece.rows, c.rows),
          cut(run_band, piece.runs, runs), cut(part, piece.panels, panels)};
}

Window window_of(const Convolution& c, const Plan& plan, const Region& region) {
  const auto reach = [&](int axis, int64_t first, int64_t last) -> Range {
    return {first * c.stride[axis] - c.padding[axis],
            last * c.stride[axis] - c.padding[axis] + (c.kernel[axis] - 1) * c.dilation[axis] + 1};
  };
  return {reach(0, region.rows.begin, region.rows.end - 1),
          reach(1, plan.first(c.columns, region.runs.begin),
                plan.first(c.columns, region.runs.end - 1) + plan.run - 1)};
}

int64_t copy_floats(const Convolution& c, const Plan& plan) {
  if (!plan.copied) return 0;
  const Window window = window_of(c, plan, plan.piece);
  const int64_t channels = c.in < block ? c.in : ceil_div(c.in, block) * block;
  return plan.piece.images.size() * channels * window.rows.size() * window.columns.size();
}

}  // namespace fovea::simd::direct
