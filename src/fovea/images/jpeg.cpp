#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <string_view>
#include <utility>

#include <jpeglib.h>

#include <jerror.h>

#include <fmt/format.h>

#include "fovea/images/decoders.h"
#include "fovea/images/orientation.h"

namespace fovea {
namespace {

/// A progressive file has about ten scans, and each makes the decoder visit the entire picture: a
/// small file with thousands of scans would keep it busy for hours.
constexpr int max_scans = 100;

/// libjpeg's state over a picture in memory. libjpeg reports errors by a callback that must not
/// return; this one leaves by longjmp, which must not skip a destructor: the functions that call
/// libjpeg hold only plain values.
class JpegReader {
 public:
  explicit JpegReader(const EncodedImage& source) : source_(source) {
    jpeg_.err = jpeg_std_error(&errors_);
    jpeg_.client_data = this;
    errors_.error_exit = on_error;
    errors_.emit_message = on_message;
    progress_.progress_monitor = on_progress;
  }
  ~JpegReader() { jpeg_destroy_decompress(&jpeg_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  const jpeg_decompress_struct& read_header() {
    if (!try_header()) fail();
    return jpeg_;
  }

  /// At 1 / `divisor` of its size, rounded up.
  Image read_pixels(unsigned divisor) {
    const auto scaled = [&](unsigned side) {
      return static_cast<int>((side + divisor - 1) / divisor);
    };
    jpeg_.scale_num = 1;
    jpeg_.scale_denom = divisor;
    Image image =
        Image::black(scaled(jpeg_.image_height), scaled(jpeg_.image_width), jpeg_.num_components);
    if (!try_pixels(image.pixels.data())) fail();
    return image;
  }

 private:
  bool try_header() {
    if (setjmp(jump_) != 0) return false;
    jpeg_create_decompress(&jpeg_);
    jpeg_.progress = &progress_;
    jpeg_mem_src(&jpeg_, reinterpret_cast<const unsigned char*>(source_.bytes.data()),
                 static_cast<unsigned long>(source_.bytes.size()));
    jpeg_save_markers(&jpeg_, JPEG_APP0 + 1, 0xffff);  // EXIF
    jpeg_read_header(&jpeg_, TRUE);
    return true;
  }

  bool try_pixels(JSAMPLE* pixels) {
    if (setjmp(jump_) != 0) return false;
    jpeg_.out_color_space = jpeg_.num_components == 1   ? JCS_GRAYSCALE
                            : jpeg_.num_components == 3 ? JCS_RGB
                                                        : JCS_CMYK;
    jpeg_start_decompress(&jpeg_);
    const size_t row = size_t{jpeg_.output_width} * static_cast<size_t>(jpeg_.num_components);
    while (jpeg_.output_scanline < jpeg_.output_height) {
      JSAMPROW to = pixels + row * jpeg_.output_scanline;
      jpeg_read_scanlines(&jpeg_, &to, 1);
    }
    jpeg_finish_decompress(&jpeg_);  // what is left of the file, to its end marker
    return true;
  }

  [[noreturn]] void fail() const {
    switch (errors_.msg_code) {
      case JERR_OUT_OF_MEMORY:
        throw Error(ErrorKind::memory,
                    fmt::format("{}: not enough memory to decode it", source_.name));
      case JERR_ARITH_NOTIMPL:
      case JERR_BAD_PRECISION:
      case JERR_CCIR601_NOTIMPL:
      case JERR_CONVERSION_NOTIMPL:
      case JERR_FRACT_SAMPLE_NOTIMPL:
      case JERR_SOF_UNSUPPORTED:
        throw source_.unsupported(std::string("this kind of JPEG cannot be read: ") + message_);
      default:
        throw source_.broken(std::string("damaged JPEG: ") + message_)
            .with("bytes", std::to_string(source_.bytes.size()));
    }
  }

  static JpegReader* of(j_common_ptr jpeg) { return static_cast<JpegReader*>(jpeg->client_data); }

  [[noreturn]] void leave(std::string_view text) {
    const size_t size = std::min(text.size(), sizeof message_ - 1);
    std::copy_n(text.data(), size, message_);
    message_[size] = 0;
    longjmp(jump_, 1);
  }

  [[noreturn]] static void on_error(j_common_ptr jpeg) {
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    of(jpeg)->leave(text);
  }

  /// Level -1 is a warning about corrupt data; libjpeg would continue with guessed pixels.
  static void on_message(j_common_ptr jpeg, int level) {
    if (level < 0 && !harmless(*jpeg->err)) on_error(jpeg);
  }

  /// Whether the pixels are intact all the same. Old cameras and web servers write such files.
  static bool harmless(const jpeg_error_mgr& warning) {
    switch (warning.msg_code) {
      case JWRN_ADOBE_XFORM:     // an unknown number, taken as YCC
      case JWRN_JFIF_MAJOR:      // an old or new revision of the format
      case JWRN_NOT_SEQUENTIAL:  // parameters that mean nothing in a sequential file
        return true;
      case JWRN_EXTRANEOUS_DATA: {  // stray bytes between segments, but not inside a scan
        const int marker = warning.msg_parm.i[1];
        return marker < JPEG_RST0 || marker > JPEG_RST0 + 7;
      }
      default:
        return false;
    }
  }

  static void on_progress(j_common_ptr jpeg) {
    if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number > max_scans) {
      char text[40];
      std::snprintf(text, sizeof text, "it has more than %d scans", max_scans);
      of(jpeg)->leave(text);
    }
  }

  const EncodedImage& source_;
  jpeg_decompress_struct jpeg_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  jmp_buf jump_;
  char message_[JMSG_LENGTH_MAX] = {};
};

/// Refuses, before anything is allocated, files that are too large, incomplete or of another kind.
void check_header(const EncodedImage& source, const jpeg_decompress_struct& jpeg) {
  source.check_size(jpeg.image_height, jpeg.image_width);
  const int components = jpeg.num_components;
  if (components != 1 && components != 3 && components != 4) {
    throw source.unsupported(
        fmt::format("this kind of JPEG cannot be read: it has {} components, not 1 (gray), 3 "
                    "(colour) or 4 (CMYK)",
                    components));
  }
  uint64_t blocks = 0;
  for (int i = 0; i < components; ++i) {
    blocks += uint64_t{jpeg.comp_info[i].width_in_blocks} * jpeg.comp_info[i].height_in_blocks;
  }
  // A Huffman code has at least one bit, and each block one code; arithmetic codes can be shorter.
  if (!jpeg.arith_code && blocks / 8 > source.bytes.size()) {
    throw source.broken(
        fmt::format("damaged JPEG: {} bytes cannot hold the {}x{} pixels that its header declares",
                    source.bytes.size(), jpeg.image_height, jpeg.image_width));
  }
}

/// The largest of 8, 4, 2 and 1 by which the picture, once upright, can be scaled down.
unsigned divisor_of(const jpeg_decompress_struct& jpeg, const MinimumSize& minimum, bool turned) {
  if (minimum == MinimumSize{}) return 1;
  const auto height = static_cast<unsigned>(turned ? minimum.width : minimum.height);
  const auto width = static_cast<unsigned>(turned ? minimum.height : minimum.width);
  unsigned divisor = 8;
  while (divisor > 1 &&
         (jpeg.image_height < height * divisor || jpeg.image_width < width * divisor))
    divisor /= 2;
  return divisor;
}

/// From the first EXIF segment.
int orientation_of(const jpeg_decompress_struct& jpeg) {
  for (auto* marker = jpeg.marker_list; marker != nullptr; marker = marker->next) {
    const auto body = std::as_bytes(std::span(marker->data, marker->data_length));
    if (is_exif(body)) return exif_orientation(body);
  }
  return 1;
}

/// CMYK as Adobe writes it, 255 for no ink, to RGB.
Image from_inverted_cmyk(const Image& image) {
  Image rgb = Image::black(image.height, image.width, 3);
  const uint8_t* in = image.pixels.data();
  for (size_t i = 0; i < rgb.pixels.size(); i += 3, in += 4) {
    for (size_t c = 0; c < 3; ++c) {
      const int product = (255 - in[c]) * in[3] + 128;
      const int ink = ((product >> 8) + product) >> 8;  // product / 255, rounded
      rgb.pixels[i + c] = static_cast<uint8_t>(std::max(in[3] - ink, 0));
    }
  }
  return rgb;
}

}  // namespace

Image decode_jpeg(const EncodedImage& source) {
  JpegReader reader(source);
  const jpeg_decompress_struct& header = reader.read_header();
  check_header(source, header);
  const int orientation = orientation_of(header);  // read_pixels forgets the segments
  Image image = reader.read_pixels(divisor_of(header, source.minimum, on_its_side(orientation)));
  if (image.channels == 4) image = from_inverted_cmyk(image);
  return upright(std::move(image), orientation);
}

ImageSize jpeg_size(const EncodedImage& source) {
  JpegReader reader(source);
  const jpeg_decompress_struct& header = reader.read_header();
  source.check_size(header.image_height, header.image_width);
  return upright_size(static_cast<int>(header.image_height), static_cast<int>(header.image_width),
                      orientation_of(header));
}

}  // namespace fovea
