#include "fovea/data/image_files.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>

#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/core/random.h"
#include "fovea/core/text.h"
#include "fovea/images/codec.h"
#include "fovea/images/samples.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

constexpr int64_t images_examined = 32;

template <class Pixel>
Array rgb_array(const BasicImage<Pixel>& image) {
  return image.channels == 3 ? to_array(image) : to_array(to_rgb(image));
}

/// ".png" for "1.PNG".
std::string lower_suffix(const fs::path& path) {
  std::string suffix = path.extension().string();
  for (char& c : suffix) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return suffix;
}

}  // namespace

EncodedImages::EncodedImages(int64_t size, Array targets, Targets meaning)
    : size_(size), targets_(std::move(targets)), meaning_(std::move(meaning)) {
  const Type all{meaning_.type.dtype, Shape{size}.concat(meaning_.type.shape)};
  if (targets_.dtype() == all.dtype && targets_.shape() == all.shape) return;
  throw Error(ErrorKind::usage, "images: one target per image is expected")
      .with("images", std::to_string(size))
      .with("targets", describe(targets_))
      .with("expected", to_string(all));
}

Sample EncodedImages::scaled_sample(int64_t i, const MinimumSize& minimum) const {
  AnyImage image = decoded(i, minimum);
  if (dtype_ == DType::u8 && std::holds_alternative<Image16>(image)) {
    throw Error(ErrorKind::data,
                fmt::format("{}: has 16 bits, but the others of the data set have 8", name(i)))
        .with("try", "a name that ends in .png: then all of them are read in 16 bits");
  }
  return {dtype_ == DType::u16 ? rgb_array(to_16_bits(std::move(image)))
                               : rgb_array(to_8_bits(std::move(image))),
          target(i)};
}

Array EncodedImages::target(int64_t i) const {
  const Shape& shape = meaning_.type.shape;
  Array one(meaning_.type.dtype, shape);
  std::copy_n(targets_.raw() + static_cast<size_t>(i) * one.bytes(), one.bytes(), one.raw());
  return one;
}

bool EncodedImages::any_16_bits() const {
  std::atomic<bool> found = false;
  parallel_for(size(), 256, [&](int64_t begin, int64_t end) {
    std::array<std::byte, png_depth_end> bytes;
    for (int64_t i = begin; i < end && !found; ++i) {
      if (lower_suffix(name(i)) != ".png") continue;
      if (is_16_bit_png(std::span(bytes).first(beginning(i, bytes)))) found = true;
    }
  });
  return found;
}

void EncodedImages::examine() {
  if (any_16_bits()) dtype_ = DType::u16;
  const int64_t examined = std::min(images_examined, size());
  std::optional<Shape> typical;
  MinimumSize wanted;  // once sizes differ, images may be decoded faster
  for (int64_t k = 0; k < examined; ++k) {
    try {
      const AnyImage image = decoded(k * size() / examined, wanted);
      const Shape shape = std::visit(
          [](const auto& i) {
            return Shape{i.height, i.width, 3};
          },
          image);
      if (typical && *typical != shape) wanted = {1, 1};
      typical = shape;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::data) throw;
    }
  }
  if (typical && wanted == MinimumSize{}) typical_ = Type{dtype_, *typical};
}

ImageFiles::ImageFiles(FileList list, Targets meaning)
    : EncodedImages(std::ssize(list.paths), list.targets, std::move(meaning)),
      list_(std::move(list)) {
  if (!list_.groups.empty() && list_.groups.size() != list_.paths.size()) {
    throw Error(ErrorKind::usage, "images: one group per image is expected")
        .with("images", std::to_string(list_.paths.size()))
        .with("groups", std::to_string(list_.groups.size()));
  }
  examine();
}

fs::path ImageFiles::path(int64_t i) const {
  return list_.root / list_.paths[static_cast<size_t>(i)];
}

AnyImage ImageFiles::decoded(int64_t i, const MinimumSize& minimum) const {
  require_file(path(i), ErrorKind::data);
  return decode_any_image(path(i), default_pixel_limit, minimum);
}

size_t ImageFiles::beginning(int64_t i, std::span<std::byte> out) const {
  const Descriptor file(
      uninterrupted([&] { return ::open(path(i).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
  if (file.get() < 0) return 0;
  const ssize_t count =
      uninterrupted([&] { return ::pread(file.get(), out.data(), out.size(), 0); });
  return static_cast<size_t>(std::max<ssize_t>(count, 0));
}

int64_t ImageFiles::group(int64_t i) const {
  return list_.groups.empty() ? i : list_.groups[static_cast<size_t>(i)];
}

std::string ImageFiles::stamp() const { return stamp_of(list_.root, list_.paths); }

std::string stamp_of(const fs::path& root, const std::vector<std::string>& paths) {
  std::vector<uint64_t> parts(paths.size());
  parallel_for(std::ssize(paths), 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto at = static_cast<size_t>(i);
      const std::optional<FileInfo> file = file_info(root / paths[at], ErrorKind::data);
      const uint64_t bytes = file ? file->size : ~uint64_t{0};
      parts[at] = hash(paths[at] + '\n' + std::to_string(bytes));
    }
  });
  const std::span<const std::byte> bytes = std::as_bytes(std::span<const uint64_t>(parts));
  return hex(hash({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
}

bool is_image_name(const fs::path& path) {
  constexpr std::string_view known[] = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp"};
  return std::ranges::count(known, lower_suffix(path)) > 0;
}

bool reads_files(const Dataset& dataset) {
  return !dataset.input() || (dataset.modality() && dataset.held_bytes() == 0);
}

std::vector<BadSample> find_bad(const Dataset& dataset,
                                const std::function<void(int64_t done, int64_t all)>& progress,
                                std::stop_token stop) {
  std::vector<BadSample> bad;
  std::mutex guard;
  int64_t done = 0;
  parallel_for(dataset.size(), 16, [&](int64_t begin, int64_t end) {
    std::vector<BadSample> own;
    for (int64_t i = begin; i < end && !stop.stop_requested(); ++i) {
      try {
        (void)dataset.sample(i);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::data) throw;
        own.push_back({i, dataset.name(i), error.headline()});
      }
    }
    const std::lock_guard lock(guard);
    bad.insert(bad.end(), own.begin(), own.end());
    done += end - begin;
    if (progress) progress(done, dataset.size());
  });
  std::ranges::sort(bad, {}, &BadSample::index);
  return bad;
}

std::shared_ptr<const Dataset> without(std::shared_ptr<const Dataset> dataset,
                                       const std::vector<BadSample>& bad) {
  if (bad.empty()) return dataset;
  std::vector<int64_t> kept;
  auto next = bad.begin();
  for (int64_t i = 0; i < dataset->size(); ++i) {
    if (next != bad.end() && next->index == i) {
      ++next;
    } else {
      kept.push_back(i);
    }
  }
  return std::make_shared<Subset>(std::move(dataset), std::move(kept));
}

}  // namespace fovea::data
