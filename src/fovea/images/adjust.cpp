#include "fovea/images/adjust.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "fovea/core/error.h"

namespace fovea {
namespace {

using Table = std::array<uint8_t, 256>;

/// The values of an image. Errors: usage when it is not an image.
std::span<uint8_t> values_of(const char* who, Array& image) {
  if (image.dtype() == DType::u8 && image.shape().rank() == 3 && image.numel() > 0) {
    return image.data<uint8_t>();
  }
  throw Error(ErrorKind::usage, fmt::format("{} needs images u8[H, W, C]", who))
      .with("found", describe(image));
}

/// from + share * (to - from), clipped and truncated, as Pillow blends images.
uint8_t blended(int from, int to, float share) {
  const float value = static_cast<float>(from) + share * static_cast<float>(to - from);
  return static_cast<uint8_t>(std::clamp(value, 0.0F, 255.0F));
}

/// As to_gray for an Image.
uint8_t gray_of(const uint8_t* rgb) {
  return static_cast<uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
}

template <class F>
Table table_of(const F& value) {
  Table table;
  for (int i = 0; i < 256; ++i) table[static_cast<size_t>(i)] = static_cast<uint8_t>(value(i));
  return table;
}

void map_values(std::span<uint8_t> values, const Table& table) {
  for (uint8_t& value : values) value = table[value];
}

using Histogram = std::array<int64_t, 256>;

/// Maps the values of each channel by the table that `make` computes from its histogram.
template <class Make>
void map_channels(const char* who, Array& image, const Make& make) {
  const std::span<uint8_t> values = values_of(who, image);
  const auto channels = static_cast<size_t>(image.dim(2));
  for (size_t c = 0; c < channels; ++c) {
    Histogram histogram{};
    for (size_t i = c; i < values.size(); i += channels) ++histogram[values[i]];
    const Table table = make(histogram);
    for (size_t i = c; i < values.size(); i += channels) values[i] = table[values[i]];
  }
}

struct Hsv {
  int hue, saturation, value;  ///< 0 to 255 each; hue 255 is a full turn
};

/// Rounded where Pillow rounds, so that the bytes are the same.
Hsv hsv_of(const uint8_t* rgb) {
  const int high = std::max({rgb[0], rgb[1], rgb[2]}), low = std::min({rgb[0], rgb[1], rgb[2]});
  if (high == low) return {0, 0, high};
  const auto spread = static_cast<float>(high - low);
  const auto below = [&](int c) -> double { return static_cast<float>(high - rgb[c]) / spread; };
  double sector = 0;
  if (rgb[0] == high) {
    sector = below(2) - below(1);
  } else if (rgb[1] == high) {
    sector = 2 + below(0) - below(2);
  } else {
    sector = 4 + below(1) - below(0);
  }
  double turn = static_cast<float>(sector) / 6.0 + 1;  // of 5/6 to 11/6
  if (turn >= 1) turn -= 1;
  const float saturation = spread / static_cast<float>(high);
  return {static_cast<int>(static_cast<float>(turn) * 255.0), static_cast<int>(saturation * 255.0),
          high};
}

void put_rgb(const Hsv& hsv, uint8_t* rgb) {
  const auto value = static_cast<float>(hsv.value);
  const float sixths = static_cast<float>(hsv.hue) * 6.0F / 255.0F;
  const auto sector = static_cast<int>(sixths);
  const float within = sixths - static_cast<float>(sector);
  const float share = static_cast<float>(hsv.saturation) / 255.0F;
  const auto rounded = [&](float less) { return static_cast<uint8_t>(value * (1 - less) + 0.5F); };
  const auto v = static_cast<uint8_t>(hsv.value);
  const uint8_t p = rounded(share), q = rounded(share * within), t = rounded(share * (1 - within));
  const uint8_t colors[6][3] = {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}};
  std::copy_n(colors[sector % 6], 3, rgb);
}

/// The index of a pixel beyond the border, mirrored, however far.
int mirrored(int i, int size) {
  while (i < 0 || i >= size) {
    if (size == 1) return 0;
    i = i < 0 ? -i : 2 * (size - 1) - i;
  }
  return i;
}

/// exp(-d^2 / (2 sigma^2)) for d = -size/2 .. size/2, divided by the sum.
std::vector<float> bell(int size, double sigma) {
  std::vector<double> exact(static_cast<size_t>(size));
  double sum = 0;
  for (int i = 0; i < size; ++i) {
    const double d = (i - size / 2) / sigma;
    sum += exact[static_cast<size_t>(i)] = std::exp(-0.5 * d * d);
  }
  std::vector<float> weights;
  for (const double w : exact) weights.push_back(static_cast<float>(w / sum));
  return weights;
}

}  // namespace

