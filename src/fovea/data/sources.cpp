#include "fovea/data/sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/data_file.h"
#include "fovea/data/tar_reader.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

struct Checked {
  const char* sha256;
  int64_t bytes;
};

/// The four files of MNIST and its relatives: images and labels to train on, then those to test.
Source idx_source(std::string name, const std::string& url, const std::array<Checked, 4>& checked) {
  constexpr std::array parts{"train-images-idx3", "train-labels-idx1", "t10k-images-idx3",
                             "t10k-labels-idx1"};
  Source source{.name = std::move(name), .files = {}};
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string file = std::string(parts[i]) + "-ubyte.gz";
    source.files.push_back({url + file, file, checked[i].sha256, checked[i].bytes});
  }
  return source;
}

Source cifar_source(std::string name, const std::string& file, const Checked& checked,
                    std::string unpacked) {
  return {
      .name = std::move(name),
      .files = {{"https://www.cs.toronto.edu/~kriz/" + file, file, checked.sha256, checked.bytes}},
      .unpacked = std::move(unpacked)};
}

/// Writes the files that the archive has in its folder `top` into `target`, all of them or none.
void unpack(const fs::path& archive, const std::string& top, const fs::path& target) {
  constexpr int64_t largest_file = int64_t{1} << 30;
  const fs::path partial = target.string() + ".part";
  fs::remove_all(partial);
  fs::create_directories(partial);
  DataFile file(archive, "archive");
  int64_t position = 0;
  std::vector<std::byte> skipped(size_t{1} << 20);
  const auto read = [&](int64_t offset, std::span<std::byte> out) {
    while (position < offset) {
      const auto left = static_cast<size_t>(offset - position);
      const size_t count = file.read_some(std::span(skipped).first(std::min(left, skipped.size())));
      if (count == 0) return size_t{0};
      position += static_cast<int64_t>(count);
    }
    const size_t count = file.read_some(out);
    position += static_cast<int64_t>(count);
    return count;
  };
  TarReader tar(archive, read, std::nullopt);
  int64_t files = 0;
  while (const std::optional<TarMember> member = tar.next()) {
    const fs::path name = member->name;
    if (name.parent_path() != top || name.filename() == "..") continue;
    const std::string contents = tar.contents(*member, largest_file);
    replace_file(partial / name.filename(), contents);
    ++files;
  }
  if (files == 0) {
    throw Error(ErrorKind::data, fmt::format("{}: nothing to unpack", archive.string()))
        .with("expected", fmt::format("files in {}/", top));
  }
  fs::rename(partial, target);
}

}  // namespace

const std::vector<Source>& sources() {
  static const std::vector<Source> all{
      cifar_source("cifar10", "cifar-10-binary.tar.gz",
                   {"c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", 170052171},
                   "cifar-10-batches-bin"),
      cifar_source("cifar100", "cifar-100-binary.tar.gz",
                   {"58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec", 168513733},
                   "cifar-100-binary"),
      idx_source("fashion-mnist", "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                 {{{"3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26421880},
                   {"a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29515},
                   {"346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4422102},
                   {"67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5148}}}),
      idx_source("mnist", "https://ossci-datasets.s3.amazonaws.com/mnist/",
                 {{{"440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9912422},
                   {"3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28881},
                   {"8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1648877},
                   {"f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4542}}}),
      idx_source("kmnist", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
                 {{{"51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4", 18165135},
                   {"e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17", 29497},
                   {"edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5", 3041136},
                   {"20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c", 5120}}})};
  return all;
}

fs::path get(std::string_view name, fs::path folder, const DownloadOptions& options) {
  const auto source = std::ranges::find(sources(), name, &Source::name);
  if (source == sources().end()) {
    std::vector<std::string> known;
    for (const Source& one : sources()) known.push_back(one.name);
    throw unknown_name("data set to download", name, known).with("known", join(known));
  }
  if (folder.empty()) folder = data_cache() / source->name;
  if (source->unpacked.empty()) {
    download(source->files, folder, options);
    return folder;
  }
  const fs::path target = folder / source->unpacked;
  if (exists(target, ErrorKind::data)) return target;
  const fs::path archive = download(source->files.front(), folder, options);
  try {
    unpack(archive, source->unpacked, target);
    fs::remove(archive);
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::io,
                fmt::format("cannot write {}: {}", error.path1().string(), error.code().message()));
  }
  return target;
}

}  // namespace fovea::data
