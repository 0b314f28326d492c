#include <png.h>

#include <bit>
#include <csetjmp>
#include <cstring>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "fovea/images/codec.h"
#include "fovea/images/decoders.h"
#include "fovea/images/orientation.h"

namespace fovea {
namespace {

constexpr size_t header_end = 33;  // signature 8, length 4, "IHDR", 13 of data, CRC 4

/// libpng's state over a picture in memory. libpng reports errors by longjmp, which must not skip a
/// destructor: the functions that call it hold only plain values.
class PngReader {
 public:
  /// `stored`: the samples as the file has them, the indices of a palette and grey levels of any
  /// depth in a byte each.
  explicit PngReader(const EncodedImage& source, bool stored = false)
      : source_(source), stored_(stored) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) throw Error(ErrorKind::memory, "cannot allocate a PNG decoder");
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  void read_header() {
    if (!try_header()) throw failure();
  }
  bool is_16_bit() const { return png_get_bit_depth(png_, info_) == 16; }
  int channels() const { return png_get_channels(png_, info_); }
  size_t row_bytes() const { return png_get_rowbytes(png_, info_); }

  void read_pixels(png_bytep pixels) {
    if (!try_rows(pixels)) throw failure();
    // Whatever is wrong after this point, even a missing end: the pixels are complete.
    try_end();
  }

  /// From its EXIF chunk, which may come before or after the pixels.
  int orientation() const {
    png_uint_32 size = 0;
    png_bytep exif = nullptr;
    if (png_get_eXIf_1(png_, info_, &size, &exif) == 0) return 1;
    return exif_orientation(std::as_bytes(std::span(exif, size)));
  }

 private:
  bool try_header() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, this, on_read);
    // Texts and profiles are not needed, and can be made to inflate without bound.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_AS_DEFAULT,
                                reinterpret_cast<png_const_bytep>("eXIf"), 1);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // check_size has passed
    png_read_info(png_, info_);
    const int type = png_get_color_type(png_, info_);
    if (type == PNG_COLOR_TYPE_GRAY_ALPHA) png_set_strip_alpha(png_);
    if (stored_) {
      png_set_packing(png_);
      if (type == PNG_COLOR_TYPE_RGB_ALPHA) png_set_strip_alpha(png_);
    } else {
      if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
      if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png_);
      // Expanding a palette turns its transparent entries into alpha unless told otherwise.
      if (type == PNG_COLOR_TYPE_PALETTE) png_set_strip_alpha(png_);
    }
    if (std::endian::native == std::endian::little) png_set_swap(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  /// Each pass of an interlaced picture fills in more of every row.
  bool try_rows(png_bytep pixels) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    const size_t row = png_get_rowbytes(png_, info_);
    const png_uint_32 height = png_get_image_height(png_, info_);
    for (int pass = 0; pass < passes_; ++pass) {
      for (png_uint_32 y = 0; y < height; ++y) png_read_row(png_, pixels + y * row, nullptr);
    }
    return true;
  }

  void try_end() {
    if (setjmp(png_jmpbuf(png_)) != 0) return;
    png_read_end(png_, info_);
  }

  Error failure() const {
    return source_.broken(std::string("damaged PNG: ") + message_)
        .with("offset", std::to_string(position_));
  }

  [[noreturn]] static void on_error(png_structp png, png_const_charp text) {
    auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
    std::strncpy(self->message_, text, sizeof self->message_ - 1);
    longjmp(png_jmpbuf(png), 1);
  }
  static void on_warning(png_structp, png_const_charp) {}

  static void on_read(png_structp png, png_bytep out, size_t count) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > self->source_.bytes.size() - self->position_) {
      self->position_ = self->source_.bytes.size();
      png_error(png, "the file ends too early");
    }
    std::memcpy(out, self->source_.bytes.data() + self->position_, count);
    self->position_ += count;
  }

  const EncodedImage& source_;
  bool stored_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  size_t position_ = 0;
  int passes_ = 1;
  char message_[200] = {};
};

/// Refuses, before anything is allocated, files that are too large or incomplete.
void check_header(const EncodedImage& source) {
  const size_t size = source.bytes.size();
  if (size < header_end) {
    throw source.broken("damaged PNG: the file ends too early")
        .with("offset", std::to_string(size));
  }
  if (source.big32(8) != 13 || std::memcmp(source.bytes.data() + 12, "IHDR", 4) != 0) {
    throw source.broken("damaged PNG: it does not begin with a header").with("offset", "8");
  }
  const uint64_t width = source.big32(16), height = source.big32(20);
  if (width > PNG_UINT_31_MAX || height > PNG_UINT_31_MAX) {
    throw source.broken("damaged PNG: a side in its header is above 2^31").with("offset", "16");
  }
  source.check_size(height, width);
  // Deflate compresses at most 1032:1, and a pixel has at least one bit.
  if (height * width / 8 > size * 1032) {
    throw source.broken(
        fmt::format("damaged PNG: {} bytes cannot hold the {}x{} pixels that its header declares",
                    size, height, width));
  }
}

template <class Sample>
BasicImage<Sample> read_image(const EncodedImage& source, PngReader& reader) {
  const int height = static_cast<int>(source.big32(20)), width = static_cast<int>(source.big32(16));
  auto image = BasicImage<Sample>::black(height, width, reader.channels());
  require(reader.row_bytes() * static_cast<size_t>(height) == image.pixels.size() * sizeof(Sample),
          "PNG rows are not of the depth that the header declares");
  reader.read_pixels(reinterpret_cast<png_bytep>(image.pixels.data()));
  return upright(std::move(image), reader.orientation());
}

}  // namespace

bool is_16_bit_png(std::span<const std::byte> beginning) {
  constexpr std::string_view start("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
  return beginning.size() >= png_depth_end &&
         std::memcmp(beginning.data(), start.data(), start.size()) == 0 &&
         beginning[png_depth_end - 1] == std::byte{16};
}

Image decode_stored_png(const EncodedImage& source) {
  constexpr std::string_view signature("\x89PNG\r\n\x1a\n", 8);
  if (source.bytes.size() < signature.size() ||
      std::memcmp(source.bytes.data(), signature.data(), signature.size()) != 0)
    throw source.broken("is not a PNG").with("try", "PNG, which keeps every value as it is");
  check_header(source);
  PngReader reader(source, true);
  reader.read_header();
  if (reader.is_16_bit())
    throw source.broken("has 16 bits per sample").with("expected", "a PNG of 1 to 8 bits");
  return read_image<uint8_t>(source, reader);
}

AnyImage decode_png(const EncodedImage& source) {
  check_header(source);
  PngReader reader(source);
  reader.read_header();
  if (reader.is_16_bit()) return read_image<uint16_t>(source, reader);
  return read_image<uint8_t>(source, reader);
}

ImageSize png_size(const EncodedImage& source) {
  check_header(source);
  constexpr size_t first_chunk = 8, around_data = 12;  // length, type and CRC
  int orientation = 1;
  for (size_t at = first_chunk; at + around_data <= source.bytes.size();) {
    const size_t size = source.big32(at);
    if (size > source.bytes.size() - at - around_data) break;
    if (std::memcmp(source.bytes.data() + at + 4, "eXIf", 4) == 0)
      orientation = exif_orientation(source.bytes.subspan(at + 8, size));
    at += around_data + size;
  }
  return upright_size(static_cast<int>(source.big32(20)), static_cast<int>(source.big32(16)),
                      orientation);
}

}  // namespace fovea
