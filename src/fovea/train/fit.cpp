#include "fovea/train/fit.h"

#include <fmt/format.h>

#include <system_error>

#include "fovea/core/error.h"

#include <unistd.h>

namespace fovea {
namespace {

/// A folder that is removed with its contents.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fovea-fit-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw Error(ErrorKind::io, fmt::format("cannot make a temporary folder: {}", pattern))
          .with("try", "TMPDIR, or a folder for the run");
    }
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

History fit(const std::string& model, const data::DataSets& data, train::Settings settings,
            const std::vector<train::Callback*>& callbacks, const std::filesystem::path& out) {
  std::optional<TemporaryFolder> temporary;
  if (out.empty()) temporary.emplace();
  settings.model = model;
  const std::filesystem::path folder = temporary ? temporary->path() / "run" : out;
  History history{train::train(settings, data, folder, callbacks), nullptr};
  if (!history.history.empty())
    history.model = std::make_unique<Predictor>(folder / "best.safetensors");
  if (temporary) history.folder.clear();
  return history;
}

}  // namespace fovea
