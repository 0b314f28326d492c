#include "fovea/images/geometry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <string>

#include "fovea/core/error.h"

namespace fovea {
namespace {

void require_image(const char* who, const Array& image) {
  if (is_pixel(image.dtype()) && image.shape().rank() == 3 && image.numel() > 0) return;
  throw Error(ErrorKind::usage, fmt::format("{} needs images u8 or u16 [H, W, C]", who))
      .with("found", describe(image));
}

/// The row or column of an image of `size` that appears at `i`; -1 for black.
int64_t seen_at(int64_t i, int64_t size, PaddingMode outside) {
  if (i >= 0 && i < size) return i;
  if (outside == PaddingMode::zeros) return -1;
  if (outside == PaddingMode::edge) return std::clamp<int64_t>(i, 0, size - 1);
  if (size == 1) return 0;
  const int64_t period = 2 * (size - 1);
  const int64_t rest = (i % period + period) % period;
  return std::min(rest, period - rest);
}

/// Both exact for multiples of 90 degrees: an image rotated by them keeps all pixels.
double cosine(double degrees) {
  const double quarter = std::abs(std::fmod(degrees, 360.0)) / 90;
  if (quarter == 1 || quarter == 3) return 0;
  return std::cos(degrees * std::numbers::pi / 180);
}
double sine(double degrees) {
  if (std::fmod(degrees, 180.0) == 0) return 0;
  return std::sin(degrees * std::numbers::pi / 180);
}

/// The map that takes the unit square (0,0), (1,0), (1,1), (0,1) to these corners (Heckbert 1989).
Matrix3 of_unit_square(const std::array<Point, 4>& p) {
  const Point u{p[1].x - p[2].x, p[1].y - p[2].y}, v{p[3].x - p[2].x, p[3].y - p[2].y};
  const Point s{p[0].x - p[1].x + p[2].x - p[3].x, p[0].y - p[1].y + p[2].y - p[3].y};
  const double area = u.x * v.y - v.x * u.y;
  if (area == 0) {
    throw Error(ErrorKind::usage, "perspective: three of the four corners lie on a line");
  }
  const double g = (s.x * v.y - v.x * s.y) / area, h = (u.x * s.y - s.x * u.y) / area;
  return {p[1].x - p[0].x + g * p[1].x,
          p[3].x - p[0].x + h * p[3].x,
          p[0].x,
          p[1].y - p[0].y + g * p[1].y,
          p[3].y - p[0].y + h * p[3].y,
          p[0].y,
          g,
          h,
          1};
}

/// Where an output pixel comes from, at its centre.
Point source_of(const Matrix3& back, int64_t y, int64_t x) {
  return moved(back, {static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5});
}

template <class Sample>
struct View {
  const Sample* data;
  int64_t height, width, channels;

