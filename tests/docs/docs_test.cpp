// Code in the documentation is quoted from files, so that what a reader copies compiles.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>
#include "fovea/data/transform.h"
#include "fovea/optim/optimizer.h"
#include "fovea/optim/schedule.h"
#include "fovea/train/averaging.h"
#include "paths.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

const fs::path root = fs::path(tests_folder()).parent_path();

std::string contents(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The pages that are checked.
std::vector<fs::path> pages() {
  std::vector<fs::path> all{root / "README.md", root / "src/fovea/README.md"};
  for (const auto& entry : fs::directory_iterator(root / "docs")) {
    if (entry.path().extension() == ".md") all.push_back(entry.path());
  }
  return all;
}

/// A page without its blocks of code.
std::string prose(const fs::path& page) {
  std::istringstream lines(contents(page));
  std::string text;
  bool code = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) code = !code;
    if (!code) text += line + "\n";
  }
  return text;
}

/// A block of code that starts with ```cpp FILE or ```toml FILE: its pieces, cut at lines of "...".
struct Quote {
  std::string file;
  std::vector<std::string> pieces;
};

std::vector<Quote> quotes(const fs::path& page) {
  std::vector<Quote> all;
  std::istringstream lines(contents(page));
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```cpp ") || line.starts_with("```toml ")) {
      all.push_back({line.substr(line.find(' ') + 1), {""}});
      inside = true;
    } else if (line.starts_with("```")) {
      inside = false;
    } else if (inside && line == "...") {
      all.back().pieces.emplace_back();
    } else if (inside) {
      all.back().pieces.back() += line + "\n";
    }
  }
  return all;
}

TEST(Docs, QuotedCodeIsInTheFileItNames) {
  size_t checked = 0;
  for (const fs::path& page : pages()) {
    for (const Quote& quote : quotes(page)) {
      const std::string source = contents(root / quote.file);
      EXPECT_FALSE(source.empty()) << page << " names " << quote.file;
      for (const std::string& piece : quote.pieces) {
        EXPECT_NE(source.find(piece), std::string::npos)
            << page << " quotes what " << quote.file << " does not say:\n"
            << piece;
        ++checked;
      }
    }
  }
  EXPECT_GE(checked, 8u);
}

TEST(Docs, LinksToFilesLeadSomewhere) {
  for (const fs::path& page : pages()) {
    const std::string text = prose(page);
    for (size_t at = text.find("]("); at != std::string::npos; at = text.find("](", at + 1)) {
      const std::string target = text.substr(at + 2, text.find(')', at) - at - 2);
      if (target.find("://") != std::string::npos || target.starts_with("#")) continue;
      EXPECT_TRUE(fs::exists(page.parent_path() / target)) << page << ": " << target;
    }
  }
}

TEST(Docs, TheTableOfTransformsIsThatOfTheProgram) {
  const std::string page = contents(root / "docs/transforms.md");
  std::string rows;
  for (const data::TransformEntry& row : data::transforms()) {
    rows += "| `" + row.choice.usage() + "` | " + row.choice.help + " | `" + row.example + "` |\n";
    for (const Argument& argument : row.choice.arguments) {
      EXPECT_FALSE(argument.help.empty()) << row.choice.name << ": " << argument.name;
    }
  }
  EXPECT_NE(page.find("|---|---|---|\n" + rows + "\n"), std::string::npos)
      << "docs/transforms.md lacks these rows:\n"
      << rows;
}

TEST(Docs, TheTablesOfTrainingHaveEveryOptimizerAndSchedule) {
  const std::string page = contents(root / "docs/training.md");
  std::vector<const Choice*> choices = choices_of(optim::optimizers());
  for (const Choice* schedule : choices_of(optim::schedules())) choices.push_back(schedule);
  for (const Choice* choice : choices) {
    EXPECT_NE(page.find("\n| `" + choice->usage() + "` |"), std::string::npos) << choice->usage();
  }
  for (const Choice* choice : choices_of(train::averages())) {
    EXPECT_NE(page.find("`--average " + choice->usage() + "`"), std::string::npos)
        << choice->usage();
  }
}

}  // namespace
}  // namespace fovea
