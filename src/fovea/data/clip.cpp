#include "fovea/data/clip.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/frames.h"
#include "fovea/data/image_files.h"
#include "fovea/draw/heat.h"
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "fovea/images/samples.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

const Choice& clip_choice() {
  static const Choice choice{
      .name = "clip",
      .arguments =
          {{.name = "length", .type = ArgumentType::integer, .minimum = 1, .maximum = 1024},
           {.name = "stride", .type = ArgumentType::integer, .minimum = 1, .maximum = 1024},
           {.name = "size", .type = ArgumentType::integers, .minimum = 1, .maximum = 4096},
           {.name = "channels", .type = ArgumentType::integer, .minimum = 1, .maximum = 3}},
      .help = "folders of frames"};
  return choice;
}

Error bad_clip(const fs::path& file, const std::string& what) {
  return {ErrorKind::data, fmt::format("{}: {}", file.string(), what)};
}

/// Whether a folder has images of its own, which are the frames of a clip.
bool has_frames(const fs::path& folder) {
  std::error_code problem;
  for (fs::directory_iterator entry(folder, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with('.') && is_image_name(name)) return true;
  }
  return false;
}

/// The frames of a folder in order.
std::vector<std::string> frames_in(const fs::path& folder) {
  constexpr size_t most = 1 << 20;
  std::vector<std::string> names;
  std::error_code problem;
  for (fs::directory_iterator entry(folder, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with('.') && is_image_name(name)) names.push_back(name);
    if (names.size() > most) throw bad_clip(folder, fmt::format("has more than {} frames", most));
  }
  if (problem) throw bad_clip(folder, problem.message());
  if (names.empty()) {
    throw bad_clip(folder, "has no frames")
        .with("expected", "images that end in .png, .jpg, .jpeg or .webp");
  }
  std::ranges::sort(names, before_by_number);
  return names;
}

/// Frame `t` of an array [C, T, H, W].
Image frame_of(const fs::path& file, const Array& clip, int64_t t) {
  const int64_t channels = clip.dim(0), height = clip.dim(2), width = clip.dim(3);
  Image image =
      Image::black(static_cast<int>(height), static_cast<int>(width), static_cast<int>(channels));
  const bool pixels = is_pixel(clip.dtype());
  const double scale = clip.dtype() == DType::u16 ? 1.0 / 257 : pixels ? 1 : 255;
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t p = 0; p < height * width; ++p) {
      const double value = clip.at((c * clip.dim(1) + t) * height * width + p) * scale;
      if (!(value >= 0 && value <= 255)) {
        throw bad_clip(file, "has a number that is not from 0 to 1")
            .with("found", format_number(value / scale))
            .with("where", fmt::format("frame {}, channel {}", t, c));
      }
      image.pixels[static_cast<size_t>(p * channels + c)] =
          static_cast<uint8_t>(std::lround(value));
    }
  }
  return image;
}

/// Numbers [C, T, H, W] as pixels [T, H, W, C]; those beyond 0 to 1 become black or white.
Array as_pixels(const Array& clip) {
  const int64_t channels = clip.dim(0), each = clip.numel() / channels;
  Array pixels(DType::u8, {clip.dim(1), clip.dim(2), clip.dim(3), channels});
  for (int64_t i = 0; i < clip.numel(); ++i)
    pixels.set(i % each * channels + i / each, std::round(255 * std::clamp(clip.at(i), 0.0, 1.0)));
  return pixels;
}

Array read_clip_array(const fs::path& file) {
  constexpr int64_t largest_side = 16384;
  const Array clip = read_npy(file);
  const bool type = is_pixel(clip.dtype()) || is_float(clip.dtype());
  if (type && clip.shape().rank() == 4 && clip.numel() > 0 &&
      (clip.dim(0) == 1 || clip.dim(0) == 3) &&
      std::max(clip.dim(2), clip.dim(3)) <= largest_side) {
    return clip;
  }
  throw bad_clip(file, "is not a clip")
      .with("found", describe(clip))
      .with("expected", "[C, T, H, W] with 1 or 3 channels: u8, u16, or numbers from 0 to 1");
}

/// A file's name for a shell, in quotes where it needs them.
std::string quoted(const std::string& text) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::strchr("/._-+,=@%", c) != nullptr;
  };
  if (std::ranges::all_of(text, plain)) return text;
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

}  // namespace

bool before_by_number(const std::string& a, const std::string& b) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (!digit(a[i]) || !digit(b[j])) {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i, ++j;
      continue;
    }
    const auto number = [&](const std::string& text, size_t& at) {
      while (at + 1 < text.size() && text[at] == '0' && digit(text[at + 1])) ++at;
      const size_t begin = at;
      while (at < text.size() && digit(text[at])) ++at;
      return std::string_view(text).substr(begin, at - begin);
    };
    const std::string_view x = number(a, i), y = number(b, j);
    if (x.size() != y.size()) return x.size() < y.size();
    if (x != y) return x < y;
  }
  if (i < a.size() || j < b.size()) return j < b.size();
  return a < b;  // the same but for zeros in front
}

bool is_video_name(const fs::path& path) {
  constexpr std::string_view known[] = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg",
                                        ".m4v", ".wmv", ".flv", ".3gp", ".ogv",  ".gif"};
  return std::ranges::count(known, lower(path.extension().string())) > 0;
}