void adjust_brightness(Array& image, double factor) {
  const auto share = static_cast<float>(factor);
  map_values(values_of("adjust_brightness", image),
             table_of([&](int v) { return blended(0, v, share); }));
}

void adjust_contrast(Array& image, double factor) {
  const std::span<uint8_t> values = values_of("adjust_contrast", image);
  int64_t sum = 0;
  int64_t count = std::ssize(values);
  if (image.dim(2) == 3) {
    count /= 3;
    for (size_t i = 0; i < values.size(); i += 3) sum += gray_of(values.data() + i);
  } else {
    for (const uint8_t value : values) sum += value;
  }
  const auto mean = static_cast<int>(static_cast<double>(sum) / static_cast<double>(count) + 0.5);
  const auto share = static_cast<float>(factor);
  map_values(values, table_of([&](int v) { return blended(mean, v, share); }));
}

void adjust_saturation(Array& image, double factor) {
  const std::span<uint8_t> values = values_of("adjust_saturation", image);
  if (image.dim(2) != 3) return;
  const auto share = static_cast<float>(factor);
  for (size_t i = 0; i < values.size(); i += 3) {
    uint8_t* rgb = values.data() + i;
    const int gray = gray_of(rgb);
    for (int c = 0; c < 3; ++c) rgb[c] = blended(gray, rgb[c], share);
  }
}

void adjust_hue(Array& image, double shift) {
  const std::span<uint8_t> values = values_of("adjust_hue", image);
  if (image.dim(2) != 3) return;
  const auto steps = static_cast<int>(shift * 255);
  for (size_t i = 0; i < values.size(); i += 3) {
    uint8_t* rgb = values.data() + i;
    Hsv hsv = hsv_of(rgb);
    hsv.hue = (hsv.hue + steps) & 255;
    put_rgb(hsv, rgb);
  }
}

void adjust_sharpness(Array& image, double factor) {
  const std::span<uint8_t> values = values_of("adjust_sharpness", image);
  const int64_t height = image.dim(0), width = image.dim(1), channels = image.dim(2);
  if (height < 3 || width < 3) return;
  const auto share = static_cast<float>(factor);
  const int64_t row = width * channels;
  // A row is written while the one above it is still needed unchanged.
  std::vector<uint8_t> above(values.begin(), values.begin() + row), here(above.size());
  for (int64_t y = 1; y < height - 1; ++y) {
    uint8_t* out = values.data() + y * row;
    const uint8_t* below = out + row;
    std::copy_n(out, row, here.begin());
    for (int64_t i = channels; i < row - channels; ++i) {
      const auto three = [&](const uint8_t* r) { return r[i - channels] + r[i] + r[i + channels]; };
      const int sum = three(above.data()) + three(here.data()) + three(below) +
                      4 * here[static_cast<size_t>(i)];
      const int smooth = (2 * sum + 13) / 26;  // thirteenths, rounded
      out[i] = blended(smooth, here[static_cast<size_t>(i)], share);
    }
    std::swap(above, here);
  }
}

void grayscale(Array& image) {
  const std::span<uint8_t> values = values_of("grayscale", image);
  if (image.dim(2) != 3) return;
  for (size_t i = 0; i < values.size(); i += 3) {
    std::fill_n(values.data() + i, 3, gray_of(values.data() + i));
  }
}

