#include "fovea/draw/heat.h"

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/draw/chart.h"
#include "fovea/images/resize.h"

namespace fovea::draw {
namespace {

void check_map(const Array& map) {
  if (map.dtype() == DType::f32 && map.shape().rank() == 2 && map.numel() > 0) return;
  throw Error(ErrorKind::usage, "a heat map has values f32 [H, W]").with("found", describe(map));
}

void put(uint8_t* pixel, Color color) {
  pixel[0] = color.red;
  pixel[1] = color.green;
  pixel[2] = color.blue;
}

Image colored(std::span<const float> values, int64_t height, int64_t width, const Range& range,
              const Colormap& colors) {
  Image image = Image::black(static_cast<int>(height), static_cast<int>(width), 3);
  for (size_t i = 0; i < values.size(); ++i) put(&image.pixels[3 * i], colors(range(values[i])));
  return image;
}

}  // namespace

Image heat_image(const Array& map, const Range& range, const Colormap& colors) {
  check_map(map);
  return colored(map.data<float>(), map.dim(0), map.dim(1), range, colors);
}

Array resized_map(const Array& map, int height, int width) {
  check_map(map);
  if (height < 1 || width < 1)
    throw Error(ErrorKind::usage, "a heat map needs sides of at least 1");
  const std::span<const float> from = map.data<float>();
  Array result(DType::f32, {height, width});
  const std::span<float> to = result.data<float>();
  struct Place {
    int64_t first, second;
    float share;  // of the second
  };
  const auto place = [](int i, int64_t in, int out) {
    const double at =
        std::max((i + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5, 0.0);
    const auto first = std::min(static_cast<int64_t>(at), in - 1);
    return Place{first, std::min(first + 1, in - 1),
                 static_cast<float>(at - static_cast<double>(first))};
  };
  const int64_t columns = map.dim(1);
  for (int y = 0; y < height; ++y) {
    const Place v = place(y, map.dim(0), height);
    for (int x = 0; x < width; ++x) {
      const Place h = place(x, columns, width);
      const auto row = [&](int64_t r) {
        const float a = from[static_cast<size_t>(r * columns + h.first)];
        const float b = from[static_cast<size_t>(r * columns + h.second)];
        return a + (b - a) * h.share;
      };
      const float top = row(v.first), bottom = row(v.second);
      to[static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)] =
          top + (bottom - top) * v.share;
    }
  }
  return result;
}

Image overlay(const Image& picture, const Array& map, const Range& range,
              const OverlayOptions& options) {
  Image image = to_rgb(picture);
  const Image heat =
      heat_image(resized_map(map, image.height, image.width), range, colormap(options.colormap));
  const double opacity = std::clamp(options.opacity, 0.0, 1.0);
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    const double mixed = image.pixels[i] * (1 - opacity) + heat.pixels[i] * opacity;
    image.pixels[i] = static_cast<uint8_t>(std::lround(mixed));
  }
  return image;
}

Image with_color_bar(const Image& picture, const Range& range, const Colormap& colors) {
  const int scale = picture.height >= 160 ? 2 : 1;
  const int margin = 6 * scale, bar = 10 * scale, text = letter_height * scale;
  const Ticks ticks = range.high > range.low
                          ? nice_ticks(range.low, range.high, picture.height >= 160 ? 5 : 3)
                          : Ticks{{range.low}, {tick_text(range.low)}};
  int widest = 0;
  for (const std::string& label : ticks.labels) widest = std::max(widest, text_width(label, scale));
  Canvas canvas(picture.height + 2 * margin, picture.width + 3 * margin + bar + 3 * scale + widest);
  canvas.paste(picture, margin, margin);
  const double left = picture.width + 2.0 * margin, height = picture.height;
  for (int y = 0; y < picture.height; ++y) {
    canvas.fill({static_cast<double>(margin + y), left, 1, static_cast<double>(bar)},
                colors(range.high > range.low ? 1 - (y + 0.5) / height : 0.5));
  }
  for (size_t i = 0; i < ticks.values.size(); ++i) {
    const double y = margin + height * (1 - range(ticks.values[i]));
    canvas.fill({y - scale / 2.0, left + bar, static_cast<double>(scale), 2.0 * scale}, ink);
    canvas.text(std::clamp(y - 3.5 * scale, 0.0, static_cast<double>(canvas.height() - text)),
                left + bar + 3 * scale, ticks.labels[i], {.scale = scale});
  }
  return std::move(canvas).image();
}

std::vector<Image> channel_images(const Array& maps, const Range* range, const Colormap& colors) {
  if (maps.dtype() != DType::f32 || maps.shape().rank() != 3 || maps.numel() == 0) {
    throw Error(ErrorKind::usage, "channels are drawn from f32 [C, H, W]")
        .with("found", describe(maps));
  }
  const int64_t size = maps.dim(1) * maps.dim(2);
  std::vector<Image> images;
  for (int64_t c = 0; c < maps.dim(0); ++c) {
    const auto values =
        maps.data<float>().subspan(static_cast<size_t>(c * size), static_cast<size_t>(size));
    images.push_back(
        colored(values, maps.dim(1), maps.dim(2), range ? *range : min_max(values), colors));
  }
  return images;
}

Image rgb_image(const Array& values, const Range& range) {
  if (values.dtype() != DType::f32 || values.shape().rank() != 3 || values.dim(0) != 3 ||
      values.numel() == 0) {
    throw Error(ErrorKind::usage, "a colour picture is made from f32 [3, H, W]")
        .with("found", describe(values));
  }
  Image image = Image::black(static_cast<int>(values.dim(1)), static_cast<int>(values.dim(2)), 3);
  const std::span<const float> data = values.data<float>();
  const size_t size = data.size() / 3;
  for (size_t i = 0; i < size; ++i) {
    for (size_t c = 0; c < 3; ++c) {
      const double value = range(data[c * size + i]);
      image.pixels[3 * i + c] = static_cast<uint8_t>(
          std::isnan(value) ? 128 : std::lround(255 * std::clamp(value, 0.0, 1.0)));
    }
  }
  return image;
}

Image input_image(const Array& values, const Range& range) {
  if (values.dim(0) == 3) return rgb_image(values, range);
  return to_rgb(channel_images(values, &range, colormap("gray"))[0]);
}

}  // namespace fovea::draw