Error not_decoded(const fs::path& video) {
  fs::path folder = video;
  folder.replace_extension();
  const std::string name = quoted(folder.string());
  return bad_clip(video, "a video, which is not decoded: a folder of its frames is")
      .with("try", fmt::format("mkdir {} && ffmpeg -i {} -vf fps=15 -q:v 3 {}/%06d.jpg", name,
                               quoted(video.string()), name));
}

ModalityEntry clip_entry() {
  return {.choice = clip_choice(),
          .make = [](const Arguments& a) -> std::shared_ptr<const Modality> {
            const std::vector<int64_t>& size = a.integers("size");
            return std::make_shared<ClipModality>(
                ClipOptions{.length = a.integer("length"),
                            .stride = a.integer("stride"),
                            .height = static_cast<int>(size.front()),
                            .width = static_cast<int>(size.back()),
                            .channels = static_cast<int>(a.integer("channels"))});
          }};
}

ClipModality::ClipModality(const ClipOptions& options)
    : options_(options),
      frames_{.height = options.height,
              .width = options.width,
              .channels = options.channels,
              .resize = std::max(options.height, options.width),
              .mean = std::vector<double>(static_cast<size_t>(std::max(options.channels, 0)), 0),
              .std = std::vector<double>(static_cast<size_t>(std::max(options.channels, 0)), 1)} {
  const std::string what = options.length < 1 || options.stride < 1 ? "length and stride are from 1"
                           : options.channels != 1 && options.channels != 3 ? "channels are 1 or 3"
                                                                            : problem(frames_);
  if (!what.empty()) throw Error(ErrorKind::usage, "clips: " + what);
}

std::string ClipModality::text() const {
  return to_text(clip_choice(), {{"length", options_.length},
                                 {"stride", options_.stride},
                                 {"size", std::vector<int64_t>{options_.height, options_.width}},
                                 {"channels", int64_t{options_.channels}}});
}

Type ClipModality::input() const {
  return {DType::u8, {options_.length, options_.height, options_.width, options_.channels}};
}

bool ClipModality::takes(const fs::path& file) const {
  if (Modality::takes(file)) return true;
  std::error_code problem;
  if (is_video_name(file)) {
    fs::path folder = file;
    return !fs::is_directory(folder.replace_extension(), problem);
  }
  return fs::is_directory(file, problem) && has_frames(file);
}

std::vector<int64_t> ClipModality::chosen(int64_t count, const FirstFrame& first_of) const {
  const int64_t span = (options_.length - 1) * options_.stride + 1,
                first = first_of(std::max<int64_t>(count - span, 0));
  std::vector<int64_t> frames;
  for (int64_t t = 0; t < options_.length; ++t)
    frames.push_back(std::min(first + t * options_.stride, count - 1));
  return frames;
}

Array ClipModality::read(const fs::path& file, int64_t window, int64_t windows) const {
  return read_from(
      file, [&](int64_t free) { return windows > 1 ? free * window / (windows - 1) : free / 2; });
}

Array ClipModality::read_stretch(const fs::path& file, double place) const {
  return read_from(file,
                   [&](int64_t free) { return std::llround(place * static_cast<double>(free)); });
}

Array ClipModality::read_from(const fs::path& file, const FirstFrame& first) const {
  if (is_video_name(file)) throw not_decoded(file);
  const bool folder = is_folder(file, ErrorKind::data);
  const Array all = folder ? Array() : read_clip_array(file);
  const std::vector<std::string> names = folder ? frames_in(file) : std::vector<std::string>();
  const Type type = input();
  Array clip(type.dtype, type.shape);
  int64_t t = 0, before = -1;
  for (const int64_t index : chosen(folder ? std::ssize(names) : all.dim(1), first)) {
    const size_t bytes = clip.bytes() / static_cast<size_t>(options_.length);
    std::byte* place = clip.raw() + static_cast<size_t>(t++) * bytes;
    if (index == before) {
      std::memcpy(place, place - bytes, bytes);
      continue;
    }
    before = index;
    const Image image = folder ? decode_image(file / names[static_cast<size_t>(index)],
                                              default_pixel_limit, minimum_size_for(frames_))
                               : frame_of(file, all, index);
    std::memcpy(place, prepare(image, frames_).pixels.data(), bytes);
  }
  return clip;
}

Image ClipModality::picture(const Array& given, const Array* map) const {
  const Array input = given.dtype() == DType::f32 ? as_pixels(given) : given;
  constexpr int64_t most = 8;
  constexpr int gap = 1;
  const int64_t length = input.dim(0), shown = std::min(length, most);
  Image strip;
  for (int64_t k = 0; k < shown; ++k) {
    const int64_t t = shown > 1 ? k * (length - 1) / (shown - 1) : 0;
    Image one = to_rgb(to_8_bits(to_picture(frame(input, t))));
    if (map != nullptr && map->shape().rank() == 3) {
      const Array part = frame(*map, t * map->dim(0) / length);
      one = draw::overlay(one, part, {0, 1});
    }
    if (k == 0) {
      strip = Image::black(one.height, static_cast<int>(shown) * (one.width + gap) - gap, 3);
      std::ranges::fill(strip.pixels, uint8_t{255});
    }
    const int left = static_cast<int>(k) * (one.width + gap);
    for (int y = 0; y < one.height; ++y)
      std::copy_n(one.at(y, 0), one.width * 3, strip.at(y, left));
  }
  return strip;
}

}  // namespace fovea::data
