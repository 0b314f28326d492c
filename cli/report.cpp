#include "report.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "commands.h"
#include "fovea/core/files.h"
#include "fovea/report/report.h"
#include "runs.h"
#include "signals.h"

namespace fovea::cli {
namespace {

struct ReportFlags {
  Command command;
  std::vector<std::string> runs;
  std::string out;
};

int run(const ReportFlags& flags, Console& console) {
  flags.command.require("RUN");
  std::vector<std::filesystem::path> folders;
  for (const records::StoredRun& run : records::find_runs(known_runs(), flags.runs))
    folders.push_back(run.folder);
  const std::filesystem::path out = !flags.out.empty()    ? std::filesystem::path(flags.out)
                                    : folders.size() == 1 ? folders[0] / "report.html"
                                                          : "report.html";
  if (!flags.out.empty()) console.data_goes_to("--out", flags.out);
  const size_t bytes = write_report(folders, out, console);
  console.document({{"path", out.string()}, {"bytes", bytes}});
  console.result(fmt::format("{}: {}\n", out.string(), bytes_text(bytes)));
  return 0;
}

}  // namespace

size_t write_report(const std::vector<std::filesystem::path>& runs,
                    const std::filesystem::path& out, Console& console,
                    const report::Results* tested) {
  const auto progress = [&](double share, const std::string& what) { console.status(share, what); };
  const std::string page =
      report::run_report(runs, {.progress = progress, .tested = tested, .stop = stop_token()});
  console.clear_status();
  if (!page.empty()) replace_file(out, page);
  return page.size();
}

void add_report(Commands& commands) {
  const auto flags = std::make_shared<ReportFlags>();
  Command command = commands.add(commands.root(), "report", "Write a run's report, an HTML page",
                                 [flags](Console& console) { return run(*flags, console); });
  flags->command = command;
  command.texts("RUN", flags->runs,
                "Folders of runs, or names of those in fovea runs list; several are compared");
  command.text("--out", flags->out,
               "The page; by default report.html in the run's folder, or here for several runs",
               "FILE.html");
  command.footer("The page is one file that opens without a network.");
}

}  // namespace fovea::cli
