#include "fovea/data/tar.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/random.h"
#include "fovea/core/text.h"
#include "fovea/data/arrays.h"
#include "fovea/data/data_file.h"
#include "fovea/data/image_files.h"
#include "fovea/data/shard_pattern.h"
#include "fovea/data/tar_reader.h"
#include "fovea/images/codec.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

constexpr int64_t longest_class = 256, longest_json = int64_t{1} << 20;

/// A file that is read at any place, from any number of threads.
class PlacedFile {
 public:
  explicit PlacedFile(const fs::path& path)
      : path_(path),
        file_(uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); })) {
    if (file_.get() < 0) {
      throw Error(ErrorKind::data,
                  fmt::format("cannot read {}: {}", path.string(), std::strerror(errno)));
    }
  }

  int64_t size() const { return std::max<int64_t>(::lseek(file_.get(), 0, SEEK_END), 0); }

  /// Fewer bytes only at the end.
  size_t read(int64_t offset, std::span<std::byte> out) const {
    size_t done = 0;
    while (done < out.size()) {
      const ssize_t count = uninterrupted([&] {
        return ::pread(file_.get(), out.data() + done, out.size() - done,
                       offset + static_cast<int64_t>(done));
      });
      if (count == 0) break;
      if (count < 0) {
        throw Error(ErrorKind::data,
                    fmt::format("cannot read {}: {}", path_.string(), std::strerror(errno)));
      }
      done += static_cast<size_t>(count);
    }
    return done;
  }

 private:
  fs::path path_;
  Descriptor file_;
};

/// One sample: where its image is, and its class as it was written.
struct Entry {
  size_t shard;
  TarMember image;
  std::string label;
};

struct Index {
  std::vector<fs::path> shards;
  std::vector<Entry> samples;
};

/// "a/0001.seg.png" as "a/0001" and "seg.png".
std::pair<std::string, std::string> key_of(const std::string& name) {
  const size_t slash = name.rfind('/');
  const size_t dot = name.find('.', slash == std::string::npos ? 0 : slash + 1);
  if (dot == std::string::npos) return {name, ""};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first);
}

/// The class in a member .json; "" if it has none.
std::string json_class(const std::string& text) {
  const nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_object()) return "";
  for (const char* key : {"cls", "label", "class"}) {
    const auto found = document.find(key);
    if (found == document.end()) continue;
    if (found->is_string()) return found->get<std::string>();
    if (found->is_number_integer()) return std::to_string(found->get<int64_t>());
  }
  return "";
}

/// Reads the samples of one tar file.
class ShardReader {
 public:
  ShardReader(const fs::path& path, size_t shard, std::vector<Entry>& samples)
      : path_(path), shard_(shard), file_(path), samples_(samples) {}

  void read() {
    TarReader tar(
        path_, [&](int64_t offset, std::span<std::byte> out) { return file_.read(offset, out); },
        file_.size());
    while (const std::optional<TarMember> member = tar.next()) {
      const auto [key, suffix] = key_of(member->name);
      if (key.substr(key.rfind('/') + 1).empty()) continue;  // hidden files
      if (key != key_) finish();
      key_ = key;
      offset_ = member->offset;
      std::string kind = suffix;
      for (char& c : kind) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      if (is_image_name("x." + kind) && kind.find('.') == std::string::npos) {
        if (image_) throw bad("has two images for the sample " + printable(key));
        image_ = *member;
      } else if (kind == "cls") {
        label_ = trimmed(tar.contents(*member, longest_class));
      } else if (kind == "json" && label_.empty()) {
        label_ = json_class(tar.contents(*member, longest_json));
      }
    }
    finish();
  }

 private:
  void finish() {
    if (image_ && label_.empty()) throw bad("has no class for the sample " + printable(key_));
    if (!image_ && !label_.empty()) throw bad("has no image for the sample " + printable(key_));
    if (image_) samples_.push_back({shard_, std::move(*image_), std::move(label_)});
    image_.reset();
    label_.clear();
  }
  Error bad(const std::string& what) const {
    return bad_file("tar file " + what, path_, offset_,
                    "NAME.jpg (or .png, .webp) and NAME.cls (or .json), one after the other",
                    "members that are not so");
  }

  const fs::path& path_;
  size_t shard_;
  PlacedFile file_;
  std::vector<Entry>& samples_;
  std::string key_, label_;
  std::optional<TarMember> image_;
  int64_t offset_ = 0;
};

/// Opening thousands of files is not slow: each is opened for each image.
class TarImages : public EncodedImages {
 public:
  TarImages(Index index, Array targets, Targets meaning)
      : EncodedImages(std::ssize(index.samples), std::move(targets), std::move(meaning)),
        index_(std::move(index)) {
    examine();
  }

