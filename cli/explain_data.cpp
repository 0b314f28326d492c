#include "explain_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/data/pictures.h"
#include "fovea/draw/heat.h"
#include "fovea/images/resize.h"

namespace fovea::cli {

void ExplainData::add(Command command, const std::string& help) {
  command.text("--data", data, help, "DATA");
  split = "train";
  command.word("--split", split, "Which of its samples", {"train", "test"});
  command.count("--limit", limit, "Use at most N samples, evenly spaced", 1, 10'000'000);
}

std::shared_ptr<const data::Dataset> ExplainData::open(const Predictor& predictor,
                                                       Console& console) const {
  const data::DataSets sets = open_data(data, predictor, console);
  std::shared_ptr<const data::Dataset> samples = split == "train" ? sets.train : sets.test;
  if (!samples || samples->size() == 0) {
    throw Error(ErrorKind::usage, fmt::format("explain: {} has no {} samples", data, split))
        .with("try", fmt::format("--split {}", split == "train" ? "test" : "train"));
  }
  samples = predictor.prepared(std::move(samples));
  if (limit > 0 && limit < samples->size()) {
    std::vector<int64_t> some;
    for (int64_t i = 0; i < limit; ++i) some.push_back(i * samples->size() / limit);
    samples = std::make_shared<data::Subset>(std::move(samples), std::move(some));
  }
  return samples;
}

Image sample_picture(const data::Dataset& samples, int64_t i) {
  const Array input = samples.sample(i).input;
  return data::input_picture(input, samples.modality().get());
}

Image thumbnail(const Image& picture, int side) {
  const int longer = std::max(picture.height, picture.width);
  const auto scaled = [&](int length) {
    return std::max(1, static_cast<int>(std::lround(static_cast<double>(length) * side / longer)));
  };
  return to_rgb(resize(picture, scaled(picture.height), scaled(picture.width),
                       longer < side ? Filter::nearest : Filter::bilinear));
}

draw::Color class_color(int64_t index, int64_t count) {
  if (count <= 8) return draw::series_color(static_cast<size_t>(index));
  // Hues at equal distances, in two degrees of lightness.
  const double hue = 6 * static_cast<double>(index) / static_cast<double>(count);
  const double light = index % 2 == 0 ? 0.85 : 0.6;
  const auto part = [&](double shift) {
    const double k = std::fmod(hue + shift, 6);
    const double v = 1 - 0.85 * std::clamp(std::min(k, 4 - k), 0.0, 1.0);
    return static_cast<uint8_t>(std::lround(255 * light * v));
  };
  return {part(5), part(3), part(1)};
}

}  // namespace fovea::cli
