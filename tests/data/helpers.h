#pragma once

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/core/random.h"
#include "fovea/data/augmentation.h"
#include "fovea/data/dataset.h"
#include "fovea/runtime/eval.h"

namespace fovea::data {

using Bytes = std::vector<uint8_t>;

/// The transform that a text such as "flip:0.5" chooses, of those of one sample.
inline std::shared_ptr<const Transform> transform(std::string_view text) {
  return std::get<std::shared_ptr<const Transform>>(make_transform(parse_choice(text)));
}

/// A temporary folder, removed at the end.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fovea-data-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  std::filesystem::path write(const std::string& name, const Bytes& bytes) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream file(path_ / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return path_ / name;
  }
  /// A file of `size` zeros that takes no space on disk.
  std::filesystem::path zeros(const std::string& name, uintmax_t size) const {
    const std::filesystem::path path = write(name, {});
    std::filesystem::resize_file(path, size);
    return path;
  }

 private:
  std::filesystem::path path_;
};

inline Bytes gzip(const Bytes& bytes) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 9, Z_DEFAULT_STRATEGY);
  Bytes packed(deflateBound(&stream, bytes.size()) + 32);
  stream.next_in = const_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

inline Bytes cut(Bytes bytes, size_t size) {
  bytes.resize(size);
  return bytes;
}

inline Bytes with(Bytes bytes, size_t at, uint8_t value) {
  bytes.at(at) = value;
  return bytes;
}

inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// The error that `action` throws; fails the test if it throws none.
inline Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorKind::internal, "no error"};
}

/// Changes a good file at random, cut off, with other bytes and with parts repeated: `read` takes
/// it or throws a data error, nothing else.
inline void expect_no_worse(const TempFolder& folder, const std::string& name,
                            const std::function<void()>& read) {
  std::ifstream stream(folder / name, std::ios::binary);
  const Bytes good((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  Random random(1, "mutations");
  for (int round = 0; round < 200; ++round) {
    Bytes bytes = good;
    const auto place_in = [&](const Bytes& in) {
      return static_cast<std::ptrdiff_t>(random.below(in.size()));
    };
    for (uint64_t change = 0; change <= random.below(3); ++change) {
      if (random.below(4) == 0) bytes.resize(static_cast<size_t>(place_in(bytes)) + 1);
      if (random.below(4) == 0) {
        const auto [first, last] = std::minmax({place_in(good), place_in(good)});
        bytes.insert(bytes.begin() + place_in(bytes), good.begin() + first, good.begin() + last);
      }
      bytes[static_cast<size_t>(place_in(bytes))] = static_cast<uint8_t>(random.below(256));
    }
    folder.write(name, bytes);
    try {
      read();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
    }
  }
  folder.write(name, good);
}

/// The bytes of sample `i`'s input.
inline Bytes pixels_of(const Dataset& set, int64_t i) {
  const Array input = set.sample(i).input;
  const std::span<const uint8_t> bytes = input.data<uint8_t>();
  return {bytes.begin(), bytes.end()};
}

/// A batch of inputs [N, C, spatial...] after the transform, in training step `step`.
inline Batch mixed(const BatchTransform& transform, const Batch& batch, const Targets& targets,
                   uint64_t step) {
  Random random(3, "mix", step);
  std::vector<Array> arrays{batch.inputs, batch.targets};
  for (Array& array : transform.draw(batch.inputs.shape(), random)) arrays.push_back(array);
  const std::vector<Array> results = eval(
      [&](const Tensors& in) {
        const BatchTensors out =
            transform.trace({in[0], in[1]}, targets, {in.begin() + 2, in.end()});
        return Tensors{out.inputs, out.targets};
      },
      arrays);
  return {results[0], results[1]};
}

/// A split of random pixels; labels cycle through the classes.
inline std::shared_ptr<const ArrayDataset> random_set(int64_t n, int64_t height, int64_t width,
                                                      int64_t channels, uint64_t seed = 1) {
  Array images(DType::u8, {n, height, width, channels});
  Array labels(DType::i64, {n});
  Random random(seed, "test pixels");
  for (uint8_t& pixel : images.data<uint8_t>()) pixel = static_cast<uint8_t>(random.bits());
  for (int64_t i = 0; i < n; ++i) labels.set(i, static_cast<double>(i % 3));
  return std::make_shared<ArrayDataset>(images, labels, class_targets({"red", "green", "blue"}));
}

}  // namespace fovea::data
