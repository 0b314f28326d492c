#include "fovea/data/volume.h"
#include "fovea/core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/data/frames.h"
#include "fovea/data/nifti.h"
#include "fovea/draw/heat.h"
#include "fovea/formats/npy.h"
#include "fovea/images/resize.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view volume_suffixes[] = {".nii", ".nii.gz", ".npy"};

const Choice& volume_choice() {
  static const Choice choice{
      .name = "volume",
      .arguments =
          {{.name = "size", .type = ArgumentType::integers, .minimum = 1, .maximum = 4096},
           {.name = "channels", .type = ArgumentType::integer, .minimum = 1, .maximum = 1024}},
      .help = "NIfTI-1 and .npy files"};
  return choice;
}

/// The suffix that a name ends with, in any case; "" for none.
std::string_view suffix_of(std::string_view name) {
  const std::string small = lower(name);
  for (const std::string_view suffix : volume_suffixes) {
    if (small.size() > suffix.size() && small.ends_with(suffix)) return suffix;
  }
  return "";
}

/// To mean 0 and deviation 1, of the finite values; the others become the mean. Returns the
/// smallest. Errors: data when there are no finite values.
double normalize(Array& values, const fs::path& file) {
  const std::span<float> all = values.data<float>();
  double count = 0, sum = 0, squares = 0, smallest = 0;
  for (const float v : all) {
    if (!std::isfinite(v)) continue;
    smallest = count == 0 ? v : std::min<double>(smallest, v);
    ++count;
    sum += v;
  }
  if (count == 0)
    throw Error(ErrorKind::data, fmt::format("{}: has no finite number", file.string()));
  const double mean = sum / count;
  for (const float v : all) {
    if (std::isfinite(v)) squares += (v - mean) * (v - mean);
  }
  const double deviation = std::sqrt(squares / count);
  const double scale = deviation > 1e-6 * std::abs(mean) ? 1 / deviation : 1;
  for (float& v : all) v = std::isfinite(v) ? static_cast<float>((v - mean) * scale) : 0;
  return (smallest - mean) * scale;
}

}  // namespace

bool is_volume_name(const fs::path& path) { return !suffix_of(path.filename().string()).empty(); }

std::string volume_stem(const std::string& name) {
  return name.substr(0, name.size() - suffix_of(name).size());
}

VoxelAxes volume_axes(const fs::path& file) {
  return suffix_of(file.filename().string()) != ".npy" ? nifti_axes(file) : VoxelAxes{};
}

Array read_volume(const fs::path& file, const VoxelAxes* axes) {
  if (suffix_of(file.filename().string()) != ".npy") return read_nifti(file, axes);
  const Array values = read_npy(file);
  const int rank = values.shape().rank();
  if ((rank == 3 || rank == 4) && values.numel() > 0 && values.numel() <= largest_volume)
    return turned(values.astype(DType::f32)
                      .reshaped(rank == 4 ? values.shape() : Shape{1}.concat(values.shape())),
                  axes != nullptr ? *axes : VoxelAxes{});
  throw Error(ErrorKind::data, fmt::format("{}: is not a volume", file.string()))
      .with("found", describe(values))
      .with("expected",
            fmt::format("[D, H, W] or [C, D, H, W], of at most {} numbers", largest_volume));
}

Array centered(const Array& values, int64_t depth, int64_t height, int64_t width, double beside) {
  const Shape to{values.dim(0), depth, height, width};
  if (values.shape() == to) return values;
  Array result = Array::full(DType::f32, to, beside);
  const std::span<const float> from = values.data<float>();
  const std::span<float> out = result.data<float>();
  // Along each axis: how many rows are copied, from where, to where.
  struct Part {
    int64_t count, from, to;
  };
  const auto part = [&](int axis) {
    const int64_t had = values.dim(axis), wanted = to[axis];
    return Part{std::min(had, wanted), std::max<int64_t>(had - wanted, 0) / 2,
                std::max<int64_t>(wanted - had, 0) / 2};
  };
  const Part d = part(1), h = part(2), w = part(3);
  for (int64_t c = 0; c < to[0]; ++c) {
    for (int64_t z = 0; z < d.count; ++z) {
      for (int64_t y = 0; y < h.count; ++y) {
        const int64_t source =
            ((c * values.dim(1) + d.from + z) * values.dim(2) + h.from + y) * values.dim(3) +
            w.from;
        const int64_t place = ((c * depth + d.to + z) * height + h.to + y) * width + w.to;
        std::copy_n(from.begin() + source, w.count, out.begin() + place);
      }
    }
  }
  return result;
}

