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

/// Trains `net`, or if it is null the model that the settings name.
History trained(const nn::Module* net, const data::DataSets& data, const train::Settings& settings,
                const std::vector<train::Callback*>& callbacks, const std::filesystem::path& out) {
  std::optional<TemporaryFolder> temporary;
  if (out.empty()) temporary.emplace();
  const std::filesystem::path folder = temporary ? temporary->path() / "run" : out,
                              best = folder / "best.safetensors";
  History history{train::train(settings, data, folder, callbacks, {}, net), nullptr};
  if (!history.history.empty())
    history.model = std::make_unique<Predictor>(load_model(best), best.string(), net);
  if (temporary) history.folder.clear();
  return history;
}

}  // namespace

History fit(const std::string& model, const data::DataSets& data, train::Settings settings,
            const std::vector<train::Callback*>& callbacks, const std::filesystem::path& out) {
  settings.model = model;
  return trained(nullptr, data, settings, callbacks, out);
}

History fit(const nn::Module& net, const data::DataSets& data, const train::Settings& settings,
            const std::vector<train::Callback*>& callbacks, const std::filesystem::path& out) {
  return trained(&net, data, settings, callbacks, out);
}

}  // namespace fovea
