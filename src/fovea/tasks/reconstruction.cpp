#include "fovea/tasks/reconstruction.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/data/unlabelled.h"
#include "fovea/draw/heat.h"
#include "fovea/images/codec.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/distance.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/tasks/builtin.h"

namespace fovea::tasks {
namespace {

constexpr std::string_view mse_name = "mse", l1_name = "l1", ssim_name = "ssim";
constexpr double smallest_mse = 1e-10;  // of psnr, which is 100 dB there

/// Errors: usage when the net does not give what it took.
void require_same(const Tensor& output, const Tensor& input) {
  if (output.shape() == input.shape()) return;
  throw Error(ErrorKind::usage, "reconstruct: the net does not give back what it takes")
      .with("input", to_string(input.type()))
      .with("output", to_string(output.type()))
      .with("try", "an autoencoder, such as --model autoencoder, and sides that it can halve");
}

/// [N]: the mean over each sample.
Tensor sample_means(const Tensor& x) { return mean(flatten(x), {1}); }

Tensor total(const Tensor& each) { return sum(cast(each, DType::f64)); }

/// A metric that is the mean over the samples of `of`, which gives [N].
Metric mean_of(std::string name, Better better, bool in_training,
               Tensor (*of)(const Tensor& output, const Tensor& input)) {
  return {.name = std::move(name),
          .better = better,
          .in_training = in_training,
          .sum = [of](const Tensor& output, const Tensor& input) {
            const Tensor y = cast(output, DType::f32), x = cast(input, DType::f32);
            require_same(y, x);
            return total(of(y, x));
          }};
}

Tensor squared(const Tensor& y, const Tensor& x) {
  return sample_means(mse_loss(y, x, Reduction::none));
}
Tensor absolute(const Tensor& y, const Tensor& x) {
  return sample_means(smooth_l1_loss(y, x, 0, Reduction::none));
}
Tensor decibels(const Tensor& y, const Tensor& x) {
  return log(maximum(squared(y, x), smallest_mse)) * (-10 / std::log(10.0));
}
Tensor similarity(const Tensor& y, const Tensor& x) { return ssim(y, x); }

double psnr_of(double mse) { return -10 * std::log10(std::max(mse, smallest_mse)); }

/// Two pictures of one size side by side, with a white line between them.
Image beside(const Image& left, const Image& right) {
  constexpr int gap = 2;
  Image both = Image::black(left.height, left.width + gap + right.width, left.channels);
  std::ranges::fill(both.pixels, uint8_t{255});
  for (int y = 0; y < left.height; ++y) {
    const int row = left.width * left.channels;
    std::copy_n(left.at(y, 0), row, both.at(y, 0));
    std::copy_n(right.at(y, 0), row, both.at(y, left.width + gap));
  }
  return both;
}

}  // namespace

Entry reconstruction_entry() {
  return {.name = std::string(Reconstruction::id),
          .help = "the inputs themselves: mean squared error; mse, mae, psnr, ssim",
          .fits = [](const data::Targets& targets) { return data::are_none(targets.type); },
          .make = [](const data::Targets& targets,
                     const Arguments&) { return std::make_unique<Reconstruction>(targets); },
          .targets = [](int64_t,
                        const std::vector<std::string>&) { return data::no_targets(DType::u8); },
          .sets = data::unlabelled};
}

Reconstruction::Reconstruction(data::Targets targets) : targets_(std::move(targets)) {
  if (data::are_none(targets_.type)) return;
  throw Error(ErrorKind::usage, "reconstruct: the data have targets of another task")
      .with("found", to_string(targets_.type));
}

std::vector<std::string> Reconstruction::losses() const {
  std::vector<std::string> names{std::string(mse_name), std::string(l1_name)};
  if (of_pictures()) names.emplace_back(ssim_name);
  return names;
}

Tensor Reconstruction::loss(const Tensor& output, const Tensor& target,
                            const LossOptions& options) const {
  if (options.label_smoothing != 0) {
    throw Error(ErrorKind::usage, "reconstruct: there are no labels to smooth")
        .with("found", fmt::format("label_smoothing {}", format_number(options.label_smoothing)));
  }
  require_same(output, target);
  const Tensor wanted = cast(target, output.dtype());
  const std::vector<std::string> terms =
      options.losses.empty() ? std::vector{std::string(mse_name)} : options.losses;
  Tensor all;
  for (const std::string& term : terms) {
    const Tensor one = term == ssim_name ? 1 - mean(ssim(output, wanted))
                       : term == l1_name ? smooth_l1_loss(output, wanted, 0)
                                         : mse_loss(output, wanted);
    all = all ? all + one : one;
  }
  return all;
}

std::vector<Metric> Reconstruction::metrics() const {
  std::vector<Metric> all{mean_of("mse", Better::smaller, true, squared),
                          mean_of("mae", Better::smaller, false, absolute)};
  if (!of_pictures()) return all;
  all.push_back(mean_of("psnr", Better::larger, false, decibels));
  all.push_back(mean_of("ssim", Better::larger, false, similarity));
  return all;
}

Tensor Reconstruction::explained(const Tensor& output, const std::optional<Region>& region) const {
  Tensor part = cast(output, DType::f32);
  if (region) {
    const Region& r = *region;
    if (part.rank() != 4 || r.top < 0 || r.left < 0 || r.bottom > part.dim(2) ||
        r.right > part.dim(3) || r.top >= r.bottom || r.left >= r.right) {
      throw Error(ErrorKind::usage, "explain: the net gives nothing back for this place")
          .with("place", fmt::format("rows {} to {}, columns {} to {} of its output", r.top,
                                     r.bottom - 1, r.left, r.right - 1))
          .with("output", to_string(output.type()));
    }
    part = slice(slice(part, 2, r.top, r.bottom), 3, r.left, r.right);
  }
  std::vector<int> places;
  for (int axis = 2; axis < part.rank(); ++axis) places.push_back(axis);
  return mean(part, places);
}

std::unique_ptr<Prediction> Reconstruction::predict(const Array& decoded, int64_t i,
                                                    int64_t) const {
  auto prediction = std::make_unique<ReconstructionPrediction>();
  const Shape both = decoded.shape().slice(1), one = Shape{both[0] / 2}.concat(both.slice(1));
  prediction->of_picture = of_pictures();
  prediction->reconstruction = Array(DType::f32, one);
  prediction->input = Array(DType::f32, one);
  const int64_t count = one.numel(), first = 2 * i * count;
  for (int64_t k = 0; k < count; ++k) {
    const double y = decoded.at(first + k), x = decoded.at(first + count + k);
    prediction->reconstruction.set(k, y);
    prediction->input.set(k, x);
    prediction->mse += (y - x) * (y - x) / static_cast<double>(count);
  }
  return prediction;
}

Cells Reconstruction::scored(const Array& decoded, const Array&, int64_t i) const {
  return predict(decoded, i, 0)->cells();
}

std::string ReconstructionPrediction::text() const {
  std::string line = fmt::format("  mse {:.6f}", mse);
  if (of_picture) line += fmt::format("  psnr {:.2f} dB", psnr_of(mse));
  return line + "\n";
}

Json ReconstructionPrediction::json() const {
  Json document{{"mse", mse}};
  if (of_picture) document["psnr"] = psnr_of(mse);
  return document;
}

Cells ReconstructionPrediction::cells() const {
  Cells cells{{"mse", format_number(mse)}};
  if (of_picture) cells.emplace_back("psnr", format_number(psnr_of(mse)));
  return cells;
}

std::vector<PredictedPicture> ReconstructionPrediction::pictures(const ShownInput&) const {
  const Shape& shape = input.shape();
  if (!of_picture || shape.rank() != 3 || (shape[0] != 1 && shape[0] != 3)) return {};
  const Image made = draw::input_image(reconstruction, {0, 1});
  return {{"reconstruction", png_bytes(made)},
          {"beside", png_bytes(beside(draw::input_image(input, {0, 1}), made))}};
}

std::vector<std::pair<std::string, Array>> ReconstructionPrediction::arrays() const {
  return {{"reconstruction", reconstruction}};
}

}  // namespace fovea::tasks
