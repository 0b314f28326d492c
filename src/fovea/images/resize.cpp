#include "fovea/images/resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "fovea/core/error.h"
#include "fovea/core/shape.h"

namespace fovea {
namespace {

constexpr int precision_bits = 22;  // with 8 bits of sample, 2 for sums beyond 1: 32 in all

/// Along one axis: the full and the wanted extent of the output.
struct Span {
  int in, full, first, count;
};

/// The inputs of each output along one axis: output i is the sum of weights[i * max_count + k]
/// times input begin[i] + k, for k below count[i].
struct Taps {
  std::vector<int> begin, count;
  std::vector<int32_t> weights;
  size_t max_count = 0;

  /// All inputs that any output reads: `extent` of them from `first` on.
  int first() const { return begin.front(); }
  int extent() const { return begin.back() + count.back() - begin.front(); }
};

double weight_of(Filter filter, double x) {
  x = std::abs(x);
  if (filter == Filter::bilinear) return x < 1 ? 1 - x : 0;
  constexpr double a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

Taps taps_of(const Span& span, Filter filter) {
  const double scale = static_cast<double>(span.in) / span.full;
  const double stretch = std::max(scale, 1.0);
  const double support = (filter == Filter::bilinear ? 1.0 : 2.0) * stretch;
  Taps taps;
  taps.max_count = static_cast<size_t>(std::min<double>(std::ceil(support) * 2 + 1, span.in));
  taps.weights.resize(taps.max_count * static_cast<size_t>(span.count));
  std::vector<double> exact(taps.max_count);
  for (int i = 0; i < span.count; ++i) {
    const double center = (span.first + i + 0.5) * scale;
    const int begin = std::max(static_cast<int>(center - support + 0.5), 0);
    const int end = static_cast<int>(std::min<double>(std::floor(center + support + 0.5), span.in));
    double sum = 0;
    for (int k = 0; k < end - begin; ++k) {
      const double weight = weight_of(filter, (k + begin - center + 0.5) * (1.0 / stretch));
      exact[static_cast<size_t>(k)] = weight;
      sum += weight;
    }
    int32_t* out = taps.weights.data() + static_cast<size_t>(i) * taps.max_count;
    for (int k = 0; k < end - begin; ++k) {
      const double share = sum != 0 ? exact[static_cast<size_t>(k)] / sum : 0;
      out[k] = static_cast<int32_t>((share < 0 ? -0.5 : 0.5) + share * (1 << precision_bits));
    }
    taps.begin.push_back(begin);
    taps.count.push_back(end - begin);
  }
  return taps;
}

template <class Sample>
Sample rounded(WideSample<Sample> sum) {
  constexpr WideSample<Sample> white = BasicImage<Sample>::white;
  return static_cast<Sample>(std::clamp<WideSample<Sample>>(sum >> precision_bits, 0, white));
}

/// Rows [first, first + count) of `image`, whose column 0 is the input's column `left`, each
/// resampled to the columns of `taps`.
template <int Channels, class Sample>
BasicImage<Sample> horizontal(const BasicImage<Sample>& image, int first, int count, int left,
                              const Taps& taps) {
  const int width = static_cast<int>(taps.begin.size());
  auto out = BasicImage<Sample>::black(count, width, Channels);
  for (int y = 0; y < count; ++y) {
    Sample* to = out.at(y, 0);
    for (int x = 0; x < width; ++x, to += Channels) {
      const auto i = static_cast<size_t>(x);
      const Sample* from = image.at(first + y, taps.begin[i] - left);
      const int32_t* weight = taps.weights.data() + i * taps.max_count;
      WideSample<Sample> sum[Channels];
      std::fill_n(sum, Channels, 1 << (precision_bits - 1));
      for (int k = 0; k < taps.count[i]; ++k, from += Channels) {
        for (int c = 0; c < Channels; ++c) sum[c] += WideSample<Sample>{from[c]} * weight[k];
      }
      for (int c = 0; c < Channels; ++c) to[c] = rounded<Sample>(sum[c]);
    }
  }
  return out;
}

template <class Sample>
BasicImage<Sample> horizontal(const BasicImage<Sample>& image, int first, int count, int left,
                              const Taps& taps) {
  return image.channels == 1   ? horizontal<1>(image, first, count, left, taps)
         : image.channels == 3 ? horizontal<3>(image, first, count, left, taps)
                               : horizontal<4>(image, first, count, left, taps);
}

/// Columns [first, first + count) of `image`, whose row 0 is the input's row `top`, each resampled
/// to the rows of `taps`.
template <class Sample>
BasicImage<Sample> vertical(const BasicImage<Sample>& image, int first, int count, int top,
                            const Taps& taps) {
  const int height = static_cast<int>(taps.begin.size());
  auto out = BasicImage<Sample>::black(height, count, image.channels);
  const size_t row = static_cast<size_t>(count) * static_cast<size_t>(image.channels);
  std::vector<WideSample<Sample>> sum(row);
  for (int y = 0; y < height; ++y) {
    const auto i = static_cast<size_t>(y);
    std::fill(sum.begin(), sum.end(), 1 << (precision_bits - 1));
    for (int k = 0; k < taps.count[i]; ++k) {
      const Sample* from = image.at(taps.begin[i] - top + k, first);
      const int32_t weight = taps.weights[i * taps.max_count + static_cast<size_t>(k)];
      for (size_t x = 0; x < row; ++x) sum[x] += WideSample<Sample>{from[x]} * weight;
    }
    std::transform(sum.begin(), sum.end(), out.at(y, 0), rounded<Sample>);
  }
  return out;
}

/// The inputs that nearest takes. The position is accumulated, not multiplied: on the border of two
/// pixels its rounding decides, and Pillow accumulates.
std::vector<int> nearest_of(const Span& span) {
  const double scale = static_cast<double>(span.in) / span.full;
  double position = scale * 0.5;
  for (int i = 0; i < span.first; ++i) position += scale;
  std::vector<int> index;
  for (int i = 0; i < span.count; ++i, position += scale) {
    index.push_back(std::min(static_cast<int>(position), span.in - 1));
  }
  return index;
}

template <class Sample>
BasicImage<Sample> take_nearest(const BasicImage<Sample>& image, const Span& rows,
                                const Span& columns) {
  const std::vector<int> row = nearest_of(rows), column = nearest_of(columns);
  auto out = BasicImage<Sample>::black(rows.count, columns.count, image.channels);
  for (int y = 0; y < rows.count; ++y) {
    for (int x = 0; x < columns.count; ++x) {
      const Sample* from = image.at(row[static_cast<size_t>(y)], column[static_cast<size_t>(x)]);
      std::copy_n(from, image.channels, out.at(y, x));
    }
  }
  return out;
}

template <class Sample>
BasicImage<Sample> resample(const BasicImage<Sample>& image, const Span& rows, const Span& columns,
                            Filter filter) {
  const Taps down = taps_of(rows, filter), across = taps_of(columns, filter);
  const int top = down.first(), left = across.first();
  // The pass that comes first rounds, so the order affects the bytes.
  const int64_t height_lost = int64_t{rows.in} - rows.full;
  const int64_t width_lost = int64_t{columns.in} - columns.full;
  if (height_lost > 0 && height_lost > 2 * width_lost) {
    const BasicImage<Sample> low = vertical(image, left, across.extent(), 0, down);
    return horizontal(low, 0, low.height, left, across);
  }
  const BasicImage<Sample> narrow = horizontal(image, top, down.extent(), 0, across);
  return vertical(narrow, 0, narrow.width, top, down);
}

/// a * b / white, rounded.
template <class Sample>
Sample scaled(Sample a, Sample b) {
  constexpr int bits = 8 * sizeof(Sample);
  const WideSample<Sample> product = WideSample<Sample>{a} * b + (1 << (bits - 1));
  return static_cast<Sample>(((product >> bits) + product) >> bits);
}

template <class Sample>
void multiply_alpha(BasicImage<Sample>& image) {
  for (size_t i = 0; i < image.pixels.size(); i += 4) {
    Sample* p = image.pixels.data() + i;
    for (int c = 0; c < 3; ++c) p[c] = scaled(p[c], p[3]);
  }
}

template <class Sample>
void divide_alpha(BasicImage<Sample>& image) {
  constexpr WideSample<Sample> white = BasicImage<Sample>::white;
  for (size_t i = 0; i < image.pixels.size(); i += 4) {
    Sample* p = image.pixels.data() + i;
    if (p[3] == 0 || p[3] == white) continue;
    for (int c = 0; c < 3; ++c) p[c] = static_cast<Sample>(std::min(white * p[c] / p[3], white));
  }
}

}  // namespace

std::string_view name(Filter filter) {
  switch (filter) {
    case Filter::nearest:
      return "nearest";
    case Filter::bilinear:
      return "bilinear";
    case Filter::bicubic:
      return "bicubic";
  }
  return "unknown";
}

std::optional<Filter> filter_named(std::string_view wanted) {
  for (Filter filter : {Filter::nearest, Filter::bilinear, Filter::bicubic}) {
    if (name(filter) == wanted) return filter;
  }
  return std::nullopt;
}

template <class Sample>
BasicImage<Sample> resize(const BasicImage<Sample>& image, int height, int width, Filter filter) {
  return resize_window(image, {height, width, 0, 0, height, width}, filter);
}

template <class Sample>
BasicImage<Sample> resize_window(const BasicImage<Sample>& image, const Region& window,
                                 Filter filter) {
  check(image);
  const Region& w = window;
  const auto inside = [](int first, int count, int full) {
    return first >= 0 && count >= 1 && count <= full && first <= full - count;
  };
  if (!inside(w.top, w.height, w.full_height) || !inside(w.left, w.width, w.full_width)) {
    throw Error(ErrorKind::usage,
                fmt::format("resize: {}x{} at ({}, {}) is not inside an image of {}x{}", w.height,
                            w.width, w.top, w.left, w.full_height, w.full_width));
  }
  const Span rows{image.height, w.full_height, w.top, w.height};
  const Span columns{image.width, w.full_width, w.left, w.width};
  if (filter == Filter::nearest) return take_nearest(image, rows, columns);
  if (image.channels != 4) return resample(image, rows, columns, filter);
  // A transparent pixel's colour must not bleed into its neighbours.
  if (image.height == w.full_height && image.width == w.full_width) {
    return take_nearest(image, rows, columns);
  }
  BasicImage<Sample> premultiplied = image;
  multiply_alpha(premultiplied);
  BasicImage<Sample> out = resample(premultiplied, rows, columns, filter);
  divide_alpha(out);
  return out;
}

template <class Sample>
BasicImage<Sample> letterbox(const BasicImage<Sample>& image, int height, int width, uint8_t value,
                             Filter filter) {
  check(image);
  const LetterboxPart part = letterbox_part(image.height, image.width, height, width);
  const BasicImage<Sample> inner = resize(image, part.height, part.width, filter);
  auto result = BasicImage<Sample>::black(height, width, image.channels);
  std::ranges::fill(result.pixels, static_cast<Sample>(value * (result.white / 255)));
  for (int y = 0; y < inner.height; ++y)
    std::copy_n(inner.at(y, 0), inner.width * inner.channels, result.at(part.top + y, part.left));
  return result;
}

template <class Sample>
BasicImage<Sample> center_crop(const BasicImage<Sample>& image, int height, int width) {
  check(image);
  if (height < 1 || width < 1 || height > image.height || width > image.width) {
    throw Error(ErrorKind::usage, fmt::format("center_crop: {}x{} out of an image of {}x{}", height,
                                              width, image.height, image.width))
        .with("try", "a smaller crop, or resize first");
  }
  auto out = BasicImage<Sample>::black(height, width, image.channels);
  const int top = center_offset(image.height, height), left = center_offset(image.width, width);
  for (int y = 0; y < height; ++y) {
    std::copy_n(image.at(top + y, left), width * image.channels, out.at(y, 0));
  }
  return out;
}

template Image resize(const Image&, int, int, Filter);
template Image16 resize(const Image16&, int, int, Filter);
template Image resize_window(const Image&, const Region&, Filter);
template Image16 resize_window(const Image16&, const Region&, Filter);
template Image letterbox(const Image&, int, int, uint8_t, Filter);
template Image16 letterbox(const Image16&, int, int, uint8_t, Filter);
template Image center_crop(const Image&, int, int);
template Image16 center_crop(const Image16&, int, int);

LetterboxPart letterbox_part(int image_height, int image_width, int height, int width) {
  const double scale = std::min(static_cast<double>(height) / image_height,
                                static_cast<double>(width) / image_width);
  const auto fitted = [&](int side, int limit) {
    return static_cast<int>(std::clamp<int64_t>(std::llround(side * scale), 1, limit));
  };
  const int inner_height = fitted(image_height, height), inner_width = fitted(image_width, width);
  return {(height - inner_height) / 2, (width - inner_width) / 2, inner_height, inner_width};
}

int center_offset(int outer, int inner) {
  const int rest = outer - inner;
  return rest / 2 + (rest % 4 == 3 ? 1 : 0);  // x.5 goes to the even neighbour
}

}  // namespace fovea
