#include "fovea/audio/wav.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/formats/bytes.h"

namespace fovea {
namespace {

constexpr int64_t most_channels = 256, highest_rate = 1'000'000;
constexpr size_t header = 8;  // of a chunk: its name and size

bool has_name(std::span<const std::byte> bytes, std::string_view name) {
  return bytes.size() >= name.size() && std::memcmp(bytes.data(), name.data(), name.size()) == 0;
}

std::string encoding_name(int tag) {
  switch (tag) {
    case 2:
      return "Microsoft ADPCM";
    case 6:
      return "A-law";
    case 7:
      return "mu-law";
    case 0x11:
      return "IMA ADPCM";
    case 0x55:
      return "MP3";
    default:
      return fmt::format("encoding {:#x}", tag);
  }
}

/// Sample `i`, stored in `bits` bits from `data` on.
float sample_at(std::span<const std::byte> data, size_t i, int bits, bool floats) {
  const auto bytes = data.subspan(i * static_cast<size_t>(bits) / 8);
  switch (bits) {
    case 8:
      return static_cast<float>(std::to_integer<int>(bytes[0]) - 128) / 128;
    case 16:
      return static_cast<float>(static_cast<int16_t>(little_endian<uint16_t>(bytes))) / 32768;
    case 24: {
      const uint32_t high =
          uint32_t{little_endian<uint16_t>(bytes)} | std::to_integer<uint32_t>(bytes[2]) << 16;
      return static_cast<float>(static_cast<int32_t>(high << 8) >> 8) / 8388608;
    }
    case 32: {
      const auto word = little_endian<uint32_t>(bytes);
      if (floats) return std::bit_cast<float>(word);
      return static_cast<float>(static_cast<int32_t>(word)) / 2147483648.0F;
    }
    default:
      return static_cast<float>(std::bit_cast<double>(little_endian<uint64_t>(bytes)));
  }
}

}  // namespace

Wav::Wav(const std::filesystem::path& path)
    : Wav(read_file(path, ErrorKind::data, largest), path.string()) {}

Wav::Wav(FileBytes contents, std::string name)
    : contents_(std::move(contents)), name_(std::move(name)) {
  parse();
}

Error Wav::error(const std::string& what) const {
  return {ErrorKind::data, fmt::format("{}: {}", name_, what)};
}

void Wav::parse() {
  std::span<const std::byte> rest = contents_.bytes;
  if (rest.size() < 12 || !has_name(rest, "RIFF") || !has_name(rest.subspan(8), "WAVE")) {
    throw error("not a WAV file")
        .with("expected", "\"RIFF\", a size and \"WAVE\" at its beginning")
        .with("try", fmt::format("ffmpeg -i {} sound.wav", printable(name_)));
  }
  rest = rest.subspan(12);
  while (rest.size() >= header) {
    const size_t size = little_endian<uint32_t>(rest.subspan(4));
    const auto body = rest.subspan(header);
    const bool is_data = has_name(rest, "data");
    // A program that writes to a pipe cannot know the size, and leaves the largest number.
    const bool open_end = is_data && size == 0xffffffff;
    if (size > body.size() && !open_end) {
      throw error("cut off")
          .with("chunk", printable({reinterpret_cast<const char*>(rest.data()), 4}))
          .with("expected", fmt::format("{} bytes", size))
          .with("found", fmt::format("{} bytes", body.size()));
    }
    const auto chunk = body.first(open_end ? body.size() : size);
    if (has_name(rest, "fmt ")) parse_format(chunk);
    if (is_data) {
      if (bits_ == 0) throw error("its samples come before their format");
      const auto frame = static_cast<size_t>(channels_ * bits_ / 8);
      frames_ = static_cast<int64_t>(chunk.size() / frame);
      if (frames_ == 0) throw error("has no samples");
      data_ = chunk.first(static_cast<size_t>(frames_) * frame);
      return;
    }
    rest = body.subspan(std::min(body.size(), size + size % 2));  // chunks have even sizes
  }
  throw error("has no samples: no \"data\" chunk");
}

void Wav::parse_format(std::span<const std::byte> chunk) {
  constexpr size_t plain = 16, extensible = 40, subformat = 24;
  if (chunk.size() < plain) throw error("its format is cut off");
  int tag = little_endian<uint16_t>(chunk);
  if (tag == 0xfffe) {  // WAVE_FORMAT_EXTENSIBLE: the encoding begins a GUID
    if (chunk.size() < extensible) throw error("its format is cut off");
    tag = little_endian<uint16_t>(chunk.subspan(subformat));
  }
  channels_ = little_endian<uint16_t>(chunk.subspan(2));
  rate_ = little_endian<uint32_t>(chunk.subspan(4));
  const int frame = little_endian<uint16_t>(chunk.subspan(12));
  bits_ = little_endian<uint16_t>(chunk.subspan(14));
  floats_ = tag == 3;
  if (tag != 1 && tag != 3) {
    throw error(fmt::format("its samples are in {}", encoding_name(tag)))
        .with("expected", "PCM or floats")
        .with("try", fmt::format("ffmpeg -i {} -c:a pcm_s16le sound.wav", printable(name_)));
  }
  const bool known = floats_ ? bits_ == 32 || bits_ == 64
                             : bits_ == 8 || bits_ == 16 || bits_ == 24 || bits_ == 32;
  if (!known) {
    throw error(fmt::format("its samples have {} bits", bits_))
        .with("expected", floats_ ? "floats of 32 or 64 bits" : "integers of 8, 16, 24 or 32 bits");
  }
  if (channels_ < 1 || channels_ > most_channels) {
    throw error(fmt::format("it has {}", counted(channels_, "channel")))
        .with("expected", fmt::format("1 to {}", most_channels));
  }
  if (rate_ < 1 || rate_ > highest_rate) {
    throw error(fmt::format("its rate is {} Hz", rate_))
        .with("expected", fmt::format("1 to {}", highest_rate));
  }
  if (frame != channels_ * bits_ / 8) {
    throw error(fmt::format("frames of {} of {} bits have {} bytes", counted(channels_, "channel"),
                            bits_, channels_ * bits_ / 8))
        .with("found", fmt::format("{} bytes", frame));
  }
}

Array Wav::samples(int64_t first, int64_t count) const {
  if (first < 0 || count < 1 || first > frames_ - count) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: there are no frames {} to {}", name_, first, first + count))
        .with("frames", std::to_string(frames_));
  }
  Array result(DType::f32, {channels_, count});
  const auto values = result.data<float>();
  for (int64_t c = 0; c < channels_; ++c) {
    for (int64_t i = 0; i < count; ++i) {
      const auto place = static_cast<size_t>((first + i) * channels_ + c);
      const float value = sample_at(data_, place, bits_, floats_);
      if (!std::isfinite(value)) {
        throw error("a sample is not a finite number")
            .with("at", fmt::format("frame {}, channel {}", first + i, c));
      }
      values[static_cast<size_t>(c * count + i)] = value;
    }
  }
  return result;
}

Array mono(const Array& samples) {
  const int64_t channels = samples.dim(0), count = samples.dim(1);
  if (channels == 1) return samples;
  Array result(DType::f32, {1, count});
  const auto from = samples.data<float>();
  const auto to = result.data<float>();
  for (int64_t i = 0; i < count; ++i) {
    double sum = 0;
    for (int64_t c = 0; c < channels; ++c) sum += from[static_cast<size_t>(c * count + i)];
    to[static_cast<size_t>(i)] = static_cast<float>(sum / static_cast<double>(channels));
  }
  return result;
}

}  // namespace fovea
