#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "fovea/core/text.h"
#include "fovea/weights/pretrained.h"
#include "model.h"

namespace fovea::cli {
namespace {

std::vector<models::Entry> matching(const std::string& glob) {
  std::vector<models::Entry> entries = models::list(glob);
  if (!entries.empty()) return entries;
  std::vector<std::string> names;
  for (const models::Entry& entry : models::list()) names.push_back(entry.name);
  throw unknown_name("model", glob, names).with("try", "fovea models, which lists all");
}

struct ModelsFlags {
  std::string glob = "*";
  bool pretrained = false;
};

}  // namespace

int list_pretrained(const std::string& glob, Console& console) {
  const auto triple = [](const auto& v) {
    return fmt::format("{:.3f} {:.3f} {:.3f}", v[0], v[1], v[2]);
  };
  Json document = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const models::Entry& entry : matching(glob)) {
    for (const Pretrained& weights : fovea::pretrained()) {
      if (weights.model != entry.name) continue;
      const std::string file = std::string(weights.file) + ".pth";
      const std::string input = sizes_text(entry.input);
      const std::string filter(name(weights.filter));
      document.push_back({{"model", entry.name},
                          {"file", file},
                          {"input", input},
                          {"resize", weights.resize},
                          {"filter", filter},
                          {"mean", weights.mean},
                          {"std", weights.std}});
      rows.push_back({entry.name, file, weights.resize > 0 ? std::to_string(weights.resize) : "all",
                      filter, input, triple(weights.mean), triple(weights.std)});
    }
  }
  console.document(document);
  console.result(rows.empty() ? "no published weights are known for " + glob + "\n"
                              : table({"model", "file", "resize", "filter", "input", "mean", "std"},
                                      rows, "llrllll"));
  return 0;
}

namespace {

int run(const ModelsFlags& flags, Console& console) {
  if (flags.pretrained) return list_pretrained(flags.glob, console);
  Json document = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const models::Entry& entry : matching(flags.glob)) {
    const int64_t parameters =
        entry.counts ? entry.counts->parameters : count_parameters(*models::make(entry.name));
    const std::string input = sizes_text(entry.input);
    document.push_back({{"name", entry.name}, {"parameters", parameters}, {"input", input}});
    rows.push_back({entry.name, grouped(parameters), input});
  }
  console.document(document);
  console.result(table({"name", "parameters", "input"}, rows, "lrl"));
  return 0;
}

}  // namespace

void add_models(Commands& commands) {
  const auto flags = std::make_shared<ModelsFlags>();
  Command command = commands.add(commands.root(), "models", "List the available models",
                                 [flags](Console& console) { return run(*flags, console); });
  command.text("GLOB", flags->glob, "Only those whose name matches, such as 'resnet*'");
  command.flag("--pretrained", flags->pretrained,
               "List the known published weights instead, with their preprocessing of pictures");
}

}  // namespace fovea::cli
