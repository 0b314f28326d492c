#include "commands.h"

#include <fmt/format.h>

#include <sstream>

#include "fovea/core/error.h"
#include "fovea/core/parallel.h"
#include "fovea/core/text.h"

namespace fovea::cli {
namespace {

std::vector<std::string> names_under(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(sub->get_name());
  }
  return names;
}

/// "fovea data info".
std::string full_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : full_name(*parent) + " " + app.get_name();
}

std::string help_of(const CLI::App& app) { return full_name(app) + " --help"; }

const CLI::App& innermost(const CLI::App& app) {
  const std::vector<CLI::App*> subs = app.get_subcommands();
  return subs.empty() ? app : innermost(*subs.front());
}

}  // namespace

Commands::Commands(CLI::App& root) : root_(root) {
  root.allow_extras();  // refuse_extras gives better messages
  root.require_subcommand(0, 1);
  // The last occurrence wins, so that a user can override a script's settings.
  root.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

CLI::App& Commands::add(CLI::App& parent, const std::string& name, const std::string& help,
                        Run run) {
  CLI::App& app = *parent.add_subcommand(name, help);
  app.allow_extras();
  app.add_flag("--json", json_, "Print one JSON document on standard output and nothing else");
  app.add_flag("--quiet", quiet_, "Print results only");
  app.add_option("--threads", threads_,
                 "Number of threads to compute with; by default all available ones")
      ->type_name("N")
      ->check(CLI::Range(1, 1024).description(""));
  commands_.push_back({&app, std::move(run)});
  return app;
}

CLI::App& Commands::group(const std::string& name, const std::string& help) {
  CLI::App& app = *root_.add_subcommand(name, help);
  app.allow_extras();
  app.require_subcommand(0, 1);
  return app;
}

void Commands::refuse_extras(const CLI::App& app) const {
  std::vector<std::string> extras = root_.remaining(true);
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
  throw Error(ErrorKind::usage, "unexpected argument \"" + first + "\"").with("try", help_of(app));
}

const Commands::Command& Commands::chosen() const {
  const CLI::App& app = innermost(root_);
  refuse_extras(app);
  for (const Command& command : commands_) {
    if (command.app == &app) return command;
  }
  throw Error(ErrorKind::usage, full_name(app) + ": a command is required")
      .with("commands", join(names_under(app)))
      .with("try", help_of(app));
}

int Commands::run(int argc, char** argv, Console& console, bool watched) {
  try {
    root_.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    std::ostringstream text;
    const int code = root_.exit(e, text, text);
    console.json = false;
    console.result(text.str());
    return code;
  } catch (const CLI::ParseError& e) {
    refuse_extras(innermost(root_));
    throw Error(ErrorKind::usage, e.what()).with("try", help_of(innermost(root_)));
  }
  const Command& command = chosen();
  console.json = json_;
  console.quiet = quiet_;
  if (!watched) {
    console.note("the system cannot start more threads (ulimit -u): Ctrl-C will end this at once");
  }
  if (threads_ > 0) set_threads(threads_);
  const int wanted = threads_ > 0 ? threads_ : available_threads();
  if (const int given = threads(); given < wanted) {
    console.note(fmt::format(
        "threads: only {} of {} can be started: OMP_THREAD_LIMIT, OMP_MAX_ACTIVE_LEVELS or the "
        "limit on processes (ulimit -u) allow no more",
        given, wanted));
  }
  return command.run(console);
}

CLI::Option* add_count(CLI::App& app, const std::string& flag, int64_t& value,
                       const std::string& help, int64_t minimum, int64_t maximum) {
  return app.add_option(flag, value, help)
      ->type_name("N")
      ->check(CLI::Range(minimum, maximum).description(""))
      ->capture_default_str();
}

CLI::Option* add_argument(CLI::App& app, const std::string& flag, std::string& text,
                          ArgumentType type, const std::string& help) {
  if (type == ArgumentType::flag) return app.add_flag(flag, text, help);
  constexpr const char* names[] = {"N", "X", "", "TEXT", "N[xN...]", "X[xX...]"};
  return app.add_option(flag, text, help)->type_name(names[static_cast<size_t>(type)]);
}

CLI::Option* add_max_pixels(CLI::App& app, int64_t& value) {
  return add_count(app, "--max-pixels", value,
                   "Refuse pictures with more pixels; decoding takes up to 12 bytes of memory per "
                   "pixel",
                   1, int64_t{1} << 40);
}

CLI::Option* add_choice(CLI::App& app, const std::string& flag, std::string& value,
                        const std::string& help, const std::vector<std::string>& words) {
  return app.add_option(flag, value, help)
      ->type_name("WORD")
      ->check(CLI::IsMember(words))
      ->capture_default_str();
}

}  // namespace fovea::cli