  const Sample* at(int64_t y, int64_t x) const { return data + (y * width + x) * channels; }
  bool has(int64_t y, int64_t x) const { return y >= 0 && y < height && x >= 0 && x < width; }
  bool has(Point p) const {  // false for NaN
    return p.x >= 0 && p.x < static_cast<double>(width) && p.y >= 0 &&
           p.y < static_cast<double>(height);
  }
};

/// The pixel at `p`; the edge is repeated by half a pixel. Truncated, as in Pillow.
template <class Sample>
void put_bilinear(const View<Sample>& in, Point p, Sample* out) {
  const double x = p.x - 0.5, y = p.y - 0.5;
  const auto left = static_cast<int64_t>(std::floor(x)), top = static_cast<int64_t>(std::floor(y));
  const double dx = x - static_cast<double>(left), dy = y - static_cast<double>(top);
  const int64_t x0 = std::max<int64_t>(left, 0), x1 = std::min(left + 1, in.width - 1);
  const int64_t y0 = std::max<int64_t>(top, 0), y1 = std::min(top + 1, in.height - 1);
  const Sample *a = in.at(y0, x0), *b = in.at(y0, x1), *c = in.at(y1, x0), *d = in.at(y1, x1);
  for (int64_t k = 0; k < in.channels; ++k) {
    const double upper = a[k] + (b[k] - a[k]) * dx, lower = c[k] + (d[k] - c[k]) * dx;
    out[k] = static_cast<Sample>(upper + (lower - upper) * dy);
  }
}

/// Positions in 16.16 fixed point, as in Pillow: on the border of two pixels the rounding decides.
template <class Sample>
void warp_nearest_affine(const View<Sample>& in, const Matrix3& back, Sample* out) {
  constexpr double one = 65536;
  const auto fixed = [&](double v) { return static_cast<int64_t>(std::floor(v * one + 0.5)); };
  const int64_t xx = fixed(back[0]), xy = fixed(back[1]), yx = fixed(back[3]), yy = fixed(back[4]);
  const int64_t x0 = fixed(back[2] + back[0] * 0.5 + back[1] * 0.5);
  const int64_t y0 = fixed(back[5] + back[3] * 0.5 + back[4] * 0.5);
  for (int64_t y = 0; y < in.height; ++y) {
    int64_t sx = x0 + y * xy, sy = y0 + y * yy;
    for (int64_t x = 0; x < in.width; ++x, sx += xx, sy += yx, out += in.channels) {
      if (in.has(sy >> 16, sx >> 16)) std::copy_n(in.at(sy >> 16, sx >> 16), in.channels, out);
    }
  }
}

template <class Sample>
Array cropped(const Array& image, int64_t top, int64_t left, int64_t height, int64_t width,
              PaddingMode outside) {
  const int64_t rows = image.dim(0), columns = image.dim(1), channels = image.dim(2);
  Array result(image.dtype(), {height, width, channels});
  const Sample* from = image.data<Sample>().data();
  Sample* out = result.data<Sample>().data();
  const int64_t inside = std::clamp<int64_t>(-left, 0, width);  // the first column that is inside
  const int64_t end = std::clamp<int64_t>(columns - left, inside, width);
  for (int64_t y = 0; y < height; ++y, out += width * channels) {
    const int64_t row = seen_at(top + y, rows, outside);
    if (row < 0) {
      std::memset(out, 0, static_cast<size_t>(width * channels) * sizeof(Sample));
      continue;
    }
    const Sample* in = from + row * columns * channels;
    const auto put = [&](int64_t x) {
      const int64_t column = seen_at(left + x, columns, outside);
      if (column < 0) {
        std::fill_n(out + x * channels, channels, Sample{0});
      } else {
        std::copy_n(in + column * channels, channels, out + x * channels);
      }
    };
    for (int64_t x = 0; x < inside; ++x) put(x);
    if (end > inside) {
      std::memcpy(out + inside * channels, in + (left + inside) * channels,
                  static_cast<size_t>((end - inside) * channels) * sizeof(Sample));
    }
    for (int64_t x = end; x < width; ++x) put(x);
  }
  return result;
}

template <class Sample>
Array warped(const Array& image, const Matrix3& back, Filter filter) {
  const View<Sample> in{image.data<Sample>().data(), image.dim(0), image.dim(1), image.dim(2)};
  Array result = Array::zeros(image.dtype(), image.shape());
  Sample* out = result.data<Sample>().data();
  if (filter == Filter::nearest && back[6] == 0 && back[7] == 0) {
    warp_nearest_affine(in, back, out);
    return result;
  }
  for (int64_t y = 0; y < in.height; ++y) {
    for (int64_t x = 0; x < in.width; ++x, out += in.channels) {
      const Point p = source_of(back, y, x);
      if (!in.has(p)) continue;
      if (filter == Filter::bilinear) {
        put_bilinear(in, p, out);
      } else {
        std::copy_n(in.at(static_cast<int64_t>(p.y), static_cast<int64_t>(p.x)), in.channels, out);
      }
    }
  }
  return result;
}

}  // namespace

Array crop(const Array& image, int64_t top, int64_t left, int64_t height, int64_t width,
           PaddingMode outside) {
  require_image("crop", image);
  if (height < 1 || width < 1) {
    throw Error(ErrorKind::usage,
                fmt::format("crop: {}x{} is not the size of an image", height, width));
  }
  if (image.dtype() == DType::u16)
    return cropped<uint16_t>(image, top, left, height, width, outside);
  return cropped<uint8_t>(image, top, left, height, width, outside);
}

void paste(Array& image, const Array& other, int64_t top, int64_t left) {
  require_image("paste", image);
  if (other.dtype() != image.dtype() || other.shape().rank() != 3 || other.dim(2) != image.dim(2)) {
    throw Error(ErrorKind::usage, "paste: the images are of different kinds")
        .with("onto", describe(image))
        .with("given", describe(other));
  }
  const int64_t begin = std::clamp<int64_t>(-left, 0, other.dim(1));
  const int64_t end = std::clamp<int64_t>(image.dim(1) - left, begin, other.dim(1));
  const auto pixel = static_cast<size_t>(image.dim(2)) * size_of(image.dtype());
  const auto at = [&](const Array& of, int64_t y, int64_t x) {
    return static_cast<size_t>(y * of.dim(1) + x) * pixel;
  };
  for (int64_t y = std::max<int64_t>(-top, 0); y < std::min(image.dim(0) - top, other.dim(0));
       ++y) {
    if (end > begin) {
      std::memcpy(image.raw() + at(image, top + y, left + begin), other.raw() + at(other, y, begin),
                  static_cast<size_t>(end - begin) * pixel);
    }
  }
}

Matrix3 multiply(const Matrix3& a, const Matrix3& b) {
  Matrix3 product{};
  for (size_t i = 0; i < 9; ++i) {
    for (size_t k = 0; k < 3; ++k) product[i] += a[i / 3 * 3 + k] * b[k * 3 + i % 3];
  }
  return product;
}

Matrix3 inverse(const Matrix3& m) {
  const Matrix3 adjugate{
      m[4] * m[8] - m[5] * m[7], m[2] * m[7] - m[1] * m[8], m[1] * m[5] - m[2] * m[4],
      m[5] * m[6] - m[3] * m[8], m[0] * m[8] - m[2] * m[6], m[2] * m[3] - m[0] * m[5],
      m[3] * m[7] - m[4] * m[6], m[1] * m[6] - m[0] * m[7], m[0] * m[4] - m[1] * m[3]};
  const double determinant = m[0] * adjugate[0] + m[1] * adjugate[3] + m[2] * adjugate[6];
  if (!std::isfinite(determinant) || determinant == 0) {
    throw Error(ErrorKind::usage,
                fmt::format("matrix: cannot be inverted, its determinant is {}", determinant));
  }
  Matrix3 result{};
  for (size_t i = 0; i < 9; ++i) result[i] = adjugate[i] / determinant;
  return result;
}

Point moved(const Matrix3& m, Point p) {
  const double w = m[6] * p.x + m[7] * p.y + m[8];
  return {(m[0] * p.x + m[1] * p.y + m[2]) / w, (m[3] * p.x + m[4] * p.y + m[5]) / w};
}

Matrix3 affine_matrix(const AffineParameters& affine, Point center) {
  const double turn = affine.degrees - affine.shear_y;
  const double cos = cosine(turn) / cosine(affine.shear_y);
  const double sin = sine(turn) / cosine(affine.shear_y);
  const double slant = sine(affine.shear_x) / cosine(affine.shear_x);
  const double s = affine.scale;
  const double xx = s * cos, xy = s * (-cos * slant - sine(affine.degrees));
  const double yx = s * sin, yy = s * (-sin * slant + cosine(affine.degrees));
  return {xx, xy, center.x + affine.right - xx * center.x - xy * center.y,
          yx, yy, center.y + affine.down - yx * center.x - yy * center.y,
          0,  0,  1};
}

Matrix3 perspective_matrix(const std::array<Point, 4>& from, const std::array<Point, 4>& to) {
  return multiply(of_unit_square(to), inverse(of_unit_square(from)));
}

Array warp(const Array& image, const Matrix3& matrix, Filter filter) {
  require_image("warp", image);
  if (filter != Filter::nearest && filter != Filter::bilinear) {
    throw Error(ErrorKind::usage,
                fmt::format("warp: the filter must be nearest or bilinear, not {}", name(filter)));
  }
  const Matrix3 back = inverse(matrix);
  return image.dtype() == DType::u16 ? warped<uint16_t>(image, back, filter)
                                     : warped<uint8_t>(image, back, filter);
}

}  // namespace fovea
