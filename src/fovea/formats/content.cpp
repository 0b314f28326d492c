#include "fovea/formats/content.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/formats/bytes.h"

namespace fovea {
namespace {

using namespace std::string_view_literals;

/// How files of unsupported kinds begin, and what to say about them.
struct Signature {
  size_t offset;
  std::string_view bytes;
  std::string_view what, advice;
};

constexpr std::string_view convert_advice =
    "weights that PyTorch saved: torch.save(model.state_dict(), FILE); or a .safetensors file";
constexpr std::string_view unpack_advice = "unpack it and name the file of weights in it";

constexpr Signature signatures[] = {
    {0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file, as Keras saves models and weights (.h5)",
     convert_advice},
    {4, "TFL3"sv, "a TensorFlow Lite model", convert_advice},
    {0, "\x08\x01\x12"sv, "a TensorFlow SavedModel", convert_advice},
    {0, "GGUF"sv, "a GGUF model", convert_advice},
    {0, "\x93NUMPY"sv, "a NumPy array (.npy), which has no names", convert_advice},
    {0, "\x1f\x8b"sv, "a gzip archive", unpack_advice},
    {0, "BZh"sv, "a bzip2 archive", unpack_advice},
    {0,
     "\xfd"
     "7zXZ\0"sv,
     "an xz archive", unpack_advice},
    {0, "\x28\xb5\x2f\xfd"sv, "a Zstandard archive", unpack_advice},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7-Zip archive", unpack_advice},
    {257, "ustar"sv, "a tar archive", unpack_advice},
    {0, "\x89PNG\r\n\x1a\n"sv, "a PNG image", "the file of weights"},
    {0, "\xff\xd8\xff"sv, "a JPEG image", "the file of weights"},
    {0, "GIF8"sv, "a GIF image", "the file of weights"},
    {0, "%PDF"sv, "a PDF document", "the file of weights"},
    {0, "version https://git-lfs"sv, "a git-lfs pointer, which only stands for the file",
     "git lfs pull, in the repository it came from"},
};

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The first line that is not blank, and no more than 60 bytes of it; nothing when the contents are
/// not text.
std::optional<std::string> first_line(std::string_view text) {
  constexpr size_t sample = 512, shown = 60;
  if (text.size() > sample) {  // the sample may end inside of a character
    const auto ends_with = [&](uint8_t bits) {
      return (static_cast<uint8_t>(text.back()) & 0xc0) == bits;
    };
    text = text.substr(0, sample);
    for (int i = 0; i < 3 && ends_with(0x80); ++i) text.remove_suffix(1);
    if (ends_with(0xc0)) text.remove_suffix(1);
  }
  const auto is_text = [](char c) {
    return static_cast<uint8_t>(c) >= ' ' || c == '\n' || c == '\r' || c == '\t';
  };
  if (!is_utf8(text) || !std::all_of(text.begin(), text.end(), is_text)) return std::nullopt;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return std::string(text.substr(0, std::min(text.find_first_of("\r\n"), shown)));
}

bool begins_like_html(std::string line) {
  std::transform(line.begin(), line.end(), line.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  constexpr std::array<std::string_view, 5> beginnings{"<!doctype", "<html", "<head", "<?xml",
                                                       "<!--"};
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](std::string_view beginning) { return line.starts_with(beginning); });
}

Error is(const std::string& file, std::string_view what, std::string_view advice) {
  return Error(ErrorKind::model, fmt::format("{}: it is {}", file, what))
      .with("try", std::string(advice));
}

/// An ONNX model is a protobuf message: its version, then, as a rule, who made it.
bool is_onnx(std::string_view text, const std::string& file) {
  if (text.size() < 4 || text[0] != '\x08' || text[1] < 2 || text[1] > 31) return false;
  return text[2] == '\x12' || text[2] == '\x3a' || file.ends_with(".onnx");
}

/// The error for contents that are known not to be weights.
std::optional<Error> refusal(std::span<const std::byte> bytes, const std::string& file) {
  const std::string_view text = text_of(bytes);
  if (text.empty()) return is(file, "empty", "save or download it again");
  for (const Signature& s : signatures) {
    if (text.substr(std::min(s.offset, text.size())).starts_with(s.bytes)) {
      return is(file, s.what, s.advice);
    }
  }
  if (is_onnx(text, file)) return is(file, "an ONNX model, a graph", convert_advice);
  const std::optional<std::string> line = first_line(text);
  if (!line) return std::nullopt;
  if (begins_like_html(*line)) {
    return is(file, "a web page (HTML), not the file that was asked for",
              "the link that downloads the file itself, not the page about it");
  }
  if (line->starts_with('{') && text.substr(0, 65536).find("\"weight_map\"") != text.npos) {
    return is(file, "the index of a model in several files, without weights of its own",
              "one file with all of them: save_file(tensors, FILE) of safetensors");
  }
  return is(file, "a text file", convert_advice)
      .with("begins", fmt::format("\"{}\"", printable(*line)));
}

/// torch.save writes a zip archive; before PyTorch 1.6 it wrote pickles, the first of them a magic
/// number.
bool begins_like_pytorch(std::string_view text) {
  constexpr std::string_view magic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
  constexpr size_t furthest = 64;
  return text.starts_with("PK\x03\x04") ||
         text.substr(0, furthest).find(magic) != std::string_view::npos;
}

/// The format; none when the contents are not recognised. Errors: model when they are something
/// else.
std::optional<WeightFormat> recognised(std::span<const std::byte> bytes, const std::string& file) {
  if (begins_like_pytorch(text_of(bytes))) return WeightFormat::pytorch;
  if (begins_like_safetensors(bytes)) return WeightFormat::safetensors;
  if (const std::optional<Error> error = refusal(bytes, file)) throw Error(*error);
  return std::nullopt;
}

Error unknown_format(std::span<const std::byte> bytes, const std::string& file) {
  const std::string_view text = text_of(bytes);
  if (text.size() > 2 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5) {
    return is(file, "a pickle that torch.save did not write",
              "torch.save(model.state_dict(), FILE)");
  }
  return Error(ErrorKind::model, fmt::format("{}: it is not a known kind of weight file", file))
      .with("file", fmt::format("{} bytes", bytes.size()))
      .with("known", "what torch.save writes (.pth, .pt), and .safetensors");
}

}  // namespace

bool begins_like_safetensors(std::span<const std::byte> bytes) {
  constexpr size_t length_bytes = 8;
  return bytes.size() > length_bytes && bytes[length_bytes] == std::byte{'{'} &&
         little_endian<uint64_t>(bytes) < uint64_t{1} << 40;
}

WeightFormat weight_format(std::span<const std::byte> bytes, const std::string& file) {
  if (const auto format = recognised(bytes, file)) return *format;
  if (file.ends_with(".safetensors")) return WeightFormat::safetensors;  // says what is damaged
  throw unknown_format(bytes, file);
}

void require_format(WeightFormat format, std::span<const std::byte> bytes,
                    const std::string& file) {
  const std::optional<WeightFormat> found = recognised(bytes, file);
  if (found == format) return;
  if (!found && format == WeightFormat::safetensors) return;  // its reader says what is damaged
  if (!found) throw unknown_format(bytes, file);
  const bool pytorch = found == WeightFormat::pytorch;
  throw Error(ErrorKind::model,
              fmt::format("{}: it is a {}, not a {}", file,
                          pytorch ? "file that torch.save wrote" : "safetensors file",
                          pytorch ? "safetensors file" : "PyTorch one"));
}

}  // namespace fovea