Array middle_slices(const Array& values, double beside,
                    std::optional<std::array<int64_t, 3>> through) {
  const int64_t depth = values.dim(0), height = values.dim(1), width = values.dim(2);
  const auto [z0, y0, x0] = through.value_or(std::array{depth / 2, height / 2, width / 2});
  const int64_t rows = std::max(height, depth);
  constexpr int64_t gap = 1;
  Array result = Array::full(DType::f32, {rows, width + gap + width + gap + height}, beside);
  const auto at = [&](int64_t z, int64_t y, int64_t x) {
    return values.at((z * height + y) * width + x);
  };
  const auto put = [&](int64_t y, int64_t x, double value) {
    result.set(y * result.dim(1) + x, value);
  };
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) put(y, x, at(z0, y, x));
  }
  for (int64_t z = 0; z < depth; ++z) {
    for (int64_t x = 0; x < width; ++x) put(z, width + gap + x, at(z, y0, x));
    for (int64_t y = 0; y < height; ++y) put(z, 2 * (width + gap) + y, at(z, y, x0));
  }
  return result;
}

ModalityEntry volume_entry() {
  return {
      .choice = volume_choice(), .make = [](const Arguments& a) -> std::shared_ptr<const Modality> {
        const std::vector<int64_t>& size = a.integers("size");
        return std::make_shared<VolumeModality>(VolumeOptions{.depth = size.front(),
                                                              .height = size[size.size() / 2],
                                                              .width = size.back(),
                                                              .channels = a.integer("channels")});
      }};
}

VolumeModality::VolumeModality(const VolumeOptions& options) : options_(options) {
  const auto [depth, height, width, channels] = options;
  int64_t count = 1;
  bool fits = true;
  for (const int64_t side : {depth, height, width, channels}) {
    fits = fits && side >= 1 && side <= largest_volume / count;
    if (fits) count *= side;
  }
  if (fits) return;
  throw Error(ErrorKind::usage,
              fmt::format("volumes: {}x{}x{} of {} channels is no size of at most {} voxels", depth,
                          height, width, channels, largest_volume));
}

std::string VolumeModality::text() const {
  return to_text(volume_choice(),
                 {{"size", std::vector<int64_t>{options_.depth, options_.height, options_.width}},
                  {"channels", options_.channels}});
}

bool VolumeModality::takes(const fs::path& file) const { return is_volume_name(file); }

Type VolumeModality::input() const {
  return {DType::f32, {options_.channels, options_.depth, options_.height, options_.width}};
}

Array VolumeModality::read(const fs::path& file) const { return prepared(read_volume(file), file); }

VoxelAxes VolumeModality::voxel_axes(const fs::path& file) const { return volume_axes(file); }

Array VolumeModality::prepared(Array values, const fs::path& file) const {
  if (values.dim(0) != options_.channels) {
    throw Error(ErrorKind::data, fmt::format("{}: has {}, not {}", file.string(),
                                             counted(values.dim(0), "channel"), options_.channels))
        .with("found", describe(values));
  }
  const double smallest = normalize(values, file);
  return centered(values, options_.depth, options_.height, options_.width, smallest);
}

Image VolumeModality::picture(const Array& input, const Array* map) const {
  return volume_picture(input, map);
}

Image volume_picture(const Array& input, const Array* map) {
  constexpr int readable = 96;  // pixels of the smallest side of a slice
  const draw::Range range = draw::min_max(input.data<float>());
  const Array slices = middle_slices(frame(input, 0), range.low);
  const Image small = draw::heat_image(slices, range, draw::colormap("gray"));
  const int scale = std::clamp(readable / std::max(small.height, 1), 1, 8);
  const Image large = resize(small, small.height * scale, small.width * scale, Filter::nearest);
  if (map == nullptr || map->shape().rank() != 3) return large;
  // The map at the volume's size, so that its slices lie on the volume's.
  Array scaled(DType::f32, input.shape().slice(1));
  const int64_t depth = scaled.dim(0), height = scaled.dim(1), width = scaled.dim(2);
  for (int64_t z = 0; z < depth; ++z) {
    const Array plane = draw::resized_map(frame(*map, z * map->dim(0) / depth),
                                          static_cast<int>(height), static_cast<int>(width));
    std::copy_n(plane.data<float>().begin(), height * width,
                scaled.data<float>().begin() + z * height * width);
  }
  return draw::overlay(large, middle_slices(scaled, 0), {0, 1});
}

}  // namespace fovea::data
