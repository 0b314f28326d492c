#include <memory>

#include "commands.h"
#include "fovea/core/text.h"
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

int run(const std::string& glob, Console& console) {
  Json document = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const models::Entry& entry : matching(glob)) {
    const int64_t parameters = count_parameters(*models::make(entry.name));
    const std::string input = sizes_text(entry.defaults.input);
    document.push_back({{"name", entry.name}, {"parameters", parameters}, {"input", input}});
    rows.push_back({entry.name, grouped(parameters), input});
  }
  console.document(document);
  console.result(table({"name", "parameters", "input"}, rows, "lrl"));
  return 0;
}

}  // namespace

void add_models(Commands& commands) {
  const auto glob = std::make_shared<std::string>("*");
  CLI::App& app = commands.add(commands.root(), "models", "List the models there are",
                               [glob](Console& console) { return run(*glob, console); });
  app.add_option("GLOB", *glob, "Only those whose name matches, such as 'resnet*'");
}

}  // namespace fovea::cli
