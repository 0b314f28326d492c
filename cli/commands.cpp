#include "commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <sstream>

#include "fovea/core/error.h"
#include "fovea/core/parallel.h"
#include "fovea/core/text.h"
#include "fovea/kernels/instruction_set.h"

namespace fovea::cli {
namespace {

std::vector<std::string> names_under(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(sub->get_name());
  }
  return names;
}

std::string help_of(const CLI::App& app) { return full_name(app) + " --help"; }

const CLI::App& innermost(const CLI::App& app) {
  const std::vector<CLI::App*> subs = app.get_subcommands();
  return subs.empty() ? app : innermost(*subs.front());
}

}  // namespace

Commands::Commands(const std::string& about, const std::string& version)
    : root_(std::make_unique<CLI::App>(about, "fovea")) {
  root_->set_version_flag("--version", version, "Print the version");
  root_->footer(
      "Environment variables:\n"
      "  FOVEA_DATA      folder of data sets; by default ~/.cache/fovea/data\n"
      "  FOVEA_WEIGHTS   folder of published weights; by default ~/.cache/fovea/weights\n"
      "  FOVEA_RUNS      index of runs; by default runs/fovea.sqlite\n"
      "  FOVEA_MIRROR    URL that downloads come from, as MIRROR/HOST/PATH\n"
      "  FOVEA_ISA       limit of the CPU's instruction sets: sse4, avx2 or avx512\n"
      "  XDG_CACHE_HOME  folder instead of ~/.cache\n\n"
      "See fovea COMMAND --help, or fovea help COMMAND, for the flags of a command.");
  root_->allow_extras();  // refuse_extras gives better messages
  root_->require_subcommand(0, 1);
  // The last occurrence wins, so that a user can override a script's settings.
  root_->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

Commands::~Commands() = default;

Command Commands::add(Command parent, const std::string& name, const std::string& help, Run run) {
  CLI::App& app = *parent.app().add_subcommand(name, help);
  app.allow_extras();
  app.add_flag("--json", json_, "Print one JSON document on standard output and nothing else");
  app.add_flag("--quiet", quiet_, "Print results only");
  app.add_option("--threads", threads_,
                 "Number of threads to compute with; by default all available ones")
      ->type_name("N")
      ->check(CLI::Range(1, 1024).description(""));
  actions_.push_back({&app, std::move(run)});
  return Command(app);
}

Command Commands::group(const std::string& name, const std::string& help) {
  CLI::App& app = *root_->add_subcommand(name, help);
  app.allow_extras();
  app.require_subcommand(0, 1);
  return Command(app);
}

void Commands::refuse_extras(const CLI::App& app) const {
  std::vector<std::string> extras = root_->remaining(true);
  std::erase(extras, "--");  // what follows is not a flag
  if (extras.empty()) return;
  const std::string& first = extras.front();
  if (first.size() > 1 && first[0] == '-') {
    std::vector<std::string> flags;
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& flag : option->get_lnames()) flags.push_back("--" + flag);
    }
    throw unknown_name("flag", split(first, '=')[0], flags).with("try", help_of(app));
  }
  const std::vector<std::string> commands = names_under(app);
  if (!commands.empty()) throw unknown_name("command", first, commands).with("try", help_of(app));
  throw Error(ErrorKind::usage, fmt::format("unexpected argument \"{}\"", first))
      .with("try", help_of(app));
}

const Commands::Action& Commands::chosen() const {
  const CLI::App& app = innermost(*root_);
  refuse_extras(app);
  for (const Action& action : actions_) {
    if (action.app == &app) return action;
  }
  throw Error(ErrorKind::usage, fmt::format("{}: a command is required", full_name(app)))
      .with("commands", join(names_under(app)))
      .with("try", help_of(app));
}

/// The arguments, last one first, as CLI11 takes them; "help COMMAND" means "COMMAND --help".
std::vector<std::string> Commands::arguments(int argc, char** argv) const {
  std::vector<std::string> result(argv + std::min(1, argc), argv + argc);
  if (!result.empty() && result[0] == "help") {
    result.erase(result.begin());
    const std::vector<std::string> names = names_under(*root_);
    if (!result.empty() && std::ranges::count(names, result[0]) == 0)
      throw unknown_name("command", result[0], names).with("try", help_of(*root_));
    result.push_back("--help");
  }
  std::ranges::reverse(result);
  return result;
}

int Commands::run(int argc, char** argv, Console& console, bool watched) {
  try {
    root_->parse(arguments(argc, argv));
  } catch (const CLI::Success& e) {  // --help, --version
    std::ostringstream text;
    const int code = root_->exit(e, text, text);
    console.json = false;
    console.result(text.str());
    return code;
  } catch (const CLI::ParseError& e) {
    refuse_extras(innermost(*root_));
    throw Error(ErrorKind::usage, e.what()).with("try", help_of(innermost(*root_)));
  }
  const Action& action = chosen();
  console.json = json_;
  console.quiet = quiet_;
  if (!watched) {
    console.note("the system cannot start more threads (ulimit -u): Ctrl-C will end this at once");
  }
  limit_instruction_set();
  if (threads_ > 0) set_threads(threads_);
  const int wanted = threads_ > 0 ? threads_ : available_threads();
  if (const int given = threads(); given < wanted) {
    console.note(fmt::format(
        "threads: only {} of {} can be started: OMP_THREAD_LIMIT, OMP_MAX_ACTIVE_LEVELS or the "
        "limit on processes (ulimit -u) allow no more",
        given, wanted));
  }
  return action.run(console);
}

}  // namespace fovea::cli
