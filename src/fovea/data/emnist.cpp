#include "fovea/data/emnist.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/data/idx.h"

namespace fovea::data {
namespace {

constexpr std::string_view digits = "0123456789", capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                           small = "abcdefghijklmnopqrstuvwxyz",
                           unmerged = "abdefghnqrt";  // the others count as their capitals

struct EmnistSubset {
  std::string name;
  std::string classes;  ///< one character each
  int64_t first_label = 0;
};

const std::vector<EmnistSubset>& subsets() {
  const std::string both = fmt::format("{}{}", digits, capitals);
  const std::string merged = both + std::string(unmerged);
  static const std::vector<EmnistSubset> all{{"byclass", both + std::string(small)},
                                             {"bymerge", merged},
                                             {"balanced", merged},
                                             {"letters", std::string(small), 1},
                                             {"digits", std::string(digits)},
                                             {"mnist", std::string(digits)}};
  return all;
}

std::string part(const std::string& subset, const char* split) {
  return "emnist-" + subset + "-" + split;
}

bool holds(const std::filesystem::path& folder, const std::string& subset) {
  return std::ranges::any_of(emnist_files(subset), [&](const std::string& file) {
    return find_idx_file(folder, file).has_value();
  });
}

}  // namespace

std::vector<std::string> emnist_subsets() {
  std::vector<std::string> names;
  for (const EmnistSubset& subset : subsets()) names.push_back(subset.name);
  return names;
}

std::vector<std::string> emnist_files(const std::string& subset) {
  std::vector<std::string> files;
  for (const char* split : {"train", "test"}) {
    for (const char* kind : {"-images-idx3-ubyte", "-labels-idx1-ubyte"})
      files.push_back(part(subset, split) + kind);
  }
  return files;
}

DataSets open_emnist(const std::filesystem::path& folder, const std::string& subset) {
  std::vector<std::string> found;
  for (const EmnistSubset& one : subsets()) {
    if (subset == one.name || (subset.empty() && holds(folder, one.name)))
      found.push_back(one.name);
  }
  if (found.size() != 1) {
    Error error(ErrorKind::usage, subset.empty()
                                      ? folder.string() + " holds several subsets of EMNIST"
                                      : "EMNIST has no subset " + printable(subset));
    throw error.with("subsets", join(found.empty() ? emnist_subsets() : found))
        .with("try", fmt::format("--data emnist-{}:{}", (found.empty() ? "letters" : found[0]),
                                 folder.string()));
  }
  const EmnistSubset& chosen = *std::ranges::find(subsets(), found[0], &EmnistSubset::name);
  std::vector<std::string> names;
  for (const char c : chosen.classes) names.emplace_back(1, c);
  return open_idx_folder(folder, "emnist-" + chosen.name, names,
                         {.train = part(chosen.name, "train"),
                          .test = part(chosen.name, "test"),
                          .first_label = chosen.first_label,
                          .transposed = true});
}

}  // namespace fovea::data