  int64_t group(int64_t i) const override {
    return index_.shards.size() == 1 ? i : static_cast<int64_t>(at(i).shard);
  }
  std::optional<int64_t> shard(int64_t i) const override {
    return static_cast<int64_t>(at(i).shard);
  }
  std::string name(int64_t i) const override {
    return index_.shards[at(i).shard].string() + "/" + at(i).image.name;
  }
  std::string stamp() const override {
    std::string text;
    for (const Entry& entry : index_.samples) {
      text += hex(hash(index_.shards[entry.shard].filename().string() + '\n' + entry.image.name +
                       '\n' + std::to_string(entry.image.size)));
    }
    return hex(hash(text));
  }

 protected:
  AnyImage decoded(int64_t i, const MinimumSize& minimum) const override {
    const Entry& entry = at(i);
    std::vector<std::byte> bytes(static_cast<size_t>(entry.image.size));
    const size_t count = PlacedFile(index_.shards[entry.shard]).read(entry.image.offset, bytes);
    if (count < bytes.size()) {
      throw bad_file("tar file is cut short", index_.shards[entry.shard],
                     entry.image.offset + static_cast<int64_t>(count),
                     bytes_text(entry.image.size) + " of " + printable(entry.image.name),
                     bytes_text(static_cast<int64_t>(count)));
    }
    return decode_any_image(bytes, name(i), default_pixel_limit, minimum);
  }
  size_t beginning(int64_t i, std::span<std::byte> out) const override {
    const Entry& entry = at(i);
    const auto count =
        static_cast<size_t>(std::min(entry.image.size, static_cast<int64_t>(out.size())));
    return PlacedFile(index_.shards[entry.shard]).read(entry.image.offset, out.first(count));
  }

 private:
  const Entry& at(int64_t i) const { return index_.samples[static_cast<size_t>(i)]; }

  Index index_;
};

Index read_index(std::vector<fs::path> shards) {
  Index index{.shards = std::move(shards), .samples = {}};
  for (size_t s = 0; s < index.shards.size(); ++s)
    ShardReader(index.shards[s], s, index.samples).read();
  return index;
}

/// The number that a class is written as, if it is one.
std::optional<int64_t> class_number(const std::string& label) {
  constexpr int64_t max_classes = 1'000'000;
  int64_t value = 0;
  const auto parsed = std::from_chars(label.data(), label.data() + label.size(), value);
  const bool complete = parsed.ec == std::errc() && parsed.ptr == label.data() + label.size();
  return complete && value >= 0 && value < max_classes ? std::optional(value) : std::nullopt;
}

/// The names of all classes, and the number of each as it is written.
class Classes {
 public:
  Classes(const std::vector<const Index*>& splits, const fs::path& folder) {
    std::set<std::string> labels;
    int64_t count = 0;
    for (const Index* split : splits) {
      for (const Entry& entry : split->samples) labels.insert(entry.label);
    }
    for (const std::string& label : labels) {
      const std::optional<int64_t> number = class_number(label);
      numbered_ = numbered_ && number;
      count = std::max(count, number.value_or(0) + 1);
    }
    names_ = numbered_ ? class_names(folder, count)
                       : std::vector<std::string>(labels.begin(), labels.end());
  }

  const std::vector<std::string>& names() const { return names_; }
  Array targets(const Index& index) const {
    std::vector<int64_t> numbers;
    for (const Entry& entry : index.samples) {
      numbers.push_back(numbered_ ? *class_number(entry.label)
                                  : std::ranges::lower_bound(names_, entry.label) - names_.begin());
    }
    return Array::of(numbers);
  }

 private:
  bool numbered_ = true;
  std::vector<std::string> names_;
};

}  // namespace

DataSets open_tar(const fs::path& pattern) {
  const ShardSplits files = find_shards(pattern);
  const Index train = read_index(files.train), val = read_index(files.val),
              test = read_index(files.test);
  if (train.samples.empty()) {
    throw Error(ErrorKind::data, fmt::format("{}: no samples to train on", pattern.string()))
        .with("files", std::to_string(files.train.size()))
        .with("expected", "members NAME.jpg (or .png, .webp) and NAME.cls (or .json)");
  }
  const Classes classes({&train, &val, &test}, files.train[0].parent_path());
  const Targets meaning = class_targets(classes.names());
  const auto make = [&](const Index& index) -> std::shared_ptr<const Dataset> {
    if (index.samples.empty()) return nullptr;
    return std::make_shared<TarImages>(index, classes.targets(index), meaning);
  };
  return with_test_split(
      {.name = "tar", .train = make(train), .test = make(test), .val = make(val)});
}

}  // namespace fovea::data
