// Progress, curves and other lines that are drawn anew in a terminal.
#include "terminal.h"

#include "fovea/core/text.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

/// What a terminal shows after some text, understanding as much as is written to it. Lines longer
/// than it is wide are wrapped, anew when its width changes, as terminals do.
class Screen {
 public:
  explicit Screen(size_t columns) : columns_(columns) {}

  void write(const std::string& text) {
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\r') {
        column_ = 0;
      } else if (text[i] == '\n') {
        if (++row_ == rows_.size()) rows_.emplace_back();
        column_ = 0;
      } else if (text[i] == '\x1b') {
        const size_t end = text.find_first_of("AKJm", i);
        if (text[end] == 'A') row_ -= std::min<size_t>(row_, std::stoul(text.substr(i + 2)));
        if (text[end] == 'K' || text[end] == 'J')
          rows_[row_].text.resize(std::min(column_, rows_[row_].text.size()));
        if (text[end] == 'J') rows_.resize(row_ + 1);
        i = end;
      } else {
        put(text[i]);
      }
    }
  }
  /// Makes it narrower: each row is wrapped, the cursor stays at its letter.
  void shrink(size_t columns) {
    std::vector<Row> wrapped;
    size_t row = 0;
    for (size_t r = 0; r < rows_.size(); ++r) {
      const std::string& text = rows_[r].text;
      size_t from = 0;
      do {
        if (r == row_) row = wrapped.size();
        wrapped.push_back({text.substr(from, columns)});
        from += columns;
      } while (from < text.size());
    }
    column_ %= columns;
    rows_ = wrapped;
    row_ = row;
    columns_ = columns;
  }
  std::string text() const {
    std::string all;
    for (const Row& row : rows_) all += row.text + "\n";
    return all;
  }

 private:
  struct Row {
    std::string text = {};
  };
  void put(char letter) {
    if (column_ == columns_) write("\n");
    std::string& text = rows_[row_].text;
    text.resize(std::max(text.size(), column_ + 1), ' ');
    text[column_++] = letter;
  }

  size_t columns_, row_ = 0, column_ = 0;
  std::vector<Row> rows_{{}};
};

TEST(RedrawnLines, TakeThePlaceOfThoseBefore) {
  Screen screen(20);
  cli::RedrawnLines lines;
  screen.write("before\n");
  for (const std::string text : {"one\ntwo\nthree", "one\n2\nthree", "one\n2\nthree and\n4",
                                 "one\n2", "x", "x\n", "x\ny", "one\n2\nthree"}) {
    screen.write(lines.replace(text, 20));
    EXPECT_EQ(screen.text(), "before\n" + text + "\n");
  }
  EXPECT_EQ(lines.replace("one\n2\nthree", 20), "");  // nothing to do
  screen.write(lines.replace("", 20));
  EXPECT_EQ(screen.text(), "before\n\n");
  EXPECT_TRUE(lines.empty());
}

TEST(RedrawnLines, OnlyTheLinesThatChangedAreWritten) {
  cli::RedrawnLines lines;
  (void)lines.replace("\x1b[31mcurves\x1b[0m\nmore\nprogress 1", 40);
  EXPECT_EQ(lines.replace("\x1b[31mcurves\x1b[0m\nmore\nprogress 2", 40), "\rprogress 2\x1b[K");
}

TEST(RedrawnLines, AreFoundAfterTheTerminalBecameNarrower) {
  Screen screen(20);
  cli::RedrawnLines lines;
  screen.write("before\n");
  screen.write(lines.replace("twelve chars\nsix ch\neighteen character", 20));
  screen.shrink(7);
  screen.write(lines.replace("a\nb", 7));
  EXPECT_EQ(screen.text(), "before\na\nb\n");
}

class LiveCurvesTest : public testing::Test {
 protected:
  LiveCurvesTest() { write_digits(folder_ / "digits", 400, 50, 16); }

  std::string trained(const std::string& out, Surroundings surroundings,
                      const Arguments& more = {}) {
    Arguments arguments{"train",   "--data",     "mnist:" + (folder_ / "digits").string(),
                        "--model", "small_cnn",  "--epochs",
                        "3",       "--batch",    "16",
                        "--out",   folder_ / out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = fovea(arguments, surroundings);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.err;
  }
  static bool has_curves(const std::string& text) {
    return text.find("\u2502") != std::string::npos && text.find("val_loss") != std::string::npos;
  }

  TemporaryFolder folder_;
};

TEST_F(LiveCurvesTest, AreDrawnInATerminalOnly) {
  const Surroundings terminal{.terminal = true, .set = {"TERM=xterm", "NO_COLOR="}};
  const std::string drawn = trained("a", terminal);
  EXPECT_TRUE(has_curves(drawn)) << drawn;
  EXPECT_NE(drawn.find("\x1b[38;5;"), std::string::npos);
  EXPECT_FALSE(has_curves(trained("b", {})));
  EXPECT_EQ(contents(folder_ / "a/log.txt").find("\x1b"), std::string::npos);
}

TEST_F(LiveCurvesTest, AreWithoutColoursWhereTheseAreUnwanted) {
  const std::string drawn = trained("a", {.terminal = true, .set = {"TERM=xterm", "NO_COLOR=1"}});
  EXPECT_TRUE(has_curves(drawn)) << drawn;
  EXPECT_EQ(drawn.find("\x1b[3"), std::string::npos);
}

TEST_F(LiveCurvesTest, CanBeLeftOut) {
  const Surroundings terminal{.terminal = true, .set = {"TERM=xterm", "NO_COLOR="}};
  EXPECT_FALSE(has_curves(trained("a", terminal, {"--no-curves"})));
  EXPECT_FALSE(has_curves(trained("b", terminal, {"--quiet"})));
  EXPECT_FALSE(has_curves(trained("c", {.terminal = true, .set = {"TERM=dumb"}})));
}

}  // namespace
}  // namespace fovea::cli_test
