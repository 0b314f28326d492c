#include "fovea/doctor/doctor.h"

#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/train/precision.h"
#include "settings_flags.h"
#include "signals.h"

namespace fovea::cli {
namespace {

struct DoctorFlags {
  SettingsFlags settings;
  std::string run;
};

/// The settings of a run's folder, which flags override, and its last weights; or those of the
/// flags.
train::Settings settings_of(const DoctorFlags& flags, Console& console) {
  if (flags.run.empty()) return flags.settings.for_trial(console);
  const std::filesystem::path run = flags.run;
  if (flags.settings.given("recipe")) {
    throw Error(ErrorKind::usage, "doctor: a run has settings of its own, --recipe gives others")
        .with("run", run.string())
        .with("try", "without --recipe; other flags override the run's settings");
  }
  train::Settings settings = train::from_toml(run / "config.toml");
  const std::filesystem::path last = run / "last.safetensors";
  settings.weights = exists(last, ErrorKind::data) ? last.string() : settings.weights;
  for (const auto& [name, text] : flags.settings.changes()) {
    for (const train::Setting& setting : train::settings_table()) {
      if (setting.name == name) setting.set(settings, text);
    }
  }
  settings.threads = threads();
  flags.settings.choose_kernels(settings, console);
  return settings;
}

Json to_json(const doctor::Finding& finding) {
  return {{"check", finding.check},
          {"measured", finding.measured},
          {"verdict", finding.verdict},
          {"remedy", finding.remedy}};
}

std::string text_of(const doctor::Finding& finding, const Console& console) {
  const std::string mark = finding.verdict == "ok" ? console.green("ok     ") : finding.verdict;
  std::string text = fmt::format("{:<8} {:<23} {}\n", mark, finding.check, finding.measured);
  if (!finding.remedy.empty()) text += fmt::format("{:>8} {:<23} try {}\n", "", "", finding.remedy);
  return text;
}

int run(const DoctorFlags& flags, Console& console) {
  train::Setup setup(settings_of(flags, console));
  for (const std::string& note : setup.notes) console.note(note);
  if (setup.settings.precision == "auto") console.note(train::choose_precision(setup).note);
  train::Experiment experiment(setup);
  const auto progress = [&](int64_t done, int64_t all, std::string_view name) {
    console.status(static_cast<double>(done) / static_cast<double>(all), name);
  };
  const std::vector<doctor::Finding> findings = doctor::examine(experiment, progress, stop_token());
  Json list = Json::array();
  int64_t problems = 0;
  for (const doctor::Finding& finding : findings) {
    list.push_back(to_json(finding));
    problems += finding.verdict == "problem";
    console.result(text_of(finding, console));
  }
  console.document({{"findings", list}, {"problems", problems}});
  console.result(problems == 0
                     ? std::string("\nno problem found\n")
                     : fmt::format("\n{} problem{} found\n", problems, problems == 1 ? "" : "s"));
  return 0;
}

}  // namespace

void add_doctor(Commands& commands) {
  const auto flags = std::make_shared<DoctorFlags>();
  Command command = commands.add(commands.root(), "doctor",
                                 "Find what is wrong with a net, its data and its settings, by "
                                 "measuring; takes train's settings, "
                                 "or the folder of a run",
                                 [flags](Console& console) { return run(*flags, console); });
  command.text("RUN", flags->run, "The folder of a run: its settings and its last weights", "RUN");
  flags->settings.add(command);
}

}  // namespace fovea::cli
