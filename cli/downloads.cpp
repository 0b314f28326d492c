#include "downloads.h"

#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "fovea/data/sources.h"
#include "fovea/models/registry.h"
#include "fovea/weights/pretrained.h"
#include "model.h"

namespace fovea::cli {
namespace {

struct DownloadsFlags {
  std::string name, out;
};

/// Reports where something was put. A signal ends a download at once; the same command continues
/// it.
template <class Get>
int run_get(const DownloadsFlags& flags, const char* what, Console& console, const Get& get) {
  if (flags.name.empty()) {
    throw Error(ErrorKind::usage, fmt::format("{} get: a name is required", what))
        .with("try", fmt::format("fovea {} get --help", what));
  }
  const std::filesystem::path path = get();
  console.clear_status();
  console.document({{"name", flags.name}, {"path", path.string()}});
  console.result(path.string() + "\n");
  return 0;
}

void add_out(Command command, std::string& out, const char* variable, const char* folder) {
  command.text("--out", out,
               fmt::format("Where to put it; ${}, by default ~/.cache/fovea/{}", variable, folder),
               "DIR");
}

}  // namespace

DownloadOptions with_progress(const std::string& what, Console& console) {
  return {.progress = [&console, what](int64_t done, std::optional<int64_t> all) {
    const double share =
        all && *all > 0 ? static_cast<double>(done) / static_cast<double>(*all) : 0;
    const std::string size = all ? " of " + bytes_text(static_cast<size_t>(*all)) : std::string();
    console.status(share, what + ": " + bytes_text(static_cast<size_t>(done)) + size);
  }};
}

std::filesystem::path pretrained_file(std::string_view model, Console& console,
                                      std::filesystem::path folder) {
  const RemoteFile file = published_file(model);
  if (folder.empty()) folder = weights_cache();
  return download(file, folder, with_progress(file.name, console));
}

std::string pretrained_weights(const std::string& model, const std::string& weights,
                               Console& console) {
  if (weights.empty()) return pretrained_file(model, console).string();
  throw Error(ErrorKind::usage, "--pretrained and --weights cannot be given together")
      .with("try", "one of them");
}

void add_data_get(Commands& commands, Command group) {
  const auto flags = std::make_shared<DownloadsFlags>();
  Command command = commands.add(group, "get", "Download a data set", [flags](Console& console) {
    return run_get(*flags, "data", console, [&] {
      return data::get(flags->name, flags->out, with_progress(flags->name, console));
    });
  });
  std::vector<std::string> names;
  for (const data::Source& source : data::sources()) names.push_back(source.name);
  command.text("NAME", flags->name, "One of " + join(names));
  add_out(command, flags->out, "FOVEA_DATA/NAME", "data/NAME");
}

void add_weights(Commands& commands) {
  Command group = commands.group("weights", "Published weights of models");
  const auto glob = std::make_shared<std::string>("*");
  Command list = commands.add(group, "list", "List the weights that the models can read",
                              [glob](Console& console) { return list_pretrained(*glob, console); });
  list.text("GLOB", *glob, "Only those of models whose name matches, such as 'resnet*'");
  const auto flags = std::make_shared<DownloadsFlags>();
  Command get = commands.add(
      group, "get", "Download the published weights of a model", [flags](Console& console) {
        return run_get(*flags, "weights", console,
                       [&] { return pretrained_file(flags->name, console, flags->out); });
      });
  get.text("NAME", flags->name,
           "A model, which gets its newest weights, or a file that `list` shows");
  add_out(get, flags->out, "FOVEA_WEIGHTS", "weights");
}

}  // namespace fovea::cli