void invert(Array& image) {
  for (uint8_t& value : values_of("invert", image)) value = static_cast<uint8_t>(255 - value);
}

void posterize(Array& image, int bits) {
  const int mask = 0xFF00 >> bits;
  for (uint8_t& value : values_of("posterize", image)) value = static_cast<uint8_t>(value & mask);
}

void solarize(Array& image, double threshold) {
  map_values(values_of("solarize", image),
             table_of([&](int v) { return v < threshold ? v : 255 - v; }));
}

void autocontrast(Array& image) {
  map_channels("autocontrast", image, [](const Histogram& histogram) {
    const auto some = [](int64_t count) { return count > 0; };
    const auto low = std::ranges::find_if(histogram, some) - histogram.begin();
    const auto high =
        255 - (std::find_if(histogram.rbegin(), histogram.rend(), some) - histogram.rbegin());
    if (high <= low) return table_of([](int v) { return v; });
    const double scale = 255.0 / static_cast<double>(high - low);
    const double offset = -static_cast<double>(low) * scale;
    return table_of(
        [&](int v) { return std::clamp(static_cast<int>(v * scale + offset), 0, 255); });
  });
}

void equalize(Array& image) {
  map_channels("equalize", image, [](const Histogram& histogram) {
    int64_t total = 0, last = 0;
    for (const int64_t count : histogram) {
      total += count;
      if (count > 0) last = count;
    }
    const int64_t step = (total - last) / 255;
    if (step == 0) return table_of([](int v) { return v; });
    int64_t sum = step / 2;
    return table_of([&](int v) {
      const int64_t value = std::min<int64_t>(sum / step, 255);
      sum += histogram[static_cast<size_t>(v)];
      return value;
    });
  });
}

void gaussian_blur(Array& image, int size, double sigma) {
  const std::span<uint8_t> values = values_of("gaussian_blur", image);
  if (size < 1 || size % 2 == 0 || !(sigma > 0)) {
    throw Error(
        ErrorKind::usage,
        fmt::format(
            "gaussian_blur: size is {} and sigma {}; an odd size and a sigma above 0 are expected",
            size, sigma));
  }
  const int height = static_cast<int>(image.dim(0)), width = static_cast<int>(image.dim(1));
  const auto channels = static_cast<size_t>(image.dim(2));
  const size_t row = static_cast<size_t>(width) * channels;
  const std::vector<float> weights = bell(size, sigma);
  const int half = size / 2;
  // Along the rows, with both ends mirrored, then down the columns.
  std::vector<float> across(values.size()), padded(row + static_cast<size_t>(2 * half) * channels);
  std::vector<float> sum(row);
  for (int y = 0; y < height; ++y) {
    const uint8_t* in = values.data() + static_cast<size_t>(y) * row;
    for (int x = -half; x < width + half; ++x) {
      const uint8_t* pixel = in + static_cast<size_t>(mirrored(x, width)) * channels;
      std::copy_n(pixel, channels, padded.data() + static_cast<size_t>(x + half) * channels);
    }
    float* out = across.data() + static_cast<size_t>(y) * row;
    std::fill_n(out, row, 0.0F);
    for (size_t k = 0; k < weights.size(); ++k) {
      for (size_t i = 0; i < row; ++i) out[i] += weights[k] * padded[i + k * channels];
    }
  }
  for (int y = 0; y < height; ++y) {
    std::fill(sum.begin(), sum.end(), 0.5F);
    for (int k = 0; k < size; ++k) {
      const float weight = weights[static_cast<size_t>(k)];
      const float* in = across.data() + static_cast<size_t>(mirrored(y + k - half, height)) * row;
      for (size_t i = 0; i < row; ++i) sum[i] += weight * in[i];
    }
    uint8_t* out = values.data() + static_cast<size_t>(y) * row;
    for (size_t i = 0; i < row; ++i) out[i] = static_cast<uint8_t>(std::min(sum[i], 255.0F));
  }
}

}  // namespace fovea
