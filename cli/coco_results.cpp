#include "coco_results.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/coco.h"

namespace fovea::cli {
namespace {

/// The number that is a file's name, as in COCO; none for other names.
std::optional<int64_t> number_in_name(const std::string& path) {
  const std::string stem = std::filesystem::path(path).stem().string();
  if (stem.empty() || stem.size() > 15 || stem.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return std::stoll(stem);
}

/// The id of the image whose file name is all of the path or its end. Errors: data if there is
/// none.
int64_t id_of(const std::string& path, const std::map<std::string, int64_t>& ids,
              const std::string& file) {
  std::string rest = std::filesystem::path(path).lexically_normal().generic_string();
  while (true) {
    if (const auto found = ids.find(rest); found != ids.end()) return found->second;
    const size_t slash = rest.find('/');
    if (slash == std::string::npos) break;
    rest.erase(0, slash + 1);
  }
  throw Error(ErrorKind::data, fmt::format("{}: has no image {}", file, printable(path)))
      .with("images",
            ids.empty() ? "none"
                        : fmt::format("{}, such as {}", ids.size(), printable(ids.begin()->first)));
}

/// The number of each image in COCO's results: its id in --annotations or, without that, the number
/// that is its name, or else its place. Errors: usage when two have the same.
std::map<std::string, int64_t> image_numbers(const std::string& annotations,
                                             const std::vector<std::string>& paths) {
  std::map<std::string, int64_t> ids, numbers;
  if (!annotations.empty()) ids = data::read_coco_images(annotations);
  std::map<int64_t, const std::string*> taken;
  for (size_t i = 0; i < paths.size(); ++i) {
    const std::string& path = paths[i];
    const int64_t number = annotations.empty()
                               ? number_in_name(path).value_or(static_cast<int64_t>(i) + 1)
                               : id_of(path, ids, annotations);
    const auto [other, fresh] = taken.emplace(number, &path);
    if (!fresh) {
      throw Error(ErrorKind::usage, fmt::format("--coco: two images have the number {}", number))
          .with("images", fmt::format("{}, {}", *other->second, path))
          .with("try", "--annotations FILE.json, whose ids of images are then used");
    }
    numbers[path] = number;
  }
  return numbers;
}

}  // namespace

CocoResults::CocoResults(std::string file, const std::string& annotations,
                         const std::vector<std::string>& paths)
    : file_(std::move(file)), numbers_(image_numbers(annotations, paths)) {}

void CocoResults::add(const std::string& path, const tasks::Prediction& prediction) {
  const std::optional<Json> results = prediction.coco(numbers_.at(path));
  if (!results) {
    throw Error(ErrorKind::usage, "--coco: this model's predictions are not boxes")
        .with("try", "a model for detection");
  }
  for (const Json& result : *results) list_.push_back(result);
}

void CocoResults::write() const { replace_file(file_, list_.dump(1) + "\n"); }

}  // namespace fovea::cli
