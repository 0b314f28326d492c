#include "fovea/images/adjust.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/images/samples.h"

namespace fovea {
namespace {

template <class T>
constexpr int white_of = std::numeric_limits<T>::max();

/// from + share * (to - from), clipped and truncated, as Pillow blends images.
template <class T>
T blended(int from, int to, float share) {
  const float value = static_cast<float>(from) + share * static_cast<float>(to - from);
  return static_cast<T>(std::clamp(value, 0.0F, static_cast<float>(white_of<T>)));
}

template <class T>
using Table = std::vector<T>;  // of a value for each value

template <class T, class F>
Table<T> table_of(const F& value) {
  Table<T> table;
  table.reserve(static_cast<size_t>(white_of<T>) + 1);
  for (int i = 0; i <= white_of<T>; ++i) table.push_back(static_cast<T>(value(i)));
  return table;
}

template <class T>
void map_values(std::span<T> values, const Table<T>& table) {
  for (T& value : values) value = table[value];
}

using Histogram = std::vector<int64_t>;

/// Maps the values of each channel by the table that `make` computes from its histogram.
template <class T, class Make>
void map_channels(std::span<T> values, size_t channels, const Make& make) {
  for (size_t c = 0; c < channels; ++c) {
    Histogram histogram(static_cast<size_t>(white_of<T>) + 1);
    for (size_t i = c; i < values.size(); i += channels) ++histogram[values[i]];
    const Table<T> table = make(histogram);
    for (size_t i = c; i < values.size(); i += channels) values[i] = table[values[i]];
  }
}

size_t channels_of(const Array& image) { return static_cast<size_t>(image.dim(2)); }

/// A hue of `white` is a full turn.
struct Hsv {
  int hue, saturation, value;
};

/// Rounded where Pillow rounds, so that the bytes are the same.
template <class T>
Hsv hsv_of(const T* rgb) {
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
  constexpr double white = white_of<T>;
  return {static_cast<int>(static_cast<float>(turn) * white), static_cast<int>(saturation * white),
          high};
}

template <class T>
void put_rgb(const Hsv& hsv, T* rgb) {
  constexpr float white = white_of<T>;
  const auto value = static_cast<float>(hsv.value);
  const float sixths = static_cast<float>(hsv.hue) * 6.0F / white;
  const auto sector = static_cast<int>(sixths);
  const float within = sixths - static_cast<float>(sector);
  const float share = static_cast<float>(hsv.saturation) / white;
  const auto rounded = [&](float less) { return static_cast<T>(value * (1 - less) + 0.5F); };
  const auto v = static_cast<T>(hsv.value);
  const T p = rounded(share), q = rounded(share * within), t = rounded(share * (1 - within));
  const T colors[6][3] = {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}};
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

/// The mean gray of RGB images, otherwise the mean of all values, rounded.
template <class T>
int mean_of(std::span<const T> values, size_t channels) {
  int64_t sum = 0;
  auto count = std::ssize(values);
  if (channels == 3) {
    count /= 3;
    for (size_t i = 0; i < values.size(); i += 3) sum += gray_of(values.data() + i);
  } else {
    for (const T value : values) sum += value;
  }
  return static_cast<int>(static_cast<double>(sum) / static_cast<double>(count) + 0.5);
}

template <class T>
void sharpen(std::span<T> values, int64_t height, int64_t width, int64_t channels, float share) {
  const int64_t row = width * channels;
  // A row is written while the one above it is still needed unchanged.
  std::vector<T> above(values.begin(), values.begin() + row), here(above.size());
  for (int64_t y = 1; y < height - 1; ++y) {
    T* out = values.data() + y * row;
    const T* below = out + row;
    std::copy_n(out, row, here.begin());
    for (int64_t i = channels; i < row - channels; ++i) {
      const auto three = [&](const T* r) { return r[i - channels] + r[i] + r[i + channels]; };
      const int sum = three(above.data()) + three(here.data()) + three(below) +
                      4 * here[static_cast<size_t>(i)];
      const int smooth = (2 * sum + 13) / 26;  // thirteenths, rounded
      out[i] = blended<T>(smooth, here[static_cast<size_t>(i)], share);
    }
    std::swap(above, here);
  }
}

template <class T>
void blur(std::span<T> values, int height, int width, size_t channels,
          const std::vector<float>& weights) {
  const size_t row = static_cast<size_t>(width) * channels;
  const int size = static_cast<int>(weights.size()), half = size / 2;
  // Along the rows, with both ends mirrored, then down the columns.
  std::vector<float> across(values.size()), padded(row + static_cast<size_t>(2 * half) * channels);
  std::vector<float> sum(row);
  for (int y = 0; y < height; ++y) {
    const T* in = values.data() + static_cast<size_t>(y) * row;
    for (int x = -half; x < width + half; ++x) {
      const T* pixel = in + static_cast<size_t>(mirrored(x, width)) * channels;
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
    T* out = values.data() + static_cast<size_t>(y) * row;
    constexpr float white = white_of<T>;
    for (size_t i = 0; i < row; ++i) out[i] = static_cast<T>(std::min(sum[i], white));
  }
}

template <class T>
Table<T> autocontrast_table(const Histogram& histogram) {
  constexpr int white = white_of<T>;
  const auto some = [](int64_t count) { return count > 0; };
  const auto low = std::ranges::find_if(histogram, some) - histogram.begin();
  const auto high =
      white - (std::find_if(histogram.rbegin(), histogram.rend(), some) - histogram.rbegin());
  if (high <= low) return table_of<T>([](int v) { return v; });
  const double scale = white / static_cast<double>(high - low);
  const double offset = -static_cast<double>(low) * scale;
  return table_of<T>(
      [&](int v) { return std::clamp(static_cast<int>(v * scale + offset), 0, white); });
}

/// Of 8 bits in integers, as Pillow does; of 16 bits an image may have fewer pixels than values.
template <class T>
Table<T> equalize_table(const Histogram& histogram) {
  constexpr int white = white_of<T>;
  using Number = std::conditional_t<sizeof(T) == 1, int64_t, double>;
  int64_t total = 0, last = 0;
  for (const int64_t count : histogram) {
    total += count;
    if (count > 0) last = count;
  }
  const Number step = static_cast<Number>(total - last) / white;
  if (step == 0) return table_of<T>([](int v) { return v; });
  Number sum = step / 2;
  return table_of<T>([&](int v) {
    const auto value = static_cast<int64_t>(sum / step);
    sum += static_cast<Number>(histogram[static_cast<size_t>(v)]);
    return std::min<int64_t>(value, white);
  });
}

}  // namespace

void adjust_brightness(Array& image, double factor) {
  with_samples("adjust_brightness", image, [&]<class T>(std::span<T> values) {
    map_values(values,
               table_of<T>([&](int v) { return blended<T>(0, v, static_cast<float>(factor)); }));
  });
}

void adjust_contrast(Array& image, double factor) {
  with_samples("adjust_contrast", image, [&]<class T>(std::span<T> values) {
    const int mean = mean_of<T>(values, channels_of(image));
    map_values(values,
               table_of<T>([&](int v) { return blended<T>(mean, v, static_cast<float>(factor)); }));
  });
}

void adjust_saturation(Array& image, double factor) {
  with_samples("adjust_saturation", image, [&]<class T>(std::span<T> values) {
    if (channels_of(image) != 3) return;
    const auto share = static_cast<float>(factor);
    for (size_t i = 0; i < values.size(); i += 3) {
      T* rgb = values.data() + i;
      const int gray = gray_of<T>(rgb);
      for (int c = 0; c < 3; ++c) rgb[c] = blended<T>(gray, rgb[c], share);
    }
  });
}

void adjust_hue(Array& image, double shift) {
  with_samples("adjust_hue", image, [&]<class T>(std::span<T> values) {
    if (channels_of(image) != 3) return;
    const auto steps = static_cast<int>(shift * white_of<T>);
    for (size_t i = 0; i < values.size(); i += 3) {
      T* rgb = values.data() + i;
      Hsv hsv = hsv_of(rgb);
      hsv.hue = (hsv.hue + steps) & white_of<T>;
      put_rgb(hsv, rgb);
    }
  });
}

void adjust_sharpness(Array& image, double factor) {
  with_samples("adjust_sharpness", image, [&](auto values) {
    const int64_t height = image.dim(0), width = image.dim(1);
    if (height < 3 || width < 3) return;
    sharpen(values, height, width, image.dim(2), static_cast<float>(factor));
  });
}

void grayscale(Array& image) {
  with_samples("grayscale", image, [&]<class T>(std::span<T> values) {
    if (channels_of(image) != 3) return;
    for (size_t i = 0; i < values.size(); i += 3) {
      std::fill_n(values.data() + i, 3, gray_of<T>(values.data() + i));
    }
  });
}

void invert(Array& image) {
  with_samples("invert", image, []<class T>(std::span<T> values) {
    for (T& value : values) value = static_cast<T>(white_of<T> - value);
  });
}

void posterize(Array& image, int bits) {
  with_samples("posterize", image, [&]<class T>(std::span<T> values) {
    const int64_t mask = (int64_t{white_of<T>} << (8 * sizeof(T))) >> bits;
    for (T& value : values) value = static_cast<T>(value & mask);
  });
}

void solarize(Array& image, double threshold) {
  with_samples("solarize", image, [&]<class T>(std::span<T> values) {
    constexpr int white = white_of<T>;
    map_values(values,
               table_of<T>([&](int v) { return v < threshold * (white / 255) ? v : white - v; }));
  });
}

void autocontrast(Array& image) {
  with_samples("autocontrast", image, [&]<class T>(std::span<T> values) {
    map_channels(values, channels_of(image), autocontrast_table<T>);
  });
}

void equalize(Array& image) {
  with_samples("equalize", image, [&]<class T>(std::span<T> values) {
    map_channels(values, channels_of(image), equalize_table<T>);
  });
}

void gaussian_blur(Array& image, int size, double sigma) {
  if (size < 1 || size % 2 == 0 || !(sigma > 0)) {
    throw Error(
        ErrorKind::usage,
        fmt::format(
            "gaussian_blur: size is {} and sigma {}; an odd size and a sigma above 0 are expected",
            size, sigma));
  }
  with_samples("gaussian_blur", image, [&](auto values) {
    blur(values, static_cast<int>(image.dim(0)), static_cast<int>(image.dim(1)), channels_of(image),
         bell(size, sigma));
  });
}

}  // namespace fovea
